"""The two machines that run a bundle's C: this computer, and an emulated core. Both through the same shim."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pulselet.errors import ExportError, PipelineError
from pulselet.model.decide import Decision
from pulselet.signal.pipeline import Pipeline
from pulselet.signal.run import Event
from pulselet.signal.stage import Samples
from pulselet.signal.window import LONGEST_GAP
from pulselet_firmware import toolchain
from pulselet_firmware.emulate import Core
from pulselet_firmware.layout import layout
from pulselet_firmware.program import RUNTIME

SHIM = RUNTIME / "pl_shim.c"
SHIM_FLOATS = 1024
SHIM_HEAD = 6
SHIM_RECORDS = 4096  # words
SHIM_ENTRIES = ("pl_shim_init", "pl_shim_gap", "pl_shim_push", "pl_shim_samples", "pl_shim_records")
COUNTED_WINDOWS = 16  # counting is slow, and windows differ little
ERRORS = {-1: "no such stream", -2: "one stream is too far ahead of another", -3: "a count out of range"}


class Machine(ABC):
    """Runs one bundle; a run begins with a fresh state."""

    def __init__(self, pipeline: Pipeline, classes: int) -> None:
        self.pipeline = pipeline
        self.words = SHIM_HEAD + classes
        self.results = layout("bundle", pipeline, net=True).rows  # that one sample gives, at most
        self.dropped = 0  # windows left out before the last decision because samples in them were lost

    def run(self, events: Iterable[Event]) -> Iterator[Decision]:
        """Yield the decision of each window as the events complete it.

        Raises
        ------
        PipelineError
            If an event does not fit the pipeline, or a stream runs too far ahead of another.
        """
        index = {branch.name: i for i, branch in enumerate(self.pipeline.branches)}
        self._init()
        self.dropped = 0
        for name, what in events:
            if name not in index:
                raise PipelineError(f"unknown branch {name!r}; the pipeline has {sorted(index)}")
            if isinstance(what, int):
                if not 0 < what <= LONGEST_GAP:
                    raise PipelineError(f"a gap wants 1 to {LONGEST_GAP} lost samples, got {what}")
                self._check(self._gap(index[name], what), name)
            else:
                yield from self._push_all(index[name], name, what)

    def _push_all(self, stream: int, name: str, values: Samples) -> Iterator[Decision]:
        channels = self.pipeline.branches[stream].channels
        if values.ndim != 2 or values.shape[1] != channels or values.dtype != np.float32:
            raise PipelineError(f"branch {name!r} wants float32 (n, {channels}), got {values.dtype} {values.shape}")
        chunk = max(1, min(SHIM_FLOATS // channels, SHIM_RECORDS // (self.words * self.results)))
        for at in range(0, len(values), chunk):
            part = np.ascontiguousarray(values[at : at + chunk])
            found = self._check(self._push(stream, part), name)
            if found:
                yield from self._decisions(self._records(4 * found * self.words))

    def _decisions(self, records: bytes) -> Iterator[Decision]:
        for row in np.frombuffer(records, np.int32).reshape(-1, self.words):
            self.dropped = int(row[5:6].copy().view(np.uint32)[0])
            start = int(row[:2].copy().view(np.uint64)[0])
            confidence = float(row[3:4].copy().view(np.float32)[0])
            yield Decision(start, tuple(int(s) for s in row[SHIM_HEAD:]), int(row[2]), confidence, bool(row[4]))

    @staticmethod
    def _check(status: int, name: str) -> int:
        if status < 0:
            raise PipelineError(f"the C refuses {name!r}: {ERRORS.get(status, f'status {status}')}")
        return status

    @abstractmethod
    def _init(self) -> None: ...

    @abstractmethod
    def _gap(self, stream: int, lost: int) -> int: ...

    @abstractmethod
    def _push(self, stream: int, values: Samples) -> int: ...

    @abstractmethod
    def _records(self, count: int) -> bytes: ...


class HostMachine(Machine):
    """A bundle compiled for this computer."""

    def __init__(self, folder: Path, name: str, pipeline: Pipeline, classes: int) -> None:
        super().__init__(pipeline, classes)
        scratch = tempfile.mkdtemp(prefix="pulselet-")
        weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        library = toolchain.compile_host(
            [folder / f"{name}.c", SHIM],
            Path(scratch) / "bundle.so",
            include=[folder, RUNTIME],
            defines=shim_defines(name),
        )
        self._library = ctypes.CDLL(str(library))
        self._library.pl_shim_gap.argtypes = [ctypes.c_int32, ctypes.c_uint32]
        self._samples = (ctypes.c_float * SHIM_FLOATS).in_dll(self._library, "pl_shim_samples")
        self._found = (ctypes.c_int32 * SHIM_RECORDS).in_dll(self._library, "pl_shim_records")

    def _init(self) -> None:
        self._library.pl_shim_init()

    def _gap(self, stream: int, lost: int) -> int:
        return int(self._library.pl_shim_gap(stream, lost))

    def _push(self, stream: int, values: Samples) -> int:
        ctypes.memmove(self._samples, values.ctypes.data, values.nbytes)
        return int(self._library.pl_shim_push(stream, *values.shape))

    def _records(self, count: int) -> bytes:
        return ctypes.string_at(self._found, count)


class CoreMachine(Machine):
    """A bundle compiled for a microcontroller, on an emulated core; counts instructions and the deepest stack."""

    def __init__(self, folder: Path, name: str, pipeline: Pipeline, classes: int, core: str) -> None:
        super().__init__(pipeline, classes)
        with tempfile.TemporaryDirectory(prefix="pulselet-") as scratch:
            elf = _core_elf(folder, name, core, Path(scratch), SHIM_ENTRIES)
            self._core = Core(elf, core=core)
        self.stack_bytes = 0  # the deepest stack so far
        self._instructions = self._windows = 0

    @property
    def instructions_per_window(self) -> int:
        """Instructions from raw sample to class, averaged over the first windows of the last run; 0 without any."""
        return round(self._instructions / self._windows) if self._windows else 0

    def _call(self, function: str, *arguments: int) -> int:
        result = self._core.call(function, *arguments)
        self.stack_bytes = max(self.stack_bytes, self._core.stack_bytes)
        return result - (1 << 32) if result >> 31 else result

    def _init(self) -> None:
        self._instructions = self._windows = 0
        self._core.count(False)
        self._call("pl_shim_init")
        self._core.count(True)

    def _gap(self, stream: int, lost: int) -> int:
        return self._call("pl_shim_gap", stream, lost)

    def _push(self, stream: int, values: Samples) -> int:
        self._core.write(self._core.symbol("pl_shim_samples"), values.tobytes())
        found = self._call("pl_shim_push", stream, *values.shape)
        if self._windows < COUNTED_WINDOWS:
            self._instructions += self._core.instructions
            self._windows += max(0, found)
            self._core.count(self._windows < COUNTED_WINDOWS)
        return found

    def _records(self, count: int) -> bytes:
        return self._core.read(self._core.symbol("pl_shim_records"), count)


def footprint(folder: Path, name: str, core: str) -> tuple[int, int]:
    """Return flash and static RAM in bytes of an application that only calls the bundle."""
    with tempfile.TemporaryDirectory(prefix="pulselet-") as scratch:
        return toolchain.sizes(_core_elf(folder, name, core, Path(scratch), ["pl_footprint"], "PL_FOOTPRINT"))


def _core_elf(folder: Path, name: str, core: str, out: Path, entries: Sequence[str], *defines: str) -> Path:
    """Return the bundle behind its shim, linked for `core` in the folder `out`."""
    return toolchain.compile_core(
        [folder / f"{name}.c", SHIM],
        out / "bundle.elf",
        core=core,
        include=[folder, RUNTIME],
        defines=[*shim_defines(name), *defines],
        entries=entries,
    )


def selftest(folder: Path, name: str) -> None:
    """Build the bundle's self-test as its user will, and run it.

    Raises
    ------
    ExportError
        If it does not build, or does not pass.
    """
    with tempfile.TemporaryDirectory(prefix="pulselet-") as scratch:
        program = toolchain.compile_host(
            sorted(folder.glob("*.c")), Path(scratch) / "selftest", include=[folder], shared=False
        )
        status, output = toolchain.run([program])
    if status != 0:
        raise ExportError(f"the self-test of {folder} fails with status {status}: {output.strip()}")


def shim_defines(name: str) -> list[str]:
    """Return what tells the shim which bundle it stands before."""
    return [f'PL_HEADER="{name}.h"', f"PL_NAME={name}"]
