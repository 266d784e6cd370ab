"""Streaming through bleak's public API over a virtual radio: real HCI, L2CAP and ATT, faults included."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError

from pulselet.device import session
from pulselet.device.session import Device, connect, scan
from pulselet.device.virtual import Faults, VirtualWearable
from pulselet.device.virtual_radio import VirtualClient, VirtualRadio, VirtualScanner
from pulselet.errors import DeviceError
from pulselet.packets import profile
from pulselet.packets.profile import StreamInfo
from pulselet.stream.block import Block, Gap
from pulselet.stream.recording import Recording

STREAMS = (
    StreamInfo(1, "acc", "g", ("x", "y", "z"), 50_000, 1 / 4096),
    StreamInfo(2, "ppg", "a.u.", ("green",), 25_000, 0.5),
)
RNG = np.random.default_rng(1)
SEGMENTS = [
    {
        "acc": RNG.integers(-32768, 32768, (2 * n, 3)).astype(np.int16),
        "ppg": RNG.integers(-32768, 32768, (n, 1)).astype(np.int16),
    }
    for n in (313, 200)
]


@asynccontextmanager
async def watch(
    faults: Faults | None = None, speed: float = 200.0
) -> AsyncIterator[tuple[VirtualRadio, VirtualWearable]]:
    radio = VirtualRadio()
    wearable = VirtualWearable("Watch", STREAMS, SEGMENTS, speed=speed, faults=faults or Faults())
    await wearable.start(radio)
    try:
        yield radio, wearable
    finally:
        await wearable.stop()


async def recorded(path: Path, faults: Faults) -> tuple[Device, list[Block | Gap]]:
    async with watch(faults) as (radio, _):
        with Recording.create(path) as recording:
            async with connect("Watch", adapter=radio.adapter) as device:
                return device, [item async for item in device.stream(record=recording)]


def test_a_recording_equals_the_source_sample_for_sample(tmp_path: Path) -> None:
    device, _ = asyncio.run(recorded(tmp_path / "a.plst", Faults()))
    with Recording.open(tmp_path / "a.plst") as recording:
        for info in STREAMS:
            runs = [values for _, values in recording.segments(info.name)]
            for values, segment in zip(runs, SEGMENTS, strict=True):
                assert np.array_equal(values, segment[info.name] * np.float32(info.scale))
        assert recording.meta["ended"] == "complete"
    assert {count.lost for count in device.assembler.counts.values()} == {0}
    assert {count.paused for count in device.assembler.counts.values()} == {100, 50}


def test_replaying_the_raw_packets_gives_the_same_items(tmp_path: Path) -> None:
    device, items = asyncio.run(recorded(tmp_path / "a.plst", Faults(drop=frozenset({4}))))
    with Recording.open(tmp_path / "a.plst") as recording:
        again = session.Assembler(device.description)
        replayed = [item for at, data in recording.packets() for item in again.feed(data, at)]
    assert [(type(i), i.first, i.end) for i in replayed] == [(type(i), i.first, i.end) for i in items]


def test_a_notification_that_never_comes_is_a_gap_of_its_samples(tmp_path: Path) -> None:
    _, items = asyncio.run(recorded(tmp_path / "a.plst", Faults(drop=frozenset({3}), repeat=frozenset({5}))))
    assert [(i.signal.name, i.lost) for i in items if isinstance(i, Gap) and i.reason == "lost"] in (
        [("acc", 25)],
        [("ppg", 12)],
    )


def test_a_device_that_drops_is_an_error_and_the_recording_is_kept(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="Watch disconnected") as caught:
        asyncio.run(recorded(tmp_path / "a.plst", Faults(disconnect_at=20)))
    assert caught.value.reason == "disconnected"
    with Recording.open(tmp_path / "a.plst") as recording:
        assert recording.meta["ended"] == "disconnected"
        assert len(list(recording.packets())) == 20
        ((_, values),) = recording.segments("acc")
        assert np.array_equal(values, SEGMENTS[0]["acc"][: len(values)] * np.float32(1 / 4096))


def test_a_device_that_falls_silent_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "WATCHDOG_S", 0.4)
    with pytest.raises(DeviceError, match="said nothing") as caught:
        asyncio.run(recorded(tmp_path / "a.plst", Faults(silent_at=10)))
    assert caught.value.reason == "silent"
    with Recording.open(tmp_path / "a.plst") as recording:
        assert len(list(recording.packets())) == 10


def test_a_device_that_is_not_there_is_named() -> None:
    async def look() -> None:
        async with watch() as (radio, _), connect("Strap", adapter=radio.adapter, timeout_s=0.3):
            pass

    with pytest.raises(DeviceError, match=r"no device 'Strap' in range within 0\.3 s") as caught:
        asyncio.run(look())
    assert caught.value.reason == "not-found"


@pytest.mark.skipif(sys.platform != "linux", reason="the Bluetooth service is reached over D-Bus on Linux only")
@pytest.mark.parametrize("use", [lambda: scan(0.1), lambda: connect("x", timeout_s=0.1).__aenter__()])
def test_a_computer_without_bluetooth_is_told_so(
    use: Callable[[], Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")

    async def go() -> None:
        await use()

    with pytest.raises(DeviceError, match="Bluetooth") as caught:
        asyncio.run(go())
    assert caught.value.reason == "no-adapter"


def test_a_scan_finds_the_device_by_its_service() -> None:
    async def look() -> list[session.Found]:
        async with watch() as (radio, _):
            return await scan(0.5, adapter=radio.adapter)

    (found,) = asyncio.run(look())
    assert (found.name, found.address) == ("Watch", "F0:00:00:00:00:10")


def test_leaving_a_stream_tells_the_device_to_stop() -> None:
    async def leave() -> int:
        async with watch(speed=20.0) as (radio, wearable):
            async with connect("Watch", adapter=radio.adapter) as device:
                async for _ in device.stream():
                    break
            sent = wearable.sent
            await asyncio.sleep(0.3)
            return wearable.sent - sent

    assert asyncio.run(leave()) == 0


def test_a_slow_consumer_is_told_what_it_missed_and_the_recording_has_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LIVE_BLOCKS", 4)

    async def dawdle() -> list[Block | Gap]:
        items = []
        async with watch() as (radio, _):
            with Recording.create(tmp_path / "a.plst") as recording:
                async with connect("Watch", adapter=radio.adapter) as device:
                    async for item in device.stream(record=recording):
                        items.append(item)
                        await asyncio.sleep(0.02)
        return items

    items = asyncio.run(dawdle())
    assert any(isinstance(item, Gap) and item.reason == "consumer too slow" for item in items)
    for name in ("acc", "ppg"):
        own = [item for item in items if item.signal.name == name]
        assert [item.first for item in own] == [0, *(item.end for item in own[:-1])]
    with Recording.open(tmp_path / "a.plst") as recording:
        assert [len(values) for _, values in recording.segments("acc")] == [626, 400]


def test_the_virtual_radio_is_a_backend_for_bleak_itself() -> None:
    async def bare() -> tuple[bytes, list[str]]:
        async with watch() as (radio, _):
            found = await BleakScanner.find_device_by_name("Watch", timeout=1, backend=VirtualScanner, radio=radio)
            assert found is not None
            async with BleakClient(found, backend=VirtualClient, radio=radio) as client:
                names = client.services.get_characteristic(profile.DATA)
                assert names is not None
                return bytes(await client.read_gatt_char(profile.DESCRIPTION)), list(names.properties)

    description, properties = asyncio.run(bare())
    assert profile.Description.from_bytes(description).streams == STREAMS
    assert properties == ["notify"]


def test_a_link_that_drops_during_a_read_is_an_error_and_not_a_cancellation() -> None:
    async def drop() -> None:
        async with watch() as (radio, wearable):
            found = await BleakScanner.find_device_by_name("Watch", timeout=1, backend=VirtualScanner, radio=radio)
            assert found is not None
            async with BleakClient(found, backend=VirtualClient, radio=radio) as client:
                # the control point is write-only; bumble's server never answers the read
                asyncio.get_running_loop().call_later(0.1, lambda: asyncio.ensure_future(wearable.drop()))
                await client.read_gatt_char(profile.CONTROL)

    with pytest.raises(BleakError, match="disconnected during a request"):
        asyncio.run(asyncio.wait_for(drop(), 5))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"speed": 0.0}, "speed above 0"),
        ({"name": "A long name"}, "1 to 8 bytes"),
        ({"segments": [{"acc": SEGMENTS[0]["acc"]}]}, "segment 0: stream 'ppg' wants int16"),
    ],
)
def test_a_wearable_that_cannot_be_is_refused(change: dict[str, object], complaint: str) -> None:
    given: dict[str, object] = {"name": "Watch", "streams": STREAMS, "segments": SEGMENTS, **change}
    with pytest.raises(DeviceError, match=complaint):
        VirtualWearable(**given)  # type: ignore[arg-type]
