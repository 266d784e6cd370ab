"""The Pulselet Stream Profile, version 1: any number of sensor streams over one characteristic.

`docs/stream-profile.md` draws every byte. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PacketError
from pulselet.packets.cursor import Cursor

SERVICE = "5d1e0001-0f4b-4e6a-9c1d-7a52e8b3c6f0"
DATA = "5d1e0002-0f4b-4e6a-9c1d-7a52e8b3c6f0"  # notify
CONTROL = "5d1e0003-0f4b-4e6a-9c1d-7a52e8b3c6f0"  # write
DESCRIPTION = "5d1e0004-0f4b-4e6a-9c1d-7a52e8b3c6f0"  # read

START, STOP = b"\x01", b"\x02"
VERSION = 1

INT16, PAUSE, END = 0, 254, 255
_HEADER = struct.Struct("<BBHI")
_PAUSE = struct.Struct("<H")
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True)
class Packet:
    """One notification.

    Attributes
    ----------
    stream
        Number of the stream, as in the description.
    kind
        INT16: samples. PAUSE: the sensor rested and goes on at `index`. END: the stream ends before `index`.
    index
        Index of the first sample modulo 2**16; a sample that the sensor took or skipped counts, whether sent or not.
    ticks
        Device clock at the first sample, modulo 2**32.
    payload
        INT16: samples, channels interleaved. PAUSE: the index, modulo 2**16, at which the rest began. END: nothing.
    """

    stream: int
    kind: int
    index: int
    ticks: int
    payload: bytes = b""

    def __bytes__(self) -> bytes:
        return _HEADER.pack(self.stream, self.kind, self.index, self.ticks) + self.payload

    @classmethod
    def from_bytes(cls, data: bytes) -> Packet:
        """Return the packet in `data`.

        Raises
        ------
        PacketError
            If the bytes are too few, or the kind or its payload is not of this version.

        >>> Packet.from_bytes(bytes(Packet(1, END, 500, 7)))
        Packet(stream=1, kind=255, index=500, ticks=7, payload=b'')
        """
        if len(data) < HEADER_BYTES:
            raise PacketError(f"a packet wants {HEADER_BYTES} bytes or more, got {len(data)}", data)
        stream, kind, index, ticks = _HEADER.unpack_from(data)
        payload = data[HEADER_BYTES:]
        fits = {
            INT16: len(payload) >= 2 and len(payload) % 2 == 0,
            PAUSE: len(payload) == _PAUSE.size,
            END: not payload,
        }
        if kind not in fits:
            raise PacketError(f"unknown kind of packet {kind}; version {VERSION} has {sorted(fits)}", data)
        if not fits[kind]:
            raise PacketError(f"a packet of kind {kind} does not carry {len(payload)} bytes", data)
        return cls(stream, kind, index, ticks, payload)

    @classmethod
    def pause(cls, stream: int, index: int, ticks: int, since: int) -> Packet:
        """Return the packet that says: no samples from `since` until `index`."""
        return cls(stream, PAUSE, index % 2**16, ticks % 2**32, _PAUSE.pack(since % 2**16))

    @property
    def since(self) -> int:
        """Where a PAUSE began, modulo 2**16."""
        return int(_PAUSE.unpack(self.payload)[0])

    def samples(self, channels: int) -> NDArray[np.int16]:
        """Return the samples `(n, channels)` of an INT16 packet; PacketError if a sample is incomplete."""
        values = np.frombuffer(self.payload, "<i2")
        if len(values) % channels:
            raise PacketError(f"{len(values)} values are not whole samples of {channels} channels", bytes(self))
        return values.reshape(-1, channels)


@dataclass(frozen=True)
class StreamInfo:
    """What one stream is; a value in `unit` is the int16 times `scale`."""

    id: int
    name: str
    unit: str
    channels: tuple[str, ...]
    rate_mhz: int  # thousandths of a hertz
    scale: float  # a float32


@dataclass(frozen=True)
class Description:
    """What a device streams.

    Attributes
    ----------
    session
        A number that differs from connection to connection.
    clock_hz
        Rate of the device clock, ticks per second.
    streams
        One entry for each stream.
    """

    session: int
    clock_hz: int
    streams: tuple[StreamInfo, ...]

    def __bytes__(self) -> bytes:
        head = struct.pack("<BIIB", VERSION, self.session, self.clock_hz, len(self.streams))
        return head + b"".join(_info_bytes(info) for info in self.streams)

    @classmethod
    def from_bytes(cls, data: bytes) -> Description:
        """Return the description in `data`.

        Raises
        ------
        PacketError
            If it is cut short, goes on too long, is of another version or makes no sense.
        """
        reader = Cursor(data, "a description")
        version, session, clock_hz, count = reader.unpack("<BIIB")
        if version != VERSION:
            raise PacketError(f"a description of version {version}; this Pulselet reads {VERSION}", data)
        streams = tuple(_read_info(reader) for _ in range(count))
        reader.end()
        if clock_hz == 0 or not streams:
            raise PacketError(f"{count} streams with a clock of {clock_hz} Hz", data)
        if any(len({getattr(info, key) for info in streams}) != count for key in ("id", "name")):
            raise PacketError("two streams with one number or one name", data)
        return cls(session, clock_hz, streams)


def _info_bytes(info: StreamInfo) -> bytes:
    texts = [text.encode() for text in (info.name, info.unit, *info.channels)]
    head = struct.pack("<BBIf", info.id, len(info.channels), info.rate_mhz, info.scale)
    return head + b"".join(bytes([len(text)]) + text for text in texts)


def _read_info(reader: Cursor) -> StreamInfo:
    number, channels, rate_mhz, scale = reader.unpack("<BBIf")
    name, unit, *names = (reader.text(reader.u8()) for _ in range(2 + channels))
    if channels == 0 or rate_mhz == 0 or not 0 < abs(scale) < 1e30:
        raise reader.error(f"stream {name!r}: {channels} channels at {rate_mhz} mHz in steps of {scale}")
    return StreamInfo(number, name, unit, tuple(names), rate_mhz, scale)
