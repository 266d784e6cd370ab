"""Cut aligned branches into windows on a fixed grid; a window that touches a gap is dropped and counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
            count = round(seconds * rate_hz)
            if count < 1 or abs(count - seconds * rate_hz) > 1e-6 * count:
                raise PipelineError(f"Window: wanted a {name} of whole samples at {rate_hz:g} Hz, got {seconds} s")
            counts.append(count)
        return counts[0], counts[1], counts[2]


class WindowCutter:
    """Fixed memory: a ring of `length + ahead` samples, and per branch a position relative to the next window's start.

    Positions are relative so that nothing grows with time: the C form keeps the same integers.
    """

    def __init__(self, length: int, hop: int, ahead: int, channels: tuple[int, ...]) -> None:
        self.length, self.hop, self.channels = length, hop, channels
        self.capacity = length + ahead
        self._column = np.cumsum((0, *channels))
        self._ring = np.zeros((self.capacity, int(self._column[-1])), np.float32)
        self._head = 0
        self._position = [0] * len(channels)
        self._valid = [0] * len(channels)
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
            raise PipelineError(f"branch {branch} is {position} samples ahead of another; the ring holds that many")
        if position >= 0:
            row = (self._head + position) % self.capacity
            self._ring[row, self._column[branch] : self._column[branch + 1]] = sample
        self._position[branch] = position + 1
        if min(self._position) < self.length:
            return None
        rows = (self._head + np.arange(self.length)) % self.capacity
        window = self._ring[rows]
        self._advance(1)
        return window

    def gap(self, branch: int, lost: int) -> None:
        """Declare `lost` samples of a branch; drop and count the windows that needed them."""
        self._position[branch] += lost
        self._valid[branch] = self._position[branch]
        late = max(self._valid)
        if late > 0:
            hops = -(-late // self.hop)
            self.dropped += hops
            self._advance(hops)

    def _advance(self, hops: int) -> None:
        by = hops * self.hop
        self.start += by
        self._head = (self._head + by) % self.capacity
        self._position = [p - by for p in self._position]
        self._valid = [max(v - by, 0) for v in self._valid]
