"""Heart rate by window: errors, Bland-Altman with people as clusters, and what a constant would have got."""

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
from pulselet.model.bland_altman import Agreement, clusters, limits_of, of_differences
from pulselet.model.curves import Ranking
from pulselet.model.report import cell, plain, text_table
from pulselet.model.resampling import RESAMPLES, draws, interval, quantile
from pulselet.windows.labelled import identities

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WITHIN_BPM = 5.0
COVERAGES = np.arange(1, 11) / 10
OF_CONSTANT = ("mae", "median", "p90", "rmse", "within")
NAMES = {
    "mae": "mean absolute error, bpm",
    "median": "median absolute error, bpm",
    "p90": "90th percentile, bpm",
    "rmse": "root mean square error, bpm",
    "within": "share within, of all windows",
    "within_answered": "share within, of those with a value",
    "answered": "share with a value",
    "bias": "bias, bpm",
    "lower": "lower limit of agreement, bpm",
    "upper": "upper limit of agreement, bpm",
}


@dataclass(frozen=True, eq=False)
class RateReport:
    """How well a heart rate was found; a figure that is undefined is NaN, and null in JSON.

    The intervals are 95 % percentile bootstrap intervals over people. Errors are of the windows that have a value;
    `within` counts a window without a value as missed, so that it cannot be bought with silence.

    Attributes
    ----------
    windows, without_value, without_truth
        Windows that have a true rate; those among them without a found one; and those that were left out for want of a
        true rate.
    within_bpm
        The limit of the shares within.
    figures, intervals
        By the names of `NAMES`.
    naive
        The same figures of a constant: for each person the median true rate of all others.
    gain, gain_interval
        Mean absolute error of that constant minus that of what was found, both of the windows that have a value, and
        its interval over people. So silence in hard windows gains nothing.
    error_at_coverage
        With a confidence: share of windows answered, surest first, and their mean absolute error.
    by_subject
        Windows, those with a value, mean absolute error, bias and share within, by person.
    without_worst
        The figures without the person whose windows add most to the error, and who that is.
    """

    subjects: tuple[str, ...]
    windows: int
    without_value: int
    without_truth: int
    within_bpm: float
    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    agreement: Agreement
    naive: dict[str, float]
    gain: float
    gain_interval: tuple[float, float]
    error_at_coverage: tuple[tuple[float, float], ...]
    by_subject: dict[str, dict[str, float]]
    without_worst: dict[str, Any]
    provenance: dict[str, Any]
    pairs: tuple[Floats, Floats, Ints]  # true, found and index of the person, for plots

    def to_json(self) -> str:
        """Return the report as a JSON object."""
        whole = {name: value for name, value in vars(self).items() if name != "pairs"}
        return json.dumps(plain(whole), indent=2, allow_nan=False)

    def to_html(self) -> str:
        """Return the report as one HTML page; MissingExtraError if matplotlib is not installed."""
        from pulselet.model.rate_page import page

        return page(self)

    def rows(self) -> list[list[str]]:
        """Return a table: the figures, those of the constant, and those without the worst person."""
        head = ["", "found", "constant", f"without {self.without_worst.get('subject', '-')}"]
        rest = self.without_worst.get("figures", {})
        return [
            head,
            *(
                [
                    NAMES[name].replace("within", f"within {self.within_bpm:g} bpm"),
                    cell(self.figures[name], self.intervals[name]),
                    *(cell(other.get(name, math.nan), (math.nan, math.nan)) for other in (self.naive, rest)),
                ]
                for name in self.figures
            ),
        ]

    def __str__(self) -> str:
        worst = max(self.by_subject.items(), key=lambda item: np.nan_to_num(item[1]["mae"]))
        lines = [
            f"{self.windows} windows of {len(self.subjects)} people, 95 % intervals over people; "
            f"{self.without_value} without a value, {self.without_truth} without a true rate left out",
            *text_table(self.rows()),
            f"mean absolute error by person: highest {worst[1]['mae']:.2f} bpm, {worst[0]}",
        ]
        if math.isfinite(self.gain):
            lines.append(f"mean absolute error, constant minus found: {cell(self.gain, self.gain_interval)} bpm")
        if self.error_at_coverage:
            errors = ", ".join(f"{error:.2f} at {share:.0%}" for share, error in self.error_at_coverage[::-2])
            lines.append(f"mean absolute error when the least sure are silent, bpm: {errors}")
        return "\n".join(lines)


