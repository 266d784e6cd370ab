"""Cut recordings into labelled windows, through the same pipeline that the device runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.pipeline import Pipeline
from pulselet.stream.corpus import Labels, Recording
from pulselet.windows.label_rules import MATCH_S, MIXED, LabelRule
from pulselet.windows.labelled import Counts, Windows
from pulselet.windows.rows import Rows
from pulselet.windows.running import Cut, Plan, Source, run_events, run_samples, run_windows
from pulselet.windows.store import Stored, WindowStore


def cut(
    recordings: Recording | Iterable[Recording],
    pipeline: Pipeline,
    *,
    signals: Mapping[str, Source] | None = None,
    label: str | None = "activity",
    by: str = "majority",
    threshold: float = math.nan,
    classes: Mapping[str, str | None] | None = None,
    match_s: float = MATCH_S,
    cache: str | Path | WindowStore | None = None,
) -> Windows:
    """Return the labelled windows of recordings, in their order; one recording is in memory at a time.

    A pipeline with a `Window` cuts by time. One that gives events which say where they are, such as `Beats`, cuts
    around them; stages after it, such as `Columns`, may take parts of a row.

    Samples that are lost are declared to the pipeline, and windows that touch them are left out and counted. Signals
    that begin at different times are aligned to the nearest sample. A filter speaks of a moment that is its latency
    ago: labels are looked up there, `start_s` is its begin, and `end_s` is when the window's last raw sample came. What
    a recursive filter still remembers from before `start_s` is not counted.

    Parameters
    ----------
    signals
        Which of a recording's signals each branch takes, if it is not called as the branch is: a name, or a name and
        one or more channels by name or number, such as `{"ecg": ("ecg", "MLII")}`.
    label, by, threshold, classes
        The kind of labels, and how they become a class: `LabelRule` has the words. Without a kind every window is kept,
        in one class called "any".
    match_s
        How far a detected event may be from its annotation.
    cache
        A folder for the cut windows: they stay on disk (`Windows.x` is `Rows`), and are found again if neither the
        recording's files nor the pipeline have changed.

    Raises
    ------
    DatasetError
        If a recording lacks a signal or the labels, or is damaged; or the cache cannot be written.
    PipelineError
        If a signal does not fit its branch, the pipeline gives neither windows nor events, or there is no recording.
    """
    plan = Plan(pipeline, dict(signals or {}))
    if not pipeline.has_window and plan.events is None:
        raise PipelineError("cut wants a pipeline with a Window, or with events such as Beats; or take cut_around")
    rule = None if label is None else LabelRule(label, by, threshold, classes, match_s)
    run = run_windows if pipeline.has_window else run_events

    def one(recording: Recording, labels: Labels | None) -> _Cutting:
        return _Cutting(plan.key(), lambda: run(recording, plan))

    return _cut_all(recordings, rule, one, cache, events=plan.events is not None)


def cut_around(
    recordings: Recording | Iterable[Recording],
    pipeline: Pipeline,
    before_s: float,
    after_s: float,
    *,
    signals: Mapping[str, Source] | None = None,
    label: str = "beat",
    classes: Mapping[str, str | None] | None = None,
    cache: str | Path | WindowStore | None = None,
) -> Windows:
    """Return windows around annotated instants, or the begins of intervals: no detector has a say, and no error.

    A figure on such windows is one of the classifier alone. Instants too near to a gap, or to an end of the recording,
    are left out and counted. The pipeline ends in samples at an even rate; from the row
    `before_s` before an instant to the one `after_s` after it, both included, the filters' latency made good.

    Raises
    ------
    DatasetError, PipelineError
        As `cut`; and if the pipeline does not end in samples, or a length is not positive.
    """
    output = pipeline.output
    if output.rate_hz is None or output.length > 1 or output.rate_hz != pipeline.rate_hz:
        raise PipelineError(f"cut_around wants a pipeline that ends in samples at an even rate, got {output}")
    if not (before_s >= 0 and after_s > 0):
        raise PipelineError(f"cut_around wants 0 s or more before and more than 0 s after, got {before_s}, {after_s}")
    plan = Plan(pipeline, dict(signals or {}))
    rule = LabelRule(label, classes=classes)
    before, after = (round(seconds * output.rate_hz) for seconds in (before_s, after_s))

    def one(recording: Recording, labels: Labels | None) -> _Cutting:
        assert labels is not None
        at = Labels(labels.kind, labels.vocabulary, labels.begin, None, labels.code, labels.rate_hz)
        made = f"{plan.key()} around {before} {after} {at.begin.tobytes().hex()} {at.rate_hz}"
        return _Cutting(made, lambda: _around(recording, plan, at, before, after), at)

    return _cut_all(recordings, rule, one, cache, events=True)


@dataclass(frozen=True)
class _Cutting:
    """How one recording is cut, what that depends on, and the instants that it is cut around if they are given."""

    made: str
    run: Callable[[], Cut]
    labels: Labels | None = None


class _Growing:
    """An array that grows by appending, in place, so that its windows are never in memory twice."""

    def __init__(self) -> None:
        self._values: NDArray[np.float32] | None = None
        self._count = 0

    def add(self, rows: NDArray[np.float32]) -> None:
        """Append rows."""
        needed = self._count + len(rows)
        if self._values is None:
            self._values = np.empty(rows.shape, np.float32)
        elif needed > len(self._values):
            self._values.resize((max(needed, len(self._values) * 5 // 4), *rows.shape[1:]), refcheck=False)
        self._values[self._count : needed] = rows
        self._count = needed

    def whole(self) -> NDArray[np.float32]:
        """Return all of them."""
        assert self._values is not None
        self._values.resize((self._count, *self._values.shape[1:]), refcheck=False)
        return self._values


@dataclass
class _Found:
    """What has been cut so far."""

    parts: list[Rows] = field(default_factory=list)  # on disk
    x: _Growing = field(default_factory=_Growing)  # in memory
    y: list[NDArray[np.int64]] = field(default_factory=list)
    of: list[tuple[Recording, int]] = field(default_factory=list)
    spans: list[NDArray[np.float64]] = field(default_factory=list)
    content: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    dropped: Counts = field(default_factory=Counts)
    names: tuple[str, ...] | None = None


def _cut_all(
    recordings: Recording | Iterable[Recording],
    rule: LabelRule | None,
    one: Callable[[Recording, Labels | None], _Cutting],
    cache: str | Path | WindowStore | None,
    *,
    events: bool,
) -> Windows:
    store = WindowStore(cache) if isinstance(cache, str | Path) else cache
    before = len(store.damaged) if store else 0
    found = _Found(names=("any",) if rule is None else rule.names)
    for recording in [recordings] if isinstance(recordings, Recording) else recordings:
        name = f"{recording.dataset}/{recording.name}"
        if name in found.content:
            raise PipelineError(f"two recordings are called {name}: give each its own name")
        labels = None if rule is None else recording.label(rule.kind)
        if rule is not None and labels is not None:
            _same_classes(found, rule, labels, name)
        cutting = one(recording, labels)
        made = _kept(recording, cutting, store)
        found.content[name] = made.content
        found.notes += [f"{name}: {repair}" for repair in recording.repairs]
        code, dropped = _coded(made, rule, cutting.labels or labels, events)
        _add(found, recording, made, code, dropped if cutting.labels is None else replace(dropped, missed=0))
    if not found.of:
        raise PipelineError("there is no recording to cut: the data set is empty, or was iterated before")
    damaged = len(store.damaged) - before if store else 0
    if damaged:
        found.notes.append(f"windows of {damaged} recordings in the cache were damaged and were cut anew")
    return _windows(found, "" if rule is None else f"{rule.kind} of the event" if events else str(rule))


def _kept(recording: Recording, cutting: _Cutting, store: WindowStore | None) -> Cut | Stored:
    """Return the windows from the store if they are there; else cut, and keep them if there is a store."""
    if store is None:
        return cutting.run()
    key = store.key(recording, cutting.made)
    return store.get(key) or store.put(key, cutting.run())


def _same_classes(found: _Found, rule: LabelRule, labels: Labels, name: str) -> None:
    if found.names is None:
        found.names = labels.vocabulary
    if rule.classes is None and labels.vocabulary != found.names:
        raise PipelineError(
            f"{name} has the words {labels.vocabulary}, the recordings before it {found.names}: "
            f"say with classes= which class each word is"
        )


def _coded(
    made: Cut | Stored, rule: LabelRule | None, labels: Labels | None, events: bool
) -> tuple[NDArray[np.int64], Counts]:
    """Return each window's class, below 0 if it has none, and what is left out."""
    if rule is None or labels is None:
        return np.zeros(len(made.spans), np.int64), Counts(gap=made.gap)
    if events:
        code, missed = rule.of_events(labels, made.spans[:, 2])
    else:
        code, missed = rule.of_windows(labels, made.spans[:, 2], made.spans[:, 3]), 0
    unclear = int((code == MIXED).sum())
    counts = Counts(gap=made.gap, label=int((code < 0).sum()) - unclear, missed=missed)
    return code, replace(counts, **{"false" if events else "mixed": unclear})


