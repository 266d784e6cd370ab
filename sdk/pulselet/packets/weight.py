"""Weight Scale Service 1.0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from pulselet.errors import PacketError
from pulselet.packets.cursor import Cursor
from pulselet.packets.date_time import BYTES, DateTime
from pulselet.packets.gatt import flagged, full_uuid, leftover, optional, whole

IMPERIAL, TIME, USER, BODY, KNOWN = 0x01, 0x02, 0x04, 0x08, 0x0F
UNSUCCESSFUL = 0xFFFF  # as a weight
UNKNOWN_USER = 0xFF
KG_PER_LB, M_PER_INCH = 0.45359237, 0.0254


@dataclass(frozen=True)
class Weight:
    """Weight Measurement.

    Attributes
    ----------
    weight
        In steps of 5 g, or of 0.01 lb if `imperial`; UNSUCCESSFUL if there is none.
    imperial
        Whether pounds and inches were sent.
    time
        When it was measured, by the device's clock.
    user
        Number of the user, UNKNOWN_USER if the scale does not know.
    bmi
        Body mass index in steps of 0.1 kg/m2; sent together with `height`.
    height
        In mm, or in steps of 0.1 inch if `imperial`.
    reserved, extra
        Flags that the standard does not define, and what follows because of them.
    """

    weight: int
    imperial: bool = False
    time: DateTime | None = None
    user: int | None = None
    bmi: int | None = None
    height: int | None = None
    reserved: int = 0
    extra: bytes = b""
    UUID: ClassVar[str] = full_uuid(0x2A9D)

    def __post_init__(self) -> None:
        if (self.bmi is None) != (self.height is None):
            raise PacketError(f"a body mass index of {self.bmi} and a height of {self.height}: send both or neither")

    def __bytes__(self) -> bytes:
        flags = IMPERIAL * self.imperial | TIME * (self.time is not None)
        flags |= USER * (self.user is not None) | BODY * (self.bmi is not None)
        fields = whole(self.weight, 2, "a weight") + optional(self.time) + whole(self.user, 1, "a user")
        fields += whole(self.bmi, 2, "a body mass index") + whole(self.height, 2, "a height")
        return flagged(flags, KNOWN, self.reserved, fields, self.extra)

    @classmethod
    def from_bytes(cls, data: bytes) -> Weight:
        """Return the measurement in `data`; PacketError if it is cut short or longer than its flags say.

        >>> Weight.from_bytes(bytes.fromhex("00 4c04")).weight_kg
        5.5
        """
        cursor = Cursor(data, "a weight measurement")
        flags = cursor.u8()
        weight = cursor.u16()
        time = DateTime.from_bytes(cursor.take(BYTES)) if flags & TIME else None
        user = cursor.u8() if flags & USER else None
        bmi, height = cursor.unpack("<HH") if flags & BODY else (None, None)
        reserved = flags & ~KNOWN
        extra = leftover(cursor, reserved)
        return cls(weight, bool(flags & IMPERIAL), time, user, bmi, height, reserved, extra)

    @property
    def weight_kg(self) -> float:
        """The weight in kg, whichever unit was sent; NaN if there is none."""
        if self.weight == UNSUCCESSFUL:
            return math.nan
        return self.weight / 100 * KG_PER_LB if self.imperial else self.weight / 200

    @property
    def height_m(self) -> float | None:
        """The height in m, whichever unit was sent; None if it was not."""
        if self.height is None:
            return None
        return self.height / 10 * M_PER_INCH if self.imperial else self.height / 1000

    @property
    def bmi_kg_m2(self) -> float | None:
        """The body mass index in kg/m2; None if it was not sent."""
        return None if self.bmi is None else self.bmi / 10
