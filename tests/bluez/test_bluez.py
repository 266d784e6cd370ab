"""bleak's own BlueZ backend, unmodified, over a real message bus: both of BlueZ's ways to notify, and what fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partialmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest
from bleak import BleakClient
from bumble.core import AdvertisingData
from bumble.gatt import Characteristic, Service
from numpy.typing import NDArray

from pulselet.device.adapter import Adapter
from pulselet.device.faults import Faults
from pulselet.device.link import Link, find
from pulselet.device.reconnect import Reconnect
from pulselet.device.session import Device, Found, connect, scan
from pulselet.device.virtual import VirtualDevice, VirtualWearable
from pulselet.device.virtual_radio import VirtualRadio
from pulselet.device.virtual_roles.feed import of_array
from pulselet.device.virtual_roles.strap import Strap, ecg
from pulselet.errors import DeviceError
from pulselet.packets import polar, profile
from pulselet.packets.profile import StreamInfo
from pulselet.stream.block import Block, Gap
from pulselet.stream.recording import Recording

if TYPE_CHECKING:
    from conftest import Room

pytestmark = pytest.mark.usefixtures("system_bus")

T = TypeVar("T")
STREAMS = (
    StreamInfo(1, "ecg", "mV", ("lead",), 130_000, 0.001),
    StreamInfo(2, "acc", "g", ("x", "y", "z"), 50_000, 1 / 4096),
)
OWN, BUS = "org.bluez.Error.", "org.freedesktop.DBus.Error."


def run(work: Coroutine[Any, Any, T], limit_s: float = 30.0) -> T:
    """Return what `work` does; a message that nobody answers ends the test, and does not hold it up for ever."""
    return asyncio.run(asyncio.wait_for(work, limit_s))


def samples(seconds: int) -> dict[str, NDArray[np.int16]]:
    draw = np.random.default_rng(7)
    return {
        info.name: draw.integers(-32768, 32768, (seconds * info.rate_mhz // 1000, len(info.channels))).astype(np.int16)
        for info in STREAMS
    }


def watch(
    seconds: int = 10, speed: float = 20.0, faults: Faults | None = None, number: int = 0, name: str = "Watch"
) -> VirtualWearable:
    at = f"F0:00:00:00:00:1{number}"
    return VirtualWearable(name, STREAMS, [samples(seconds)], speed=speed, faults=faults, address=at)


@pytest.fixture(params=["StartNotify", "AcquireNotify"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How bleak is told to ask BlueZ for notifications."""
    wish = {"use_start_notify": request.param == "StartNotify"}
    monkeypatch.setattr(BleakClient, "start_notify", partialmethod(BleakClient.start_notify, bluez=wish))
    return str(request.param)


async def streamed(path: Path, reconnect: Reconnect | None = None) -> tuple[Device, list[Block | Gap]]:
    with Recording.create(path) as recording:
        async with connect("Watch", reconnect=reconnect) as device:
            return device, [item async for item in device.stream(record=recording)]


def require_source(items: list[Block | Gap], seconds: int) -> None:
    """Every index of the source once, in order, with the source's value or in a gap."""
    source = samples(seconds)
    for info in STREAMS:
        own = [item for item in items if item.signal.name == info.name]
        assert [item.first for item in own] == [0, *(item.end for item in own[:-1])]
        assert own[-1].end == len(source[info.name])
        for block in (item for item in own if isinstance(item, Block)):
            assert np.array_equal(block.values, source[info.name][block.first : block.end] * np.float32(info.scale))


def test_a_scan_finds_the_device_by_its_service(bluez: Room) -> None:
    async def look() -> list[Found]:
        async with bluez(watch()):
            return await scan(1.0)

    (found,) = run(look())
    assert (found.name, found.address, found.kinds) == ("Watch", "F0:00:00:00:00:10", ("Pulselet",))


def test_ten_minutes_are_the_source_sample_for_sample(bluez: Room, method: str, tmp_path: Path) -> None:
    async def record() -> tuple[list[str], Device]:
        async with bluez(watch(600, speed=1200.0)) as bridge:
            device, _ = await streamed(tmp_path / "a.pulse")
            return bridge.calls, device

    calls, device = run(record())
    assert {"StartNotify", "AcquireNotify"}.intersection(calls) == {method}
    assert {(count.lost, count.repeated) for count in device.counts.values()} == {(0, 0)}
    with Recording.open(tmp_path / "a.pulse") as recording:
        for info in STREAMS:
            ((_, values),) = recording.segments(info.name)
            assert np.array_equal(values, samples(600)[info.name] * np.float32(info.scale))
        assert recording.sessions()[0].ended == "complete"


