"""The annotation channel of EDF+: every record has the same room for it, and begins with its own onset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pulselet.stream.convert.edf_file import NAMES, Channel, tal


class Slots:
    """Distributes annotations over records.

    EDF+ lets an annotation stand in any record. They are put one after the other into the records, so that the room
    for them is little more than they take together, however many of them belong to one moment.

    Parameters
    ----------
    records, record_s
        Which records are written, counted from position 0, and the length of one.
    annotations
        Onset in s since position 0, length in s, text; in order of time.
    first_s
        Onset of position 0, in s since the whole second in the header.
    """

    def __init__(
        self,
        records: Sequence[int],
        record_s: int,
        annotations: Sequence[tuple[Fraction, Fraction, str]],
        first_s: Fraction,
        width: int,
    ) -> None:
        self._records, self._record_s, self._first_s = records, record_s, first_s
        texts = [tal(first_s + at_s, length_s, text) for at_s, length_s, text in annotations]
        room = max([math.ceil(sum(map(len, texts)) / len(records)), *map(len, texts)])
        while (packed := _packed(texts, room, len(records))) is None:
            room += room // 8 + 1
        self._texts = packed
        keeper = len(self._keeper(len(records) - 1))  # the last onset has the most digits
        self._size = -(-(keeper + room) // width) * width
        most = 2 ** (8 * width - 1)
        label = f"{NAMES[width]} Annotations"
        self.channel = Channel(label, "", "-1", "1", -most, most - 1, self._size // width)

    def rows(self, first: int, count: int) -> NDArray[np.uint8]:
        """Return the bytes of `count` records, `(count, size)`."""
        cells = (
            (self._keeper(number) + self._texts[number]).ljust(self._size, b"\0")
            for number in range(first, first + count)
        )
        return np.frombuffer(b"".join(cells), np.uint8).reshape(count, self._size)

    def _keeper(self, number: int) -> bytes:
        """Return the annotation without text that says when a record begins."""
        return tal(self._first_s + self._records[number] * self._record_s, Fraction(0), "")


def _packed(texts: list[bytes], room: int, records: int) -> list[bytes] | None:
    """Return what stands in each record, or None if there is not enough room."""
    cells = [b""] * records
    number = 0
    for text in texts:
        if len(cells[number]) + len(text) > room:
            number += 1
        if number == records:
            return None
        cells[number] += text
    return cells
