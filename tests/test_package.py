"""The package as a whole: what importing it costs, and what it promises by name."""

from __future__ import annotations

import subprocess
import sys

import pulselet

HEAVY = ["tensorflow", "keras", "bumble", "bleak", "scipy.signal", "matplotlib", "unicorn", "tflite_micro"]


def test_importing_pulselet_imports_none_of_the_heavy_packages() -> None:
    code = f"import sys, pulselet; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_every_public_name_resolves() -> None:
    for name in pulselet.__all__:
        assert getattr(pulselet, name) is not None


def test_the_rooms_that_others_rely_on_need_no_import_of_their_own() -> None:
    code = "import pulselet; print(pulselet.packets.decode('2A37', bytes.fromhex('003c')).bpm)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "60"


def test_the_command_line_prints_the_version() -> None:
    out = subprocess.check_output([sys.executable, "-m", "pulselet", "--version"], text=True)
    assert out.strip() == f"pulselet {pulselet.__version__}"
