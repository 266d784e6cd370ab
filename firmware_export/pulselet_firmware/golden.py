"""Golden vectors: a stretch of raw samples and a gap, with what every step must make of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ExportError
from pulselet.model.classifier import Classifier, Event
from pulselet.model.decide import Decision
from pulselet.model.tflm import Net
from pulselet.signal.pipeline import Pipeline
from pulselet.signal.stage import Samples

WINDOWS = 4  # before the gap, and again after it
CHUNK = 16  # samples pushed at once, or as many as one branch may be ahead of another


@dataclass(frozen=True)
class GoldenEvent:
    """Samples of a stream from position `at` of the raw values, or, if `count` is 0, a gap."""

    stream: int
    count: int
    lost: int
    at: int


@dataclass(frozen=True, eq=False)
class Golden:
    """Raw → cleaned → int8 in → int8 out → class."""

    events: list[GoldenEvent]
    raw: NDArray[np.float32]  # flat, channels interleaved
    cleaned: NDArray[np.float32]  # flat, in the order of the events
    inputs: NDArray[np.int8]  # (windows, length * channels)
    decisions: list[Decision]
    stress: NDArray[np.int8]  # (vectors, length * channels), for the net alone
    stress_scores: NDArray[np.int8]  # (vectors, classes)


def golden(source: Classifier, signals: Mapping[str, Samples]) -> Golden:
    """Return golden vectors over a stretch of `signals`.

    Raises
    ------
    ExportError
        If a signal is missing, does not fit its branch or is too short.
    """
    events = list(golden_events(source.pipeline, signals))
    index = {branch.name: i for i, branch in enumerate(source.pipeline.branches)}
    windowed, cleaning = source.pipeline.start(), source.pipeline.start()
    entries, raw, cleaned, found = [], [], [], []
    at = 0
    for name, what in events:
        if isinstance(what, int):
            entries.append(GoldenEvent(index[name], 0, what, at))
            windowed.gap(name, what)
            cleaning.gap(name, what)
            continue
        entries.append(GoldenEvent(index[name], len(what), 0, at))
        raw.append(what.ravel())
        cleaned.append(cleaning.clean(name, what).ravel())
        at += what.size
        found += windowed.push(name, what)
    if not found:
        raise ExportError("the golden signals complete no window: they hold values that are not finite numbers")
    inputs = source.quantise(np.stack([window for _, window in found])).reshape(len(found), -1)
    decisions = source.decide([start for start, _ in found], Net(source.model).invoke(inputs))
    stress = extremes(inputs.shape[1])
    scores = Net(source.model).invoke(stress)
    return Golden(entries, np.concatenate(raw), np.concatenate(cleaned), inputs, decisions, stress, scores)


def extremes(size: int) -> NDArray[np.int8]:
    """Return vectors that wake channels which sleep on ordinary windows, so that a wrong weight behind them shows."""
    rng = np.random.default_rng(0)
    uniform = rng.integers(-128, 128, (2, size))
    corners = rng.choice([-128, 127], (2, size))
    return np.concatenate([uniform, corners]).astype(np.int8)


def golden_events(pipeline: Pipeline, signals: Mapping[str, Samples]) -> Iterator[Event]:
    """Yield a stretch that completes several windows, a gap in every stream, and as much again."""
    length, hop, _ = pipeline.window.samples(pipeline.rate_hz)
    stretch = length + (WINDOWS - 1) * hop
    lost = max(1, hop - 1)  # not a whole hop, if it can be: the grid must find its place again
    for branch in pipeline.branches:
        values = signals.get(branch.name)
        if values is None or values.shape[1:] != (branch.channels,) or len(values) < 2 * stretch + hop:
            got = "nothing" if values is None else f"{values.dtype} {values.shape}"
            wanted = f"float32 ({2 * stretch + hop} or more, {branch.channels})"
            raise ExportError(f"golden vectors of {branch.name!r} want {wanted}, got {got}")
    yield from chunked(pipeline, signals, 0, stretch)
    for branch in pipeline.branches:
        yield branch.name, lost
    # the grid goes on at the next hop after the gap, so a whole window needs up to a hop more
    yield from chunked(pipeline, signals, stretch + lost, stretch + 1)


def chunked(pipeline: Pipeline, signals: Mapping[str, Samples], first: int, count: int) -> Iterator[Event]:
    """Yield `count` samples of every branch in turns of a few samples."""
    step = min(CHUNK, pipeline.window.samples(pipeline.rate_hz)[2])
    for at in range(first, first + count, step):
        until = min(at + step, first + count)
        for branch in pipeline.branches:
            yield branch.name, np.ascontiguousarray(signals[branch.name][at:until], np.float32)


def noise(pipeline: Pipeline) -> dict[str, Samples]:
    """Return a slow random walk with noise and jumps, the same every time."""
    rng = np.random.default_rng(0)
    length, hop, _ = pipeline.window.samples(pipeline.rate_hz)
    count = 2 * (length + WINDOWS * hop)
    return {
        branch.name: (
            np.cumsum(rng.normal(0, 0.1, (count, branch.channels)), axis=0)
            + rng.normal(0, 0.3, (count, branch.channels))
            + 4 * (rng.random((count, branch.channels)) < 0.01)
        ).astype(np.float32)
        for branch in pipeline.branches
    }
