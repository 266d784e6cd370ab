"""Straps and oximeters over a virtual radio: what was sent is what comes, and what cannot be known is said so."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest

from pulselet.device.faults import Faults
from pulselet.device.reconnect import Reconnect
from pulselet.device.session import Device, connect, scan
from pulselet.device.sources import PolarSource
from pulselet.device.virtual import VirtualDevice
from pulselet.device.virtual_radio import VirtualRadio
from pulselet.device.virtual_roles.badge import Badge
from pulselet.device.virtual_roles.feed import of_array
from pulselet.device.virtual_roles.oximeter import Oximeter
from pulselet.device.virtual_roles.role import Role
from pulselet.device.virtual_roles.strap import Strap, acceleration, ecg
from pulselet.errors import DeviceError, PacketError
from pulselet.packets import polar
from pulselet.packets.polar import Frame
from pulselet.stream.block import Block, Gap
from pulselet.stream.recording import Recording

SECONDS = 120
DRAW = np.random.default_rng(8)
MICROVOLTS = DRAW.integers(-(2**23), 2**23, (130 * SECONDS, 1))
MILLI_G = np.cumsum(DRAW.integers(-4, 5, (50 * SECONDS, 3)), axis=0)
RR_S = np.array([0.75, 1.0, 0.5])
AT_ONCE = Reconnect(first_s=0.001, longest_s=0.02)


def strap(*, compressed: bool = False) -> Strap:
    feeds = {
        polar.ECG: ecg(of_array(MICROVOLTS)),
        polar.ACC: acceleration(of_array(MILLI_G), compressed=compressed),
    }
    return Strap(feeds, RR_S)


async def streamed(
    path: Path, roles: list[Role], *names: str, faults: Faults | None = None, speed: float = 100.0, seconds: float = 1.0
) -> tuple[Device, list[Block | Gap]]:
    radio = VirtualRadio()
    virtual = VirtualDevice("Strap", roles, speed=speed, faults=faults)
    await virtual.start(radio)
    try:
        with Recording.create(path) as recording:
            async with connect("Strap", adapter=radio.adapter, reconnect=AT_ONCE) as device:
                items = [item async for item in device.stream(*names, record=recording, seconds=seconds)]
                return device, items
    finally:
        await virtual.stop()


def indices(items: list[Block | Gap], name: str) -> list[Block | Gap]:
    """Return the items of a signal, each of which begins where the one before it ends."""
    own = [item for item in items if item.signal.name == name]
    assert [item.first for item in own] == [0, *(item.end for item in own[:-1])]
    return own


def start_in(source: np.ndarray, values: np.ndarray) -> int:
    """Return where in the source a stream began: a strap samples before it is asked to stream."""
    return next(at for at in range(len(source)) if np.array_equal(source[at : at + 10], values[:10]))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_straps_samples_come_as_they_were_sent(tmp_path: Path, compressed: bool) -> None:
    device, items = asyncio.run(streamed(tmp_path / "a.pulse", [strap(compressed=compressed)], "ecg", "acc"))
    for name, source in (("ecg", MICROVOLTS), ("acc", MILLI_G)):
        values = np.concatenate([item.values for item in indices(items, name) if isinstance(item, Block)])
        wanted = (source * 1e-3).astype(np.float32)  # µV to mV, milli-g to g
        at = start_in(wanted, values)
        assert np.array_equal(values, wanted[at : at + len(values)])
        assert len(values) > 1000
        assert device.counts[name].lost == 0


def test_the_raw_frames_are_recorded_and_decode_to_the_same_samples(tmp_path: Path) -> None:
    asyncio.run(streamed(tmp_path / "a.pulse", [strap()], "ecg"))
    with Recording.open(tmp_path / "a.pulse") as recording:
        frames = [Frame.from_bytes(one.data) for one in recording.packets() if one.source.endswith(polar.DATA)]
        ((_, values),) = recording.segments("ecg")
        again = np.concatenate([frame.values() for frame in frames])
        assert np.array_equal(values, again)
        stamps = list(recording.stamps("ecg"))
        ticks = [stamp.device_ticks for stamp in stamps]
        assert ticks[1] is not None
        # the frame bears the time of its last sample: the first is 77 periods earlier in a frame of 78
        assert ticks[1] == pytest.approx(frames[1].timestamp_ns - (len(frames[1].samples()) - 1) * 1e9 / 130, abs=1e4)


def test_frames_that_are_lost_or_repeated_are_told_by_the_devices_clock(tmp_path: Path) -> None:
    faults = Faults(drop=frozenset({10, 11, 40}), repeat=frozenset({20, 21}))
    device, items = asyncio.run(streamed(tmp_path / "a.pulse", [strap()], "ecg", faults=faults))
    own = indices(items, "ecg")
    gaps = [item.lost for item in own if isinstance(item, Gap)]
    assert gaps == [2 * 78, 78]  # 244 bytes less a header of 10 hold 78 samples of 3 bytes
    assert device.counts["ecg"].repeated == 2 * 78


def test_a_strap_that_drops_goes_on_and_the_gap_is_as_long_as_its_clock_says(tmp_path: Path) -> None:
    faults = Faults(disconnect={30: 0x08})
    device, items = asyncio.run(
        streamed(tmp_path / "a.pulse", [strap()], "ecg", "acc", "rr", faults=faults, seconds=1.5)
    )
    assert device.reconnects == 1
    for name, source in (("ecg", MICROVOLTS), ("acc", MILLI_G)):
        own = indices(items, name)
        (gap,) = [item for item in own if isinstance(item, Gap)]
        assert gap.reason == "disconnected"
        wanted = (source * 1e-3).astype(np.float32)
        first = next(item for item in own if isinstance(item, Block))
        at = start_in(wanted, first.values)
        for block in (item for item in own if isinstance(item, Block)):
            assert np.array_equal(block.values, wanted[at + block.first : at + block.end])
    (gap,) = [item for item in indices(items, "rr") if isinstance(item, Gap)]
    assert (gap.lost, gap.reason) == (None, "disconnected")
    assert not gap.signal.loss_detectable


def test_a_strap_is_stopped_when_its_stream_is_left() -> None:
    async def leave() -> tuple[set[int], set[int]]:
        radio, role = VirtualRadio(), strap()
        virtual = VirtualDevice("Strap", [role], speed=20.0)
        await virtual.start(radio)
        async with connect("Strap", adapter=radio.adapter) as device:
            async for _ in device.stream("ecg", "acc"):
                while_streaming = set(role.streaming)
                break
        await virtual.stop()
        return while_streaming, role.streaming

    assert asyncio.run(leave()) == ({polar.ECG, polar.ACC}, set())


def test_a_strap_that_somebody_left_on_is_stopped_and_started() -> None:
    async def again() -> int:
        radio, role = VirtualRadio(), strap()
        role.streaming.add(polar.ECG)
        virtual = VirtualDevice("Strap", [role], speed=50.0)
        await virtual.start(radio)
        async with connect("Strap", adapter=radio.adapter) as device:
            received = [item async for item in device.stream("ecg", seconds=0.5)]
        await virtual.stop()
        return len(received)

    assert asyncio.run(again()) > 5


def test_heart_rate_and_intervals_are_those_of_the_heart(tmp_path: Path) -> None:
    device, items = asyncio.run(streamed(tmp_path / "a.pulse", [strap()], "heart_rate", "rr"))
    rr_s = np.concatenate([item.values[:, 0] for item in indices(items, "rr") if isinstance(item, Block)])
    assert np.array_equal(rr_s[:9], np.tile(RR_S, 3).astype(np.float32))  # all are whole 1024ths of a second
    rates = {float(item.values[0, 0]) for item in items if item.signal.name == "heart_rate" and isinstance(item, Block)}
    assert rates <= {80.0, 60.0, 120.0}
    assert device.signals["rr"].rate_hz is None


def test_an_oximeters_readings_come_and_no_reading_is_nan(tmp_path: Path) -> None:
    spo2 = np.array([97.0, 98.0, math.nan])
    _, items = asyncio.run(streamed(tmp_path / "a.pulse", [Oximeter(spo2, np.array([61.0]))], "spo2", "pulse_rate"))
    values = np.concatenate([item.values[:, 0] for item in indices(items, "spo2") if isinstance(item, Block)])
    assert values[:2].tolist() == [97.0, 98.0]
    assert math.isnan(values[2])


def test_battery_and_maker_are_read_and_recorded(tmp_path: Path) -> None:
    badge = Badge(42, manufacturer="Nobody", model="S1", firmware="1.2")
    device, _ = asyncio.run(streamed(tmp_path / "a.pulse", [strap(), badge], "ecg", seconds=0.3))
    assert (device.information.battery_percent, device.information.model) == (42, "S1")
    with Recording.open(tmp_path / "a.pulse") as recording:
        facts = recording.sessions()[0].facts
        assert (facts["manufacturer"], facts["firmware"], facts["battery_percent"]) == ("Nobody", "1.2", "42")
        assert facts["address"] == "F0:00:00:00:00:10"


def test_a_scan_tells_what_a_device_is() -> None:
    async def look() -> dict[str, tuple[str, ...]]:
        radio = VirtualRadio()
        devices = [
            VirtualDevice("Strap", [strap()], address="F0:00:00:00:00:11"),
            VirtualDevice("Finger", [Oximeter(np.ones(1), np.ones(1))], address="F0:00:00:00:00:12"),
        ]
        for device in devices:
            await device.start(radio)
        found = await scan(0.4, adapter=radio.adapter)
        for device in devices:
            await device.stop()
        return {one.name: one.kinds for one in found}

    assert asyncio.run(look()) == {"Strap": ("heart rate",), "Finger": ("oximeter",)}


async def prepared(source: PolarSource) -> Device:
    radio = VirtualRadio()
    virtual = VirtualDevice("Strap", [strap()])
    await virtual.start(radio)
    try:
        async with connect("Strap", adapter=radio.adapter, sources=[source]) as device:
            return device
    finally:
        await virtual.stop()


def test_settings_that_the_device_does_not_offer_are_named() -> None:
    with pytest.raises(PacketError, match=r"rate_hz 51 is not on offer; the device has \[50\]"):
        asyncio.run(prepared(PolarSource({"acc": {"rate_hz": 51}})))
    with pytest.raises(DeviceError, match=r"settings for \['gyro'\]; Strap has \['acc', 'ecg'\]"):
        asyncio.run(prepared(PolarSource({"gyro": {"rate_hz": 52}})))
    assert asyncio.run(prepared(PolarSource({"acc": {"rate_hz": 50}}))).signals["acc"].rate_hz == 50


def test_a_signal_that_the_device_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="Strap has no signal 'eeg'; it has") as caught:
        asyncio.run(streamed(tmp_path / "a.pulse", [strap()], "eeg"))
    assert caught.value.reason == "no-signal"


def test_a_device_that_offers_nothing_known_says_what_it_offers() -> None:
    async def look() -> None:
        radio = VirtualRadio()
        virtual = VirtualDevice("Lamp", [Badge(10)])
        await virtual.start(radio)
        try:
            async with connect("Lamp", adapter=radio.adapter):
                pass
        finally:
            await virtual.stop()

    with pytest.raises(DeviceError, match=r"Lamp offers none of the services.*0000180f") as caught:
        asyncio.run(look())
    assert caught.value.reason == "no-streams"
