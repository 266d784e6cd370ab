from __future__ import annotations

from pulselet.signal.stage import Format
from pulselet.signal.vectors import Calibrate, Magnitude, Tilt
from stage_cases import Case
from stage_cases.filters import ACC

CASES = [
    Case(Calibrate(0.002, offset=(1.0, 2.0, 3.0), axes=("-y", "x", "z"), unit="g"), Format(50.0, 3, "LSB")),
    Case(Calibrate(((1.0, 0.01, 0.0), (0.0, 0.98, -0.02), (0.03, 0.0, 1.1))), ACC, probe_hz=1.0),
    Case(Calibrate((2.0, 3.0)), Format(50.0, 2, "mV"), probe_hz=1.0),
    Case(Magnitude(), ACC),
    Case(Tilt(), ACC),
]
