from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.ecg_peaks import RPeaks, r_peaks
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import baseline_wander, ecg, noisy, white_noise

RATE_HZ = 250.0
Array = NDArray[np.float64]


def heart(seconds: float, seed: int = 1, rate_hz: float = RATE_HZ, bpm: float = 70.0) -> tuple[Array, Array]:
    """Return simulated ECG in mV, and its true R peaks in samples."""
    made = ecg(seconds, rate_hz=rate_hz, seed=seed, heart_rate_bpm=bpm)
    return made.values_mv, made.r_times_s * rate_hz


def events(x: Array, rate_hz: float = RATE_HZ) -> Samples:
    kernel = RPeaks().design(Format(rate_hz, 1, "mV"))
    return kernel.step(kernel.start(), x[:, None].astype(np.float32))[0]


def unlike(found: NDArray[np.int64], truth: Array, within: float) -> tuple[int, int]:
    """Return how many true peaks have no detection, and how many detections are of none, but for the last second."""
    away = np.abs(found[:, None] - truth[None])
    inner = truth < truth[-1] - RATE_HZ
    return int((away.min(axis=0)[inner] > within).sum()), int((away.min(axis=1) > within).sum())


@pytest.mark.parametrize("rate_hz", [100.0, 128.0, 200.0, 250.0, 360.0, 512.0, 1000.0])
@pytest.mark.parametrize("bpm", [45.0, 75.0, 120.0])
def test_simulated_beats_are_found_to_a_sample_or_ten_milliseconds(rate_hz: float, bpm: float) -> None:
    x, truth = heart(60.0, rate_hz=rate_hz, bpm=bpm)
    x = (
        x
        + white_noise(60.0, rate_hz=rate_hz, seed=3, rms=0.02)
        + baseline_wander(60.0, rate_hz=rate_hz, seed=4, rms=0.2)
    )
    assert unlike(r_peaks(x, rate_hz=rate_hz), truth, max(1.0, 0.01 * rate_hz)) == (0, 0)


def test_another_unit_gives_the_same_peaks() -> None:
    x, _ = heart(30.0)
    one, thousand = events(x), events(1024 * x)  # a power of two, so that float32 rounds alike
    np.testing.assert_array_equal(one[:, :3], thousand[:, :3])
    np.testing.assert_array_equal(1024 * one[:, 3], thousand[:, 3])


def test_an_inverted_lead_gives_the_same_beats() -> None:
    x, truth = heart(60.0)
    assert unlike(r_peaks(-x, rate_hz=RATE_HZ), truth, 0.01 * RATE_HZ) == (0, 0)


def test_amplitude_is_that_of_the_qrs() -> None:
    x, truth = heart(30.0)
    around = x[np.rint(truth[3:-2]).astype(int)[:, None] + np.arange(-15, 16)]
    wanted = np.median(around.max(axis=1) - around.min(axis=1))
    assert np.median(events(x)[3:, 3]) == pytest.approx(wanted, rel=0.02)


def test_since_adds_up_to_the_samples_of_the_peaks_and_lag_to_the_rows_time() -> None:
    x, _ = heart(30.0)
    rows = events(x)
    peaks = np.cumsum(rows[:, 0]).astype(int)
    np.testing.assert_array_equal(peaks, r_peaks(x, rate_hz=RATE_HZ))
    for count, until in enumerate(peaks + rows[:, 2].astype(int), start=1):
        assert len(events(x[:until])) == count - 1  # one sample less than it takes
        assert len(events(x[: until + 1])) == count


