"""A Cortex-M without a board: functions of an ELF file, called on an emulated core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pulselet._extras import require
from pulselet.errors import ExportError

FLASH, FLASH_SIZE = 0x08000000, 1 << 20
RAM, RAM_SIZE = 0x20000000, 1 << 18
STACK_SIZE = 1 << 14
RETURN = FLASH + FLASH_SIZE - 16  # where a call comes back to: an address with no code
PAINT = 0xA5
MODELS = {
    "cortex-m0plus": "UC_CPU_ARM_CORTEX_M0",
    "cortex-m3": "UC_CPU_ARM_CORTEX_M3",
    "cortex-m4f": "UC_CPU_ARM_CORTEX_M4",
}


class Core:
    """Calls functions and counts their instructions; a conditional one that is skipped counts too.

    Parameters
    ----------
    elf
        A program linked by `toolchain.compile_core`.
    core
        A name in `MODELS`.

    Raises
    ------
    MissingExtraError
        If unicorn or pyelftools is not installed.
    ExportError
        If the core is unknown.
    """

    def __init__(self, elf: Path, *, core: str) -> None:
        if core not in MODELS:
            raise ExportError(f"no emulator for the core {core!r}; there are {', '.join(sorted(MODELS))}")
        self._unicorn = require("unicorn", "firmware")
        self._arm = require("unicorn.arm_const", "firmware")
        self._cpu: Any = self._unicorn.Uc(
            self._unicorn.UC_ARCH_ARM, self._unicorn.UC_MODE_THUMB | self._unicorn.UC_MODE_MCLASS
        )
        self._cpu.ctl_set_cpu_model(getattr(self._arm, MODELS[core]))
        self._cpu.mem_map(FLASH, FLASH_SIZE)
        self._cpu.mem_map(RAM, RAM_SIZE)
        self._symbols = self._load(elf)
        if core == "cortex-m4f":
            self._cpu.reg_write(self._arm.UC_ARM_REG_C1_C0_2, 0xF << 20)  # coprocessors 10 and 11: the FPU
            self._cpu.reg_write(self._arm.UC_ARM_REG_FPEXC, 1 << 30)
        self._blocks: dict[tuple[int, int], int] = {}
        self._hook: int | None = None
        self.instructions = 0  # of the last call, if counting was on
        self.stack_bytes = 0  # the deepest of the last call

    def _load(self, elf: Path) -> dict[str, int]:
        elffile = require("elftools.elf.elffile", "firmware")
        with elf.open("rb") as stream:
            file = elffile.ELFFile(stream)
            for segment in file.iter_segments("PT_LOAD"):
                if segment["p_filesz"]:
                    self._cpu.mem_write(segment["p_vaddr"], segment.data())
            return {symbol.name: symbol["st_value"] for symbol in file.get_section_by_name(".symtab").iter_symbols()}

    def symbol(self, name: str) -> int:
        """Return the address of a function or variable; ExportError if there is none of that name."""
        if name not in self._symbols:
            raise ExportError(f"the program has no {name!r}")
        return self._symbols[name] & ~1

    def read(self, address: int, count: int) -> bytes:
        """Return `count` bytes of memory."""
        return bytes(self._cpu.mem_read(address, count))

    def write(self, address: int, content: bytes) -> None:
        """Write bytes to memory."""
        self._cpu.mem_write(address, content)

    def call(self, name: str, *arguments: int) -> int:
        """Return what the function gives back in r0, for up to four integer arguments.

        Raises
        ------
        ExportError
            If the core faults: where, and why.
        """
        top = RAM + RAM_SIZE
        self.write(top - STACK_SIZE, bytes([PAINT]) * STACK_SIZE)
        for register, value in zip(("R0", "R1", "R2", "R3"), arguments, strict=False):
            self._cpu.reg_write(getattr(self._arm, f"UC_ARM_REG_{register}"), value & 0xFFFFFFFF)
        self._cpu.reg_write(self._arm.UC_ARM_REG_SP, top)
        self._cpu.reg_write(self._arm.UC_ARM_REG_LR, RETURN | 1)
        self.instructions = 0
        try:
            self._cpu.emu_start(self.symbol(name) | 1, RETURN)
        except self._unicorn.UcError as error:
            at = self._cpu.reg_read(self._arm.UC_ARM_REG_PC)
            raise ExportError(f"{name} faults on the emulated core at 0x{at:08x}: {error}") from error
        stack = self.read(top - STACK_SIZE, STACK_SIZE)
        self.stack_bytes = len(stack.lstrip(bytes([PAINT])))
        return int(self._cpu.reg_read(self._arm.UC_ARM_REG_R0))

    def count(self, on: bool) -> None:
        """Switch counting on or off; it makes calls some 20 times slower."""
        if on == (self._hook is not None):
            return
        if on:
            self._hook = self._cpu.hook_add(self._unicorn.UC_HOOK_BLOCK, self._count)
        else:
            self._cpu.hook_del(self._hook)
            self._hook = None
        self._cpu.ctl_flush_tb()

    def _count(self, cpu: Any, address: int, size: int, user: object) -> None:
        key = (address, size)
        if key not in self._blocks:
            self._blocks[key] = thumb_instructions(bytes(cpu.mem_read(address, size)))
        self.instructions += self._blocks[key]


def thumb_instructions(code: bytes) -> int:
    """Return how many instructions `code` holds.

    A halfword that begins with 0b11101, 0b11110 or 0b11111 is the first of two (Arm ARMv7-M manual, A5.1).

    >>> thumb_instructions(bytes.fromhex("7047 00f000f8 00bf"))
    3
    """
    count = at = 0
    while at < len(code):
        at += 4 if code[at + 1] >> 3 in (0b11101, 0b11110, 0b11111) else 2
        count += 1
    return count
