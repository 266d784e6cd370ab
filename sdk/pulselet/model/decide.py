"""From a net's int8 outputs to a class and a confidence, in arithmetic that C repeats bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = 8  # of the distance between two int8 outputs


def softmax_factors(scale: float) -> NDArray[np.float32]:
    """Return `exp(-scale * 2**k)` for k = 0..7, float32: the only values of exp that the softmax below needs.

    The weight of an output that is d steps of `scale` below the best is `exp(-scale * d)`, and that is the product of
    the factors of the bits of d: no libm on the microcontroller, whose exp differs from machine to machine.
    """
    return np.exp(-np.float64(scale) * 2.0 ** np.arange(BITS)).astype(np.float32)


@dataclass(frozen=True)
class Rule:
    """How outputs become a class.

    Attributes
    ----------
    scale
        Step of the net's int8 outputs (logits).
    """

    scale: float

    def confidence(self, scores: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return for `scores` `(n, classes)` the best class `(n,)`, the first of equals, and its softmax `(n,)`."""
        weight_of = np.ones(2**BITS, np.float32)
        steps = np.arange(2**BITS)
        for bit, factor in enumerate(softmax_factors(self.scale)):
            weight_of[(steps >> bit) & 1 == 1] *= factor
        best = scores.argmax(axis=1)
        distance = scores.max(axis=1, keepdims=True).astype(np.int16) - scores
        total = np.zeros(len(scores), np.float32)
        for column in distance.T:  # class by class: the order of the sum is that of C
            total += weight_of[column]
        return best.astype(np.int64), np.float32(1) / total


@dataclass(frozen=True)
class Decision:
    """What one window says.

    Attributes
    ----------
    start
        Index of the window's first cleaned sample.
    scores
        The net's outputs, int8.
    label
        Class number; the best one, even if the decision is to abstain.
    confidence
        Softmax of the best class, float32.
    abstained
        Whether the confidence is too low to name a class.
    """

    start: int
    scores: tuple[int, ...]
    label: int
    confidence: float
    abstained: bool
