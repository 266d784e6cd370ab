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
from pulselet.packets.samples import int24_bytes, int24_values, packed, unpacked

SERVICE = "5d1e0001-0f4b-4e6a-9c1d-7a52e8b3c6f0"
DATA = "5d1e0002-0f4b-4e6a-9c1d-7a52e8b3c6f0"  # notify
CONTROL = "5d1e0003-0f4b-4e6a-9c1d-7a52e8b3c6f0"  # write
DESCRIPTION = "5d1e0004-0f4b-4e6a-9c1d-7a52e8b3c6f0"  # read
IDENTITY = "5d1e0005-0f4b-4e6a-9c1d-7a52e8b3c6f0"  # read
RESULT = "5d1e0006-0f4b-4e6a-9c1d-7a52e8b3c6f0"  # notify

START, STOP, CONTINUE = b"\x01", b"\x02", b"\x03"
VERSION = 1

INT16, INT24, DELTA16, DELTA24, PAUSE, END = 0, 1, 2, 3, 254, 255
BYTES = {INT16: 2, INT24: 3, DELTA16: 2, DELTA24: 3}  # in a value, or in the first one of a delta-coded packet
DELTAS = (DELTA16, DELTA24)
_HEADER = struct.Struct("<BBHI")
_PAUSE = struct.Struct("<H")
_HEAD, _INFO = struct.Struct("<BIIB"), struct.Struct("<BBIf")
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True)
class Packet:
    """One notification.

    Attributes
    ----------
    stream
        Number of the stream, as in the description.
    kind
        INT16, INT24, DELTA16, DELTA24: samples. PAUSE: the sensor rested and goes on at `index`. END: the stream ends
        before `index`.
    index
        Index of the first sample modulo 2**16; a sample that the sensor took or skipped counts, whether sent or not.
    ticks
        Device clock at the first sample, modulo 2**32.
    payload
        INT16, INT24: samples, channels interleaved. DELTA16, DELTA24: number of samples, width of a delta in bits, the
        first sample, then the packed differences. PAUSE: the index, modulo 2**16, at which the rest began. END: none.
    """

    stream: int
    kind: int
    index: int
    ticks: int
    payload: bytes = b""

    def __bytes__(self) -> bytes:
        return _packed(_HEADER, self.stream, self.kind, self.index, self.ticks) + self.payload

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
        if kind not in (*BYTES, PAUSE, END):
            known = sorted((*BYTES, PAUSE, END))
            raise PacketError(f"unknown kind of packet {kind}; version {VERSION} has {known}", data)
        if not _fits(kind, len(payload)):
            raise PacketError(f"a packet of kind {kind} does not carry {len(payload)} bytes", data)
        return cls(stream, kind, index, ticks, payload)

    @classmethod
    def of(cls, stream: int, kind: int, index: int, ticks: int, values: NDArray[np.integer]) -> Packet:
        """Return the packet of samples `(n, channels)`.

        Raises
        ------
        PacketError
            If a value does not fit the kind, or a delta-coded packet would hold more than 255 samples.
        """
        limit = 1 << (8 * BYTES[kind] - 1)
        if values.size == 0 or values.min() < -limit or values.max() >= limit:
            raise PacketError(f"a packet of kind {kind} holds values of {8 * BYTES[kind]} bits, got {values.shape}")
        if kind == INT16:
            payload = np.ascontiguousarray(values, "<i2").tobytes()
        elif kind == INT24:
            payload = int24_bytes(values)
        else:
            payload = _delta_payload(kind, np.asarray(values, np.int32))
        return cls(stream, kind, index % 2**16, ticks % 2**32, payload)

    @classmethod
    def pause(cls, stream: int, index: int, ticks: int, since: int) -> Packet:
        """Return the packet that says: no samples from `since` until `index`."""
        return cls(stream, PAUSE, index % 2**16, ticks % 2**32, _PAUSE.pack(since % 2**16))

    @property
    def since(self) -> int:
        """Where a PAUSE began, modulo 2**16."""
        return int(_PAUSE.unpack(self.payload)[0])

    def samples(self, channels: int) -> NDArray[np.int32]:
        """Return the samples `(n, channels)`; PacketError if there are none, one is incomplete or leaves its range."""
        if self.kind not in BYTES:
            raise PacketError(f"a packet of kind {self.kind} holds no samples", bytes(self))
        if self.kind in DELTAS:
            return self._from_deltas(channels)
        size = BYTES[self.kind] * channels
        if len(self.payload) % size:
            raise PacketError(f"{len(self.payload)} bytes are not whole samples of {channels} channels", bytes(self))
        values = int24_values(self.payload) if self.kind == INT24 else np.frombuffer(self.payload, "<i2")
        return values.astype(np.int32).reshape(-1, channels)

    def _from_deltas(self, channels: int) -> NDArray[np.int32]:
        if len(self.payload) < 2:
            raise PacketError(f"a delta-coded packet begins with 2 bytes, got {len(self.payload)}", bytes(self))
        count, width, size = self.payload[0], self.payload[1], BYTES[self.kind]
        bits = (count - 1) * channels * width
        wanted = 2 + channels * size + (bits + 7) // 8
        if count == 0 or width > 8 * size + 1 or len(self.payload) != wanted:
            raise PacketError(
                f"{count} samples of {channels} channels in deltas of {width} bits want {wanted} bytes, "
                f"got {len(self.payload)}",
                bytes(self),
            )
        head, tail = self.payload[2 : 2 + channels * size], self.payload[2 + channels * size :]
        first = int24_values(head) if size == 3 else np.frombuffer(head, "<i2").astype(np.int32)
        deltas = unpacked(tail, width, (count - 1) * channels).reshape(-1, channels)
        values = np.concatenate([first[None], deltas]).cumsum(axis=0, dtype=np.int64)
        limit = 1 << (8 * size - 1)
        if values.min() < -limit or values.max() >= limit:
            raise PacketError(f"deltas lead out of {8 * size} bits", bytes(self))
        return values.astype(np.int32)


