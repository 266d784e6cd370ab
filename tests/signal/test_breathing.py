"""Breathing rate: simulated breaths, whose rate is known, and a person of BIDMC, whose breaths two others marked."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PipelineError, PulseletError
from pulselet.signal.breathing import BreathingRate, breathing_rate
from pulselet.signal.modulations import RespiratoryModulations
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import ecg, ppg

SERIES_HZ, LENGTH = 4, 128


def windows_of(series: NDArray[np.float64], hop: int = 8) -> Samples:
    """Return windows (n, 128 * channels) of series (samples, channels)."""
    view = np.lib.stride_tricks.sliding_window_view(series, LENGTH, axis=0)[::hop]
    return view.transpose(0, 2, 1).reshape(len(view), -1).astype(np.float32)


def rate_of(series: NDArray[np.float64], stage: BreathingRate) -> Samples:
    kernel = stage.design(Format(0.5, series.shape[1], length=LENGTH, clock_hz=SERIES_HZ))
    return kernel.step(kernel.start(), windows_of(series))[0]


def times(seconds: float) -> NDArray[np.float64]:
    return np.arange(0, seconds, 1 / SERIES_HZ)


@pytest.mark.parametrize("per_min", [6, 10, 15.5, 22, 30, 40])
def test_a_sinusoid_is_found_to_half_a_bin(per_min: float) -> None:
    wave = np.sin(2 * np.pi * per_min / 60 * times(60))[:, None]
    rate, confidence = rate_of(wave, BreathingRate((1.0,)))[-1]
    assert rate == pytest.approx(per_min, abs=0.47)
    assert confidence > 0.9


def test_offset_slope_and_scale_do_not_matter() -> None:
    t = times(60)
    wave = np.sin(2 * np.pi * 0.3 * t)[:, None]
    plain = rate_of(wave, BreathingRate((1.0,)))
    other = rate_of(1e-6 * wave + 1e-3 + 1e-5 * t[:, None], BreathingRate((1.0,)))
    np.testing.assert_allclose(other, plain, atol=0.02)


def test_series_that_agree_outweigh_one_that_does_not() -> None:
    t = times(60)
    agreed, other = np.sin(2 * np.pi * 0.3 * t), np.sin(2 * np.pi * 0.15 * t)
    assert rate_of(np.stack([agreed, other, agreed], axis=1), BreathingRate((1.0, 1.0, 1.0)))[-1, 0] == pytest.approx(
        18, abs=0.5
    )


def test_a_change_of_rate_is_followed_within_a_minute() -> None:
    t = times(240)
    per_s = np.where(t < 120, 0.2, 0.35)
    wave = np.sin(2 * np.pi * np.cumsum(per_s) / SERIES_HZ)[:, None]
    rows = rate_of(wave, BreathingRate((1.0,)))
    ends_s = 32 + 2 * np.arange(len(rows))
    assert rows[(ends_s > 32) & (ends_s < 125), 0] == pytest.approx(12, abs=0.5)
    assert rows[ends_s > 180, 0] == pytest.approx(21, abs=0.5)


def test_a_flat_line_says_nothing() -> None:
    rows = rate_of(np.full((400, 1), 3.25), BreathingRate((1.0,)))
    assert (rows[:, 1] < 0.5).all()


def test_noise_is_less_sure_than_breath() -> None:
    noise = np.random.default_rng(0).standard_normal((2000, 1))
    breath = np.sin(2 * np.pi * 0.25 * times(500))[:, None] + 0.5 * noise
    assert np.median(rate_of(noise, BreathingRate((1.0,)))[:, 1]) < 0.7
    assert np.median(rate_of(breath, BreathingRate((1.0,)))[:, 1]) > 0.9


def test_windows_without_beats_are_neither_believed_nor_boasted_of() -> None:
    t = times(100)
    series = np.stack([np.sin(2 * np.pi * 0.25 * t)] * 3 + [np.zeros(len(t))], axis=1)
    assert rate_of(series, BreathingRate())[:, 1] == pytest.approx(0)


def test_confidence_fades_with_lost_windows() -> None:
    kernel = BreathingRate((1.0,)).design(Format(0.5, 1, length=LENGTH, clock_hz=SERIES_HZ))
    rows = windows_of(np.sin(2 * np.pi * 0.25 * times(100))[:, None])
    flat = np.zeros((1, LENGTH), np.float32)
    found, state = kernel.step(kernel.start(), rows)
    lost, state = kernel.gap(state, 30)
    later, _ = kernel.step(state, flat)
    assert lost == 30
    assert later[0, 0] == pytest.approx(15, abs=1)
    assert later[0, 1] < found[-1, 1] - 0.2
    _, state = kernel.gap(state, 1000)
    assert state is None


@pytest.mark.parametrize("per_min", [9, 12, 18, 24])
@pytest.mark.parametrize("kind", ["ppg", "ecg"])
def test_simulated_breaths_are_counted(kind: str, per_min: float) -> None:
    """The simulator's own truth: it modulates baseline, amplitude (PPG only) and interval at the rate of breathing."""
    if kind == "ppg":
        signal = ppg(120, rate_hz=125, seed=3, heart_rate_bpm=75, respiration_hz=per_min / 60).values
    else:
        signal = ecg(120, rate_hz=125, seed=3, heart_rate_bpm=75, respiration_hz=per_min / 60).values_mv
    times_s, rate, confidence = breathing_rate(signal, rate_hz=125, kind=kind)
    assert times_s.tolist() == list(range(32, 32 + 2 * len(times_s), 2))
    assert len(times_s) == 43  # the last 3 s are still to be known
    late = times_s > 40
    assert np.median(np.abs(rate[late] - per_min)) < 1
    assert np.median(confidence[late]) > 0.8


