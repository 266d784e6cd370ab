"""The two things a stream is made of: blocks of consecutive samples, and gaps that say what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError

# Reasons of gaps. PAUSED is no loss; RESTARTED: the device counts from 0 again; JUMPED: its clock is another.
LOST, PAUSED, DISCONNECTED, RESTARTED, JUMPED = "lost", "paused", "disconnected", "restarted", "clock jumped"


@dataclass(frozen=True)
class Signal:
    """What the samples of one stream are.

    Attributes
    ----------
    rate_hz
        Nominal rate; None where each sample is an event of its own, as a heart rate or an RR interval is.
    clock_hz
        Ticks per second of the device clock that stamps the blocks; None where the protocol has none.
    loss_detectable
        Whether the protocol numbers or times its samples, so that a loss shows. Where it does not, a gap can say that
        something may be missing, but not how much, and no gap does not mean that nothing is.
    """

    name: str
    unit: str
    rate_hz: float | None
    channels: tuple[str, ...]
    clock_hz: float | None = None
    loss_detectable: bool = True

    def __post_init__(self) -> None:
        for what, value in (("rate", self.rate_hz), ("clock", self.clock_hz)):
            if value is not None and not value > 0:
                raise PulseletError(f"signal {self.name!r}: wanted a {what} above 0 Hz, got {value}")
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

    @property
    def device_s(self) -> float | None:
        """Device clock at the first sample, in s; None where there is none."""
        if self.device_ticks is None or self.signal.clock_hz is None:
            return None
        return self.device_ticks / self.signal.clock_hz


@dataclass(frozen=True)
class Gap:
    """`lost` samples from index `first` on that did not arrive, and why; None if nobody can tell how many."""

    signal: Signal
    first: int
    lost: int | None
    reason: str

    @property
    def end(self) -> int:
        """Index one past the last lost sample, as far as it is known."""
        return self.first + (self.lost or 0)


def joined(items: Iterable[Block | Gap]) -> list[tuple[int, NDArray[np.float32]]]:
    """Return the runs of consecutive samples in the items of one signal: index of the first, values `(n, channels)`."""
    runs: list[tuple[int, list[NDArray[np.float32]]]] = []
    end = None
    for item in items:
        if isinstance(item, Gap):
            end = None
            continue
        if item.first != end:
            runs.append((item.first, []))
        runs[-1][1].append(item.values)
        end = item.end
    return [(first, np.concatenate(parts)) for first, parts in runs]
