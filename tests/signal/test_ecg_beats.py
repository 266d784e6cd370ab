"""Rows around heartbeats, on simulated hearts whose R peaks are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.ecg_beats import Beats, Columns
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import ecg

RATE_HZ = 250.0
ECG = Format(RATE_HZ, 1, "mV")


def heart(seconds: float, seed: int = 1, bpm: float = 70.0) -> tuple[Samples, NDArray[np.int64]]:
    """Return an ECG `(n, 1)` and the samples of its R peaks."""
    found = ecg(seconds, rate_hz=RATE_HZ, seed=seed, heart_rate_bpm=bpm)
    return found.values_mv.astype(np.float32)[:, None], np.rint(found.r_times_s * RATE_HZ).astype(np.int64)


def places(rows: Samples) -> NDArray[np.int64]:
    return np.cumsum(rows[:, 0]).astype(np.int64)


def test_every_beat_whose_waveform_is_whole_has_a_row_at_its_place() -> None:
    x, truth = heart(40)
    kernel = Beats(0.25, 0.45).design(ECG)
    rows, _ = kernel.step(kernel.start(), x)
    found = places(rows)
    inside = truth[(truth > 3 * RATE_HZ) & (truth < len(x) - RATE_HZ)]
    assert all(np.min(np.abs(found - place)) <= 2 for place in inside)
    assert all(np.min(np.abs(truth - place)) <= 2 for place in found)
    assert len(np.unique(found)) == len(found)


def test_the_waveform_is_the_filtered_signal_around_the_r_peak() -> None:
    """By scipy in float64; the filter's delay moves the window, so that the R peak stays `before_s` from its start."""
    from scipy.signal import butter, sosfilt, sosfilt_zi

    x, _ = heart(30)
    rows, _ = (kernel := Beats(0.2, 0.4, every=2).design(ECG)).step(kernel.start(), x)
    sos = butter(2, (0.5, 40.0), "bandpass", fs=RATE_HZ, output="sos")
    y, _ = sosfilt(sos, x[:, 0].astype(np.float64), zi=sosfilt_zi(sos) * float(x[0, 0]))
    for place, row in zip(places(rows), rows, strict=True):
        middle = (place + kernel.delay + 1) // 2
        wanted = y[::2][middle - 25 : middle + 51]
        assert np.abs(row[4:] - wanted).max() < 1e-3
        assert abs(int(np.argmax(np.abs(row[4:]))) - 25) <= 1


def test_rows_that_overlap_are_whole_and_in_order() -> None:
    x, _ = heart(40, bpm=110)
    kernel = Beats(0.2, 1.3).design(ECG)
    rows, _ = kernel.step(kernel.start(), x)
    assert len(rows) > 50
    here = rows[:-1, 4:]
    away = rows[1:, 0].astype(int)  # the next R peak
    assert (away < 1.3 * RATE_HZ).all()
    for row, after, distance in zip(here, rows[1:, 4:], away, strict=True):
        assert np.array_equal(row[distance:], after[: len(row) - distance])


def test_a_row_comes_when_its_last_sample_is_there() -> None:
    x, _ = heart(20)
    kernel = Beats(0.2, 1.5).design(ECG)
    state, at = kernel.start(), 0
    for i in range(len(x)):
        rows, state = kernel.step(state, x[i : i + 1])
        for row in rows:
            at += int(row[0])
            assert at + row[2] == i
            assert row[2] == round(1.5 * RATE_HZ) + kernel.delay
    assert at > 15 * RATE_HZ


def test_a_gap_costs_the_beats_whose_waveforms_it_cuts_and_since_counts_over_it() -> None:
    x, truth = heart(60)
    kernel = Beats(0.25, 0.45).design(ECG)
    cut, lost = int(truth[30]) + 60, 1000  # within the waveform of beat 30
    before, state = kernel.step(kernel.start(), x[:cut])
    told, state = kernel.gap(state, lost)
    after, _ = kernel.step(state, x[cut + lost :])
    assert told == 0
    found = places(np.concatenate([before, after]))
    assert np.min(np.abs(found - truth[30])) > 10
    assert all(np.min(np.abs(truth - place)) <= 2 for place in found)
    assert after[0, 1] == 0
    assert after[2:, 1].all()


def test_columns_takes_the_waveform_out() -> None:
    kernel = Beats(0.2, 0.3, every=5, high_hz=20.0).design(ECG)
    taken = Columns(4, kernel.points).design(kernel.output)
    assert taken.output.names == kernel.output.names[4:]
    x = np.arange(2 * kernel.output.width, dtype=np.float32).reshape(2, -1)
    y, _ = taken.step(None, x)
    assert np.array_equal(y, x[:, 4:])


@pytest.mark.parametrize(
    "stage", [Beats(0.2, 0.3, every=8), Beats(0.0, 0.3), Beats(0.2, 3.0), Beats(0.2, 0.3, every=0)]
)
def test_what_does_not_fit_is_refused_in_words(stage: Beats) -> None:
    with pytest.raises(PipelineError, match="wanted"):
        stage.design(ECG)


def test_columns_outside_are_refused_in_words() -> None:
    with pytest.raises(PipelineError, match="wanted"):
        Columns(3, 4).design(Format(None, 6, clock_hz=250.0))