def _packed(layout: struct.Struct, *numbers: float) -> bytes:
    try:
        return layout.pack(*numbers)
    except (struct.error, OverflowError) as error:
        raise PacketError(f"{numbers} do not fit their fields ({layout.format}): {error}") from error


def _fits(kind: int, length: int) -> bool:
    if kind in DELTAS:
        return length >= 2 + BYTES[kind]
    if kind in BYTES:
        return length > 0 and length % BYTES[kind] == 0
    return length == (_PAUSE.size if kind == PAUSE else 0)


def _delta_payload(kind: int, values: NDArray[np.int32]) -> bytes:
    if len(values) > 255:
        raise PacketError(f"a delta-coded packet holds 255 samples at the most, got {len(values)}")
    deltas = np.diff(values, axis=0).ravel()
    largest = int(np.maximum(deltas, ~deltas).max()) if len(deltas) else 0
    width = largest.bit_length() + 1 if deltas.any() else 0
    first = int24_bytes(values[0]) if BYTES[kind] == 3 else values[0].astype("<i2").tobytes()
    return bytes([len(values), width]) + first + packed(deltas, width)


@dataclass(frozen=True)
class StreamInfo:
    """What one stream is; a value in `unit` is the integer times `scale`."""

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
        A number that differs from start to start, also after the device was off.
    clock_hz
        Rate of the device clock, ticks per second.
    streams
        One entry for each stream.
    """

    session: int
    clock_hz: int
    streams: tuple[StreamInfo, ...]

    def __bytes__(self) -> bytes:
        head = _packed(_HEAD, VERSION, self.session, self.clock_hz, len(self.streams))
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
    head = _packed(_INFO, info.id, len(info.channels), info.rate_mhz, info.scale)
    return head + b"".join(_text(text) for text in (info.name, info.unit, *info.channels))


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > 255:
        raise PacketError(f"a text has 255 bytes at the most, got {len(encoded)}: {text[:40]!r}...")
    return bytes([len(encoded)]) + encoded


def _read_info(reader: Cursor) -> StreamInfo:
    number, channels, rate_mhz, scale = reader.unpack("<BBIf")
    name, unit, *names = (reader.text(reader.u8()) for _ in range(2 + channels))
    if channels == 0 or rate_mhz == 0 or not 0 < abs(scale) < 1e30:
        raise reader.error(f"stream {name!r}: {channels} channels at {rate_mhz} mHz in steps of {scale}")
    return StreamInfo(number, name, unit, tuple(names), rate_mhz, scale)


HASH_BYTES = 32


@dataclass(frozen=True)
class Identity:
    """What a device runs: SHA-256 of its pipeline and of its net, and what the net's classes are called."""

    pipeline: bytes
    net: bytes
    labels: tuple[str, ...]

    def __bytes__(self) -> bytes:
        if len(self.pipeline) != HASH_BYTES or len(self.net) != HASH_BYTES or len(self.labels) > 255:
            raise PacketError(
                f"an identity has two hashes of {HASH_BYTES} bytes and 255 labels at the most, got {self}"
            )
        head = bytes([VERSION]) + self.pipeline + self.net + bytes([len(self.labels)])
        return head + b"".join(_text(label) for label in self.labels)

    @classmethod
    def from_bytes(cls, data: bytes) -> Identity:
        """Return the identity in `data`; PacketError if it is cut short, too long or of another version."""
        reader = Cursor(data, "an identity")
        version = reader.u8()
        if version != VERSION:
            raise reader.error(f"version {version}; this Pulselet reads {VERSION}")
        pipeline, net = reader.take(HASH_BYTES), reader.take(HASH_BYTES)
        labels = tuple(reader.text(reader.u8()) for _ in range(reader.u8()))
        reader.end()
        return cls(pipeline, net, labels)


RESULT_SIGNAL = "result"  # the name under which results are streamed
START_MODULUS = 2**24  # of their start there: up to which float32 holds every whole number
_RESULT = struct.Struct("<HIIBBff")
ABSTAINED = 0x01


@dataclass(frozen=True)
class Result:
    """What the net on the device says of one window.

    Attributes
    ----------
    number
        Counts the results of a session from 0, modulo 2**16.
    ticks
        Device clock at the window's last sample, modulo 2**32.
    start
        Index of the window's first sample, counted at the rate of the window, modulo 2**32.
    label
        Number of the class, as in the identity.
    flags
        ABSTAINED: the net would rather not say. Other bits are kept.
    confidence
        From 0 to 1, a float32.
    quality
        Quality of the signal from 0 to 1; NaN where the device does not measure it.
    """

    number: int
    ticks: int
    start: int
    label: int
    flags: int
    confidence: float
    quality: float

    def __bytes__(self) -> bytes:
        numbers = self.number, self.ticks, self.start, self.label, self.flags
        return _packed(_RESULT, *numbers, self.confidence, self.quality)

    @classmethod
    def from_bytes(cls, data: bytes) -> Result:
        """Return the result in `data`; PacketError if it is not 20 bytes, or a number is no share."""
        reader = Cursor(data, "a result")
        found = cls(*reader.unpack(_RESULT.format))
        reader.end()
        if not 0 <= found.confidence <= 1 or found.quality < 0 or found.quality > 1:
            raise reader.error(f"confidence {found.confidence} and quality {found.quality} want to be from 0 to 1")
        return found

    @property
    def abstained(self) -> bool:
        """Whether the net would rather not say."""
        return bool(self.flags & ABSTAINED)
