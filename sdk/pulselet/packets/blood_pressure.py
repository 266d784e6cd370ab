"""Blood Pressure Service 1.1: what a cuff measured, and what it measures on the way there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Any, ClassVar

from pulselet.packets.cursor import Cursor
from pulselet.packets.date_time import BYTES, DateTime
from pulselet.packets.gatt import flagged, full_uuid, leftover, optional, whole
from pulselet.packets.medical_float import SFloat

KILOPASCAL, TIME, PULSE, USER, STATUS, KNOWN = 0x01, 0x02, 0x04, 0x08, 0x10, 0x1F
UNKNOWN_USER = 0xFF
MMHG_PER_KPA = 1 / 0.133322387415


class CuffStatus(IntFlag):
    """What was wrong with a measurement; bits that the standard reserves are kept."""

    BODY_MOVED = 1 << 0
    CUFF_TOO_LOOSE = 1 << 1
    IRREGULAR_PULSE = 1 << 2
    PULSE_TOO_FAST = 1 << 3
    PULSE_TOO_SLOW = 1 << 4
    WRONG_POSITION = 1 << 5


@dataclass(frozen=True, kw_only=True)
class _Pressures:
    """The layout that both characteristics share: three pressures, then what the flags announce."""

    kilopascal: bool = False
    time: DateTime | None = None
    pulse_bpm: SFloat | None = None
    user: int | None = None
    status: CuffStatus | None = None
    reserved: int = 0
    extra: bytes = b""

    @property
    def unit(self) -> str:
        """Unit of the pressures."""
        return "kPa" if self.kilopascal else "mmHg"

    def mmhg(self, pressure: SFloat) -> float:
        """Return one of the pressures in mmHg, whichever unit was sent."""
        return pressure.value * MMHG_PER_KPA if self.kilopascal else pressure.value

    def _emit(self, *pressures: SFloat) -> bytes:
        flags = KILOPASCAL * self.kilopascal | TIME * (self.time is not None) | PULSE * (self.pulse_bpm is not None)
        flags |= USER * (self.user is not None) | STATUS * (self.status is not None)
        fields = b"".join(map(bytes, pressures)) + optional(self.time) + optional(self.pulse_bpm)
        fields += whole(self.user, 1, "a user") + whole(self.status, 2, "a measurement status")
        return flagged(flags, KNOWN, self.reserved, fields, self.extra)


def _read(data: bytes, what: str) -> tuple[tuple[SFloat, SFloat, SFloat], dict[str, Any]]:
    cursor = Cursor(data, what)
    flags = cursor.u8()
    first, second, third = (SFloat.from_bytes(cursor.take(2)) for _ in range(3))
    others: dict[str, Any] = {
        "kilopascal": bool(flags & KILOPASCAL),
        "time": DateTime.from_bytes(cursor.take(BYTES)) if flags & TIME else None,
        "pulse_bpm": SFloat.from_bytes(cursor.take(2)) if flags & PULSE else None,
        "user": cursor.u8() if flags & USER else None,
        "status": CuffStatus(cursor.u16()) if flags & STATUS else None,
        "reserved": flags & ~KNOWN,
        "extra": leftover(cursor, flags & ~KNOWN),
    }
    return (first, second, third), others


@dataclass(frozen=True)
class BloodPressure(_Pressures):
    """Blood Pressure Measurement.

    Attributes
    ----------
    systolic, diastolic, mean
        In mmHg, or in kPa if `kilopascal`; what a device does not measure is NaN.
    time
        When it was measured, by the device's clock.
    pulse_bpm
        Pulse rate in beats per minute.
    user
        Number of the user, UNKNOWN_USER if the device does not know.
    status
        What was wrong with the measurement.
    reserved, extra
        Flags that the standard does not define, and what follows because of them.
    """

    systolic: SFloat
    diastolic: SFloat
    mean: SFloat
    UUID: ClassVar[str] = full_uuid(0x2A35)

    def __bytes__(self) -> bytes:
        return self._emit(self.systolic, self.diastolic, self.mean)

    @classmethod
    def from_bytes(cls, data: bytes) -> BloodPressure:
        """Return the measurement in `data`; PacketError if it is cut short or longer than its flags say.

        >>> measured = BloodPressure.from_bytes(bytes.fromhex("00 7800 5000 5d00"))
        >>> measured.systolic.value, measured.diastolic.value, measured.unit
        (120.0, 80.0, 'mmHg')
        """
        (systolic, diastolic, mean), others = _read(data, "a blood pressure measurement")
        return cls(systolic, diastolic, mean, **others)


@dataclass(frozen=True)
class CuffPressure(_Pressures):
    """Intermediate Cuff Pressure, while a measurement goes on: the pressure in the cuff, not in an artery.

    Attributes
    ----------
    cuff
        In mmHg, or in kPa if `kilopascal`.
    unused
        Two fields that the standard leaves unused, normally NaN; kept since some devices send 0.
    time, pulse_bpm, user, status, reserved, extra
        As in a blood pressure.
    """

    cuff: SFloat
    unused: tuple[SFloat, SFloat]
    UUID: ClassVar[str] = full_uuid(0x2A36)

    def __bytes__(self) -> bytes:
        return self._emit(self.cuff, *self.unused)

    @classmethod
    def from_bytes(cls, data: bytes) -> CuffPressure:
        """Return the measurement in `data`; PacketError if it is cut short or longer than its flags say."""
        (cuff, *unused), others = _read(data, "an intermediate cuff pressure")
        return cls(cuff, (unused[0], unused[1]), **others)
