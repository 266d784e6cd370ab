"""Kernels as C: their tables and constants as text, and machines that run a kernel's C by itself."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ExportError
from pulselet.signal.stage import CForm, Kernel, Samples
from pulselet_firmware import toolchain
from pulselet_firmware.program import RUNTIME, CoreProgram, HostProgram, Program
from pulselet_firmware.templating import c_float, environment, rows

FLOATS_IN, FLOATS_OUT, STATE_WORDS = 4096, 16384, 24576
ENTRIES = ("pk_start", "pk_step", "pk_gap", "pk_x", "pk_y")


def constants(name: str, form: CForm) -> str:
    """Return the C definition of a form's tables and of its constants, called `name`."""
    before: list[str] = []
    fields: list[str] = []
    for field, value in form.fields:
        if isinstance(value, CForm):
            before.append(constants(f"{name}_{field}", value))
            fields.append(f"&{name}_{field}")
        elif isinstance(value, np.ndarray):
            before.append(_table(f"{name}_{field}", value))
            fields.append(f"{name}_{field}")
        else:
            fields.append(str(int(value)) if isinstance(value, (int, np.integer)) else c_float(np.float32(value)))
    return "".join(before) + f"static const pl_{form.kind}_t {name} = {{ {', '.join(fields)} }};\n"


def _table(name: str, values: NDArray[np.float32] | NDArray[np.int32]) -> str:
    flat = np.ravel(values)
    if flat.dtype.kind == "f":
        kind, texts = "float", [c_float(v) for v in flat]
    else:
        narrow = flat.size > 0 and flat.dtype == np.int8
        kind, texts = ("int8_t" if narrow else "int32_t"), [str(int(v)) for v in flat]
    body = ",\n    ".join(rows(texts, 12))
    return f"static const {kind} {name}[{len(texts)}] = {{\n    {body} }};\n"


def stage_entry(name: str, form: CForm, width: int) -> str:
    """Return the initialiser of a `pl_stage_t` whose constants are called `name`."""
    gap = f"pl_{form.kind}_gap" if form.has_gap else "0"
    return f"{{ pl_{form.kind}_step, {gap}, &{name}, {form.state_words}, {width} }}"


def headers(forms: Iterable[CForm]) -> list[str]:
    """Return the files of the runtime that declare the forms and those inside them, each once."""
    found: dict[str, None] = {}

    def visit(form: CForm) -> None:
        for _, value in form.fields:
            if isinstance(value, CForm):
                visit(value)
        found[form.header] = None

    for form in forms:
        visit(form)
    return list(found)


def runtime_files(first: Iterable[str]) -> list[str]:
    """Return the files of the runtime, those that they include among them."""
    found: dict[str, None] = {}

    def visit(file: str) -> None:
        if file not in found:
            found[file] = None
            for included in re.findall(r'#include "(pl_\w+\.h)"', (RUNTIME / file).read_text(encoding="utf-8")):
                visit(included)

    for file in first:
        visit(file)
    return list(found)


def source(kernels: Mapping[str, Kernel]) -> str:
    """Return C that runs each kernel by itself.

    Raises
    ------
    ExportError
        If a kernel has more state, or wider rows, than the driver holds.
    """
    forms = {name: kernel.c_form() for name, kernel in kernels.items()}
    for name, kernel in kernels.items():
        form = forms[name]
        if form.state_words > STATE_WORDS or kernel.source.width > FLOATS_IN:
            raise ExportError(f"{name} is too large to run by itself: {form.state_words} words of state")
        if form.rows * kernel.output.width > FLOATS_OUT:
            raise ExportError(f"{name} gives too many floats for one row: {form.rows * kernel.output.width}")
    context = {
        "headers": headers(forms.values()),
        "constants": [constants(f"pk_{i}", form) for i, form in enumerate(forms.values())],
        "stages": [
            stage_entry(f"pk_{i}", form, kernel.output.width)
            for i, (form, kernel) in enumerate(zip(forms.values(), kernels.values(), strict=True))
        ],
        "widths": [kernel.source.width for kernel in kernels.values()],
        "floats_in": FLOATS_IN,
        "floats_out": FLOATS_OUT,
        "state_words": STATE_WORDS,
    }
    return str(environment().get_template("kernels.c.j2").render(context))


