"""A session survives its links: what was received and what was declared missing is what the device counted."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from pulselet.device import watchdog
from pulselet.device.faults import REASONS, REMOTE_USER, Faults
from pulselet.device.reconnect import Backoff, Reconnect
from pulselet.device.session import Device, State, connect
from pulselet.device.virtual import VirtualDevice
from pulselet.device.virtual_radio import VirtualRadio
from pulselet.device.virtual_roles.board import Board
from pulselet.device.virtual_roles.feed import of_array
from pulselet.device.virtual_roles.strap import Strap, acceleration
from pulselet.errors import DeviceError
from pulselet.packets import polar
from pulselet.packets.profile import StreamInfo
from pulselet.stream.block import Block, Gap
from pulselet.stream.recording import Recording

AT_ONCE = Reconnect(first_s=0.001, longest_s=0.02)
STREAMS = (
    StreamInfo(1, "acc", "g", ("x", "y", "z"), 50_000, 1 / 4096),
    StreamInfo(2, "ecg", "mV", ("I",), 130_000, 1 / 1024),
)


def samples(seconds: int) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int16]]]:
    draw = np.random.default_rng(5)
    return {
        "acc": draw.integers(-32768, 32768, (50 * seconds, 3)).astype(np.int16),
        "ecg": draw.integers(-32768, 32768, (130 * seconds, 1)).astype(np.int16),
    }


@asynccontextmanager
async def board(seconds: int, faults: Faults, speed: float) -> AsyncIterator[tuple[VirtualRadio, VirtualDevice]]:
    radio = VirtualRadio()
    device = VirtualDevice("Board", [Board.of_segments(STREAMS, [samples(seconds)])], speed=speed, faults=faults)
    await device.start(radio)
    try:
        yield radio, device
    finally:
        await device.stop()


async def streamed(
    path: Path, seconds: int, faults: Faults, speed: float = 50.0
) -> tuple[Device, list[Block | Gap], VirtualDevice]:
    async with board(seconds, faults, speed) as (radio, virtual):
        with Recording.create(path) as recording:
            async with connect("Board", adapter=radio.adapter, reconnect=AT_ONCE) as device:
                return device, [item async for item in device.stream(record=recording)], virtual


def require_accounted(items: list[Block | Gap], seconds: int) -> None:
    """Every index of the source once, in order, with the source's value or in a gap."""
    source = samples(seconds)
    for info in STREAMS:
        own = [item for item in items if item.signal.name == info.name]
        assert [item.first for item in own] == [0, *(item.end for item in own[:-1])]
        assert own[-1].end == len(source[info.name])
        for block in (item for item in own if isinstance(item, Block)):
            assert np.array_equal(block.values, source[info.name][block.first : block.end] * np.float32(info.scale))


def test_after_random_disconnects_received_and_gaps_are_what_the_device_counted(tmp_path: Path) -> None:
    faults = Faults.drawn(4, 1200, disconnects=25)
    device, items, virtual = asyncio.run(streamed(tmp_path / "a.pulse", 300, faults, 100.0))
    require_accounted(items, 300)
    assert device.reconnects >= 10
    assert len({faults.disconnect[number] for number in faults.disconnect if number < virtual.due}) >= 5
    for info in STREAMS:
        count = device.counts[info.name]
        assert count.received + count.lost == 300 * info.rate_mhz // 1000
        assert count.repeated == 0


def test_random_loss_delay_and_repetition_are_declared_to_the_sample(tmp_path: Path) -> None:
    faults = Faults.drawn(2, 1200, drop=0.05, repeat=0.05, delay=0.05, clock_back=0.05)
    device, items, _ = asyncio.run(streamed(tmp_path / "a.pulse", 300, faults, 200.0))
    require_accounted(items, 300)
    assert device.counts["ecg"].lost > 0
    assert device.counts["ecg"].repeated > 0


def test_the_recording_of_a_session_with_reconnects_is_one_with_gaps_and_events(tmp_path: Path) -> None:
    faults = Faults(disconnect={30: 0x08, 90: 0x3E})
    _, items, _ = asyncio.run(streamed(tmp_path / "a.pulse", 60, faults))
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert [(i.signal.name, i.first, i.end) for i in recording.items()] == [
            (i.signal.name, i.first, i.end) for i in items
        ]
        (session,) = recording.sessions()
        assert session.ended == "complete"
        again = ["disconnected", "reconnected", "wall clock"]
        assert [event.kind for event in recording.events()] == ["started", *again, *again]
        gaps = [item.reason for item in recording.items() if isinstance(item, Gap)]
        assert set(gaps) == {"disconnected"}


