"""All figures of one execution over all windows, with their draws over people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.model import calibration, confusion
from pulselet.model.curves import Ranking
from pulselet.model.resampling import interval, intervals, summed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OF_SCORES = ("macro_auroc", "macro_auprc", "ece", "nll", "brier", "aurc")
SCALARS = (*confusion.SCALARS, *OF_SCORES)
BY_CLASS = (*confusion.BY_CLASS, "auroc", "auprc")
COVERAGES = np.arange(1, 21) / 20


@dataclass(frozen=True, eq=False)
class Truth:
    """True classes and people of all windows, and the draws of people that all figures share."""

    y: Ints  # (n,)
    person: Ints  # (n,): index into people
    people: tuple[str, ...]
    labels: tuple[str, ...]
    drawn: Ints  # (resamples, people)


@dataclass(frozen=True, eq=False)
class Answers:
    """What one execution said of each window."""

    predicted: Ints  # (n,): class numbers, -1 where it abstained
    shares: Floats | None  # (n, classes): probabilities, if it gave scores


@dataclass(frozen=True)
class Without:
    """The figures without the one person who carries most of a class."""

    label: str
    subject: str
    share: float  # of the class's windows that are this person's
    sensitivity: float
    ppv: float
    f1: float
    accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class Bin:
    """Windows whose confidence lies in (above, to], the mean of the confidences, and the share of them right."""

    above: float
    to: float
    windows: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Figures:
    """The figures of one execution or baseline; NaN where a figure is undefined.

    Attributes
    ----------
    labels, subjects
        The classes, and everyone tested.
    confusion
        `(classes, classes + 1)`: rows true, columns named, the last one abstained. Of a baseline drawn by chance, what
        is expected.
    scalars, intervals
        Figures of the whole by name, and their 95 % percentile intervals over people.
    by_class, class_intervals
        Figures of each class by name, `(classes,)`, and the interval of each.
    by_subject
        Windows, accuracy, macro F1 and the sensitivity of each class, by person.
    without
        Of each class that occurs, the figures without the person who carries most of it; none if there is one person.
    reliability, error_at_coverage
        Of executions with scores: bins, and pairs of the share of windows answered, surest first, and the error there.
    """

    labels: tuple[str, ...]
    subjects: tuple[str, ...]
    confusion: NDArray[Any]
    scalars: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    by_class: dict[str, Floats]
    class_intervals: dict[str, list[tuple[float, float]]]
    by_subject: dict[str, dict[str, Any]]
    without: tuple[Without, ...]
    reliability: tuple[Bin, ...] = ()
    error_at_coverage: tuple[tuple[float, float], ...] = ()
    draws: dict[str, Floats] = field(default_factory=dict, repr=False)

    @property
    def accuracy(self) -> float:
        """Share of windows named rightly."""
        return self.scalars["accuracy"]

    @property
    def macro_f1(self) -> float:
        """Mean F1 over classes that occur or are named."""
        return self.scalars["macro_f1"]

    @property
    def sensitivity(self) -> Floats:
        """Of each class, the share of its windows that are named so."""
        return self.by_class["sensitivity"]

    @property
    def ppv(self) -> Floats:
        """Of each class, the share of windows named so that are of it (positive predictive value)."""
        return self.by_class["ppv"]

    @property
    def f1(self) -> Floats:
        """F1 of each class."""
        return self.by_class["f1"]


def measure(truth: Truth, answers: Answers) -> Figures:
    """Return the figures of what an execution said."""
    counts = confusion.count(truth.y, answers.predicted, truth.person, len(truth.people), len(truth.labels))
    if answers.shares is None:
        return of_counts(truth, counts)
    right = answers.predicted == truth.y
    sure = answers.shares.max(axis=1)
    bins = calibration.bin_sums(truth.person, len(truth.people), sure, right)
    wrong = Ranking(~right, sure)
    scored = _scored(truth, answers.shares, bins, wrong)
    errors = wrong.error_at(COVERAGES)
    return of_counts(
        truth,
        counts,
        scored,
        reliability=_reliability(bins.sum(axis=0)),
        error_at_coverage=tuple(zip(COVERAGES.tolist(), errors.tolist(), strict=True)),
    )


Scored = dict[str, tuple[Any, Floats]]  # a figure and its draws


def of_counts(truth: Truth, counts: NDArray[Any], scored: Scored | None = None, **curves: Any) -> Figures:
    """Return the figures of confusions by person `(people, classes, classes + 1)`, and of scores if there are any."""
    whole = counts.sum(axis=0)
    found: dict[str, Any] = dict(confusion.of_confusion(whole))
    drawn = confusion.of_confusion(summed(truth.drawn, counts))
    for name, (value, values) in (scored or {}).items():
        found[name], drawn[name] = value, values
    scalars = [name for name in SCALARS if name in found]
    by_class = [name for name in BY_CLASS if name in found]
    return Figures(
        labels=truth.labels,
        subjects=truth.people,
        confusion=whole,
        scalars={name: float(found[name]) for name in scalars},
        intervals={name: interval(drawn[name]) for name in scalars},
        by_class={name: found[name] for name in by_class},
        class_intervals={name: intervals(drawn[name]) for name in by_class},
        by_subject=_by_subject(truth, counts),
        without=_without(truth, counts),
        draws=drawn,
        **curves,
    )


def _scored(truth: Truth, shares: Floats, bins: Floats, wrong: Ranking) -> Scored:
    areas, drawn = _areas(truth, shares)
    of_person = np.zeros((len(truth.people), 3))
    np.add.at(of_person, truth.person, np.insert(calibration.losses(shares, truth.y), 0, 1, axis=1))
    loss, drawn_loss = _means(of_person.sum(axis=0)), _means(summed(truth.drawn, of_person))
    person = truth.person[wrong.order]
    bin_draws = summed(truth.drawn, bins)
    return {
        "auroc": (areas[:, 0], drawn[..., 0]),
        "auprc": (areas[:, 1], drawn[..., 1]),
        "macro_auroc": (confusion.mean_defined(areas[:, 0]), confusion.mean_defined(drawn[..., 0])),
        "macro_auprc": (confusion.mean_defined(areas[:, 1]), confusion.mean_defined(drawn[..., 1])),
        "ece": (
            calibration.expected_calibration_error(bins.sum(axis=0)),
            calibration.expected_calibration_error(bin_draws),
        ),
        "nll": (loss[0], drawn_loss[:, 0]),
        "brier": (loss[1], drawn_loss[:, 1]),
        "aurc": (wrong.aurc(), np.array([wrong.aurc(weights[person]) for weights in truth.drawn])),
    }


def _areas(truth: Truth, shares: Floats) -> tuple[Floats, Floats]:
    """Return AUROC and AUPRC of each class against the rest, `(classes, 2)`, and draws `(resamples, classes, 2)`.

    Where all windows are of one class both are undefined: a precision of 1 says nothing then.
    """
    classes = len(truth.labels)
    areas, drawn = np.full((classes, 2), np.nan), np.full((len(truth.drawn), classes, 2), np.nan)
    for i in range(classes):
        positive = truth.y == i
        if not positive.any() or positive.all():
            continue
        ranking = Ranking(positive, shares[:, i])
        person = truth.person[ranking.order]
        areas[i] = ranking.areas()
        for draw, weights in enumerate(truth.drawn):
            drawn[draw, i] = ranking.areas(weights[person])
    drawn[np.isnan(drawn[..., 0])] = np.nan
    return areas, drawn


def _means(sums: Floats) -> Floats:
    return confusion.ratio(sums[..., 1:], sums[..., :1])


def _reliability(sums: Floats) -> tuple[Bin, ...]:
    edges = np.arange(calibration.BINS + 1) / calibration.BINS
    means = _means(sums)
    return tuple(
        Bin(float(edges[i]), float(edges[i + 1]), int(sums[i, 0]), float(means[i, 0]), float(means[i, 1]))
        for i in range(calibration.BINS)
    )


def _by_subject(truth: Truth, counts: NDArray[Any]) -> dict[str, dict[str, Any]]:
    found = confusion.of_confusion(counts)
    windows = np.bincount(truth.person, minlength=len(truth.people))
    return {
        person: {
            "windows": int(windows[i]),
            "accuracy": float(found["accuracy"][i]),
            "macro_f1": float(found["macro_f1"][i]),
            "sensitivity": found["sensitivity"][i],
        }
        for i, person in enumerate(truth.people)
    }


def _without(truth: Truth, counts: NDArray[Any]) -> tuple[Without, ...]:
    support = counts.sum(axis=2)
    if len(truth.people) < 2:
        return ()
    found = []
    for i in np.flatnonzero(support.sum(axis=0)).tolist():
        most = int(support[:, i].argmax())
        rest = confusion.of_confusion(counts.sum(axis=0) - counts[most])
        found.append(
            Without(
                truth.labels[i],
                truth.people[most],
                float(support[most, i] / support[:, i].sum()),
                *(float(rest[name][i]) for name in ("sensitivity", "ppv", "f1")),
                *(float(rest[name]) for name in ("accuracy", "macro_f1")),
            )
        )
    return tuple(found)
