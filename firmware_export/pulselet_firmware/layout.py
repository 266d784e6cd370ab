"""A pipeline as C: which tables, which words of state, which scratch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pulselet.signal.pipeline import Pipeline
from pulselet.signal.stage import CForm, Kernel
from pulselet.signal.window import WindowKernel
from pulselet_firmware.kernels import constants, headers, stage_entry


@dataclass(frozen=True)
class ChainLayout:
    """Stages in a row: their entries, and the initialiser of their `pl_chain_t`."""

    name: str
    stages: list[str]
    entry: str


@dataclass
class Layout:
    """What the template of a pipeline's tables wants, and what its state takes.

    Attributes
    ----------
    window
        The windows of int8 that a net takes, if the pipeline ends in windows of samples: not one of the joint stages.
    state_words, scratch_floats
        Memory of a run.
    rows
        The most rows that come out for one sample.
    """

    name: str
    constants: list[str] = field(default_factory=list)
    chains: list[ChainLayout] = field(default_factory=list)
    window: WindowKernel | None = None
    headers: list[str] = field(default_factory=list)
    state_words: int = 0
    ring_offset: int = 0
    ahead: int = 1
    columns: int = 0
    branch_scratch: int = 0
    joint_scratch: int = 0
    rows: int = 1

    @property
    def scratch_floats(self) -> int:
        """Floats of scratch: one that the branches share, one for what follows."""
        return max(1, self.branch_scratch + self.joint_scratch)


def layout(name: str, pipeline: Pipeline, *, net: bool) -> Layout:
    """Return how a pipeline looks in C; with `net`, a window at its end is left to the net's own ring of int8."""
    joint = list(pipeline.joint_kernels)
    made = Layout(name, ahead=pipeline.ahead)
    if net and joint and isinstance(joint[-1], WindowKernel):
        window = joint.pop()
        assert isinstance(window, WindowKernel)
        made.window = window
    forms: list[CForm] = []
    most = 1
    for branch, kernels, out in zip(pipeline.branches, pipeline.branch_kernels, pipeline.branch_outputs, strict=True):
        rows, scratch = _add(made, f"in_{branch.name}", kernels, branch.channels, made.columns, forms, 1)
        made.branch_scratch = max(made.branch_scratch, scratch)
        made.columns += out.width
        most = max(most, rows)
    made.ring_offset = made.state_words
    if len(pipeline.branches) > 1:
        made.state_words += 1 + len(pipeline.branches) + made.ahead * (made.columns + 1)
    rows, made.joint_scratch = _add(made, "joint", joint, made.columns, 0, forms, most)
    made.rows = rows if made.window is None else -(-rows // made.window.hop)
    made.headers = headers(forms)
    return made


def _add(
    made: Layout, name: str, kernels: Sequence[Kernel], width: int, column: int, forms: list[CForm], most: int
) -> tuple[int, int]:
    """Add a chain; return the most rows that come out of it for one sample, and the floats of its scratch."""
    entries, offset, rows, total, out = [], made.state_words, 1, most, width
    halves = [0, 0]  # for the rows of even and of odd stages
    for i, kernel in enumerate(kernels):
        form, label = kernel.c_form(), f"{made.name}_{name}_{i}"
        forms.append(form)
        made.constants.append(constants(label, form))
        entries.append(stage_entry(label, form, kernel.output.width))
        if isinstance(kernel, WindowKernel):
            rows, total = -(-rows // kernel.hop), -(-total // kernel.hop)
        else:
            rows, total = rows * form.rows, total * form.rows
        out = kernel.output.width
        halves[i % 2] = max(halves[i % 2], rows * out)
        made.state_words += form.state_words
    stages = f"{made.name}_{name}_stages" if entries else "0"
    entry = f"{stages}, {len(entries)}, {width}, {out}, {offset}, {rows}, {halves[0]}, {column}"
    made.chains.append(ChainLayout(name, entries, entry))
    return total, sum(halves)