class KernelMachine:
    """Runs the C of kernels, one at a time, by their names."""

    def __init__(self, kernels: Mapping[str, Kernel], program: Program) -> None:
        self.kernels = dict(kernels)
        self.program = program
        self._index = {name: i for i, name in enumerate(kernels)}
        self._rows = {
            name: max(1, min(FLOATS_IN // k.source.width, FLOATS_OUT // (k.c_form().rows * k.output.width)))
            for name, k in kernels.items()
        }

    def run(self, name: str, events: Sequence[Samples | int]) -> list[Samples | int]:
        """Return what a kernel in C makes of rows and gaps, from its start: rows for rows, rows lost for rows lost."""
        self.start(name)
        return [self.gap(name, what) if isinstance(what, int) else self.step(name, what) for what in events]

    def start(self, name: str) -> None:
        """Set the state to zero."""
        self.program.call("pk_start", self._index[name])

    def gap(self, name: str, lost: int) -> int:
        """Return how many rows of output are lost."""
        return self.program.call("pk_gap", self._index[name], lost) & 0xFFFFFFFF

    def step(self, name: str, x: Samples) -> Samples:
        """Return the output for the next rows."""
        kernel, parts = self.kernels[name], []
        for at in range(0, len(x), self._rows[name]):
            part = np.ascontiguousarray(x[at : at + self._rows[name]], np.float32)
            self.program.write("pk_x", part.tobytes())
            found = self.program.call("pk_step", self._index[name], len(part))
            parts.append(np.frombuffer(self.program.read("pk_y", 4 * found * kernel.output.width), np.float32))
        return np.concatenate([*parts, np.empty(0, np.float32)]).reshape(-1, kernel.output.width)


class HostKernels(KernelMachine):
    """Kernels compiled for this computer, by the pip compiler or by one that is named.

    Raises
    ------
    ExportError
        If the C does not build.
    """

    def __init__(
        self, kernels: Mapping[str, Kernel], *, compiler: Sequence[str] | None = None, optimise: str = "-O2"
    ) -> None:
        super().__init__(kernels, HostProgram(source(kernels), compiler=compiler, optimise=optimise))


class CoreKernels(KernelMachine):
    """Kernels on an emulated core.

    Raises
    ------
    ExportError
        If the core is unknown, or the C does not build.
    """

    program: CoreProgram

    def __init__(self, kernels: Mapping[str, Kernel], core: str = "cortex-m4f", *, optimise: str = "-O2") -> None:
        super().__init__(kernels, CoreProgram(source(kernels), ENTRIES, core, optimise=optimise))

    @property
    def instructions(self) -> int:
        """Instructions so far, since counting was switched on."""
        return self.program.instructions

    @property
    def stack_bytes(self) -> int:
        """The deepest stack so far."""
        return self.program.stack_bytes

    def count(self, on: bool) -> None:
        """Switch counting on or off; it makes the core some 20 times slower."""
        self.program.count(on)


def footprint(kernel: Kernel, core: str = "cortex-m4f") -> tuple[int, int]:
    """Return bytes of flash (code and tables) and of state that a kernel takes on a core."""
    form = kernel.c_form()
    text = (
        f'#include "{form.header}"\n'
        + "".join(f'#include "{file}"\n' for file in headers([form]))
        + constants("pk", form)
        + f"int32_t pk_step(pl_word_t *state, const float *x, float *y);\n"
        f"int32_t pk_step(pl_word_t *state, const float *x, float *y)\n"
        f"{{ return pl_{form.kind}_step(&pk, state, x, y); }}\n"
    )
    entries = ["pk_step"]
    if form.has_gap:
        entries.append("pk_gap")
        text += (
            f"uint32_t pk_gap(pl_word_t *state, uint32_t lost);\n"
            f"uint32_t pk_gap(pl_word_t *state, uint32_t lost)\n"
            f"{{ return pl_{form.kind}_gap(&pk, state, lost); }}\n"
        )
    with tempfile.TemporaryDirectory(prefix="pulselet-") as scratch:
        file = Path(scratch) / "kernel.c"
        file.write_text(text, encoding="utf-8")
        elf = toolchain.compile_core(
            [file], Path(scratch) / "kernel.elf", core=core, include=[RUNTIME], entries=entries, optimise="-Os"
        )
        return toolchain.sizes(elf)[0], 4 * form.state_words
