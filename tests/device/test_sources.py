"""Straps and oximeters over a virtual radio: what was sent is what comes, and what cannot be known is said so."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pulselet.device.faults import Faults
from pulselet.device.link import Link
from pulselet.device.reconnect import Reconnect
from pulselet.device.session import Device, connect, scan
from pulselet.device.sources import PolarSource
from pulselet.device.sources.source import usual_interval_s
from pulselet.device.virtual import VirtualDevice
from pulselet.device.virtual_radio import VirtualRadio
from pulselet.device.virtual_roles.badge import Badge
from pulselet.device.virtual_roles.feed import of_array
from pulselet.device.virtual_roles.oximeter import Oximeter
from pulselet.device.virtual_roles.role import Host, Role, Timed
from pulselet.device.virtual_roles.strap import Strap, acceleration, ecg
from pulselet.errors import DeviceError, PacketError
from pulselet.packets import polar, polar_control
from pulselet.packets.polar import Frame
from pulselet.stream.block import Block, Gap, Signal
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


class OldStrap(Strap):
    """It knows no more than settings, start and stop."""

    def write(self, host: Host, uuid: str, value: bytes) -> None:
        if value == polar_control.STATUS:
            host.indicate(polar.CONTROL, bytes.fromhex("f0 05 00 01"))  # invalid operation
        else:
            super().write(host, uuid, value)


async def beside_what_was_left_on(role: Strap) -> tuple[Device, set[str], set[int]]:
    """Return what an ECG gives on a strap whose acceleration somebody has left on, and what streams meanwhile."""
    radio = VirtualRadio()
    virtual = VirtualDevice("Strap", [role], speed=50.0)
    await virtual.start(radio)
    names: set[str] = set()
    streaming: set[int] = set()
    async with connect("Strap", adapter=radio.adapter) as device:
        role.write(virtual, polar.CONTROL, polar_control.start(polar.ACC))
        async for item in device.stream("ecg", seconds=0.5):
            names.add(item.signal.name)
            streaming = set(role.streaming)
    await virtual.stop()
    return device, names, streaming


def test_what_somebody_left_on_is_stopped_and_gives_nothing() -> None:
    role = strap()
    device, names, streaming = asyncio.run(beside_what_was_left_on(role))
    assert (names, streaming, role.streaming, device.refused) == ({"ecg"}, {polar.ECG}, set(), 0)


def test_frames_that_nobody_wants_give_nothing_where_the_strap_cannot_say_what_runs() -> None:
    role = OldStrap(strap().measurements)
    device, names, streaming = asyncio.run(beside_what_was_left_on(role))
    assert (names, streaming, device.refused) == ({"ecg"}, {polar.ECG, polar.ACC}, 0)


class Listener:
    """A host that notes what is indicated, and plays nothing."""

    now_s, payload_bytes = 0.0, 244

    def __init__(self) -> None:
        self.said: list[bytes] = []

    def play(self, what: str, schedule: Iterator[Timed]) -> None:
        """Nobody hears it."""

    def rest(self, what: str) -> None:
        """Nobody heard it."""

    def indicate(self, uuid: str, data: bytes) -> None:
        self.said.append(data)


def test_a_strap_says_what_runs_as_published() -> None:
    """Polar BLE SDK: each measurement is a byte, its type in the low six bits, 1 on top if it streams."""
    host, role = Listener(), strap()
    role.write(host, polar.CONTROL, b"\x05")
    role.write(host, polar.CONTROL, bytes.fromhex("02 00 00 01 82 00 01 01 0e 00"))
    role.write(host, polar.CONTROL, b"\x05")
    assert [host.said[0].hex(" "), host.said[2].hex(" ")] == ["f0 05 00 00 00 00 02", "f0 05 00 00 00 40 02"]


class Scripted(Link):
    """A link to a device that answers commands as it is told to, and else that all is well."""

    def __init__(self, features: str, answers: dict[str, str]) -> None:
        super().__init__("Sense", "F0:00:00:00:00:10")
        self.features, self.answers = bytes.fromhex(features), answers
        self.asked: list[str] = []

    async def subscribe(self, uuid: str) -> None:
        """Nothing is sent."""

    async def read(self, uuid: str) -> bytes:
        return self.features

    async def ask(
        self, command: str, data: bytes, *, answer: str | None = None, fits: Callable[[bytes], bool] = lambda _: True
    ) -> bytes:
        self.asked.append(data[:2].hex(" "))
        said = bytes.fromhex(self.answers.get(self.asked[-1], f"f0 {data[0]:02x} {data[-1]:02x} 00 00"))
        assert fits(said)
        return said


PPG_OFFERED = "f0 01 01 00 00 00 01 3700 01 01 1600 04 01 04"  # 55 Hz, 22 bits, 4 channels


async def begun(source: PolarSource, link: Scripted, *names: str) -> list[str]:
    """Return what the device is asked."""
    await source.prepare(link)
    await source.start(link, names)
    return link.asked


def test_what_a_device_records_in_its_memory_goes_on() -> None:
    """PPG streams and is recorded, acceleration is recorded only."""
    link = Scripted("0f 03 00", {"05": "f0 05 00 00 00 00 c1 82", "01 01": PPG_OFFERED, "01 00": PPG_OFFERED})
    asked = asyncio.run(begun(PolarSource(), link, "ecg"))
    assert [one for one in asked if one.startswith("03")] == ["03 01"]


@pytest.mark.parametrize("answer", ["f0 02 09 00 00", "f0 02 09 06"])
def test_sdk_mode_is_entered_with_nothing_running_and_may_be_on_already(answer: str) -> None:
    link = Scripted("0f 02 00", {"05": "f0 05 00 00 00 41 42", "02 09": answer, "01 01": PPG_OFFERED})
    asked = asyncio.run(begun(PolarSource(sdk_mode=True), link, "ppg"))
    assert asked[:4] == ["05", "03 01", "03 02", "02 09"]
    assert asked[-1] == "02 01"


def test_a_device_that_does_not_enter_sdk_mode_says_why() -> None:
    link = Scripted("0f 02 00", {"02 09": "f0 02 09 0c"})
    with pytest.raises(DeviceError, match="Sense refuses sdk_mode: invalid state"):
        asyncio.run(begun(PolarSource(sdk_mode=True), link, "ppg"))


def test_only_measurements_with_settings_have_them_among_the_facts() -> None:
    source = PolarSource()
    asyncio.run(begun(source, Scripted("0f 0a 00", {"01 01": PPG_OFFERED}), "ppg", "ppi"))
    assert source.facts == {"ppg settings": "0001370001011600040104"}


def test_a_device_that_says_it_stopped_what_is_wanted_ends_the_flow_and_no_other() -> None:
    source = PolarSource()
    asyncio.run(begun(source, Scripted("0f 03 00", {"01 01": PPG_OFFERED, "01 00": PPG_OFFERED}), "ppg"))
    assert source.feed(polar.CONTROL, bytes.fromhex("01 00"), 0) == []
    with pytest.raises(DeviceError, match="Sense has stopped ppg by itself") as caught:
        source.feed(polar.CONTROL, bytes.fromhex("01 00 01"), 0)
    assert caught.value.reason == "stopped"


def test_frames_of_a_measurement_that_nobody_knows_make_no_sense() -> None:
    source = PolarSource()
    asyncio.run(begun(source, Scripted("0f 02 00", {"01 01": PPG_OFFERED}), "ppg"))
    with pytest.raises(PacketError, match="a frame of measurement 63"):
        source.feed(polar.DATA, bytes([63, *bytes(8), 0, 0, 0, 0]), 0)


def test_a_strap_that_stops_by_itself_is_started_again() -> None:
    async def again() -> tuple[Device, list[Block | Gap]]:
        radio, role = VirtualRadio(), strap()
        virtual = VirtualDevice("Strap", [role], speed=50.0)
        await virtual.start(radio)
        items = []
        async with connect("Strap", adapter=radio.adapter, reconnect=AT_ONCE) as device:
            async for item in device.stream("ecg", seconds=1.5):
                items.append(item)
                if len(items) == 10:
                    virtual.rest("ecg")
                    role.streaming.discard(polar.ECG)
                    virtual.indicate(polar.CONTROL, bytes([polar_control.STOPPED, polar.ECG]))
        await virtual.stop()
        return device, items

    device, items = asyncio.run(again())
    (gap,) = [item for item in indices(items, "ecg") if isinstance(item, Gap)]
    assert (device.reconnects, gap.reason) == (1, "disconnected")
    assert items.index(gap) < len(items) - 5


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


def test_a_silence_is_measured_by_the_fastest_signal_that_was_asked_for() -> None:
    slow, fast = Signal("temp", "°C", 1 / 60, ("skin",)), Signal("ecg", "mV", 130.0, ("I",))
    event = Signal("rr", "s", None, ("rr",))
    assert usual_interval_s([slow, fast, event], 1) == 1.0
    assert usual_interval_s([slow], 1) == 60.0
    assert usual_interval_s([Signal("acc", "g", 25.0, ("x",))], 80) == 3.2
    assert usual_interval_s([event], 80) is None
