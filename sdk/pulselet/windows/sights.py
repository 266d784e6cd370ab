"""What is known of windows that were looked at: who, when, and digests of their content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pulselet.windows.labelled import Windows
from pulselet.windows.spans import union

Person: TypeAlias = "tuple[str, str]"
"""The data set's name, empty if it is not known, and the subject as text."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What is known of some windows, small enough to keep."""

    windows: int
    people: frozenset[Person]
    names: frozenset[str]  # of recordings
    files: Mapping[str, str]  # name of a recording to SHA-256 of its samples
    spans: Mapping[str, NDArray[np.float64]]  # name of a recording to sorted, disjoint begins and ends (n, 2), s
    exact: NDArray[np.uint64]  # sorted, each once
    scaled: NDArray[np.uint64]
    anchors: NDArray[np.uint64]
    counts: Mapping[str, int]  # windows of each class

    @classmethod
    def of(cls, windows: Windows) -> Sight:
        """Return what is known of windows."""
        marks = windows.marks
        return cls(
            windows=len(windows),
            people=frozenset(person for person in wearers(windows)[0] if person[1]),
            names=frozenset(windows.recordings),
            files=dict(windows.files),
            spans={name: union(spans) for name, spans in _spans(windows)},
            exact=_once(marks.exact),
            scaled=_once(marks.scaled),
            anchors=_once(marks.anchors),
            counts=windows.counts,
        )

    def __or__(self, other: Sight) -> Sight:
        spans = dict(self.spans)
        for name, more in other.spans.items():
            spans[name] = union(np.concatenate([spans[name], more])) if name in spans else more
        labels = dict.fromkeys([*self.counts, *other.counts])
        return Sight(
            windows=self.windows + other.windows,
            people=self.people | other.people,
            names=self.names | other.names,
            files={**self.files, **other.files},
            spans=spans,
            exact=np.union1d(self.exact, other.exact),
            scaled=np.union1d(self.scaled, other.scaled),
            anchors=np.union1d(self.anchors, other.anchors),
            counts={label: self.counts.get(label, 0) + other.counts.get(label, 0) for label in labels},
        )


def wearers(windows: Windows) -> tuple[list[Person], NDArray[np.int64]]:
    """Return the people there are, and the number of each window's `(n,)`."""
    names, recording = np.unique(windows.recording, return_inverse=True)
    sets = np.array([str(name).partition("/")[0] if "/" in str(name) else "" for name in names], np.str_)
    subjects, subject = np.unique(windows.subject, return_inverse=True)
    datasets, dataset = np.unique(sets, return_inverse=True)
    both, number = np.unique(dataset[recording] * max(1, len(subjects)) + subject, return_inverse=True)
    pairs = [divmod(one, max(1, len(subjects))) for one in both.tolist()]
    return [(str(datasets[i]), str(subjects[j])) for i, j in pairs], number


def by_recording(windows: Windows) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield the name of each recording that has one, and the index numbers of its windows."""
    names, number = np.unique(windows.recording, return_inverse=True)
    order = np.argsort(number, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(number, minlength=len(names)))[:-1]) if len(names) else []
    yield from ((str(name), part) for name, part in zip(names, parts, strict=True) if name)


def touching(start: NDArray[np.float64], end: NDArray[np.float64], spans: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether each interval shares more than an instant with sorted, disjoint spans."""
    at = np.searchsorted(spans[:, 1], start + 1e-9, side="right")
    inside = at < len(spans)
    begins = spans[np.minimum(at, len(spans) - 1), 0]
    return np.asarray(inside & (begins < end - 1e-9), np.bool_)


def _once(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return digests sorted, each once, without those that say nothing: a look-up never finds 0."""
    ordered = hashes.ravel().copy()
    ordered.sort()
    new = np.diff(ordered, prepend=np.uint64(0)) != 0  # the first of each, and no 0
    found: NDArray[np.uint64] = ordered[new]
    return found


def _spans(windows: Windows) -> Iterator[tuple[str, NDArray[np.float64]]]:
    known = np.isfinite(windows.start_s) & np.isfinite(windows.end_s)
    for name, here in by_recording(windows):
        timed = here[known[here]]
        if len(timed):
            yield name, np.stack([windows.start_s[timed], windows.end_s[timed]], axis=1)
