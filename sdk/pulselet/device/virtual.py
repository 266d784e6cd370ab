"""A wearable without hardware: replays samples over the Pulselet Stream Profile, with faults if asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet._extras import require
from pulselet.device.virtual_radio import VirtualRadio
from pulselet.errors import DeviceError
from pulselet.packets import profile
from pulselet.packets.profile import Description, Packet, StreamInfo

CLOCK_HZ = 32768
PACKET_S = 0.5
KEEP_ALIVE_S = 2.0
ADVERTISING_MS = 100
NAME_BYTES = 8  # what an advertisement of 31 bytes holds beside a 128-bit UUID
Segment = Mapping[str, NDArray[np.int16]]
"""By name of the stream: samples `(n, channels)` that belong together."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong; packets are counted from 0 over all streams."""

    drop: frozenset[int] = frozenset()
    repeat: frozenset[int] = frozenset()
    disconnect_at: int | None = None
    silent_at: int | None = None


@dataclass
class VirtualWearable:
    """A peripheral that replays `segments`, one after the other, with a rest between them.

    Attributes
    ----------
    speed
        Device seconds per second of ours; 1 is real time.
    pause_s
        Length of the rest; the sample counter goes on meanwhile.
    """

    name: str
    streams: Sequence[StreamInfo]
    segments: Sequence[Segment]
    speed: float = 1.0
    pause_s: float = 2.0
    faults: Faults = field(default_factory=Faults)
    address: str = "F0:00:00:00:00:10"

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise DeviceError(f"a virtual wearable wants a speed above 0, got {self.speed}", "bad-speed")
        if not 0 < len(self.name.encode()) <= NAME_BYTES:
            raise DeviceError(f"a device's name has 1 to {NAME_BYTES} bytes, got {self.name!r}", "bad-name")
        for i, segment in enumerate(self.segments):
            for info in self.streams:
                values = segment.get(info.name)
                if values is None or values.dtype != np.int16 or values.shape[1:] != (len(info.channels),):
                    got = "nothing" if values is None else f"{values.dtype} {values.shape}"
                    wanted = f"int16 (n, {len(info.channels)})"
                    raise DeviceError(f"segment {i}: stream {info.name!r} wants {wanted}, got {got}", "bad-segment")
        self.sent = 0
        self._session = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self, radio: VirtualRadio) -> None:
        """Power on and advertise on `radio`."""
        gatt = require("bumble.gatt", "virtual")
        traits = gatt.Characteristic
        self._device: Any = await radio.device(self.name, self.address)
        self._data = traits(profile.DATA, traits.Properties.NOTIFY, traits.READABLE)
        control = traits(
            profile.CONTROL,
            traits.Properties.WRITE,
            traits.WRITEABLE,
            gatt.CharacteristicValue(write=self._controlled),
        )
        description = traits(
            profile.DESCRIPTION,
            traits.Properties.READ,
            traits.READABLE,
            gatt.CharacteristicValue(read=lambda connection: bytes(self.description)),
        )
        self._device.add_service(gatt.Service(profile.SERVICE, [self._data, control, description]))
        self._device.on("connection", self._connected)
        core = require("bumble.core", "virtual")
        kinds, uuid = core.AdvertisingData, core.UUID(profile.SERVICE)
        services = (kinds.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(uuid))
        name = (kinds.COMPLETE_LOCAL_NAME, self.name.encode())
        await self._device.start_advertising(
            auto_restart=True,
            advertising_data=bytes(kinds([(kinds.FLAGS, bytes([0x06])), services, name])),
            advertising_interval_min=ADVERTISING_MS,
            advertising_interval_max=ADVERTISING_MS,
        )

    async def stop(self) -> None:
        """Power off."""
        await self._rest()
        await self._device.power_off()

    async def drop(self) -> None:
        """Cut the connection, as a watch does that goes out of range."""
        await self._connection.disconnect()

    @property
    def description(self) -> Description:
        """What the device says of itself in this session."""
        return Description(self._session, CLOCK_HZ, tuple(self.streams))

    def _connected(self, connection: Any) -> None:
        self._session += 1
        self._connection = connection
        connection.on("disconnection", lambda reason: self._cancel())

    async def _controlled(self, connection: Any, value: bytes) -> None:
        await self._rest()
        if value == profile.START:
            self._task = asyncio.create_task(self._replay())

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _rest(self) -> None:
        self._cancel()
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._task = None

    async def _replay(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.sent = 0
        for number, (at_s, packet) in enumerate(self.packets()):
            wait = begun + at_s / self.speed - loop.time()
            await asyncio.sleep(max(0.0, wait))
            if number == self.faults.disconnect_at:
                await self.drop()
                return
            if self.faults.silent_at is not None and number >= self.faults.silent_at:
                return
            for _ in range((number not in self.faults.drop) + (number in self.faults.repeat)):
                await self._device.notify_subscriber(self._connection, self._data, bytes(packet))
                self.sent += 1

    def packets(self) -> Iterator[tuple[float, Packet]]:
        """Yield every packet with the device time, in seconds, at which it is sent: when its last sample is taken."""
        first_s = 0.0
        for i, segment in enumerate(self.segments):
            if i:
                yield from self._rest_packets(first_s - self.pause_s, first_s)
            yield from sorted(self._of_segment(segment, first_s), key=lambda timed: timed[0])
            length_s = max(len(segment[info.name]) * 1000 / info.rate_mhz for info in self.streams)
            first_s += length_s + (self.pause_s if i + 1 < len(self.segments) else 0.0)
        for info in self.streams:
            index = round(first_s * info.rate_mhz / 1000)
            yield first_s, Packet(info.id, profile.END, index % 2**16, self._ticks(info, index))

    def _rest_packets(self, from_s: float, until_s: float) -> Iterator[tuple[float, Packet]]:
        """Yield a sign of life every so often, and one at the end."""
        marks = [*np.arange(from_s, until_s, KEEP_ALIVE_S), until_s]
        for before_s, at_s in pairwise(marks):
            for info in self.streams:
                since, index = (round(s * info.rate_mhz / 1000) for s in (before_s, at_s))
                yield at_s, Packet.pause(info.id, index, self._ticks(info, index), since)

    def _of_segment(self, segment: Segment, first_s: float) -> Iterator[tuple[float, Packet]]:
        for info in self.streams:
            values, rate_hz = segment[info.name], info.rate_mhz / 1000
            first = round(first_s * rate_hz)
            per_packet = max(1, round(PACKET_S * rate_hz))
            for at in range(0, len(values), per_packet):
                part = values[at : at + per_packet]
                index, ticks = first + at, self._ticks(info, first + at)
                payload = np.ascontiguousarray(part, "<i2").tobytes()
                packet = Packet(info.id, profile.INT16, index % 2**16, ticks, payload)
                yield (index + len(part)) / rate_hz, packet

    @staticmethod
    def _ticks(info: StreamInfo, index: int) -> int:
        return round(index * CLOCK_HZ * 1000 / info.rate_mhz) % 2**32
