"""Every index once: what arrives, what is lost and what rested add up to what the device counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError
from pulselet.packets.profile import END, INT16, Description, Packet, StreamInfo
from pulselet.stream.assemble import Assembler, Count
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.pace import Pace
from pulselet.stream.readings import ReadingAssembler

RATE_HZ, CLOCK_HZ = 50, 1000
DESCRIPTION = Description(1, CLOCK_HZ, (StreamInfo(1, "acc", "g", ("x",), RATE_HZ * 1000, 0.5),))


def packet(first: int, count: int) -> bytes:
    """Return samples whose values tell their index."""
    values = (np.arange(first, first + count) % 1000).astype("<i2")
    return bytes(Packet(1, INT16, first % 2**16, first * CLOCK_HZ // RATE_HZ % 2**32, values.tobytes()))


def fed(*data: bytes) -> tuple[Assembler, list[tuple[str, int, int]]]:
    assembler = Assembler(DESCRIPTION)
    items = [item for one in data for item in assembler.feed(one, 0)]
    return assembler, [(i.reason if isinstance(i, Gap) else "block", i.first, i.end) for i in items]


def test_values_are_scaled_and_keep_index_ticks_and_arrival() -> None:
    (block,) = Assembler(DESCRIPTION).feed(packet(0, 3), 99)
    assert isinstance(block, Block)
    assert block.values.tolist() == [[0.0], [0.5], [1.0]]
    assert (block.first, block.device_ticks, block.arrival_ns) == (0, 0, 99)


def test_a_lost_packet_becomes_a_gap() -> None:
    assembler, items = fed(packet(0, 10), packet(20, 10))
    assert items == [("block", 0, 10), ("lost", 10, 20), ("block", 20, 30)]
    assert assembler.counts["acc"].lost == 10


def test_samples_lost_before_the_first_packet_are_a_gap_too() -> None:
    assert fed(packet(30, 10))[1] == [("lost", 0, 30), ("block", 30, 40)]


def test_a_packet_that_comes_twice_counts_once() -> None:
    assembler, items = fed(packet(0, 10), packet(0, 10), packet(10, 10))
    assert items == [("block", 0, 10), ("block", 10, 20)]
    assert assembler.counts["acc"].repeated == 10


def test_only_the_new_part_of_an_overlapping_packet_is_taken() -> None:
    assembler, items = fed(packet(0, 10), packet(5, 10))
    assert items == [("block", 0, 10), ("block", 10, 15)]
    assert assembler.counts["acc"].repeated == 5


def test_the_index_goes_on_when_its_16_bits_wrap() -> None:
    _, items = fed(packet(0, 10), packet(65_530, 10), packet(65_540, 10))
    assert items[-2:] == [("block", 65_530, 65_540), ("block", 65_540, 65_550)]


@pytest.mark.parametrize("lost", [65_536, 131_072 + 5, 1_000_000])
def test_a_silence_longer_than_the_index_is_counted_by_the_clock(lost: int) -> None:
    assert fed(packet(0, 10), packet(10 + lost, 10))[1][1] == ("lost", 10, 10 + lost)


def test_a_rest_is_not_a_loss() -> None:
    pause = bytes(Packet.pause(1, 110, 110 * 20, since=10))
    assembler, items = fed(packet(0, 10), pause, packet(110, 10))
    assert items == [("block", 0, 10), ("paused", 10, 110), ("block", 110, 120)]
    assert assembler.counts["acc"].lost == 0


@pytest.mark.parametrize("rest", [70_000, 500_000])
def test_a_rest_longer_than_the_index_is_still_no_loss(rest: int) -> None:
    until = 10 + rest
    pause = bytes(Packet.pause(1, until, until * 20, since=10))
    assembler, items = fed(packet(0, 10), pause, packet(until, 5))
    assert items == [("block", 0, 10), ("paused", 10, until), ("block", until, until + 5)]
    assert assembler.counts["acc"].lost == 0


def test_samples_lost_before_a_rest_are_told_apart_from_it() -> None:
    assert fed(packet(0, 10), bytes(Packet.pause(1, 110, 110 * 20, since=30)))[1][1:] == [
        ("lost", 10, 30),
        ("paused", 30, 110),
    ]


def test_the_end_tells_what_was_lost_before_it() -> None:
    assembler, items = fed(packet(0, 10), bytes(Packet(1, END, 25, 500)))
    assert items[-1] == ("lost", 10, 25)
    assert assembler.complete


def test_a_packet_of_another_stream_is_refused_and_changes_nothing() -> None:
    assembler, _ = fed(packet(0, 10))
    with pytest.raises(PacketError, match="stream 9"):
        assembler.feed(bytes(Packet(9, INT16, 10, 200, bytes(2))), 0)
    assert assembler.counts["acc"].expected == 10


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(["sent", "lost", "twice"])), max_size=60))
def test_received_lost_and_paused_add_up_to_what_the_device_counted(story: list[tuple[int, str]]) -> None:
    assembler, at, sent = Assembler(DESCRIPTION), 0, 0
    items: list[Block | Gap] = []
    for count, fate in story:
        for _ in range({"sent": 1, "lost": 0, "twice": 2}[fate]):
            items += assembler.feed(packet(at, count), 0)
        at += count
        sent += count if fate != "lost" else 0
    items += assembler.feed(bytes(Packet(1, END, at % 2**16, at * 20)), 0)
    count_of = assembler.counts["acc"]
    assert (count_of.received, count_of.received + count_of.lost) == (sent, at)
    assert [item.first for item in items] == [0, *(item.end for item in items)][: len(items)]
    for block in (item for item in items if isinstance(item, Block)):
        assert (block.values[:, 0] * 2 == np.arange(block.first, block.end) % 1000).all()


@pytest.mark.parametrize("back_s", [0.1, 3600.0, 40_000.0])
def test_a_clock_that_steps_back_loses_nothing(back_s: float) -> None:
    early = Packet.from_bytes(packet(10, 10))
    stepped = bytes(replace(early, ticks=(early.ticks - round(back_s * CLOCK_HZ)) % 2**32))
    assembler, items = fed(packet(0, 10), stepped, packet(20, 10))
    assert items == [("block", 0, 10), ("block", 10, 20), ("block", 20, 30)]
    assert assembler.counts["acc"].lost == 0


def test_after_a_reconnect_the_gap_says_why() -> None:
    assembler = Assembler(DESCRIPTION)
    assembler.feed(packet(0, 10), 0)
    assembler.resume()
    gap, _ = assembler.feed(packet(30, 10), 0)
    assert gap == Gap(assembler.signals[1], 10, 20, "disconnected")
    assert assembler.feed(packet(50, 10), 0)[0] == Gap(assembler.signals[1], 40, 10, "lost")


def test_a_device_that_counts_from_0_again_goes_on_where_the_stream_was() -> None:
    assembler = Assembler(DESCRIPTION)
    assembler.feed(packet(0, 10), 0)
    assembler.restart()
    unknown, lost, block = assembler.feed(packet(5, 10), 0)
    assert unknown == Gap(assembler.signals[1], 10, None, "restarted")
    assert (lost.first, lost.end) == (10, 15)  # the first five samples of its new count never came
    assert (block.first, block.end) == (15, 25)
    (block,) = assembler.feed(packet(15, 10), 0)
    assert (block.first, block.end) == (25, 35)


def test_readings_without_number_or_time_say_after_a_reconnect_that_something_may_be_missing() -> None:
    readings = ReadingAssembler(Signal("rr", "s", None, ("rr",), loss_detectable=False))
    one = np.ones((2, 1), np.float32)
    assert [item.first for item in readings.feed(one, 0)] == [0]
    readings.resume()
    assert readings.feed(one[:0], 0) == []  # a notification without an interval
    gap, block = readings.feed(one, 0)
    assert gap == Gap(readings.signal, 2, None, "disconnected")
    assert (block.first, readings.count.received, readings.count.lost) == (2, 4, 0)


NS = 1_000_000_000


class Told:
    """A story for an assembler: packets of half a second, what the device's clock says, and when they arrive."""

    def __init__(self, rate_hz: int = 50, clock_hz: int = 1_000_000, speed: float = 1.0) -> None:
        info = StreamInfo(1, "acc", "g", ("x",), rate_hz * 1000, 1.0)
        self.assembler = Assembler(Description(1, clock_hz, (info,)))
        self.size, self.rate_hz, self.clock_hz, self.speed = max(rate_hz // 2, 1), rate_hz, clock_hz, speed
        self.at, self.clock_off_s, self.late_s = 0, 0.0, 0.05
        self.gaps: list[tuple[int | None, str]] = []

    @property
    def count(self) -> Count:
        return self.assembler.counts["acc"]

    def packets(self, number: int, late_s: float | None = None) -> Told:
        """Send so many packets; each is complete half a second after its first sample, and arrives later than that."""
        for _ in range(number):
            ticks = round((self.at / self.rate_hz + self.clock_off_s) * self.clock_hz) % 2**32
            values = np.zeros(self.size, "<i2").tobytes()
            end_s = (self.at + self.size) / self.rate_hz
            arrival_s = end_s / self.speed + (self.late_s if late_s is None else late_s)
            data = bytes(Packet(1, INT16, self.at % 2**16, ticks, values))
            found = self.assembler.feed(data, round((arrival_s + 1000) * NS))
            self.gaps += [(item.lost, item.reason) for item in found if isinstance(item, Gap)]
            self.at += self.size
        return self

    def stalled(self, number: int) -> Told:
        """Send so many packets that all arrive together, when the last one is complete."""
        last_s = (self.at + number * self.size) / self.rate_hz
        for _ in range(number):
            self.packets(1, late_s=last_s - (self.at + self.size) / self.rate_hz + self.late_s)
        return self

    def lose(self, seconds: float) -> int:
        """Lose whole packets of about so many seconds, and return how many samples that are."""
        lost = round(seconds * self.rate_hz / self.size) * self.size
        self.at += lost
        return lost


@pytest.mark.parametrize("minutes", [20, 40, 60, 72, 143])
def test_a_clock_that_went_round_while_away_is_unwrapped_by_the_time_that_passed(minutes: int) -> None:
    """The microseconds of an Arduino fill 32 bits in 71.6 minutes; half of that is as far as the clock alone tells."""
    told = Told().packets(20)
    told.assembler.resume()
    lost = told.lose(60 * minutes)
    told.packets(200)
    assert told.gaps == [(lost, "disconnected")]
    assert (told.count.received, told.count.repeated) == (220 * told.size, 0)


def test_ticks_go_on_over_a_round_of_the_clock_while_away() -> None:
    told = Told().packets(20)
    told.assembler.resume()
    told.lose(72 * 60)
    told.packets(1)
    assert told.assembler.unwrapped(0) == 2**32
    assert told.assembler.unwrapped(2**32 - 1) == 2**32 - 1


@pytest.mark.parametrize("step_s", [-7200.0, -600.0, -30.0, 30.0, 600.0, 7200.0])
def test_a_clock_that_is_set_loses_nothing_where_the_index_goes_on(step_s: float) -> None:
    told = Told(130, 32768).packets(10)
    told.clock_off_s = step_s
    told.packets(50)
    lost = told.lose(5)
    told.packets(10)
    assert told.gaps == [(lost, "lost")]


def test_a_clock_that_was_set_while_away_does_not_hide_what_that_cost() -> None:
    told = Told(130, 32768).packets(10)
    told.assembler.resume()
    told.clock_off_s = -5000.0
    lost = told.lose(3000)
    told.packets(10)
    assert told.gaps == [(lost, "disconnected")]


def test_where_index_clock_and_arrival_do_not_decide_the_gap_has_no_size() -> None:
    """At 2 kHz the index goes round in 33 s, and the arrivals tell no more than to a minute; the clock was set."""
    told = Told(2000, 32768).packets(10)
    told.assembler.resume()
    told.clock_off_s = -5000.0
    told.lose(300)
    told.packets(10)
    assert told.gaps == [(None, "disconnected")]
    assert (told.count.received, told.count.repeated) == (20 * told.size, 0)
    lost = told.lose(2)
    told.packets(1)
    assert told.gaps[1:] == [(lost, "lost")]


def test_a_link_that_stalls_and_loses_packets_meanwhile_costs_what_it_costs() -> None:
    told = Told().packets(20).stalled(60)
    first = told.lose(10)
    told.stalled(40).packets(20)
    second = told.lose(25)
    told.stalled(1).packets(2000).stalled(100)
    third = told.lose(50)
    told.packets(5)
    assert told.gaps == [(first, "lost"), (second, "lost"), (third, "lost")]


@pytest.mark.parametrize("speed", [20.0, 1000.0, 1e6])
@pytest.mark.parametrize("minutes", [10, 30, 600])
def test_what_is_lost_in_a_simulation_faster_than_real_time_is_counted_by_the_clock(speed: float, minutes: int) -> None:
    told = Told(50, 32768, speed)
    told.late_s = 0.0
    told.packets(500)
    told.assembler.resume()
    lost = told.lose(60 * minutes)
    told.packets(100)
    assert told.gaps == [(lost, "disconnected")]


def test_arrivals_that_nobody_stamps_are_not_asked() -> None:
    assembler = Assembler(DESCRIPTION)
    for first in range(0, 500, 10):
        assembler.feed(packet(first, 10), 7)
    gap, _ = assembler.feed(packet(200_000, 10), 7)
    assert gap == Gap(assembler.signals[1], 500, 199_500, "lost")


@pytest.mark.parametrize(("device_s", "host_s"), [(0.5, 0.5), (10.0, 0.5), (0.5, 0.5e-6)])
def test_no_more_device_time_can_have_passed_than_has_at_the_pace_so_far(device_s: float, host_s: float) -> None:
    """The window always holds what the pace would give, and opens once there are 3 s of the host's and 4 packets."""
    pace = Pace()
    for number in range(10):
        window_s = pace.window_s(round((number + 1) * host_s * NS))
        assert (window_s is None) == (number < 4 or (number - 1) * host_s < 3)
        if window_s is not None:
            assert window_s[0] <= device_s <= window_s[1]
        pace.follow(device_s, round((number + 1) * host_s * NS))


def test_a_rest_that_is_announced_from_its_beginning_again_and_again_is_no_loss() -> None:
    pauses = [bytes(Packet.pause(1, until, until * 20, since=10)) for until in (110, 210, 310)]
    assembler, items = fed(packet(0, 10), *pauses, packet(310, 10))
    assert [item[0] for item in items] == ["block", "paused", "paused", "paused", "block"]
    assert (assembler.counts["acc"].paused, assembler.counts["acc"].lost) == (300, 0)


def test_after_a_restart_no_stream_is_over() -> None:
    assembler, _ = fed(packet(0, 10), bytes(Packet(1, END, 10, 200)))
    assert assembler.complete
    assembler.restart()
    assert not assembler.complete
