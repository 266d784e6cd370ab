"""Beats: where they are asked for, and as variable as asked for; the wave by McSharry's table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.signal import find_peaks, welch

from pulselet.errors import PulseletError
from pulselet.simulate import ecg, ppg, respiration, rr_intervals

RATE_HZ = 500.0
RR_S = [0.8, 0.95, 0.7, 1.1, 0.85, 0.6, 0.9, 1.0, 0.75, 0.8, 0.8]


def peaks_s(values: NDArray[np.float64], height: float, rate_hz: float = RATE_HZ) -> NDArray[np.float64]:
    """Return the times of peaks, to a part of a sample by a parabola."""
    at, _ = find_peaks(values, height=height, distance=round(0.25 * rate_hz))
    before, here, after = values[at - 1], values[at], values[at + 1]
    times: NDArray[np.float64] = (at + 0.5 * (before - after) / (before - 2 * here + after)) / rate_hz
    return times


def test_r_peaks_are_as_many_and_as_far_apart_as_the_intervals_given() -> None:
    found = ecg(9.0, rate_hz=RATE_HZ, seed=0, rr_s=RR_S)
    seen_s = peaks_s(found.values_mv, 0.8)
    wanted_s = 0.4 + np.concatenate([[0], np.cumsum(RR_S)])
    np.testing.assert_allclose(found.r_times_s, wanted_s[wanted_s < 9.0])
    np.testing.assert_allclose(seen_s, found.r_times_s, atol=0.001)
    np.testing.assert_allclose(np.diff(seen_s), RR_S[: len(seen_s) - 1], atol=0.001)


def test_r_peaks_are_where_the_drawn_intervals_put_them() -> None:
    found = ecg(300, rate_hz=RATE_HZ, seed=7, heart_rate_bpm=72)
    rr_s = rr_intervals(300, seed=7, heart_rate_bpm=72)
    seen_s = peaks_s(found.values_mv, 0.8)
    np.testing.assert_allclose(seen_s, found.r_times_s, atol=0.001)
    np.testing.assert_allclose(np.diff(found.r_times_s), rr_s[: len(seen_s) - 1], atol=1e-9)


@pytest.mark.parametrize("heart_rate_bpm", [40.0, 60.0, 100.0, 180.0])
def test_the_mean_rate_is_as_asked(heart_rate_bpm: float) -> None:
    rr_s = rr_intervals(1200, seed=3, heart_rate_bpm=heart_rate_bpm, lf_s=0.01, hf_s=0.01)
    assert 60 / rr_s.mean() == pytest.approx(heart_rate_bpm, rel=0.003)
    assert rr_s[:-1].sum() < 1200 <= rr_s.sum()


def test_the_spectrum_of_the_intervals_has_the_two_parts_asked_for() -> None:
    """Welch's method on the intervals, resampled evenly: an implementation that is not ours."""
    rr_s = rr_intervals(6000, seed=1, heart_rate_bpm=75, lf_s=0.03, hf_s=0.02, respiration_hz=0.3)
    even_s = np.arange(1, 5999, 0.25)
    hz, power = welch(np.interp(even_s, np.cumsum(rr_s) - rr_s, rr_s), 4, nperseg=1024)
    parts = [(hz > low) & (hz < high) for low, high in ((0.04, 0.15), (0.2, 0.4))]
    peaks_hz = [hz[part][power[part].argmax()] for part in parts]
    np.testing.assert_allclose(peaks_hz, [0.1, 0.3], atol=0.03)
    rms_s = [np.sqrt(power[part].sum() * hz[1]) for part in parts]
    np.testing.assert_allclose(rms_s, [0.03, 0.02], rtol=0.2)  # the straight lines take from the faster part
    assert rr_s.std() == pytest.approx(np.hypot(0.03, 0.02), rel=0.1)


def test_the_wave_is_that_of_the_papers_equations() -> None:
    """One beat of 1 s by scipy's integrator, from the three equations without the pull to the plane; scaled to R."""
    angles = np.pi * np.array([-1 / 3, -1 / 12, 0, 1 / 12, 1 / 2])
    strengths, widths = np.array([1.2, -5, 30, -7.5, 0.75]), np.array([0.25, 0.1, 0.1, 0.1, 0.4])

    def moved(t: float, z: NDArray[np.float64]) -> NDArray[np.float64]:
        away = (2 * np.pi * t - np.pi - angles + np.pi) % (2 * np.pi) - np.pi
        return np.array([-(strengths * away * np.exp(-0.5 * (away / widths) ** 2)).sum()])

    times_s = np.arange(500) / 500
    z = solve_ivp(moved, (0, 1), [0.0], t_eval=times_s, rtol=1e-8, atol=1e-10, max_step=0.01).y[0]
    ours = ecg(1.0, rate_hz=500, seed=0, rr_s=[1.0, 1.0], baseline_mv=0, r_mv=1.2).values_mv
    np.testing.assert_allclose(ours, 1.2 * (z - z[0]) / (30 * 0.1**2 / (2 * np.pi)), atol=0.003)