def test_a_gap_loses_the_windows_that_touch_it_and_keeps_the_others_in_their_places() -> None:
    signal = ppg(240, rate_hz=125, seed=1).values
    signal[100 * 125 : 104 * 125] = np.nan
    times_s, rate, _ = breathing_rate(signal, rate_hz=125, kind="ppg")
    # rows that had not gone out when the gap came, 3 s of them, are lost with it
    assert times_s.tolist() == [*range(32, 98, 2), *range(136, 238, 2)]
    assert np.median(np.abs(rate - 15)) < 0.5


@pytest.mark.parametrize("kind", ["ppg", "ecg"])
def test_gaps_of_up_to_three_seconds_lose_no_window(kind: str) -> None:
    """One packet in ten is lost: 0.2 s every 2 s; and once 2.9 s."""
    made = ppg(180, rate_hz=125, seed=1).values if kind == "ppg" else ecg(180, rate_hz=125, seed=1).values_mv
    whole, _, _ = breathing_rate(made, rate_hz=125, kind=kind)
    made[np.arange(len(made)) % 250 < 25] = np.nan
    made[12_000:12_360] = np.nan
    times_s, rate, _ = breathing_rate(made, rate_hz=125, kind=kind)
    assert times_s.tolist() == whole.tolist()
    assert np.median(np.abs(rate[10:] - 15)) < 1


def modulations(signal: NDArray[np.float64], kind: str, rate_hz: float = 125.0) -> dict[str, Samples]:
    kernel = RespiratoryModulations(kind).design(Format(rate_hz, 1))
    rows, _ = kernel.step(kernel.start(), signal.astype(np.float32)[:, None])
    return dict(zip(kernel.output.names, rows.T, strict=True))


def test_intervals_are_those_of_the_beats() -> None:
    """Simulated intervals that grow by 1 ms a beat, so the row at t has that of its moment; known to 2 samples."""
    rr_s = 0.8 + 0.001 * np.arange(150, dtype=np.float64)
    made = ppg(100, rate_hz=250, seed=0, rr_s=rr_s, amplitude_part=0, baseline_part=0)
    found = modulations(made.values, "ppg", 250.0)
    t = (1 + np.arange(len(found["interval"]))) / 4
    wanted = np.interp(t, made.onset_times_s[1:], np.diff(made.onset_times_s))
    late = t > 10
    np.testing.assert_allclose(found["interval"][late], wanted[late], atol=0.008)
    assert found["covered"][late].all()


@pytest.mark.parametrize("rate_hz", [64.0, 125.0, 250.0, 103.6])
def test_rows_come_four_times_a_second_at_any_rate(rate_hz: float) -> None:
    kernel = RespiratoryModulations("ppg").design(Format(rate_hz, 1))
    x = ppg(60, rate_hz=rate_hz, seed=0).values.astype(np.float32)[:, None]
    rows, _ = kernel.step(kernel.start(), x)
    assert len(rows) == len(x) * 4 // rate_hz - 12  # 3 s wait


