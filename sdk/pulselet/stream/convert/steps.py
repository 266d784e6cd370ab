"""The range of a signal's values, and the step that they are all whole multiples of, if there is one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINARY = tuple(2.0**-k for k in range(17))
DECIMAL = tuple(10.0**-k for k in range(7))


class Span:
    """Range and step of one channel, learnt from its values piece by piece.

    Sensors count. Where the values are whole multiples of 1, 1/2, 1/4 ... or of 1, 0.1, 0.01 ..., a format of integers
    holds them exactly, if it is scaled by that step. `inf` and NaN are counted in `bad` and are no part of the range.
    """

    def __init__(self) -> None:
        self.low, self.high = np.inf, -np.inf
        self.bad = 0
        self._ladders = [BINARY, DECIMAL]

    def learn(self, values: NDArray[np.float32]) -> None:
        """Take float32 `(n,)` into account."""
        good = values[np.isfinite(values)]
        self.bad += len(values) - len(good)
        if len(good):
            self.low, self.high = min(self.low, float(good.min())), max(self.high, float(good.max()))
            self._ladders = [_climb(ladder, good) for ladder in self._ladders]

    @property
    def step(self) -> float | None:
        """The coarsest step that fits all values; None if none does."""
        return max((ladder[0] for ladder in self._ladders if ladder), default=None)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value, made to differ where they do not."""
        if self.low > self.high:
            return 0.0, 1.0
        return self.low, self.high if self.high > self.low else self.low + max(1.0, abs(self.low))


def _climb(ladder: tuple[float, ...], values: NDArray[np.float32]) -> tuple[float, ...]:
    """Drop the steps that do not fit; what is a multiple of a step is one of each that follows on the ladder."""
    while ladder and not _fits(ladder[0], values):
        ladder = ladder[1:]
    return ladder


def _fits(step: float, values: NDArray[np.float32]) -> bool:
    again = np.rint(values.astype(np.float64) / step) * step
    return bool((again.astype(np.float32) == values).all())
