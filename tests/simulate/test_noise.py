"""Noise: as strong, and of such a spectrum, as promised; and what a converter makes of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import periodogram

from pulselet.errors import PulseletError
from pulselet.simulate import baseline_wander, ecg, mains_hum, motion_bursts, noisy, quantized, white_noise

RATE_HZ = 250.0
KINDS: list[Callable[..., NDArray[np.float64]]] = [
    white_noise,
    baseline_wander,
    lambda *a, **k: mains_hum(*a, mains_hz=50.0, **k),
    motion_bursts,
]


def part_within(values: NDArray[np.float64], low_hz: float, high_hz: float) -> float:
    """Return the part of the power that is within a band."""
    hz, power = periodogram(values, RATE_HZ, window="hann")
    return float(power[(hz >= low_hz) & (hz <= high_hz)].sum() / power.sum())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_noise_is_as_strong_as_asked_over_a_long_time(kind: Callable[..., NDArray[np.float64]], seed: int) -> None:
    values = kind(7200, rate_hz=RATE_HZ, seed=seed, rms=0.3)
    assert len(values) == 7200 * RATE_HZ
    assert np.sqrt(np.mean(values**2)) == pytest.approx(0.3, rel=0.15)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("snr_db", [-6.0, 0.0, 20.0])
def test_a_signal_to_noise_ratio_is_as_asked(kind: Callable[..., NDArray[np.float64]], snr_db: float) -> None:
    signal = ecg(60, rate_hz=RATE_HZ, seed=1).values_mv
    added = noisy(signal, kind(60, rate_hz=RATE_HZ, seed=2), snr_db=snr_db) - signal
    assert 10 * np.log10(signal.var() / added.var()) == pytest.approx(snr_db)


def test_white_noise_is_flat() -> None:
    values = white_noise(1000, rate_hz=RATE_HZ, seed=1)
    for low_hz in (0, 25, 50, 75, 100):
        assert part_within(values, low_hz, low_hz + 25) == pytest.approx(0.2, rel=0.05)


def test_a_wandering_baseline_keeps_within_its_band() -> None:
    assert part_within(baseline_wander(2000, rate_hz=RATE_HZ, seed=1), 0.045, 0.505) > 0.999


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_is_at_the_mains_and_its_third_harmonic(mains_hz: float) -> None:
    values = mains_hum(100, rate_hz=RATE_HZ * 2, seed=1, mains_hz=mains_hz)
    hz, power = periodogram(values, RATE_HZ * 2)
    first, third = (power[np.abs(hz - at) < 0.5].sum() for at in (mains_hz, 3 * mains_hz))
    assert hz[power.argmax()] == mains_hz
    assert third / first == pytest.approx(0.2**2, rel=0.01)
    assert first + third == pytest.approx(power.sum(), rel=1e-4)


def test_a_harmonic_that_the_rate_cannot_hold_is_left_out() -> None:
    values = mains_hum(100, rate_hz=RATE_HZ, seed=1, mains_hz=50.0)
    assert part_within(values, 49.5, 50.5) == pytest.approx(1)


def test_bursts_leave_silence_between_them() -> None:
    values = motion_bursts(3600, rate_hz=RATE_HZ, seed=3, bursts_per_min=6, burst_s=2)
    moving = values != 0
    assert moving.mean() == pytest.approx(6 * 2 / 60, rel=0.15)
    starts = np.flatnonzero(np.diff(moving.astype(int)) == 1)
    ends = np.flatnonzero(np.diff(moving.astype(int)) == -1)
    lengths_s = (ends[: len(starts)] - starts[: len(ends)]) / RATE_HZ
    assert np.median(lengths_s) == pytest.approx(2, abs=0.02)
    assert part_within(values, 0, 9) > 0.99


@pytest.mark.parametrize(("bits", "lowest", "highest"), [(16, -32_768, 32_767), (24, -8_388_608, 8_388_607)])
def test_a_converter_rounds_and_saturates(bits: Any, lowest: int, highest: int) -> None:
    values = np.array([0.0, 0.1, 0.13, -0.13, 1e9, -1e9])
    found = quantized(values, lsb=0.25, bits=bits)
    assert found.dtype == np.int32
    assert found.tolist() == [0, 0, 1, -1, highest, lowest]


def test_quantising_errs_by_half_a_step_at_the_most() -> None:
    values = ecg(10, rate_hz=RATE_HZ, seed=1).values_mv
    steps = quantized(values, lsb=0.001, bits=16)
    assert 0.0004 < np.abs(steps * 0.001 - values).max() <= 0.0005 + 1e-12


@pytest.mark.parametrize(
    ("values", "lsb", "bits"), [([1.0], 0.0, 16), ([1.0], 1.0, 12), ([np.nan], 1.0, 24), ([1.0], np.nan, 16)]
)
def test_what_has_no_integer_is_refused(values: list[float], lsb: float, bits: Any) -> None:
    with pytest.raises(PulseletError, match=r"wanted a step|not numbers"):
        quantized(values, lsb=lsb, bits=bits)


def test_noise_without_sense_is_refused() -> None:
    with pytest.raises(PulseletError, match=r"wants more than 120\.0 samples per second, got 100"):
        mains_hum(1, rate_hz=100, seed=0, mains_hz=60.0)
    with pytest.raises(PulseletError, match="leave no silence"):
        motion_bursts(1, rate_hz=100, seed=0, bursts_per_min=30, burst_s=2)
    with pytest.raises(PulseletError, match=r"one shape, got \(3,\) and \(2,\)"):
        noisy(np.arange(3.0), np.arange(2.0), snr_db=0)
    with pytest.raises(PulseletError, match="that vary"):
        noisy(np.arange(3.0), np.ones(3), snr_db=0)
