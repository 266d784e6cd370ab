"""What one sample of a Polar measurement holds: the published frame types, field by field.

Sources: Polar's published frame types (Polar BLE SDK, its measurement data models). Nothing else is documented
by the vendor: what a frame type does not say, `Layout.of` takes as a parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PacketError
from pulselet.packets.samples import int24_bytes, int24_values

ECG, PPG, ACC, PPI, GYRO, MAG, SKIN_TEMPERATURE = 0, 1, 2, 3, 5, 6, 7
SDK_MODE, LOCATION, PRESSURE, TEMPERATURE, OFFLINE_RECORDING, OFFLINE_HR = 9, 10, 11, 12, 13, 14
NAMES = {
    ECG: "ecg",
    PPG: "ppg",
    ACC: "acc",
    PPI: "ppi",
    GYRO: "gyro",
    MAG: "mag",
    SKIN_TEMPERATURE: "skin_temperature",
    SDK_MODE: "sdk_mode",
    LOCATION: "location",
    PRESSURE: "pressure",
    TEMPERATURE: "temperature",
    OFFLINE_RECORDING: "offline_recording",
    OFFLINE_HR: "offline_hr",
}

INTEGERS = {1: "<i1", 2: "<i2", 4: "<i4"}


@dataclass(frozen=True)
class Field:
    """One channel of a sample.

    Attributes
    ----------
    name
        What it is.
    unit
        Unit of its values; empty for flags.
    scale
        How much of that unit an integer of 1 is, before the factor of the stream.
    at, bits
        Where it begins in the bytes of the sample, from the least significant bit, and how long it is.
    signed
        Two's complement, or unsigned.
    factored
        Whether the factor of the stream applies: not to flags.
    """

    name: str
    unit: str
    scale: float
    at: int
    bits: int
    signed: bool = True
    factored: bool = True


@dataclass(frozen=True)
class Layout:
    """One sample of a raw frame, or the reference sample of a compressed one.

    Attributes
    ----------
    fields
        The channels, in order.
    size
        Bytes of a sample.
    floating
        Whether an integer holds the bits of a float32.
    """

    fields: tuple[Field, ...]
    size: int
    floating: bool = False

    @classmethod
    def of(
        cls,
        kind: int,
        frame_type: int,
        compressed: bool,
        channels: int | None = None,
        resolution_bits: int | None = None,
    ) -> Layout:
        """Return the layout of a measurement type and frame type.

        Parameters
        ----------
        channels, resolution_bits
            What the device said of the stream; used where nothing is published, and for compressed frames. A published
            raw layout stands: a strap announces 14 bits of resolution and sends 24.

        Raises
        ------
        PacketError
            If nothing is published and either of the two is None, or there are no channels of 1 to 32 bits.
        """
        known = LAYOUTS.get((kind, frame_type, compressed))
        if known is not None and (not compressed or known.fits(channels, resolution_bits)):
            return known
        if known is not None:
            channels = len(known.fields) if channels is None else channels
            resolution_bits = known.fields[0].bits if resolution_bits is None else resolution_bits
        if channels is None or resolution_bits is None:
            raise PacketError(
                f"no layout is published for {'compressed' if compressed else 'raw'} frames of type {frame_type} of "
                f"measurement {kind} ({NAMES.get(kind, 'unknown')}); give channels and resolution_bits, or keep the "
                "payload as it is"
            )
        if channels < 1 or not 1 <= resolution_bits <= 32:
            raise PacketError(f"{channels} channels of {resolution_bits} bits; wanted 1 or more of 1 to 32 bits")
        like = known.fields[0] if known is not None else Field("", "", 1.0, 0, 0)
        return _uniform(_numbered("ch", channels), (resolution_bits + 7) // 8, like.unit, like.scale)

    def fits(self, channels: int | None, resolution_bits: int | None) -> bool:
        """Whether so many channels of so many bits take the bytes that this layout has; None for whatever it has."""
        width = self.fields[0].bits if resolution_bits is None else resolution_bits
        return channels in (None, len(self.fields)) and (width + 7) // 8 * len(self.fields) == self.size

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(field.name for field in self.fields)

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the channels, after scaling."""
        return tuple(field.unit for field in self.fields)

    @cached_property
    def width(self) -> int | None:
        """Bytes of a channel, if all are whole bytes, signed and alike; None otherwise."""
        bits = self.fields[0].bits
        alike = all(f.signed and f.bits == bits and f.at == i * bits for i, f in enumerate(self.fields))
        return bits // 8 if alike and bits % 8 == 0 and self.size * 8 == bits * len(self.fields) else None

    def read(self, data: bytes) -> NDArray[np.int32]:
        """Return the samples `(n, channels)` in `data`.

        Raises
        ------
        PacketError
            If it does not hold whole samples, one at least.
        """
        if not data or len(data) % self.size:
            raise PacketError(f"{len(data)} bytes are not whole samples of {self.size} bytes", data)
        if self.width is not None:
            flat = int24_values(data) if self.width == 3 else np.frombuffer(data, INTEGERS[self.width])
            return flat.astype(np.int32).reshape(-1, len(self.fields))
        octets = np.frombuffer(data, np.uint8).reshape(-1, self.size)
        return np.stack([_column(octets, field) for field in self.fields], axis=1).astype(np.int32)

    def write(self, samples: NDArray[np.integer]) -> bytes:
        """Return samples `(n, channels)` as bytes; PacketError if one does not fit."""
        wanted = np.asarray(samples, np.int64)
        if wanted.ndim != 2 or wanted.shape[1] != len(self.fields) or not len(wanted):
            raise PacketError(f"wanted samples (n, {len(self.fields)}), n above 0, got {wanted.shape}")
        for field, column in zip(self.fields, wanted.T, strict=True):
            low, high = _limits(field)
            if column.min() < low or column.max() > high:
                raise PacketError(f"{field.name} holds {low} to {high}, got {column.min()} to {column.max()}")
        if self.width == 3:
            return int24_bytes(wanted)
        if self.width is not None:
            return wanted.astype(INTEGERS[self.width]).tobytes()
        return b"".join(self._sample(row) for row in wanted.tolist())

    def _sample(self, row: Sequence[int]) -> bytes:
        bits = sum((value & ((1 << f.bits) - 1)) << f.at for f, value in zip(self.fields, row, strict=True))
        return bits.to_bytes(self.size, "little")

    def scaled(self, samples: NDArray[np.int32], factor: float) -> NDArray[np.float32]:
        """Return samples `(n, channels)` in the units of the channels; `factor` is what the device said."""
        scales = np.array([field.scale * (factor if field.factored else 1.0) for field in self.fields])
        with np.errstate(over="ignore", invalid="ignore"):  # bits of a float32 may be anything
            numbers = np.ascontiguousarray(samples).view(np.float32) if self.floating else samples
            return np.asarray(numbers * scales, np.float32)


