"""Bring the rows of several branches together by index, with fixed memory, whoever comes first."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.stage import Samples
from pulselet.signal.window import LONGEST_GAP

Segment = Samples | int
"""Aligned rows `(n, columns)`, or how many are lost."""


class Aligner:
    """A ring of `ahead` rows, who has filled each, and where each branch is.

    Positions are relative to the oldest row that is still awaited, so that nothing grows with time: the C form keeps
    the same integers. A row is lost exactly if it was lost in some branch, whatever the order in which the branches
    come, as long as none is more than `ahead` rows ahead of another; what is lost in one branch waits for no other.
    However long a branch is silent, positions stay within 32 bits: others pass it only by rows that were declared lost,
    and `check` bounds these.
    """

    def __init__(self, widths: tuple[int, ...], ahead: int) -> None:
        self.ahead = ahead
        self._column = np.cumsum((0, *widths))
        self._ring = np.zeros((ahead, int(self._column[-1])), np.float32)
        self._filled = np.zeros((ahead, len(widths)), np.bool_)
        self._head = 0
        self._position = [0] * len(widths)

    def push(self, branch: int, rows: Samples) -> list[Segment]:
        """Add rows of a branch; return the aligned rows and losses that this completes, in order.

        Raises
        ------
        PipelineError
            If the branch is so far ahead of another that the ring is full.
        """
        early = min(len(rows), max(0, -self._position[branch]))  # rows that another branch has lost already
        self._position[branch] += early
        found: list[Segment] = []
        at = early
        while at < len(rows):
            if self._position[branch] >= self.ahead:
                found.append(self._make_room(branch))
                continue
            position = self._position[branch]
            count = min(len(rows) - at, self.ahead - position)
            places = (self._head + position + np.arange(count)) % self.ahead
            self._ring[places, self._column[branch] : self._column[branch + 1]] = rows[at : at + count]
            self._filled[places, branch] = True
            self._position[branch] += count
            at += count
            found += self._release()
        return found

    def check(self, branch: int) -> None:
        """Raise PipelineError if a branch is so far ahead of another that a gap could no longer be counted."""
        if self._position[branch] - min(self._position) > LONGEST_GAP:
            raise PipelineError(f"branch {branch} is more than {LONGEST_GAP} samples ahead: start anew")

    def gap(self, branch: int, lost: int) -> list[Segment]:
        """Declare rows of a branch lost; return what this completes."""
        self._position[branch] += lost
        return self._release()

    def _release(self) -> list[Segment]:
        """Take the rows out that every branch has passed."""
        ready = min(self._position)
        if ready <= 0:
            return []
        held = min(ready, self.ahead)
        places = (self._head + np.arange(held)) % self.ahead
        whole: NDArray[np.bool_] = np.all(self._filled[places], axis=1)
        found: list[Segment] = []
        edges = [0, *(np.flatnonzero(np.diff(whole)) + 1), held]
        for a, b in pairwise(edges):
            found.append(self._ring[places[a:b]] if whole[a] else int(b - a))
        if ready > held:
            found.append(ready - held)
        self._advance(ready)
        return found

    def _make_room(self, branch: int) -> int:
        """Give up rows that are lost already until the branch fits into the ring; return how many."""
        need = self._position[branch] - self.ahead + 1
        held = min(need, self.ahead)
        passed = np.array(self._position) > np.arange(held)[:, None]
        lost = (passed & ~self._filled[(self._head + np.arange(held)) % self.ahead]).any(axis=1)
        if not lost.all():
            raise PipelineError(f"branch {branch} is {self._position[branch]} samples ahead; push the others first")
        self._advance(need)
        return need

    def _advance(self, rows: int) -> None:
        self._filled[(self._head + np.arange(min(rows, self.ahead))) % self.ahead] = False
        self._head = (self._head + rows) % self.ahead
        self._position = [p - rows for p in self._position]
