"""A pipeline over one recording: its runs pushed in the order of time, what lies between them declared lost."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError, PipelineError
from pulselet.signal.chain import Chain
from pulselet.signal.pipeline import BATCH_S, Pipeline
from pulselet.signal.run import PipelineStream
from pulselet.signal.stage import Kernel, Stage
from pulselet.signal.window import Window
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Recording, Run

Source: TypeAlias = "str | tuple[str, str | int | Sequence[str | int]]"
"""A signal's name; or its name and which of its channels, by name or number."""

EVENT_S = 0.15
"""What an event without a waveform is taken to cover, to each side."""


@dataclass(frozen=True, eq=False)
class Cut:
    """What a pipeline makes of a recording.

    Attributes
    ----------
    x
        Float32 `(n, *shape)`.
    spans
        Float64 `(n, 4)`, s from the recording's zero: begin and end of the raw samples, begin and end of what the
        window speaks of; of an event, that is its moment, twice.
    gap
        Windows left out because they touch a gap.
    content
        SHA-256 of the raw samples.
    """

    x: NDArray[np.float32]
    spans: NDArray[np.float64]
    gap: int
    content: str


@dataclass(frozen=True)
class Plan:
    """A pipeline, and which signal each of its branches takes.

    Raises
    ------
    PipelineError
        If `signals` names a branch that is not there.
    """

    pipeline: Pipeline
    signals: Mapping[str, Source]

    def __post_init__(self) -> None:
        strange = sorted(set(self.signals) - {branch.name for branch in self.pipeline.branches})
        if strange:
            raise PipelineError(f"signals names the branches {strange}, which the pipeline has not")

    @cached_property
    def sources(self) -> dict[str, tuple[str, list[str | int] | None]]:
        """The signal of each branch, and its channels if not all of them are wanted."""
        found: dict[str, tuple[str, list[str | int] | None]] = {}
        for branch in self.pipeline.branches:
            source = self.signals.get(branch.name, branch.name)
            if isinstance(source, str):
                found[branch.name] = source, None
            else:
                name, wanted = source
                found[branch.name] = name, [wanted] if isinstance(wanted, str | int) else list(wanted)
        return found

    @cached_property
    def events(self) -> int | None:
        """How many joint stages lead to events that say where they are, if the pipeline gives events."""
        if self.pipeline.has_window:
            return None
        kernels = self.pipeline.joint_kernels
        placed = [i + 1 for i, kernel in enumerate(kernels) if kernel.output.placed]
        if not placed and self.pipeline.aligned.placed:
            return 0
        return placed[-1] if placed else None

    @cached_property
    def latency_s(self) -> float:
        """How long after its moment a row of samples comes, by the slowest branch."""
        joint = 0.0
        for kernel, stage in zip(self.pipeline.joint_kernels, self.pipeline.joint_stages, strict=True):
            if isinstance(stage, Window):
                break
            joint += kernel.latency_s
        return joint + max(sum(kernel.latency_s for kernel in some) for some in self.pipeline.branch_kernels)

    def key(self) -> str:
        """Return what the cut depends on besides the recording."""
        return f"{self.pipeline.hash} {sorted((branch, repr(found)) for branch, found in self.sources.items())}"

    def require(self, recording: Recording) -> dict[str, Signal]:
        """Return the signal of each branch.

        Raises
        ------
        DatasetError
            If the recording has no such signal.
        PipelineError
            If it has another unit, rate or number of channels.
        """
        found = {}
        for branch, (name, wanted) in self.sources.items():
            signal = recording.signal(name)
            channels = signal.channels if wanted is None else tuple(_columns(signal, wanted, names=True))
            found[branch] = Signal(branch, signal.unit, signal.rate_hz, channels)
        try:
            self.pipeline.require(found)
        except PipelineError as error:
            raise PipelineError(f"{recording.dataset}/{recording.name}: {error}") from error
        return found

    def runs(self, recording: Recording) -> tuple[dict[str, list[Run]], str]:
        """Return the runs of each branch, and the SHA-256 of all samples that were read for them."""
        digest = hashlib.sha256()
        read: dict[str, list[Run]] = {}
        for name in sorted({name for name, _ in self.sources.values()}):
            read[name] = recording.segments(name)
            for run in read[name]:
                digest.update(run.first.to_bytes(8, "little", signed=True))
                digest.update(np.ascontiguousarray(run.values, "<f4").data)
        found = {}
        for branch, (name, wanted) in self.sources.items():
            columns = None if wanted is None else _columns(recording.signal(name), wanted)
            found[branch] = [
                run if columns is None else Run(run.first, np.ascontiguousarray(run.values[:, columns]))
                for run in read[name]
            ]
        return found, digest.hexdigest()


