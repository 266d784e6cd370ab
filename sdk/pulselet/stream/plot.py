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


def _draw(axis: Any, recording: Reader, name: str, start_ns: int) -> None:
    signal = recording.signal(name)
    thin = max(1, sum(place.samples for place in timeline(recording, name)) // POINTS)
    at_s: list[NDArray[np.float64]] = []
    values: list[NDArray[np.float32]] = []
    broken = False
    places = timeline(recording, name)
    for item in recording.items(name):
        if isinstance(item, Gap):
            broken = bool(at_s)
            continue
        place = next(places)
        times_s = (np.linspace(place.first_ns, place.last_ns, place.samples) - start_ns) / 1e9
        if broken:
            axis.axvspan(at_s[-1][-1], times_s[0], color="0.9")
            at_s.append(times_s[:1])
            values.append(np.full((1, len(signal.channels)), np.nan, np.float32))  # lifts the pen
            broken = False
        at_s.append(times_s[::thin])
        values.append(item.values[::thin])
    style = "." if signal.rate_hz is None else "-"
    axis.plot(np.concatenate(at_s), np.concatenate(values), style, linewidth=0.6, markersize=3)
    for span in spans(recording):
        at = (span.since_ns - start_ns) / 1e9
        axis.axvline(at, color="0.5", linestyle=":")
        axis.text(at, 1, span.text, transform=axis.get_xaxis_transform(), fontsize=7)
    axis.set_ylabel(f"{name}\n{signal.unit}")