def test_a_silent_link_is_cut_and_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LEAST_S", 0.3)
    monkeypatch.setattr(watchdog, "INTERVALS", 0)
    device, items, _ = asyncio.run(streamed(tmp_path / "a.pulse", 60, Faults(silent=frozenset({40}))))
    require_accounted(items, 60)
    assert device.reconnects == 1
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert [event.kind for event in recording.events()] == ["started", "silent", "reconnected", "wall clock"]


def test_a_device_that_lost_its_count_is_a_gap_of_unknown_size_and_goes_on(tmp_path: Path) -> None:
    async def cycle() -> tuple[Device, list[Block | Gap]]:
        items: list[Block | Gap] = []
        cycled = False
        async with (
            board(20, Faults(), 20.0) as (radio, virtual),
            connect("Board", adapter=radio.adapter, reconnect=AT_ONCE) as device,
        ):
            async for item in device.stream():
                items.append(item)
                if len(items) > 20 and not cycled:
                    cycled = True
                    await virtual.power_cycle()
        return device, items

    device, items = asyncio.run(cycle())
    unknown = [item for item in items if isinstance(item, Gap) and item.lost is None]
    assert [gap.reason for gap in unknown] == ["restarted", "restarted"]
    for info in STREAMS:
        own = [item for item in items if item.signal.name == info.name]
        assert [item.first for item in own] == [0, *(item.end for item in own[:-1])]
        after = next(at for at, item in enumerate(own) if isinstance(item, Gap))
        source = samples(20)[info.name]
        again = np.concatenate([item.values for item in own[after:] if isinstance(item, Block)])
        assert np.array_equal(again, source * np.float32(info.scale))
    assert device.reconnects == 1


def test_a_device_that_stays_away_is_given_up_and_what_came_is_kept(tmp_path: Path) -> None:
    async def leave() -> None:
        async with board(60, Faults(), 50.0) as (radio, virtual):
            with Recording.create(tmp_path / "a.pulse") as recording:
                policy = Reconnect(first_s=0.01, longest_s=0.05, give_up_s=0.5)
                async with connect("Board", adapter=radio.adapter, reconnect=policy, timeout_s=0.2) as device:
                    async for item in device.stream(record=recording):
                        if item.first > 500:
                            await virtual._device.stop_advertising()
                            await virtual.drop(REMOTE_USER)

    with pytest.raises(DeviceError, match=r"Board disconnected.* gave up after 0\.5 s: no device 'F0") as caught:
        asyncio.run(leave())
    assert caught.value.reason == "disconnected"
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert recording.sessions()[0].ended == "disconnected"
        assert sum(len(values) for _, values in recording.segments("acc")) > 100


def test_the_states_follow_each_other_as_they_should() -> None:
    async def follow() -> list[State]:
        seen: list[State] = []
        async with board(20, Faults(disconnect={20: REMOTE_USER}), 50.0) as (radio, _):
            wanted = connect("Board", adapter=radio.adapter, reconnect=AT_ONCE, on_state=seen.append)
            async with wanted as device:
                async for _ in device.stream():
                    pass
        return seen

    up = [State.SCANNING, State.CONNECTING, State.CONFIGURING]
    assert asyncio.run(follow()) == [
        *(*up, State.IDLE, State.CONFIGURING, State.STREAMING, State.WAITING),
        *(*up, State.STREAMING, State.IDLE, State.CLOSED),
    ]


