from __future__ import annotations

from pulselet.signal.scaling import Rectify, Scale, Standardize, WindowScale
from pulselet.signal.stage import Format
from stage_cases import Case
from stage_cases.filters import ACC

WINDOWS = Format(1.0, 3, "g", length=25)

CASES = [
    Case(Scale((0.5, 2.0, 3.0), (1.0,)), ACC, probe_hz=1.0),
    Case(Scale(2.0), WINDOWS, rows=30),
    Case(Standardize((0.1, 0.2, 0.3), (1.0, 2.0, 3.0)), ACC, probe_hz=1.0),
    Case(Standardize(0.1, 3.0), WINDOWS, rows=30),
    Case(Rectify(), ACC),
    Case(WindowScale(0.01), WINDOWS, rows=30),
    Case(WindowScale(0.01, together=True), WINDOWS, rows=30),
]
