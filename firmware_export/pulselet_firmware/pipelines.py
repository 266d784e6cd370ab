"""Whole pipelines as C, without a net: the same rows and gaps in, the same rows out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pulselet.errors import ExportError, PipelineError
from pulselet.signal.pipeline import Pipeline
from pulselet.signal.run import Event
from pulselet.signal.stage import Samples
from pulselet_firmware import toolchain
from pulselet_firmware.layout import layout
from pulselet_firmware.program import RUNTIME, CoreProgram, HostProgram, Program
from pulselet_firmware.templating import environment

FLOATS_IN, FLOATS_OUT = 2048, 16384
ENTRIES = ("pp_start", "pp_push", "pp_gap", "pp_x", "pp_y", "pp_dropped")


def source(pipeline: Pipeline) -> str:
    """Return C that runs a pipeline by itself.

    Raises
    ------
    ExportError
        If a sample gives more than the driver holds.
    """
    placed = layout("pp", pipeline, net=False)
    if placed.rows * pipeline.output.width > FLOATS_OUT:
        raise ExportError(
            f"one sample gives {placed.rows} rows of {pipeline.output.width} floats: too many for the driver"
        )
    context = {
        "name": "pp",
        "pipeline": placed,
        "width": pipeline.output.width,
        "floats_in": FLOATS_IN,
        "floats_out": FLOATS_OUT,
    }
    return str(environment().get_template("pipeline.c.j2").render(context))


class PipelineMachine:
    """Runs the C of one pipeline."""

    def __init__(self, pipeline: Pipeline, program: Program) -> None:
        self.pipeline = pipeline
        self.program = program
        self._index = {branch.name: i for i, branch in enumerate(pipeline.branches)}
        placed = layout("pp", pipeline, net=False)
        room = FLOATS_OUT // (pipeline.output.width * max(1, placed.rows))
        self._at_once = {b.name: max(1, min(FLOATS_IN // b.channels, room)) for b in pipeline.branches}

    def run(self, events: Iterable[Event]) -> Samples:
        """Return all rows `(n, width)` that the events give, from the start.

        Raises
        ------
        PipelineError
            If an event does not fit the pipeline, or a branch runs too far ahead of another.
        """
        self.program.call("pp_start")
        parts = [np.empty((0, self.pipeline.output.width), np.float32)]
        for name, what in events:
            if isinstance(what, int):
                self._check(self.program.call("pp_gap", self._index[name], what), name)
                continue
            for at in range(0, len(what), self._at_once[name]):
                parts.append(self._push(name, what[at : at + self._at_once[name]]))
        return np.concatenate(parts)

    @property
    def dropped(self) -> int:
        """Rows lost at the end so far."""
        return int.from_bytes(self.program.read("pp_dropped", 4), "little")

    def _push(self, name: str, values: Samples) -> Samples:
        self.program.write("pp_x", np.ascontiguousarray(values, np.float32).tobytes())
        count = self._check(self.program.call("pp_push", self._index[name], len(values)), name)
        width = self.pipeline.output.width
        return np.frombuffer(self.program.read("pp_y", 4 * count * width), np.float32).reshape(count, width)

    @staticmethod
    def _check(status: int, name: str) -> int:
        if status < 0:
            raise PipelineError(f"the C refuses {name!r}: status {status}")
        return status


class HostPipeline(PipelineMachine):
    """A pipeline compiled for this computer.

    Raises
    ------
    ExportError
        If the C does not build.
    """

    def __init__(self, pipeline: Pipeline, *, compiler: Sequence[str] | None = None, optimise: str = "-O2") -> None:
        super().__init__(pipeline, HostProgram(source(pipeline), compiler=compiler, optimise=optimise))


class CorePipeline(PipelineMachine):
    """A pipeline on an emulated core.

    Raises
    ------
    ExportError
        If the core is unknown, or the C does not build.
    """

    program: CoreProgram

    def __init__(self, pipeline: Pipeline, core: str = "cortex-m4f", *, optimise: str = "-O2") -> None:
        super().__init__(pipeline, CoreProgram(source(pipeline), ENTRIES, core, optimise=optimise))


def footprint(pipeline: Pipeline, core: str = "cortex-m4f", *, optimise: str = "-Os") -> tuple[int, int]:
    """Return bytes of flash (code and tables) and of RAM (state and scratch) that a pipeline takes on a core."""
    text = source(pipeline)
    for size, name in ((FLOATS_IN, "x"), (FLOATS_OUT, "y")):
        text = text.replace(f"float pp_{name}[{size}];", f"extern float pp_{name}[{size}];")
    placed = layout("pp", pipeline, net=False)
    with tempfile.TemporaryDirectory(prefix="pulselet-") as scratch:
        files = [Path(scratch) / "pipeline.c", Path(scratch) / "memory.c"]
        files[0].write_text(text, encoding="utf-8")
        files[1].write_text(f"float pp_x[{FLOATS_IN}];\nfloat pp_y[{FLOATS_OUT}];\n", encoding="utf-8")
        elf = toolchain.compile_core(
            files, Path(scratch) / "pipeline.elf", core=core, include=[RUNTIME], entries=ENTRIES[:3], optimise=optimise
        )
        return toolchain.sizes(elf)[0], 4 * (placed.state_words + placed.scratch_floats)
