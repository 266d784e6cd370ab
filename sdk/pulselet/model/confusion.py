"""Figures of confusion matrices, of one or of thousands at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SCALARS = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "weighted_f1",
    "kappa",
    "answered",
    "accuracy_answered",
)
BY_CLASS = ("sensitivity", "specificity", "ppv", "f1")


def count(
    y: NDArray[Any], predicted: NDArray[Any], person: NDArray[np.int64], people: int, classes: int
) -> NDArray[np.int64]:
    """Return per person the confusion `(people, classes, classes + 1)`: rows true, columns named, last abstained."""
    counts = np.zeros((people, classes, classes + 1), np.int64)
    np.add.at(counts, (person, y, predicted), 1)  # an abstention, -1, is the last column
    return counts


def of_confusion(confusion: NDArray[Any]) -> dict[str, Floats]:
    """Return the figures of confusions `(..., classes, classes + 1)`, NaN where there is nothing below the line.

    An abstained window is an error: it counts in the support of its class and in every total, not among those named.
    `answered` is the share that is not abstained, `accuracy_answered` the accuracy among those. Macro F1 is the mean
    over classes that occur or are named, balanced accuracy that of the sensitivities of classes that occur, weighted F1
    that by support. Kappa is Cohen's (Educational and Psychological Measurement 20, 1960), abstention a category.

    >>> {name: float(of_confusion(np.array([[3, 1, 0], [1, 3, 0]]))[name]) for name in ("accuracy", "kappa")}
    {'accuracy': 0.75, 'kappa': 0.5}
    """
    c = np.asarray(confusion, np.float64)
    hits = np.diagonal(c, axis1=-2, axis2=-1)
    support, named = c.sum(axis=-1), c[..., :-1].sum(axis=-2)
    total, answered = support.sum(axis=-1), named.sum(axis=-1)
    sensitivity, f1 = ratio(hits, support), ratio(2 * hits, support + named)
    accuracy = ratio(hits.sum(axis=-1), total)
    chance = ratio((support * named).sum(axis=-1), total**2)
    others = total[..., None] - support
    return {
        "accuracy": accuracy,
        "balanced_accuracy": mean_defined(sensitivity),
        "macro_f1": mean_defined(f1),
        "weighted_f1": ratio((np.nan_to_num(f1) * support).sum(axis=-1), total),
        "kappa": ratio(accuracy - chance, 1 - chance),
        "answered": ratio(answered, total),
        "accuracy_answered": ratio(hits.sum(axis=-1), answered),
        "sensitivity": sensitivity,
        "specificity": ratio(others - (named - hits), others),
        "ppv": ratio(hits, named),
        "f1": f1,
    }


def ratio(above: Any, below: Any) -> Floats:
    """Return the quotient, NaN where there is nothing below the line."""
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), np.asarray(below, np.float64))
    quotient: Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)
    return quotient


def mean_defined(values: Floats) -> Floats:
    """Return the mean over the last axis of what is not NaN; NaN if nothing is."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1))
