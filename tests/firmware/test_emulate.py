"""The emulated core counts, measures the stack, and says where it faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulselet.errors import ExportError
from pulselet_firmware import toolchain
from pulselet_firmware.emulate import Core, thumb_instructions

PROGRAM = """
#include <stdint.h>
static volatile uint8_t deep[600];
static const int32_t table[50] = { 1, 2, 3 };
static int32_t start = 7;
int32_t add(int32_t a, int32_t b);
int32_t add(int32_t a, int32_t b) { return a + b; }
int32_t stack(void);
int32_t stack(void) { volatile uint8_t x[400]; for (int i = 0; i < 400; i++) x[i] = 1; return x[399]; }
int32_t fault(int32_t at);
int32_t fault(int32_t at) { return *(volatile int32_t *)(intptr_t)at + deep[0] + table[at & 31] + start++; }
"""
CORES = sorted(toolchain.TARGETS)


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("core")
    (folder / "program.c").write_text(PROGRAM)
    entries = ["add", "stack", "fault"]
    return toolchain.compile_core(
        [folder / "program.c"], folder / "p.elf", core="cortex-m3", include=[], entries=entries
    )


def test_a_function_of_two_instructions_counts_two(elf: Path) -> None:
    core = Core(elf, core="cortex-m3")
    core.count(True)
    assert core.call("add", 40, 2) == 42
    assert core.instructions == 2  # add r0, r1; bx lr
    core.count(False)
    core.call("add", 40, 2)
    assert core.instructions == 0


def test_the_deepest_stack_is_measured(elf: Path) -> None:
    core = Core(elf, core="cortex-m3")
    core.call("stack")
    assert 400 <= core.stack_bytes < 480
    core.call("add", 1, 2)
    assert core.stack_bytes == 0


def test_a_fault_says_where(elf: Path) -> None:
    with pytest.raises(ExportError, match="fault faults on the emulated core at 0x0800"):
        Core(elf, core="cortex-m3").call("fault", 0x40000000)


def test_sizes_are_code_and_constants_in_flash_and_variables_in_ram(elf: Path) -> None:
    flash, ram = toolchain.sizes(elf)
    assert 200 + 4 <= flash < 600
    assert 600 + 4 <= ram < 620


def test_what_is_not_there_is_named(elf: Path) -> None:
    with pytest.raises(ExportError, match="has no 'subtract'"):
        Core(elf, core="cortex-m3").call("subtract")
    with pytest.raises(ExportError, match="no emulator for the core 'z80'; there are cortex-m0plus"):
        Core(elf, core="z80")


def test_c_that_does_not_build_shows_the_compilers_words(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("int x = missing;\n")
    with pytest.raises(ExportError, match="missing"):
        toolchain.compile_host([tmp_path / "bad.c"], tmp_path / "bad.so", include=[])


@pytest.mark.parametrize(("code", "count"), [("7047", 1), ("00f000f8 7047", 2), ("f0b5 2de9f04f 00bf bde8f08f", 4)])
def test_instructions_of_two_and_four_bytes_are_told_apart(code: str, count: int) -> None:
    assert thumb_instructions(bytes.fromhex(code)) == count
