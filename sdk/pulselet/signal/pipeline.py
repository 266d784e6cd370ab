"""A pipeline: branches of causal stages, one per input stream, aligned by index, then stages on the aligned rows."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal import load_stages
from pulselet.signal.chain import design
from pulselet.signal.filters import HighPass, LowPass
from pulselet.signal.scaling import Scale
from pulselet.signal.stage import Format, Kernel, Samples, Stage
from pulselet.signal.window import LONGEST_GAP, Window
from pulselet.stream.block import Signal

if TYPE_CHECKING:
    from pulselet.signal.describe import Description
    from pulselet.signal.run import PipelineStream

__all__ = ["Branch", "HighPass", "LowPass", "Pipeline", "Scale", "Window"]

CHANNELS = 255
"""At most so many in a branch: one byte tells how many a stream has."""

BRANCHES = 8
"""At most so many: the C form keeps one bit for each."""

BATCH_S = 60.0
"""What `Pipeline.batch` pushes at once: long enough to be fast, short enough to stay in a processor's cache."""


@dataclass(frozen=True)
class Branch:
    """One input stream and the stages that clean it."""

    name: str
    unit: str
    rate_hz: float
    channels: int
    stages: tuple[Stage, ...] | Stage = ()

    def __post_init__(self) -> None:
        what = f"branch {self.name!r}"
        if not (isinstance(self.name, str) and isinstance(self.unit, str)):
            raise PipelineError(f"{what} wants a name and a unit that are text, got unit {self.unit!r}")
        _require_number(f"{what}: rate_hz", self.rate_hz)
        if isinstance(self.channels, bool) or not isinstance(self.channels, Integral):
            raise PipelineError(f"{what} wants a whole number of channels, got {self.channels!r}")
        object.__setattr__(self, "stages", _stages_in_a_row(what, self.stages))
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise PipelineError(f"branch {self.name!r} wants a rate above 0 Hz, got {self.rate_hz}")
        if not 1 <= self.channels <= CHANNELS:
            raise PipelineError(f"branch {self.name!r} wants 1 to {CHANNELS} channels, got {self.channels}")

    @property
    def source(self) -> Format:
        """What comes in."""
        return Format(self.rate_hz, self.channels, self.unit)

    @property
    def stages_in_a_row(self) -> tuple[Stage, ...]:
        """The stages, as a tuple even if there is one."""
        return (self.stages,) if isinstance(self.stages, Stage) else self.stages

    def design(self) -> list[Kernel]:
        """Return the kernels of the stages, each for what reaches it."""
        try:
            return design(self.stages_in_a_row, self.source)
        except PipelineError as error:
            raise PipelineError(f"branch {self.name!r}: {error}") from error


