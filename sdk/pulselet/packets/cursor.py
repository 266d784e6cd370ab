"""Reads little-endian fields forward, and says where the bytes end too soon."""

from __future__ import annotations

import struct
from typing import Any

from pulselet.errors import PacketError


class Cursor:
    """A position in some bytes; every read moves it.

    Parameters
    ----------
    data
        The bytes.
    what
        What they are, for the message of an error: "a heart rate measurement".

    >>> cursor = Cursor(bytes.fromhex("01 0002 ffff"), "an example")
    >>> cursor.u8(), cursor.u16(), cursor.signed(2), cursor.left
    (1, 512, -1, 0)
    """

    def __init__(self, data: bytes, what: str) -> None:
        self.data = bytes(data)
        self.what = what
        self.at = 0

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self.data) - self.at

    def error(self, complaint: str) -> PacketError:
        """Return an error about these bytes, to be raised."""
        return PacketError(f"{self.what}: {complaint}", self.data)

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes.

        Raises
        ------
        PacketError
            If there are not so many; so do all other reads.
        """
        piece = self.data[self.at : self.at + count]
        if len(piece) < count:
            raise self.error(f"{len(self.data)} bytes end in the middle of a field; wanted {self.at + count} or more")
        self.at += count
        return piece

    def unpack(self, layout: str) -> tuple[Any, ...]:
        """Return the fields of a `struct` layout."""
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def unsigned(self, size: int) -> int:
        """Return an unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def signed(self, size: int) -> int:
        """Return a two's complement integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little", signed=True)

    def u8(self) -> int:
        """Return an unsigned byte."""
        return self.unsigned(1)

    def u16(self) -> int:
        """Return an unsigned 16-bit integer."""
        return self.unsigned(2)

    def u24(self) -> int:
        """Return an unsigned 24-bit integer."""
        return self.unsigned(3)

    def u32(self) -> int:
        """Return an unsigned 32-bit integer."""
        return self.unsigned(4)

    def text(self, count: int) -> str:
        """Return `count` bytes of UTF-8."""
        piece = self.take(count)
        try:
            return piece.decode()
        except UnicodeDecodeError as error:
            raise self.error(f"a text is not UTF-8: {error}") from error

    def rest(self) -> bytes:
        """Return all bytes that are left."""
        return self.take(self.left)

    def end(self) -> None:
        """Raise PacketError if bytes are left."""
        if self.left:
            raise self.error(f"{self.left} bytes too many at the end")
