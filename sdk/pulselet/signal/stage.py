"""The contract of a stage: parameters, tables, state; `step` is the one definition of what it does.

A stage is a frozen dataclass of parameters. `design` turns it into a `Kernel`: constant tables for one rate and
number of channels. A kernel makes a state with `start` and folds samples with `step`; batch is `step` over everything,
stream is `step` over chunks, and the C form does the same float32 arithmetic in the same order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError

Samples = NDArray[np.float32]
State = Any
"""A kernel's state: made by `start`, taken and returned by `step`, never changed in place."""


@dataclass(frozen=True)
class CForm:
    """What a kernel is in C: a type of the runtime, its constants, and the words of state it needs.

    Attributes
    ----------
    kind
        The runtime's name: `pl_<kind>_t` holds the constants, `pl_<kind>_step` does the work.
    fields
        Constants in the order of the C struct: integers, or float32 arrays.
    state_words
        State in 32-bit words, known at design time.
    """

    kind: str
    fields: tuple[tuple[str, int | Samples], ...]
    state_words: int


class Kernel(ABC):
    """A designed stage: tables for one rate and number of channels."""

    rate_hz: float
    """Rate of the output, Hz."""
    channels: int
    """Channels of the output."""

    @abstractmethod
    def start(self) -> State:
        """Return the state before the first sample."""

    @abstractmethod
    def step(self, state: State, x: Samples) -> tuple[Samples, State]:
        """Return the output `(m, channels)` for the next samples `x` `(n, channels)`, and the new state."""

    @abstractmethod
    def c_form(self) -> CForm:
        """Return what the kernel is in C."""


class Stage(ABC):
    """Parameters of one step of a pipeline, with units in their names."""

    registry: ClassVar[dict[str, type[Stage]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Stage.registry[cls.__name__] = cls

    @abstractmethod
    def design(self, rate_hz: float, channels: int) -> Kernel:
        """Return the kernel for input at `rate_hz` with `channels` channels.

        Raises
        ------
        PipelineError
            If the parameters do not fit the rate or the number of channels.
        """


def check(condition: bool, stage: Stage, wanted: str, got: object) -> None:
    """Raise PipelineError saying what `stage` wanted and got, unless `condition` holds."""
    if not condition:
        raise PipelineError(f"{type(stage).__name__}: wanted {wanted}, got {got}")
