"""The stream profile without a radio: what becomes of results, and of a device that comes back as another."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from pulselet.device.link import Link
from pulselet.device.sources.profile import ProfileSource
from pulselet.errors import DeviceError, PacketError
from pulselet.packets import profile
from pulselet.packets.profile import INT16, Description, Identity, Packet, Result, StreamInfo
from pulselet.stream.block import Block, Gap

ACC = StreamInfo(1, "acc", "g", ("x",), 50_000, 1 / 4096)
RAW = Description(7, 32768, (ACC,))
IDENTITY = Identity(bytes(32), bytes([1]) * 32, ("rest", "walk"))


class Device(Link):
    """A device that is asked, and remembers what it was told."""

    def __init__(self, description: Description = RAW, identity: Identity | None = IDENTITY) -> None:
        super().__init__("Board", "F0:00:00:00:00:10")
        self.description, self.identity = description, identity
        self.written: list[bytes] = []

    @property
    def characteristics(self) -> dict[str, list[str]]:
        offered = {profile.DATA: ["notify"], profile.DESCRIPTION: ["read"], profile.CONTROL: ["write"]}
        own = {profile.IDENTITY: ["read"], profile.RESULT: ["notify"]}
        return offered | own if self.identity is not None else offered

    async def read(self, uuid: str) -> bytes:
        return bytes(self.identity if uuid == profile.IDENTITY and self.identity else self.description)

    async def write(self, uuid: str, data: bytes) -> None:
        self.written.append(data)
        if data == profile.START:
            self.description = replace(self.description, session=self.description.session + 1)

    async def subscribe(self, uuid: str) -> None:
        pass


def streaming(device: Device, *names: str) -> ProfileSource:
    source = ProfileSource()

    async def begin() -> None:
        await source.prepare(device)
        await source.start(device, names or source.default)

    asyncio.run(begin())
    return source


def powered_off(device: Device) -> None:
    device.description = replace(device.description, session=device.description.session + 100)


def result(source: ProfileSource, number: int, ticks: int = 0, start: int = 0) -> list[Block | Gap]:
    data = bytes(Result(number % 2**16, ticks % 2**32, start % 2**32, 1, 0, 0.5, 1.0))
    return source.feed(profile.RESULT, data, 0)


def gaps(items: list[Block | Gap]) -> list[tuple[int, int | None, str]]:
    return [(item.first, item.lost, item.reason) for item in items if isinstance(item, Gap)]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"scale": 4 / 4096}, "streams"),  # 16 g in place of 4 g
        ({"rate_mhz": 100_000}, "streams"),
        ({"channels": ("x", "y")}, "streams"),
        ({"id": 2}, "streams"),
    ],
)
def test_a_device_that_comes_back_with_other_streams_is_not_gone_on_with(change: dict[str, object], what: str) -> None:
    device = Device()
    source = streaming(device)
    powered_off(device)
    device.description = replace(device.description, streams=(replace(ACC, **change),))  # type: ignore[arg-type]
    device.written.clear()
    with pytest.raises(DeviceError, match=f"Board came back with other {what} .* start a new one") as caught:
        asyncio.run(source.resume(device))
    assert caught.value.reason == "changed"
    assert device.written == []


def test_another_clock_or_net_is_a_change_too() -> None:
    for what in ("clock", "net"):
        device = Device()
        source = streaming(device)
        powered_off(device)
        if what == "clock":
            device.description = replace(device.description, clock_hz=1000)
        else:
            device.identity = replace(IDENTITY, net=bytes([2]) * 32)
        with pytest.raises(DeviceError) as caught:
            asyncio.run(source.resume(device))
        assert caught.value.reason == "changed"


def test_a_device_that_comes_back_as_it_was_goes_on() -> None:
    device = Device()
    source = streaming(device)
    asyncio.run(source.resume(device))
    powered_off(device)
    asyncio.run(source.resume(device))
    asyncio.run(source.resume(device))
    assert device.written == [profile.START, profile.CONTINUE, profile.START, profile.CONTINUE]


def test_results_after_a_power_cycle_are_taken_and_counted_on() -> None:
    device = Device()
    source = streaming(device)
    for number in range(500):
        result(source, number)
    powered_off(device)
    asyncio.run(source.resume(device))
    items = [item for number in range(3, 520) for item in result(source, number)]
    assert gaps(items) == [(500, None, "restarted"), (500, 3, "restarted")]
    assert [item.first for item in items if isinstance(item, Block)] == list(range(503, 1020))
    assert source.counts["result"].repeated == 0


def test_results_that_a_disconnection_cost_say_so() -> None:
    device = Device()
    source = streaming(device)
    result(source, 0)
    asyncio.run(source.resume(device))
    assert gaps(result(source, 40_001)) == [(1, 40_000, "disconnected")]
    assert gaps(result(source, 40_003)) == [(40_002, 1, "lost")]
    assert result(source, 40_003) == []


def test_the_number_of_a_result_goes_round_and_the_index_goes_on() -> None:
    source = streaming(Device())
    for number in range(0, 70_000, 10_000):
        result(source, number)
    (gap, block) = result(source, 70_000)
    assert gap == Gap(source.signals["result"], 60_001, 9_999, "lost")
    assert block.first == 70_000


def test_the_time_of_a_result_is_unwrapped_as_that_of_the_samples_is() -> None:
    """The first result comes after the clock has gone round, which only the samples have shown."""
    source = streaming(Device())
    samples = np.zeros((25, 1), np.int16)
    for index in range(0, 7_000_000, 30_000):
        ticks = index * 32768 // 50
        source.feed(profile.DATA, bytes(Packet.of(1, INT16, index, ticks, samples)), 0)
    found = []
    for number, at in enumerate((ticks - 100, ticks + 100)):
        (block,) = result(source, number, at, start=2**32 + 2**24 + 5)
        assert isinstance(block, Block)
        found.append(block.device_ticks)
        assert block.values[0, 0] == 5
    assert ticks > 2**32
    assert found == [ticks - 100, ticks + 100]


def test_the_time_of_a_result_begins_anew_with_the_device() -> None:
    device = Device()
    source = streaming(device)
    result(source, 0, 2**32 - 5)
    powered_off(device)
    asyncio.run(source.resume(device))
    _, block = result(source, 0, 77)
    assert isinstance(block, Block)
    assert block.device_ticks == 77


def test_a_stream_called_result_is_refused_where_there_are_results() -> None:
    named = replace(RAW, streams=(replace(ACC, name="result"),))
    with pytest.raises(PacketError, match="calls a stream 'result'"):
        streaming(Device(named))
    assert streaming(Device(named, identity=None)).signals["result"].channels == ("x",)
