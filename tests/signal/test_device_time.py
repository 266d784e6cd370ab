"""Streams are lined up by the device's time: every sample of the truth ends in the row of its own moment."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PipelineError
from pulselet.signal.device_time import DeviceTime
from pulselet.signal.pipeline import Branch, Pipeline
from pulselet.signal.run import Event
from pulselet.stream.block import LOST, RESTARTED, Block, Gap, Signal

CLOCK_HZ = 1000.0
PPG = Signal("ppg", "a.u.", 64.0, ("ppg",), CLOCK_HZ)
ACC = Signal("acc", "g", 32.0, ("x",), CLOCK_HZ)
RATES = {"ppg": 64.0, "acc": 32.0}


def block(signal: Signal, first: int, count: int, begin_s: float, rate_hz: float | None = None) -> Block:
    """Return a block whose values are the device's time of each sample, s."""
    assert signal.rate_hz is not None
    rate_hz = rate_hz or signal.rate_hz
    times = begin_s + np.arange(first, first + count) / rate_hz
    ticks = round(float(times[0]) * CLOCK_HZ)
    return Block(signal, times.astype(np.float32)[:, None], first, ticks, 0)


def placed(events: list[Event]) -> dict[str, list[tuple[float, float]]]:
    """Return for each signal pairs of the pipeline's time of a sample and the sample's value."""
    found: dict[str, list[tuple[float, float]]] = {"ppg": [], "acc": []}
    at = dict.fromkeys(found, 0)
    for name, what in events:
        if isinstance(what, int):
            at[name] += what
            continue
        found[name] += [((at[name] + i) / RATES[name], float(value)) for i, value in enumerate(what[:, 0])]
        at[name] += len(what)
    return found


@given(later_s=st.floats(-3, 3), first=st.booleans())
def test_a_signal_that_begins_later_or_earlier_finds_its_place(later_s: float, first: bool) -> None:
    time, events = DeviceTime(RATES), []
    for at in range(10):
        pair = [block(PPG, 64 * at, 64, 10.0), block(ACC, 32 * at, 32, 10.0 + later_s)]
        for item in pair if first else pair[::-1]:
            events += time.events(item)
    both = placed(events)
    zero_s = 10.0 if first else 10.0 + later_s
    for name in RATES:
        assert len(both[name]) > 100
        off = [value - (at + zero_s) for at, value in both[name]]
        assert np.abs(off).max() <= 0.5 / 32 + 1e-3


def test_a_clock_that_runs_fast_or_slow_is_followed_within_the_tolerance() -> None:
    for rate_hz in (31.9, 32.1):
        time, events = DeviceTime(RATES), []
        for at in range(600):
            events += time.events(block(PPG, 64 * at, 64, 0.0))
            events += time.events(block(ACC, 32 * at, 32, 0.0, rate_hz))
        off = [value - at for at, value in placed(events)["acc"]]
        assert np.abs(off).max() < 0.1 + 1.5 / 32
        lost = [what for name, what in events if isinstance(what, int)]
        assert lost  # it was moved, and each time with a gap
        assert all(name == "acc" for name, what in events if isinstance(what, int))


def test_a_gap_of_unknown_size_is_as_long_as_the_clock_says() -> None:
    time = DeviceTime(RATES)
    events = [*time.events(block(PPG, 0, 64, 0.0)), *time.events(Gap(PPG, 64, None, LOST))]
    assert events[1:] == []
    assert time.events(block(PPG, 64 + 320, 64, 0.0))[0] == ("ppg", 320)


def test_after_a_restart_the_signals_are_together_again() -> None:
    time, events = DeviceTime(RATES), []
    for at in range(3):
        events += time.events(block(PPG, 64 * at, 64, 100.0)) + time.events(block(ACC, 32 * at, 32, 100.0))
    for signal, first in ((PPG, 192), (ACC, 96)):
        events += time.events(Gap(signal, first, None, RESTARTED))
    for at in range(3):  # its clock begins at 0 again, and the acceleration a second later
        events += time.events(block(PPG, 64 * at, 64, 0.0)) + time.events(block(ACC, 32 * at, 32, 1.0))
    both = placed(events)
    restarted = {name: [(at, value) for at, value in pairs if value < 50] for name, pairs in both.items()}
    shift = restarted["ppg"][0][0] - restarted["ppg"][0][1]
    assert all(abs(at - value - shift) < 1e-3 + 0.5 / 32 for at, value in restarted["acc"])
    assert ("ppg", 1) in [event for event in events if isinstance(event[1], int)]