def test_a_device_that_drops_is_an_error_and_the_recording_is_kept(bluez: Room, method: str, tmp_path: Path) -> None:
    async def drop() -> None:
        async with bluez(watch(faults=Faults(disconnect={20: 0x13}))):
            await streamed(tmp_path / "a.pulse")

    with pytest.raises(DeviceError, match="Watch disconnected") as caught:
        run(drop())
    assert caught.value.reason == "disconnected"
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert recording.sessions()[0].ended == "disconnected"
        ((_, values),) = recording.segments("ecg")
        assert len(values) >= 130
        assert np.array_equal(values, samples(10)["ecg"][: len(values)] * np.float32(0.001))


def test_a_lost_link_is_made_anew_and_what_was_lost_is_declared(bluez: Room, method: str, tmp_path: Path) -> None:
    async def drop() -> tuple[Device, list[Block | Gap]]:
        async with bluez(watch(40, faults=Faults(disconnect={30: 0x08}))):
            return await streamed(tmp_path / "a.pulse", Reconnect(first_s=0.01))

    device, items = run(drop())
    require_source(items, 40)
    assert device.reconnects == 1
    assert device.counts["ecg"].lost > 0
    assert device.counts["ecg"].received + device.counts["ecg"].lost == 40 * 130


def test_an_adapter_that_is_switched_off_ends_the_stream(bluez: Room) -> None:
    async def switch_off() -> None:
        async with bluez(watch()) as bridge, connect("Watch", reconnect=None) as device:
            async for _ in device.stream():
                await bridge.switch_off()

    with pytest.raises(DeviceError, match="Watch disconnected") as caught:
        run(switch_off())
    assert caught.value.reason == "disconnected"


@pytest.mark.parametrize(
    ("options", "reason", "step"),
    [
        ({"adapter": False}, "no-adapter", "plug in a Bluetooth adapter"),
        ({"powered": False}, "off", "switch Bluetooth on"),
    ],
)
@pytest.mark.parametrize("use", [lambda: scan(0.1), lambda: connect("Watch").__aenter__()])
def test_an_adapter_that_cannot_be_used_is_named_with_the_next_step(
    bluez: Room, use: Callable[[], Coroutine[Any, Any, object]], options: dict[str, bool], reason: str, step: str
) -> None:
    async def go() -> None:
        async with bluez(**options):
            await use()

    with pytest.raises(DeviceError, match=step) as caught:
        run(go())
    assert caught.value.reason == reason


def test_a_service_that_does_not_run_is_named_with_the_next_step() -> None:
    with pytest.raises(DeviceError, match="see whether the Bluetooth service is running") as caught:
        run(scan(0.1))
    assert caught.value.reason == "no-adapter"


@pytest.mark.usefixtures("guarded_bus")
def test_a_user_who_may_not_talk_to_the_service_is_told_so(bluez: Room) -> None:
    async def go() -> None:
        async with bluez():
            await scan(0.1)

    with pytest.raises(DeviceError, match="allow this program") as caught:
        run(go())
    assert caught.value.reason == "permission"


def test_a_user_whom_the_bus_does_not_let_in_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLEAK_DBUS_AUTH_UID", "54321")  # what a process in a container does that has another's uid
    with pytest.raises(DeviceError, match="allow this program") as caught:
        run(scan(0.1))
    assert caught.value.reason == "permission"


# Which errors there are: BlueZ's org.bluez.Device(5) and org.bluez.GattCharacteristic(5); their texts: its src/error.c
# and src/gatt-client.c.
@pytest.mark.parametrize(
    ("call", "name", "text", "reason"),
    [
        ("Connect", OWN + "InProgress", "br-connection-busy", "busy"),
        ("Connect", OWN + "AlreadyConnected", "Already Connected", "busy"),
        ("Connect", OWN + "Failed", "le-connection-busy", "busy"),
        ("Connect", OWN + "Failed", "le-connection-abort-by-local", "not-found"),
        ("Connect", OWN + "Failed", "le-connection-refused", "refused"),
        ("StartDiscovery", OWN + "NotReady", "Resource Not Ready", "off"),
        ("Connect", OWN + "NotReady", "br-connection-adapter-not-powered", "off"),
        ("Connect", OWN + "Failed", "le-connection-key-missing", "pairing"),
        ("StartNotify", OWN + "NotPermitted", "Notify acquired", "busy"),
        ("Connect", BUS + "UnknownObject", "no such object", "not-found"),
        ("ReadValue", OWN + "NotPermitted", "Not paired", "pairing"),
        ("ReadValue", OWN + "NotAuthorized", "Operation Not Authorized", "pairing"),
        ("ReadValue", OWN + "NotPermitted", "Read not permitted", "refused"),
        ("WriteValue", OWN + "NotPermitted", "Not paired", "pairing"),
        ("WriteValue", OWN + "Failed", "Operation failed with ATT error: 0x0e", "refused"),
        ("StartNotify", OWN + "NotPermitted", "Not paired", "pairing"),
        ("StartNotify", OWN + "NotSupported", "Operation is not supported", "refused"),
    ],
)
def test_what_bluez_answers_becomes_a_reason(bluez: Room, call: str, name: str, text: str, reason: str) -> None:
    async def go() -> None:
        async with bluez(watch()) as bridge:
            bridge.errors[call] = name, text
            async with connect("Watch", reconnect=None, timeout_s=2.0) as device:
                async for _ in device.stream():
                    pass

    with pytest.raises(DeviceError) as caught:
        run(go())
    assert caught.value.reason == reason