@dataclass(frozen=True)
class Pipeline:
    """Branches, brought together row by row, then stages. Built once; run as batch, stream or C.

    Parameters
    ----------
    branches
        One for each input stream; if there are several, all end in samples at one rate.
    stages
        What works on the aligned rows: a single stage, such as a `Window`, or several in a row.
    ahead_s
        How far one branch may run ahead of another.

    Raises
    ------
    PipelineError
        When built, if two branches share a name or end at different rates, or a stage does not fit what reaches it.
    """

    branches: tuple[Branch, ...]
    stages: tuple[Stage, ...] | Stage = ()
    ahead_s: float = 1.0

    def __post_init__(self) -> None:
        branches = (self.branches,) if isinstance(self.branches, Branch) else self.branches
        if not isinstance(branches, tuple | list) or not all(isinstance(branch, Branch) for branch in branches):
            raise PipelineError(f"a pipeline wants a tuple of branches, got {branches!r}")
        object.__setattr__(self, "branches", tuple(branches))
        object.__setattr__(self, "stages", _stages_in_a_row("a pipeline", self.stages))
        _require_number("a pipeline: ahead_s", self.ahead_s)
        names = [branch.name for branch in self.branches]
        if not names or len(set(names)) != len(names):
            raise PipelineError(f"a pipeline wants one or more branches with different names, got {names}")
        if len(names) > BRANCHES:
            raise PipelineError(f"a pipeline has at most {BRANCHES} branches, got {len(names)}")
        _ = self.ahead, self.joint_kernels

    @cached_property
    def branch_kernels(self) -> tuple[list[Kernel], ...]:
        """The kernels of each branch."""
        return tuple(branch.design() for branch in self.branches)

    @cached_property
    def branch_outputs(self) -> tuple[Format, ...]:
        """What each branch gives."""
        pairs = zip(self.branches, self.branch_kernels, strict=True)
        return tuple(kernels[-1].output if kernels else branch.source for branch, kernels in pairs)

    @cached_property
    def aligned(self) -> Format:
        """What the branches give together.

        Raises
        ------
        PipelineError
            If they end at different rates, or in something else than samples.
        """
        outputs = self.branch_outputs
        if len(outputs) == 1:
            return outputs[0]
        rates = {branch.name: out.rate_hz for branch, out in zip(self.branches, outputs, strict=True)}
        if len(set(rates.values())) != 1:
            raise PipelineError(f"all branches must end at one rate to be aligned by index, got {rates} Hz: resample")
        if None in rates.values() or any(out.length > 1 for out in outputs):
            raise PipelineError(f"branches are aligned sample by sample, got {', '.join(map(str, outputs))}")
        units = {out.unit for out in outputs}
        names = [_names(branch.name, out) for branch, out in zip(self.branches, outputs, strict=True)]
        return Format(
            outputs[0].rate_hz,
            sum(out.channels for out in outputs),
            units.pop() if len(units) == 1 else "",
            tuple(name for some in names for name in some),
        )

    @cached_property
    def joint_kernels(self) -> list[Kernel]:
        """The kernels that work on aligned rows."""
        return design(self.joint_stages, self.aligned)

    @property
    def output(self) -> Format:
        """What comes out."""
        return self.joint_kernels[-1].output if self.joint_kernels else self.aligned

    @property
    def ahead(self) -> int:
        """Rows that the ring holds in which the branches meet.

        A branch may be `ahead_s` ahead of another, and after a gap its filters' latency further: they declare rows lost
        that are yet to come. The rows that one sample may give have room besides.

        Raises
        ------
        PipelineError
            If `ahead_s` is less than a sample.
        """
        if len(self.branches) == 1 or self.aligned.rate_hz is None:
            return 1
        rows = round(self.ahead_s * self.aligned.rate_hz) if math.isfinite(self.ahead_s) else 0
        if not 1 <= rows <= LONGEST_GAP:
            rate = f"{self.aligned.rate_hz:g} Hz"
            raise PipelineError(f"ahead_s wants one sample at {rate} or more, got {self.ahead_s} s")
        return rows + max(map(_room, self.branch_kernels))

    @property
    def rate_hz(self) -> float:
        """Rate of the aligned samples, Hz; of events, the rate of the samples that they count."""
        rate_hz = self.aligned.rate_hz or self.aligned.clock_hz
        assert rate_hz is not None
        return rate_hz

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of what comes out: samples, channels."""
        return self.output.length, self.output.channels

    @property
    def has_window(self) -> bool:
        """Whether the aligned rows are cut into windows."""
        return any(isinstance(stage, Window) for stage in self.joint_stages)

    @property
    def window(self) -> Window:
        """The stage that cuts the aligned rows into windows.

        Raises
        ------
        PipelineError
            If there is none.
        """
        for stage in self.joint_stages:
            if isinstance(stage, Window):
                return stage
        raise PipelineError("the pipeline has no Window on its aligned rows")

    @property
    def joint_stages(self) -> tuple[Stage, ...]:
        """The stages that work on aligned rows, as a tuple even if there is one."""
        return (self.stages,) if isinstance(self.stages, Stage) else self.stages

    def require(self, signals: Mapping[str, Signal]) -> None:
        """Raise PipelineError unless every branch finds its signal, with its unit, rate and number of channels."""
        for branch in self.branches:
            signal = signals.get(branch.name)
            if signal is None:
                raise PipelineError(f"the pipeline wants a signal {branch.name!r}, the stream has {sorted(signals)}")
            wanted = branch.channels, branch.rate_hz, branch.unit
            got = len(signal.channels), signal.rate_hz, signal.unit
            if wanted != got:
                rate = "no rate" if got[1] is None else f"{got[1]:g} Hz"
                raise PipelineError(
                    f"branch {branch.name!r} wants {wanted[0]} channels at {wanted[1]:g} Hz in {wanted[2]}, "
                    f"the stream has {got[0]} at {rate} in {got[2]}: change one of them"
                )

    def require_all(self, signals: Mapping[str, Samples]) -> None:
        """Raise PipelineError unless there are samples for every branch."""
        missing = [branch.name for branch in self.branches if branch.name not in signals]
        if missing:
            raise PipelineError(f"the pipeline wants signals {missing}, got {sorted(signals)}")

    def start(self) -> PipelineStream:
        """Return a stream at rest: the state of one run."""
        from pulselet.signal.run import PipelineStream

        return PipelineStream(self)

    def batch(self, signals: Mapping[str, Samples]) -> tuple[Samples, NDArray[np.int64]]:
        """Return what comes out of whole signals `(samples, channels)`, and where each row begins.

        Returns
        -------
        values
            Float32 `(n, *shape)`, or `(n, channels)` if a row has no length.
        starts
            `(n,)` index of each row's first aligned sample; for events, of the event.

        Raises
        ------
        PipelineError
            If a branch's signal is missing or has another number of channels.
        """
        from pulselet.signal.run import PipelineStream

        self.require_all(signals)
        stream = PipelineStream(self, ahead_s=max(self.ahead_s, 2 * BATCH_S))
        longest_s = max(len(signals[branch.name]) / branch.rate_hz for branch in self.branches)
        found = []
        for turn in range(math.ceil(longest_s / BATCH_S)):
            for branch in self.branches:
                first, until = (round((turn + k) * BATCH_S * branch.rate_hz) for k in (0, 1))
                found.append(stream.advance(branch.name, signals[branch.name][first:until]))
        if not found:
            found = [stream.advance(self.branches[0].name, np.asarray(signals[self.branches[0].name]))]
        return np.concatenate([values for values, _ in found]), np.concatenate([starts for _, starts in found])

    def describe(self) -> Description:
        """Return what each stage does and costs: prints as a table, draws as a plot."""
        from pulselet.signal.describe import Description

        return Description.of(self)

    def __str__(self) -> str:
        return str(self.describe())

    def to_json(self) -> str:
        """Return the parameters as JSON, the same text for the same pipeline."""
        branches = [
            {
                **{k: v for k, v in asdict(branch).items() if k != "stages"},
                "stages": [_plain(s) for s in branch.stages_in_a_row],
            }
            for branch in self.branches
        ]
        whole = {"branches": branches, "stages": [_plain(s) for s in self.joint_stages], "ahead_s": self.ahead_s}
        return json.dumps(whole, sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Pipeline:
        """Return the pipeline that `to_json` wrote.

        Raises
        ------
        PipelineError
            If the text is not a pipeline, or names a stage that does not exist.
        """
        load_stages()
        try:
            data = json.loads(text)
            branches = tuple(
                Branch(**{**b, "stages": tuple(_stage_from(s) for s in b["stages"])}) for b in data["branches"]
            )
            return cls(branches, tuple(_stage_from(s) for s in data["stages"]), data["ahead_s"])
        except (ValueError, KeyError, TypeError) as error:
            raise PipelineError(f"this is not a pipeline's JSON: {error!r}") from error

    @property
    def hash(self) -> str:
        """SHA-256 of the JSON, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def _require_number(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise PipelineError(f"{what} wants a number, got {value!r}")


def _stages_in_a_row(what: str, stages: object) -> tuple[Stage, ...]:
    """Return one stage, or several in a tuple or list, as a tuple."""
    row = (stages,) if isinstance(stages, Stage) else stages
    if not isinstance(row, tuple | list) or not all(isinstance(stage, Stage) for stage in row):
        raise PipelineError(f"{what} wants stages such as HighPass(0.5), got {stages!r}")
    return tuple(row)


def _room(kernels: list[Kernel]) -> int:
    if not kernels:
        return 1
    latency_s = sum(kernel.latency_s for kernel in kernels)
    return math.prod(kernel.c_form().rows for kernel in kernels) + math.ceil(
        2 * latency_s * (kernels[-1].output.rate_hz or 0)
    )


def _names(branch: str, out: Format) -> tuple[str, ...]:
    if out.names:
        return tuple(f"{branch}_{name}" for name in out.names)
    return (branch,) if out.channels == 1 else tuple(f"{branch}_{i}" for i in range(out.channels))


def _plain(stage: Stage) -> dict[str, Any]:
    return {"stage": type(stage).__name__, **asdict(stage)}  # type: ignore[call-overload]


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _stage_from(data: Mapping[str, object]) -> Stage:
    kind = str(data["stage"])
    if kind not in Stage.registry:
        raise PipelineError(f"unknown stage {kind!r}; there are {sorted(Stage.registry)}")
    return Stage.registry[kind](**{k: _tuples(v) for k, v in data.items() if k != "stage"})
