"""A device without hardware: it plays its roles over a virtual radio, with faults if asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from pulselet._extras import require
from pulselet.device.faults import REMOTE_USER, Faults
from pulselet.device.virtual_radio import ATT_OVERHEAD, VirtualRadio
from pulselet.device.virtual_roles.board import Board, Segment
from pulselet.device.virtual_roles.role import Role, Timed
from pulselet.errors import DeviceError
from pulselet.packets.gatt import full_uuid
from pulselet.packets.profile import StreamInfo

__all__ = ["Faults", "Segment", "VirtualDevice", "VirtualWearable"]

ADVERTISING_MS = 20
ADVERTISEMENT_BYTES = 31
ATT_MTU = 247


class VirtualDevice:
    """A peripheral that plays `roles`.

    Parameters
    ----------
    speed
        Device seconds per second of ours; 1 is real time.
    mtu
        The largest ATT MTU that it agrees to, from 23 to 517.
    log
        Gets characteristic and bytes of every notification that is handed to the radio, for whoever wants to compare.

    Attributes
    ----------
    due, sent
        Notifications that were due, and that were handed to the radio.
    """

    def __init__(
        self,
        name: str,
        roles: Sequence[Role],
        *,
        speed: float = 1.0,
        faults: Faults | None = None,
        address: str = "F0:00:00:00:00:10",
        mtu: int = ATT_MTU,
        log: list[tuple[str, bytes]] | None = None,
    ) -> None:
        if not speed > 0:
            raise DeviceError(f"a virtual device wants a speed above 0, got {speed}", "bad-speed")
        if not 23 <= mtu <= 517:
            raise DeviceError(f"an ATT MTU is from 23 to 517, got {mtu}", "bad-mtu")
        self.name, self.roles, self.speed, self.address, self.mtu = name, roles, speed, address, mtu
        self.faults = faults or Faults()
        self._log = log
        room = _room_for_name(roles)
        if not 0 < len(name.encode()) <= room:
            raise DeviceError(f"this device's name has 1 to {room} bytes, got {name!r}", "bad-name")
        self.due = self.sent = 0
        self._silent = False
        self._connection: Any = None
        self._characteristics: dict[str, tuple[Role, Any]] = {}
        self._playing: dict[str, asyncio.Task[None]] = {}
        self._asides: set[asyncio.Task[None]] = set()  # indications and late notifications under way

    async def start(self, radio: VirtualRadio) -> None:
        """Power on and advertise on `radio`."""
        self._device: Any = await radio.device(self.name, self.address)
        self._device.gatt_server.max_mtu = self.mtu
        for role in self.roles:
            self._serve(role)
        self._device.on("connection", self._connected)
        self._epoch = asyncio.get_running_loop().time()
        await self._device.start_advertising(
            auto_restart=True,
            advertising_data=_advertisement(self.name, self.roles),
            advertising_interval_min=ADVERTISING_MS,
            advertising_interval_max=ADVERTISING_MS,
        )

    def _serve(self, role: Role) -> None:
        gatt = require("bumble.gatt", "virtual")
        traits = gatt.Characteristic
        for service, characteristics in role.services.items():
            made = []
            for uuid, properties in characteristics.items():
                flags = traits.Properties(0)
                for one in properties:
                    flags |= traits.Properties[one.upper()]
                readable, writeable = properties != ("write",), "write" in properties
                permissions = traits.READABLE * readable | traits.WRITEABLE * writeable
                reader = self._reader(role, uuid) if readable else None
                value = gatt.CharacteristicValue(read=reader, write=self._writer(role, uuid))
                characteristic = traits(uuid, flags, permissions, value)
                characteristic.on(characteristic.EVENT_SUBSCRIPTION, self._subscriber(role, uuid))
                self._characteristics[uuid] = role, characteristic
                made.append(characteristic)
            self._device.add_service(gatt.Service(service, made))

    def _reader(self, role: Role, uuid: str) -> Any:
        return lambda connection: role.read(uuid)

    def _writer(self, role: Role, uuid: str) -> Any:
        return lambda connection, value: role.write(self, uuid, bytes(value))

    def _subscriber(self, role: Role, uuid: str) -> Any:
        return lambda connection, notify, indicate: role.subscribed(self, uuid, bool(notify or indicate))

    async def stop(self) -> None:
        """Power off."""
        for task in [*self._playing.values(), *self._asides]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._device.power_off()

    async def drop(self, reason: int = REMOTE_USER) -> None:
        """Cut the connection with an HCI reason, as a watch does that goes out of range."""
        if self._connection is not None:
            await self._connection.disconnect(reason)

    async def power_cycle(self) -> None:
        """Lose everything, as when the battery has been out: the link, what was playing, and the count of samples."""
        for what in list(self._playing):
            self.rest(what)
        for role in self.roles:
            role.power_cycled()
        await self.drop(0x08)

    def _connected(self, connection: Any) -> None:
        self._connection = connection
        connection.on("disconnection", self._disconnected)

    def _disconnected(self, reason: int) -> None:
        self._connection, self._silent = None, False
        for role in self.roles:
            role.disconnected(self)

    # What a role asks for

    @property
    def now_s(self) -> float:
        """Device time, in s since power on."""
        return (asyncio.get_running_loop().time() - self._epoch) * self.speed

    @property
    def payload_bytes(self) -> int:
        """What one notification can hold."""
        return (self._connection.att_mtu if self._connection is not None else self.mtu) - ATT_OVERHEAD

    def play(self, what: str, schedule: Iterator[Timed]) -> None:
        """Send what is scheduled, each at its time; what was played under this name ends."""
        self.rest(what)
        self._playing[what] = asyncio.create_task(self._play(schedule))

    def rest(self, what: str) -> None:
        """Play this no more."""
        task = self._playing.pop(what, None)
        if task is not None:
            task.cancel()

    def indicate(self, uuid: str, data: bytes) -> None:
        """Send an indication."""
        self._aside(self._device.indicate_subscriber(self._connection, self._characteristics[uuid][1], data))

    def _aside(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def _play(self, schedule: Iterator[Timed]) -> None:
        for at_s, uuid, data in schedule:
            await asyncio.sleep(max(0.0, (at_s - self.now_s) / self.speed))
            await self._deliver(uuid, data)

    async def _deliver(self, uuid: str, data: bytes) -> None:
        """Send one notification, or what the faults make of it."""
        number, faults = self.due, self.faults
        self.due += 1
        if number in faults.disconnect and self._connection is not None:
            self._silent = True
            self._aside(self.drop(faults.disconnect[number]))  # not here: a role may end this very task
        self._silent |= number in faults.silent
        if number in faults.drop:
            return
        if number in faults.clock_back:
            data = self._characteristics[uuid][0].set_back(data, faults.clock_back[number])
        data = data[: faults.truncate.get(number, len(data))]
        if number in faults.delay:
            self._aside(self._later(faults.delay[number], uuid, data))
            return
        for _ in range(1 + (number in faults.repeat)):
            await self._send(uuid, data)

    async def _later(self, seconds: float, uuid: str, data: bytes) -> None:
        await asyncio.sleep(seconds / self.speed)
        await self._send(uuid, data)

    async def _send(self, uuid: str, data: bytes) -> None:
        if self._connection is None or self._silent:
            return
        await self._device.notify_subscriber(self._connection, self._characteristics[uuid][1], data)
        self.sent += 1
        if self._log is not None:
            self._log.append((uuid, data))


class VirtualWearable(VirtualDevice):
    """A board of the Pulselet profile that replays `segments`, with a rest of `pause_s` between them."""

    def __init__(
        self,
        name: str,
        streams: Sequence[StreamInfo],
        segments: Sequence[Segment],
        *,
        speed: float = 1.0,
        pause_s: float = 2.0,
        faults: Faults | None = None,
        address: str = "F0:00:00:00:00:10",
        mtu: int = ATT_MTU,
    ) -> None:
        self.board = Board.of_segments(streams, segments, pause_s)
        super().__init__(name, [self.board], speed=speed, faults=faults, address=address, mtu=mtu)


def _room_for_name(roles: Sequence[Role]) -> int:
    return ADVERTISEMENT_BYTES - len(_advertisement("", roles))


def _advertisement(name: str, roles: Sequence[Role]) -> bytes:
    """Return flags, services and name; a service of the Bluetooth SIG takes 2 bytes, another one 16."""
    core = require("bumble.core", "virtual")
    kinds = core.AdvertisingData
    uuids = [bytes(core.UUID(_short(uuid))) for role in roles for uuid in role.advertised]
    data = [(kinds.FLAGS, bytes([0x06]))]
    for size, kind in (
        (2, kinds.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS),
        (16, kinds.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS),
    ):
        listed = b"".join(uuid for uuid in uuids if len(uuid) == size)
        if listed:
            data.append((kind, listed))
    return bytes(kinds([*data, (kinds.COMPLETE_LOCAL_NAME, name.encode())]))


def _short(uuid: str) -> str:
    """Return a UUID of the Bluetooth SIG's in its short form."""
    return uuid[4:8].upper() if uuid == full_uuid(int(uuid[:8], 16)) else uuid
