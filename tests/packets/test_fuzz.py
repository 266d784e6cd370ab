"""Whatever the bytes, only our error comes out of a parser: random bytes, and a guided search where it is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulselet.errors import PacketError

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("parsers", HERE / "parsers.py")
assert spec is not None
assert spec.loader is not None
parsers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(parsers)


@pytest.mark.parametrize("name", parsers.PARSERS)
@settings(max_examples=200)
@given(data=st.binary(max_size=120))
def test_random_bytes_lead_to_a_value_or_to_our_error(name: str, data: bytes) -> None:
    with contextlib.suppress(PacketError):
        parsers.PARSERS[name](data)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed: pulselet[fuzz]")
def test_a_guided_search_finds_nothing_else(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(HERE.parents[1] / "benchmarks" / "fuzz.py"),
        "-max_total_time=60",
        "-max_len=300",
        "-seed=1",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
