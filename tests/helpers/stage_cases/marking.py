from __future__ import annotations

import numpy as np

from pulselet.signal.marking import MarkFlat, MarkSaturation
from pulselet.signal.stage import Format, Samples
from stage_cases import Case, noise
from stage_cases.filters import ACC, ECG, heart


def stuck(source: Format, rows: int, seed: int) -> Samples:
    """Return noise that stands still for a while, here and there."""
    x = noise(source, rows, seed)
    holds = np.arange(rows) // 60 % 3 == 1
    x[holds] = x[np.arange(rows) // 60 * 60][holds]
    return x


CASES = [
    Case(MarkSaturation(-1.0, 4.5), ECG, heart),
    Case(MarkSaturation(-1.0, 2.0, alone=True), ACC),
    Case(MarkFlat(0.5, 0.0), ACC, stuck),
    Case(MarkFlat(0.2, 0.5, alone=True), ECG, stuck),
]
