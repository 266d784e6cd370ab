"""Cut aligned branches into windows on a fixed grid; a window that touches a gap is dropped and counted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.stage import Samples


@dataclass(frozen=True)
class Window:
    """A window of `length_s` every `hop_s`; one branch may run at most `ahead_s` ahead of another."""

    length_s: float
    hop_s: float
    ahead_s: float = 1.0

    def samples(self, rate_hz: float) -> tuple[int, int, int]:
        """Return length, hop and slack in samples at `rate_hz`.

        Raises
        ------
        PipelineError
            If one of them is not a whole number of samples, or not positive.
        """
        counts = []
        for name, seconds in (("length", self.length_s), ("hop", self.hop_s), ("ahead", self.ahead_s)):
            count = round(seconds * rate_hz) if math.isfinite(seconds) else 0
            if count < 1 or abs(count - seconds * rate_hz) > 1e-6 * count:
                raise PipelineError(f"Window: wanted a {name} of whole samples at {rate_hz:g} Hz, got {seconds} s")
            counts.append(count)
        return counts[0], counts[1], counts[2]


LONGEST_GAP = 2**29
"""Samples of a gap, or of one branch's lead over another, that the C form still counts."""


class WindowCutter:
    """Fixed memory: a ring of `length + ahead` rows, who has filled each row, and where each branch is.

    Positions are relative to the next window's start, so that nothing grows with time: the C form keeps the same
    integers. A window is dropped exactly if a row of it was lost in some branch, whatever the order in which the
    branches come, as long as none is more than `ahead` ahead of another. If a gap carries a branch past the end of the
    ring, windows that another branch has not completed by then are dropped too.
    """

    def __init__(self, length: int, hop: int, ahead: int, channels: tuple[int, ...]) -> None:
        self.length, self.hop, self.channels = length, hop, channels
        self.capacity = length + ahead
        self._column = np.cumsum((0, *channels))
        self._ring = np.zeros((self.capacity, int(self._column[-1])), np.float32)
        self._filled = np.zeros((self.capacity, len(channels)), np.bool_)
        self._head = 0
        self._position = [0] * len(channels)
        self.start = 0
        self.dropped = 0

    def push(self, branch: int, sample: Samples) -> Samples | None:
        """Add one cleaned sample; return a window `(length, channels)` if it completes one.

        Raises
        ------
        PipelineError
            If the branch is so far ahead of another that the ring is full.
        """
        position = self._position[branch]
        if position >= self.capacity:
            position = self._make_room(branch)
        if position >= 0:
            row = (self._head + position) % self.capacity
            self._ring[row, self._column[branch] : self._column[branch + 1]] = sample
            self._filled[row, branch] = True
        self._position[branch] = position + 1
        if min(self._position) < self.length:
            return None
        rows = self._rows(self.length)
        window = self._ring[rows] if self._filled[rows].all() else None
        if window is None:
            self.dropped += 1
        self._advance(1)
        return window

    def gap(self, branch: int, lost: int) -> None:
        """Declare `lost` samples of a branch; the windows that this completes are dropped and counted.

        Raises
        ------
        PipelineError
            If the gap is longer than `LONGEST_GAP`, or the branch is as far ahead of another already.
        """
        if lost > LONGEST_GAP or self._position[branch] - min(self._position) > LONGEST_GAP:
            raise PipelineError(f"a gap of {lost} samples in branch {branch} is more than {LONGEST_GAP}: start anew")
        self._position[branch] += lost
        ready = min(self._position) - self.length
        if ready >= 0:  # every one of these windows lacks a sample of this branch
            self._drop(ready // self.hop + 1)

    def _make_room(self, branch: int) -> int:
        """Drop windows that are lost already until the branch fits into the ring; return its new position."""
        while (position := self._position[branch]) >= self.capacity:
            if not self._filled[(self._head - 1) % self.capacity, branch]:  # a gap leads past the end of the ring
                self._drop((position - self.capacity) // self.hop + 1)
            elif not self._filled[self._rows(self.length), branch].all():  # the next window has a gap in this branch
                self._drop(1)
            else:
                raise PipelineError(f"branch {branch} is {position} samples ahead; push the others first")
        return position

    def _drop(self, hops: int) -> None:
        self.dropped += hops
        self._advance(hops)

    def _rows(self, count: int) -> NDArray[np.int64]:
        return (self._head + np.arange(count)) % self.capacity

    def _advance(self, hops: int) -> None:
        by = hops * self.hop
        self._filled[self._rows(min(by, self.capacity))] = False
        self.start += by
        self._head = (self._head + by) % self.capacity
        self._position = [p - by for p in self._position]
