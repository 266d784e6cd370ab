from __future__ import annotations

import csv
import gzip
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.filters import BandPass
from pulselet.signal.ppg_pulses import Pulses, pulse_peaks
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import ppg, white_noise

RATE_HZ = 125.0
SETTLED_S = 3.0


def events(x: NDArray[np.floating], rate_hz: float = RATE_HZ) -> Samples:
    kernel = Pulses().design(Format(rate_hz, 1))
    return kernel.step(kernel.start(), x.astype(np.float32)[:, None])[0]


def drawn(onsets_s: NDArray[np.float64], heights: NDArray[np.float64], diastolic: float, seconds: float) -> Samples:
    """Return pulses by hand: a systolic bell at each time, a diastolic one 0.33 s later, breathing and some noise."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    x = 0.15 * np.sin(2 * np.pi * 0.25 * t) + white_noise(seconds, rate_hz=RATE_HZ, seed=0, rms=0.01)[: len(t)]
    for onset_s, height in zip(onsets_s, heights, strict=True):
        x += height * np.exp(-0.5 * ((t - onset_s) / 0.08) ** 2)
        x += height * diastolic * np.exp(-0.5 * ((t - onset_s - 0.33) / 0.1) ** 2)
    return x.astype(np.float32)


def found_and_false(peaks: NDArray[np.int64], true_s: NDArray[np.float64], seconds: float) -> tuple[int, int, int]:
    """Return beats found within 150 ms, missed and false, once settled."""
    true_s = true_s[(true_s > SETTLED_S) & (true_s < seconds - 1)]
    times_s = peaks / RATE_HZ
    times_s = times_s[(times_s > SETTLED_S - 0.15) & (times_s < seconds - 0.85)]
    hits = int((np.abs(true_s[:, None] - times_s).min(axis=1) <= 0.15).sum())
    return hits, len(true_s) - hits, len(times_s) - hits


@pytest.mark.parametrize("rate_hz", [25.0, 64.0, 125.0, 250.0])
@pytest.mark.parametrize("heart_rate_bpm", [45.0, 75.0, 150.0])
def test_every_simulated_pulse_is_found_at_its_highest_sample_or_next_to_it(
    rate_hz: float, heart_rate_bpm: float
) -> None:
    true = ppg(60.0, rate_hz=rate_hz, seed=1, heart_rate_bpm=heart_rate_bpm, lf_s=0.005, hf_s=0.01)
    onsets = np.round(true.onset_times_s * rate_hz).astype(int)
    peaks = np.array([a + np.argmax(true.values[a:b]) for a, b in pairwise(onsets)])
    peaks = peaks[(peaks > SETTLED_S * rate_hz) & (peaks < 58 * rate_hz)]
    found = pulse_peaks(true.values, rate_hz=rate_hz)
    inside = found[(found > peaks[0] - 3) & (found < peaks[-1] + 3)]
    assert len(inside) == len(peaks)
    assert np.abs(inside - peaks).max() <= max(1, 0.012 * rate_hz)


def test_intervals_are_those_of_the_simulated_heart() -> None:
    true = ppg(120.0, rate_hz=RATE_HZ, seed=2, heart_rate_bpm=65.0)
    rows = events(true.values)
    rr_s = np.diff(true.r_times_s)[-len(rows) :][5:-2]
    since_s = rows[:, 0] / RATE_HZ
    errors = [np.abs(since_s[5 + shift : 5 + shift + len(rr_s)] - rr_s).max() for shift in (-2, -1, 0, 1, 2)]
    assert min(errors) < 0.05
    assert rows[0, 1] == 0
    assert (rows[1:, 1] == 1).all()


def test_foot_and_height_of_a_straight_rise_are_the_ones_it_was_drawn_with() -> None:
    """A rise of 0.2 s and a fall of 0.7 s, so that the tangent meets the foot's level 0.2 s before the peak.

    The low-pass takes a tenth off so sharp a corner.
    """
    knots = np.arange(0, 20, 0.9)
    t = np.arange(round(19 * RATE_HZ)) / RATE_HZ
    x = np.interp(t, np.sort(np.concatenate([knots, knots + 0.2])), [0.0, 1.0] * len(knots))
    rows = events(x)[2:-1]
    assert rows[:, 3] == pytest.approx(0.9, abs=0.1)
    assert rows[:, 4] / RATE_HZ == pytest.approx(0.2, abs=0.03)
    assert rows[:, 0] / RATE_HZ == pytest.approx(0.9, abs=1.5 / RATE_HZ)


@pytest.mark.parametrize("diastolic", [0.15, 0.3, 0.45])
def test_a_diastolic_wave_is_no_pulse(diastolic: float) -> None:
    onsets_s = np.arange(0.5, 60, 0.95)
    x = drawn(onsets_s, np.ones(len(onsets_s)), diastolic, 60.0)
    assert found_and_false(pulse_peaks(x, rate_hz=RATE_HZ), onsets_s, 60.0)[1:] == (0, 0)


def test_irregular_rhythms_keep_their_pulses() -> None:
    """Simulated by hand: atrial fibrillation, with pulses that are weaker the earlier they come (seed 4)."""
    rng = np.random.default_rng(4)
    intervals_s = 0.85 * np.clip(rng.normal(1, 0.22, 140), 0.55, 1.7)
    onsets_s = 0.5 + np.cumsum(intervals_s)
    heights = np.clip(1 - 1.2 * (1 - intervals_s / 0.85), 0.4, 1.2)
    x = drawn(onsets_s[onsets_s < 90], heights[onsets_s < 90], 0.25, 90.0)
    hits, missed, false = found_and_false(pulse_peaks(x, rate_hz=RATE_HZ), onsets_s[onsets_s < 90], 90.0)
    assert hits > 80
    assert missed <= 2
    assert false <= 1


def test_a_rhythm_of_strong_and_weak_pulses_is_not_halved() -> None:
    onsets_s = 0.5 + np.cumsum(np.tile([0.62, 1.1], 35))
    x = drawn(onsets_s, np.tile([1.0, 0.55], 35), 0.2, 60.0)
    assert sum(found_and_false(pulse_peaks(x, rate_hz=RATE_HZ), onsets_s[onsets_s < 60], 60.0)[1:]) <= 1


def test_the_unit_does_not_matter() -> None:
    x = ppg(30.0, rate_hz=RATE_HZ, seed=3).values.astype(np.float32)
    wanted, got = events(x), events(x * np.float32(2.0**20))
    assert np.array_equal(wanted[:, [0, 1, 2, 4]], got[:, [0, 1, 2, 4]])
    assert np.array_equal(wanted[:, 3] * np.float32(2.0**20), got[:, 3])


def test_a_large_offset_as_of_a_raw_converter_costs_no_pulse() -> None:
    x = ppg(30.0, rate_hz=RATE_HZ, seed=3).values
    assert np.array_equal(pulse_peaks(x, rate_hz=RATE_HZ), pulse_peaks(np.round(1000 * x) + 8_000_000, rate_hz=RATE_HZ))


def test_lag_is_constant_and_no_longer_than_the_latency_that_is_declared() -> None:
    kernel = Pulses().design(Format(RATE_HZ, 1))
    rows = events(ppg(30.0, rate_hz=RATE_HZ, seed=3).values)
    assert set(rows[:, 2].tolist()) == {kernel.latency_s * RATE_HZ}
    assert kernel.latency_s == pytest.approx(0.336, abs=0.01)


def test_lost_samples_are_counted_and_the_interval_over_them_is_not_valid() -> None:
    x = ppg(40.0, rate_hz=RATE_HZ, seed=5).values
    whole = pulse_peaks(x, rate_hz=RATE_HZ)
    x[2000:2600] = np.nan
    with_gap = pulse_peaks(x, rate_hz=RATE_HZ)
    outside = whole[(whole < 1990) | (whole > 2800)]
    assert np.isin(outside, with_gap).all()
    kernel = Pulses().design(Format(RATE_HZ, 1))
    before, state = kernel.step(kernel.start(), x[:2000, None].astype(np.float32))
    lost, state = kernel.gap(state, 600)
    after, _ = kernel.step(state, x[2600:, None].astype(np.float32))
    rows = np.concatenate([before, after])
    assert lost == 0
    assert np.array_equal(np.cumsum(rows[:, 0].astype(int)), with_gap)
    assert rows[1:, 1].sum() == len(rows) - 2  # all but one interval


def test_nothing_comes_of_a_flat_line_nor_while_it_learns() -> None:
    assert len(pulse_peaks(np.full(5000, 0.7), rate_hz=RATE_HZ)) == 0
    assert pulse_peaks(ppg(30.0, rate_hz=RATE_HZ, seed=3).values, rate_hz=RATE_HZ)[0] > 1.5 * RATE_HZ


@pytest.mark.parametrize("source", [Format(10.0, 1), Format(1000.0, 1), Format(RATE_HZ, 2), Format(None, 1)])
def test_what_does_not_fit_is_refused_in_words(source: Format) -> None:
    with pytest.raises(PipelineError, match="Pulses: wanted"):
        Pulses().design(source)


def test_an_array_of_two_dimensions_is_refused_in_words() -> None:
    with pytest.raises(PipelineError, match="one channel"):
        pulse_peaks(np.zeros((100, 2)), rate_hz=RATE_HZ)


def test_pulses_of_a_real_finger_are_as_many_as_the_monitor_counted() -> None:
    """BIDMC 07, 8 minutes; the truth is the monitor's own pulse rate, once a second."""
    folder = Path(os.environ.get("PULSELET_DATA", "")) / "bidmc"
    if not os.environ.get("PULSELET_DATA") or not (folder / "bidmc_07_Numerics.csv").exists():
        pytest.skip("PULSELET_DATA does not lead to BIDMC")
    with gzip.open(folder / "bidmc_07_Signals.csv.gz", "rt") as lines:
        column = [name.strip() for name in lines.readline().split(",")].index("PLETH")
        x = np.loadtxt(lines, delimiter=",", usecols=column)
    with (folder / "bidmc_07_Numerics.csv").open() as lines:
        rates_bpm = [float(row[" PULSE"]) for row in csv.DictReader(lines)]
    seconds = len(x) / RATE_HZ - 2  # the first two are for learning
    assert len(pulse_peaks(x, rate_hz=RATE_HZ)) == pytest.approx(np.nanmean(rates_bpm) / 60 * seconds, rel=0.01)


