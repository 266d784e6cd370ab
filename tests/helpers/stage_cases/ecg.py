from __future__ import annotations

import numpy as np

from pulselet.signal.ecg_beats import Beats, Columns
from pulselet.signal.ecg_quality import EcgQuality
from pulselet.signal.ecg_rhythm import Rhythm
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import ecg, rr_intervals, white_noise
from stage_cases import Case, noise

ECG = Format(250.0, 1, "mV")

BEATS = Format(None, 4, names=("since", "valid", "lag", "amplitude"), clock_hz=250.0)
PULSES = Format(None, 5, names=("since", "valid", "lag", "amplitude", "foot"), clock_hz=64.0)


def beats(source: Format, rows: int, seed: int) -> Samples:
    """Return beat events of a simulated heart, some early with a pause after them, some missed, some after a gap."""
    assert source.clock_hz is not None
    rng = np.random.default_rng(seed)
    rr = rr_intervals(rows * 2.0, seed=seed)[:rows].copy()
    for at in rng.integers(2, rows - 2, rows // 15):
        early = rng.uniform(0.4, 0.7) * rr[at]
        rr[at + 1] += rr[at] - early
        rr[at] = early
    rr[rng.integers(2, rows, rows // 40)] *= 2
    events = np.ones((rows, source.width))
    events[:, 0] = np.rint(rr * source.clock_hz)
    events[rng.integers(2, rows, rows // 40), 1] = 0
    events[:, 2] = 40
    events[:, 3] = rng.normal(1.2, 0.1, rows)
    return events.astype(np.float32)


def heart(source: Format, rows: int, seed: int) -> Samples:
    """Return an ECG whose noise comes and goes, and which is flat for a while."""
    assert source.rate_hz is not None
    seconds = rows / source.rate_hz + 1
    x = ecg(seconds, rate_hz=source.rate_hz, seed=seed, heart_rate_bpm=90.0).values_mv[:rows]
    x += (0.02 + 0.2 * (np.arange(rows) % 2000 > 1500)) * white_noise(seconds, rate_hz=source.rate_hz, seed=seed)[:rows]
    x[rows - rows // 8 :] = x[rows - rows // 8]
    return x.astype(np.float32)[:, None]


CASES = [
    Case(Rhythm(), BEATS, beats, rows=300),
    Case(Rhythm(widest=0.3), PULSES, beats, rows=200),
    Case(Beats(0.25, 0.45), ECG, heart, rows=1800),
    Case(Beats(0.2, 1.2, high_hz=20.0, every=5), Format(300.0, 1, "mV"), heart, rows=2000),
    Case(Columns(4, 3), Format(None, 8, names=tuple("abcdefgh"), clock_hz=250.0), noise),
    Case(Columns(0, 2), Format(50.0, 3, "g"), noise),
    Case(EcgQuality(), ECG, heart, rows=3000),
    Case(EcgQuality(6.0, 2.0, full_scale=1.4), Format(128.0, 1, "mV"), heart, rows=2000),
]
