"""Signals without an end, in pages of a fixed length, so that what is drawn never depends on how much is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError

PAGE = 1024  # samples
Pages = Iterator[NDArray[np.float64]]  # each (PAGE,) or (PAGE, channels)
Seed = int | np.random.Generator


def positive(**values: float) -> None:
    """Raise PulseletError if one of the values is not above 0 and finite."""
    for name, value in values.items():
        if not 0 < value < np.inf:
            raise PulseletError(f"a simulated signal wants {name} above 0, got {value}")


def page_times(rate_hz: float) -> Pages:
    """Return the times of all samples in s, page by page."""
    positive(rate_hz=rate_hz)
    return (np.arange(page * PAGE, (page + 1) * PAGE) / rate_hz for page in count())


def samples_in(duration_s: float, rate_hz: float) -> int:
    """Return how many samples a duration has, at least one; PulseletError if it has none."""
    positive(rate_hz=rate_hz, duration_s=duration_s)
    samples = round(duration_s * rate_hz)
    if samples < 1:
        raise PulseletError(f"{duration_s} s at {rate_hz} Hz hold no sample: ask for {1 / rate_hz} s or more")
    return samples


def first(pages: Pages, samples: int) -> NDArray[np.float64]:
    """Return the first samples of a signal."""
    return np.concatenate(list(islice(pages, -(-samples // PAGE))))[:samples]


class Marks:
    """Event times in s without an end, of which only those around the times asked for are kept.

    The first event is not after the first time asked for; times asked for go forward.
    """

    def __init__(self, events: Iterator[float]) -> None:
        self._events = events
        self._kept = [next(events), next(events)]
        self._gone = 0

    def cycles(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for each time the number of the event before it, plus the part of the way to the next one."""
        while self._kept[-1] <= times_s[-1]:
            self._kept.append(next(self._events))
        gone = max(int(np.searchsorted(self._kept, times_s[0], "right")) - 1, 0)
        del self._kept[:gone]
        self._gone += gone
        kept = np.array(self._kept)
        before = np.searchsorted(kept, times_s, "right") - 1
        way = (times_s - kept[before]) / np.diff(kept)[before]
        cycles: NDArray[np.float64] = self._gone + before + way
        return cycles
