"""Which class a window has, by a rule that is stated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.stream.corpus import Labels
from pulselet.windows.spans import union

Seconds = NDArray[np.float64]

NONE, MIXED = -1, -2
"""Instead of a class: nobody said anything, or not clearly enough."""

THRESHOLDS = {"majority": 0.5, "purity": 0.9, "coverage": 1.0}
HALF = 0.5
MATCH_S = 0.15
"""A detected beat is the annotated one within 150 ms (ANSI/AAMI EC57)."""


@dataclass(frozen=True)
class LabelRule:
    """How labels become the class of a window.

    Attributes
    ----------
    kind
        Of the labels.
    by
        "majority": the class that most of the labelled time has, if `threshold` of the window is labelled at all (0.5).
        "purity": that class, if it has `threshold` of the labelled time (0.9) and half of the window is labelled.
        "coverage": that class, if it has `threshold` of the whole window (1.0).
        Of two classes with equal times the window is neither. Instants, such as beats, count one each where intervals
        count seconds; they cover no window.
    threshold
        From 0 to 1.
    classes
        The class of each word, or None to leave it out; without it the words are the classes.
    match_s
        How far an event, such as a detected beat, may be from its annotation.
    """

    kind: str
    by: str = "majority"
    threshold: float = math.nan
    classes: Mapping[str, str | None] | None = None
    match_s: float = MATCH_S

    def __post_init__(self) -> None:
        if self.by not in THRESHOLDS:
            raise PipelineError(f"labels go by {', '.join(THRESHOLDS)}, got {self.by!r}")
        if math.isnan(self.threshold):
            object.__setattr__(self, "threshold", THRESHOLDS[self.by])
        if not 0 <= self.threshold <= 1:
            raise PipelineError(f"the threshold of a label is a share from 0 to 1, got {self.threshold}")
        if not self.match_s > 0:
            raise PipelineError(f"an event wants more than 0 s to find its label in, got {self.match_s}")

    @property
    def names(self) -> tuple[str, ...] | None:
        """The classes in the order of the mapping; None if the words are the classes."""
        if self.classes is None:
            return None
        return tuple(dict.fromkeys(name for name in self.classes.values() if name is not None))

    def mapped(self, labels: Labels) -> Labels:
        """Return labels whose words are the classes."""
        return labels if self.classes is None else labels.mapped(self.classes, self.names)

    def of_windows(self, labels: Labels, begin_s: Seconds, end_s: Seconds) -> NDArray[np.int64]:
        """Return the class number, `NONE` or `MIXED`, of each window `(n,)`."""
        mapped = self.mapped(labels)
        if not len(mapped):
            return np.full(len(begin_s), NONE)
        if mapped.end is None and self.by == "coverage":
            raise PipelineError(f"labels {self.kind!r} are instants, which cover nothing: take majority or purity")
        shares = _shares(mapped, begin_s, end_s)
        total, most = shares.sum(axis=1), shares.max(axis=1)
        labelled = _labelled(mapped, begin_s, end_s) if mapped.end is not None else (total > 0).astype(float)
        tied = np.isclose(shares, most[:, None], rtol=0, atol=1e-9).sum(axis=1) > 1
        enough = {
            "majority": labelled >= self.threshold - 1e-9,
            "purity": (labelled >= HALF - 1e-9) & (most >= (self.threshold - 1e-9) * total),
            "coverage": most >= self.threshold - 1e-9,
        }[self.by]
        found = np.where(enough & ~tied, shares.argmax(axis=1), MIXED)
        return np.where(total > 0, found, NONE)

    def of_events(self, labels: Labels, at_s: Seconds) -> tuple[NDArray[np.int64], int]:
        """Return the class number, `NONE` or `MIXED`, of each event `(n,)`, and how many annotated ones have none.

        An event takes the label of the nearest instant within `match_s`, and of two that want the same one only the
        nearer has it: the other is `MIXED`. Of intervals it takes the one that it lies in, of several
        the last to begin.
        """
        code = self._codes(labels)
        if labels.end is not None:
            return _inside(labels, code, at_s), 0
        match = _matched(labels.begin_s, at_s, self.match_s)
        found = np.where(match >= 0, code[match] if len(code) else NONE, MIXED)
        missed = np.ones(len(labels), bool)
        missed[match[match >= 0]] = False
        return found, int((missed & (code >= 0)).sum())

    def _codes(self, labels: Labels) -> NDArray[np.int64]:
        """Return the class number of each label, `NONE` if its word is left out."""
        if self.classes is None:
            return labels.code
        labels.mapped(self.classes, self.names)  # says which words are missing
        names = self.names or ()
        of_word = [self.classes.get(word) for word in labels.vocabulary]
        return np.array([NONE if name is None else names.index(name) for name in of_word], np.int64)[labels.code]

    def __str__(self) -> str:
        share = f"{100 * self.threshold:g} %"
        return {
            "majority": f"{self.kind} that most of the labelled time has, {share} of the window labelled",
            "purity": f"{self.kind} that {share} of the labelled time has, half of the window labelled",
            "coverage": f"{self.kind} over {share} of the window",
        }[self.by]


def _shares(labels: Labels, begin_s: Seconds, end_s: Seconds) -> NDArray[np.float64]:
    """Return what part of each window each class has `(n, classes)`; of instants, how many."""
    columns = []
    for code in range(len(labels.vocabulary)):
        own = labels.code == code
        starts, ends = labels.begin_s[own], labels.end_s[own]
        if labels.end is None:
            columns.append((np.searchsorted(starts, end_s) - np.searchsorted(starts, begin_s)).astype(float))
        else:
            columns.append((_covered(starts, ends, end_s) - _covered(starts, ends, begin_s)) / (end_s - begin_s))
    return np.stack(columns, axis=1)


def _labelled(labels: Labels, begin_s: Seconds, end_s: Seconds) -> Seconds:
    """Return what part of each window is labelled at all; where two classes overlap, it counts once."""
    low, high = (_covered(labels.begin_s, labels.end_s, until) for until in (begin_s, end_s))
    return (high - low) / (end_s - begin_s)


def _covered(starts: Seconds, ends: Seconds, until: Seconds) -> Seconds:
    """Return how much time up to `until` the union of intervals, in order of their starts, covers."""
    if not len(starts):
        return np.zeros(len(until))
    low, high = union(np.stack([starts, ends], axis=1)).T
    before = np.concatenate([[0.0], np.cumsum(high - low)])
    at = np.searchsorted(low, until, side="right")
    part = np.where(at > 0, np.minimum(until, high[at - 1]) - low[at - 1], 0.0)
    return before[np.maximum(at - 1, 0)] + part


def _inside(labels: Labels, code: NDArray[np.int64], at_s: Seconds) -> NDArray[np.int64]:
    """Return the class of the interval that each event lies in; of several, of the last one to begin."""
    found = np.full(len(at_s), NONE)
    if not len(labels):
        return found
    end_s = labels.end_s
    reach = np.maximum.accumulate(end_s)
    at = np.searchsorted(labels.begin_s, at_s, side="right") - 1
    sought = (at >= 0) & (at_s < reach[at])
    while sought.any():
        here = sought & (at_s < end_s[at])
        found[here] = code[at[here]]
        at = np.maximum(at - 1, -1)
        sought = sought & ~here & (at >= 0) & (at_s < reach[at])
    return found


def _matched(places_s: Seconds, at_s: Seconds, within_s: float) -> NDArray[np.int64]:
    """Return the nearest place of each event, -1 if it is too far or another event is nearer to it."""
    if not len(places_s) or not len(at_s):
        return np.full(len(at_s), -1)
    after = np.clip(np.searchsorted(places_s, at_s), 1, max(1, len(places_s) - 1))
    after = np.minimum(after, len(places_s) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(places_s[before] - at_s) <= np.abs(places_s[after] - at_s), before, after)
    far = np.abs(places_s[nearest] - at_s)
    order = np.lexsort((far, nearest))
    first = np.zeros(len(at_s), bool)
    first[order] = np.diff(nearest[order], prepend=-1) != 0
    return np.where(first & (far <= within_s + 1e-9), nearest, -1)
