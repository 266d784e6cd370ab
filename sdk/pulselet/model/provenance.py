"""What made a figure: versions and command. No time stamp, so that the same command writes the same bytes."""

from __future__ import annotations

import hashlib
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet._version import __version__

TRAINERS = ("tensorflow", "keras", "tflite_micro")


def versions() -> dict[str, str]:
    """Return the versions of Python, NumPy and Pulselet, and of what trained or ran the net, if that is imported."""
    imported = {name: getattr(sys.modules[name], "__version__", "") for name in TRAINERS if name in sys.modules}
    found = {"python": platform.python_version(), "numpy": np.__version__, "pulselet": __version__}
    return found | {name: str(version) for name, version in imported.items() if version}


def command() -> str:
    """Return the command that runs; of a notebook, whose command says nothing and changes, "notebook"."""
    if "ipykernel" in sys.modules:
        return "notebook"
    words = [word if word else "''" for word in sys.orig_argv]
    return shlex.join(["python", *words[1:]]) if words and _is_python(words[0]) else shlex.join(words)


def digest(*arrays: NDArray[Any]) -> str:
    """Return the SHA-256 of arrays of numbers: their shapes, and their values as float64."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(repr(array.shape).encode())
        found.update(np.ascontiguousarray(array, "<f8").tobytes())
    return found.hexdigest()


def _is_python(word: str) -> bool:
    return Path(word).name.startswith("python")
