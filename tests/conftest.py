"""One run of the demo, as a newcomer runs it, for all tests that want its results."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class DemoRun:
    """Where it ran, what it said, and its figures."""

    folder: Path
    stderr: str
    figures: dict[str, Any]


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """Return a demo with a short training; it fails with what the command said."""
    folder = tmp_path_factory.mktemp("newcomer")
    command = [sys.executable, "-m", "pulselet", "demo", "--json", "--epochs", "2"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return DemoRun(folder, done.stderr, json.loads(done.stdout))
