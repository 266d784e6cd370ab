"""What the standard GATT characteristics have in common: short UUIDs, optional fields, flags that nobody knows yet."""

from __future__ import annotations

from typing import SupportsBytes

from pulselet.errors import PacketError
from pulselet.packets.cursor import Cursor

BASE = "-0000-1000-8000-00805f9b34fb"


def full_uuid(number: int) -> str:
    """Return the 128-bit form of a UUID of 16 or 32 bits (Core Specification, volume 3, part B, 2.5.1).

    >>> full_uuid(0x2A37)
    '00002a37-0000-1000-8000-00805f9b34fb'
    """
    return f"{number:08x}{BASE}"


def whole(value: int | None, size: int, what: str) -> bytes:
    """Return an unsigned integer as `size` little-endian bytes; nothing for None.

    Raises
    ------
    PacketError
        If it does not fit.
    """
    if value is None:
        return b""
    if not 0 <= value < 1 << 8 * size:
        raise PacketError(f"{what} is {value}; wanted a whole number from 0 to {(1 << 8 * size) - 1}")
    return value.to_bytes(size, "little")


def optional(part: SupportsBytes | None) -> bytes:
    """Return the bytes of a part; nothing for None."""
    return b"" if part is None else bytes(part)


def leftover(cursor: Cursor, reserved: int) -> bytes:
    """Return what is left if a reserved flag may have announced it.

    Raises
    ------
    PacketError
        If something is left although no reserved flag is set.
    """
    if not reserved:
        cursor.end()
    return cursor.rest()


def flagged(flags: int, known: int, reserved: int, fields: bytes, extra: bytes) -> bytes:
    """Return a flags byte, the fields and what reserved flags announce, as one value.

    Parameters
    ----------
    flags
        The flags that are set, all of them among `known`.
    known
        All flags that the standard defines.
    reserved
        Further flags, none of them among `known`.
    fields, extra
        The bytes that follow; `extra` only with a reserved flag.

    Raises
    ------
    PacketError
        If `from_bytes` would read something else from the result.
    """
    if reserved & known or not 0 <= reserved < 256:
        raise PacketError(f"reserved flags are {reserved:#x}; wanted bits among {~known & 0xFF:#x}")
    if extra and not reserved:
        raise PacketError(f"{len(extra)} extra bytes, but no reserved flag that announces them", extra)
    return bytes([flags | reserved]) + fields + extra
