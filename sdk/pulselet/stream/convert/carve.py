"""Cuts what is read from an even grid into blocks and gaps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import RecordingError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.convert.timeline import UNSTATED


def to_float32(values: ArrayLike) -> NDArray[np.float32]:
    """Return values as float32; what is too large for it becomes infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float64).astype(np.float32)


class Span(NamedTuple):
    """A stretch of the grid that holds no samples: a gap, of known size or not, or, without a reason, mere padding."""

    start: int
    end: int
    reason: str | None
    known: bool = True


def carve(
    pieces: Iterable[tuple[int, NDArray[np.float32]]],
    spans: deque[Span],
    signal: Signal,
    rate_hz: Fraction,
    base: int,
) -> Iterator[Block | Gap]:
    """Yield the blocks and gaps of a signal.

    Parameters
    ----------
    pieces
        Position of the first row, and rows, float32 `(n, channels)`, in order; what lies between two is missing.
    spans
        Where there are no samples, in order; it is used up. What lies there in `pieces` is dropped.
    base
        Position of index 0. A block arrives, in ns, at its position divided by the rate.

    Raises
    ------
    RecordingError
        If a piece goes back behind the end of the one before.
    """
    at = reached = 0
    for position, rows in pieces:
        if position < reached:
            raise RecordingError(f"{signal.name!r}: records overlap: position {position} comes after {reached}")
        reached = position + len(rows)
        while spans or len(rows):
            if spans and spans[0].start <= at:
                span = spans.popleft()
                yield from _gap(span, signal, base)
                at = max(at, span.end)
                continue
            dropped = min(max(at - position, 0), len(rows))
            rows, position = rows[dropped:], position + dropped
            if not len(rows):
                break
            limit = min(reached, spans[0].start) if spans else reached
            if position > at:
                hole = min(position, limit)
                yield Gap(signal, at - base, hole - at, UNSTATED)
                at = hole
                continue
            yield Block(signal, rows[: limit - at], at - base, None, round(at / rate_hz * 10**9))
            at = limit
    while spans and spans[0].start <= at:
        span = spans.popleft()
        yield from _gap(span, signal, base)
        at = max(at, span.end)
    if reached > at:
        yield Gap(signal, at - base, reached - at, UNSTATED)
    for span in spans:
        yield from _gap(span, signal, base)


def _gap(span: Span, signal: Signal, base: int) -> Iterator[Gap]:
    if span.reason is not None:
        yield Gap(signal, span.start - base, span.end - span.start if span.known else None, span.reason)
