"""Which intervals between heartbeats are normal ones, and what the others are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check

F = np.float32

UNKNOWN, NORMAL, EARLY, LATE, AFTER_EARLY, MISSED, EXTRA = range(-1, 6)
"""What `kind` says of an interval: see `Rhythm`."""

INTERVALS, CHANGES = 9, 31
"""Intervals before this one whose median is the reference; deviations whose median is the spread."""
SPREADS = F(4.0)
LEAST_S, MOST_S = F(0.24), F(3.0)
"""Of a normal interval: 250 and 20 beats per minute."""
NARROWEST = F(0.08)
BEYOND = F(1e30)


class RhythmState(NamedTuple):
    """What is kept between beats."""

    intervals: Samples  # (INTERVALS,) the valid ones before, s, oldest first
    deviations: Samples  # (CHANGES,) each from its reference, as a part of it
    last: np.float32  # the interval before if it is adjacent, or 0
    early: np.bool_  # whether that was early


class RhythmKernel(Kernel):
    """Compares each interval with a running median and with the one before it; no delay, no feedback.

    Rows whose interval is not valid leave the medians as they are.
    """

    def __init__(self, widest: float, source: Format) -> None:
        assert source.clock_hz is not None
        self.widest = F(widest)
        self.clock_hz = F(source.clock_hz)
        self.source = source
        names = (*source.names, "rr", "normal", "kind")
        self.output = source.but(channels=source.channels + 3, names=names, unit="")
        self.operations = INTERVALS**2 / 4 + CHANGES**2 / 4 + 20

    def start(self) -> RhythmState:
        # low and high in turn: the median of what has come is in the middle of them
        pads = np.where(np.arange(INTERVALS) % 2 == 0, -BEYOND, BEYOND)
        return RhythmState(pads, np.full(CHANGES, self.widest), F(0), np.False_)

    def step(self, state: RhythmState, x: Samples) -> tuple[Samples, RhythmState]:
        if len(x) == 0:
            return np.empty((0, self.output.width), np.float32), state
        valid = (x[:, 1] > 0) & (x[:, 0] >= 1)
        rr = np.where(valid, x[:, 0] / self.clock_hz, F(0))
        before = np.concatenate([[state.last], rr[:-1]])  # 0 where it is not adjacent
        reference, limit, intervals, deviations = self._limits(state, rr[valid])
        kind = np.full(len(x), UNKNOWN, np.float32)
        early = np.zeros(len(x), np.bool_)
        early[valid], late = _departures(rr[valid], before[valid], reference, limit)
        after = np.concatenate([[state.early], early[:-1]])
        kind[valid] = _kinds(rr[valid], before[valid], reference, limit, early[valid], late, after[valid])
        normal = (kind == NORMAL).astype(np.float32)
        y = np.column_stack([x, rr, normal, kind]).astype(np.float32)
        return y, RhythmState(intervals, deviations, rr[-1], early[-1])

    def _limits(self, state: RhythmState, rr: Samples) -> tuple[Samples, Samples, Samples, Samples]:
        """Return each valid interval's reference and how far it may be from it, s; and the histories after them."""
        intervals = np.concatenate([state.intervals, rr])
        reference = _medians(intervals, INTERVALS, len(rr))
        reference = np.where(np.abs(reference) < BEYOND, reference, rr)  # the first of all
        deviation = np.minimum(np.abs(rr - reference) / reference, self.widest)
        deviations = np.concatenate([state.deviations, deviation])
        spread = _medians(deviations, CHANGES, len(rr))
        part = np.minimum(np.maximum(SPREADS * spread, NARROWEST), self.widest)
        return reference, part * reference, intervals[len(rr) :].copy(), deviations[len(rr) :].copy()

    def gap(self, state: RhythmState, lost: int) -> tuple[int, RhythmState]:
        return lost, state._replace(last=F(0), early=np.False_)

    def c_form(self) -> CForm:
        fields = (("columns", self.source.channels), ("clock_hz", self.clock_hz), ("widest", self.widest))
        return CForm("rhythm", "pl_ecg_rhythm.h", fields, state_words=4 + INTERVALS + CHANGES, has_gap=True)


def _medians(values: Samples, length: int, count: int) -> Samples:
    """Return the medians of `values[i : i + length]` for i < count."""
    if count == 0:
        return np.empty(0, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(values, length)[:count]
    return np.asarray(np.partition(windows, length // 2, axis=1)[:, length // 2])


def _departures(
    rr: Samples, before: Samples, reference: Samples, limit: Samples
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which intervals are shorter, and which are longer, than both the reference and the one before."""
    fall = np.where(before > 0, np.minimum(reference, before), reference) - rr
    rise = rr - np.where(before > 0, np.maximum(reference, before), reference)
    return (fall > limit) | (rr < LEAST_S), (rise > limit) | (rr > MOST_S)


def _kinds(
    rr: Samples,
    before: Samples,
    reference: Samples,
    limit: Samples,
    early: NDArray[np.bool_],
    late: NDArray[np.bool_],
    after: NDArray[np.bool_],
) -> Samples:
    kind = np.where(late, F(LATE), F(NORMAL))
    kind[late & (np.abs(F(0.5) * rr - reference) <= limit)] = MISSED
    kind[after] = AFTER_EARLY
    kind[early] = EARLY
    kind[after & (np.abs((before + rr) - reference) <= limit)] = EXTRA
    return kind


@dataclass(frozen=True)
class Rhythm(Stage):
    """Marks normal-to-normal intervals on beat events, as soon as the beat is there: no delay is added.

    Takes events with columns ("since", "valid", ...) such as `RPeaks` gives, and appends to each row

    - `rr`: the interval that ends with this beat, s; 0 if it is not valid;
    - `normal`: 1 if it is plausible between two normal beats, else 0;
    - `kind`: 0 normal; 1 early: it ends with a premature beat; 2 late: a pause; 3 the interval after an early one;
      4 missed: as long as two, so a beat was probably not seen; 5 extra: with the early one before it as long as one,
      so the beat between was interpolated, or not a beat; -1 not known, because it is not valid.

    An interval is early or late if it differs, in the same direction, by more than a limit both from the median of the
    nine before it and from the one before it: a steady change of rate differs only from the one, the beat after a
    pause only from the other. The limit follows the person, as in Lipponen and Tarvainen (2019): four times the median
    deviation of the last 31 intervals, here at least 8 % and at most `widest` of the reference (Malik's 20 %, Task
    Force 1996). Theirs looks at beats on both sides; this is causal. What comes after an early interval begins with a
    premature beat, so it is not normal either. The limit follows the spread, so most intervals of atrial fibrillation
    pass as normal: of those annotated as such in MIT-BIH, 42 % are marked in DS1 and 20 % in DS2.

    Premature beats that come on time, such as fusion beats, cannot be known by their intervals.

    A lost row, and an interval that is not valid, leaves the medians as they are, and the next interval is compared
    with the median alone.
    """

    widest: float = 0.2

    def design(self, source: Format) -> RhythmKernel:
        wanted = "beat events with names ('since', 'valid', ...) and the rate of their samples"
        beats = source.rate_hz is None and source.names[:2] == ("since", "valid") and source.length == 1
        check(beats, self, wanted, f"{source} {source.names}")
        check(1 <= (source.clock_hz or 0) <= 1e5, self, "a clock from 1 Hz to 100 kHz", source.clock_hz)
        check(0.08 <= self.widest <= 0.5, self, "widest from 0.08 to 0.5", self.widest)
        return RhythmKernel(self.widest, source)
