"""Health Thermometer Service 1.0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pulselet.packets.cursor import Cursor
from pulselet.packets.date_time import BYTES, DateTime
from pulselet.packets.gatt import flagged, full_uuid, leftover, optional, whole
from pulselet.packets.medical_float import Float

FAHRENHEIT, TIME, PLACE, KNOWN = 0x01, 0x02, 0x04, 0x07
PLACES = ("armpit", "body", "ear", "finger", "gastrointestinal tract", "mouth", "rectum", "toe", "tympanum")


def _named(place: int | None) -> str | None:
    return PLACES[place - 1] if place is not None and 1 <= place <= len(PLACES) else None


@dataclass(frozen=True)
class Temperature:
    """Temperature Measurement, and Intermediate Temperature while a measurement goes on.

    Attributes
    ----------
    temperature
        In degrees Celsius, or Fahrenheit if `fahrenheit`.
    time
        When it was measured, by the device's clock.
    place
        Where on the body, as a number; `place_name` says it in words.
    reserved, extra
        Flags that the standard does not define, and what follows because of them.
    """

    temperature: Float
    fahrenheit: bool = False
    time: DateTime | None = None
    place: int | None = None
    reserved: int = 0
    extra: bytes = b""
    UUID: ClassVar[tuple[str, str]] = (full_uuid(0x2A1C), full_uuid(0x2A1E))

    def __bytes__(self) -> bytes:
        flags = FAHRENHEIT * self.fahrenheit | TIME * (self.time is not None) | PLACE * (self.place is not None)
        fields = bytes(self.temperature) + optional(self.time) + whole(self.place, 1, "a place")
        return flagged(flags, KNOWN, self.reserved, fields, self.extra)

    @classmethod
    def from_bytes(cls, data: bytes) -> Temperature:
        """Return the measurement in `data`; PacketError if it is cut short or longer than its flags say.

        >>> Temperature.from_bytes(bytes.fromhex("00 6c0100ff")).celsius
        36.4
        """
        cursor = Cursor(data, "a thermometer measurement")
        flags = cursor.u8()
        temperature = Float.from_bytes(cursor.take(4))
        time = DateTime.from_bytes(cursor.take(BYTES)) if flags & TIME else None
        place = cursor.u8() if flags & PLACE else None
        reserved = flags & ~KNOWN
        return cls(temperature, bool(flags & FAHRENHEIT), time, place, reserved, leftover(cursor, reserved))

    @property
    def celsius(self) -> float:
        """The temperature in degrees Celsius, whichever unit was sent."""
        return (self.temperature.value - 32) / 1.8 if self.fahrenheit else self.temperature.value

    @property
    def place_name(self) -> str | None:
        """The place in words; None if it was not sent or the standard does not define it."""
        return _named(self.place)


@dataclass(frozen=True)
class TemperatureType:
    """Where on the body a thermometer always measures, as a number; `name` says it in words."""

    place: int
    UUID: ClassVar[str] = full_uuid(0x2A1D)

    def __bytes__(self) -> bytes:
        return whole(self.place, 1, "a place")

    @classmethod
    def from_bytes(cls, data: bytes) -> TemperatureType:
        """Return the place in `data`; PacketError if it is not one byte."""
        cursor = Cursor(data, "a temperature type")
        found = cls(cursor.u8())
        cursor.end()
        return found

    @property
    def name(self) -> str | None:
        """The place in words; None for a number that the standard does not define."""
        return _named(self.place)
