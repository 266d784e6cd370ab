"""Marks against calculations by hand and numpy's largest and smallest of each window."""

from __future__ import annotations

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.signal.marking import MarkFlat, MarkSaturation
from pulselet.signal.stage import Format, Samples, Stage

SOURCE = Format(10.0, 2, "mV", ("I", "II"))


def run(stage: Stage, x: Samples, source: Format = SOURCE) -> Samples:
    kernel = stage.design(source)
    return kernel.step(kernel.start(), x)[0]


def test_a_sample_at_a_limit_or_beyond_is_marked_and_its_values_stay() -> None:
    x = np.array([[0, 0], [0, 5], [-5, 0], [4.9, -4.9], [7, 0]], np.float32)
    y = run(MarkSaturation(-5.0, 5.0), x)
    assert np.array_equal(y[:, :2], x)
    assert y[:, 2].tolist() == [0, 1, 1, 0, 1]
    assert run(MarkSaturation(-5.0, 5.0, alone=True), x)[:, 0].tolist() == [0, 1, 1, 0, 1]


def test_the_mark_is_a_channel_with_a_name_and_the_rows_have_no_common_unit() -> None:
    output = MarkSaturation(-5.0, 5.0).design(SOURCE).output
    assert (output.channels, output.unit, output.names) == (3, "", ("I", "II", "saturated"))
    assert MarkFlat(0.5, 0.0).design(Format(10.0, 1, "g")).output.names == ("channel_0", "flat")
    assert MarkFlat(0.5, 0.0, alone=True).design(SOURCE).output.names == ("flat",)


@pytest.mark.parametrize(("length", "tolerance"), [(2, 0.0), (5, 1.0), (16, 3.0)])
def test_flat_is_a_window_whose_largest_and_smallest_are_within_the_tolerance(length: int, tolerance: float) -> None:
    x = np.round(np.cumsum(np.random.default_rng(0).integers(-1, 2, (400, 2)), axis=0) / 2).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(x, length, axis=0)
    wanted = (np.ptp(windows, axis=2) <= tolerance).any(axis=1)
    marks = run(MarkFlat(length / 10, tolerance, alone=True), x)[:, 0]
    assert np.array_equal(marks[length - 1 :] == 1, wanted)
    assert not marks[: length - 1].any()
    assert 0 < wanted.mean() < 1


def test_a_lead_that_falls_off_is_marked_after_the_length_and_not_after_it_is_back() -> None:
    x = np.random.default_rng(0).standard_normal((60, 2)).astype(np.float32)
    x[20:40, 1] = 0.25
    marks = run(MarkFlat(0.5, 0.0), x)[:, 2]
    assert np.flatnonzero(marks).tolist() == list(range(24, 40))


def test_a_gap_begins_a_flat_line_anew() -> None:
    kernel = MarkFlat(0.5, 0.0, alone=True).design(SOURCE)
    flat = np.ones((8, 2), np.float32)
    first, state = kernel.step(kernel.start(), flat)
    lost, state = kernel.gap(state, 1)
    second, _ = kernel.step(state, flat)
    assert lost == 1
    assert first[:, 0].tolist() == second[:, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("stage", "source", "words"),
    [
        (MarkSaturation(1.0, 1.0), SOURCE, "low below high"),
        (MarkSaturation(0.0, 1.0), Format(None, 2, clock_hz=10.0), "samples at an even rate"),
        (MarkFlat(0.55, 0.0), SOURCE, "whole samples"),
        (MarkFlat(0.1, 0.0), SOURCE, "2 to 4096 samples"),
        (MarkFlat(0.5, -1.0), SOURCE, "a tolerance of 0 or more"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(stage: Stage, source: Format, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        stage.design(source)
