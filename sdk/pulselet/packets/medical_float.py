"""The two number formats of medical devices (IEEE 11073-20601, annex F): decimal, and aware of their own precision.

An SFLOAT has 16 bits: an exponent of 4 and a mantissa of 12, both two's complement, value mantissa * 10**exponent.
A FLOAT has 32: 8 and 24. Five mantissas around the limit are no numbers when the exponent is 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, TypeVar

from pulselet.errors import PacketError

NAN, NRES, POSITIVE, NEGATIVE, RESERVED = "NaN", "NRes", "+INF", "-INF", "reserved"
_VALUES = {NAN: math.nan, NRES: math.nan, POSITIVE: math.inf, NEGATIVE: -math.inf, RESERVED: math.nan}
_Number = TypeVar("_Number", bound="MedicalFloat")


@dataclass(frozen=True)
class MedicalFloat:
    """A decimal number as it was sent; 98 and 980e-1 are equal in value, but not in precision, and so not equal here.

    Attributes
    ----------
    mantissa, exponent
        The value is mantissa * 10**exponent, unless it is special.
    """

    mantissa: int
    exponent: int = 0
    MANTISSA_BITS: ClassVar[int]
    EXPONENT_BITS: ClassVar[int]

    def __post_init__(self) -> None:
        for what, bits in (("mantissa", self.MANTISSA_BITS), ("exponent", self.EXPONENT_BITS)):
            value, limit = getattr(self, what), 1 << bits - 1
            if not -limit <= value < limit:
                raise PacketError(f"a {what} of {value} does not fit {bits} bits: wanted {-limit} to {limit - 1}")

    def __bytes__(self) -> bytes:
        bits = self.MANTISSA_BITS + self.EXPONENT_BITS
        word = self.exponent << self.MANTISSA_BITS | self.mantissa & (1 << self.MANTISSA_BITS) - 1
        return (word & (1 << bits) - 1).to_bytes(bits // 8, "little")

    @classmethod
    def from_bytes(cls: type[_Number], data: bytes) -> _Number:
        """Return the number in `data`; PacketError if there are not exactly as many bytes as it has."""
        size = (cls.MANTISSA_BITS + cls.EXPONENT_BITS) // 8
        if len(data) != size:
            raise PacketError(f"a medical float has {size} bytes, got {len(data)}", data)
        word = int.from_bytes(data, "little", signed=True)
        low = word & (1 << cls.MANTISSA_BITS) - 1
        return cls(low - (low >> cls.MANTISSA_BITS - 1 << cls.MANTISSA_BITS), word >> cls.MANTISSA_BITS)

    @classmethod
    def from_value(cls: type[_Number], value: float, exponent: int = 0) -> _Number:
        """Return the multiple of 10**exponent that is nearest to `value`.

        Raises
        ------
        PacketError
            If the format has no such number.

        >>> bytes(SFloat.from_value(36.4, exponent=-1)).hex()
        '6cf1'
        """
        top = 1 << cls.MANTISSA_BITS - 1
        if math.isnan(value):
            return cls(top - 1)
        if math.isinf(value):
            return cls(top - 2 if value > 0 else 2 - top)
        found = cls(round(Fraction(value) / Fraction(10) ** exponent), exponent)
        if found.special:
            raise PacketError(f"{value} in steps of 1 is the code of {found.special}: choose another exponent")
        return found

    @property
    def special(self) -> str | None:
        """Which special value this is: NaN, NRes (not at this resolution), +INF, -INF or reserved; None if a number."""
        top = 1 << self.MANTISSA_BITS - 1
        names = {top - 1: NAN, -top: NRES, top - 2: POSITIVE, 2 - top: NEGATIVE, 1 - top: RESERVED}
        return names.get(self.mantissa) if self.exponent == 0 else None

    @property
    def value(self) -> float:
        """The nearest float; NaN for NaN, NRes and the reserved one."""
        special = self.special
        if special:
            return _VALUES[special]
        # Dividing whole numbers rounds once; multiplying by 10.0**-1 would round twice.
        return self.mantissa / 10**-self.exponent if self.exponent < 0 else float(self.mantissa * 10**self.exponent)

    def __float__(self) -> float:
        return self.value


@dataclass(frozen=True)
class SFloat(MedicalFloat):
    """A number of 16 bits.

    >>> float(SFloat.from_bytes(bytes.fromhex("6200"))), SFloat.from_bytes(bytes.fromhex("ff07")).special
    (98.0, 'NaN')
    """

    MANTISSA_BITS = 12
    EXPONENT_BITS = 4


@dataclass(frozen=True)
class Float(MedicalFloat):
    """A number of 32 bits.

    >>> float(Float.from_bytes(bytes.fromhex("6c0100ff")))
    36.4
    """

    MANTISSA_BITS = 24
    EXPONENT_BITS = 8
