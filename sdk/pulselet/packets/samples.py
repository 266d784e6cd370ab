"""Integers of odd widths: 24-bit samples, and differences packed bit by bit from the least significant bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def int24_values(data: bytes) -> NDArray[np.int32]:
    """Return the little-endian two's complement 24-bit integers `(n,)` in `data`, whose length is 3 n.

    >>> int24_values(bytes.fromhex("010000 ffffff 000080")).tolist()
    [1, -1, -8388608]
    """
    octets = np.frombuffer(data, np.uint8).reshape(-1, 3)
    wide = np.zeros((len(octets), 4), np.uint8)
    wide[:, 1:] = octets
    return wide.view("<i4")[:, 0].astype(np.int32) >> 8


def int24_bytes(values: NDArray[np.integer]) -> bytes:
    """Return integers, each from -2**23 to 2**23 - 1, as 3 bytes each."""
    return np.ascontiguousarray(values, "<i4").reshape(-1, 1).view(np.uint8)[:, :3].tobytes()


def packed(values: NDArray[np.integer], width: int) -> bytes:
    """Return two's complement integers of `width` bits, packed without a space; the last byte is padded with zeros.

    >>> packed(np.array([1, -1, 2]), 3).hex()
    'b900'
    """
    bits = (np.asarray(values, np.int64)[:, None] >> np.arange(width)) & 1
    return np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()


def unpacked(data: bytes, width: int, count: int) -> NDArray[np.int64]:
    """Return the `count` integers of `width` bits at the beginning of `data`.

    >>> unpacked(bytes.fromhex("b900"), 3, 3).tolist()
    [1, -1, 2]
    """
    if width == 0:
        return np.zeros(count, np.int64)
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: count * width].reshape(count, width)
    weights = np.int64(1) << np.arange(width, dtype=np.int64)
    weights[-1] = -weights[-1]
    found: NDArray[np.int64] = bits.astype(np.int64) @ weights
    return found