class Locked:
    """A device that lets itself be read over a link of a certain security only; bumble's own server refuses others."""

    def __init__(self, permission: str) -> None:
        self._permission = Characteristic.Permissions[permission]

    async def start(self, radio: VirtualRadio) -> None:
        self._device = await radio.device("Watch", "F0:00:00:00:00:10")
        read = Characteristic.Properties.READ
        description = Characteristic(profile.DESCRIPTION, read, self._permission, b"")
        self._device.add_service(Service(profile.SERVICE, [description]))
        name = (AdvertisingData.COMPLETE_LOCAL_NAME, b"Watch")
        await self._device.start_advertising(
            auto_restart=True,
            advertising_data=bytes(AdvertisingData([name])),
            advertising_interval_min=20,
            advertising_interval_max=20,
        )

    async def stop(self) -> None:
        await self._device.power_off()


@pytest.mark.parametrize("lacking", ["ENCRYPTION", "AUTHENTICATION", "AUTHORIZATION"])
def test_a_device_that_wants_a_safer_link_is_to_be_paired(bluez: Room, lacking: str) -> None:
    async def go() -> None:
        async with bluez(Locked(f"READ_REQUIRES_{lacking}")), connect("Watch"):
            pass

    with pytest.raises(DeviceError, match="pair it in the system's Bluetooth settings") as caught:
        run(go())
    assert caught.value.reason == "pairing"


def test_a_strap_that_answers_by_indication_streams_its_ecg(bluez: Room, method: str) -> None:
    """The samples count up, so that each says which one it is."""
    ramp = np.arange(-4000, 4000)[:, None]

    async def go() -> list[float]:
        strap = Strap({polar.ECG: ecg(of_array(ramp))})
        values: list[float] = []
        async with bluez(VirtualDevice("Strap", [strap], speed=10.0)), connect("Strap", reconnect=None) as device:
            async for item in device.stream("ecg"):
                assert isinstance(item, Block)
                values += item.values[:, 0].tolist()
                if len(values) > 1000:
                    return values
        return values

    values = run(go())
    assert set(np.diff(np.rint(np.array(values) * 1000))) == {1.0}  # millivolts, from microvolts


def test_two_devices_are_connected_at_once(bluez: Room) -> None:
    async def one(name: str) -> int:
        async with connect(name, reconnect=None) as device:
            async for _ in device.stream():
                pass
            return device.counts["ecg"].received

    async def both() -> list[int]:
        async with bluez(watch(), watch(number=1, name="Other")):
            return await asyncio.gather(one("Watch"), one("Other"))

    assert run(both()) == [1300, 1300]


def test_a_device_that_drops_while_it_is_asked_is_disconnected(bluez: Room) -> None:
    async def ask() -> None:
        wearable = watch()
        async with bluez(wearable):
            link = await Link.open(await find("Watch", Adapter(), 5.0), Adapter(), 5.0)
            asyncio.get_running_loop().call_later(0.1, lambda: asyncio.ensure_future(wearable.drop()))
            try:
                await link.read(profile.CONTROL)  # it is write-only, and bumble's server never answers
            finally:
                await link.close()

    with pytest.raises(DeviceError) as caught:
        run(ask())
    assert caught.value.reason == "disconnected"


def test_a_device_that_bluez_has_forgotten_is_not_found(bluez: Room) -> None:
    async def forget() -> None:
        async with bluez(watch()):
            heard = await find("Watch", Adapter(), 5.0)
            await BleakClient(heard).unpair()
            await Link.open(heard, Adapter(), 5.0)

    with pytest.raises(DeviceError) as caught:
        run(forget())
    assert caught.value.reason == "not-found"
