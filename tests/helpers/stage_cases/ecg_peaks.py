from __future__ import annotations

import numpy as np

from pulselet.signal.ecg_peaks import RPeaks
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import ecg, noisy, white_noise
from stage_cases import Case


def heart(source: Format, rows: int, seed: int) -> Samples:
    """Return noisy ECG of a fast and uneven heart, with beats missing, so that search-back has work to do."""
    assert source.rate_hz is not None
    duration_s = rows / source.rate_hz
    intervals_s = np.random.default_rng(seed).choice([0.5, 0.55, 0.6, 1.2], round(duration_s / 0.5) + 8)
    x = ecg(duration_s, rate_hz=source.rate_hz, seed=seed, rr_s=intervals_s).values_mv
    weak = 1 - 0.7 * (np.arange(rows) // round(1.5 * source.rate_hz) % 3 == 2)
    x = noisy(x * weak, white_noise(duration_s, rate_hz=source.rate_hz, seed=seed), snr_db=12.0)
    return (x * (1000 if source.unit == "uV" else 1))[:rows, None].astype(np.float32)


CASES = [
    Case(RPeaks(), Format(125.0, 1, "mV"), signal=heart, rows=1500),
    Case(RPeaks(), Format(360.0, 1, "uV"), signal=heart, rows=3600),
]
