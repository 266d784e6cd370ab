"""Each header of the runtime stands alone, links twice, and uses nothing that a bare core lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pulselet_firmware import toolchain
from pulselet_firmware.kernels import runtime_files
from pulselet_firmware.program import RUNTIME

HEADERS = sorted(file.name for file in RUNTIME.glob("pl_*.h"))


def test_every_header_stands_alone_and_links_from_two_files(tmp_path: Path) -> None:
    files = []
    for header in HEADERS:
        files.append(tmp_path / f"{header[:-2]}.c")
        files[-1].write_text(f'#include "{header}"\n#include "{header}"\n')
    both = "".join(f'#include "{header}"\n' for header in HEADERS)
    for name in ("one", "two"):
        files.append(tmp_path / f"{name}.c")
        files[-1].write_text(f"{both}int {name}(void);\nint {name}(void) {{ return 0; }}\n")
    toolchain.compile_host(files, tmp_path / "all.so", include=[RUNTIME])


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_uses_no_malloc_no_doubles_no_libm_and_no_variables_of_its_own(header: str) -> None:
    code = re.sub(r"/\*.*?\*/", "", (RUNTIME / header).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"\b(malloc|calloc|free|double|printf|expf|logf|sinf|cosf|powf|fabsf)\b", code)
    assert set(re.findall(r"#include (.+)", code)) <= {f'"{name}"' for name in HEADERS} | {"<stdint.h>", "<arm_acle.h>"}
    for declared in re.findall(r"^static (?!inline|const|__attribute__|void|int|uint|float)(.*)$", code, re.MULTILINE):
        pytest.fail(f"{header}: {declared}")
    assert not re.search(r"^static [\w ]+\[", re.sub(r"^static const .*$", "", code, flags=re.MULTILINE), re.MULTILINE)
    assert not re.search(r"\b\d+\.\d*(?:e[-+]?\d+)?(?![\d.fe])", code), "a literal without f is a double"


def test_a_header_brings_those_that_it_includes() -> None:
    files = runtime_files(["pl_smoothing.h"])
    assert {"pl_smoothing.h", "pl_decide.h", "pl_stage.h", "pl_types.h"} <= set(files)
