"""The C compiler that comes from pip: clang in the `ziglang` wheel, for this computer and for microcontrollers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pulselet._extras import require
from pulselet.errors import ExportError

ARITHMETIC = ("-std=c99", "-ffp-contract=off")  # without these, C is not bit for bit what Python is
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
LINKER_SCRIPT = Path(__file__).parent / "c" / "core.ld"
RAM_BASE = 0x20000000
TIMEOUT_S = 600  # the very first build for a target also builds the compiler's own library


@dataclass(frozen=True)
class Target:
    """What the compiler calls a core."""

    triple: str
    cpu: str


TARGETS = {
    "cortex-m0plus": Target("thumb-freestanding-eabi", "cortex_m0plus"),
    "cortex-m3": Target("thumb-freestanding-eabi", "cortex_m3"),
    "cortex-m4f": Target("thumb-freestanding-eabihf", "cortex_m4+vfp4d16sp"),
}


def compile_host(
    sources: Sequence[Path],
    out: Path,
    *,
    include: Sequence[Path],
    defines: Sequence[str] = (),
    shared: bool = True,
    command: Sequence[str] | None = None,
    optimise: str = "-O2",
) -> Path:
    """Return `out`, a library or program for this computer, built by `command` (the pip compiler, if none is named).

    Raises
    ------
    ExportError
        With the compiler's words, if it does not build.
    """
    kind = ["-shared", "-fPIC"] if shared else []
    return _compile([optimise, *kind, "-lm"], sources, out, include, defines, command)


def compile_core(
    sources: Sequence[Path],
    out: Path,
    *,
    core: str,
    include: Sequence[Path],
    entries: Sequence[str],
    defines: Sequence[str] = (),
    optimise: str = "-O2",
) -> Path:
    """Return `out`, an ELF file for `core` that holds the functions `entries` and what they need.

    Raises
    ------
    ExportError
        If the core is unknown, or with the compiler's words, if it does not build.
    """
    target = target_of(core)
    flags = [optimise, "-target", target.triple, f"-mcpu={target.cpu}", "-ffunction-sections", "-fdata-sections"]
    flags += ["-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-sanitize=all", "-fno-stack-protector"]
    flags += ["-fomit-frame-pointer"]
    flags += [f"-Wl,-T,{LINKER_SCRIPT}", f"-Wl,-e,{entries[0]}", "-Wl,--gc-sections"]
    flags += [f"-Wl,-u,{entry}" for entry in entries]
    return _compile(flags, sources, out, include, defines)


def target_of(core: str) -> Target:
    """Return how to compile for `core`; ExportError names the cores there are."""
    if core not in TARGETS:
        raise ExportError(f"unknown core {core!r}; there are {', '.join(sorted(TARGETS))}")
    return TARGETS[core]


def compiler() -> list[str]:
    """Return the command of the C compiler; MissingExtraError if it is not installed."""
    require("ziglang", "firmware")
    return [sys.executable, "-m", "ziglang", "cc"]


def _compile(
    flags: Sequence[str],
    sources: Sequence[Path],
    out: Path,
    include: Sequence[Path],
    defines: Sequence[str],
    compiled_by: Sequence[str] | None = None,
) -> Path:
    command = [*(compiled_by or compiler()), *ARITHMETIC, *WARNINGS, "-g0"]
    command += [f"-I{folder}" for folder in include] + [f"-D{define}" for define in defines]
    status, output = run([*command, *map(str, sources), *flags, "-o", str(out)])
    if status != 0:
        raise ExportError(f"the C does not build (status {status}): {output.strip()}")
    return out


def run(command: Sequence[str | Path]) -> tuple[int, str]:
    """Return exit status and all output of a program.

    Raises
    ------
    ExportError
        If it cannot be started, or does not end.
    """
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"{command[0]} does not run: {error}") from error
    return done.returncode, done.stdout + done.stderr


def sizes(elf: Path) -> tuple[int, int]:
    """Return bytes of flash (code, constants, initial values) and of static RAM that an ELF file takes."""
    elffile = require("elftools.elf.elffile", "firmware")
    flash = ram = 0
    with elf.open("rb") as stream:
        for section in elffile.ELFFile(stream).iter_sections():
            if not section["sh_flags"] & 2:  # SHF_ALLOC
                continue
            flash += 0 if section["sh_type"] == "SHT_NOBITS" else section["sh_size"]
            ram += section["sh_size"] if section["sh_addr"] >= RAM_BASE else 0
    return flash, ram
