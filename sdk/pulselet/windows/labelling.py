"""Labelling in a notebook: page through a recording, mark what is seen, take proposals of a detector; all is kept.

All of it works without a screen. `interact` adds keys and the mouse where matplotlib has a window to listen to.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet._extras import require
from pulselet.errors import DatasetError
from pulselet.stream.corpus import Labels, Recording
from pulselet.stream.label_tables import from_csv, to_csv
from pulselet.windows.label_page import SILENT, Controls, Page, Shown, draw, size
from pulselet.windows.label_sheet import INSTANTS, INTERVALS, Mark, Sheet, rival

PAGE_S = 30.0
Detector = Callable[..., ArrayLike]


class Suggested(NamedTuple):
    """What a detector proposed: how many wait for a person, and how many were left out, as a mark is there already."""

    waiting: int
    left_out: int


class Labeller:
    """Marks of one kind on a recording, kept in a table after every change.

    The signals that are shown are held in memory. Intervals of one kind do not overlap, and no two instants are on one
    sample.

    Parameters
    ----------
    recording
        Any recording of a data set; `pulselet.stream.pulse_files.as_recording` makes one of a `.pulse` file.
    signal
        Whose samples the labels count.
    kind
        Of the labels, such as "activity" or "beat".
    vocabulary
        The words that may be given.
    table
        Where the marks are kept: CSV, as `label_tables.to_csv` writes it. If it is there, the work goes on from it. If
        not given, `walk.activity.csv` beside `walk.pulse`.
    shape
        "intervals" or "instants"; without it, the first mark decides.
    also
        Signals to be shown below.
    page_s
        Length of a page.
    rater
        Who labels.

    Raises
    ------
    DatasetError
        If there is no such signal, it has no rate or no samples, the vocabulary is empty, or the table does not fit.
    """

    def __init__(
        self,
        recording: Recording,
        signal: str,
        kind: str,
        vocabulary: Sequence[str],
        *,
        table: str | Path | None = None,
        shape: str | None = None,
        also: Sequence[str] = (),
        page_s: float = PAGE_S,
        rater: str = "",
    ) -> None:
        if shape not in (None, INTERVALS, INSTANTS):
            raise DatasetError(f"labels are {INTERVALS!r} or {INSTANTS!r}, got {shape!r}")
        if not 0 < page_s < math.inf:
            raise DatasetError(f"wanted a page longer than 0 s, got {page_s}")
        self.recording, self.rater, self.page_s = recording, rater, page_s
        self._shown = {name: _shown(recording, name) for name in (signal, *also)}
        self.sheet = _sheet(recording, self._shown[signal], kind, tuple(vocabulary))
        self.table = _beside(recording, kind) if table is None else Path(table)
        self._shape, self._page = shape, 0
        self._marks: tuple[Mark, ...] = ()
        self._before: list[tuple[Mark, ...]] = []
        self._suggested: tuple[Mark, ...] = ()
        if self.table.exists():
            self._marks = self._resumed()

    def __str__(self) -> str:
        return (
            f"{self.recording.name}, {self.sheet.kind}: {len(self._marks)} marks, {len(self._suggested)} proposals; "
            f"page {self._page + 1} of {self.pages}, {self.begin_s:g} to {self.end_s:g} s"
        )

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks, in the order of time."""
        return self._marks

    @property
    def suggestions(self) -> tuple[Mark, ...]:
        """The proposals that nobody has accepted or rejected."""
        return self._suggested

    @property
    def shape(self) -> str | None:
        """Whether the marks are "intervals" or "instants"; None before the first, if it was not said."""
        return self._shape or (self._marks[0].shape if self._marks else None)

    @property
    def labels(self) -> Labels:
        """The marks as labels of the recording."""
        return self._as_labels(self._marks)

    def mark(self, word: str, begin_s: float, end_s: float) -> Mark:
        """Mark an interval, in s from the recording's zero, and keep it.

        Raises
        ------
        DatasetError
            If the word is not known, the interval is empty, out of range or overlaps another, marks are instants, or
            the table cannot be written.
        """
        return self._put(Mark(self.sheet.sample(begin_s), self.sheet.sample(end_s), word))

    def mark_at(self, word: str, at_s: float) -> Mark:
        """Mark an instant, in s from the recording's zero, and keep it.

        Raises
        ------
        DatasetError
            If the word is not known, the instant is out of range or has a mark already, marks are intervals, or the
            table cannot be written.
        """
        return self._put(Mark(self.sheet.sample(at_s), None, word))

    def remove(self, at_s: float) -> Mark:
        """Take away the interval around a time, or the nearest instant within 0.1 s; DatasetError if there is none."""
        found = self.sheet.at(at_s, self._marks)
        self._change(tuple(mark for mark in self._marks if mark != found))
        return found

    def undo(self) -> bool:
        """Take back the latest change, one after the other; False if there is none of this session."""
        if not self._before:
            return False
        self._keep(self._before[-1])
        self._before.pop()
        return True

    def suggest(self, detector: Detector, word: str) -> Suggested:
        """Let a detector propose marks, which count for nothing until a person accepts them.

        Proposals that were there before are replaced.

        Parameters
        ----------
        detector
            Such as `pulselet.signal.ecg_peaks.r_peaks`: it is called as `detector(values, rate_hz=rate_hz)` with each
            run of consecutive samples, float32 `(n,)`, or `(n, channels)` if there are several channels, and returns
            samples of instants `(m,)` or of intervals `(m, 2)`.
        word
            For all of them.

        Raises
        ------
        DatasetError
            If the word is not known, or the detector returns something else, or not what the marks are.
        """
        shown = self._shown[self.sheet.signal]
        found: list[Mark] = []
        for run in shown.runs:
            values = run.values[:, 0] if run.values.shape[1] == 1 else run.values
            at = _samples(detector(values, rate_hz=self.sheet.rate_hz), len(values))
            rows = np.rint(at + run.first + shown.start_s * self.sheet.rate_hz).astype(np.int64).tolist()
            found += [Mark(row[0], row[1], word) if isinstance(row, list) else Mark(row, None, word) for row in rows]
        waiting: list[Mark] = []
        for mark in sorted(found, key=lambda mark: mark.begin):
            self.sheet.valid(mark, self.shape)
            if rival(mark, self._marks) is None and rival(mark, waiting) is None:
                waiting.append(mark)
        self._suggested = tuple(waiting)
        return Suggested(len(waiting), len(found) - len(waiting))

    def accept(self, begin_s: float | None = None, end_s: float | None = None) -> int:
        """Make marks of the proposals that begin on this page, or between two times; one `undo` takes all of them back.

        Return how many. A proposal where a mark has been put in the meantime is dropped.

        Raises
        ------
        DatasetError
            If marks have become of another shape than the proposals, or the table cannot be written.
        """
        picked = self._picked(begin_s, end_s)
        new = [self.sheet.valid(mark, self.shape) for mark in picked if rival(mark, self._marks) is None]
        if new:
            self._change(tuple(sorted([*self._marks, *new])))
        self._drop(picked)
        return len(new)

    def reject(self, begin_s: float | None = None, end_s: float | None = None) -> int:
        """Drop the proposals that begin on this page, or between two times; return how many."""
        picked = self._picked(begin_s, end_s)
        self._drop(picked)
        return len(picked)

    @property
    def pages(self) -> int:
        """How many pages there are."""
        seconds = (self.sheet.end - self.sheet.first) / self.sheet.rate_hz
        return max(1, math.ceil(seconds / self.page_s - 1e-9))

    @property
    def begin_s(self) -> float:
        """Begin of the page, in s from the recording's zero."""
        return self.sheet.first / self.sheet.rate_hz + self._page * self.page_s

    @property
    def end_s(self) -> float:
        """End of the page; the last one may be short."""
        return min(self.begin_s + self.page_s, self.sheet.end / self.sheet.rate_hz)

    def next(self) -> bool:
        """Turn to the next page; False if this is the last."""
        return self._turn(self._page + 1)

    def previous(self) -> bool:
        """Turn to the page before; False if this is the first."""
        return self._turn(self._page - 1)

    def jump(self, at_s: float) -> None:
        """Turn to the page that holds a time; DatasetError if none does."""
        at = self.sheet.sample(at_s)
        if not self.sheet.first <= at < self.sheet.end:
            raise DatasetError(f"{at_s:g} s is out of range: {self.sheet.range}")
        self._turn(min(int((at - self.sheet.first) / self.sheet.rate_hz / self.page_s), self.pages - 1))

    def show(self, figure: Any = None) -> Any:
        """Draw the page on a matplotlib figure, a new one if none is given, and return it.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        if figure is None:
            figures = require("matplotlib.figure", "plots")
            figure = figures.Figure(figsize=size(len(self._shown)), layout="constrained")
        page = Page(
            str(self), self.begin_s, self.end_s, self._shown, self.sheet, marks=self._marks, suggested=self._suggested
        )
        draw(page, figure)
        return figure

    def _repr_png_(self) -> bytes:
        """Return the page as a notebook shows it."""
        content = io.BytesIO()
        self.show().savefig(content, format="png", dpi=100)
        return content.getvalue()

    def interact(self, figure: Any = None) -> Controls:
        """Return what listens to the keys and the mouse of a figure, a new one of pyplot if none is given.

        Raises
        ------
        DatasetError
            If matplotlib only draws pictures here, so that there is nothing to click on.
        MissingExtraError
            If matplotlib is not installed.
        """
        if figure is None:
            pyplot = require("matplotlib.pyplot", "plots")
            backend = str(pyplot.get_backend())
            if backend.lower().rpartition(".")[2] in SILENT:
                raise DatasetError(
                    f"matplotlib's backend {backend!r} has no window to click on: in a notebook, install ipympl and "
                    "begin with %matplotlib widget; or call mark(), undo(), next() and show()"
                )
            figure = pyplot.figure(figsize=size(len(self._shown)), layout="constrained")
        return Controls(self, figure)

    def _put(self, mark: Mark) -> Mark:
        self.sheet.alone(self.sheet.valid(mark, self.shape), self._marks)
        self._change(tuple(sorted([*self._marks, mark], key=lambda one: one.begin)))
        return mark

    def _change(self, marks: tuple[Mark, ...]) -> None:
        before = self._marks
        self._keep(marks)
        self._before.append(before)

    def _keep(self, marks: tuple[Mark, ...]) -> None:
        """Write marks down; if that fails, the ones before hold, here and in the table."""
        files = self.recording.files
        file = files[0].name if files else self.recording.name
        to_csv(self.table, [self._as_labels(marks)], file=file, subject=self.recording.subject)
        self._marks = marks

    def _as_labels(self, marks: Sequence[Mark]) -> Labels:
        sheet = self.sheet
        instants = (marks[0].shape if marks else self.shape) == INSTANTS
        begin, words = [mark.begin for mark in marks], [mark.word for mark in marks]
        end = None if instants else [mark.until for mark in marks]
        return Labels.of(
            sheet.kind, words, begin, end, rate_hz=sheet.rate_hz, vocabulary=sheet.vocabulary, rater=self.rater
        )

    def _resumed(self) -> tuple[Mark, ...]:
        """Return the marks of the table."""
        sheet = self.sheet
        words = {sheet.kind: sheet.vocabulary}
        found = from_csv(self.table, rate_hz=sheet.rate_hz, vocabulary=words, kind=sheet.kind)
        strange = sorted(set(found) - {sheet.kind})
        if strange:
            raise DatasetError(f"{self.table} holds labels of {strange}: name another table for {sheet.kind!r}")
        if sheet.kind not in found:
            return ()
        labels = found[sheet.kind]
        if labels.rate_hz != sheet.rate_hz:
            raise DatasetError(
                f"{self.table} counts at {labels.rate_hz:g} Hz, and {sheet.signal!r} is at {sheet.rate_hz:g} Hz"
            )
        self.rater = self.rater or labels.rater
        ends = [None] * len(labels) if labels.end is None else labels.end.tolist()
        marks: list[Mark] = []
        for row in zip(labels.begin.tolist(), ends, labels.words, strict=True):
            marks.append(sheet.alone(sheet.valid(Mark(*row), self._shape), marks))
        return tuple(marks)

    def _picked(self, begin_s: float | None, end_s: float | None) -> list[Mark]:
        begin = self.sheet.sample(self.begin_s if begin_s is None else begin_s)
        end = self.sheet.sample(self.end_s if end_s is None else end_s)
        return [mark for mark in self._suggested if begin <= mark.begin < end]

    def _drop(self, picked: Sequence[Mark]) -> None:
        gone = set(picked)
        self._suggested = tuple(mark for mark in self._suggested if mark not in gone)

    def _turn(self, page: int) -> bool:
        moved = 0 <= page < self.pages
        self._page = page if moved else self._page
        return moved


def _shown(recording: Recording, name: str) -> Shown:
    signal = recording.signal(name)
    if signal.rate_hz is None:
        raise DatasetError(f"{name!r} has no rate: each of its samples is an event, and no page can show it")
    runs = [run for run in recording.segments(name) if len(run.values)]
    if not runs:
        raise DatasetError(f"{recording.dataset}/{recording.name}: {name!r} has no samples to show")
    return Shown(signal, runs, recording.start_s.get(name, 0.0))


def _sheet(recording: Recording, shown: Shown, kind: str, vocabulary: tuple[str, ...]) -> Sheet:
    rate_hz = shown.signal.rate_hz or math.nan
    start = shown.start_s * rate_hz
    first, last = shown.runs[0], shown.runs[-1]
    begin, end = round(first.first + start), round(last.first + len(last.values) + start)
    return Sheet(kind, vocabulary, shown.signal.name, rate_hz, begin, end)


def _beside(recording: Recording, kind: str) -> Path:
    if not recording.files:
        raise DatasetError(f"{recording.name} has no file to keep marks beside: give table=")
    return recording.files[0].with_suffix(f".{kind}.csv")


def _samples(found: ArrayLike, count: int) -> NDArray[np.float64]:
    """Return what a detector found, `(m,)` or `(m, 2)`; DatasetError if it is no samples of its run."""
    try:
        at = np.asarray(found, np.float64)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"a detector returns samples (m,) or (m, 2), got {type(found).__name__}") from error
    if not at.size:
        return np.empty(0)
    if at.ndim != 1 and not (at.ndim == 2 and at.shape[1] == 2):
        raise DatasetError(f"a detector returns samples (m,) or (m, 2), got {at.shape}")
    if not (np.isfinite(at).all() and at.min() >= 0 and at.max() <= count):
        raise DatasetError(f"a detector found samples from {at.min():g} to {at.max():g} in a run of {count}")
    return at
