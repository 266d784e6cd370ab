from __future__ import annotations

import numpy as np

from pulselet.signal.features import NAMES, TIME, Features
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import acceleration
from stage_cases import Case, noise

WINDOWS = Format(1.0, 3, "g", names=("acc_x", "acc_y", "acc_z"), length=100)


def walking(source: Format, rows: int, seed: int) -> Samples:
    """Return windows of a walk at 50 Hz, one every second."""
    x = acceleration((rows + 2) * 1.0, rate_hz=50.0, seed=seed, activity="walking").values_g
    return np.stack([x[50 * i : 50 * i + source.length].ravel() for i in range(rows)]).astype(np.float32)


CASES = [
    Case(Features(NAMES, sample_hz=50.0, band_edges_hz=(0.3, 3.0, 6.0, 15.0)), WINDOWS, walking, rows=30),
    Case(Features(("std", "median", "mean_crossings", "correlation")), WINDOWS, walking, rows=30),
    Case(Features(TIME, sample_hz=4.0), Format(0.1, 1, "uS", length=41), noise, rows=60),
    Case(Features(("centroid_hz", "mean", "dominant_hz")), Format(0.5, 2, length=64, clock_hz=32.0), noise, rows=30),
    Case(Features(("correlation",)), Format(0.5, 2, length=2), noise, rows=30),
]