def test_a_loss_that_is_known_is_passed_on_and_other_signals_are_not() -> None:
    time = DeviceTime({"ppg": 64.0})
    time.events(block(PPG, 0, 64, 0.0))
    assert time.events(Gap(PPG, 64, 10, LOST)) == [("ppg", 10)]
    assert time.events(block(ACC, 0, 32, 0.0)) == []
    assert len(time.events(block(PPG, 74, 64, 0.0))) == 1


def test_without_a_clock_a_signal_goes_by_its_index() -> None:
    bare = Signal("ppg", "a.u.", 64.0, ("ppg",), None)
    time, values = DeviceTime(RATES), np.zeros((8, 1), np.float32)
    assert len(time.events(Block(bare, values, 0, None, 0))) == 1
    assert time.events(Gap(bare, 8, None, LOST)) == []
    assert [what for _, what in time.events(Block(bare, values, 9, None, 0)) if isinstance(what, int)] == [1]


def test_two_rates_meet_in_one_row_of_their_common_time() -> None:
    """PPG at 64 Hz and acceleration at 32 Hz that began 0.25 s later: rows hold samples of the same moment."""
    resample = pytest.importorskip("pulselet.signal.resampling")
    pipeline = Pipeline(
        (Branch("ppg", "a.u.", 64.0, 1, (resample.Resample(32.0),)), Branch("acc", "g", 32.0, 1)), ahead_s=4.0
    )
    time, stream, rows = DeviceTime(RATES), pipeline.start(), []
    for at in range(20):
        for item in (block(PPG, 64 * at, 64, 0.0), block(ACC, 32 * at, 32, 0.25)):
            for name, what in time.events(item):
                if isinstance(what, int):
                    stream.gap(name, what)
                else:
                    rows += [row for _, row in stream.push(name, what)]
    values = np.stack(rows)[64:]  # after the start of the filter
    latency_s = pipeline.branch_kernels[0][0].latency_s
    assert np.abs(values[:, 0] + latency_s - values[:, 1]).max() < 0.02


def test_a_clock_set_back_without_a_gap_does_not_silence_the_stream() -> None:
    clock = DeviceTime(RATES)
    clock.events(block(PPG, 0, 64, 100_000.0))
    clock.events(block(ACC, 0, 32, 100_000.0))
    (lost, ppg) = clock.events(block(PPG, 0, 64, 5.0))
    assert lost == ("ppg", 1)
    assert len(ppg[1]) == 64  # type: ignore[arg-type]
    (acc,) = clock.events(block(ACC, 0, 32, 5.0))  # in its place on the new clock
    assert len(acc[1]) == 32  # type: ignore[arg-type]


@pytest.mark.parametrize("time_s", [np.nan, np.inf])
def test_a_clock_that_is_not_finite_counts_as_none(time_s: float) -> None:
    clock = DeviceTime(RATES, time_s=lambda _: time_s)
    ((name, values),) = clock.events(block(PPG, 0, 64, 0.0))
    assert name == "ppg"
    assert isinstance(values, np.ndarray)


def test_a_signal_that_stops_holds_the_others_up_until_it_is_declared_lost() -> None:
    """And finds its place when it comes back: values are times, so the columns of a row agree."""
    pipeline = Pipeline((Branch("ppg", "a.u.", 64.0, 1), Branch("acc", "g", 64.0, 1)), ahead_s=1.5)
    acc = Signal("acc", "g", 64.0, ("x",), CLOCK_HZ)
    time, stream, rows = DeviceTime({"ppg": 64.0, "acc": 64.0}), pipeline.start(), []
    for at in range(20):
        there = not 5 <= at < 15
        late = block(acc, 64 * at, 64, 0.0) if there else Gap(acc, 64 * at, 64, LOST)
        for item in (block(PPG, 64 * at, 64, 0.0), late):
            for name, what in time.events(item):
                if isinstance(what, int):
                    stream.gap(name, what)
                else:
                    rows += [row for _, row in stream.push(name, what)]
    values = np.stack(rows)
    assert len(values) == 10 * 64
    assert stream.dropped == 10 * 64
    assert np.array_equal(values[:, 0], values[:, 1])
    with pytest.raises(PipelineError, match="push the others first"):
        stream.push("ppg", np.zeros((200, 1), np.float32))
