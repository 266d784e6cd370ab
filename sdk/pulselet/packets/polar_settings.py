"""Settings of a Polar measurement: what a device offers, and what a stream is started with.

A setting is its type u8, the number of its values u8, the values. Sources: Polar's published control point.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pulselet.errors import PacketError
from pulselet.packets.cursor import Cursor

LAYOUTS = {
    0: ("rate_hz", "H"),
    1: ("resolution_bits", "H"),
    2: ("range", "H"),
    3: ("range_milliunit", "I"),
    4: ("channels", "B"),
    5: ("factor", "f"),
}


@dataclass(frozen=True)
class Settings:
    """What a stream can be, or is to be: every setting has one value or several on offer.

    Attributes
    ----------
    rate_hz, resolution_bits, channels
        Sampling rate, bits a sample, channels.
    range
        Full scale, in the unit of the sensor: g, deg/s, gauss.
    range_milliunit
        The same in thousandths.
    factor
        What to multiply samples by; a device says it in its answer to the start command.
    unknown
        Bytes from the first setting on whose type is not known, kept: their layout cannot be told.
    """

    rate_hz: tuple[int, ...] = ()
    resolution_bits: tuple[int, ...] = ()
    range: tuple[int, ...] = ()
    range_milliunit: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    factor: tuple[float, ...] = ()
    unknown: bytes = b""

    def __bytes__(self) -> bytes:
        data = b""
        for kind, (name, code) in LAYOUTS.items():
            found = getattr(self, name)
            if found:
                data += bytes([kind, _count(name, found)]) + _pack(name, code, found)
        return data + self.unknown

    @classmethod
    def from_bytes(cls, data: bytes) -> Settings:
        """Return the settings in `data`; a single byte is no setting, and some devices send one.

        Raises
        ------
        PacketError
            If one is cut short, or a factor is no number.

        >>> Settings.from_bytes(bytes.fromhex("00 02 3200 c800 01 01 1000")).rate_hz
        (50, 200)
        """
        cursor = Cursor(data, "Polar settings")
        found: dict[str, tuple[Any, ...]] = {}
        while len(data) > 1 and cursor.left and cursor.data[cursor.at] in LAYOUTS:
            name, code = LAYOUTS[cursor.u8()]
            found[name] = found.get(name, ()) + cursor.unpack(f"<{cursor.u8()}{code}")
        if not all(math.isfinite(value) for value in found.get("factor", ())):
            raise cursor.error(f"a factor of {found['factor']}")
        return cls(**found, unknown=cursor.rest())

    def choose(
        self,
        rate_hz: int | None = None,
        resolution_bits: int | None = None,
        range: int | None = None,  # noqa: A002
        channels: int | None = None,
    ) -> Settings:
        """Return one value of everything on offer, to start with: the one asked for, else the largest.

        Raises
        ------
        PacketError
            If what is asked for is not on offer.

        >>> Settings(rate_hz=(50, 200), range=(2, 8)).choose(rate_hz=50)
        Settings(rate_hz=(50,), resolution_bits=(), range=(8,), range_milliunit=(), channels=(), factor=(), unknown=b'')
        """
        wanted = {"rate_hz": rate_hz, "resolution_bits": resolution_bits, "range": range, "channels": channels}
        chosen: dict[str, Any] = {}
        for name in ("rate_hz", "resolution_bits", "range", "range_milliunit", "channels"):
            offered, value = getattr(self, name), wanted.get(name)
            if value is not None and value not in offered:
                raise PacketError(f"{name} {value} is not on offer; the device has {sorted(offered)}")
            chosen[name] = () if not offered else (max(offered) if value is None else value,)
        return Settings(**chosen)

    @property
    def single_factor(self) -> float:
        """What to multiply samples by: 1 if the device did not say."""
        return self.factor[0] if self.factor else 1.0


NO_SETTINGS = Settings()


def _count(name: str, values: Sequence[float]) -> int:
    if len(values) > 255:
        raise PacketError(f"a Polar setting has 255 values at the most, got {len(values)} of {name}")
    return len(values)


def _pack(name: str, code: str, values: Sequence[float]) -> bytes:
    try:
        return struct.pack(f"<{len(values)}{code}", *values)
    except (struct.error, OverflowError) as error:
        raise PacketError(f"{name} {tuple(values)} does not fit its field: {error}") from error
