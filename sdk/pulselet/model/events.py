"""Events that are found or missed: sensitivity, PPV, false alarms per hour and delay, by event and not by window."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pulselet.errors import ModelError
from pulselet.model import provenance
from pulselet.model.confusion import ratio
from pulselet.model.event_matching import Matched, intervals_of, match, shifted
from pulselet.model.report import cell, plain, text_table
from pulselet.model.resampling import NOTHING, RESAMPLES, Floats, Ints, draws, interval, quantile, summed
from pulselet.windows.labelled import identities

SHIFTS = 100  # of the same alarms round each recording: what chance finds
NAMES = {
    "sensitivity": "event sensitivity",
    "ppv": "event PPV",
    "f1": "F1",
    "false_per_hour": "false alarms per hour",
    "delay_median_s": "delay, median, s",
    "delay_p90_s": "delay, 90th percentile, s",
    "duration_sensitivity": "duration sensitivity",
    "duration_ppv": "duration PPV",
}
OF_SUMS = ("sensitivity", "ppv", "f1", "false_per_hour", "duration_sensitivity", "duration_ppv")


@dataclass(frozen=True, eq=False)
class EventReport:
    """How well events were found; a figure that is undefined is NaN, and null in JSON.

    The intervals are 95 % percentile bootstrap intervals over people.

    Attributes
    ----------
    events, found, missed, false_alarms
        True events, alarms, events that no alarm found, and alarms without an event.
    hours
        Of all recordings, events among them.
    rule
        In words, what counts as found.
    figures, intervals
        By the names of `NAMES`.
    chance
        What the same alarms find on average when they are shifted round each recording by random times.
    by_subject
        Events, alarms, sensitivity, PPV and false alarms per hour, by person.
    without_most
        The figures without the person who has most events, and who that is.
    """

    subjects: tuple[str, ...]
    events: int
    found: int
    missed: int
    false_alarms: int
    hours: float
    rule: str
    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    chance: dict[str, float]
    by_subject: dict[str, dict[str, float]]
    without_most: dict[str, Any]
    provenance: dict[str, Any]

    def to_json(self) -> str:
        """Return the report as a JSON object."""
        return json.dumps(plain(vars(self)), indent=2, allow_nan=False)

    def to_html(self) -> str:
        """Return the report as one HTML page."""
        from pulselet.model.report_page import document, table

        people = [["person", *next(iter(self.by_subject.values()))]]
        people += [[who, *(f"{value:.6g}" for value in one.values())] for who, one in self.by_subject.items()]
        lead = str(self).partition("\n")[0]
        parts = [f"<p>{lead}</p>", f"<p>{self.rule}</p>", table(self.rows()), "<h2>By person</h2>", table(people)]
        return document("Events", parts, self.provenance)

    def rows(self) -> list[list[str]]:
        """Return a table: the figures, those of chance, and those without the person who has most events."""
        rest = self.without_most.get("figures", {})
        rows = [["", "found", "chance", f"without {self.without_most.get('subject', '-')}"]]
        for name in self.figures:
            others = [cell(part.get(name, math.nan), NOTHING) for part in (self.chance, rest)]
            rows.append([NAMES[name], cell(self.figures[name], self.intervals[name]), *others])
        return rows

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.events} events of {len(self.subjects)} people in {self.hours:.2f} h: {self.missed} missed; "
                f"{self.found} alarms: {self.false_alarms} false; 95 % intervals over people",
                *text_table(self.rows()),
                self.rule,
            ]
        )


def event_figures(
    true_intervals: Sequence[Any],
    found_intervals: Sequence[Any],
    duration_s: Sequence[float],
    subjects: Sequence[Any],
    *,
    overlap: float = 0.0,
    early_s: float = 0.0,
    late_s: float = 0.0,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> EventReport:
    """Return how well the events of recordings were found.

    An event is found if alarms cover more than the share `overlap` of it; an alarm is true if events cover more than
    that share of it; one alarm may find two events, and two alarms one (the episodes of ANSI/AAMI EC57). An instant,
    an interval that ends when it begins, is covered if it lies within the other, ends included. The delay of an event
    that was found is the begin of the first alarm that touches it minus its own, negative if the alarm was early.

    Parameters
    ----------
    true_intervals, found_intervals
        For each recording, begins and ends `(k, 2)` in seconds from its start; each list in ascending order, apart.
    duration_s, subjects
        Length and wearer of each recording.
    overlap
        From 0, where any touch will do, to below 1.
    early_s, late_s
        Tolerance: how far before its begin and after its end an event still counts.
    seed, resamples
        Of the bootstrap over people, and of the shifts that show what chance finds.

    Raises
    ------
    ModelError
        If the lists differ in length, an interval ends before it begins, lies outside its recording or overlaps the one
        before it, or there is no recording.
    PipelineError
        If a subject is neither a whole number nor text.
    """
    _check(len(true_intervals), len(found_intervals), len(duration_s), len(subjects), overlap, min(early_s, late_s))
    lengths = np.asarray(duration_s, np.float64)
    true, found = (
        [intervals_of(name, one, length, i) for i, (one, length) in enumerate(zip(lists, lengths, strict=True))]
        for name, lists in (("event", true_intervals), ("alarm", found_intervals))
    )
    people, person = np.unique(identities(subjects), return_inverse=True)
    rule = (overlap, early_s, late_s)
    matched = [match(*pair, *rule) for pair in zip(true, found, strict=True)]
    sums = _sums(matched, lengths, person, len(people))
    drawn = draws(len(people), resamples, seed)
    delays = _Delays(matched, person)
    everyone = np.ones(len(people), np.int64)
    values = _figures(sums.sum(axis=0)) | delays.quantiles(everyone)
    spread = {name: interval(column) for name, column in _ratios(summed(drawn, sums)).items()}
    late = [delays.quantiles(weights) for weights in drawn]
    names = tuple(str(who) for who in people.tolist())
    total = sums.sum(axis=0)
    return EventReport(
        subjects=names,
        events=int(total[EVENTS]),
        found=int(total[ALARMS]),
        missed=int(total[EVENTS] - total[HIT]),
        false_alarms=int(total[ALARMS] - total[RIGHT]),
        hours=float(total[HOURS]),
        rule=_rule(*rule),
        figures={name: values[name] for name in NAMES},
        intervals=spread | {name: interval(np.array([one[name] for one in late])) for name in DELAYS},
        chance=_chance(true, found, lengths, rule, seed),
        by_subject={name: _of_person(sums[i]) for i, name in enumerate(names)},
        without_most=_without(sums, delays, names),
        provenance={
            "command": provenance.command(),
            "versions": provenance.versions(),
            "seed": seed,
            "resamples": resamples,
            "sha256": provenance.digest(*true, *found, lengths, person.astype(np.float64)),
        },
    )


EVENTS, HIT, ALARMS, RIGHT, HOURS, TRUE_S, FOUND_S, BOTH_S = range(8)  # columns of the sums of each person
DELAYS = {"delay_median_s": 0.5, "delay_p90_s": 0.9}


def _sums(matched: Sequence[Matched], lengths: Floats, person: Ints, people: int) -> Floats:
    sums = np.zeros((people, 8))
    for one, length, who in zip(matched, lengths, person, strict=True):
        counts = (len(one.hit), one.hit.sum(), len(one.right), one.right.sum())
        sums[who] += (*counts, length / 3600, one.true_s, one.found_s, one.both_s)
    return sums


def _ratios(sums: Floats) -> dict[str, Floats]:
    """Return the figures of sums `(..., 8)`."""
    sensitivity, ppv = ratio(sums[..., HIT], sums[..., EVENTS]), ratio(sums[..., RIGHT], sums[..., ALARMS])
    return {
        "sensitivity": sensitivity,
        "ppv": ppv,
        "f1": _harmonic(sensitivity, ppv, sums),
        "false_per_hour": ratio(sums[..., ALARMS] - sums[..., RIGHT], sums[..., HOURS]),
        "duration_sensitivity": ratio(sums[..., BOTH_S], sums[..., TRUE_S]),
        "duration_ppv": ratio(sums[..., BOTH_S], sums[..., FOUND_S]),
    }


def _harmonic(sensitivity: Floats, ppv: Floats, sums: Floats) -> Floats:
    """Return F1, the harmonic mean of both; 0 where events and alarms do not meet, NaN where there are neither."""
    mean = 2 * ratio(sensitivity * ppv, sensitivity + ppv)
    some = (sums[..., EVENTS] + sums[..., ALARMS]) > 0
    apart = (sums[..., HIT] == 0) | (sums[..., RIGHT] == 0)
    return np.where(some & apart, 0.0, mean)


def _figures(sums: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in _ratios(sums).items()}


class _Delays:
    """Delays of the events that were found, in ascending order, and whose they are."""

    def __init__(self, matched: Sequence[Matched], person: Ints) -> None:
        delay = np.concatenate([one.delay_s for one in matched])
        whose = np.concatenate([np.full(len(one.delay_s), who) for one, who in zip(matched, person, strict=True)])
        order = np.argsort(delay, kind="stable")
        self._delay, self._whose = delay[order], whose[order]

    def quantiles(self, weights: Ints) -> dict[str, float]:
        """Return median and 90th percentile with each person counted `weights` times."""
        return {name: quantile(self._delay, q, weights[self._whose]) for name, q in DELAYS.items()}


def _chance(
    true: Sequence[Floats], found: Sequence[Floats], lengths: Floats, rule: tuple[float, float, float], seed: int
) -> dict[str, float]:
    """Return the mean figures of the same alarms, shifted round each recording by random times."""
    rng = np.random.default_rng(seed)
    person = np.zeros(len(true), np.int64)
    sums = np.zeros(8)
    for _ in range(SHIFTS):
        moved = [shifted(one, length, rng.random()) for one, length in zip(found, lengths, strict=True)]
        matched = [match(*pair, *rule) for pair in zip(true, moved, strict=True)]
        sums += _sums(matched, lengths, person, 1)[0]
    return _figures(sums)


def _of_person(sums: Floats) -> dict[str, float]:
    values = _figures(sums)
    kept = {name: values[name] for name in ("sensitivity", "ppv", "false_per_hour")}
    return {"events": int(sums[EVENTS]), "alarms": int(sums[ALARMS]), "hours": float(sums[HOURS]), **kept}


def _without(sums: Floats, delays: _Delays, names: Sequence[str]) -> dict[str, Any]:
    if len(names) < 2 or not sums[:, EVENTS].any():
        return {}
    most = int(sums[:, EVENTS].argmax())
    weights = np.ones(len(names), np.int64)
    weights[most] = 0
    rest = _figures(sums.sum(axis=0) - sums[most]) | delays.quantiles(weights)
    return {
        "subject": names[most],
        "share": float(sums[most, EVENTS] / sums[:, EVENTS].sum()),
        "figures": {name: rest[name] for name in NAMES},
    }


def _rule(overlap: float, early_s: float, late_s: float) -> str:
    share = "at all" if overlap == 0 else f"by more than {overlap:.0%}"
    reach = f", {early_s:g} s before to {late_s:g} s after it" if early_s or late_s else ""
    return f"an event is found, and an alarm true, if the others cover it {share}{reach}"


def _check(true: int, found: int, lengths: int, people: int, overlap: float, tolerance: float) -> None:
    if true == 0 or len({true, found, lengths, people}) != 1:
        got = f"{true}, {found}, {lengths} and {people}"
        raise ModelError(f"wanted events, alarms, length and wearer of each recording, at least one, got {got}")
    if not 0 <= overlap < 1 or not tolerance >= 0:
        raise ModelError(
            f"wanted an overlap from 0 to below 1 and tolerances of 0 s or more, got {overlap}, {tolerance}"
        )
