"""Resampling against scipy's, and even series against numpy's interpolation and calculations by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.resampling import KAISER_BETA, Even, Resample
from pulselet.signal.stage import Format, Samples, Stage

RATES = [(360.0, 250.0), (250.0, 50.0), (50.0, 125.0), (100.0, 64.0), (128.0, 31.25), (4.0, 64.0)]


def resampled(x: NDArray[np.float64], rate_hz: float, to_hz: float, crossings: int = 8) -> NDArray[np.float64]:
    kernel = Resample(to_hz, crossings).design(Format(rate_hz, 1))
    y, _ = kernel.step(kernel.start(), x.astype(np.float32)[:, None])
    return y[:, 0].astype(np.float64)


@pytest.mark.parametrize(("rate_hz", "to_hz"), RATES)
def test_resampling_is_scipys_resample_poly_late_by_the_filters_half(rate_hz: float, to_hz: float) -> None:
    """Within 0.5 %: ours also makes each phase pass a constant exactly, which scipy's does not."""
    from scipy.signal import firwin, resample_poly

    ratio = Fraction(to_hz / rate_hz).limit_denominator(1000)
    up, down = ratio.numerator, ratio.denominator
    half = 8 * max(up, down)
    x = np.random.default_rng(0).standard_normal(600)
    x[0] = 0
    wanted = resample_poly(x, up, down, window=firwin(2 * half + 1, 1 / max(up, down), window=("kaiser", KAISER_BETA)))
    got, late = resampled(x, rate_hz, to_hz), half // down
    assert late == half / down == pytest.approx(Resample(to_hz).design(Format(rate_hz, 1)).latency_s * to_hz)
    assert np.abs(got[late:] - wanted[: len(got) - late]).max() < 5e-3


@pytest.mark.parametrize(("rate_hz", "to_hz"), RATES)
def test_it_is_zero_stuffing_filtering_and_picking(rate_hz: float, to_hz: float) -> None:
    """The definition (Crochiere and Rabiner 1981): up - 1 zeros between samples, a filter, every down-th output."""
    from scipy.signal import firwin, lfilter

    ratio = Fraction(to_hz / rate_hz).limit_denominator(1000)
    up, down = ratio.numerator, ratio.denominator
    x = np.random.default_rng(0).standard_normal(400)
    x[0] = 0
    stuffed = np.zeros(len(x) * up)
    stuffed[::up] = x
    taps = firwin(16 * max(up, down) + 1, 1 / max(up, down), window=("kaiser", KAISER_BETA)) * up
    wanted = lfilter(taps, 1, stuffed)[::down]
    got = resampled(x, rate_hz, to_hz)
    assert len(got) == len(wanted)
    assert np.abs(got - wanted).max() < 5e-3  # each phase is made to pass a constant exactly


@pytest.mark.parametrize(("rate_hz", "to_hz"), RATES)
def test_a_constant_stays_constant_at_every_phase(rate_hz: float, to_hz: float) -> None:
    assert np.abs(resampled(np.full(300, 1000.0), rate_hz, to_hz) - 1000).max() < 1e-3


@pytest.mark.parametrize(("rate_hz", "to_hz"), RATES)
def test_a_tone_below_both_limits_passes_and_one_above_the_lower_does_not(rate_hz: float, to_hz: float) -> None:
    seconds, lower_hz = 2000 / min(rate_hz, to_hz), min(rate_hz, to_hz)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    quiet = len(resampled(t, rate_hz, to_hz)) // 2
    passed = resampled(np.sin(2 * np.pi * 0.35 * lower_hz * t), rate_hz, to_hz)[quiet:]
    assert np.sqrt(2 * np.mean(passed**2)) == pytest.approx(1.0, abs=0.01)
    if to_hz < rate_hz:
        folded = resampled(np.sin(2 * np.pi * 0.65 * lower_hz * t), rate_hz, to_hz)[quiet:]
        assert np.sqrt(2 * np.mean(folded**2)) < 10 ** (-50 / 20)


@pytest.mark.parametrize(("rate_hz", "to_hz"), RATES)
@pytest.mark.parametrize("lost", [1, 7, 250])
def test_a_gap_keeps_the_grid_and_loses_what_touches_it(rate_hz: float, to_hz: float, lost: int) -> None:
    """What is given after a gap is, bit for bit, what an unbroken stream gives at the same places."""
    kernel = Resample(to_hz).design(Format(rate_hz, 2))
    x = np.random.default_rng(0).standard_normal((900, 2)).astype(np.float32)
    whole, _ = kernel.step(kernel.start(), x)
    first, state = kernel.step(kernel.start(), x[:301])
    missing, state = kernel.gap(state, lost)
    rest, _ = kernel.step(state, x[301 + lost :])
    assert np.array_equal(first, whole[: len(first)])
    assert len(first) + missing + len(rest) == len(whole)
    assert np.array_equal(rest, whole[len(first) + missing :])
    assert missing >= max(1, int(lost * to_hz / rate_hz))


def test_two_gaps_close_to_each_other_count_no_row_twice() -> None:
    kernel = Resample(20.0).design(Format(50.0, 1))
    x = np.random.default_rng(0).standard_normal((600, 1)).astype(np.float32)
    whole, _ = kernel.step(kernel.start(), x)
    first, state = kernel.step(kernel.start(), x[:200])
    one, state = kernel.gap(state, 3)
    between, state = kernel.step(state, x[203:210])
    two, state = kernel.gap(state, 2)
    rest, _ = kernel.step(state, x[212:])
    assert len(between) == 0
    assert len(first) + one + two + len(rest) == len(whole)
    assert np.array_equal(rest, whole[-len(rest) :])


