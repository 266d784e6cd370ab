"""Figures of many records by ANSI/AAMI EC57: all beats pooled, and each record alike.

`compare_beats` compares one record, `compare_recording` with all that a recording's labels say; `summarise` makes the
report.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pulselet.errors import ModelError
from pulselet.model.beat_comparison import (
    COLUMNS,
    FIGURES,
    LEARNING_S,
    ROWS,
    WINDOW_S,
    BeatComparison,
    Floats,
    Ints,
    beat_figures,
    compare_beats,
    figures_of,
    match_beats,
    rms,
)
from pulselet.model.confusion import mean_defined
from pulselet.stream.corpus import Labels, Recording
from pulselet.stream.vocabulary import AAMI, AAMI_CLASSES, AAMI_LITERAL, aami

__all__ = [
    "PACED",
    "BeatComparison",
    "BeatReport",
    "beat_figures",
    "compare_beats",
    "compare_recording",
    "match_beats",
    "summarise",
]

PACED = ("102", "104", "107", "217")
"""Records of the MIT-BIH Arrhythmia Database with a pacemaker, which EC57 leaves out of its aggregate figures."""


MAPPINGS = (
    (AAMI, "escape beats e and j in N, as in the literature (de Chazal et al. 2004)"),
    (AAMI_LITERAL, "escape beats e and j in S, as EC57 words it"),
)


def compare_recording(
    recording: Recording,
    found: Labels | ArrayLike,
    *,
    mapping: Mapping[str, str] = AAMI,
    window_s: float = WINDOW_S,
    start_s: float = LEARNING_S,
    end_s: float | None = None,
    shutdown: Labels | ArrayLike = (),
) -> BeatComparison:
    """Return how beats that were found compare with the labels "beat" of a recording; see `compare_beats`.

    Its labels are MIT codes. Flutter is where its marks "[" and "]" say so, unreadable what its labels "quality" call
    so; `found` is in AAMI classes, or samples at the rate of the labels.

    Raises
    ------
    DatasetError
        If it has no labels "beat", or they are no beats.
    ModelError
        As `compare_beats`.
    """
    beats = aami(recording.label("beat"), mapping)
    compared = compare_beats(
        beats,
        found,
        record=recording.name,
        window_s=window_s,
        start_s=start_s,
        end_s=end_s,
        flutter=_flutter(recording.labels.get("mark"), beats.rate_hz),
        unreadable=_unreadable(recording.labels.get("quality"), beats.rate_hz),
        shutdown=shutdown,
    )
    named = (words for known, words in MAPPINGS if dict(mapping) == dict(known))
    return replace(compared, mapping=next(named, "classes by a mapping of the caller's own"))


def _flutter(marks: Labels | None, rate_hz: float) -> Floats:
    """Return from where to where marks say flutter `(n, 2)`; one that does not end lasts to the end of the record."""
    spans: list[list[float]] = []
    for word, at in () if marks is None else zip(marks.words, marks.begin_s.tolist(), strict=True):
        open_ = bool(spans) and math.isinf(spans[-1][1])
        if word == "[" and not open_:
            spans.append([at, math.inf])
        elif word == "]" and open_:
            spans[-1][1] = at
    return np.array(spans, np.float64).reshape(-1, 2) * rate_hz


def _unreadable(quality: Labels | None, rate_hz: float) -> Floats:
    if quality is None or quality.end is None or "unreadable" not in quality.vocabulary:
        return np.zeros((0, 2))
    dark = quality.code == quality.vocabulary.index("unreadable")
    return np.stack([quality.begin_s[dark], quality.end_s[dark]], axis=1) * rate_hz


@dataclass(frozen=True, eq=False)
class BeatReport:
    """Figures of a set of records, with those of every record.

    Attributes
    ----------
    records
        What counts, in the order given.
    left_out
        Names of records that were there and do not count, because of a pacemaker.
    confusion
        Int64 `(7, 7)`, summed.
    gross
        Figures of all beats pooled.
    average, averaged
        Means of the records' figures, each record alike, and over how many records a figure is defined.
    baseline
        Gross figures if every beat found were called normal; empty if beats have no classes.
    without_largest
        Per class S and V: the record with the most beats of it, its share, and the gross figures without it.
    """

    records: tuple[BeatComparison, ...]
    left_out: tuple[str, ...]
    confusion: Ints
    gross: dict[str, float]
    average: dict[str, float]
    averaged: dict[str, int]
    baseline: dict[str, float]
    without_largest: dict[str, dict[str, Any]]

    @property
    def conventions(self) -> str:
        """What was compared, and how, in a sentence."""
        one = self.records[0]
        paced = f"without records with a pacemaker ({', '.join(self.left_out)})" if self.left_out else "none left out"
        end = "the end" if one.end_s is None else f"{one.end_s:g} s"
        return (
            f"ANSI/AAMI EC57 beat by beat: {len(self.records)} records, {paced}; match window "
            f"{1e3 * one.window_s:g} ms, from {one.start_s:g} s to {end}; {sum(r.learning for r in self.records)} "
            f"beats outside that time not counted, nor {sum(r.flutter for r in self.records)} beats and "
            f"{sum(r.found_in_flutter for r in self.records)} found in ventricular flutter; "
            f"{self.confusion[-1].sum()} found where the reference is unreadable count as false, in row X"
            f"{'; ' + one.mapping if one.mapping else ''}"
        )

    def to_json(self) -> str:
        """Return the report as a JSON object, with null for undefined figures."""
        content = {
            "conventions": self.conventions,
            "left_out": self.left_out,
            "rows": ROWS,
            "columns": COLUMNS,
            "confusion": self.confusion.tolist(),
            "gross": self.gross,
            "average": self.average,
            "averaged": self.averaged,
            "baseline": self.baseline,
            "without_largest": self.without_largest,
            "rr_rms_ms": rms(np.concatenate([one.rr_errors_ms for one in self.records])),
            "records": {
                one.record: {"confusion": one.confusion.tolist(), "rr_rms_ms": one.rr_rms_ms, **one.figures}
                for one in self.records
            },
        }
        return json.dumps(_plain(content), indent=2, allow_nan=False)

    def __str__(self) -> str:
        lines = [self.conventions, "", "      " + " ".join(f"{word:>7}" for word in COLUMNS)]
        for word, row in zip(ROWS, self.confusion.tolist(), strict=True):
            lines.append(f"{word:<6}" + " ".join(f"{count:>7}" for count in row))
        names = FIGURES if self.records[0].classified else FIGURES[:2]
        lines += ["", f"{'in per cent':<18} {'gross':>8} {'average':>8} {'records':>8}  gross if all called N"]
        for name in names:
            shown = [_percent(by.get(name, math.nan)) for by in (self.gross, self.average, self.baseline)]
            title = name.replace("_", " ")
            lines.append(f"{title:<18} {shown[0]:>8} {shown[1]:>8} {self.averaged[name]:>8} {shown[2]:>22}")
        for word, without in self.without_largest.items():
            name = {"S": "sveb", "V": "veb"}[word]
            lines.append(
                f"without record {without['record']}, which has {100 * without['share']:.0f} % of class {word}: "
                f"{name} sensitivity {_percent(without['gross'][f'{name}_sensitivity'])}, "
                f"ppv {_percent(without['gross'][f'{name}_ppv'])}"
            )
        return "\n".join(lines)


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def summarise(comparisons: Sequence[BeatComparison], *, paced: Collection[str] = PACED) -> BeatReport:
    """Return gross and average figures of records (EC57, 3.5.2 and 3.5.3); those named in `paced` do not count.

    Raises
    ------
    ModelError
        If no record is left, two have one name, or they were not compared in one way.
    """
    counted = tuple(one for one in comparisons if one.record not in paced)
    left_out = tuple(one.record for one in comparisons if one.record in paced)
    if not counted:
        raise ModelError(f"no record is left to summarise: {len(comparisons)} came, with a pacemaker: {list(left_out)}")
    names = [one.record for one in counted]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ModelError(f"records {twice} come more than once; give each comparison its own `record`")
    if len({(one.window_s, one.start_s, one.end_s, one.classified, one.mapping) for one in counted}) > 1:
        raise ModelError("the records were compared with different windows, periods, classes or kinds of result")
    classified = counted[0].classified
    each = np.stack([one.confusion for one in counted])
    whole = each.sum(axis=0)
    table = np.array([[one.figures[name] for name in FIGURES] for one in counted]).T
    baseline = np.zeros_like(whole)
    baseline[:, 0], baseline[:, len(AAMI_CLASSES) :] = (
        whole[:, : len(AAMI_CLASSES)].sum(axis=1),
        whole[:, len(AAMI_CLASSES) :],
    )
    return BeatReport(
        *(counted, left_out, whole, figures_of(whole, classified)),
        average=dict(zip(FIGURES, mean_defined(table).tolist(), strict=True)),
        averaged=dict(zip(FIGURES, (~np.isnan(table)).sum(axis=1).tolist(), strict=True)),
        baseline=figures_of(baseline, classified) if classified else {},
        without_largest=_without_largest(names, each) if classified else {},
    )


def _without_largest(names: list[str], each: Ints) -> dict[str, dict[str, Any]]:
    """Return the gross figures without the record that has the most beats of a class."""
    found: dict[str, dict[str, Any]] = {}
    for word in ("S", "V"):
        beats = each[:, AAMI_CLASSES.index(word)].sum(axis=1)
        if not beats.sum():
            continue
        most = int(beats.argmax())
        found[word] = {
            "record": names[most],
            "share": float(beats[most] / beats.sum()),
            "gross": figures_of(np.delete(each, most, axis=0).sum(axis=0), True),
        }
    return found
