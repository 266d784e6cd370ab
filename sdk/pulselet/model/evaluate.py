"""How well a classifier does, by class and by person."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ModelError

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Report:
    """The figures of one evaluation; a ratio with nothing below the line is NaN, and null in JSON.

    The intervals are 95 % percentile bootstrap intervals over people: windows of one person are not independent, so
    people, not windows, are drawn again. With a single person they say nothing, and are NaN.
    """

    labels: tuple[str, ...]
    confusion: Counts  # (classes, classes): rows true, columns predicted
    sensitivity: Floats  # (classes,)
    ppv: Floats  # (classes,), positive predictive value
    f1: Floats  # (classes,)
    macro_f1: float  # mean over the classes whose F1 is defined
    macro_f1_interval: tuple[float, float]
    accuracy: float
    accuracy_interval: tuple[float, float]
    subject_accuracy: dict[str, float]

    def to_json(self) -> str:
        """Return the report as a JSON object, with null for undefined figures."""
        return json.dumps({name: _plain(value) for name, value in vars(self).items()}, indent=2, allow_nan=False)

    def __str__(self) -> str:
        wide = max(5, *(len(label) for label in self.labels))
        rows = [f"{'class':<{wide}}  windows  sensitivity    PPV     F1"]
        for i, label in enumerate(self.labels):
            figures = f"{self.sensitivity[i]:>11.3f}  {self.ppv[i]:>5.3f}  {self.f1[i]:>5.3f}"
            rows.append(f"{label:<{wide}}  {self.confusion[i].sum():>7}  {figures}")
        for name, value, (low, high) in (
            ("accuracy", self.accuracy, self.accuracy_interval),
            ("macro F1", self.macro_f1, self.macro_f1_interval),
        ):
            rows.append(
                f"{name} {value:.3f}, 95 % interval over {len(self.subject_accuracy)} people {low:.3f}-{high:.3f}"
            )
        people = ", ".join(f"{subject} {value:.3f}" for subject, value in self.subject_accuracy.items())
        return "\n".join([*rows, f"accuracy by person: {people}"])


def evaluate(
    y: NDArray[np.integer[Any]],
    predicted: NDArray[np.integer[Any]],
    subjects: NDArray[Any],
    labels: tuple[str, ...],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Report:
    """Return the report of `predicted` class numbers against the true `y`, both `(n,)`, of people `subjects` `(n,)`.

    Raises
    ------
    ModelError
        If the arrays are empty or differ in length, or a class number has no label.
    """
    _check(y, predicted, subjects, labels)
    people, person = np.unique(subjects, return_inverse=True)
    by_person = np.zeros((len(people), len(labels), len(labels)), np.int64)
    np.add.at(by_person, (person, y, predicted), 1)
    confusion: Counts = by_person.sum(axis=0)
    rng = np.random.default_rng(seed)
    drawn = by_person[rng.integers(0, len(people), (resamples, len(people)))].sum(axis=1)
    known = len(people) > 1
    return Report(
        labels=tuple(labels),
        confusion=confusion,
        sensitivity=_ratio(_hits(confusion), confusion.sum(axis=1)),
        ppv=_ratio(_hits(confusion), confusion.sum(axis=0)),
        f1=_f1(confusion),
        macro_f1=float(np.nanmean(_f1(confusion))),
        macro_f1_interval=_interval(np.nanmean(_f1(drawn), axis=-1), known),
        accuracy=float(_accuracy(confusion)),
        accuracy_interval=_interval(_accuracy(drawn), known),
        subject_accuracy={str(p): float(a) for p, a in zip(people, _accuracy(by_person), strict=True)},
    )


def _hits(confusion: Counts) -> Counts:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _f1(confusion: Counts) -> Floats:
    return _ratio(2 * _hits(confusion), confusion.sum(axis=-1) + confusion.sum(axis=-2))


def _accuracy(confusion: Counts) -> Floats:
    return _ratio(_hits(confusion).sum(axis=-1), confusion.sum(axis=(-2, -1)))


def _ratio(above: Any, below: Any) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.true_divide(above, below), np.float64)


def _interval(values: Floats, known: bool) -> tuple[float, float]:
    if not known or len(values) == 0:
        return math.nan, math.nan
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _plain(value: Any) -> Any:
    """Return `value` in the types of JSON."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _check(y: NDArray[Any], predicted: NDArray[Any], subjects: NDArray[Any], labels: tuple[str, ...]) -> None:
    if len(y) == 0 or not len(y) == len(predicted) == len(subjects):
        raise ModelError(
            f"wanted equally many y, predicted and subjects, got {len(y)}, {len(predicted)}, {len(subjects)}"
        )
    for name, numbers in (("y", y), ("predicted", predicted)):
        if numbers.min() < 0 or numbers.max() >= len(labels):
            raise ModelError(
                f"{name} holds classes {numbers.min()} to {numbers.max()}, but there are {len(labels)} labels"
            )
