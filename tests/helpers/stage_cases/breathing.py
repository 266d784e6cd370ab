from __future__ import annotations

import numpy as np

from pulselet.signal.breathing import BreathingRate
from pulselet.signal.modulations import RespiratoryModulations
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import ecg, ppg
from stage_cases import Case

SERIES = ("baseline", "amplitude", "interval", "covered")


def windows(source: Format, rows: int, seed: int) -> Samples:
    """Return windows every 2 s of series at 4 Hz in which a breath of 15/min stands out, most of it with beats."""
    rng = np.random.default_rng(seed)
    count = 8 * (rows - 1) + source.length
    t = np.arange(count) / 4
    series = rng.standard_normal((count, source.channels)) + np.sin(2 * np.pi * 0.25 * t)[:, None]
    series += 100 * np.arange(source.channels)
    if source.names == SERIES:
        series[:, -1] = t % 50 > 5
    view = np.lib.stride_tricks.sliding_window_view(series, source.length, axis=0)[::8]
    return view.transpose(0, 2, 1).reshape(rows, source.width).astype(np.float32)


def pulses(source: Format, rows: int, seed: int) -> Samples:
    """Return pulses of a heart at 80/min that fail for a while."""
    assert source.rate_hz is not None
    made = ppg(rows / source.rate_hz, rate_hz=source.rate_hz, seed=seed, heart_rate_bpm=80)
    made.values[int(0.5 * rows) : int(0.6 * rows)] = 0.5
    return made.values[:rows, None].astype(np.float32)


def heart(source: Format, rows: int, seed: int) -> Samples:
    """Return the ECG of a heart at 80/min, whose electrode falls off for a while."""
    assert source.rate_hz is not None
    made = ecg(rows / source.rate_hz, rate_hz=source.rate_hz, seed=seed, heart_rate_bpm=80)
    made.values_mv[int(0.5 * rows) : int(0.6 * rows)] = 0.5
    return made.values_mv[:rows, None].astype(np.float32)


CASES = [
    Case(RespiratoryModulations("ecg"), Format(125.0, 1, "mV"), heart, rows=2500),
    Case(RespiratoryModulations("ppg"), Format(50.0, 1), pulses, rows=1400),
    Case(RespiratoryModulations("ppg", rows_hz=5.0), Format(64.3, 1, "V"), pulses, rows=1400),
    Case(BreathingRate(), Format(0.5, 4, names=SERIES, length=128, clock_hz=4.0), windows, rows=20),
    Case(BreathingRate((1.0,)), Format(0.25, 1, "ohm", length=128, clock_hz=4.0), windows, rows=12),
    Case(BreathingRate((1.0, 0.0), highest_per_min=60.0), Format(1 / 30, 2, length=64, clock_hz=5.0), windows, rows=12),
]
