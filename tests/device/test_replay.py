"""A recording is a device: what was received comes again; and devices work without `async`."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pulselet import blocking, connect, replay
from pulselet.device.virtual import VirtualWearable
from pulselet.device.virtual_radio import VirtualRadio
from pulselet.errors import DeviceError, RecordingError
from pulselet.packets.profile import StreamInfo
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.recording import Recording

ACC = Signal("acc", "g", 50.0, ("x",), 1000.0)
RR = Signal("rr", "s", None, ("rr",), loss_detectable=False)
NS = 10**9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Recording.create(tmp_path / "a.pulse") as recording:
        session = recording.begin("Board", [ACC, RR])
        for n in range(10):
            values = np.arange(n * 5, n * 5 + 5, dtype=np.float32)[:, None]
            at = 100 * NS + n * NS // 10
            items: list[Block | Gap] = [Block(ACC, values, 5 * n, 100 * n, at)]
            if n == 4:
                items = [Gap(ACC, 20, 5, "lost")]
            if n == 7:
                items.append(Block(RR, np.full((1, 1), 0.8, np.float32), 0, None, at))
            recording.add(items, data=bytes([n]), arrival_ns=at, source="Board/x")
        recording.add([Gap(RR, 1, None, "disconnected")])
        recording.end(session, "complete")
    return tmp_path / "a.pulse"


async def played(path: Path, *names: str, speed: float = float("inf"), record: Recording | None = None) -> list[object]:
    async with replay(path, speed=speed) as device:
        items = [item async for item in device.stream(*names, record=record)]
        return [device, *items]


def test_what_was_recorded_comes_again_with_its_own_times(path: Path) -> None:
    _, *items = asyncio.run(played(path))
    with Recording.open(path) as recording:
        wanted = list(recording.items())
    for one, other in zip(items, wanted, strict=True):
        assert type(one) is type(other)
        if isinstance(one, Block) and isinstance(other, Block):
            assert (one.first, one.device_ticks, one.arrival_ns) == (other.first, other.device_ticks, other.arrival_ns)
            assert np.array_equal(one.values, other.values)
        else:
            assert one == other


def test_a_replay_has_signals_counts_and_a_name_like_a_live_device(path: Path) -> None:
    device, *items = asyncio.run(played(path, "acc"))
    assert device.name == "Board"  # type: ignore[attr-defined]
    assert device.signals == {"acc": ACC, "rr": RR}  # type: ignore[attr-defined]
    assert (device.counts["acc"].received, device.counts["acc"].lost) == (45, 5)  # type: ignore[attr-defined]
    assert {item.signal.name for item in items} == {"acc"}  # type: ignore[attr-defined]


def test_a_replay_takes_the_time_that_the_arrivals_took(path: Path) -> None:
    began = time.monotonic()
    asyncio.run(played(path, speed=3.0))
    assert time.monotonic() - began >= 0.3  # 0.9 s between the first and the last arrival; waiting longer is no fault


def test_a_replay_can_be_recorded_notifications_and_all(path: Path, tmp_path: Path) -> None:
    with Recording.create(tmp_path / "copy.pulse") as copy:
        asyncio.run(played(path, record=copy))
        with Recording.open(path) as original:
            assert list(copy.packets()) == list(original.packets())
            assert list(copy.stamps("acc")) == list(original.stamps("acc"))
        assert copy.sessions()[0].facts["replayed"] == str(path)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_that_makes_no_sense_is_refused(speed: float) -> None:
    with pytest.raises(DeviceError, match="speed above 0"):
        replay("a.pulse", speed=speed)


def test_a_signal_or_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(DeviceError, match="has no signal 'ppg'"):
        asyncio.run(played(path, "ppg"))
    with pytest.raises(RecordingError, match="is not there"):
        asyncio.run(played(path.with_name("absent.pulse")))


def test_a_blocking_device_streams_without_async(path: Path) -> None:
    with blocking(replay(path, speed=1000.0)) as device:
        items = list(device.stream("acc"))
        assert device.counts["acc"].received == 45
    assert [item.first for item in items] == list(range(0, 50, 5))


def test_a_blocking_device_records_a_live_one_and_stops_it(tmp_path: Path) -> None:
    info = StreamInfo(1, "acc", "g", ("x",), 50_000, 1 / 4096)
    samples = np.arange(500, dtype=np.int16)[:, None]
    radio = VirtualRadio()
    virtual = VirtualWearable("Watch", [info], [{"acc": samples}], speed=50.0)
    device = blocking(connect("Watch", adapter=radio.adapter))
    device.run(virtual.start(radio))  # the watch lives where the device's Bluetooth does
    with Recording.create(tmp_path / "live.pulse") as recording, device:
        for item in device.stream("acc", record=recording):
            if item.end > 200:
                break
        ((_, values),) = recording.segments("acc")
    assert np.array_equal(values[:, 0], np.arange(len(values)) * np.float32(1 / 4096))
    assert len(values) >= 200


def test_an_error_of_the_device_comes_out_of_the_blocking_one(path: Path) -> None:
    with pytest.raises(RecordingError, match="is not there"), blocking(replay(path.with_name("absent.pulse"))):
        pass


def test_an_interrupted_blocking_stream_is_ended_and_the_interruption_comes_out(path: Path) -> None:
    with blocking(replay(path, speed=0.01)) as device:
        items = device.stream("acc")
        next(items)
        alarm = threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT))
        alarm.start()
        with pytest.raises(KeyboardInterrupt):
            next(items)
        assert next(device.stream("rr", seconds=0.1), None) is None  # it can be used again


def test_a_replay_ends_in_time_however_long_the_silence(path: Path) -> None:
    with blocking(replay(path, speed=0.001)) as device:
        began = time.monotonic()
        assert len(list(device.stream("acc", seconds=0.5))) == 1
        assert time.monotonic() - began < 50  # the second block would come after 100 s


def test_a_copy_that_was_broken_off_does_not_say_that_it_is_complete(path: Path, tmp_path: Path) -> None:
    with blocking(replay(path, speed=1000.0)) as device, Recording.create(tmp_path / "copy.pulse") as copy:
        for _ in device.stream("acc", record=copy):
            break
        assert copy.sessions()[0].ended == "stopped"


def test_a_replay_that_was_not_entered_says_how_it_is_used(path: Path) -> None:
    async def stream() -> None:
        async for _ in replay(path).stream():
            pass

    with pytest.raises(DeviceError, match="use `async with replay"):
        asyncio.run(stream())