@pytest.mark.parametrize("offset", [0.0, 1000.0, 100_000.0])
@pytest.mark.parametrize("rate_hz", [64.0, 125.0])
def test_what_a_band_pass_leaves_of_a_flat_stretch_has_no_pulses(rate_hz: float, offset: float) -> None:
    """A minute; the filter rings down, and then its rounding goes round in circles, for ever."""
    x = ppg(120.0, rate_hz=rate_hz, seed=2).values * max(1.0, offset / 300) + offset
    x[int(40 * rate_hz) : int(100 * rate_hz)] = x[int(40 * rate_hz)]
    band = BandPass(0.5, 8.0).design(Format(rate_hz, 1))
    y, _ = band.step(band.start(), x.astype(np.float32)[:, None])
    found_s = pulse_peaks(y[:, 0], rate_hz=rate_hz) / rate_hz
    assert not ((found_s > 46) & (found_s < 99)).any()
    assert 12 <= ((found_s > 104) & (found_s < 119)).sum() <= 18


def test_a_flat_stretch_has_no_pulses_and_those_after_it_are_found() -> None:
    """The light stands still for 15 s: what the filter makes of it by rounding is no pulse."""
    pulse = ppg(90.0, rate_hz=125.0, seed=2)
    x = pulse.values.copy()
    x[40 * 125 : 55 * 125] = x[40 * 125]
    found_s = pulse_peaks(x, rate_hz=125.0) / 125.0
    assert not ((found_s > 41) & (found_s < 55)).any()
    true = ((pulse.onset_times_s > 61) & (pulse.onset_times_s < 89)).sum()
    assert abs(((found_s > 61) & (found_s < 89)).sum() - true) <= 1
