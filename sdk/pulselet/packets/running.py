"""Running Speed and Cadence Service 1.0: a foot pod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pulselet.packets.cursor import Cursor
from pulselet.packets.gatt import flagged, full_uuid, leftover, whole

STRIDE, DISTANCE, RUNNING, KNOWN = 0x01, 0x02, 0x04, 0x07


@dataclass(frozen=True)
class Running:
    """RSC Measurement.

    Attributes
    ----------
    speed
        In 1/256 m/s.
    cadence_per_min
        Cadence in 1/min, as sent.
    running
        Whether the user runs; walks if not, or the pod does not tell.
    stride_cm
        Length of a stride in cm.
    distance_dm
        Total distance in dm.
    reserved, extra
        Flags that the standard does not define, and what follows because of them.
    """

    speed: int
    cadence_per_min: int
    running: bool = False
    stride_cm: int | None = None
    distance_dm: int | None = None
    reserved: int = 0
    extra: bytes = b""
    UUID: ClassVar[str] = full_uuid(0x2A53)

    def __bytes__(self) -> bytes:
        flags = STRIDE * (self.stride_cm is not None) | DISTANCE * (self.distance_dm is not None)
        flags |= RUNNING * self.running
        fields = whole(self.speed, 2, "a speed") + whole(self.cadence_per_min, 1, "a cadence")
        fields += whole(self.stride_cm, 2, "a stride") + whole(self.distance_dm, 4, "a distance")
        return flagged(flags, KNOWN, self.reserved, fields, self.extra)

    @classmethod
    def from_bytes(cls, data: bytes) -> Running:
        """Return the measurement in `data`; PacketError if it is cut short or longer than its flags say.

        >>> Running.from_bytes(bytes.fromhex("04 8003 50")).speed_m_s
        3.5
        """
        cursor = Cursor(data, "a running speed and cadence measurement")
        flags = cursor.u8()
        speed, cadence = cursor.u16(), cursor.u8()
        stride = cursor.u16() if flags & STRIDE else None
        distance = cursor.u32() if flags & DISTANCE else None
        reserved = flags & ~KNOWN
        extra = leftover(cursor, reserved)
        return cls(speed, cadence, bool(flags & RUNNING), stride, distance, reserved, extra)

    @property
    def speed_m_s(self) -> float:
        """The speed in m/s."""
        return self.speed / 256

    @property
    def stride_m(self) -> float | None:
        """The length of a stride in m; None if it was not sent."""
        return None if self.stride_cm is None else self.stride_cm / 100

    @property
    def distance_m(self) -> float | None:
        """The total distance in m; None if it was not sent."""
        return None if self.distance_dm is None else self.distance_dm / 10
