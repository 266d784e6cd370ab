"""What may stand on a sheet of labels: words of a vocabulary, within a recording, none upon another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pulselet.errors import DatasetError

INTERVALS, INSTANTS = "intervals", "instants"
NEAR_S = 0.1  # how far from an instant one may point at it


class Mark(NamedTuple):
    """A label, in samples of the signal since the recording's zero; `end` is None for an instant."""

    begin: int
    end: int | None
    word: str

    @property
    def until(self) -> int:
        """One past the last sample; an instant takes one."""
        return self.begin + 1 if self.end is None else self.end

    @property
    def shape(self) -> str:
        """What it is."""
        return INSTANTS if self.end is None else INTERVALS


@dataclass(frozen=True)
class Sheet:
    """Where marks of one kind may stand.

    Attributes
    ----------
    first, end
        The samples that can be marked: the first, and one past the last.
    """

    kind: str
    vocabulary: tuple[str, ...]
    signal: str
    rate_hz: float
    first: int
    end: int

    def __post_init__(self) -> None:
        words = self.vocabulary
        if not words or len(set(words)) < len(words) or not all(word.strip() for word in words):
            raise DatasetError(f"wanted words to label with, each once and none empty, got {list(words)}")
        if not self.kind or set(self.kind) & set("[]/\\\0"):
            raise DatasetError(f"wanted a kind that can be part of a file's name, without brackets, got {self.kind!r}")

    def sample(self, at_s: float) -> int:
        """Return the sample at a time; DatasetError if it is no time."""
        if not np.isfinite(at_s):
            raise DatasetError(f"wanted a time in s, got {at_s}")
        return round(at_s * self.rate_hz)

    def said(self, mark: Mark) -> str:
        """Return a mark in words."""
        until = "" if mark.end is None else f" to {mark.end / self.rate_hz:g}"
        return f"{mark.word!r} at {mark.begin / self.rate_hz:g}{until} s"

    @property
    def range(self) -> str:
        """What can be marked, in words."""
        return f"{self.signal!r} is from {self.first / self.rate_hz:g} to {self.end / self.rate_hz:g} s"

    def valid(self, mark: Mark, shape: str | None) -> Mark:
        """Return a mark.

        Raises
        ------
        DatasetError
            If its word is not known, it is not of the shape that is wanted, is empty, or is out of range.
        """
        if mark.word not in self.vocabulary:
            raise DatasetError(f"{mark.word!r} is not in the vocabulary {self.vocabulary}")
        if shape not in (None, mark.shape):
            raise DatasetError(f"the marks of {self.kind!r} are {shape}: give {mark.shape} another kind")
        if mark.until <= mark.begin:
            raise DatasetError(f"wanted an interval of a sample or more, got {self.said(mark)}")
        if mark.begin < self.first or mark.until > self.end:
            raise DatasetError(f"{self.said(mark)} is out of range: {self.range}")
        return mark

    def alone(self, mark: Mark, others: Sequence[Mark]) -> Mark:
        """Return a mark; DatasetError if one of the others, which are in order, overlaps it."""
        other = rival(mark, others)
        if other is not None:
            raise DatasetError(f"{self.said(mark)} overlaps {self.said(other)}: remove that one first")
        return mark

    def at(self, at_s: float, marks: Sequence[Mark]) -> Mark:
        """Return the mark at a time: the interval around it, or the nearest instant within 0.1 s.

        Raises
        ------
        DatasetError
            If there is none.
        """
        at = self.sample(at_s)
        near = [
            mark
            for mark in marks
            if (abs(mark.begin - at) <= NEAR_S * self.rate_hz if mark.end is None else mark.begin <= at < mark.end)
        ]
        if not near:
            raise DatasetError(f"no mark of {self.kind!r} is at {at_s:g} s")
        return min(near, key=lambda mark: abs(mark.begin - at))


def rival(mark: Mark, others: Sequence[Mark]) -> Mark | None:
    """Return the one of the others that overlaps a mark; they are in order, and none of them overlaps another."""
    at = bisect_right(others, mark.begin, key=lambda one: one.begin)
    if at and others[at - 1].until > mark.begin:
        return others[at - 1]
    return others[at] if at < len(others) and others[at].begin < mark.until else None
