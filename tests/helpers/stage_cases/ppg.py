from __future__ import annotations

import numpy as np

from pulselet.signal.oxygen import NOT_CALIBRATED, OxygenSaturation, Perfusion
from pulselet.signal.ppg_pulses import Pulses
from pulselet.signal.ppg_quality import PpgQuality
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import motion_bursts, ppg
from stage_cases import Case


def pulses(source: Format, rows: int, seed: int) -> Samples:
    """Return a PPG with pulses at 75 a minute and a burst of motion now and then."""
    assert source.rate_hz is not None
    seconds = (rows + 1) / source.rate_hz
    clean = ppg(seconds, rate_hz=source.rate_hz, seed=seed, heart_rate_bpm=75.0).values
    moved = motion_bursts(seconds, rate_hz=source.rate_hz, seed=seed, rms=0.3, bursts_per_min=10.0)
    return (clean + moved)[:rows, None].astype(np.float32)


def fading(source: Format, rows: int, seed: int) -> Samples:
    """Return pulses that are suddenly three hundred times weaker, then four thousand, so that both are learnt anew."""
    x = pulses(source, rows, seed)
    third = rows // 3
    x[third : 2 * third] *= np.float32(3e-3)
    x[2 * third :] *= np.float32(2.5e-4)
    return x


def windows(channels: int, length: int) -> Format:
    return Format(0.5, channels, length=length, clock_hz=32.0)


def light(source: Format, rows: int, seed: int) -> Samples:
    """Return windows of light, 2 s apart at 32 Hz, in which systoles point down, of falling strength by channel."""
    samples = 64 * rows + source.length
    pulse = ppg(samples / 32 + 1, rate_hz=32.0, seed=seed).values[:samples, None]
    strength = 0.02 / (1 + np.arange(source.channels))
    x = 1e5 * (1 - strength * pulse) + np.random.default_rng(seed).normal(0, 50, (samples, source.channels))
    windows = np.array([x[64 * i : 64 * i + source.length] for i in range(rows)], np.float32)
    windows[rows // 2] = windows[rows // 2, 0]  # still, but for rounding
    windows[rows // 2, ::2] *= np.float32(1 + 2**-21)
    return windows.reshape(rows, -1)


CASES = [
    Case(Pulses(), Format(32.0, 1), pulses, rows=400),
    Case(Pulses(), Format(125.0, 1, "V"), pulses, rows=1200),
    Case(Pulses(), Format(25.0, 1), fading, rows=900),
    Case(PpgQuality(4.0, 1.0), Format(32.0, 1), pulses, rows=500),
    Case(PpgQuality(8.0, 2.0, rails=(-0.5, 2.5)), Format(64.0, 1), pulses, rows=1000),
    Case(Perfusion(), windows(1, 256), light, rows=20),
    Case(Perfusion(), windows(3, 70), light, rows=20),
    Case(OxygenSaturation((110.0, -25.0, 0.0), NOT_CALIBRATED), windows(2, 256), light, rows=20),
    Case(OxygenSaturation((104.0, -17.0, -2.5), "of a test"), windows(2, 96), light, rows=20),
]
