"""Heart Rate Service 1.0: what a chest strap or an optical sensor says of the heart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pulselet.packets.cursor import Cursor
from pulselet.packets.gatt import flagged, full_uuid, leftover, whole

WIDE, DETECTED, SUPPORTED, ENERGY, RR, KNOWN = 0x01, 0x02, 0x04, 0x08, 0x10, 0x1F


@dataclass(frozen=True)
class HeartRate:
    """Heart Rate Measurement.

    Attributes
    ----------
    bpm
        Beats per minute.
    wide
        Whether `bpm` is sent with 16 bits.
    contact_detected, contact_supported
        The two flags of skin contact; `contact` says what they mean.
    energy_kj
        Energy since the last reset, in kJ.
    rr
        Intervals between beats, oldest first, in 1/1024 s.
    reserved, extra
        Flags that the standard does not define, and what follows because of them. The list of intervals has no length
        and ends with the packet, so whatever follows it is taken for intervals, but for an odd byte.
    """

    bpm: int
    wide: bool = False
    contact_detected: bool = False
    contact_supported: bool = False
    energy_kj: int | None = None
    rr: tuple[int, ...] = ()
    reserved: int = 0
    extra: bytes = b""
    UUID: ClassVar[str] = full_uuid(0x2A37)

    def __bytes__(self) -> bytes:
        flags = WIDE * self.wide | DETECTED * self.contact_detected | SUPPORTED * self.contact_supported
        flags |= ENERGY * (self.energy_kj is not None) | RR * bool(self.rr)
        fields = whole(self.bpm, 1 + self.wide, "a heart rate") + whole(self.energy_kj, 2, "an energy")
        fields += b"".join(whole(interval, 2, "an interval") for interval in self.rr)
        return flagged(flags, KNOWN, self.reserved, fields, self.extra)

    @classmethod
    def from_bytes(cls, data: bytes) -> HeartRate:
        """Return the measurement in `data`.

        Raises
        ------
        PacketError
            If a field is cut short, intervals are announced but absent, or bytes are left that no flag announces.

        >>> HeartRate.from_bytes(bytes.fromhex("10 3c 0004 0002")).rr_s
        (1.0, 0.5)
        """
        cursor = Cursor(data, "a heart rate measurement")
        flags = cursor.u8()
        bpm = cursor.unsigned(1 + (flags & WIDE))
        energy_kj = cursor.u16() if flags & ENERGY else None
        rr = tuple(cursor.u16() for _ in range(max(1, cursor.left // 2))) if flags & RR else ()
        reserved = flags & ~KNOWN
        contact = bool(flags & DETECTED), bool(flags & SUPPORTED)
        return cls(bpm, bool(flags & WIDE), *contact, energy_kj, rr, reserved, leftover(cursor, reserved))

    @property
    def contact(self) -> bool | None:
        """Whether the sensor touches skin; None if it cannot tell."""
        return self.contact_detected if self.contact_supported else None

    @property
    def rr_s(self) -> tuple[float, ...]:
        """Intervals between beats in s, oldest first."""
        return tuple(interval / 1024 for interval in self.rr)


PLACES = ("other", "chest", "wrist", "finger", "hand", "ear lobe", "foot")


@dataclass(frozen=True)
class BodySensorLocation:
    """Where on the body the sensor is meant to be, as a number; `name` says it in words."""

    place: int
    UUID: ClassVar[str] = full_uuid(0x2A38)

    def __bytes__(self) -> bytes:
        return whole(self.place, 1, "a place")

    @classmethod
    def from_bytes(cls, data: bytes) -> BodySensorLocation:
        """Return the place in `data`; PacketError if it is not one byte."""
        cursor = Cursor(data, "a body sensor location")
        found = cls(cursor.u8())
        cursor.end()
        return found

    @property
    def name(self) -> str | None:
        """The place in words; None for a number that the standard does not define."""
        return PLACES[self.place] if self.place < len(PLACES) else None