def rate_figures(
    true_bpm: NDArray[Any],
    found_bpm: NDArray[Any],
    subjects: NDArray[Any],
    *,
    confidence: NDArray[Any] | None = None,
    within_bpm: float = WITHIN_BPM,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> RateReport:
    """Return how well `found_bpm` `(n,)` meets `true_bpm` `(n,)`, both in bpm, of people `subjects` `(n,)`.

    Parameters
    ----------
    true_bpm
        NaN where the reference says nothing: such windows are left out and counted.
    found_bpm
        NaN where no value was found.
    confidence
        The higher, the surer, `(n,)`; in any unit.

    Raises
    ------
    ModelError
        If the arrays differ in length, hold a rate that is not above 0, a window with a value has no confidence, or no
        window has a true rate.
    PipelineError
        If a subject is neither a whole number nor text.
    """
    true, found, sure = (_floats(values) for values in (true_bpm, found_bpm, confidence))
    _check(true, found, subjects, sure)
    known = np.isfinite(true)
    true, found, subjects = true[known], found[known], identities(subjects)[known]
    people, person = np.unique(subjects, return_inverse=True)
    drawn = draws(len(people), resamples, seed)
    measured = _Measured(true, found, person, len(people), within_bpm)
    values = measured.figures(np.ones(len(people), np.int64))
    spread = [measured.figures(weights) for weights in drawn]
    others = _others_median(true, person, len(people))
    constant = _Measured(true, others, person, len(people), within_bpm)
    answered = np.where(np.isnan(found), np.nan, others)
    paired = _Measured(true, answered, person, len(people), within_bpm)
    gain = [paired.mean_error(weights) - measured.mean_error(weights) for weights in drawn]
    names = tuple(str(one) for one in people.tolist())
    worst = int(np.argmax(measured.sums[:, ERROR]))
    everyone = np.ones(len(people), np.int64)
    return RateReport(
        subjects=names,
        windows=len(true),
        without_value=int(np.isnan(found).sum()),
        without_truth=int((~known).sum()),
        within_bpm=float(within_bpm),
        figures=values,
        intervals={name: interval(np.array([one[name] for one in spread])) for name in values},
        agreement=of_differences(measured.difference, measured.person),
        naive={name: value for name, value in constant.figures(everyone).items() if name in OF_CONSTANT},
        gain=paired.mean_error(everyone) - measured.mean_error(everyone),
        gain_interval=interval(np.array(gain)),
        error_at_coverage=() if sure is None else _at_coverage(true, found, sure[known]),
        by_subject={name: measured.of_person(i) for i, name in enumerate(names)},
        without_worst=_without(measured, names, worst),
        provenance=_provenance(true, found, person, seed, resamples),
        pairs=(true, found, person),
    )


WINDOWS, VALUES, ERROR, SQUARE, NEAR = range(5)  # columns of the sums of each person


class _Measured:
    """Errors of the windows that have a value, and sums of each person."""

    def __init__(self, true: Floats, found: Floats, person: Ints, people: int, within_bpm: float) -> None:
        valued = np.isfinite(found)
        self.person = person[valued]
        self.difference = (found - true)[valued]
        error = np.abs(self.difference)
        order = np.argsort(error, kind="stable")
        self._ascending, self._ranked = error[order], self.person[order]
        self.sums = np.zeros((people, 5))
        np.add.at(self.sums[:, WINDOWS], person, 1)
        rows = np.stack([np.ones(len(error)), error, error**2, error <= within_bpm], axis=1)
        np.add.at(self.sums[:, VALUES:], self.person, rows)
        self._clusters = clusters(self.difference, self.person, people)

    def mean_error(self, weights: Ints) -> float:
        sums = (weights[:, None] * self.sums).sum(axis=0)
        return _quotient(sums[ERROR], sums[VALUES])

    def figures(self, weights: Ints) -> dict[str, float]:
        """Return all figures with each person counted `weights` times."""
        sums = (weights[:, None] * self.sums).sum(axis=0)
        counted = weights[self._ranked]
        limits = limits_of((weights[:, None] * self._clusters).sum(axis=0))
        return {
            "mae": _quotient(sums[ERROR], sums[VALUES]),
            "median": quantile(self._ascending, 0.5, counted),
            "p90": quantile(self._ascending, 0.9, counted),
            "rmse": math.sqrt(_quotient(sums[SQUARE], sums[VALUES])),
            "within": _quotient(sums[NEAR], sums[WINDOWS]),
            "within_answered": _quotient(sums[NEAR], sums[VALUES]),
            "answered": _quotient(sums[VALUES], sums[WINDOWS]),
            **dict(zip(("bias", "lower", "upper"), map(float, limits), strict=False)),
        }

    def of_person(self, i: int) -> dict[str, float]:
        windows, values, error, _, near = self.sums[i].tolist()
        bias = float(self.difference[self.person == i].sum())
        return {
            "windows": int(windows),
            "values": int(values),
            "mae": _quotient(error, values),
            "bias": _quotient(bias, values),
            "within": _quotient(near, windows),
        }


def _others_median(true: Floats, person: Ints, people: int) -> Floats:
    """Return for each window the median true rate of all other people; NaN if there are none."""
    if people < 2:
        return np.full(len(true), np.nan)
    return np.array([np.median(true[person != i]) for i in range(people)])[person]


def _at_coverage(true: Floats, found: Floats, sure: Floats) -> tuple[tuple[float, float], ...]:
    """Return the mean error of the surest windows, at shares of all windows as far as there are values."""
    valued = np.isfinite(found)
    if not valued.any():
        return ()
    ranking = Ranking(np.abs(found - true)[valued], sure[valued])
    answered = float(valued.mean())
    shares = np.array([*COVERAGES[answered - 1e-9 > COVERAGES], answered])
    return tuple(zip(shares.tolist(), ranking.error_at(shares / answered).tolist(), strict=True))


def _without(measured: _Measured, names: Sequence[str], worst: int) -> dict[str, Any]:
    if len(names) < 2:
        return {}
    weights = np.ones(len(names), np.int64)
    weights[worst] = 0
    return {"subject": names[worst], "figures": measured.figures(weights)}


def _provenance(true: Floats, found: Floats, person: Ints, seed: int, resamples: int) -> dict[str, Any]:
    return {
        "command": provenance.command(),
        "versions": provenance.versions(),
        "seed": seed,
        "resamples": resamples,
        "sha256": provenance.digest(true, found, person),
    }


def _quotient(above: float, below: float) -> float:
    return float(above / below) if below else math.nan


def _floats(values: Any) -> Any:
    return None if values is None else np.asarray(values, np.float64)


def _check(true: Floats, found: Floats, subjects: NDArray[Any], sure: Floats | None) -> None:
    lengths = [len(values) for values in (true, found, subjects, true if sure is None else sure)]
    if len(set(lengths)) != 1:
        raise ModelError(f"wanted equally many true and found rates, people and confidences, got {lengths}")
    for name, rates in (("true", true), ("found", found)):
        bad = ~np.isnan(rates) & ~((rates > 0) & np.isfinite(rates))
        if bad.any():
            raise ModelError(f"{name} rates must be above 0 bpm, or NaN where there is none, got {rates[bad][0]:g}")
    if not np.isfinite(true).any():
        raise ModelError("no window has a true rate: there is nothing to compare with")
    if sure is not None and not np.isfinite(sure[np.isfinite(found) & np.isfinite(true)]).all():
        raise ModelError("a window with a value has a confidence that is not a finite number")
