from __future__ import annotations

import numpy as np

from pulselet.signal.filters import BandPass, Derivative, HighPass, LowPass, Notch
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import baseline_wander, ecg
from stage_cases import Case

ACC = Format(50.0, 3, "g")
ECG = Format(250.0, 1, "mV")


def heart(source: Format, rows: int, seed: int) -> Samples:
    """Return an ECG on a wandering baseline and an electrode's offset."""
    assert source.rate_hz is not None
    seconds = rows / source.rate_hz + 1
    x = ecg(seconds, rate_hz=source.rate_hz, seed=seed).values_mv[:rows] + 3.0
    x += baseline_wander(seconds, rate_hz=source.rate_hz, seed=seed)[:rows]
    return np.repeat(x[:, None], source.width, axis=1).astype(np.float32)


CASES = [
    Case(LowPass(10.0), ACC, probe_hz=1.0),
    Case(LowPass(3.0, order=5), ACC, probe_hz=0.5),
    Case(HighPass(0.5), ACC, probe_hz=10.0),
    Case(BandPass(5.0, 15.0), ECG, heart),
    Case(BandPass(0.5, 8.0, order=4), ACC),
    Case(Notch(50.0), ECG, heart, probe_hz=5.0),
    Case(Notch(15.0, quality=4.0, harmonics=1), ACC, probe_hz=2.0),
    Case(Notch(60.0, harmonics=2), Format(360.0, 2, "mV"), probe_hz=5.0),
    Case(Derivative(), ECG, heart),
    Case(Derivative("least-squares", points=9), ACC),
    Case(Derivative("difference"), ACC),
]
