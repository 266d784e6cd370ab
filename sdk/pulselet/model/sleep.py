"""Sleep by night: agreement epoch by epoch, and the errors of the times that a sleep laboratory reports."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ModelError
from pulselet.model import provenance
from pulselet.model.bland_altman import Agreement, of_differences
from pulselet.model.evaluation import figures
from pulselet.model.measure import Figures
from pulselet.model.report import cell, plain, text_table
from pulselet.model.resampling import RESAMPLES

UNSCORED = -1
TIMES = {"tst": "total sleep time", "sol": "sleep onset latency", "waso": "wake after sleep onset"}


@dataclass(frozen=True)
class Night:
    """Times of one night, minutes; without sleep latency and wake after onset are NaN, without any epoch all three."""

    tst: float  # total sleep time
    sol: float  # from the first epoch to the first one asleep
    waso: float  # awake after that


@dataclass(frozen=True, eq=False)
class SleepReport:
    """How well sleep was staged.

    Attributes
    ----------
    epochs, always
        Figures over epochs of what was found, and of each person's nights called what the others' are most often.
    unscored
        Epochs without a true stage, left out everywhere.
    nights
        Whose, true and found times.
    errors
        By time: Bland-Altman figures of found minus true, in minutes, people as clusters.
    absolute
        By time: the mean absolute error, minutes.
    """

    epochs: Figures
    always: Figures
    unscored: int
    nights: tuple[tuple[str, Night, Night], ...]
    errors: dict[str, Agreement]
    absolute: dict[str, float]
    provenance: dict[str, Any]

    def to_json(self) -> str:
        """Return the report as a JSON object, with null for what is undefined."""
        return json.dumps(plain(vars(self)), indent=2, allow_nan=False)

    def __str__(self) -> str:
        rows = [["", "found", "most frequent stage"]]
        for name in ("accuracy", "kappa", "macro_f1"):
            cells = [cell(one.scalars[name], one.intervals[name]) for one in (self.epochs, self.always)]
            rows.append([name.replace("_", " "), *cells])
        lines = [
            f"{TIMES[name]}: mean absolute error {self.absolute[name]:.1f} min, bias {one.bias:+.1f}, "
            f"limits of agreement {one.lower:+.1f} to {one.upper:+.1f}"
            for name, one in self.errors.items()
        ]
        people = len(self.epochs.subjects)
        head = (
            f"{len(self.nights)} nights of {people} people, 95 % intervals over people; {self.unscored} epochs unscored"
        )
        return "\n".join([head, *text_table(rows), *lines])


def sleep_figures(
    true_stages: Sequence[NDArray[np.integer[Any]]],
    found_stages: Sequence[NDArray[np.integer[Any]]],
    subjects: Sequence[Any],
    labels: Sequence[str],
    *,
    epoch_s: float,
    wake: str,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> SleepReport:
    """Return how well the sleep stages of nights were found.

    Times are as in the AASM Manual for the Scoring of Sleep (2007, ch. III): every stage but wake is sleep, and wake
    after onset runs to the end of the recording.

    Parameters
    ----------
    true_stages, found_stages
        For each night, a class number for each epoch, `(epochs,)`; a true one is -1 where nobody scored it, a found one
        where none was named. An epoch that was not named is an error, and neither sleep nor wake.
    subjects
        Who slept, for each night.
    labels
        The stages.
    epoch_s
        Length of an epoch in seconds.
    wake
        The label of wake.

    Raises
    ------
    ModelError
        If nights differ in length, or there is no scored epoch, or no such label as `wake`.
    """
    if wake not in labels or not epoch_s > 0:
        raise ModelError(f"wanted wake among {tuple(labels)} and epochs longer than 0 s, got {wake!r} and {epoch_s}")
    _check(true_stages, found_stages, subjects, len(labels))
    kept = [np.asarray(true) != UNSCORED for true in true_stages]
    true = [np.asarray(one)[own] for one, own in zip(true_stages, kept, strict=True)]
    found = [np.asarray(one)[own] for one, own in zip(found_stages, kept, strict=True)]
    whose = np.repeat(np.asarray([str(who) for who in subjects]), [len(one) for one in true])
    y = np.concatenate(true)
    if not len(y):
        raise ModelError("no epoch has a true stage: there is nothing to compare with")
    options: Any = {"seed": seed, "resamples": resamples}
    awake = tuple(labels).index(wake)
    nights = tuple(
        (str(who), night(one, awake, epoch_s), night(other, awake, epoch_s))
        for who, one, other in zip(subjects, true, found, strict=True)
    )
    errors = {name: _errors(nights, name) for name in TIMES}
    return SleepReport(
        epochs=figures(y, np.concatenate(found), whose, labels, **options),
        always=figures(y, _others_most(y, whose, len(labels)), whose, labels, **options),
        unscored=sum(int((~own).sum()) for own in kept),
        nights=nights,
        errors={name: of_differences(*pair) for name, pair in errors.items()},
        absolute={name: float(np.abs(one).mean()) if len(one) else math.nan for name, (one, _) in errors.items()},
        provenance={
            "command": provenance.command(),
            "versions": provenance.versions(),
            **options,
            "sha256": provenance.digest(*true, *found),
        },
    )


def night(stages: NDArray[np.integer[Any]], wake: int, epoch_s: float) -> Night:
    """Return the times of a night from its stages `(epochs,)`; -1 is neither sleep nor wake.

    >>> night(np.array([0, 0, 1, 2, 0, 1]), wake=0, epoch_s=30.0)
    Night(tst=1.5, sol=1.0, waso=0.5)
    """
    if not len(stages):
        return Night(math.nan, math.nan, math.nan)
    minutes = epoch_s / 60
    asleep = (stages != wake) & (stages != UNSCORED)
    if not asleep.any():
        return Night(0.0, math.nan, math.nan)
    onset = int(asleep.argmax())
    return Night(float(asleep.sum() * minutes), onset * minutes, float((stages[onset:] == wake).sum() * minutes))


def _errors(nights: Sequence[tuple[str, Night, Night]], name: str) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return found minus true of the nights in which both are known, and whose they are."""
    difference = np.array([getattr(found, name) - getattr(true, name) for _, true, found in nights])
    known = np.isfinite(difference)
    return difference[known], np.array([who for who, _, _ in nights])[known]


def _others_most(y: NDArray[Any], whose: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Return for each epoch the stage that all other people have most often; of one person, that person's."""
    found = np.empty(len(y), np.int64)
    for who in np.unique(whose):
        own = whose == who
        others = y[~own] if (~own).any() else y
        found[own] = np.bincount(others, minlength=classes).argmax()
    return found


def _check(true: Sequence[Any], found: Sequence[Any], subjects: Sequence[Any], classes: int) -> None:
    if not len(true) == len(found) == len(subjects) or not len(true):
        raise ModelError(
            f"wanted as many true and found nights as people, got {len(true)}, {len(found)}, {len(subjects)}"
        )
    for i, (one, other) in enumerate(zip(true, found, strict=True)):
        if np.shape(one) != np.shape(other) or np.ndim(one) != 1:
            raise ModelError(f"night {i}: wanted a stage for each epoch, got {np.shape(one)} and {np.shape(other)}")
        for stages in map(np.asarray, (one, other)):
            whole = np.issubdtype(stages.dtype, np.integer)
            if len(stages) and not (whole and stages.min() >= UNSCORED and stages.max() < classes):
                raise ModelError(f"night {i}: wanted whole class numbers from -1 to {classes - 1}, got {stages.dtype}")
