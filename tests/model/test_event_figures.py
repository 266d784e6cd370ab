"""Events and sleep by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from pulselet.errors import ModelError
from pulselet.model import event_figures, sleep_figures
from pulselet.model.event_matching import match, shifted
from pulselet.model.events import EventReport

# a, one hour: found late by 5 s; found early by 2 s, by two alarms; missed. One false alarm.
# b, half an hour: found at once, of which a quarter is covered. No false alarm.
TRUE = [[(100, 120), (200, 220), (300, 310)], [(50, 90)]]
FOUND = [[(105, 118), (198, 202), (210, 215), (1000, 1010)], [(50, 60)]]
HOURS, WHO = [3600, 1800], ["a", "b"]


@pytest.fixture
def report() -> EventReport:
    return event_figures(TRUE, FOUND, HOURS, WHO)


def test_figures_by_hand(report: EventReport) -> None:
    assert (report.events, report.missed, report.found, report.false_alarms, report.hours) == (4, 1, 5, 1, 1.5)
    assert report.figures["sensitivity"] == 3 / 4
    assert report.figures["ppv"] == 4 / 5
    assert report.figures["f1"] == pytest.approx(2 * 0.75 * 0.8 / 1.55)
    assert report.figures["false_per_hour"] == pytest.approx(1 / 1.5)
    assert report.figures["delay_median_s"] == 0  # of -2, 0, 5
    assert report.figures["delay_p90_s"] == pytest.approx(4)
    assert report.figures["duration_sensitivity"] == pytest.approx((13 + 2 + 5 + 10) / 90)
    assert report.figures["duration_ppv"] == pytest.approx(30 / 42)


def test_a_share_to_be_covered_makes_events_harder_to_find() -> None:
    # Covered: 13/20, 7/20, 0, 10/40 of the events; all, 2/4, all, none, all of the alarms.
    half = event_figures(TRUE, FOUND, HOURS, WHO, overlap=0.5)
    assert (half.events - half.missed, half.found - half.false_alarms) == (1, 3)
    fifth = event_figures(TRUE, FOUND, HOURS, WHO, overlap=0.2)
    assert (fifth.events - fifth.missed, fifth.found - fifth.false_alarms) == (3, 4)


def test_tolerance_reaches_alarms_before_and_after() -> None:
    args: Any = ([[(100, 110)]], [[(95, 98), (112, 113)]], [3600], ["a"])
    assert event_figures(*args).figures["sensitivity"] == 0
    assert event_figures(*args, late_s=3).figures["delay_median_s"] == 12
    early = event_figures(*args, early_s=3)
    assert (early.missed, early.false_alarms, early.figures["delay_median_s"]) == (0, 1, -5)


def test_instants_are_found_where_they_lie() -> None:
    true, found = np.array([[10.0, 10.0], [20, 20], [30, 30]]), np.array([[10.0, 12], [20, 20], [31, 32]])
    matched = match(true, found, 0.5, 0, 0)
    assert matched.hit.tolist() == [True, True, False]
    assert matched.delay_s.tolist() == [0, 0]
    assert match(found[:1], true[:1], 0.0, 0, 0).hit.tolist() == [True]


def test_intervals_that_only_meet_do_not_touch() -> None:
    assert not match(np.array([[0.0, 10]]), np.array([[10.0, 20]]), 0.0, 0, 0).hit.any()


def test_nothing_to_find_and_nothing_found() -> None:
    quiet = event_figures([[]], [[]], [3600], ["a"])
    assert math.isnan(quiet.figures["sensitivity"])
    assert math.isnan(quiet.figures["f1"])
    assert quiet.figures["false_per_hour"] == 0
    silent = event_figures([[(1, 2)]], [[]], [3600], ["a"])
    assert (silent.figures["sensitivity"], silent.figures["f1"]) == (0, 0)
    assert math.isnan(silent.figures["ppv"])
    loud = event_figures([[]], [[(1, 2)]], [3600], ["a"])
    assert (loud.figures["ppv"], loud.figures["f1"], loud.figures["false_per_hour"]) == (0, 0, 1)


def test_intervals_over_people_and_the_figures_without_the_one_with_most_events(report: EventReport) -> None:
    assert report.intervals["sensitivity"] == (pytest.approx(2 / 3), 1.0)
    assert report.without_most["subject"] == "a"
    assert report.without_most["share"] == 3 / 4
    assert report.without_most["figures"]["sensitivity"] == 1
    assert math.isnan(event_figures(TRUE[:1], FOUND[:1], HOURS[:1], WHO[:1]).intervals["sensitivity"][0])


def test_chance_finds_what_the_share_of_alarmed_time_says() -> None:
    # Alarms of 10 s cover a tenth of the time; events of 10 s touch one at a fifth of the places.
    events = [[(50.0 + 100 * i, 60.0 + 100 * i) for i in range(30)]]
    alarms = [[(20.0 + 90 * i, 30.0 + 90 * i) for i in range(33)]]
    report = event_figures(events, alarms, [3000], ["a"])
    assert report.chance["sensitivity"] == pytest.approx(0.22, abs=0.02)
    assert report.chance["duration_ppv"] == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("place", [0.0, 0.1, 0.37, 0.5, 0.99])
def test_a_shift_keeps_every_alarm_whole_and_apart(place: float) -> None:
    alarms = np.array([[0.0, 5], [10, 40], [60, 60], [90, 100]])
    moved = shifted(alarms, 100.0, place)
    assert sorted((moved[:, 1] - moved[:, 0]).round(9).tolist()) == [0, 5, 10, 30]
    assert (moved[1:, 0] >= moved[:-1, 1] - 1e-9).all()
    assert moved.min() >= 0
    assert moved.max() <= 100


def test_alarms_without_a_pause_cannot_be_shifted() -> None:
    assert shifted(np.array([[0.0, 50], [50, 100]]), 100.0, 0.3).tolist() == [[0, 50], [50, 100]]


def test_event_report_as_json_text_and_page(report: EventReport) -> None:
    assert json.loads(report.to_json())["figures"]["sensitivity"] == 0.75
    assert report.to_json() == event_figures(TRUE, FOUND, HOURS, WHO).to_json()
    assert "1 missed; 5 alarms: 1 false" in str(report)
    assert "event sensitivity" in report.to_html()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"true_intervals": TRUE[:1]}, "wanted events, alarms"),
        ({"found_intervals": [[(5, 4)], []]}, "recording 0: alarm 0, 5 to 4 s, ends before it begins"),
        ({"found_intervals": [[], [(1799, 1801)]]}, "recording 1: alarm 0.*outside"),
        ({"found_intervals": [[(1, 5), (4, 6)], []]}, "alarm 1.*before the last has ended"),
        ({"true_intervals": [[1, 2, 3], []]}, "begin and end"),
        ({"duration_s": [0, 1800]}, "duration above 0"),
        ({"overlap": 1.0}, "overlap"),
        ({"early_s": -1.0}, "tolerances"),
    ],
)
def test_events_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    good = {"true_intervals": TRUE, "found_intervals": FOUND, "duration_s": HOURS, "subjects": WHO}
    with pytest.raises(ModelError, match=message):
        event_figures(**{**good, **change})


STAGES = ("W", "N", "R")
NIGHT = np.array([0, 0, 1, 1, 0, 2, 1, 0, -1, 0])
SAID = np.array([0, 1, 1, 1, 1, 2, -1, 0, 1, 0])


def test_sleep_figures_by_hand() -> None:
    other = np.array([0, 1, 1, 1])
    report = sleep_figures([NIGHT, other], [SAID, other], ["a", "b"], STAGES, epoch_s=30.0, wake="W")
    assert report.unscored == 1
    assert report.epochs.accuracy == (6 + 4) / 13
    who, true, found = report.nights[0]
    assert (who, true.tst, true.sol, true.waso) == ("a", 2.0, 1.0, 1.5)
    assert (found.tst, found.sol, found.waso) == (2.5, 0.5, 1.0)
    assert report.errors["tst"].bias == 0.25
    assert report.absolute == {"tst": 0.25, "sol": 0.25, "waso": 0.25}
    assert report.always.accuracy == (3 + 1) / 13  # a is called N as b, b is called W as a
    assert "total sleep time" in str(report)
    assert json.loads(report.to_json())["unscored"] == 1


def test_a_night_without_sleep_has_no_onset() -> None:
    report = sleep_figures([np.zeros(4, int)], [np.array([0, 1, 0, 0])], ["a"], STAGES, epoch_s=30.0, wake="W")
    assert report.nights[0][1].tst == 0
    assert math.isnan(report.nights[0][1].sol)
    assert math.isnan(report.absolute["sol"])


@pytest.mark.parametrize(
    ("true", "found", "wake"),
    [
        ([NIGHT], [SAID[:3]], "W"),
        ([NIGHT], [SAID], "Wake"),
        ([NIGHT], [SAID + 2], "W"),
        ([NIGHT * 0 - 1], [SAID], "W"),
        ([], [], "W"),
    ],
)
def test_nights_that_do_not_fit_are_refused(true: Any, found: Any, wake: str) -> None:
    with pytest.raises(ModelError):
        sleep_figures(true, found, ["a"] * len(true), STAGES, epoch_s=30.0, wake=wake)


def test_a_night_that_nobody_scored_has_no_times() -> None:
    true = [np.full(4, -1), np.array([0, 1, 1, 1])]
    found = [np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])]
    report = sleep_figures(true, found, ["a", "b"], STAGES, epoch_s=60.0, wake="W")
    assert report.absolute["tst"] == 1  # of the other night alone: 3 and 2 min of sleep
    assert report.unscored == 4
