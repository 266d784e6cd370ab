"""Golden vectors: a stretch of raw samples and a gap, with what every step must make of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ExportError
from pulselet.model.classifier import Classifier
from pulselet.model.decide import Decision
from pulselet.model.tflm import Net
from pulselet.signal.pipeline import Pipeline
from pulselet.signal.run import Event
from pulselet.signal.stage import Samples

WINDOWS = 4  # before the gap, and again after it
EVENTS_S = 20.0  # where there are no windows: enough for a dozen heartbeats
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
        raise ExportError(
            "the golden signals complete no window and give no row: they hold values that are not finite numbers, "
            "or no event such as a heartbeat"
        )
    odd = sorted({name for name, what in events if not (isinstance(what, int) or np.isfinite(what).all())})
    if odd:
        raise ExportError(f"the golden signals of {', '.join(map(repr, odd))} hold values that are not finite numbers")
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
    stretch_s, hop_s = _spans(pipeline)
    lost_s = max(1 / pipeline.rate_hz, hop_s - 1 / pipeline.rate_hz)  # not a whole hop: the grid must find its place
    # the grid goes on at the next hop after the gap, so a whole window needs up to a hop more
    whole_s = 2 * stretch_s + lost_s + 1 / pipeline.rate_hz
    for branch in pipeline.branches:
        values, wanted = signals.get(branch.name), math.ceil(whole_s * branch.rate_hz - 1e-6)
        if values is None or values.shape[1:] != (branch.channels,) or len(values) < wanted:
            got = "nothing" if values is None else f"{values.dtype} {values.shape}"
            raise ExportError(
                f"golden vectors of {branch.name!r} want float32 ({wanted} or more, {branch.channels}), got {got}"
            )
    yield from chunked(pipeline, signals, 0, stretch_s)
    for branch in pipeline.branches:
        until = round((stretch_s + lost_s) * branch.rate_hz)
        yield branch.name, max(1, until - round(stretch_s * branch.rate_hz))
    yield from chunked(pipeline, signals, stretch_s + lost_s, whole_s)


def _spans(pipeline: Pipeline) -> tuple[float, float]:
    """Return how long it takes to complete several windows, and how long a hop is, in s."""
    if not pipeline.has_window:
        return EVENTS_S, 1.0
    window = pipeline.window
    return window.length_s + (WINDOWS - 1) * window.hop_s, window.hop_s


def chunked(pipeline: Pipeline, signals: Mapping[str, Samples], first_s: float, until_s: float) -> Iterator[Event]:
    """Yield the samples of every branch from one time to another, in turns of a few samples."""
    turn_s = min(CHUNK / max(branch.rate_hz for branch in pipeline.branches), pipeline.ahead_s / 2)
    for turn in range(math.ceil((until_s - first_s) / turn_s - 1e-6)):
        for branch in pipeline.branches:
            a, b = (round(min(first_s + (turn + k) * turn_s, until_s) * branch.rate_hz) for k in (0, 1))
            if b > a:
                yield branch.name, np.ascontiguousarray(signals[branch.name][a:b], np.float32)


def noise(pipeline: Pipeline) -> dict[str, Samples]:
    """Return a slow random walk with noise and jumps, the same every time."""
    rng = np.random.default_rng(0)
    stretch_s, hop_s = _spans(pipeline)
    found = {}
    for branch in pipeline.branches:
        size = math.ceil((2 * stretch_s + 2 * hop_s + 1) * branch.rate_hz), branch.channels
        walk = np.cumsum(rng.normal(0, 0.1, size), axis=0) + rng.normal(0, 0.3, size) + 4 * (rng.random(size) < 0.01)
        found[branch.name] = walk.astype(np.float32)
    return found