def test_waits_double_to_their_longest_and_begin_anew_after_a_healthy_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    backoff = Backoff(Reconnect(jitter=0.0))
    assert [backoff.next_s() for _ in range(9)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    backoff.up()
    now += 59.0
    backoff.down()
    assert backoff.next_s() == 30.0
    now += 1.0
    backoff.down()
    assert backoff.next_s() == 0.25
    jittered = Backoff(Reconnect(), random.Random(1))
    assert all(0.8 <= jittered.next_s() / wait <= 1.2 for wait in (0.25, 0.5, 1.0))


def test_a_drawn_plan_has_the_shares_that_were_asked_for() -> None:
    faults = Faults.drawn(1, 10_000, drop=0.05, repeat=0.1, delay=0.02, disconnects=100)
    assert len(faults.disconnect) == 100
    assert set(faults.disconnect.values()) == set(REASONS)
    for numbers, share in ((faults.drop, 0.05), (faults.repeat, 0.1), (faults.delay, 0.02)):
        assert abs(len(numbers) / 9900 - share) < 0.01  # four standard deviations of the largest
    assert Faults.drawn(1, 100, drop=0.5) == Faults.drawn(1, 100, drop=0.5)


def test_a_stream_ends_after_the_time_that_was_asked_for(tmp_path: Path) -> None:
    async def limited() -> tuple[int, int]:
        async with board(60, Faults(), 1.0) as (radio, virtual):
            with Recording.create(tmp_path / "a.pulse") as recording:
                async with connect("Board", adapter=radio.adapter) as device:
                    items = [item async for item in device.stream("acc", record=recording, seconds=1.3)]
                sent = virtual.sent
                await asyncio.sleep(0.7)
                return len(items), virtual.sent - sent

    received, afterwards = asyncio.run(limited())
    assert 1 <= received <= 3
    assert afterwards == 0
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert list(recording.signals) == ["acc"]
        assert recording.sessions()[0].ended == "stopped"


def test_two_devices_share_one_recording_under_their_labels(tmp_path: Path) -> None:
    async def both() -> None:
        radio = VirtualRadio()
        devices = [
            VirtualDevice(name, [Board.of_segments(STREAMS, [samples(10)])], speed=20.0, address=address)
            for name, address in (("Left", "F0:00:00:00:00:11"), ("Right", "F0:00:00:00:00:12"))
        ]
        for device in devices:
            await device.start(radio)

        async def one(name: str, recording: Recording) -> None:
            async with connect(name, adapter=radio.adapter, label=name.lower()) as device:
                async for _ in device.stream(f"{name.lower()}.acc", record=recording):
                    pass

        with Recording.create(tmp_path / "a.pulse") as recording:
            await asyncio.gather(one("Left", recording), one("Right", recording))
        for device in devices:
            await device.stop()

    asyncio.run(both())
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert sorted(recording.signals) == ["left.acc", "right.acc"]
        for name in recording.signals:
            ((_, values),) = recording.segments(name)
            assert np.array_equal(values, samples(10)["acc"] * np.float32(1 / 4096))
        assert {session.device for session in recording.sessions()} == {"Left", "Right"}


@pytest.mark.parametrize("mtu", [23, 40, 185, 517])
def test_every_mtu_carries_the_same_samples(mtu: int) -> None:
    async def small() -> list[Block | Gap]:
        radio = VirtualRadio()
        board = Board.of_segments(STREAMS, [samples(4)])
        virtual = VirtualDevice("Board", [board], speed=20.0, mtu=mtu)
        await virtual.start(radio)
        async with connect("Board", adapter=radio.adapter) as device:
            items = [item async for item in device.stream()]
        await virtual.stop()
        return items

    items = asyncio.run(small())
    require_accounted(items, 4)
    assert not any(isinstance(item, Gap) for item in items)


def test_a_notification_that_is_cut_costs_its_own_samples_only(tmp_path: Path) -> None:
    # 5 bytes are no packet; 14 are one of a single sample of three channels, the other 24 are missing
    device, items, _ = asyncio.run(streamed(tmp_path / "a.pulse", 30, Faults(truncate={10: 5, 20: 14})))
    require_accounted(items, 30)
    assert device.refused in (1, 2)  # 14 bytes of the one-channel stream are whole samples, too: three of them
    assert sum(item.lost or 0 for item in items if isinstance(item, Gap)) > 20


def test_two_devices_of_one_name_are_not_taken_for_each_other(tmp_path: Path) -> None:
    async def twins() -> tuple[list[Block | Gap], str]:
        items: list[Block | Gap] = []
        async with board(20, Faults(), 20.0) as (radio, virtual):
            other = VirtualDevice("Board", [Board.of_segments(STREAMS, [samples(20)])], address="F0:00:00:00:00:99")
            policy = Reconnect(first_s=0.01, longest_s=0.05, give_up_s=0.4)
            async with connect("Board", adapter=radio.adapter, reconnect=policy, timeout_s=0.2) as device:
                await other.start(radio)

                async def follow() -> None:
                    async for item in device.stream():
                        items.append(item)
                        if len(items) == 5:
                            await virtual._device.stop_advertising()
                            await virtual.drop(REMOTE_USER)

                with pytest.raises(DeviceError, match="gave up"):
                    await follow()
                address = device.link.address
            await other.stop()
        return items, address

    items, address = asyncio.run(twins())
    assert address == "F0:00:00:00:00:10"
    assert not any(isinstance(item, Gap) for item in items)


def test_a_quiet_source_costs_the_others_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LEAST_S", 0.2)
    monkeypatch.setattr(watchdog, "INTERVALS", 0)

    async def strap_without_a_heart() -> tuple[int, list[str]]:
        radio = VirtualRadio()
        walk = of_array(np.zeros((50 * 60, 3), np.int32))
        virtual = VirtualDevice("Strap", [Strap({polar.ACC: acceleration(walk)}, None)], speed=20.0)
        await virtual.start(radio)
        with Recording.create(tmp_path / "a.pulse") as recording:
            async with connect("Strap", adapter=radio.adapter, reconnect=AT_ONCE) as device:
                async for _ in device.stream("acc", "heart_rate", record=recording, seconds=1.0):
                    pass
                reconnects = device.reconnects
            kinds = [(event.kind, event.text) for event in recording.events()]
        await virtual.stop()
        return reconnects, [text for kind, text in kinds if kind == "quiet"]

    assert asyncio.run(strap_without_a_heart()) == (0, ["standard health services"])


def test_a_link_that_is_lost_before_a_stream_begins_is_made_anew(tmp_path: Path) -> None:
    async def begin() -> list[Block | Gap]:
        async with (
            board(4, Faults(), 20.0) as (radio, virtual),
            connect("Board", adapter=radio.adapter, reconnect=AT_ONCE) as device,
        ):
            await virtual.drop(REMOTE_USER)
            await asyncio.sleep(0.05)
            return [item async for item in device.stream()]

    require_accounted(asyncio.run(begin()), 4)


def test_a_stream_that_another_one_takes_over_just_ends(tmp_path: Path) -> None:
    async def take_over() -> tuple[bool, int]:
        async with board(60, Faults(), 5.0) as (radio, _), connect("Board", adapter=radio.adapter) as device:

            async def first() -> str:
                async for _ in device.stream():
                    pass
                return "ended"

            task = asyncio.create_task(first())
            await asyncio.sleep(0.5)
            with pytest.raises(DeviceError, match="no signal 'typo'"):
                async for _ in device.stream("typo"):
                    pass
            running = not task.done()
            received = [item async for item in device.stream(seconds=0.5)]
            assert await asyncio.wait_for(task, 1) == "ended"
            return running, len(received)

    running, received = asyncio.run(take_over())
    assert running  # a wrong name has cost the first stream nothing
    assert received > 0


def test_a_garbled_answer_while_resuming_is_one_failed_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Board.read
    reads = 0

    def garbled(self: Board, uuid: str) -> bytes:
        nonlocal reads
        reads += 1
        return b"" if reads == 3 else whole(self, uuid)  # the third description is the first one of the resumption

    monkeypatch.setattr(Board, "read", garbled)
    device, items, _ = asyncio.run(streamed(tmp_path / "a.pulse", 60, Faults(disconnect={40: 0x08})))
    require_accounted(items, 60)
    assert device.reconnects == 1
    with Recording.open(tmp_path / "a.pulse") as recording:
        kinds = [event.kind for event in recording.events()]
    assert kinds == ["started", "disconnected", "refused", "reconnected", "wall clock"]


def test_a_recording_that_another_program_keeps_busy_loses_nothing(tmp_path: Path) -> None:
    async def busy() -> list[Block | Gap]:
        async with board(20, Faults(), 10.0) as (radio, _):
            with Recording.create(tmp_path / "a.pulse") as recording:
                async with connect("Board", adapter=radio.adapter) as device:
                    items = []
                    async for item in device.stream(record=recording):
                        items.append(item)
                        if len(items) == 10:
                            other = sqlite3.connect(tmp_path / "a.pulse", isolation_level=None)
                            other.execute("BEGIN IMMEDIATE")
                            asyncio.get_running_loop().call_later(0.8, other.close)
                    return items

    items = asyncio.run(busy())
    require_accounted(items, 20)
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert [(i.signal.name, i.first, i.end) for i in recording.items()] == [
            (i.signal.name, i.first, i.end) for i in items
        ]
        assert recording.sessions()[0].ended == "complete"


def test_a_device_that_was_not_entered_says_how_it_is_used() -> None:
    async def stream() -> None:
        async for _ in connect("Board", adapter=VirtualRadio().adapter).stream():
            pass

    with pytest.raises(DeviceError, match="use `async with connect"):
        asyncio.run(stream())


def test_a_device_may_be_used_in_one_event_loop_after_another() -> None:
    async def once() -> int:
        async with board(4, Faults(), 20.0) as (radio, _), connect("Board", adapter=radio.adapter) as device:
            return len([item async for item in device.stream()])

    assert asyncio.run(once()) == asyncio.run(once())


@pytest.mark.parametrize(("drops", "outcome"), [(2, "Board"), (3, "disconnected")])
def test_a_link_that_drops_at_once_is_tried_again_twice(drops: int, outcome: str) -> None:
    async def connected() -> str:
        left = drops

        class Shy(Board):
            def read(self, uuid: str) -> bytes:
                nonlocal left
                if left:
                    left -= 1
                    asyncio.ensure_future(virtual.drop(0x3E))  # noqa: RUF006 - the test outlives it
                return super().read(uuid)

        shy = Shy(STREAMS, {name: [(0, values)] for name, values in samples(2).items()})
        radio, virtual = VirtualRadio(), VirtualDevice("Board", [shy], speed=20.0)
        await virtual.start(radio)
        try:
            async with connect("Board", adapter=radio.adapter) as device:
                return device.name
        except DeviceError as error:
            return error.reason
        finally:
            await virtual.stop()

    assert asyncio.run(connected()) == outcome
