"""Bland-Altman: bias and limits of agreement, of several windows of each person."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LIMITS = 1.96  # standard deviations: 95 % of a normal distribution


@dataclass(frozen=True)
class Agreement:
    """Bland-Altman figures of found minus true, people as clusters; see `of_differences`."""

    bias: float
    lower: float
    upper: float
    within_sd: float  # of differences of one person
    between_sd: float  # of people's mean differences


def of_differences(difference: NDArray[Any], person: NDArray[Any]) -> Agreement:
    """Return bias and 95 % limits of agreement of differences `(n,)` of several windows of each `person` `(n,)`.

    For windows whose true rate varies (Bland and Altman, Journal of Biopharmaceutical Statistics 17, 2007, 571-582): by
    one-way analysis of variance, the variance of a difference is that within people, MSW, plus that between them,
    (MSB - MSW) / m0, at least 0, with m0 = (N^2 - sum m_i^2) / ((k - 1) N) for m_i windows of k people, N in all. The
    bias is the mean difference, the limits lie 1.96 standard deviations to each side. Where there is one
    person, or one window of each, the two variances cannot be told apart, and the limits are of the plain variance.

    >>> found = of_differences(np.array([0.0, 2.0, 4.0, 6.0]), np.array([1, 1, 2, 2]))
    >>> [round(float(value), 3) for value in (found.bias, found.lower, found.upper, found.within_sd, found.between_sd)]
    [3.0, -2.88, 8.88, 1.414, 2.646]
    """
    people, person = np.unique(person, return_inverse=True)
    found = limits_of(clusters(np.asarray(difference, np.float64), person, len(people)).sum(axis=0))
    return Agreement(*(float(value) for value in found))


def clusters(difference: Floats, person: Ints, people: int) -> Floats:
    """Return of each person the sums that the analysis of variance wants, `(people, 6)`.

    They are 1, m, m squared, the sum, its square over m, and the squares about the mean; nothing of people without one.
    """
    m = np.bincount(person, minlength=people).astype(np.float64)
    total = np.bincount(person, difference, minlength=people)
    mean = np.divide(total, m, out=np.zeros(people), where=m > 0)
    about = np.bincount(person, (difference - mean[person]) ** 2, minlength=people)
    return np.stack([(m > 0).astype(np.float64), m, m**2, total, total * mean, about], axis=1)


def limits_of(sums: Floats) -> tuple[float, float, float, float, float]:
    """Return bias, limits and the two standard deviations from sums over people."""
    k, n, squares, total, between, about = sums.tolist()
    if n < 2:
        return (total / n if n else math.nan, math.nan, math.nan, math.nan, math.nan)
    bias = total / n
    if k == 1 or n == k:
        variance = max(0.0, about + between - total * bias) / (n - 1)  # rounding may leave less than nothing
        sd = (math.sqrt(variance), 0.0) if k == 1 else (0.0, math.sqrt(variance))
    else:
        msw, msb = about / (n - k), (between - total * bias) / (k - 1)
        m0 = (n**2 - squares) / ((k - 1) * n)
        sd = (math.sqrt(msw), math.sqrt(max(0.0, (msb - msw) / m0)))
    reach = LIMITS * math.hypot(*sd)
    return bias, bias - reach, bias + reach, sd[0], sd[1]
