from __future__ import annotations

import numpy as np

from pulselet.signal.resampling import Even, Resample
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import rr_intervals
from stage_cases import Case
from stage_cases.filters import ACC, heart

BEATS = Format(None, 3, "", ("since", "rr_s", "valid"), clock_hz=250.0)
STEPS = Format(None, 2, clock_hz=32.0)


def beats(source: Format, rows: int, seed: int) -> Samples:
    """Return events with the intervals of a heart; some are missing, some not valid."""
    assert source.clock_hz is not None
    rng = np.random.default_rng(seed)
    rr_s = rr_intervals(2.0 * rows, seed=seed)[:rows]
    since = np.round(rr_s * source.clock_hz) * np.where(rng.random(rows) < 0.05, 20, 1)
    valid = (rng.random(rows) > 0.1) & (np.arange(rows) > 1)
    return np.stack([since, rr_s, valid], axis=1)[:, : source.channels].astype(np.float32)


CASES = [
    Case(Resample(250.0), Format(360.0, 1, "mV"), heart, probe_hz=5.0),
    Case(Resample(20.0), ACC, probe_hz=1.0),
    Case(Resample(12.5), ACC, probe_hz=1.0),
    Case(Resample(125.0, crossings=4), ACC, probe_hz=2.0),
    Case(Resample(64.0), Format(4.0, 1, "uS"), probe_hz=0.5),
    Case(Even(4.0, longest_gap_s=2.5), BEATS, beats, rows=120),
    Case(Even(4.0, longest_gap_s=2.5, columns=("since",)), BEATS, beats, rows=60),
    Case(Even(5.0, longest_gap_s=3.0), STEPS, beats, rows=60),
]
