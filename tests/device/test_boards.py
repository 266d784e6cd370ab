"""Home-made boards on a UART, and Movesense sensors, over a virtual radio."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from pulselet.device.faults import Faults
from pulselet.device.link import Link
from pulselet.device.reconnect import Reconnect
from pulselet.device.session import Device, connect
from pulselet.device.sources import MovesenseSource, Source, UartSource
from pulselet.device.virtual import VirtualDevice
from pulselet.device.virtual_radio import VirtualRadio
from pulselet.device.virtual_roles.role import Host, Role, Timed
from pulselet.errors import DeviceError, PacketError
from pulselet.packets import movesense, uart
from pulselet.packets.uart import StructFormat, TextLines
from pulselet.stream.block import Block, Gap

AT_ONCE = Reconnect(first_s=0.001, longest_s=0.02)


class Uart(Role):
    """Sends what it is given, one notification every 0.1 s, from the moment that somebody listens."""

    services: ClassVar = {uart.SERVICE: {uart.NOTIFY: ("notify",), uart.WRITE: ("write",)}}
    advertised = (uart.SERVICE,)

    def __init__(self, notifications: list[bytes]) -> None:
        self.notifications = notifications

    def subscribed(self, host: Host, uuid: str, on: bool) -> None:
        if on:
            begin_s = host.now_s
            past = round(begin_s * 10)
            timed = (Timed((past + n + 1) / 10, uart.NOTIFY, one) for n, one in enumerate(self.notifications[past:]))
            host.play("uart", timed)


class Movesense(Role):
    """Streams a ramp on `/Meas/ECG/125/mV` and a heart rate, as the protocol has it."""

    services: ClassVar = {movesense.SERVICE: {movesense.WRITE: ("write",), movesense.NOTIFY: ("notify",)}}
    advertised = (movesense.SERVICE,)

    def __init__(self) -> None:
        self.streaming: set[int] = set()

    def write(self, host: Host, uuid: str, value: bytes) -> None:
        operation, reference, path = value[0], value[1], value[2:].decode()
        status = 200 if operation == 2 or path in ("/Meas/ECG/125/mV", "/Meas/HR") else 404
        answer = Timed(host.now_s, movesense.NOTIFY, struct.pack("<BBH", 1, reference, status))
        if operation == 1 and status == 200:
            self.streaming.add(reference)
            data = self._ecg(reference, host.now_s) if "ECG" in path else self._heart(reference, host.now_s)
            host.play(f"{reference}", iter([answer, *[next(data) for _ in range(200)]]))
            return
        self.streaming.discard(reference)
        host.play(f"{reference}", iter([answer]))

    def disconnected(self, host: Host) -> None:
        for reference in self.streaming:
            host.rest(f"{reference}")
        self.streaming.clear()

    @staticmethod
    def _ecg(reference: int, from_s: float) -> Iterator[Timed]:
        first = int(from_s * 125) + 1
        while True:
            values = struct.pack("<16f", *range(first, first + 16))
            head = struct.pack("<BBI", 2, reference, first * 8)  # 125 Hz is 8 ms a sample
            yield Timed((first + 16) / 125, movesense.NOTIFY, head + values)
            first += 16

    @staticmethod
    def _heart(reference: int, from_s: float) -> Iterator[Timed]:
        while True:
            from_s += 1
            yield Timed(from_s, movesense.NOTIFY, struct.pack("<BBfH", 2, reference, 61.5, 976))


async def streamed(
    role: Role, source: Source, faults: Faults | None = None, seconds: float = 1.0
) -> tuple[Device, list[Block | Gap]]:
    radio = VirtualRadio()
    virtual = VirtualDevice("Board", [role], speed=20.0, faults=faults)
    await virtual.start(radio)
    try:
        async with connect("Board", adapter=radio.adapter, reconnect=AT_ONCE, sources=[source]) as device:
            return device, [item async for item in device.stream(seconds=seconds)]
    finally:
        await virtual.stop()


RECORDS = StructFormat(layout="<Bhh", fields=("seq", "x", "y"), unit="g", scale=0.5, counter="seq")


def records(count: int) -> list[bytes]:
    """Return notifications of two records each; the counter wraps at 256."""
    return [struct.pack("<BhhBhh", 2 * n % 256, n, -n, (2 * n + 1) % 256, n, 1) for n in range(count)]


def test_a_boards_records_come_with_their_loss_counted_over_the_wrap_of_the_counter() -> None:
    faults = Faults(drop=frozenset({5, 150}), repeat=frozenset({20}))
    source = UartSource(RECORDS, name="acc", rate_hz=20.0)
    device, items = asyncio.run(streamed(Uart(records(200)), source, faults, seconds=1.2))
    gaps = [(item.first, item.lost, item.reason) for item in items if isinstance(item, Gap)]
    assert [lost for _, lost, _ in gaps] == [2, 2]
    assert [item.first for item in items] == [0, *(item.end for item in items[:-1])]
    assert device.counts["acc"].repeated == 2
    first = items[0]
    assert isinstance(first, Block)
    start = int(first.values[0, 0] * 2)
    for block in (item for item in items if isinstance(item, Block)):
        assert block.values[0].tolist() == [(start + block.first // 2) / 2, -(start + block.first // 2) / 2]


def test_a_board_that_drops_goes_on_with_the_gap_that_its_counter_shows() -> None:
    wide = [struct.pack("<HhhHhh", 2 * n, n, -n, 2 * n + 1, n, 1) for n in range(400)]
    source = UartSource(replace(RECORDS, layout="<Hhh"), name="acc", rate_hz=20.0)
    device, items = asyncio.run(streamed(Uart(wide), source, Faults(disconnect={30: 0x08})))
    (gap,) = [item for item in items if isinstance(item, Gap)]
    assert gap.reason == "disconnected"
    assert gap.lost is not None
    assert gap.lost % 2 == 0
    after = items[items.index(gap) + 1]
    first = items[0]
    assert isinstance(after, Block)
    assert isinstance(first, Block)
    assert after.values[0, 0] * 2 - first.values[0, 0] * 2 == after.first // 2
    assert device.reconnects == 1


def heard(
    source: UartSource, story: list[tuple[float, int, int]], away_after: int, data: Callable[[int, int], bytes]
) -> list[tuple[int | None, str]]:
    """Return the gaps of rows that arrive as a story has it: when, in s, from which row on, and up to which."""
    gaps = []
    for number, (at_s, begin, end) in enumerate(story):
        if number == away_after:
            asyncio.run(source.resume(Subscribed()))
        found = source.feed(uart.NOTIFY, data(begin, end), round(at_s * 1e9))
        gaps += [(item.lost, item.reason) for item in found if isinstance(item, Gap)]
    return gaps


class Subscribed(Link):
    """A link that has nothing to say."""

    def __init__(self) -> None:
        super().__init__("Board", "F0:00:00:00:00:10")

    async def subscribe(self, uuid: str) -> None:
        pass


def byte_rows(begin: int, end: int) -> bytes:
    return b"".join(struct.pack("<Bhh", at % 256, at, 0) for at in range(begin, end))


@pytest.mark.parametrize("lost", [20, 240, 300, 700])
@pytest.mark.parametrize("rate_hz", [50.0, None])
def test_what_a_disconnection_cost_is_counted_over_rounds_of_a_small_counter_only_with_a_rate(
    lost: int, rate_hz: float | None
) -> None:
    live = [((10 * n + 10) / 50, 10 * n, 10 * n + 10) for n in range(40)]
    back = [((410 + lost + 10 * n) / 50 + 0.03, 400 + lost + 10 * n, 410 + lost + 10 * n) for n in range(3)]
    source = UartSource(RECORDS, rate_hz=rate_hz)
    gaps = heard(source, live + back, len(live), byte_rows)
    assert gaps == [(lost if rate_hz else None, "disconnected")]
    assert source.counts["uart"].received == 430


@pytest.mark.parametrize("speed", [20.0, 1e6])
def test_a_simulation_faster_than_real_time_leaves_the_size_open(speed: float) -> None:
    live = [((10 * n + 10) / 50 / speed, 10 * n, 10 * n + 10) for n in range(500)]
    back = [(5310 / 50 / speed, 5300, 5310)]
    source = UartSource(RECORDS, rate_hz=50.0)
    assert heard(source, live + back, len(live), byte_rows) == [(None, "disconnected")]


def test_without_stamps_of_arrival_the_size_is_open_too() -> None:
    live = [(0.0, 10 * n, 10 * n + 10) for n in range(40)]
    assert heard(UartSource(RECORDS, rate_hz=50.0), [*live, (0.0, 700, 710)], 40, byte_rows) == [(None, "disconnected")]


def test_rows_that_a_small_counter_shows_to_be_lost_on_a_live_link_are_lost_and_not_repeated() -> None:
    story = [(0.0, at, at + 10) for at in (0, *range(150, 300, 10))]
    source = UartSource(RECORDS, rate_hz=50.0)
    assert heard(source, story, -1, byte_rows) == [(140, "lost")]
    count = source.counts["uart"]
    assert (count.received, count.lost, count.repeated) == (160, 140, 0)


def test_bad_lines_among_good_ones_are_shown_by_the_source_until_it_starts_anew() -> None:
    source = UartSource(TextLines(fields=("x",)))
    source.feed(uart.NOTIFY, b"\n1\nbad\n2\nworse\n", 0)
    with pytest.raises(PacketError, match="no number"):
        source.feed(uart.NOTIFY, b"only bad\n", 0)  # refused as a whole, and so counted by who refuses it
    assert source.malformed == 2
    asyncio.run(source.start(Subscribed(), ["uart"]))
    assert source.malformed == 0


def test_lines_of_text_come_whole_however_they_are_cut_and_their_loss_cannot_be_told() -> None:
    text = b"".join(f"{n}, {n / 4}\r\n".encode() for n in range(300))
    pieces = [text[at : at + 17] for at in range(0, len(text), 17)]
    source = UartSource(TextLines(fields=("a", "b")))
    device, items = asyncio.run(streamed(Uart(pieces), source, Faults(disconnect={10: 0x08})))
    values = np.concatenate([item.values for item in items if isinstance(item, Block)])
    assert (values[:, 1] == values[:, 0] / 4).all()
    (gap,) = [item for item in items if isinstance(item, Gap)]
    assert (gap.lost, gap.reason) == (None, "disconnected")
    assert not device.signals["uart"].loss_detectable


def test_a_movesense_streams_what_it_has_and_its_clock_tells_loss() -> None:
    source = MovesenseSource({"ecg": "/Meas/ECG/125/mV", "hr": "/Meas/HR"})
    role = Movesense()
    device, items = asyncio.run(streamed(role, source, Faults(drop=frozenset({20}))))
    own = [item for item in items if item.signal.name == "ecg"]
    assert [item.first for item in own] == [0, *(item.end for item in own[:-1])]
    first = own[0]
    assert isinstance(first, Block)
    for block in (item for item in own if isinstance(item, Block)):
        assert np.array_equal(block.values[:, 0], first.values[0, 0] + np.arange(block.first, block.end))
    assert [item.lost for item in own if isinstance(item, Gap)] in ([16], [])  # the dropped one may be a heart rate
    beats = [item.values.tolist() for item in items if item.signal.name == "hr" and isinstance(item, Block)]
    assert beats[0] == [[61.5]]
    assert role.streaming == set()
    assert device.signals["ecg"].rate_hz == 125.0


def test_a_path_that_the_sensor_does_not_have_is_named() -> None:
    with pytest.raises(DeviceError, match=r"Board has no /Meas/Acc/52 \(acc\): status 404") as caught:
        asyncio.run(streamed(Movesense(), MovesenseSource({"acc": "/Meas/Acc/52"})))
    assert caught.value.reason == "refused"