def _column(octets: NDArray[np.uint8], field: Field) -> NDArray[np.int64]:
    first, last = field.at // 8, (field.at + field.bits + 7) // 8
    wide = np.zeros(len(octets), np.int64)
    for place in range(first, last):
        wide |= octets[:, place].astype(np.int64) << (8 * (place - first))
    wide = (wide >> (field.at % 8)) & ((1 << field.bits) - 1)
    return wide - ((wide & (1 << (field.bits - 1))) << 1) if field.signed else wide


def _limits(field: Field) -> tuple[int, int]:
    if field.signed:
        return -(1 << (field.bits - 1)), (1 << (field.bits - 1)) - 1
    return 0, (1 << field.bits) - 1


@lru_cache(maxsize=64)
def _uniform(names: tuple[str, ...], width: int, unit: str, scale: float, floating: bool = False) -> Layout:
    fields = tuple(Field(name, unit, scale, at * width * 8, width * 8) for at, name in enumerate(names))
    return Layout(fields, len(names) * width, floating)


def _flagged(names: tuple[str, ...], width: int, unit: str, scale: float) -> Layout:
    """Alike, but the last channel is a word of flags."""
    *fields, last = _uniform(names, width, unit, scale).fields
    return Layout((*fields, Field("status", "", 1.0, last.at, last.bits, factored=False)), len(names) * width)