def test_a_lead_lies_within_the_papers_millivolts() -> None:
    values_mv = ecg(60, rate_hz=256, seed=2).values_mv
    assert -0.5 < values_mv.min() < -0.2
    assert 1.1 < values_mv.max() < 1.4


def test_breathing_moves_the_baseline() -> None:
    values_mv = ecg(600, rate_hz=50, seed=2, baseline_mv=0.3, respiration_hz=0.2, r_mv=0.1).values_mv
    hz, power = welch(values_mv, 50, nperseg=5000)
    assert hz[power.argmax()] == pytest.approx(0.2, abs=0.011)


def test_pulses_come_after_their_beats() -> None:
    heart = ecg(120, rate_hz=RATE_HZ, seed=5, heart_rate_bpm=66)
    pulse = ppg(120, rate_hz=RATE_HZ, seed=5, heart_rate_bpm=66)
    np.testing.assert_array_equal(pulse.r_times_s, heart.r_times_s)
    np.testing.assert_allclose(pulse.onset_times_s[:100], pulse.r_times_s[:100] + 0.2)
    crests_s = peaks_s(pulse.values, 0.8)
    troughs_s = peaks_s(-pulse.values, -0.35)
    assert abs(len(crests_s) - len(heart.r_times_s)) <= 1
    nearest = np.abs(troughs_s[:, None] - pulse.onset_times_s[None]).min(axis=1)
    assert np.median(nearest) < 0.06  # the lowest point is where a pulse begins


def test_a_crest_comes_where_the_table_puts_it() -> None:
    """The first Gaussian peaks (pi - 1.5161) / 2 pi of an interval after the onset; the second hardly shifts it."""
    found = ppg(8.0, rate_hz=RATE_HZ, seed=0, rr_s=[1.0] * 9, amplitude_part=0, baseline_part=0)
    crests_s = peaks_s(found.values, 0.8)
    np.testing.assert_allclose(found.onset_times_s, np.arange(8) + 0.7)
    after_s = (crests_s - 0.7) % 1
    np.testing.assert_allclose(after_s, (np.pi - 1.5161) / (2 * np.pi), atol=0.005)


def test_breathing_modulates_the_pulse() -> None:
    options: dict[str, Any] = {"rate_hz": 50.0, "seed": 4, "respiration_hz": 0.2, "lf_s": 0.0, "hf_s": 0.0}
    still = ppg(600, amplitude_part=0, baseline_part=0, **options).values
    chest = respiration(600, rate_hz=50, seed=4, respiration_hz=0.2)
    moved = ppg(600, amplitude_part=0.3, baseline_part=0.1, **options).values
    np.testing.assert_allclose(moved, (1 + 0.3 * chest) * still + 0.1 * chest)


def test_breaths_are_as_many_as_asked_for() -> None:
    chest = respiration(1200, rate_hz=10, seed=9, respiration_hz=0.25)
    assert np.abs(chest).max() <= 1
    assert len(find_peaks(chest, prominence=0.5)[0]) == pytest.approx(300, abs=2)


@pytest.mark.parametrize("transit_s", [0.0, 0.3, 2.0])
def test_a_fast_heart_and_a_slow_pulse_are_no_trouble(transit_s: float) -> None:
    found = ppg(10, rate_hz=100, seed=1, heart_rate_bpm=200, lf_s=0, hf_s=0, transit_s=transit_s)
    np.testing.assert_allclose(np.diff(found.onset_times_s), 0.3)
    assert len(found.onset_times_s) in (33, 34)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"heart_rate_bpm": 0}, "heart_rate_bpm above 0"),
        ({"heart_rate_bpm": 200, "lf_s": 0.05}, "can bring an interval of 0.300 s to nothing"),
        ({"lf_s": -0.1}, "ask for 0 s or more"),
        ({"rr_s": [1.0, 1.0]}, "that last 10 s or longer, got 2.0 s"),
        ({"rr_s": [10.0, -1.0, 10.0]}, "wanted intervals above 0 s"),
        ({"rate_hz": 0}, "rate_hz above 0"),
        ({"rate_hz": 0.01}, "hold no sample"),
    ],
)
def test_hearts_without_sense_are_refused(options: dict[str, Any], complaint: str) -> None:
    for make in (ecg, ppg):
        with pytest.raises(PulseletError, match=complaint):
            make(10, **{"rate_hz": 100.0, "seed": 0, **options})