@pytest.mark.parametrize(
    ("stage", "source", "words"),
    [
        (Resample(250.0), Format(250.0, 1), "another rate than the input's"),
        (Resample(-1.0), Format(250.0, 1), "a rate above 0 Hz"),
        (Resample(250.0 / 101), Format(250.0, 1), "a 100th to 64 times 250 Hz"),
        (Resample(20_000.0), Format(250.0, 1), "a 100th to 64 times 250 Hz"),
        (Resample(32.1234), Format(103.6, 1), "in a ratio of whole numbers"),
        (Resample(50.0, crossings=1), Format(100.0, 1), "2 to 32 zero crossings"),
        (Resample(50.0), Format(1.0, 1, length=100), "samples at an even rate"),
        (Even(4.0, 3.0), Format(250.0, 2), "wanted events"),
        (Even(4.0, 3.0), Format(None, 1, clock_hz=250.0), "events with a clock and values"),
        (Even(300.0, 3.0), Format(None, 2, clock_hz=250.0), "up to 250 Hz"),
        (Even(4.0, 0.1), Format(None, 2, clock_hz=250.0), "longest_gap_s from 0.25 to 125 s"),
        (Even(4.0, 3.0, ("rr",)), Format(None, 2, clock_hz=250.0), "columns among"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(stage: Stage, source: Format, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        stage.design(source)


BEATS = Format(None, 2, "", ("since", "rr_ms"), clock_hz=100.0)


def even(stage: Even, events: list[list[float]], source: Format = BEATS) -> Samples:
    kernel = stage.design(source)
    return kernel.step(kernel.start(), np.array(events, np.float32))[0]


def test_an_even_series_is_numpys_interpolation_on_a_grid_from_the_start() -> None:
    rng = np.random.default_rng(0)
    since, values = rng.integers(60, 120, 50), rng.normal(800, 50, 50)
    y = even(Even(4.0, 2.0), np.stack([since, values], axis=1).tolist())
    times = np.cumsum(since) / 100.0
    grid = np.arange(len(y)) / 4.0
    assert len(y) == int(times[-1] * 4) + 1
    assert y[:, 0] == pytest.approx(np.interp(grid, times, values.astype(np.float32)), abs=1e-3)
    assert np.array_equal(y[:, 1] == 1, grid <= times[0] - 1e-9)


def test_a_grid_that_is_no_whole_number_of_ticks_does_not_drift() -> None:
    """32 ticks a second, 5 rows a second: row k is at 6.4 k ticks."""
    source = Format(None, 2, clock_hz=32.0)
    y = even(Even(5.0, 2.0), [[0.0, 0.0], *[[32.0, 32.0 * (k + 1)] for k in range(100)]], source)
    assert y[:, 0] == pytest.approx(6.4 * np.arange(501), rel=1e-5)


def test_a_hole_longer_than_wanted_is_held_and_said() -> None:
    y = even(Even(1.0, 2.0), [[100, 1.0], [200, 3.0], [300, 9.0], [100, 10.0]])
    assert y.tolist() == [[1, 1], [1, 1], [2, 0], [3, 0], [3, 1], [3, 1], [3, 1], [10, 0]]


def test_what_is_owed_after_a_long_hole_comes_with_the_next_events() -> None:
    kernel = Even(1.0, 2.0).design(BEATS)
    first, state = kernel.step(kernel.start(), np.array([[0.0, 5.0]], np.float32))
    long, state = kernel.step(state, np.array([[2000.0, 6.0]], np.float32))
    after, state = kernel.step(state, np.array([[100.0, 7.0]] * 10, np.float32))
    assert len(first) == 1
    assert len(long) == kernel.rows == 6
    assert len(first) + len(long) + len(after) == 31
    assert set(long[:, 1]) == {1.0}
    assert after[-1].tolist() == [7, 0]


def test_an_event_that_is_not_valid_is_bridged_by_holding() -> None:
    source = Format(None, 3, "", ("since", "rr_ms", "valid"), clock_hz=100.0)
    y = even(Even(1.0, 2.0), [[100, 1, 1], [100, 50, 0], [100, 3, 1], [100, 4, 1]], source)
    assert y.tolist() == [[1, 1], [1, 1], [1, 1], [3, 0], [4, 0]]
    assert Even(1.0, 2.0).design(source).output.names == ("rr_ms", "held")


def test_the_interval_itself_is_a_column_that_can_be_asked_for() -> None:
    beats = Format(None, 4, "", ("since", "valid", "lag", "amplitude"), clock_hz=100.0)
    events: list[list[float]] = [[100, 0, 9, 5.0], [100, 1, 9, 6.0], [200, 1, 9, 7.0]]
    assert Even(1.0, 2.0).design(beats).output.names == ("amplitude", "held")
    assert Even(1.0, 2.0, ("since",)).design(beats).output.names == ("interval", "held")
    assert even(Even(1.0, 2.0, ("since",)), events, beats)[-2:].tolist() == [[150, 0], [200, 0]]


def test_lost_events_are_held_over_and_no_row_is_lost() -> None:
    kernel = Even(1.0, 2.0).design(BEATS)
    _, state = kernel.step(kernel.start(), np.array([[100.0, 1.0]], np.float32))
    lost, state = kernel.gap(state, 3)
    y, _ = kernel.step(state, np.array([[100.0, 2.0], [100.0, 3.0]], np.float32))
    assert lost == 0
    assert y.tolist() == [[1, 1], [3, 0]]
