"""What Movesense subscriptions hold: samples with a time in ms, and heart rates.

Sources: the files acc, gyro, magn, imu, ecg, hr and temp of the Movesense API, for layouts and units.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PacketError
from pulselet.packets.cursor import Cursor


@dataclass(frozen=True, eq=False)
class Measurement:
    """Samples of one notification.

    Attributes
    ----------
    time_ms
        Sensor's clock at the *first* sample, modulo 2**32.
    values
        float32 `(n, channels)`.
    """

    time_ms: int
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Stream:
    """What the notifications of a subscription hold.

    Attributes
    ----------
    channels, units
        Of a sample.
    groups
        How many arrays lie one behind another: with 2, all acceleration comes first, then all rotation.
    code
        `numpy` code of a number.
    scale
        How much of the unit a number of 1 is.
    rate_hz
        None for an event.
    """

    channels: tuple[str, ...]
    units: tuple[str, ...]
    groups: int = 1
    code: str = "<f4"
    scale: float = 1.0
    rate_hz: int | None = None

    @classmethod
    def of(cls, path: str) -> Stream:
        """Return what a path such as `/Meas/IMU6/104` streams.

        Raises
        ------
        PacketError
            If the path is not one of those that are known.

        >>> Stream.of("/Meas/Acc/52").units
        ('m/s²', 'm/s²', 'm/s²')
        """
        found = re.fullmatch(r"/?Meas/(\w+)(?:/(\d+))?(/mV)?", path)
        parts = KINDS.get((found[1].upper(), bool(found[3]))) if found else None
        if found is None or parts is None or (found[2] is None) != (found[1].upper() in EVENTS):
            known = sorted({kind for kind, _ in KINDS})
            raise PacketError(f"no stream is known at {path!r}; known are /Meas/ with {known} and a rate")
        names = [f"{name}_{axis}" if axis else name for name, _, axes in parts for axis in axes]
        units = [unit for _, unit, axes in parts for _ in axes]
        raw = found[1].upper() == "ECG" and not found[3]
        rate_hz = None if found[2] is None else int(found[2])
        return cls(tuple(names), tuple(units), len(parts), "<i4" if raw else "<f4", ECG_MV if raw else 1.0, rate_hz)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return len(self.channels) * 4

    def read(self, payload: bytes) -> Measurement:
        """Return the measurement in the payload of a DATA reply, joined if it was continued.

        Raises
        ------
        PacketError
            If it is cut short, or does not hold whole samples, one at least.
        """
        cursor = Cursor(payload, "a Movesense measurement")
        time_ms, data = cursor.u32(), cursor.rest()
        if not data or len(data) % self.sample_bytes:
            raise cursor.error(f"{len(data)} bytes are not whole samples of {self.sample_bytes} bytes")
        numbers = np.frombuffer(data, self.code).reshape(self.groups, -1, len(self.channels) // self.groups)
        values = np.concatenate(list(numbers), axis=1)
        return Measurement(time_ms, values if self.code == "<f4" else (values * self.scale).astype(np.float32))

    def write(self, measurement: Measurement) -> bytes:
        """Return the payload of the DATA reply that holds a measurement; PacketError if a value does not fit."""
        numbers = measurement.values if self.code == "<f4" else np.rint(measurement.values / self.scale)
        if self.code == "<i4" and not np.abs(numbers).max(initial=0) < 2**31:
            raise PacketError(f"a raw ECG has numbers of 32 bits; {np.abs(measurement.values).max()} mV do not fit")
        parts = np.split(numbers, self.groups, axis=1)
        head = struct.pack("<I", measurement.time_ms % 2**32)
        return head + b"".join(part.astype(self.code).tobytes() for part in parts)


AXES = ("x", "y", "z")
ACC, GYRO, MAGN = ("acc", "m/s²", AXES), ("gyro", "deg/s", AXES), ("magn", "µT", AXES)
ECG = ("ecg", "mV", ("",))
ECG_MV = 1000 / (20 * 2**17)  # 1 V, gain 20, 17 bits and a sign: the front end's data sheet (MAX30003), 0.381 µV
EVENTS = ("TEMP",)
KINDS = {
    ("ACC", False): (ACC,),
    ("GYRO", False): (GYRO,),
    ("MAGN", False): (MAGN,),
    ("IMU6", False): (ACC, GYRO),
    ("IMU6M", False): (ACC, MAGN),
    ("IMU9", False): (ACC, GYRO, MAGN),
    ("ECG", False): (ECG,),
    ("ECG", True): (ECG,),
    ("TEMP", False): (("temperature", "K", ("",)),),
}


@dataclass(frozen=True)
class HeartRate:
    """What `/Meas/HR` notifies; it has no time.

    Attributes
    ----------
    average_bpm
        Average heart rate. (One version of the API's file says Hz; sensors and clients have beats a minute.)
    rr_ms
        RR intervals in ms, oldest first.
    """

    average_bpm: float
    rr_ms: tuple[int, ...]

    def __bytes__(self) -> bytes:
        try:
            return struct.pack(f"<f{len(self.rr_ms)}H", self.average_bpm, *self.rr_ms)
        except (struct.error, OverflowError) as error:
            raise PacketError(f"{self.average_bpm} bpm with RR of {self.rr_ms} ms do not fit: {error}") from error

    @classmethod
    def from_bytes(cls, payload: bytes) -> HeartRate:
        """Return the heart rate in the payload of a DATA reply; PacketError if it is cut short."""
        cursor = Cursor(payload, "a Movesense heart rate")
        (average,) = cursor.unpack("<f")
        return cls(average, cursor.unpack(f"<{(cursor.left + 1) // 2}H"))
