"""Every index once: what arrives, what is lost and what rested add up to what the device counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError
from pulselet.packets.profile import END, INT16, Description, Packet, StreamInfo
from pulselet.stream.assemble import Assembler
from pulselet.stream.block import Block, Gap, Signal
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
