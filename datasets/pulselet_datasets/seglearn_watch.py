"""Rehabilitation exercises of the shoulder, recorded with a wrist watch.

The recordings travel inside the `seglearn` wheel: ten people, both sides, seven exercises, 140 series at 50 Hz.
Source: Burns et al., "Shoulder physiotherapy exercise recognition", arXiv 1802.01489.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError, MissingExtraError

EXERCISES = ("PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW")
RATE_HZ = 50.0
ACCELERATION_LSB_G = 1 / 4096  # powers of two, so that LSBs scale to float32 exactly
ROTATION_LSB_RAD_S = 1 / 1024
SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"
SIDES = ("left", "right")  # as coded in the file: 0 and 1


@dataclass(frozen=True, eq=False)
class WatchSeries:
    """One exercise by one person on one side, as a watch with an int16 sensor would have sent it."""

    subject: int  # 1 to 10
    side: str  # "left" or "right"
    exercise: str  # one of EXERCISES
    acceleration: NDArray[np.float32]  # (n, 3), g, multiples of ACCELERATION_LSB_G
    rotation: NDArray[np.float32]  # (n, 3), rad/s, multiples of ROTATION_LSB_RAD_S
    rate_hz: float = RATE_HZ


def series() -> list[WatchSeries]:
    """Return the 140 series in the order of the file.

    Raises
    ------
    MissingExtraError
        If `seglearn` is not installed.
    DatasetError
        If its data file is absent or is not the one whose checksum is known.
    """
    table = _load(_locate())
    columns = zip(table["X"], table["y"], table["subject"], table["side"], strict=True)
    return [
        WatchSeries(
            subject=int(subject),
            side=SIDES[int(side)],
            exercise=EXERCISES[int(exercise)],
            acceleration=as_sent(samples[:, :3], ACCELERATION_LSB_G),
            rotation=as_sent(samples[:, 3:], ROTATION_LSB_RAD_S),
        )
        for samples, exercise, subject, side in columns
    ]


def as_sent(values: NDArray[np.float64], lsb: float) -> NDArray[np.float32]:
    """Return `values` rounded to int16 steps of `lsb` (saturating) and scaled back.

    >>> as_sent(np.array([0.3, -99.0]), 1 / 4).tolist()
    [0.25, -99.0]
    """
    steps = np.clip(np.rint(values / lsb), -32768, 32767).astype(np.int16)
    return steps.astype(np.float32) * np.float32(lsb)


def _locate() -> Path:
    """Return where the data file is; `seglearn` itself is not imported (it would pull in scikit-learn)."""
    spec = importlib.util.find_spec("seglearn")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("seglearn", "demo")
    return Path(next(iter(spec.submodule_search_locations))) / "data" / "watch_dataset.npy"


def _load(path: Path) -> dict[str, Any]:
    """Return the table in the file at `path`, unpickled only after its checksum is known to be right."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error}; reinstall seglearn 1.2.5") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise DatasetError(f"{path} should have SHA-256 {SHA256}, has {digest}; install seglearn 1.2.5")
    table: dict[str, Any] = np.load(io.BytesIO(content), allow_pickle=True).item()
    return table
