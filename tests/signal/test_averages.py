"""Moving averages and medians against scipy, numpy and exact sums."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.signal.averages import MovingAverage, MovingMedian
from pulselet.signal.stage import Format, Samples, Stage

SOURCE = Format(50.0, 1, "mV")


def run(stage: Stage, x: Samples, source: Format = SOURCE) -> Samples:
    kernel = stage.design(source)
    y, _ = kernel.step(kernel.start(), x.reshape(len(x), -1).astype(np.float32))
    return np.squeeze(y, axis=1)


def test_a_moving_average_is_the_mean_of_its_window() -> None:
    x = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    wanted = [math.fsum(x[i - 9 : i + 1].tolist()) / 10 for i in range(9, 500)]
    assert run(MovingAverage(0.2), x)[9:] == pytest.approx(wanted, abs=3e-7)


def test_a_moving_average_starts_as_if_the_first_sample_had_always_been() -> None:
    assert run(MovingAverage(0.08), np.array([4.0, 8.0, 0.0, 4.0, 4.0], np.float32)).tolist() == [
        4.0,
        5.0,
        4.0,
        4.0,
        4.0,
    ]


def test_a_moving_average_forgets_an_artefact_entirely() -> None:
    """A running sum that adds the new and subtracts the old sample keeps the rounding error of a large one for ever."""
    quiet = (np.arange(400) % 7).astype(np.float32)
    loud = quiet.copy()
    loud[100] = 1e9
    assert np.array_equal(run(MovingAverage(0.5), loud)[125:], run(MovingAverage(0.5), quiet)[125:])
    running = np.cumsum(loud)
    kept = (running[200] - running[175]) / 25
    assert abs(kept - quiet[176:201].mean()) > 1


def test_a_moving_average_does_not_drift_in_an_hour_on_an_offset() -> None:
    n = 3600 * 50
    x = (1000 + np.random.default_rng(0).standard_normal(n)).astype(np.float32)
    last = run(MovingAverage(8.0), x)[-100:]
    wanted = np.convolve(x[-499:].astype(np.float64), np.full(400, 1 / 400), "valid")
    assert last == pytest.approx(wanted, abs=1000 * 2e-6)


@pytest.mark.parametrize("length", [3, 5, 25, 101])
def test_a_moving_median_is_scipys_delayed_by_half_its_length(length: int) -> None:
    from scipy.signal import medfilt

    x = np.random.default_rng(length).standard_normal(400).astype(np.float32)
    half = length // 2
    kernel = MovingMedian(length / 50.0).design(SOURCE)
    assert kernel.latency_s == half / 50.0
    assert np.array_equal(run(MovingMedian(length / 50.0), x)[2 * half :], medfilt(x, length)[half : len(x) - half])


def test_a_moving_median_of_an_even_length_takes_one_sample_more() -> None:
    """0.08 s at 50 Hz are 4 samples: 5 are taken."""
    x = np.array([0, 0, 0, 9, 9, 0, 9, 0], np.float32)
    assert run(MovingMedian(0.08), x).tolist() == [0, 0, 0, 0, 0, 0, 9, 9]


def test_a_moving_median_ignores_a_spike() -> None:
    x = np.zeros(50, np.float32)
    x[20:22] = 1e6
    assert not run(MovingMedian(0.1), x).any()


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (MovingAverage(0.07), "whole samples at 50 Hz"),
        (MovingAverage(0.02), "2 to 8192 samples, got 1"),
        (MovingAverage(200.0), "2 to 8192 samples"),
        (MovingMedian(0.02), r"a length from 0.04 to 10.24 s"),
        (MovingMedian(-1.0), "a length from"),
        (MovingMedian(60.0), "3 to 511 samples"),
    ],
)
def test_lengths_that_do_not_fit_are_refused_in_words(stage: Stage, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        stage.design(SOURCE)


@pytest.mark.parametrize("stage", [MovingAverage(0.1), MovingMedian(0.1)])
def test_windows_and_events_are_refused(stage: Stage) -> None:
    for source in (Format(None, 2, clock_hz=50.0), Format(1.0, 1, length=50)):
        with pytest.raises(PipelineError, match="samples at an even rate"):
            stage.design(source)
