"""Frames with a device time and no number: what is lost is told by the clock, and the truth by the story."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pulselet.errors import PulseletError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.timed import BACK_S, TimedAssembler

ECG = Signal("ecg", "mV", 130.0, ("ecg",), clock_hz=1e9)
NS = 1_000_000_000
BEGIN_NS = 800_000_000 * NS  # in 2025, counted from 2000
SIZE = 73  # samples in an ECG frame of a strap
FRAME_NS = SIZE * NS / 130


def values(first: int, count: int) -> NDArray[np.float32]:
    """Samples that say their own index."""
    return np.arange(first, first + count, dtype=np.float32)[:, None]


@dataclass
class Run:
    """A stream of 73-sample frames, as a device with some rate and some errors of its clock would send it."""

    rate_hz: float = 130.0
    assembler: TimedAssembler = field(default_factory=lambda: TimedAssembler(ECG))
    found: list[Block | Gap] = field(default_factory=list)

    def time_ns(self, frame: int) -> int:
        return BEGIN_NS + round((frame * SIZE + SIZE - 1) / self.rate_hz * NS)

    def send(self, frame: int, error_ns: int = 0) -> list[Block | Gap]:
        new = self.assembler.feed(values(frame * SIZE, SIZE), self.time_ns(frame) + error_ns, frame)
        self.found += new
        return new

    @property
    def gaps(self) -> list[tuple[int, int | None, str]]:
        return [(gap.first, gap.lost, gap.reason) for gap in self.found if isinstance(gap, Gap)]


def test_frames_in_order_are_joined_without_a_gap() -> None:
    run = Run()
    blocks = [run.send(frame)[0] for frame in range(5)]
    assert [block.first for block in blocks] == [0, 73, 146, 219, 292]
    assert run.gaps == []
    assert (run.assembler.count.received, run.assembler.count.lost) == (365, 0)


def test_a_block_carries_the_device_time_of_its_first_sample() -> None:
    (block,) = Run().send(0)
    assert isinstance(block, Block)
    assert block.device_ticks == BEGIN_NS  # the frame's time is of its last sample, 72 periods later


def test_ticks_are_those_of_the_signal_s_clock() -> None:
    signal = Signal("acc", "g", 100.0, ("x",), clock_hz=1000.0)
    (block,) = TimedAssembler(signal).feed(values(0, 11), 5 * NS, 0)
    assert isinstance(block, Block)
    assert block.device_ticks == 4900


def test_a_lost_frame_becomes_a_gap() -> None:
    run = Run()
    run.send(0)
    gap, block = run.send(2)
    assert isinstance(gap, Gap)
    assert (gap.first, gap.lost, gap.reason) == (73, 73, "lost")
    assert isinstance(block, Block)
    assert block.first == 146


def test_a_repeated_frame_is_dropped_and_counted() -> None:
    run = Run()
    run.send(0)
    run.send(1)
    assert run.send(1) == []
    assert run.send(0) == []
    assert run.assembler.count.repeated == 146
    assert run.assembler.count.expected == 146


def test_a_frame_overtaken_by_another_was_declared_lost_and_is_dropped() -> None:
    run = Run()
    run.send(0)
    run.send(2)
    assert run.send(1) == []
    assert len(run.send(3)) == 1
    assert run.gaps == [(73, 73, "lost")]
    assert run.assembler.count.repeated == 73


def test_what_comes_after_the_first_frame_and_is_older_is_dropped() -> None:
    run = Run()
    run.send(1)
    assert run.send(0) == []
    assert len(run.send(2)) == 1
    assert run.gaps == []


@pytest.mark.parametrize("error", [-0.02, -0.01, 0.01, 0.02])
def test_a_device_off_its_rate_by_two_percent_loses_nothing(error: float) -> None:
    run = Run(rate_hz=130 * (1 + error))
    for frame in range(600):
        run.send(frame)
    assert run.gaps == []
    assert run.assembler.rate_hz == pytest.approx(run.rate_hz, rel=1e-4)


def test_whole_frames_are_lost_even_if_the_clock_scatters_by_a_tenth_of_a_second() -> None:
    run = Run()
    draw = np.random.default_rng(4)
    lost = {7, 8, 20, 33, 34, 35}
    for frame in range(40):
        if frame not in lost:
            run.send(frame, error_ns=-int(draw.uniform(0, 0.1) * NS))
    assert [gap[:2] for gap in run.gaps] == [(7 * SIZE, 2 * SIZE), (20 * SIZE, SIZE), (33 * SIZE, 3 * SIZE)]


@pytest.mark.parametrize("error", [-0.02, 0.02])
def test_a_long_loss_is_counted_at_the_device_s_own_rate(error: float) -> None:
    run = Run(rate_hz=130 * (1 + error))
    for frame in range(300):
        run.send(frame)
    run.send(340)
    assert run.gaps == [(300 * SIZE, 40 * SIZE, "lost")]  # by the nominal rate it would be 58 samples more or less


def test_steps_back_of_the_clock_lose_nothing() -> None:
    """Real captures step back in 4 to 10 % of packets; here 8 %, by up to 0.4 s, beside 20 ms of scatter."""
    generator = np.random.default_rng(3)
    run = Run()
    for frame in range(2000):
        back = generator.random() < 0.08
        run.send(frame, -round(generator.uniform(0, 0.4) * NS) if back else round(generator.normal(0, 0.02) * NS))
    assert run.gaps == []
    assert run.assembler.count.received == 2000 * SIZE


def test_a_step_beyond_the_frame_before_loses_nothing_and_shows_later_loss() -> None:
    run = Run()
    for frame in range(4):
        run.send(frame)
    run.send(4, -round(2.5 * FRAME_NS))
    run.send(5)
    run.send(7)
    assert run.gaps == [(6 * SIZE, SIZE, "lost")]
    assert run.assembler.count.expected == 8 * SIZE


def test_a_clock_that_stays_set_back_is_believed() -> None:
    run = Run()
    for frame in range(4):
        run.send(frame)
    for frame in range(4, 8):
        run.send(frame, -NS)
    run.send(9, -NS)
    assert run.gaps == [(8 * SIZE, SIZE, "lost")]


@pytest.mark.parametrize("jump_s", [-(BACK_S + 1), -6 * 365 * 86400, 3700, 5 * 365 * 86400])
def test_a_jump_of_the_clock_starts_a_segment(jump_s: float) -> None:
    """A strap that has had no power falls back to 2019; a phone that sets its clock makes it leap ahead."""
    run = Run()
    run.send(0)
    run.send(1)
    for frame in range(2, 5):
        run.send(frame, round(jump_s * NS))
    run.send(6, round(jump_s * NS))
    assert run.gaps == [(146, None, "clock jumped"), (5 * SIZE, SIZE, "lost")]


def test_an_hour_of_silence_is_still_counted() -> None:
    run = Run()
    run.send(0)
    run.send(6000)
    assert run.gaps == [(73, 5999 * SIZE, "lost")]


def test_what_a_disconnection_cost_is_told_by_the_clock() -> None:
    run = Run()
    run.send(0)
    run.assembler.resume()
    run.send(11)
    run.send(13)
    assert run.gaps == [(73, 730, "disconnected"), (12 * SIZE, SIZE, "lost")]


def test_a_disconnection_that_cost_less_than_half_a_frame_is_counted_too() -> None:
    run = Run()
    run.send(0)
    run.assembler.resume()
    run.send(1, round(20 / 130 * NS))
    assert run.gaps == [(73, 20, "disconnected")]


def test_a_disconnection_that_cost_nothing_leaves_no_gap() -> None:
    run = Run()
    run.send(0)
    run.assembler.resume()
    run.send(1)
    assert run.gaps == []


@pytest.mark.parametrize("jump_s", [-1, -6 * 365 * 86400, 2 * 86400])
def test_after_a_disconnection_and_a_jump_nobody_knows_what_is_lost(jump_s: int) -> None:
    run = Run()
    run.send(0)
    run.assembler.resume()
    run.send(1, jump_s * NS)
    assert run.gaps == [(73, None, "disconnected")]


def test_a_night_without_the_device_is_counted() -> None:
    run = Run()
    run.send(0)
    run.assembler.resume()
    run.send(round(8 * 3600 * NS / FRAME_NS))
    ((_, lost, reason),) = run.gaps
    assert reason == "disconnected"
    assert lost == (round(8 * 3600 * NS / FRAME_NS) - 1) * SIZE


def test_a_single_sample_a_second_that_is_lost_is_seen() -> None:
    assembler = TimedAssembler(Signal("temperature", "°C", 1.0, ("t",), clock_hz=1e9))
    for second in (0, 1, 3):
        found = assembler.feed(values(second, 1), second * NS, 0)
    assert isinstance(found[0], Gap)
    assert (found[0].first, found[0].lost) == (2, 1)


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.zeros((0, 1), np.float32), "wanted a frame with samples"),
        (np.zeros((3, 2), np.float32), r"float32 \(n, 1\)"),
        (np.zeros((3, 1)), "got float64"),
    ],
)
def test_values_that_do_not_fit_are_refused_and_change_nothing(array: NDArray[np.float32], complaint: str) -> None:
    run = Run()
    run.send(0)
    with pytest.raises(PulseletError, match=complaint):
        run.assembler.feed(array, run.time_ns(1), 0)
    run.send(1)
    assert run.gaps == []


def test_a_signal_without_a_rate_or_a_clock_is_refused() -> None:
    for signal in (Signal("pp", "ms", None, ("pp",), clock_hz=1e9), Signal("ecg", "mV", 130.0, ("ecg",))):
        with pytest.raises(PulseletError, match="wants a rate and a device clock"):
            TimedAssembler(signal)


@dataclass(frozen=True)
class Sent:
    """One frame of a story: how many samples, and by how many frames each of its copies is late; lost without any."""

    size: int
    copies: tuple[int, ...]


COPIES = st.sampled_from([(0,), (0,), (0,), (), (1,), (3,), (0, 0), (0, 2), (2, 1), (3, 0, 1)])


@st.composite
def stories(draw: st.DrawFn) -> tuple[float, list[Sent]]:
    """Frames of up to a second; the largest is smaller than two of the smallest."""
    rate_hz = draw(st.sampled_from([25.0, 52.0, 55.0, 130.0, 135.0, 200.0]))
    least = draw(st.integers(1, int(rate_hz / 2)))
    return rate_hz, draw(st.lists(st.builds(Sent, st.integers(least, 2 * least - 1), COPIES), min_size=1, max_size=60))


def arrivals(story: list[Sent]) -> list[int]:
    """Return the numbers of the frames in the order in which they arrive."""
    order = [(number + late, number) for number, sent in enumerate(story) for late in sent.copies]
    return [number for _, number in sorted(order)]


@given(stories())
@settings(deadline=None, max_examples=300)
def test_every_lost_sample_is_declared_and_none_is_invented(story: tuple[float, list[Sent]]) -> None:
    rate_hz, frames = story
    ends = np.cumsum([frame.size for frame in frames]).tolist()
    assembler = TimedAssembler(Signal("x", "g", rate_hz, ("x",), clock_hz=1e9))
    order = arrivals(frames)
    found: list[Block | Gap] = []
    newest, received, dropped = -1, set[int](), 0
    begin = ends[order[0]] - frames[order[0]].size if order else 0
    for number in order:
        size, end = frames[number].size, ends[number]
        found += assembler.feed(values(end - size, size), BEGIN_NS + round((end - 1) / rate_hz * NS), 0)
        if number > newest:  # else it was here before, or was overtaken: dropped
            newest = number
            received |= set(range(end - size, end))
        else:
            dropped += size
    total = ends[newest] - begin if order else 0
    count = assembler.count
    assert (count.received, count.lost, count.repeated) == (len(received), total - len(received), dropped)
    seen, missing = set[int](), set[int]()
    for piece in found:
        if isinstance(piece, Block):
            assert piece.values[:, 0].tolist() == list(range(begin + piece.first, begin + piece.end))
            seen |= set(range(begin + piece.first, begin + piece.end))
        else:
            missing |= set(range(begin + piece.first, begin + piece.end))
    assert seen == received
    assert missing == set(range(begin, begin + total)) - received


@dataclass
class Live(Run):
    """A run whose frames arrive when they are complete, at some speed, and some time later."""

    speed: float = 1.0

    def frame(self, number: int, *, set_s: float = 0.0, late_s: float = 0.05) -> list[Block | Gap]:
        arrival_s = 1000 + (number + 1) * FRAME_NS / NS / self.speed + late_s
        time_ns = self.time_ns(number) + round(set_s * NS)
        new = self.assembler.feed(values(number * SIZE, SIZE), time_ns, round(arrival_s * NS))
        self.found += new
        return new


@pytest.mark.parametrize("set_s", [30.0, 1800.0, 3500.0])
def test_a_clock_that_is_set_ahead_invents_no_loss(set_s: float) -> None:
    run = Live()
    for number in range(20):
        run.frame(number)
    for number in range(20, 40):
        run.frame(number, set_s=set_s)
    run.frame(41, set_s=set_s)
    assert run.gaps == [(20 * SIZE, None, "clock jumped"), (40 * SIZE, SIZE, "lost")]


@pytest.mark.parametrize("set_s", [-1200.0, 1200.0, 3600.0])
def test_a_clock_that_is_set_while_away_leaves_the_size_open(set_s: float) -> None:
    run = Live()
    for number in range(20):
        run.frame(number)
    run.assembler.resume()
    run.frame(round(2400 * NS / FRAME_NS), set_s=set_s)
    assert run.gaps == [(20 * SIZE, None, "disconnected")]


@pytest.mark.parametrize("away_s", [3.0, 600.0, 8 * 3600.0])
def test_what_a_disconnection_cost_is_counted_where_clock_and_arrival_agree(away_s: float) -> None:
    run = Live()
    for number in range(20):
        run.frame(number)
    run.assembler.resume()
    back = 20 + round(away_s * NS / FRAME_NS)
    run.frame(back, late_s=1.0)
    assert run.gaps == [(20 * SIZE, (back - 20) * SIZE, "disconnected")]


@pytest.mark.parametrize("begin", [0, 100])
def test_frames_lost_out_of_a_queue_that_had_waited_for_the_link_are_counted(begin: int) -> None:
    """Also if the stream began in such a queue, by which nobody knows yet how late it was."""
    run = Live()
    for number in range(begin):
        run.frame(number)
    for number in (*range(begin, begin + 40), *range(begin + 60, begin + 74)):  # all at once
        run.frame(number, late_s=0.05 + (begin + 74 - number) * FRAME_NS / NS)
    for number in range(begin + 74, begin + 100):
        run.frame(number)
    assert run.gaps == [((begin + 40) * SIZE, 20 * SIZE, "lost")]


@pytest.mark.parametrize("seed", range(20))
def test_stalls_and_losses_and_disconnections_of_a_live_link_are_all_counted(seed: int) -> None:
    """Links that stand still for up to 40 s, device clocks off by half a percent, rates by two."""
    draw = np.random.default_rng(seed)
    drift, number, lost, ready_s = draw.uniform(0.995, 1.005), 0, 0, 0.0
    run = Live(rate_hz=130 * draw.uniform(0.98, 1.02))
    for _ in range(600):
        fate = draw.random()
        if number and fate < 0.03:
            more = int(draw.integers(1, 20)) if fate < 0.02 else int(draw.integers(10, 2000))
            if fate >= 0.02:
                run.assembler.resume()
            number, lost = number + more, lost + more
        elif fate < 0.04:
            ready_s += draw.uniform(0, 40)
        end_s = (number + 1) * SIZE / run.rate_hz
        ready_s = max(ready_s, end_s + draw.exponential(0.03))
        time_ns = BEGIN_NS + round((end_s - 1 / run.rate_hz) * drift * NS)
        run.found += run.assembler.feed(values(number * SIZE, SIZE), time_ns, round((1000 + ready_s) * NS))
        number += 1
    assert None not in [gap[1] for gap in run.gaps]
    assert run.assembler.count.lost == pytest.approx(lost * SIZE, rel=0.01)  # by a rate that drifts


@pytest.mark.parametrize("speed", [20.0, 1000.0, 1e6])
def test_a_simulation_faster_than_real_time_counts_by_the_clock_as_ever(speed: float) -> None:
    run = Live(speed=speed)
    for number in range(300):
        run.frame(number, late_s=0.0)
    run.frame(340, late_s=0.0)
    run.assembler.resume()
    run.frame(4000, late_s=0.0)
    assert run.gaps == [(300 * SIZE, 40 * SIZE, "lost"), (341 * SIZE, 3659 * SIZE, "disconnected")]
