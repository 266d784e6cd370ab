"""Where the samples of a recording lie in time, and one signal at a time on an even grid.

Sample `i` of a signal with a rate lies at `started + (arrival of its first block - started_ns) + (i - first) / rate`,
with `first` the index of the first sample of that block: a recording has no other word on when a signal began.
A sample of an event signal lies at the arrival of its block.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import RecordingError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.convert.steps import Span
from pulselet.stream.recording import Recording

ROWS = 2**14  # rows that are looked at, or filled, at once
UNSTATED = "not recorded"


def started(recording: Recording) -> tuple[datetime, int]:
    """Return when the recording began: wall clock in UTC, and host monotonic clock in ns.

    Raises
    ------
    RecordingError
        If the recording's `started` is no ISO 8601 time, or its `started_ns` no whole number.
    """
    meta = recording.meta
    try:
        wall = datetime.fromisoformat(meta["started"].replace("Z", "+00:00"))
        host_ns = int(meta["started_ns"])
    except (KeyError, ValueError) as error:
        raise RecordingError(f"{recording.path} does not say when it started: {error!r}") from error
    return (wall if wall.tzinfo else wall.replace(tzinfo=timezone.utc)).astimezone(timezone.utc), host_ns


def steady(recording: Recording, name: str) -> Generator[Block | Gap, None, None]:
    """Yield the items of a signal so that each begins where the last one ended; indexes left out become a gap.

    Raises
    ------
    RecordingError
        If an index comes twice.
    """
    expected = None
    reading = cast("Generator[Block | Gap, None, None]", recording.items(name))
    with closing(reading) as items:  # before the recording is, whatever happens here
        for item in items:
            if expected is not None and item.first > expected:
                yield Gap(item.signal, expected, item.first - expected, UNSTATED)
            elif expected is not None and item.first < expected:
                raise RecordingError(
                    f"{name!r} goes back from sample {expected} to {item.first}: one sample cannot be written twice"
                )
            expected = item.end
            if isinstance(item, Gap) or len(item.values):
                yield item


@dataclass
class Survey:
    """What one pass over a signal tells of it.

    Attributes
    ----------
    first
        Index of the first sample or lost sample.
    begins_ns
        Time of that sample, in ns since the recording started; None if there are no samples.
    length
        Samples and lost samples.
    """

    signal: Signal
    spans: list[Span]
    first: int = 0
    begins_ns: int | None = None
    samples: int = 0
    length: int = 0
    gaps: list[Gap] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Samples in gaps of known size."""
        return sum(gap.lost or 0 for gap in self.gaps)


def survey(recording: Recording, signal: Signal) -> Survey:
    """Return what there is to know of a signal before it is written."""
    _, host_ns = started(recording)
    found = Survey(signal, [Span() for _ in signal.channels])
    waiting: list[NDArray[np.float32]] = []
    first = None
    learnt = 0
    for item in steady(recording, signal.name):
        first = item.first if first is None else first
        found.length = item.end - first
        if isinstance(item, Gap):
            found.gaps.append(item)
            continue
        if found.begins_ns is None:
            before = round((item.first - first) * 1e9 / signal.rate_hz) if signal.rate_hz else 0
            found.begins_ns = item.arrival_ns - host_ns - before
        found.samples += len(item.values)
        waiting.append(item.values)
        if found.samples - learnt >= ROWS:
            _learn(found.spans, waiting)
            learnt = found.samples
    _learn(found.spans, waiting)
    found.first = first or 0
    return found


def _learn(spans: list[Span], waiting: list[NDArray[np.float32]]) -> None:
    if waiting:
        values = np.concatenate(waiting)
        for span, column in zip(spans, values.T, strict=True):
            span.learn(column)
        waiting.clear()


class Grid:
    """The samples of a signal on an even grid: NaN before the first, in gaps, and after the last."""

    def __init__(self, recording: Recording, signal: Signal, pad: int) -> None:
        self._channels = len(signal.channels)
        self._pieces = self._all(steady(recording, signal.name), pad)
        self._ready = self._nothing(0)

    def take(self, count: int) -> NDArray[np.float32]:
        """Return the next `count` rows, float32 `(count, channels)`."""
        parts = [self._ready]
        missing = count - len(self._ready)
        while missing > 0:
            parts.append(next(self._pieces))
            missing -= len(parts[-1])
        rows = np.concatenate(parts)
        self._ready = rows[count:]
        return rows[:count]

    def close(self) -> None:
        """Leave the recording alone, so that it can be closed."""
        self._pieces.close()

    def skip(self, count: int) -> None:
        """Pass over the next `count` rows."""
        for begin in range(0, count, ROWS):
            self.take(min(ROWS, count - begin))

    def _all(self, items: Generator[Block | Gap, None, None], pad: int) -> Generator[NDArray[np.float32], None, None]:
        with closing(items):
            yield from self._fill(pad)
            for item in items:
                if isinstance(item, Block):
                    yield item.values
                else:
                    yield from self._fill(item.lost or 0)
        while True:
            yield self._nothing(ROWS)

    def _fill(self, count: int) -> Iterator[NDArray[np.float32]]:
        for begin in range(0, count, ROWS):
            yield self._nothing(min(ROWS, count - begin))

    def _nothing(self, count: int) -> NDArray[np.float32]:
        return np.full((count, self._channels), np.nan, np.float32)
