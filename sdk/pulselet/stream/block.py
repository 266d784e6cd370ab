"""The two things a stream is made of: blocks of consecutive samples, and gaps that say what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError


@dataclass(frozen=True)
class Signal:
    """What the samples of one stream are: a name, a unit, a nominal rate and named channels."""

    name: str
    unit: str
    rate_hz: float
    channels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.rate_hz > 0:
            raise PulseletError(f"signal {self.name!r}: wanted a rate above 0 Hz, got {self.rate_hz}")
        if not self.channels:
            raise PulseletError(f"signal {self.name!r}: wanted at least one channel name, got none")


@dataclass(frozen=True, eq=False)
class Block:
    """`n` consecutive samples of one signal.

    Attributes
    ----------
    signal
        What the samples are.
    values
        float32 `(n, channels)`, in the signal's unit.
    first
        Index of the first sample, counted by the device since its stream began; lost samples count too.
    device_ticks
        Device clock at the first sample, unwrapped, in ticks; None where the protocol has no device clock.
    arrival_ns
        Host monotonic clock when the notification arrived, in ns.
    """

    signal: Signal
    values: NDArray[np.float32]
    first: int
    device_ticks: int | None
    arrival_ns: int

    def __post_init__(self) -> None:
        wanted = (len(self.signal.channels),)
        if self.values.ndim != 2 or self.values.shape[1:] != wanted or self.values.dtype != np.float32:
            raise PulseletError(
                f"a block of {self.signal.name!r} holds float32 (n, {wanted[0]}), "
                f"got {self.values.dtype} {self.values.shape}"
            )

    @property
    def end(self) -> int:
        """Index one past the last sample."""
        return self.first + len(self.values)


@dataclass(frozen=True)
class Gap:
    """`lost` samples from index `first` on that did not arrive, and why."""

    signal: Signal
    first: int
    lost: int
    reason: str

    @property
    def end(self) -> int:
        """Index one past the last lost sample."""
        return self.first + self.lost
