"""The one report of an evaluation: as a table, as JSON, as a page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from pulselet.errors import ModelError
from pulselet.model.measure import BY_CLASS, Figures, Without
from pulselet.model.resampling import NOTHING, interval

COMPARED = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kappa")
SHOWN = ("accuracy", "macro_f1", "balanced_accuracy", "kappa", "macro_auroc", "ece")
NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "kappa": "Cohen's kappa",
    "answered": "share answered",
    "accuracy_answered": "accuracy of those answered",
    "macro_auroc": "macro AUROC",
    "macro_auprc": "macro AUPRC",
    "ece": "ECE",
    "nll": "log loss, nats",
    "brier": "Brier score",
    "aurc": "AURC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "PPV",
    "f1": "F1",
    "auroc": "AUROC",
    "auprc": "AUPRC",
}
MOST = 0.5  # of a class's windows: whoever carries more stands in the table


@dataclass(frozen=True)
class Difference:
    """A figure of one execution minus that of another or of a baseline, with its interval over the same draws."""

    figure: str
    one: str
    other: str
    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Report:
    """What an evaluation found, and what made it.

    The intervals are 95 % percentile bootstrap intervals over people: windows of one person are not independent, so
    people, not windows, are drawn again. With a single person, or for what rests on one, they are NaN.

    Attributes
    ----------
    headline
        The execution that counts.
    executions, baselines
        The figures of each by name.
    agreement
        Share of windows of which two executions say the same, by "one = other".
    differences
        Between executions, and of the headline to each baseline.
    notes
        What a reader must know.
    provenance
        Command, versions, seed, and for each fold the people, files and digests of what was tested and looked at.
    """

    headline: str
    executions: dict[str, Figures]
    baselines: dict[str, Figures]
    agreement: dict[str, float]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    provenance: dict[str, Any]

    def __getitem__(self, name: str) -> Figures:
        known = {**self.baselines, **self.executions}
        if name not in known:
            raise ModelError(f"the report has no execution or baseline {name!r}; it has {sorted(known)}")
        return known[name]

    @property
    def figures(self) -> Figures:
        """The headline's."""
        return self.executions[self.headline]

    @property
    def accuracy(self) -> float:
        """The headline's share of windows named rightly."""
        return self.figures.accuracy

    @property
    def macro_f1(self) -> float:
        """The headline's mean F1 over classes."""
        return self.figures.macro_f1

    def difference(self, figure: str, one: str, other: str) -> Difference:
        """Return a figure of one execution or baseline minus that of another, both of this report.

        Raises
        ------
        ModelError
            If one of them is not in the report, or has no such figure.
        """
        a, b = self[one], self[other]
        if figure not in a.scalars or figure not in b.scalars:
            raise ModelError(f"{figure!r} is not a figure of both {one!r}, {sorted(a.scalars)}, and {other!r}")
        spread = interval(a.draws[figure] - b.draws[figure])
        return Difference(figure, one, other, a.scalars[figure] - b.scalars[figure], spread)

    def to_json(self) -> str:
        """Return the report as a JSON object, with null for undefined figures."""
        whole = {
            "headline": self.headline,
            "labels": self.figures.labels,
            "subjects": len(self.figures.subjects),
            "windows": int(self.figures.confusion.sum()),
            **{name: getattr(self, name) for name in ("executions", "baselines", "agreement", "differences", "notes")},
            "provenance": self.provenance,
        }
        return json.dumps(plain(whole), indent=2, allow_nan=False)

    def to_html(self) -> str:
        """Return the report as one HTML page with its plots in it.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        from pulselet.model.report_page import page

        return page(self)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.headline}: {int(self.figures.confusion.sum())} windows of {people(self.figures)}, "
                "95 % intervals over people",
                *text_table(class_rows(self.figures)),
                "",
                *text_table(execution_rows(self)),
                "",
                *self._lines(),
            ]
        )

    def _lines(self) -> Iterable[str]:
        for what, share in self.agreement.items():
            yield f"{what} in {share:.4f} of the windows"
        for one in self.differences:
            if one.figure == "macro_f1":
                yield f"{NAMES[one.figure]}, {one.one} minus {one.other}: {signed(one.value, one.interval)}"
        if self.figures.error_at_coverage:
            error = dict(self.figures.error_at_coverage)
            yield "error when the least sure abstain: " + ", ".join(
                f"{error[share]:.3f} at {share:.0%}" for share in (1.0, 0.9, 0.8, 0.5)
            )
        worst = min(self.figures.by_subject.items(), key=lambda item: item[1]["accuracy"])
        yield f"accuracy by person: {people_line(self.figures)}; lowest {worst[0]}"
        yield from map(without_line, heaviest(self.figures))
        yield from (f"note: {note}" for note in self.notes)


def with_differences(report: Report) -> Report:
    """Return the report with the differences between executions, and of the headline to each baseline."""
    pairs = [*combinations(report.executions, 2), *((report.headline, name) for name in report.baselines)]
    found = tuple(report.difference(figure, one, other) for one, other in pairs for figure in COMPARED)
    return replace(report, differences=found)


def class_rows(figures: Figures) -> list[list[str]]:
    """Return a table of the classes: its head, and one row for each with intervals."""
    names = [name for name in BY_CLASS if name in figures.by_class]
    rows = [["class", "windows", *(NAMES[name] for name in names)]]
    for i, label in enumerate(figures.labels):
        cells = [cell(float(figures.by_class[name][i]), figures.class_intervals[name][i]) for name in names]
        rows.append([label, f"{figures.confusion[i].sum():.0f}", *cells])
    return rows


def execution_rows(report: Report) -> list[list[str]]:
    """Return a table of executions and baselines."""
    rows = [["", *(NAMES[name] for name in SHOWN)]]
    for name, one in [*report.executions.items(), *report.baselines.items()]:
        cells = [cell(one.scalars[figure], one.intervals[figure]) if figure in one.scalars else "" for figure in SHOWN]
        rows.append([name, *cells])
    return rows


def heaviest(figures: Figures) -> list[Without]:
    """Return the classes of which one person carries most; if there are none, the one that comes nearest."""
    found = [one for one in figures.without if one.share > MOST]
    return found or sorted(figures.without, key=lambda one: -one.share)[:1]


def without_line(one: Without) -> str:
    """Return in words what is left without a person."""
    return (
        f"without {one.subject}, who carries {one.share:.0%} of {one.label}: its F1 {number(one.f1)}, "
        f"accuracy {number(one.accuracy)}, macro F1 {number(one.macro_f1)}"
    )


def people_line(figures: Figures) -> str:
    """Return the accuracy of each person in words; of more than twenty, the spread."""
    values = {who: one["accuracy"] for who, one in figures.by_subject.items()}
    if len(values) <= 20:
        return ", ".join(f"{who} {value:.3f}" for who, value in values.items())
    low, mid, high = np.percentile(list(values.values()), [0, 50, 100])
    return f"{len(values)} people, from {low:.3f} to {high:.3f}, median {mid:.3f}"


def number(value: float) -> str:
    """Return a figure with three decimals, "-" if it is undefined."""
    return cell(value, NOTHING)


def signed(value: float, spread: tuple[float, float]) -> str:
    """Return a difference with its interval."""
    one, low, high = (f"{round(number, 3) + 0.0:+.3f}" for number in (value, *spread))
    return f"{one} ({low} to {high})" if math.isfinite(spread[0]) else one


def cell(value: float, spread: tuple[float, float], decimals: int = 3) -> str:
    """Return a figure with its interval; "-" if it is undefined."""
    if not math.isfinite(value):
        return "-"
    low, high = (_fixed(edge, decimals) for edge in spread)
    between = " to " if low.startswith("-") else "-"
    return _fixed(value, decimals) + (f" ({low}{between}{high})" if math.isfinite(spread[0]) else "")


def _fixed(value: float, decimals: int) -> str:
    """Return a number with so many decimals, and no minus before zeros."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def people(figures: Figures) -> str:
    """Return how many people were tested, in words."""
    return f"{len(figures.subjects)} {'person' if len(figures.subjects) == 1 else 'people'}"


def text_table(rows: list[list[str]]) -> list[str]:
    """Return rows as lines, in columns: the first flush left, the others flush right."""
    wide = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(wide[0]), *map(str.rjust, row[1:], wide[1:])]).rstrip() for row in rows]


def plain(value: Any) -> Any:
    """Return `value` in the types of JSON, without draws; NaN is null."""
    if is_dataclass(value) and not isinstance(value, type):
        value = {name: one for name, one in vars(value).items() if name != "draws"}
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
