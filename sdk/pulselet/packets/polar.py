"""Polar Measurement Data: the frames of the data characteristic (H10, H9, Verity Sense, OH1 and others).

A frame is: measurement type u8 (two reserved bits on top), time u64, frame type u8 (top bit: compressed), samples.
A compressed frame holds a reference sample, then blocks: width of a difference in bits u8, number of samples u8, the
differences packed from the least significant bit, padded to a byte. Sources: Polar's published layouts.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PacketError
from pulselet.packets.cursor import Cursor
from pulselet.packets.polar_layout import (
    ACC,
    ECG,
    GYRO,
    LOCATION,
    MAG,
    NAMES,
    OFFLINE_HR,
    OFFLINE_RECORDING,
    PPG,
    PPI,
    PPI_BLOCKED,
    PPI_CONTACT,
    PPI_CONTACT_SUPPORTED,
    PRESSURE,
    SDK_MODE,
    SKIN_TEMPERATURE,
    TEMPERATURE,
    Layout,
)
from pulselet.packets.samples import packed, unpacked

__all__ = [
    "ACC",
    "CONTROL",
    "DATA",
    "ECG",
    "EPOCH_NS",
    "GYRO",
    "LOCATION",
    "MAG",
    "NAMES",
    "OFFLINE_HR",
    "OFFLINE_RECORDING",
    "PPG",
    "PPI",
    "PPI_BLOCKED",
    "PPI_CONTACT",
    "PPI_CONTACT_SUPPORTED",
    "PRESSURE",
    "SDK_MODE",
    "SERVICE",
    "SKIN_TEMPERATURE",
    "TEMPERATURE",
    "Frame",
    "Layout",
]

SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"  # read, write, indicate
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"  # notify

EPOCH_NS = 946_684_800_000_000_000  # 2000-01-01 UTC, in ns of Unix time
COMPRESSED = 0x80
HEADER = struct.Struct("<BQB")
MAX_WIDTH_BITS = 32
MAX_BLOCK = 255


@dataclass(frozen=True)
class Frame:
    """One notification of the data characteristic.

    Attributes
    ----------
    type
        What was measured: ECG, PPG, ACC, ...
    timestamp_ns
        Device clock at the *last* sample, in ns since 2000-01-01 UTC; 0 where the device does not say (PP intervals).
    frame_type
        Which of the layouts that the measurement has.
    payload
        The samples.
    compressed
        Whether the payload is a reference sample and differences.
    reserved
        The top two bits of the first byte, kept.
    """

    type: int
    timestamp_ns: int
    frame_type: int
    payload: bytes
    compressed: bool = False
    reserved: int = 0

    def __post_init__(self) -> None:
        for name, bits in (("type", 6), ("timestamp_ns", 64), ("frame_type", 7), ("reserved", 2)):
            if not 0 <= getattr(self, name) < 1 << bits:
                raise PacketError(f"a Polar frame has {bits} bits for its {name}, got {getattr(self, name)}")

    def __bytes__(self) -> bytes:
        kind = self.frame_type | (COMPRESSED if self.compressed else 0)
        return HEADER.pack(self.reserved << 6 | self.type, self.timestamp_ns, kind) + self.payload

    @classmethod
    def from_bytes(cls, data: bytes) -> Frame:
        """Return the frame in `data`; PacketError if it is shorter than its header.

        >>> frame = Frame.from_bytes(bytes.fromhex("00 00ca9a3b00000000 00 010000 ffffff"))
        >>> frame.timestamp_ns, frame.samples().tolist()
        (1000000000, [[1], [-1]])
        """
        cursor = Cursor(data, "a Polar frame")
        first, timestamp_ns, kind = cursor.unpack(HEADER.format)
        return cls(first & 0x3F, timestamp_ns, kind & ~COMPRESSED, cursor.rest(), bool(kind & COMPRESSED), first >> 6)

    @classmethod
    def raw(cls, kind: int, frame_type: int, timestamp_ns: int, samples: ArrayLike) -> Frame:
        """Return the raw frame that holds integers `(n, channels)`.

        Raises
        ------
        PacketError
            If the layout is not published, or a sample does not fit it.
        """
        layout = Layout.of(kind, frame_type, compressed=False)
        return cls(kind, timestamp_ns, frame_type, layout.write(np.asarray(samples)))

    @classmethod
    def ecg(cls, timestamp_ns: int, microvolts: ArrayLike) -> Frame:
        """Return the ECG frame of a strap: 24-bit microvolts `(n,)`."""
        return cls.raw(ECG, 0, timestamp_ns, np.asarray(microvolts).reshape(-1, 1))

    @classmethod
    def compress(cls, kind: int, frame_type: int, timestamp_ns: int, samples: ArrayLike, block: int = 16) -> Frame:
        """Return the compressed frame that holds integers `(n, channels)`, in blocks of `block` differences.

        Raises
        ------
        PacketError
            If the layout is not published, the first sample does not fit it, or a block holds 0 or more than 255.
        """
        if not 0 < block <= MAX_BLOCK:
            raise PacketError(f"a block holds 1 to {MAX_BLOCK} samples, got {block}")
        layout = Layout.of(kind, frame_type, compressed=True)
        values = np.asarray(samples, np.int64)
        payload = layout.write(values[:1])
        deltas = np.diff(values, axis=0).astype(np.int32)  # wraps
        for at in range(0, len(deltas), block):
            payload += _block(deltas[at : at + block])
        return cls(kind, timestamp_ns, frame_type, payload, compressed=True)

    @property
    def unix_ns(self) -> int:
        """Device clock at the last sample, in ns since 1970."""
        return self.timestamp_ns + EPOCH_NS

    def layout(self, channels: int | None = None, resolution_bits: int | None = None) -> Layout:
        """Return what a sample holds; the parameters replace what is published. PacketError if nothing is."""
        return Layout.of(self.type, self.frame_type, self.compressed, channels, resolution_bits)

    def samples(self, channels: int | None = None, resolution_bits: int | None = None) -> NDArray[np.int32]:
        """Return the integers `(n, channels)`, oldest first.

        Parameters
        ----------
        channels, resolution_bits
            As the device said in its settings, where nothing else is published for the frame type.

        Raises
        ------
        PacketError
            If the payload is not whole samples, a block runs past the end, a width is 0 or more than 32 bits, or the
            frame type is unknown.
        """
        return self.samples_as(self.layout(channels, resolution_bits))

    def samples_as(self, layout: Layout) -> NDArray[np.int32]:
        """Return the integers `(n, channels)` by a layout. Raises as `samples`."""
        if not self.compressed:
            return layout.read(self.payload)
        cursor = Cursor(self.payload, "a compressed Polar frame")
        pieces = [layout.read(cursor.take(layout.size)).astype(np.int64)]
        while cursor.left:
            pieces.append(_deltas(cursor, len(layout.fields)))
        return np.concatenate(pieces).cumsum(axis=0).astype(np.int32)  # wraps at 32 bits

    def values(
        self, factor: float = 1.0, channels: int | None = None, resolution_bits: int | None = None
    ) -> NDArray[np.float32]:
        """Return the samples `(n, channels)` in the units of the layout: mV, g, deg/s, µT, °C, bar, ms.

        `factor` is the one in the device's answer to the start command, 1 if it named none. Raises as `samples`.
        """
        layout = self.layout(channels, resolution_bits)
        return layout.scaled(self.samples_as(layout), factor)


def _deltas(cursor: Cursor, channels: int) -> NDArray[np.int64]:
    width, count = cursor.u8(), cursor.u8()
    if not 0 < width <= MAX_WIDTH_BITS:
        raise cursor.error(f"differences of {width} bits; wanted 1 to {MAX_WIDTH_BITS}")
    data = cursor.take((count * channels * width + 7) // 8)
    return unpacked(data, width, count * channels).reshape(-1, channels)


def _block(deltas: NDArray[np.int32]) -> bytes:
    largest = int(np.maximum(deltas, ~deltas).max())
    width = max(largest.bit_length() + 1, 2)  # of 1 bit: other readers take the sign for a 1
    return bytes([width, len(deltas)]) + packed(deltas.ravel(), width)
