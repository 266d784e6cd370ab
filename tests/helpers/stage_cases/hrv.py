from __future__ import annotations

import numpy as np

from pulselet.signal.heart_rate_variability import HeartRateVariability
from pulselet.signal.stage import Format, Samples
from pulselet.simulate.rhythm import rr_intervals
from stage_cases import Case


def beats(source: Format, rows: int, seed: int) -> Samples:
    """Return beats at 75/min, one in twenty of them early, and now and then one that follows a gap."""
    assert source.clock_hz is not None
    rng = np.random.default_rng(seed)
    rr_s = rr_intervals(rows, seed=seed, heart_rate_bpm=75)[:rows]
    early = np.flatnonzero(rng.random(rows - 1) < 0.05)
    rr_s[early] *= 0.6
    rr_s[early + 1] *= 1.3
    valid = rng.random(rows) > 0.02
    valid[0] = False
    x = rng.standard_normal((rows, source.channels))
    x[:, 0] = np.round(rr_s * source.clock_hz)
    x[:, 1] = valid
    if "normal" in source.names:
        x[:, source.names.index("normal")] = ~np.isin(np.arange(rows), [*early, *early + 1])
    return x.astype(np.float32)


PEAKS = Format(None, 4, names=("since", "valid", "lag", "amplitude"), clock_hz=250.0)
RHYTHM = Format(None, 3, names=("since", "valid", "normal"), clock_hz=360.0)

CASES = [
    Case(HeartRateVariability(window_s=60.0, hop_s=10.0, most_beats=80), PEAKS, beats, rows=160),
    Case(HeartRateVariability(most_beats=200, resampled_hz=2.0, tolerance=0.0), RHYTHM, beats, rows=500),
    Case(HeartRateVariability(window_s=20.0, hop_s=5.0, most_beats=40, frequency=False), PEAKS, beats, rows=120),
    Case(
        HeartRateVariability(window_s=30.0, hop_s=45.0, most_beats=60, entropy=False, resampled_hz=3.0),
        RHYTHM,
        beats,
        rows=200,
    ),
]
