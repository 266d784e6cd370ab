"""One file of C as a program: on this computer, or on an emulated core."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from pulselet_firmware import toolchain
from pulselet_firmware.emulate import Core

RUNTIME = Path(__file__).parent / "c"


class Program(ABC):
    """Functions to call, and memory to write and read, by their names in C."""

    @abstractmethod
    def call(self, function: str, *arguments: int) -> int:
        """Return what a function gives back for integer arguments."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Write bytes to the beginning of a variable."""

    @abstractmethod
    def read(self, name: str, count: int) -> bytes:
        """Return the first bytes of a variable."""


class HostProgram(Program):
    """Compiled for this computer, by the pip compiler or by one that is named.

    Raises
    ------
    ExportError
        If it does not build.
    """

    def __init__(self, text: str, *, compiler: Sequence[str] | None = None, optimise: str = "-O2") -> None:
        scratch = tempfile.mkdtemp(prefix="pulselet-")
        weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        file = Path(scratch) / "program.c"
        file.write_text(text, encoding="utf-8")
        library = toolchain.compile_host(
            [file], Path(scratch) / "program.so", include=[RUNTIME], command=compiler, optimise=optimise
        )
        self._library = ctypes.CDLL(str(library))

    def call(self, function: str, *arguments: int) -> int:
        return int(self._library[function](*(ctypes.c_int32(one) for one in arguments)))

    def write(self, name: str, content: bytes) -> None:
        ctypes.memmove(self._address(name), content, len(content))

    def read(self, name: str, count: int) -> bytes:
        return ctypes.string_at(self._address(name), count)

    def _address(self, name: str) -> int:
        return ctypes.addressof(ctypes.c_char.in_dll(self._library, name))


class CoreProgram(Program):
    """Compiled for a microcontroller, on an emulated core; counts instructions and the deepest stack.

    Raises
    ------
    ExportError
        If the core is unknown, or the C does not build.
    """

    def __init__(self, text: str, entries: Sequence[str], core: str, *, optimise: str = "-O2") -> None:
        with tempfile.TemporaryDirectory(prefix="pulselet-") as scratch:
            file = Path(scratch) / "program.c"
            file.write_text(text, encoding="utf-8")
            elf = toolchain.compile_core(
                [file],
                Path(scratch) / "program.elf",
                core=core,
                include=[RUNTIME],
                entries=entries,
                optimise=optimise,
            )
            self._core = Core(elf, core=core)
        self.instructions = 0
        """Instructions so far, since counting was switched on."""
        self.stack_bytes = 0
        """The deepest stack so far."""

    def count(self, on: bool) -> None:
        """Switch counting on or off; it makes the core some 20 times slower."""
        self._core.count(on)

    def call(self, function: str, *arguments: int) -> int:
        result = self._core.call(function, *arguments)
        self.instructions += self._core.instructions
        self.stack_bytes = max(self.stack_bytes, self._core.stack_bytes)
        return result - (1 << 32) if result >> 31 else result

    def write(self, name: str, content: bytes) -> None:
        self._core.write(self._core.symbol(name), content)

    def read(self, name: str, count: int) -> bytes:
        return self._core.read(self._core.symbol(name), count)