def _add(found: _Found, recording: Recording, made: Cut | Stored, code: NDArray[np.int64], dropped: Counts) -> None:
    """Keep the windows that have a class."""
    kept = code >= 0
    x: Any = made.x
    found.dropped += dropped
    if isinstance(made, Stored):
        found.parts.append(x.take(np.flatnonzero(kept)))
    else:
        found.x.add(x if kept.all() else x[kept])
    found.y.append(code[kept])
    found.of.append((recording, int(kept.sum())))
    found.spans.append(made.spans[kept, :2])


def _windows(found: _Found, rule: str) -> Windows:
    counts = [count for _, count in found.of]
    spans = np.concatenate(found.spans)

    def each(values: list[Any]) -> NDArray[Any]:
        return np.repeat(np.array(values), counts)

    return Windows(
        Rows.join(found.parts) if found.parts else found.x.whole(),  # type: ignore[arg-type]
        np.concatenate(found.y).astype(np.int64),
        each([recording.subject for recording, _ in found.of]),
        found.names or (),
        each([f"{recording.dataset}/{recording.name}" for recording, _ in found.of]),
        spans[:, 0],
        spans[:, 1],
        each([recording.simulated for recording, _ in found.of]),
        found.dropped,
        found.content,
        rule,
        tuple(found.notes),
        {f"{recording.dataset}/{recording.name}": count for recording, count in found.of if count},
    )


def _around(recording: Recording, plan: Plan, labels: Labels, before: int, after: int) -> Cut:
    """Return samples around instants; those whose samples are not all there are left out, and counted as gaps."""
    rows, numbers, zero_s, content = run_samples(recording, plan)
    rate_hz = plan.pipeline.rate_hz
    centre = np.rint((labels.begin_s - zero_s) * rate_hz).astype(np.int64)
    first = np.searchsorted(numbers, centre - before)
    last = first + before + after
    here = last < len(numbers)
    here[here] = (numbers[first[here]] == centre[here] - before) & (numbers[last[here]] == centre[here] + after)
    length = (before + after + 1) * rows.shape[1]
    flat = np.lib.stride_tricks.sliding_window_view(rows.reshape(-1), length)[:: rows.shape[1]] if here.any() else rows
    x = flat[first[here]].reshape(-1, before + after + 1, rows.shape[1])  # whole stretches are copied at once
    at = labels.begin_s[here]
    begin = at - before / rate_hz
    end = at + (after + 1) / rate_hz + plan.latency_s
    return Cut(x, np.stack([begin, end, at, at], axis=1), int((~here).sum()), content)
