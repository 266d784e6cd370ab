"""Pulse Oximeter Service 1.0.1: oxygen saturation and pulse rate, once or all the time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import ClassVar

from pulselet.packets.cursor import Cursor
from pulselet.packets.date_time import BYTES, DateTime
from pulselet.packets.gatt import flagged, full_uuid, leftover, optional, whole
from pulselet.packets.medical_float import SFloat


class MeasurementStatus(IntFlag):
    """What a value is worth; bits that the standard reserves are kept."""

    ONGOING = 1 << 5
    EARLY_ESTIMATE = 1 << 6
    VALIDATED = 1 << 7
    FULLY_QUALIFIED = 1 << 8
    FROM_STORAGE = 1 << 9
    FOR_DEMONSTRATION = 1 << 10
    FOR_TESTING = 1 << 11
    CALIBRATION_ONGOING = 1 << 12
    UNAVAILABLE = 1 << 13
    QUESTIONABLE = 1 << 14
    INVALID = 1 << 15


class SensorStatus(IntFlag):
    """How device and sensor are; bits that the standard reserves are kept."""

    DISPLAY_UPDATE_ONGOING = 1 << 0
    EQUIPMENT_MALFUNCTION = 1 << 1
    SIGNAL_PROCESSING_IRREGULARITY = 1 << 2
    INADEQUATE_SIGNAL = 1 << 3
    POOR_SIGNAL = 1 << 4
    LOW_PERFUSION = 1 << 5
    ERRATIC_SIGNAL = 1 << 6
    NO_PULSATION = 1 << 7
    QUESTIONABLE_PULSE = 1 << 8
    ANALYSIS_ONGOING = 1 << 9
    INTERFERENCE = 1 << 10
    NOT_ON_USER = 1 << 11
    UNKNOWN_SENSOR = 1 << 12
    SENSOR_DISPLACED = 1 << 13
    SENSOR_MALFUNCTION = 1 << 14
    SENSOR_DISCONNECTED = 1 << 15


@dataclass(frozen=True)
class Oximetry:
    """Oxygen saturation in percent and pulse rate in beats per minute."""

    spo2_percent: SFloat
    pulse_bpm: SFloat

    def __bytes__(self) -> bytes:
        return bytes(self.spo2_percent) + bytes(self.pulse_bpm)

    @classmethod
    def from_bytes(cls, data: bytes) -> Oximetry:
        """Return the pair in `data`; PacketError if it is not 4 bytes."""
        return cls(SFloat.from_bytes(data[:2]), SFloat.from_bytes(data[2:]))


def _status(
    cursor: Cursor, has_measurement: int, has_sensor: int
) -> tuple[MeasurementStatus | None, SensorStatus | None]:
    measurement = MeasurementStatus(cursor.u16()) if has_measurement else None
    return measurement, SensorStatus(cursor.u24()) if has_sensor else None


def _status_bytes(measurement: int | None, sensor: int | None) -> bytes:
    return whole(measurement, 2, "a measurement status") + whole(sensor, 3, "a device and sensor status")


SPOT_TIME, SPOT_MEASUREMENT, SPOT_SENSOR, SPOT_AMPLITUDE, SPOT_NO_CLOCK, SPOT_KNOWN = 0x01, 0x02, 0x04, 0x08, 0x10, 0x1F


@dataclass(frozen=True)
class PlxSpot:
    """PLX Spot-Check Measurement.

    Attributes
    ----------
    normal
        Saturation and pulse rate.
    time
        When it was measured, by the device's clock; of no use if `clock_not_set`.
    measurement_status, sensor_status
        What the value is worth, and how device and sensor are.
    amplitude_percent
        Pulse amplitude index, the pulsating part of the signal.
    reserved, extra
        Flags that the standard does not define, and what follows because of them.
    """

    normal: Oximetry
    time: DateTime | None = None
    measurement_status: MeasurementStatus | None = None
    sensor_status: SensorStatus | None = None
    amplitude_percent: SFloat | None = None
    clock_not_set: bool = False
    reserved: int = 0
    extra: bytes = b""
    UUID: ClassVar[str] = full_uuid(0x2A5E)

    def __bytes__(self) -> bytes:
        flags = SPOT_TIME * (self.time is not None) | SPOT_MEASUREMENT * (self.measurement_status is not None)
        flags |= SPOT_SENSOR * (self.sensor_status is not None) | SPOT_AMPLITUDE * (self.amplitude_percent is not None)
        flags |= SPOT_NO_CLOCK * self.clock_not_set
        fields = bytes(self.normal) + optional(self.time) + _status_bytes(self.measurement_status, self.sensor_status)
        return flagged(flags, SPOT_KNOWN, self.reserved, fields + optional(self.amplitude_percent), self.extra)

    @classmethod
    def from_bytes(cls, data: bytes) -> PlxSpot:
        """Return the measurement in `data`; PacketError if it is cut short or longer than its flags say.

        >>> float(PlxSpot.from_bytes(bytes.fromhex("00 6100 6000")).normal.spo2_percent)
        97.0
        """
        cursor = Cursor(data, "an oximeter's spot-check measurement")
        flags = cursor.u8()
        normal = Oximetry.from_bytes(cursor.take(4))
        time = DateTime.from_bytes(cursor.take(BYTES)) if flags & SPOT_TIME else None
        status = _status(cursor, flags & SPOT_MEASUREMENT, flags & SPOT_SENSOR)
        amplitude = SFloat.from_bytes(cursor.take(2)) if flags & SPOT_AMPLITUDE else None
        reserved = flags & ~SPOT_KNOWN
        extra = leftover(cursor, reserved)
        return cls(normal, time, *status, amplitude, bool(flags & SPOT_NO_CLOCK), reserved, extra)


FAST, SLOW, MEASUREMENT, SENSOR, AMPLITUDE, KNOWN = 0x01, 0x02, 0x04, 0x08, 0x10, 0x1F


@dataclass(frozen=True)
class PlxContinuous:
    """PLX Continuous Measurement.

    Attributes
    ----------
    normal, fast, slow
        Saturation and pulse rate, averaged as the device does normally, over a shorter and over a longer time.
    measurement_status, sensor_status, amplitude_percent, reserved, extra
        As in a spot check.
    """

    normal: Oximetry
    fast: Oximetry | None = None
    slow: Oximetry | None = None
    measurement_status: MeasurementStatus | None = None
    sensor_status: SensorStatus | None = None
    amplitude_percent: SFloat | None = None
    reserved: int = 0
    extra: bytes = b""
    UUID: ClassVar[str] = full_uuid(0x2A5F)

    def __bytes__(self) -> bytes:
        flags = FAST * (self.fast is not None) | SLOW * (self.slow is not None)
        flags |= MEASUREMENT * (self.measurement_status is not None) | SENSOR * (self.sensor_status is not None)
        flags |= AMPLITUDE * (self.amplitude_percent is not None)
        fields = bytes(self.normal) + optional(self.fast) + optional(self.slow)
        fields += _status_bytes(self.measurement_status, self.sensor_status) + optional(self.amplitude_percent)
        return flagged(flags, KNOWN, self.reserved, fields, self.extra)

    @classmethod
    def from_bytes(cls, data: bytes) -> PlxContinuous:
        """Return the measurement in `data`; PacketError if it is cut short or longer than its flags say."""
        cursor = Cursor(data, "an oximeter's continuous measurement")
        flags = cursor.u8()
        normal = Oximetry.from_bytes(cursor.take(4))
        fast = Oximetry.from_bytes(cursor.take(4)) if flags & FAST else None
        slow = Oximetry.from_bytes(cursor.take(4)) if flags & SLOW else None
        status = _status(cursor, flags & MEASUREMENT, flags & SENSOR)
        amplitude = SFloat.from_bytes(cursor.take(2)) if flags & AMPLITUDE else None
        reserved = flags & ~KNOWN
        return cls(normal, fast, slow, *status, amplitude, reserved, leftover(cursor, reserved))
