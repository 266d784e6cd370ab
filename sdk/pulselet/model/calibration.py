"""Whether a confidence of 0.8 is right eight times in ten: reliability bins, ECE, log-likelihood, Brier score."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ModelError
from pulselet.model.confusion import ratio

Floats = NDArray[np.float64]

BINS = 15  # of equal width, (lower, upper], as in Guo et al.
SUM_OFF = 1e-3  # how far the sum of a row of probabilities may be from 1: they may be float16


def softmax(logits: NDArray[Any]) -> Floats:
    """Return probabilities `(n, classes)` of logits `(n, classes)`."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True)
    weights = np.exp(shifted)
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def probabilities(scores: NDArray[Any]) -> Floats:
    """Return probabilities `(n, classes)`: `scores` themselves if every row is one, else their softmax.

    Raises
    ------
    ModelError
        If a score is not a finite number.
    """
    scores = np.asarray(scores, np.float64)
    if not np.isfinite(scores).all():
        raise ModelError("outputs hold values that are not finite numbers; an abstention is class number -1")
    return scores if are_probabilities(scores) else softmax(scores)


def are_probabilities(scores: NDArray[Any]) -> bool:
    """Return whether every row of scores `(n, classes)` is at least 0 and sums to 1."""
    return bool((scores >= 0).all() and (np.abs(scores.sum(axis=1, dtype=np.float64) - 1) <= SUM_OFF).all())


def bin_of(confidence: Floats) -> NDArray[np.int64]:
    """Return the bin 0..14 of each confidence: the k-th holds (k/15, (k+1)/15], the first also 0."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def bin_sums(person: NDArray[np.int64], people: int, confidence: Floats, right: NDArray[np.bool_]) -> Floats:
    """Return per person and bin how many windows, the sum of confidences, and how many right: `(people, 15, 3)`."""
    sums = np.zeros((people, BINS, 3))
    for column, values in enumerate((np.ones(len(confidence)), confidence, right.astype(np.float64))):
        np.add.at(sums[..., column], (person, bin_of(confidence)), values)
    return sums


def expected_calibration_error(sums: Floats) -> Floats:
    """Return ECE from bin sums `(..., 15, 3)`: the mean gap of confidence and accuracy, weighed by windows.

    Of the class named, 15 bins of equal width (Guo et al., On Calibration of Modern Neural Networks, ICML 2017, eq. 3).
    """
    return ratio(np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1), sums[..., 0].sum(axis=-1))


def losses(shares: Floats, y: NDArray[np.integer[Any]]) -> Floats:
    """Return negative log-likelihood in nats and Brier score of each window, `(n, 2)`.

    The Brier score is the squared distance from the true class's unit vector, summed over classes, so that it runs from
    0 to 2 (Brier, Monthly Weather Review 78, 1950). A probability of 0 counts as 2.2e-16.
    """
    rows = np.arange(len(y))
    truth = np.zeros_like(shares)
    truth[rows, y] = 1
    likelihood = np.maximum(shares[rows, y], np.finfo(np.float64).eps)
    return np.stack([-np.log(likelihood), ((shares - truth) ** 2).sum(axis=1)], axis=1)
