"""The contract of a stage: parameters, tables, state; `step` is the one definition of what it does.

A stage is a frozen dataclass of parameters. `design` turns it into a `Kernel`: constant tables for one `Format` of
input. A kernel makes a state with `start` and folds rows with `step`; batch is `step` over everything, stream is `step`
over chunks, and the C form does the same float32 arithmetic in the same order.

Everything between two stages is rows of float32: a sample of each channel at an even rate, a window, the features of a
window, or an event such as a heartbeat.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.parameters import make_plain

Samples = NDArray[np.float32]
State = Any
"""A kernel's state: made by `start`, taken and returned by `step`, never changed in place."""


@dataclass(frozen=True)
class Format:
    """What flows between two stages: rows of `length * channels` float32 values.

    Attributes
    ----------
    rate_hz
        Rows per second; None for events, whose first column `since` is the number of samples of the even signal that
        they come from since the event before (or since the start).
    channels
        Values at one moment.
    unit
        Of all of them; empty if they differ.
    names
        One for each channel, or none.
    length
        Moments in a row: 1, or the samples of a window, oldest first.
    clock_hz
        Of events: the rate of the samples that `since` counts. Of windows: the rate of the samples in them.

    Raises
    ------
    PipelineError
        If a value is not of its type; numbers of numpy become numbers of Python.
    """

    rate_hz: float | None
    channels: int
    unit: str = ""
    names: tuple[str, ...] = ()
    length: int = 1
    clock_hz: float | None = None

    def __post_init__(self) -> None:
        make_plain(self)

    @property
    def width(self) -> int:
        """Values in a row."""
        return self.length * self.channels

    @property
    def placed(self) -> bool:
        """Whether these are events that say where they are: the first column is `since`."""
        return self.rate_hz is None and self.names[:1] == ("since",)

    def but(self, **changes: Any) -> Format:
        """Return this format with some attributes changed; names go if the number of channels does."""
        if changes.get("channels", self.channels) != self.channels:
            changes.setdefault("names", ())
        return replace(self, **changes)

    def __str__(self) -> str:
        rate = "events" if self.rate_hz is None else f"{self.rate_hz:g} Hz"
        size = f"{self.length} x {self.channels}" if self.length > 1 else f"{self.channels}"
        return " ".join(filter(None, (size, self.unit, f"at {rate}" if self.rate_hz else rate)))


Field: TypeAlias = "int | np.float32 | NDArray[np.float32] | NDArray[np.int32] | CForm"


@dataclass(frozen=True)
class CForm:
    """What a kernel is in C: a type of the runtime, its constants, and the words of state it needs.

    Attributes
    ----------
    kind
        The runtime's name: `pl_<kind>_t` holds the constants, `pl_<kind>_step` does the work.
    header
        The file of the runtime that declares it, such as `pl_filters.h`.
    fields
        Constants in the order of the C struct: integers, float32 numbers, pointers to tables of float32 or int32, and
        pointers to the constants of another form.
    state_words
        State in 32-bit words, known at design time; all zero at the start.
    rows
        The most rows that one row of input gives.
    has_gap
        Whether there is a `pl_<kind>_gap`; without one a gap zeroes the state and passes on.
    """

    kind: str
    header: str
    fields: tuple[tuple[str, Field], ...]
    state_words: int
    rows: int = 1
    has_gap: bool = False


class Kernel(ABC):
    """A designed stage: tables for one format of input."""

    source: Format
    """What comes in."""
    output: Format
    """What goes out."""
    latency_s: float = 0.0
    """How long after the moment that it speaks of a row goes out, s; of a filter, its group delay in the pass band; of
    events, the longest."""
    operations: float = 0.0
    """Float operations for one row of input, on average."""

    @abstractmethod
    def start(self) -> State:
        """Return the state before the first row."""

    @abstractmethod
    def step(self, state: State, x: Samples) -> tuple[Samples, State]:
        """Return the output `(m, output.width)` for the next rows `x` `(n, source.width)`, and the new state."""

    def gap(self, state: State, lost: int) -> tuple[int, State]:
        """Return how many rows of output are lost with the next `lost` rows of input, and the state after them.

        Without a method of its own a stage starts anew and passes the gap on. 0 says that the stages after this one
        need not know.
        """
        return lost, self.start()

    @abstractmethod
    def c_form(self) -> CForm:
        """Return what the kernel is in C."""


class Stage(ABC):
    """Parameters of one step of a pipeline, with units in their names.

    Raises
    ------
    PipelineError
        When made, if a parameter is not of its type; numbers of numpy become numbers of Python.
    """

    registry: ClassVar[dict[str, type[Stage]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Stage.registry[cls.__name__] = cls

    def __post_init__(self) -> None:
        make_plain(self)

    @abstractmethod
    def design(self, source: Format) -> Kernel:
        """Return the kernel for input of this format.

        Raises
        ------
        PipelineError
            If the parameters do not fit the rate, the unit or the number of channels.
        """


def check(condition: bool, stage: Stage, wanted: str, got: object) -> None:
    """Raise PipelineError saying what `stage` wanted and got, unless `condition` holds."""
    if not condition:
        raise PipelineError(f"{type(stage).__name__}: wanted {wanted}, got {got}")


def even_rate(stage: Stage, source: Format) -> float:
    """Return the rate of the samples that come in, Hz.

    Raises
    ------
    PipelineError
        If they are events or windows.
    """
    if source.rate_hz is None or source.length > 1:
        raise PipelineError(f"{type(stage).__name__}: wanted samples at an even rate, got {source}")
    return source.rate_hz


def check_unit(stage: Stage, source: Format, *units: str) -> None:
    """Raise PipelineError unless what comes in has one of these units."""
    check(source.unit in units, stage, f"samples in {' or '.join(units)}", source.unit or "no unit")
