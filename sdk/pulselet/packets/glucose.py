"""Continuous Glucose Monitoring Service 1.0.2: one or more records in a notification, each perhaps with a checksum."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import ClassVar

from pulselet.packets.cursor import Cursor
from pulselet.packets.gatt import flagged, full_uuid, leftover, optional, whole
from pulselet.packets.medical_float import SFloat

TREND, QUALITY, WARNING, CALIBRATION, STATUS, KNOWN = 0x01, 0x02, 0x20, 0x40, 0x80, 0xE3
SHORTEST = 6
CRC_BYTES = 2


def e2e_crc(data: bytes) -> int:
    """Return the checksum of CGMS 1.0.2, 3.11: polynomial x^16 + x^12 + x^5 + 1, started at 0xFFFF, bit 0 first.

    The example of that clause:

    >>> f"{e2e_crc(bytes.fromhex('3e010203040506070809')):04x}"
    '2f01'
    """
    crc = 0xFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ 0x8408 * (crc & 1)
    return crc


class Annunciation(IntFlag):
    """What a sensor has to say; bits that the standard reserves are kept."""

    SESSION_STOPPED = 1 << 0
    BATTERY_LOW = 1 << 1
    WRONG_SENSOR = 1 << 2
    SENSOR_MALFUNCTION = 1 << 3
    DEVICE_ALERT = 1 << 4
    DEVICE_FAULT = 1 << 5
    TIME_NEEDED = 1 << 8
    CALIBRATION_NOT_ALLOWED = 1 << 9
    CALIBRATION_RECOMMENDED = 1 << 10
    CALIBRATION_REQUIRED = 1 << 11
    TOO_HOT = 1 << 12
    TOO_COLD = 1 << 13
    CALIBRATION_PENDING = 1 << 14
    BELOW_PATIENT_LOW = 1 << 16
    ABOVE_PATIENT_HIGH = 1 << 17
    BELOW_HYPO = 1 << 18
    ABOVE_HYPER = 1 << 19
    FALLING_FAST = 1 << 20
    RISING_FAST = 1 << 21
    BELOW_RANGE = 1 << 22
    ABOVE_RANGE = 1 << 23


@dataclass(frozen=True)
class GlucoseRecord:
    """One measurement.

    Attributes
    ----------
    glucose_mg_dl
        Concentration.
    offset_min
        Minutes since the session began.
    status, calibration, warning
        The octets of the annunciation, as far as they were sent; `annunciation` has them together.
    trend_mg_dl_min
        Change of the concentration per minute.
    quality_percent
        Quality of the measurement.
    secured
        Whether a checksum follows. It is checked when read, and made when written.
    reserved, extra
        Flags that the standard does not define, and what follows because of them.
    """

    glucose_mg_dl: SFloat
    offset_min: int
    status: int | None = None
    calibration: int | None = None
    warning: int | None = None
    trend_mg_dl_min: SFloat | None = None
    quality_percent: SFloat | None = None
    secured: bool = False
    reserved: int = 0
    extra: bytes = b""

    def __bytes__(self) -> bytes:
        flags = TREND * (self.trend_mg_dl_min is not None) | QUALITY * (self.quality_percent is not None)
        flags |= WARNING * (self.warning is not None) | CALIBRATION * (self.calibration is not None)
        flags |= STATUS * (self.status is not None)
        fields = bytes(self.glucose_mg_dl) + whole(self.offset_min, 2, "a time offset")
        for octet in (self.status, self.calibration, self.warning):
            fields += whole(octet, 1, "an octet of the annunciation")
        fields += optional(self.trend_mg_dl_min) + optional(self.quality_percent)
        body = flagged(flags, KNOWN, self.reserved, fields, self.extra)
        record = whole(1 + len(body) + CRC_BYTES * self.secured, 1, "the size of a record") + body
        return record + (e2e_crc(record).to_bytes(CRC_BYTES, "little") if self.secured else b"")

    @classmethod
    def from_bytes(cls, data: bytes, *, secured: bool | None = None) -> GlucoseRecord:
        """Return the record in `data`, its size included.

        Parameters
        ----------
        data
            The record.
        secured
            Whether it ends with a checksum, which only the device's CGM Feature says (bit 12). With None, two bytes
            that no flag announces are one; beside a reserved flag, the last two are one if they are the right one.

        Raises
        ------
        PacketError
            If the size is another one, a field is cut short, bytes are left that no flag announces, or the checksum
            is wrong.
        """
        cursor = Cursor(data, "a glucose record")
        size, flags = cursor.u8(), cursor.u8()
        if size != len(data):
            raise cursor.error(f"{len(data)} bytes that call themselves {size}")
        glucose, offset_min = SFloat.from_bytes(cursor.take(2)), cursor.u16()
        status, calibration, warning = (cursor.u8() if flags & bit else None for bit in (STATUS, CALIBRATION, WARNING))
        trend, quality = (SFloat.from_bytes(cursor.take(2)) if flags & bit else None for bit in (TREND, QUALITY))
        reserved = flags & ~KNOWN
        extra, has_crc = _end(cursor, reserved, secured)
        return cls(glucose, offset_min, status, calibration, warning, trend, quality, has_crc, reserved, extra)

    @property
    def annunciation(self) -> Annunciation:
        """What the sensor has to say; an octet that was not sent says nothing."""
        return Annunciation((self.status or 0) | (self.calibration or 0) << 8 | (self.warning or 0) << 16)


def _end(cursor: Cursor, reserved: int, secured: bool | None) -> tuple[bytes, bool]:
    """Return what reserved flags announce, and whether a checksum follows it."""
    must = cursor.left == CRC_BYTES and not reserved if secured is None else secured
    may = secured is None and reserved and cursor.left >= CRC_BYTES
    if not must and not may:
        return leftover(cursor, reserved), False
    if cursor.left < CRC_BYTES:
        raise cursor.error("no checksum, but the device is said to send one")
    wanted, found = e2e_crc(cursor.data[:-CRC_BYTES]), int.from_bytes(cursor.data[-CRC_BYTES:], "little")
    if must and found != wanted:
        raise cursor.error(f"the checksum is {found:#06x}; wanted {wanted:#06x}")
    if found == wanted:
        return leftover(Cursor(cursor.take(cursor.left - CRC_BYTES), cursor.what), reserved), True
    return cursor.rest(), False


@dataclass(frozen=True)
class ContinuousGlucose:
    """CGM Measurement: one or more records, oldest first."""

    records: tuple[GlucoseRecord, ...]
    UUID: ClassVar[str] = full_uuid(0x2AA7)

    def __bytes__(self) -> bytes:
        return b"".join(map(bytes, self.records))

    @classmethod
    def from_bytes(cls, data: bytes, *, secured: bool | None = None) -> ContinuousGlucose:
        """Return the records in `data`; `secured` as for one record.

        Raises
        ------
        PacketError
            If there is none, or one is cut short or wrong.

        >>> record = ContinuousGlucose.from_bytes(bytes.fromhex("06 00 0c10 0600")).records[0]
        >>> record.glucose_mg_dl.value, record.offset_min
        (120.0, 6)
        """
        cursor = Cursor(data, "a continuous glucose measurement")
        records: list[GlucoseRecord] = []
        while cursor.left or not records:
            size = cursor.u8()
            if size < SHORTEST:
                raise cursor.error(f"a record of {size} bytes; wanted {SHORTEST} or more")
            records.append(GlucoseRecord.from_bytes(bytes([size]) + cursor.take(size - 1), secured=secured))
        return cls(tuple(records))
