"""Bootstrap over people: windows of one person are not independent, so people, not windows, are drawn again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ModelError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESAMPLES = 2000
TAILS = (
    2.5,
    97.5,
)  # percentiles: a 95 % interval (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13)
# What rests on one of n people is undefined in (1 - 1/n)^n >= 0.25 of the draws, on two in less than 0.14.
UNDEFINED = 0.2
NOTHING = (math.nan, math.nan)


def draws(people: int, resamples: int, seed: int) -> Ints:
    """Return how often each person is drawn, `(resamples, people)`; no rows for one person, who has no spread.

    Raises
    ------
    ModelError
        If the number of resamples is below 0.
    """
    if resamples < 0:
        raise ModelError(f"wanted 0 resamples or more, got {resamples}")
    if people < 2 or resamples == 0:
        return np.zeros((0, people), np.int64)
    rng = np.random.default_rng(seed)
    return np.stack([np.bincount(rng.integers(0, people, people), minlength=people) for _ in range(resamples)])


def summed(drawn: Ints, of_person: NDArray[Any]) -> Floats:
    """Return sums `(resamples, ...)` over people of what each has, `(people, ...)`, weighed by the draws.

    Without BLAS: its sums depend on the number of threads, and the same command must give the same bits.
    """
    flat = np.asarray(of_person, np.float64).reshape(len(of_person), -1)
    sums: Floats = np.einsum("rp,pk->rk", drawn.astype(np.float64), flat).reshape(len(drawn), *of_person.shape[1:])
    return sums


def interval(values: NDArray[Any]) -> tuple[float, float]:
    """Return the 95 % percentile interval of a figure's draws `(resamples,)`.

    Draws in which the figure is undefined are left out; with more than a fifth of them, or with none, it is NaN.

    >>> interval(np.arange(201.0))
    (5.0, 195.0)
    """
    known = values[np.isfinite(values)]
    if len(known) == 0 or len(known) < (1 - UNDEFINED) * len(values):
        return NOTHING
    low, high = np.percentile(known, TAILS)
    return float(low), float(high)


def intervals(values: Floats) -> list[tuple[float, float]]:
    """Return the interval of each class from draws `(resamples, classes)`."""
    return [interval(column) for column in values.T]


def quantile(ascending: Floats, q: float, weights: Ints | None = None) -> float:
    """Return the quantile of ascending values `(n,)`, each there `weights` times; as numpy's, linear between two.

    >>> quantile(np.array([1.0, 2.0, 4.0]), 0.5, np.array([1, 0, 1]))
    2.5
    """
    until = np.arange(1, len(ascending) + 1) if weights is None else np.cumsum(weights)
    if not len(until) or until[-1] == 0:
        return math.nan
    at = (until[-1] - 1) * q
    low, high = (ascending[np.searchsorted(until, index, side="right")] for index in (math.floor(at), math.ceil(at)))
    return float(low + (high - low) * (at - math.floor(at)))
