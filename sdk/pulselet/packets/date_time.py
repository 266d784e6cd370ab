"""The date and time of the standard services (GATT Specification Supplement, Date Time)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import ClassVar

from pulselet.packets.cursor import Cursor
from pulselet.packets.gatt import full_uuid, whole

BYTES = 7


@dataclass(frozen=True)
class DateTime:
    """Local time of a device, as it was sent; a year, month or day of 0 is not known.

    Numbers that are no date are kept too: a wrong clock does not make the measurement beside it wrong.
    """

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    UUID: ClassVar[str] = full_uuid(0x2A08)

    def __bytes__(self) -> bytes:
        rest = self.month, self.day, self.hour, self.minute, self.second
        return whole(self.year, 2, "a year") + b"".join(whole(part, 1, "a part of a date") for part in rest)

    @classmethod
    def from_bytes(cls, data: bytes) -> DateTime:
        """Return the date and time in `data`; PacketError if it is not 7 bytes."""
        cursor = Cursor(data, "a date and time")
        found = cls(*cursor.unpack("<HBBBBB"))
        cursor.end()
        return found

    @property
    def moment(self) -> datetime.datetime | None:
        """The same without a time zone; None if a part is not known or there is no such date."""
        try:
            return datetime.datetime(self.year, self.month, self.day, self.hour, self.minute, self.second)
        except ValueError:
            return None
