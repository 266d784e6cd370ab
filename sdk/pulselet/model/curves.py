"""Areas under curves of ranked windows: ROC, precision-recall, and error against coverage. Ties count as ties."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ModelError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Ranking:
    """Windows from the highest score to the lowest, in groups of equal score; sorted once, weighed often.

    Parameters
    ----------
    marked
        Bool `(n,)`: of the class (for ROC and precision-recall), or wrong (for error against coverage); for the latter
        also the size of each error.
    score
        `(n,)`, finite.
    """

    def __init__(self, marked: NDArray[Any], score: NDArray[Any]) -> None:
        if len(marked) != len(score):
            raise ModelError(f"wanted as many scores as windows, got {len(score)} for {len(marked)}")
        if not np.isfinite(score).all():
            raise ModelError("scores hold values that are not finite numbers: they cannot be ranked")
        self.order: Ints = np.argsort(-np.asarray(score, np.float64), kind="stable")
        ranked = np.asarray(score)[self.order]
        amount = np.asarray(marked, np.int64 if np.asarray(marked).dtype == bool else np.float64)
        self._marked: NDArray[Any] = amount[self.order]
        self._starts: Ints = np.flatnonzero(np.concatenate([np.ones(min(1, len(ranked)), bool), np.diff(ranked) != 0]))

    def _groups(self, weights: Ints | None) -> tuple[NDArray[Any], Ints]:
        """Return how much of each group is marked, and its size; `weights` are in ranked order."""
        weights = np.ones(len(self._marked), np.int64) if weights is None else weights
        if not len(self._starts):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.add.reduceat(weights * self._marked, self._starts), np.add.reduceat(weights, self._starts)

    def areas(self, weights: Ints | None = None) -> tuple[float, float]:
        """Return the areas under the ROC, NaN without both kinds of window, and under the precision-recall curve.

        The latter is NaN without a marked window, and 1 without others.

        The first by the trapezoidal rule: the chance that a marked window is ranked above one that is not, half for a
        tie (Fawcett, Pattern Recognition Letters 27, 2006). The second is average precision, the sum of precision times
        the step of recall, without interpolation (Davis and Goadrich, ICML 2006).

        Parameters
        ----------
        weights
            How often each window counts, int64 `(n,)` in the order of `order`; once, if not given.
        """
        weights = np.ones(len(self._marked), np.int64) if weights is None else weights
        passed, hits = _sums(weights), _sums(weights[self._at])
        if not hits[-1]:
            return math.nan, math.nan
        begin, end, before, until = self._ties
        own, hit, above = weights[self._at], hits[until], passed[end]
        precision = np.divide(hit, above, out=np.zeros(len(hit)), where=above > 0)
        auprc = float((own * precision).sum() / hits[-1])
        others = int(passed[-1] - hits[-1])
        if not others:
            return math.nan, auprc
        twice = passed[begin] - hits[before] + above - hit  # those above, and those above or equal
        auroc = float((own * (2 * others - twice)).sum() / (2 * int(hits[-1]) * others))
        return auroc, auprc

    @cached_property
    def _at(self) -> Ints:
        """Where the marked windows are, `(marked,)`."""
        return np.flatnonzero(self._marked)

    @cached_property
    def _ties(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Return for each marked window begin and end of its group, among all windows and among the marked ones."""
        bounds = np.append(self._starts, len(self._marked))
        group = np.searchsorted(self._starts, self._at, side="right") - 1
        begin, end = bounds[group], bounds[group + 1]
        return begin, end, np.searchsorted(self._at, begin), np.searchsorted(self._at, end)

    def aurc(self, weights: Ints | None = None) -> float:
        """Return the area under the error-coverage curve: the mean over k of the error of the first k.

        AURC of Geifman et al., Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019.
        """
        errors = self._errors(weights)
        return float((errors / np.arange(1, len(errors) + 1)).mean()) if len(errors) else math.nan

    def _errors(self, weights: Ints | None = None) -> Floats:
        """Return how many of the first k windows are marked, k = 1..n; within a tie, on average over its orders."""
        marked, size = self._groups(weights)
        rate = np.divide(marked, size, out=np.zeros(len(size)), where=size > 0)
        errors: Floats = np.cumsum(np.repeat(rate, size))
        return errors

    def error_at(self, coverage: Floats) -> Floats:
        """Return the error among the best-ranked share `coverage` `(k,)`, each in (0, 1], rounded up to a window."""
        errors = self._errors()
        count = np.maximum(1, np.ceil(np.round(coverage * len(errors), 9)).astype(np.int64))
        found: Floats = errors[count - 1] / count
        return found


def _sums(weights: Ints) -> Ints:
    """Return the sums of the first 0, 1, ... n of `weights` `(n,)`."""
    sums = np.zeros(len(weights) + 1, np.int64)
    np.cumsum(weights, out=sums[1:])
    return sums


def auroc(positive: NDArray[np.bool_], score: NDArray[Any]) -> float:
    """Return the area under the ROC curve of `score` `(n,)` for windows `positive` `(n,)`; see `Ranking.areas`.

    >>> auroc(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.8, 0.1]))
    0.875
    """
    return Ranking(positive, score).areas()[0]


def auprc(positive: NDArray[np.bool_], score: NDArray[Any]) -> float:
    """Return the average precision of `score` `(n,)` for windows `positive` `(n,)`; see `Ranking.areas`.

    >>> round(auprc(np.array([True, False, True]), np.array([0.9, 0.8, 0.7])), 4)
    0.8333
    """
    return Ranking(positive, score).areas()[1]
