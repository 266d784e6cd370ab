"""Streaming through bleak's public API over a virtual radio: real HCI, L2CAP and ATT, faults included."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDBusError, BleakDeviceNotFoundError, BleakError

from pulselet.device import session, watchdog
from pulselet.device.explain import own_errors
from pulselet.device.session import Device, connect, scan
from pulselet.device.virtual import Faults, VirtualWearable
from pulselet.device.virtual_radio import VirtualClient, VirtualRadio, VirtualScanner
from pulselet.device.virtual_roles.board import Board
from pulselet.errors import DeviceError, PacketError, RecordingError
from pulselet.packets import profile
from pulselet.packets.profile import StreamInfo
from pulselet.stream.assemble import Assembler
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
            async with connect("Watch", adapter=radio.adapter, reconnect=None) as device:
                return device, [item async for item in device.stream(record=recording)]


def test_a_recording_equals_the_source_sample_for_sample(tmp_path: Path) -> None:
    device, _ = asyncio.run(recorded(tmp_path / "a.pulse", Faults()))
    with Recording.open(tmp_path / "a.pulse") as recording:
        for info in STREAMS:
            runs = [values for _, values in recording.segments(info.name)]
            for values, segment in zip(runs, SEGMENTS, strict=True):
                assert np.array_equal(values, segment[info.name] * np.float32(info.scale))
        assert recording.sessions()[0].ended == "complete"
    assert {count.lost for count in device.counts.values()} == {0}
    assert {count.paused for count in device.counts.values()} == {100, 50}


def test_replaying_the_raw_packets_gives_the_same_items(tmp_path: Path) -> None:
    _, items = asyncio.run(recorded(tmp_path / "a.pulse", Faults(drop=frozenset({4}))))
    with Recording.open(tmp_path / "a.pulse") as recording:
        described = bytes.fromhex(recording.sessions()[0].facts["description"])
        again = Assembler(profile.Description.from_bytes(described))
        replayed = [item for at, _, data in recording.packets() for item in again.feed(data, at)]
    assert [(type(i), i.first, i.end) for i in replayed] == [(type(i), i.first, i.end) for i in items]


def test_a_notification_that_never_comes_is_a_gap_of_its_samples(tmp_path: Path) -> None:
    _, items = asyncio.run(recorded(tmp_path / "a.pulse", Faults(drop=frozenset({3}), repeat=frozenset({5}))))
    assert [(i.signal.name, i.lost) for i in items if isinstance(i, Gap) and i.reason == "lost"] in (
        [("acc", 25)],
        [("ppg", 12)],
    )


def test_a_device_that_drops_is_an_error_and_the_recording_is_kept(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="Watch disconnected") as caught:
        asyncio.run(recorded(tmp_path / "a.pulse", Faults(disconnect={20: 0x13})))
    assert caught.value.reason == "disconnected"
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert recording.sessions()[0].ended == "disconnected"
        assert len(list(recording.packets())) == 20
        ((_, values),) = recording.segments("acc")
        assert np.array_equal(values, SEGMENTS[0]["acc"][: len(values)] * np.float32(1 / 4096))


def test_a_device_that_falls_silent_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LEAST_S", 0.4)
    with pytest.raises(DeviceError, match="said nothing") as caught:
        asyncio.run(recorded(tmp_path / "a.pulse", Faults(silent=frozenset({10}))))
    assert caught.value.reason == "silent"
    with Recording.open(tmp_path / "a.pulse") as recording:
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
            with Recording.create(tmp_path / "a.pulse") as recording:
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
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert [len(values) for _, values in recording.segments("acc")] == [626, 400]


def test_a_second_stream_on_one_connection_starts_from_its_beginning(tmp_path: Path) -> None:
    async def twice() -> list[tuple[int, int]]:
        found = []
        async with watch() as (radio, _), connect("Watch", adapter=radio.adapter) as device:
            async for item in device.stream():
                found.append((item.first, device.counts["acc"].repeated))
                break
            async for _ in device.stream():  # the abandoned iterator is closed meanwhile, and must not end this one
                pass
            found.append((device.counts["acc"].received, device.counts["acc"].repeated))
        return found

    assert asyncio.run(twice()) == [(0, 0), (626 + 400, 0)]


def test_one_recording_holds_one_session(tmp_path: Path) -> None:
    async def again() -> None:
        async with watch() as (radio, _), connect("Watch", adapter=radio.adapter) as device:
            with Recording.create(tmp_path / "a.pulse") as recording:
                for _ in range(2):
                    async for _ in device.stream(record=recording):
                        break

    with pytest.raises(RecordingError, match=r"holds .*(acc|ppg) already"):
        asyncio.run(again())


def test_a_bad_packet_is_recorded_and_counted_and_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Board.packets

    def with_nonsense(self: Board, payload_bytes: int = 244) -> Iterator[tuple[float, profile.Packet]]:
        for i, (at_s, packet) in enumerate(whole(self, payload_bytes)):
            if i == 7:
                yield at_s, profile.Packet(1, 99, 0, 0, b"nonsense")
            yield at_s, packet

    monkeypatch.setattr(Board, "packets", with_nonsense)
    device, items = asyncio.run(recorded(tmp_path / "a.pulse", Faults()))
    assert device.refused == 1
    assert not any(isinstance(item, Gap) and item.reason == "lost" for item in items)
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert [data[8:] for _, _, data in recording.packets()].count(b"nonsense") == 1


def test_a_device_that_talks_nonsense_only_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nonsense(self: Board, payload_bytes: int = 244) -> Iterator[tuple[float, profile.Packet]]:
        for i in range(50):
            yield i / 10, profile.Packet(1, 99, 0, 0, b"nonsense")

    monkeypatch.setattr(Board, "packets", nonsense)
    with pytest.raises(PacketError, match="unknown kind of packet 99"):
        asyncio.run(recorded(tmp_path / "a.pulse", Faults()))


def test_a_slow_stream_is_given_the_time_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LEAST_S", 0.3)
    hourly = StreamInfo(1, "temp", "°C", ("skin",), 2_000, 0.25)  # 2 Hz, and half a second to the first sample

    async def listen() -> int:
        radio = VirtualRadio()
        wearable = VirtualWearable("Watch", [hourly], [{"temp": np.ones((4, 1), np.int16)}], speed=1.0)
        await wearable.start(radio)
        async with connect("Watch", adapter=radio.adapter) as device:
            received = [item async for item in device.stream()]
        await wearable.stop()
        return len(received)

    assert asyncio.run(listen()) == 4


def test_a_consumer_that_holds_up_the_loop_does_not_cost_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LEAST_S", 0.2)
    monkeypatch.setattr(watchdog, "INTERVALS", 0)

    async def hold_up() -> int:
        held = False
        async with watch(speed=20.0) as (radio, _), connect("Watch", adapter=radio.adapter) as device:
            async for _ in device.stream():
                if not held:
                    time.sleep(0.5)
                    held = True
            return device.counts["acc"].received

    assert asyncio.run(hold_up()) == 626 + 400


def test_a_long_rest_is_announced_while_it_lasts() -> None:
    wearable = VirtualWearable("Watch", STREAMS, SEGMENTS, pause_s=7.0)
    times = sorted({at_s for at_s, packet in wearable.board.packets() if packet.kind == profile.PAUSE})
    assert np.diff(times).max() <= 2.0
    assembler = Assembler(wearable.board.description)
    items = [item for _, packet in wearable.board.packets() for item in assembler.feed(bytes(packet), 0)]
    assert {item.reason for item in items if isinstance(item, Gap)} == {"paused"}
    assert assembler.counts["acc"].paused == 350


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (asyncio.TimeoutError(), "not-found"),
        (BleakDeviceNotFoundError("x"), "not-found"),
        (BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"]), "refused"),
        (BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", []), "no-adapter"),
        (FileNotFoundError(2, "No such file"), "no-adapter"),
        (BleakError("anything"), "refused"),
    ],
)
def test_what_bleak_raises_becomes_a_reason(raised: Exception, reason: str) -> None:
    with pytest.raises(DeviceError) as caught, own_errors("Watch"):
        raise raised
    assert caught.value.reason == reason


def test_cancelling_the_consumer_is_not_swallowed() -> None:
    async def cancelled() -> bool:
        async def consume(radio: VirtualRadio) -> None:
            async with connect("Watch", adapter=radio.adapter) as device:
                async for _ in device.stream():
                    pass

        async with watch(speed=5.0) as (radio, _):
            task = asyncio.create_task(consume(radio))
            await asyncio.sleep(0.8)
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled()

    assert asyncio.run(cancelled())


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
        ({"segments": [{"acc": SEGMENTS[0]["acc"]}]}, "segment 0: there is no stream 'ppg'"),
    ],
)
def test_a_wearable_that_cannot_be_is_refused(change: dict[str, object], complaint: str) -> None:
    given: dict[str, object] = {"name": "Watch", "streams": STREAMS, "segments": SEGMENTS, **change}
    with pytest.raises(DeviceError, match=complaint):
        VirtualWearable(**given)  # type: ignore[arg-type]
