from __future__ import annotations

import numpy as np

from pulselet.signal.stage import Format, Samples
from pulselet.signal.wrist_rate import PulseRate
from pulselet.simulate import acceleration, ppg
from stage_cases import Case

HZ = 16.0


def windows(source: Format, rows: int, seed: int) -> Samples:
    """Return windows of simulated pulse, with steps in it if there are channels of acceleration."""
    assert source.rate_hz is not None
    hop_s, rate_hz = 1 / source.rate_hz, HZ
    hop = round(hop_s * rate_hz)
    samples = source.length + hop * (rows - 1)
    duration_s = samples / rate_hz
    walk = acceleration(duration_s, rate_hz=rate_hz, seed=seed, activity="walking").values_g
    light = ppg(duration_s, rate_hz=rate_hz, seed=seed, heart_rate_bpm=75 + 10 * seed).values
    moving = source.channels > 3
    pulse = light[:, None] + (0.5 * walk[:, 2:] if moving else 0) + np.zeros((1, source.channels - 3 * moving))
    pulse[:, 1:] *= 0.7
    both = np.concatenate([pulse, walk], axis=1) if moving else pulse
    cut = [both[i * hop : i * hop + source.length].ravel() for i in range(rows)]
    return np.stack(cut).astype(np.float32)


def standing(source: Format, rows: int, seed: int) -> Samples:
    """Return the same, but from the fifth on every window stands still, the first channel in nothing but rounding."""
    found = windows(source, rows, seed).reshape(rows, source.length, -1)
    found[5:] = found[5, 0]
    found[5:, ::2, 0] *= np.float32(1 + 2**-20)
    return found.reshape(rows, -1)


CASES = [
    Case(PulseRate(HZ, 2, resolution_bpm=4.0), Format(0.5, 5, length=128), windows, rows=24),
    Case(PulseRate(HZ, low_bpm=30.0, high_bpm=330.0, resolution_bpm=4.0), Format(1.0, 1, length=72), windows, rows=24),
    Case(PulseRate(HZ, 2, resolution_bpm=8.0), Format(0.5, 2, length=64), standing, rows=44),
    Case(
        PulseRate(HZ, 1, 250.0, 400.0, resolution_bpm=4.0), Format(0.5, 4, length=64), windows, rows=10
    ),  # no harmonic
]