def test_ordinary_beats_come_within_200_ms_and_all_within_the_declared_latency() -> None:
    x, _ = heart(300.0)
    lag_s = events(noisy(x, white_noise(300.0, rate_hz=RATE_HZ, seed=5), snr_db=20.0))[:, 2] / RATE_HZ
    assert np.percentile(lag_s[3:], 99) <= 0.2
    declared_s = RPeaks().design(Format(RATE_HZ, 1)).latency_s
    assert declared_s <= 2.0
    rough = noisy(x, white_noise(300.0, rate_hz=RATE_HZ, seed=5), snr_db=-3.0)
    rough *= 1 - 0.8 * (np.arange(len(x)) // 400 % 3 == 0)
    lag_s = events(rough)[:, 2] / RATE_HZ
    assert 0.3 < lag_s.max() <= declared_s


def test_a_weak_beat_is_found_by_search_back() -> None:
    x, truth = heart(40.0)
    beat = round(truth[20])
    x[beat - 60 : beat + 60] *= 0.28
    assert unlike(r_peaks(x, rate_hz=RATE_HZ), truth, 0.01 * RATE_HZ) == (0, 0)
    assert events(x)[20, 2] / RATE_HZ > 0.6  # when it was overdue


def test_large_p_and_t_waves_are_not_beats() -> None:
    """P of half the height of R, 160 ms before it; T of 0.8 times, 280 ms after: added to the simulation."""
    x, truth = heart(60.0)
    at = np.arange(len(x))
    for r in truth:
        x += 0.6 * np.exp(-0.5 * ((at - r + 0.16 * RATE_HZ) / (0.025 * RATE_HZ)) ** 2)
        x += 0.9 * np.exp(-0.5 * ((at - r - 0.28 * RATE_HZ) / (0.05 * RATE_HZ)) ** 2)
    assert unlike(r_peaks(x, rate_hz=RATE_HZ), truth, 0.02 * RATE_HZ) == (0, 0)


def test_missing_samples_keep_their_places_and_the_interval_across_them_is_not_valid() -> None:
    x, truth = heart(60.0)
    x[5000:5600] = np.nan
    found = r_peaks(x, rate_hz=RATE_HZ)
    seen = truth[(truth < 4950) | (truth > 5700)]
    assert unlike(found, seen, 0.01 * RATE_HZ)[0] == 0
    assert not ((found > 5000) & (found < 5600)).any()

    kernel = RPeaks().design(Format(RATE_HZ, 1, "mV"))
    part = x[:, None].astype(np.float32)
    before, state = kernel.step(kernel.start(), part[:5000])
    lost, state = kernel.gap(state, 600)
    after, _ = kernel.step(state, part[5600:])
    assert lost == 0
    np.testing.assert_array_equal(before[:, 1], [0, *[1] * (len(before) - 1)])
    np.testing.assert_array_equal(after[:, 1], [0, *[1] * (len(after) - 1)])
    np.testing.assert_array_equal(np.cumsum(np.concatenate([before, after])[:, 0]).astype(int), found)


def test_silence_and_a_flat_line_have_no_beats() -> None:
    assert len(r_peaks(np.zeros(5000), rate_hz=RATE_HZ)) == 0
    assert len(r_peaks(np.full(5000, 3.3), rate_hz=RATE_HZ)) == 0
    assert len(r_peaks(np.full(5000, np.nan), rate_hz=RATE_HZ)) == 0
    assert len(r_peaks(np.full(5000, 1e300), rate_hz=RATE_HZ)) == 0
    assert len(r_peaks(np.empty(0), rate_hz=RATE_HZ)) == 0


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (Format(50.0, 1, "mV"), "100 to 1000 Hz"),
        (Format(2000.0, 1, "mV"), "100 to 1000 Hz"),
        (Format(250.0, 2, "mV"), "one channel"),
        (Format(None, 1, "mV"), "even rate"),
    ],
)
def test_what_does_not_fit_is_refused(source: Format, word: str) -> None:
    with pytest.raises(PipelineError, match=word):
        RPeaks().design(source)


@pytest.mark.parametrize("x", [np.zeros((10, 2)), np.array(["a"]), np.array([1 + 2j])])
def test_arrays_that_are_no_lead_are_refused(x: NDArray[np.generic]) -> None:
    with pytest.raises(PipelineError, match=r"wanted one lead of numbers \(n,\)"):
        r_peaks(x, rate_hz=RATE_HZ)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # wfdb with a new pandas
def test_beats_of_recordings_are_found() -> None:
    """Eight DS2 records of MIT-BIH, four minutes of each; the benchmark gives the whole figure."""
    root = os.environ.get("PULSELET_DATA")
    if not root or not (Path(root) / "mitdb" / "100.atr").exists():
        pytest.skip("PULSELET_DATA names no folder with mitdb")
    wfdb = pytest.importorskip("wfdb")
    beats, wrong, errors, end = 0, 0, [], 240 * 360
    for record in ("100", "103", "117", "121", "202", "219", "231", "234"):
        x = wfdb.rdrecord(f"{root}/mitdb/{record}", channels=[0], sampto=end).p_signal[:, 0]
        notes = wfdb.rdann(f"{root}/mitdb/{record}", "atr", sampto=end)
        truth = notes.sample[[symbol in "NLRBAaJSVrFejnE/fQ?" for symbol in notes.symbol]]
        found = r_peaks(x, rate_hz=360.0)
        away = np.abs(found[:, None] - truth[None])
        missed, false = (away.min(axis=0) > 54).sum(), (away.min(axis=1) > 54).sum()
        beats, wrong = beats + len(truth), wrong + int(missed + false)
        errors.append(away.min(axis=0))
    assert np.median(np.concatenate(errors)) <= 1
    assert wrong / beats <= 0.02


def test_any_number_of_gaps_leaves_the_clock_of_the_candidates_as_at_the_start() -> None:
    """Half an hour of samples that are lost one by one: 32 bits are not enough for what each would add."""
    kernel = RPeaks().design(Format(250.0, 1, "mV"))
    x = ecg(30, rate_hz=250, seed=1).values_mv.astype(np.float32)[:, None]
    _, state = kernel.step(kernel.start(), x)
    for lost in (1, 1, 500_000):
        assert kernel.gap(state, lost)[0] == 0
        _, state = kernel.gap(state, lost)
        assert state.time == kernel.start().time
    rows, _ = kernel.step(state, x)
    assert len(rows) >= 29
    assert rows[:, 2].min() > 0
    assert rows[:, 2].max() < 500