def test_the_grid_of_rows_holds_over_gaps() -> None:
    x = ppg(60, rate_hz=125, seed=0).values.astype(np.float32)[:, None]
    kernel = RespiratoryModulations("ppg").design(Format(125.0, 1))
    rng = np.random.default_rng(0)
    state, at, given, lost = kernel.start(), 0, 0, 0
    while at < len(x):
        size, gap = rng.integers(1, 400), int(rng.integers(1, 600))
        rows, state = kernel.step(state, x[at : at + size])
        missed, state = kernel.gap(state, gap)
        at, given, lost = at + len(x[at : at + size]) + gap, given + len(rows), lost + missed
    rows, _ = kernel.step(state, x)
    assert given + len(rows) + lost == (at + len(x)) * 4 // 125 - 12  # 3 s wait


def test_a_stretch_without_beats_is_marked() -> None:
    signal = ecg(90, rate_hz=125, seed=2).values_mv
    signal[40 * 125 : 55 * 125] = signal[40 * 125]
    covered = modulations(signal, "ecg")["covered"]
    t = (1 + np.arange(len(covered))) / 4
    assert not covered[(t > 43) & (t < 54)].any()
    assert covered[(t > 10) & (t < 39)].all()
    assert covered[t > 62].all()


@pytest.mark.parametrize(
    ("stage", "source"),
    [
        (BreathingRate(), Format(0.5, 3, length=100, clock_hz=4.0)),
        (BreathingRate(), Format(0.5, 2, length=128, clock_hz=4.0)),
        (BreathingRate(()), Format(0.5, 1, length=128, clock_hz=4.0)),
        (BreathingRate((0.0,)), Format(0.5, 1, length=128, clock_hz=4.0)),
        (BreathingRate((1.0,), lowest_per_min=30.0, highest_per_min=20.0), Format(0.5, 1, length=128, clock_hz=4.0)),
        (BreathingRate((1.0,), highest_per_min=200.0), Format(0.5, 1, length=128, clock_hz=4.0)),
        (BreathingRate((1.0,)), Format(0.5, 1, length=128)),
        (BreathingRate((1.0,)), Format(4.0, 1)),
        (RespiratoryModulations("eeg"), Format(125.0, 1)),
        (RespiratoryModulations("ppg"), Format(125.0, 2)),
        (RespiratoryModulations("ppg"), Format(20.0, 1)),
        (RespiratoryModulations("ppg"), Format(None, 1)),
    ],
)
def test_what_makes_no_sense_is_refused(stage: BreathingRate | RespiratoryModulations, source: Format) -> None:
    with pytest.raises(PipelineError, match="wanted"):
        stage.design(source)


def test_more_than_one_channel_is_refused() -> None:
    with pytest.raises(PulseletError, match="one channel"):
        breathing_rate(np.zeros((100, 2)), rate_hz=125, kind="ppg")


def bidmc(subject: str) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """Return the signals of a person at 125 Hz, and the times in s of the breaths that the first annotator marked."""
    folder = Path(os.environ.get("PULSELET_DATA", "")) / "bidmc"
    if not (folder / f"bidmc_{subject}_Signals.csv.gz").is_file():
        pytest.skip("PULSELET_DATA names no folder with BIDMC")
    with gzip.open(folder / f"bidmc_{subject}_Signals.csv.gz", "rt") as file:
        names = [name.strip() for name in next(file).split(",")]
        values = np.loadtxt(file, delimiter=",")
    with (folder / f"bidmc_{subject}_Breaths.csv").open() as file:
        marks = [row[0] for row in list(csv.reader(file))[1:] if row and row[0].strip().lower() not in ("", "nan")]
    return dict(zip(names, values.T, strict=True)), np.array(marks, float) / 125


@pytest.mark.parametrize(("kind", "name"), [("ppg", "PLETH"), ("ecg", "II")])
def test_breaths_of_a_person_in_intensive_care_are_counted(kind: str, name: str) -> None:
    """Subject 07 of BIDMC, one of those on which the parameters were chosen: this shows that it runs, no more."""
    signals, marks_s = bidmc("07")
    times_s, rate, _ = breathing_rate(signals[name], rate_hz=125, kind=kind)
    wanted = [60 / np.diff(marks_s[(marks_s >= t - 32) & (marks_s < t)]).mean() for t in times_s]
    assert np.mean(np.abs(rate - wanted)) < 1