def run_windows(recording: Recording, plan: Plan) -> Cut:
    """Return the windows of a recording, whatever they are labelled.

    Raises
    ------
    DatasetError, PipelineError
        If a signal is not there, or does not fit its branch.
    """
    pipeline = plan.pipeline
    rows, starts, gap, zero_s, content = _streamed(recording, plan, pipeline)
    begin = zero_s + starts / pipeline.rate_hz
    end = begin + pipeline.window.length_s
    late = plan.latency_s
    return Cut(rows, np.stack([begin - late, end, begin - late, end - late], axis=1), gap, content)


def run_events(recording: Recording, plan: Plan) -> Cut:
    """Return the rows of a recording's events, such as beats, and where they are; what follows `Beats` works on rows.

    Raises
    ------
    DatasetError, PipelineError
        If a signal is not there or does not fit its branch, or a stage drops rows after their place is gone.
    """
    pipeline, count = plan.pipeline, plan.events
    assert count is not None
    placed = Pipeline(pipeline.branches, pipeline.joint_stages[:count], pipeline.ahead_s)
    rows, places, gap, zero_s, content = _streamed(recording, plan, placed)
    rest: list[Kernel] = pipeline.joint_kernels[count:]
    x = Chain(rest).step(rows) if len(rows) else np.empty((0, pipeline.output.width), np.float32)
    if len(x) != len(rows):
        raise PipelineError("a stage after the events gives more or fewer rows than events, so they have no place")
    at = zero_s + places / placed.rate_hz
    before, after = _reach(pipeline.joint_stages[:count] or pipeline.branches[0].stages_in_a_row)
    return Cut(x, np.stack([at - before, at + after, at, at], axis=1), gap, content)


def run_samples(recording: Recording, plan: Plan) -> tuple[NDArray[np.float32], NDArray[np.int64], float, str]:
    """Return cleaned samples `(n, channels)`, the number of each, the time of number 0, and the SHA-256 of the raw."""
    rows, numbers, _, zero_s, content = _streamed(recording, plan, plan.pipeline)
    return rows, numbers, zero_s - plan.latency_s, content


def _reach(stages: Sequence[Stage]) -> tuple[float, float]:
    last: Any = stages[-1]
    return getattr(last, "before_s", EVENT_S), getattr(last, "after_s", EVENT_S)


def _streamed(
    recording: Recording, plan: Plan, pipeline: Pipeline
) -> tuple[NDArray[np.float32], NDArray[np.int64], int, float, str]:
    """Return rows, their starts, rows lost to gaps, the time of the first sample in s, and the SHA-256 of the raw."""
    plan.require(recording)
    runs, content = plan.runs(recording)
    zero_s = max(recording.start_s.get(name, 0.0) for name, _ in plan.sources.values())
    stream = PipelineStream(pipeline, ahead_s=max(pipeline.ahead_s, 2 * BATCH_S))
    skipped = {
        branch.name: round((zero_s - recording.start_s.get(plan.sources[branch.name][0], 0.0)) * branch.rate_hz)
        for branch in pipeline.branches
    }
    pieces = (_pieces(b.name, i, b.rate_hz, skipped[b.name], runs[b.name]) for i, b in enumerate(pipeline.branches))
    found = []
    for _, _, name, piece in heapq.merge(*pieces, key=lambda piece: piece[:2]):
        if isinstance(piece, int):
            stream.gap(name, piece)
        else:
            found.append(stream.advance(name, piece))
    if not found:
        first = pipeline.branches[0]
        found = [stream.advance(first.name, np.empty((0, first.channels), np.float32))]
    rows, starts = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return rows, starts, stream.dropped, zero_s, content


def _pieces(
    name: str, order: int, rate_hz: float, skip: int, runs: Sequence[Run]
) -> Iterator[tuple[float, int, str, NDArray[np.float32] | int]]:
    """Yield time in s, order and name of the branch, and its next samples, a minute at most, or how many are lost."""
    step = max(1, round(BATCH_S * rate_hz))
    at = 0
    for run in runs:
        first, values = run.first - skip, run.values
        if first < 0:
            first, values = 0, values[-first:]
        if not len(values):
            continue
        if first < at:
            raise DatasetError(
                f"signal for {name!r}: a run begins at sample {run.first}, before the last one ends at {at + skip}"
            )
        if first > at:
            yield at / rate_hz, order, name, first - at
        for begin in range(0, len(values), step):
            yield (first + begin) / rate_hz, order, name, values[begin : begin + step]
        at = first + len(values)


def _columns(signal: Signal, wanted: Sequence[str | int], *, names: bool = False) -> list[Any]:
    """Return numbers, or names, of the channels that are wanted."""
    found: list[Any] = []
    for one in wanted:
        if isinstance(one, str) and one not in signal.channels:
            raise PipelineError(f"signal {signal.name!r} has no channel {one!r}; it has {signal.channels}")
        number = signal.channels.index(one) if isinstance(one, str) else one
        if not 0 <= number < len(signal.channels):
            raise PipelineError(f"signal {signal.name!r} has no channel {one}; it has {len(signal.channels)}")
        found.append(signal.channels[number] if names else number)
    return found
