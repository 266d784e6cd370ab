"""A pipeline: branches of causal stages, one per input stream, aligned by index and cut into windows."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.filters import HighPass, LowPass
from pulselet.signal.scaling import Scale
from pulselet.signal.stage import Kernel, Samples, Stage, State
from pulselet.signal.window import Window, WindowCutter
from pulselet.stream.block import Signal

__all__ = ["Branch", "HighPass", "LowPass", "Pipeline", "PipelineStream", "Scale", "Window"]

LIMIT = np.float32(1e12)
"""A sample that is not below this in magnitude, NaN and infinities included, counts as lost."""

CHANNELS = 255
"""At most so many in a branch: one byte tells how many a stream has."""

BRANCHES = 8
"""At most so many: the C form keeps one bit for each."""


@dataclass(frozen=True)
class Branch:
    """One input stream and the stages that clean it."""

    name: str
    unit: str
    rate_hz: float
    channels: int
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise PipelineError(f"branch {self.name!r} wants a rate above 0 Hz, got {self.rate_hz}")
        if not 1 <= self.channels <= CHANNELS:
            raise PipelineError(f"branch {self.name!r} wants 1 to {CHANNELS} channels, got {self.channels}")

    def design(self) -> list[Kernel]:
        """Return the kernels of the stages, each at the rate that reaches it."""
        kernels: list[Kernel] = []
        rate_hz, channels = self.rate_hz, self.channels
        for stage in self.stages:
            kernels.append(stage.design(rate_hz, channels))
            rate_hz, channels = kernels[-1].rate_hz, kernels[-1].channels
        return kernels


@dataclass(frozen=True)
class Pipeline:
    """Branches, then windows. Built once; run as batch, stream or C.

    Raises
    ------
    PipelineError
        When built, if two branches share a name or end at different rates, or a stage does not fit its rate.
    """

    branches: tuple[Branch, ...]
    window: Window

    def __post_init__(self) -> None:
        names = [branch.name for branch in self.branches]
        if not names or len(set(names)) != len(names):
            raise PipelineError(f"a pipeline wants one or more branches with different names, got {names}")
        if len(names) > BRANCHES:
            raise PipelineError(f"a pipeline has at most {BRANCHES} branches, got {len(names)}")
        rates = {branch.name: self._out(branch)[0] for branch in self.branches}
        if len(set(rates.values())) != 1:
            raise PipelineError(f"all branches must end at one rate to be aligned by index, got {rates} Hz")
        self.window.samples(self.rate_hz)

    @staticmethod
    def _out(branch: Branch) -> tuple[float, int]:
        kernels = branch.design()
        return (kernels[-1].rate_hz, kernels[-1].channels) if kernels else (branch.rate_hz, branch.channels)

    @property
    def rate_hz(self) -> float:
        """Rate of the cleaned samples, Hz."""
        return self._out(self.branches[0])[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a window: samples, channels."""
        return self.window.samples(self.rate_hz)[0], sum(self._out(branch)[1] for branch in self.branches)

    def require(self, signals: Mapping[str, Signal]) -> None:
        """Raise PipelineError unless every branch finds its signal, with its unit, rate and number of channels."""
        for branch in self.branches:
            signal = signals.get(branch.name)
            if signal is None:
                raise PipelineError(f"the pipeline wants a signal {branch.name!r}, the stream has {sorted(signals)}")
            wanted = branch.channels, branch.rate_hz, branch.unit
            got = len(signal.channels), signal.rate_hz, signal.unit
            if wanted != got:
                raise PipelineError(
                    f"branch {branch.name!r} wants {wanted[0]} channels at {wanted[1]:g} Hz in {wanted[2]}, "
                    f"the stream has {got[0]} at {got[1]:g} Hz in {got[2]}: change one of them"
                )

    def require_all(self, signals: Mapping[str, Samples]) -> None:
        """Raise PipelineError unless there are samples for every branch."""
        missing = [branch.name for branch in self.branches if branch.name not in signals]
        if missing:
            raise PipelineError(f"the pipeline wants signals {missing}, got {sorted(signals)}")

    def start(self) -> PipelineStream:
        """Return a stream at rest: the state of one run."""
        return PipelineStream(self)

    def batch(self, signals: Mapping[str, Samples]) -> tuple[Samples, list[int]]:
        """Return all windows `(n, *shape)` of whole signals `(samples, channels)`, and where each starts.

        Raises
        ------
        PipelineError
            If a branch's signal is missing or has another number of channels.
        """
        self.require_all(signals)
        stream = self.start()
        step = max(1, self.window.samples(self.rate_hz)[2] // 2)
        longest = max(len(signals[branch.name]) for branch in self.branches)
        found = [
            item
            for at in range(0, longest, step)
            for branch in self.branches
            for item in stream.push(branch.name, signals[branch.name][at : at + step])
        ]
        windows = np.stack([w for _, w in found]) if found else np.empty((0, *self.shape), np.float32)
        return windows, [start for start, _ in found]

    def to_json(self) -> str:
        """Return the parameters as JSON, the same text for the same pipeline."""
        branches = [
            {
                **{k: v for k, v in asdict(branch).items() if k != "stages"},
                "stages": [{"stage": type(s).__name__, **asdict(s)} for s in branch.stages],  # type: ignore[call-overload]
            }
            for branch in self.branches
        ]
        return json.dumps({"branches": branches, "window": asdict(self.window)}, sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Pipeline:
        """Return the pipeline that `to_json` wrote.

        Raises
        ------
        PipelineError
            If the text is not a pipeline, or names a stage that does not exist.
        """
        try:
            data = json.loads(text)
            branches = tuple(
                Branch(**{**b, "stages": tuple(_stage_from(dict(s)) for s in b["stages"])}) for b in data["branches"]
            )
            return cls(branches, Window(**data["window"]))
        except (ValueError, KeyError, TypeError) as error:
            raise PipelineError(f"this is not a pipeline's JSON: {error!r}") from error

    @property
    def hash(self) -> str:
        """SHA-256 of the JSON, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def _stage_from(data: dict[str, object]) -> Stage:
    kind = str(data.pop("stage"))
    if kind not in Stage.registry:
        raise PipelineError(f"unknown stage {kind!r}; there are {sorted(Stage.registry)}")
    return Stage.registry[kind](**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})


class PipelineStream:
    """One run of a pipeline over samples as they arrive."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._index = {branch.name: i for i, branch in enumerate(pipeline.branches)}
        self._kernels = [branch.design() for branch in pipeline.branches]
        self._states: list[list[State]] = [[k.start() for k in kernels] for kernels in self._kernels]
        channels = tuple(Pipeline._out(branch)[1] for branch in pipeline.branches)
        self.cutter = WindowCutter(*pipeline.window.samples(pipeline.rate_hz), channels)

    def push(self, name: str, values: Samples) -> list[tuple[int, Samples]]:
        """Return `(start, window)` for each window that `values` `(n, channels)` complete.

        `start` is the index of the window's first cleaned sample. Non-finite samples count as lost.

        Raises
        ------
        PipelineError
            If the branch is unknown or the array does not fit it: nothing has changed. If the branch is too far
            ahead of another: this run is spoilt, start anew.
        """
        branch = self._branch(name)
        wanted = self.pipeline.branches[branch].channels
        if values.ndim != 2 or values.shape[1] != wanted or values.dtype != np.float32:
            raise PipelineError(
                f"branch {name!r} wants float32 (n, {wanted}) in {self.pipeline.branches[branch].unit}, "
                f"got {values.dtype} {values.shape}"
            )
        found = []
        for usable, run in _runs(values):
            if not usable:
                self.gap(name, len(run))
                continue
            for sample in self._clean(branch, run):
                window = self.cutter.push(branch, sample)
                if window is not None:
                    found.append((self.cutter.start - self.cutter.hop, window))
        return found

    def gap(self, name: str, lost: int) -> None:
        """Declare `lost` raw samples: the stages start anew, and windows that needed the samples are dropped."""
        branch = self._branch(name)
        if lost < 1:
            raise PipelineError(f"a gap wants 1 or more lost samples, got {lost}")
        self.cutter.gap(branch, lost)
        self._states[branch] = [kernel.start() for kernel in self._kernels[branch]]

    def clean(self, name: str, values: Samples) -> Samples:
        """Return what the branch's stages make of the next `values`, without cutting windows."""
        return self._clean(self._branch(name), values)

    def _clean(self, branch: int, x: Samples) -> Samples:
        states = self._states[branch]
        for i, kernel in enumerate(self._kernels[branch]):
            x, states[i] = kernel.step(states[i], x)
        return x

    def _branch(self, name: str) -> int:
        if name not in self._index:
            raise PipelineError(f"unknown branch {name!r}; the pipeline has {sorted(self._index)}")
        return self._index[name]


def _runs(values: Samples) -> Iterator[tuple[bool, Samples]]:
    """Yield consecutive runs of usable, then of lost samples."""
    with np.errstate(invalid="ignore"):
        usable: NDArray[np.bool_] = np.all(np.abs(values) < LIMIT, axis=1)
    edges = np.flatnonzero(np.diff(usable)) + 1
    for run, first in zip(np.split(values, edges), [0, *edges], strict=True):
        if len(run):
            yield bool(usable[first]), run
