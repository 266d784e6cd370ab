"""Battery Service 1.0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pulselet.packets.cursor import Cursor
from pulselet.packets.gatt import full_uuid, whole


@dataclass(frozen=True)
class BatteryLevel:
    """How full a battery is, from 0 to 100 percent."""

    percent: int
    UUID: ClassVar[str] = full_uuid(0x2A19)

    def __bytes__(self) -> bytes:
        return whole(self.percent, 1, "a battery level")

    @classmethod
    def from_bytes(cls, data: bytes) -> BatteryLevel:
        """Return the level in `data`; PacketError if it is not one byte from 0 to 100."""
        cursor = Cursor(data, "a battery level")
        percent = cursor.u8()
        cursor.end()
        if percent > 100:
            raise cursor.error(f"{percent} percent; wanted 0 to 100")
        return cls(percent)
