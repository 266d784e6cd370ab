"""The page of a labeller as a picture, and the keys and the mouse that work on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pulselet.errors import DatasetError
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Run
from pulselet.stream.plot import POINTS, envelope
from pulselet.windows.label_sheet import INSTANTS, Mark, Sheet

SILENT = frozenset(("agg", "cairo", "pdf", "pgf", "ps", "svg", "template", "inline", "backend_inline"))
"""Backends of matplotlib that only write files or pictures."""


@dataclass(frozen=True)
class Shown:
    """A signal on a page: what it is, its runs, and seconds from the recording's zero to its sample 0."""

    signal: Signal
    runs: Sequence[Run]
    start_s: float


@dataclass(frozen=True)
class Page:
    """What is to be seen between two times: signals, marks, and proposals that wait."""

    title: str
    begin_s: float
    end_s: float
    shown: Mapping[str, Shown]
    sheet: Sheet
    marks: Sequence[Mark]
    suggested: Sequence[Mark]


def size(signals: int) -> tuple[float, float]:
    """Return width and height of a figure in inches."""
    return 12.0, 2.2 * signals + 0.6


def draw(page: Page, figure: Any) -> None:
    """Draw a page on a matplotlib figure, cleared before: marks are filled, proposals dashed."""
    figure.clear()
    axes = figure.subplots(len(page.shown), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (name, shown) in zip(axes, page.shown.items(), strict=True):
        _draw_signal(axis, shown, page.begin_s, page.end_s)
        axis.set_ylabel(f"{name}, {shown.signal.unit}" if shown.signal.unit else name)
    for waiting, marks in ((False, page.marks), (True, page.suggested)):
        for mark in marks:
            if mark.until / page.sheet.rate_hz > page.begin_s and mark.begin / page.sheet.rate_hz < page.end_s:
                _draw_mark(axes, mark, page, waiting=waiting)
    axes[0].set_title(page.title, fontsize="medium", loc="left")
    axes[-1].set_xlim(page.begin_s, page.end_s)
    axes[-1].set_xlabel("time, s")


def _draw_signal(axis: Any, shown: Shown, begin_s: float, end_s: float) -> None:
    rate_hz = shown.signal.rate_hz or 1.0
    for run in shown.runs:
        low = max(0, int((begin_s - shown.start_s) * rate_hz) - run.first)
        high = max(low, int((end_s - shown.start_s) * rate_hz) + 1 - run.first)
        values = run.values[low:high]
        if not len(values):
            continue
        at_s = shown.start_s + (run.first + low + np.arange(len(values))) / rate_hz
        times_s, thinned = envelope(at_s, values, 2 * len(values) // POINTS)
        for number, column in enumerate(thinned.T):
            axis.plot(times_s, column, linewidth=0.8, color=f"C{number}")


def _draw_mark(axes: Sequence[Any], mark: Mark, page: Page, *, waiting: bool) -> None:
    begin_s, end_s = mark.begin / page.sheet.rate_hz, mark.until / page.sheet.rate_hz
    colour = f"C{page.sheet.vocabulary.index(mark.word) % 10}"
    style = "--" if waiting else "-"
    for axis in axes:
        if mark.end is None:
            axis.axvline(begin_s, color=colour, linestyle=style, alpha=0.6)
        elif waiting:
            axis.axvspan(begin_s, end_s, fill=False, edgecolor=colour, linestyle=style)
        else:
            axis.axvspan(begin_s, end_s, color=colour, alpha=0.2)
    above = axes[0].get_xaxis_transform()
    axes[0].text(max(begin_s, page.begin_s), 0.98, mark.word, transform=above, va="top", color=colour, clip_on=True)


class Worker(Protocol):
    """What a labeller does."""

    @property
    def sheet(self) -> Sheet: ...
    @property
    def shape(self) -> str | None: ...
    def show(self, figure: Any = None) -> Any: ...
    def mark(self, word: str, begin_s: float, end_s: float) -> Mark: ...
    def mark_at(self, word: str, at_s: float) -> Mark: ...
    def undo(self) -> bool: ...
    def next(self) -> bool: ...
    def previous(self) -> bool: ...
    def accept(self) -> int: ...
    def reject(self) -> int: ...


class Controls:
    """Keys and mouse of a figure.

    1 to 9 choose a word; a drag marks an interval with it, or, if marks are instants, a click marks one; left and right
    turn the page; u undoes; enter accepts the proposals of the page, and x rejects them. What could not be done stands
    in `said`, and above the page. While the toolbar zooms or pans, the mouse marks nothing.
    """

    def __init__(self, labeller: Worker, figure: Any) -> None:
        self.labeller, self.figure = labeller, figure
        self.word = labeller.sheet.vocabulary[0]
        self.said = ""
        self._pressed_s: float | None = None
        listen = figure.canvas.mpl_connect
        self._connections = [
            listen("key_press_event", lambda event: self.key(event.key)),
            listen("button_press_event", lambda event: self._press(event.xdata)),
            listen("button_release_event", lambda event: self._release(event.xdata)),
        ]
        self._draw()

    def close(self) -> None:
        """Stop listening."""
        for number in self._connections:
            self.figure.canvas.mpl_disconnect(number)

    def key(self, key: str | None) -> None:
        """Do what a key is for; all other keys do nothing."""
        labeller, words = self.labeller, self.labeller.sheet.vocabulary
        actions: dict[str | None, Callable[[], object]] = {
            "right": labeller.next,
            "left": labeller.previous,
            "u": labeller.undo,
            "enter": labeller.accept,
            "x": labeller.reject,
        }
        if key in actions:
            self._do(actions[key])
        elif key in [str(number) for number in range(1, min(len(words), 9) + 1)]:
            self.word = words[int(key or 1) - 1]
            self._draw()

    def drag(self, begin_s: float, end_s: float) -> None:
        """Mark from one time to another, in either order; what is beyond the recording's ends is cut off."""
        sheet = self.labeller.sheet
        low_s, high_s = sorted((begin_s, end_s))
        low_s, high_s = max(low_s, sheet.first / sheet.rate_hz), min(high_s, sheet.end / sheet.rate_hz)
        self._do(lambda: self.labeller.mark(self.word, low_s, high_s))

    def click(self, at_s: float) -> None:
        """Mark an instant."""
        self._do(lambda: self.labeller.mark_at(self.word, at_s))

    def _press(self, at_s: float | None) -> None:
        zooms = getattr(getattr(self.figure.canvas, "toolbar", None), "mode", "")
        self._pressed_s = None if zooms else at_s

    def _release(self, at_s: float | None) -> None:
        begin_s, self._pressed_s = self._pressed_s, None
        if begin_s is None or at_s is None:  # outside the axes
            return
        if self.labeller.shape == INSTANTS:
            self.click(at_s)
        elif begin_s != at_s:
            self.drag(begin_s, at_s)

    def _do(self, action: Callable[[], object]) -> None:
        self.said = ""
        try:
            action()
        except DatasetError as error:
            self.said = str(error)
        self._draw()

    def _draw(self) -> None:
        self.labeller.show(self.figure)
        self.figure.suptitle(self.said or f"word: {self.word}", fontsize="medium")
        self.figure.canvas.draw_idle()
