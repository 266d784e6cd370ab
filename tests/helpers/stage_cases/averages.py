from __future__ import annotations

from pulselet.signal.averages import MovingAverage, MovingMedian, RemoveDrift
from pulselet.signal.stage import Format
from stage_cases import Case
from stage_cases.filters import ACC, ECG, heart

CASES = [
    Case(MovingAverage(0.1), ECG, heart, probe_hz=1.0),
    Case(MovingAverage(1.28), ACC, probe_hz=0.1),
    Case(MovingAverage(0.04), ACC, probe_hz=1.0),
    Case(MovingMedian(0.2), ECG, heart, probe_hz=0.5),
    Case(MovingMedian(0.06), ACC, probe_hz=1.0),
    Case(MovingMedian(2.0), Format(25.0, 2, "g"), probe_hz=0.05),
    Case(RemoveDrift(0.05), Format(500.0, 2, "mV"), heart, probe_hz=20.0),
    Case(RemoveDrift(0.1), ACC, probe_hz=5.0),
]
