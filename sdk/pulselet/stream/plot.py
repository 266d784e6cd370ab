"""A picture of a recording: every signal along time, gaps shaded, labels above."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet._extras import require
from pulselet.errors import RecordingError
from pulselet.stream.block import Gap
from pulselet.stream.labels import spans
from pulselet.stream.reader import Reader
from pulselet.stream.timeline import timeline

POINTS = 4000  # about what a picture can show
BUCKETS = 16  # pairs of points that are made at once


def picture(recording: Reader) -> bytes:
    """Return a PNG.

    Raises
    ------
    RecordingError
        If there is nothing to draw.
    MissingExtraError
        If matplotlib is not installed.
    """
    figures = require("matplotlib.figure", "plots")
    names = [name for name in recording.signals if next(timeline(recording, name), None) is not None]
    if not names:
        raise RecordingError(f"{recording.path} has no samples to draw")
    start_ns = min(next(timeline(recording, name)).first_ns for name in names)
    figure = figures.Figure(figsize=(12, 1.8 * len(names) + 0.6), layout="constrained")
    axes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for axis, name in zip(axes, names, strict=True):
        _draw(axis, recording, name, start_ns)
    axes[-1].set_xlabel("time, s")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()


def envelope(
    at_s: NDArray[np.float64], values: NDArray[np.float32], width: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return the least and the greatest of every `width` rows, at the time of the first, for each channel by itself.

    A peak of one sample shows however many samples there are, and none shows that is not there. NaN counts only where
    there is nothing else.

    Parameters
    ----------
    at_s, values
        Times `(n,)` and float32 `(n, channels)`; the result has two rows for each `width` of them.
    """
    if width <= 1 or not len(values):
        return at_s, values
    starts = np.arange(0, len(values), width)
    both = np.stack([np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)], axis=1)
    return np.repeat(at_s[starts], 2), both.reshape(-1, values.shape[1])


class _Pen:
    """What is to be drawn of one signal, thinned as it comes."""

    def __init__(self, channels: int, width: int) -> None:
        self._width = width
        self._lifted = np.full((1, channels), np.nan, np.float32)
        self._drawn: list[tuple[NDArray[np.float64], NDArray[np.float32]]] = []
        self._waiting: list[tuple[NDArray[np.float64], NDArray[np.float32]]] = []
        self._rows = 0

    def move(self, at_s: NDArray[np.float64], values: NDArray[np.float32]) -> None:
        """Draw on."""
        self._waiting.append((at_s, values))
        self._rows += len(at_s)
        if self._rows >= BUCKETS * self._width:
            self._thin()

    def lift(self, at_s: float) -> None:
        """Leave off, to begin anew."""
        self._thin()
        self._drawn.append((np.array([at_s]), self._lifted))

    def line(self) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return times and values of all points."""
        self._thin()
        at_s, values = zip(*self._drawn, strict=True)
        return np.concatenate(at_s), np.concatenate(values)

    def _thin(self) -> None:
        if self._waiting:
            at_s, values = zip(*self._waiting, strict=True)
            self._drawn.append(envelope(np.concatenate(at_s), np.concatenate(values), self._width))
            self._waiting.clear()
            self._rows = 0


def _draw(axis: Any, recording: Reader, name: str, start_ns: int) -> None:
    signal = recording.signal(name)
    samples = sum(stamp.samples or 0 for stamp in recording.stamps(name) if stamp.reason is None)
    pen = _Pen(len(signal.channels), 2 * samples // POINTS)
    end_s: float | None = None
    broken = False
    places = timeline(recording, name)
    for item in recording.items(name):
        if isinstance(item, Gap):
            broken = end_s is not None
            continue
        place = next(places)
        if not place.samples:
            continue
        times_s = (np.linspace(place.first_ns, place.last_ns, place.samples) - start_ns) / 1e9
        if broken and end_s is not None:
            axis.axvspan(end_s, times_s[0], color="0.9")
            pen.lift(end_s)
            broken = False
        pen.move(times_s, item.values)
        end_s = float(times_s[-1])
    style = "." if signal.rate_hz is None else "-"
    axis.plot(*pen.line(), style, linewidth=0.6, markersize=3)
    for span in spans(recording):
        at = (span.since_ns - start_ns) / 1e9
        axis.axvline(at, color="0.5", linestyle=":")
        axis.text(at, 1, span.text, transform=axis.get_xaxis_transform(), fontsize=7)
    axis.set_ylabel(f"{name}\n{signal.unit}")