def _numbered(stem: str, count: int) -> tuple[str, ...]:
    return tuple(f"{stem}{number}" for number in range(count))


XYZ = ("x", "y", "z")
GREEN_RED_INFRARED = (*_numbered("green", 8), *_numbered("red", 6), *_numbered("infrared", 6), "status")
MICROVOLT, MILLIGAUSS, GAUSS = 1e-3, 0.1, 100.0  # in mV, µT, µT
PPG_OHR = _uniform(("ppg0", "ppg1", "ppg2", "ambient"), 3, "count", 1.0)
CELSIUS = _uniform(("temperature",), 4, "°C", 1.0, floating=True)
BAR = _uniform(("pressure",), 4, "bar", 1.0, floating=True)

LAYOUTS: dict[tuple[int, int, bool], Layout] = {
    (ECG, 0, False): _uniform(("ecg",), 3, "mV", MICROVOLT),
    # types 1 and 2 are published with an unsigned number of microvolts
    (ECG, 1, False): Layout(
        (
            Field("ecg", "mV", MICROVOLT, 0, 14, signed=False),
            Field("oversampling", "", 1.0, 16, 1, signed=False, factored=False),
            Field("skin_contact", "", 1.0, 17, 2, signed=False, factored=False),
            Field("contact_impedance", "", 1.0, 19, 2, signed=False, factored=False),
        ),
        3,
    ),
    (ECG, 2, False): Layout(
        (
            Field("ecg", "mV", MICROVOLT, 0, 18, signed=False),
            Field("ecg_tag", "", 1.0, 18, 3, signed=False, factored=False),
            Field("pace_tag", "", 1.0, 21, 3, signed=False, factored=False),
        ),
        3,
    ),
    (ECG, 3, False): Layout(
        (
            Field("data0", "count", 1.0, 0, 24),
            Field("data1", "count", 1.0, 24, 24),
            Field("status", "", 1.0, 48, 8, signed=False, factored=False),
        ),
        7,
    ),
    (PPG, 0, False): PPG_OHR,
    (PPG, 0, True): PPG_OHR,
    (PPG, 7, True): _flagged(_numbered("ppg", 17), 3, "count", 1.0),
    (PPG, 8, True): _flagged(_numbered("ppg", 25), 3, "count", 1.0),
    (PPG, 10, True): _flagged(GREEN_RED_INFRARED, 3, "count", 1.0),
    (ACC, 0, False): _uniform(XYZ, 1, "g", 1e-3),
    (ACC, 1, False): _uniform(XYZ, 2, "g", 1e-3),
    (ACC, 2, False): _uniform(XYZ, 3, "g", 1e-3),
    (ACC, 0, True): _uniform(XYZ, 2, "g", 1.0),  # times the factor it is g, not milli-g
    (ACC, 1, True): _uniform(XYZ, 2, "g", 1e-3),
    (PPI, 0, False): Layout(
        (
            Field("heart_rate", "bpm", 1.0, 0, 8, signed=False, factored=False),
            Field("interval", "ms", 1.0, 8, 16, signed=False, factored=False),
            Field("error_estimate", "ms", 1.0, 24, 16, signed=False, factored=False),
            Field("flags", "", 1.0, 40, 8, signed=False, factored=False),
        ),
        6,
    ),
    (GYRO, 0, True): _uniform(XYZ, 2, "deg/s", 1.0),
    (GYRO, 1, True): _uniform(XYZ, 4, "deg/s", 1.0, floating=True),
    (MAG, 0, True): _uniform(XYZ, 2, "µT", GAUSS),
    (MAG, 1, True): _flagged((*XYZ, "status"), 2, "µT", MILLIGAUSS),
    (SKIN_TEMPERATURE, 0, False): CELSIUS,
    (SKIN_TEMPERATURE, 0, True): CELSIUS,
    (PRESSURE, 0, False): BAR,
    (PRESSURE, 0, True): BAR,
    (TEMPERATURE, 0, False): CELSIUS,
    (TEMPERATURE, 0, True): CELSIUS,
}
PPI_BLOCKED, PPI_CONTACT, PPI_CONTACT_SUPPORTED = 0x01, 0x02, 0x04  # in the flags of a PP interval
