"""Heart-rate figures by hand, and Bland-Altman against the components of variance that made the data."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from pulselet.errors import ModelError
from pulselet.model import RateReport, rate_figures
from pulselet.model.bland_altman import limits_of, of_differences

NAN = math.nan
# Person a: errors 0, +2, -10, one window without a value. Person b: errors +4, +4; one window without a true rate.
TRUE = np.array([60, 60, 80, 80, 100, 100, NAN])
FOUND = np.array([60, 62, 70, NAN, 104, 104, 90])
WHO = np.array(["a", "a", "a", "a", "b", "b", "b"])


@pytest.fixture
def report() -> RateReport:
    return rate_figures(TRUE, FOUND, WHO, confidence=np.array([9, 8, 1, 0, 7, 6, 5]))


def test_figures_by_hand(report: RateReport) -> None:
    assert (report.windows, report.without_value, report.without_truth) == (6, 1, 1)
    assert report.figures["mae"] == 20 / 5
    assert report.figures["median"] == 4
    assert report.figures["p90"] == pytest.approx(4 + 0.6 * 6)  # of 0, 2, 4, 4, 10
    assert report.figures["rmse"] == pytest.approx(math.sqrt((4 + 100 + 16 + 16) / 5))
    assert report.figures["within"] == 4 / 6
    assert report.figures["within_answered"] == 4 / 5
    assert report.figures["answered"] == 5 / 6
    assert report.figures["bias"] == 0


def test_a_window_without_a_value_is_not_within_and_not_an_error(report: RateReport) -> None:
    assert report.by_subject["a"] == {"windows": 4, "values": 3, "mae": 4.0, "bias": -8 / 3, "within": 2 / 4}


def test_the_constant_is_the_median_of_the_other_people(report: RateReport) -> None:
    # a gets 100 (errors 40, 40, 20, 20), b gets 70 (errors 30, 30).
    assert report.naive["mae"] == 180 / 6
    assert report.gain == 160 / 5 - 4  # both without the window that has no value


def test_error_against_coverage_by_hand(report: RateReport) -> None:
    # Surest first: errors 0, 2, 4, 4, 10 of six windows; the last share is that of the windows with a value.
    assert [share for share, _ in report.error_at_coverage][-1] == pytest.approx(5 / 6)
    by_share = {round(share, 3): error for share, error in report.error_at_coverage}
    assert by_share[0.1] == 0
    assert by_share[0.5] == 2
    assert by_share[0.833] == 4


def test_figures_without_the_person_who_adds_most_to_the_error(report: RateReport) -> None:
    assert report.without_worst["subject"] == "a"
    assert report.without_worst["figures"]["mae"] == 4
    assert report.without_worst["figures"]["within"] == 1


def test_limits_of_agreement_by_hand() -> None:
    # Three people with 2, 2 and 3 windows: MSW = (2 + 2 + 2) / 4, MSB = 150 / 7, m0 = (49 - 17) / (2 * 7).
    difference, who = np.array([0.0, 2, 4, 6, 4, 5, 6]), np.array([1, 1, 2, 2, 3, 3, 3])
    mean = 27 / 7
    msb = (2 * (1 - mean) ** 2 + 2 * (5 - mean) ** 2 + 3 * (5 - mean) ** 2) / 2
    between = (msb - 1.5) / (32 / 14)
    found = of_differences(difference, who)
    assert found.bias == pytest.approx(mean)
    assert found.within_sd**2 == pytest.approx(1.5)
    assert found.between_sd**2 == pytest.approx(between)
    assert found.upper - found.bias == pytest.approx(1.96 * math.sqrt(1.5 + between))


def test_limits_find_the_components_of_variance_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(400), rng.integers(2, 30, 400))
    difference = 1.0 + 3.0 * rng.normal(size=400)[who] + 2.0 * rng.normal(size=len(who))
    found = of_differences(difference, who)
    assert found.within_sd == pytest.approx(2.0, rel=0.03)
    assert found.between_sd == pytest.approx(3.0, rel=0.08)


def test_limits_of_one_window_each_or_of_one_person_are_the_plain_ones() -> None:
    difference = np.array([1.0, 3.0, 8.0])
    for who in ([1, 2, 3], [1, 1, 1]):
        found = of_differences(difference, np.array(who))
        assert (found.upper - found.lower) / 2 == pytest.approx(1.96 * difference.std(ddof=1))
    assert math.isnan(of_differences(np.array([1.0]), np.array([1])).upper)


def test_no_variance_between_people_is_zero_and_not_negative() -> None:
    assert of_differences(np.array([0.0, 4, 0, 4]), np.array([1, 1, 2, 2])).between_sd == 0


def test_intervals_of_two_people_run_from_one_to_the_other(report: RateReport) -> None:
    assert report.intervals["within"] == (1 / 2, 1.0)
    assert report.intervals["bias"] == (pytest.approx(-8 / 3), 4.0)


def test_one_person_has_no_interval_and_no_constant() -> None:
    report = rate_figures(TRUE[:4], FOUND[:4], WHO[:4])
    assert all(map(math.isnan, report.intervals["mae"]))
    assert math.isnan(report.naive["mae"])
    assert report.error_at_coverage == ()


def test_a_method_that_finds_nothing_has_undefined_errors_and_none_within() -> None:
    report = rate_figures(TRUE, np.full(7, NAN), WHO, confidence=np.zeros(7))
    assert math.isnan(report.figures["mae"])
    assert report.figures["within"] == report.figures["answered"] == 0
    assert str(report)


def test_json_text_and_page(report: RateReport) -> None:
    read = json.loads(report.to_json())
    assert read["figures"]["mae"] == 4
    assert "pairs" not in read
    assert report.to_json() == rate_figures(TRUE, FOUND, WHO, confidence=np.array([9, 8, 1, 0, 7, 6, 5])).to_json()
    assert "share within 5 bpm, of all windows" in str(report)
    pytest.importorskip("matplotlib")
    page = report.to_html()
    assert page == report.to_html()
    assert page.count("data:image/png") == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"true_bpm": TRUE[:3]}, "equally many"),
        ({"found_bpm": np.where(np.isnan(FOUND), 0, FOUND)}, "above 0 bpm"),
        ({"found_bpm": np.where(np.isnan(FOUND), np.inf, FOUND)}, "above 0 bpm"),
        ({"true_bpm": np.full(7, NAN)}, "no window"),
        ({"confidence": np.full(7, NAN)}, "confidence"),
    ],
)
def test_rates_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        rate_figures(**{"true_bpm": TRUE, "found_bpm": FOUND, "subjects": WHO, **change})


@pytest.mark.parametrize("same", [0.1, 0.7, 3.3])
@pytest.mark.parametrize("count", [3, 7, 10])
def test_equal_differences_have_limits_without_width(same: float, count: int) -> None:
    # Squares and their mean differ by a rounding error here, which may be below zero.
    found = of_differences(np.full(count, same), np.arange(count))
    assert (found.bias, found.lower, found.upper) == pytest.approx((same, same, same), abs=1e-6)


def test_silence_in_hard_windows_gains_nothing() -> None:
    # b's rates are 100; the constant of all others is 60, and the method says 60 too, where it says anything.
    true, who = np.array([60.0, 60, 60, 100, 61]), np.array(["a", "a", "c", "b", "b"])
    silent = rate_figures(true, np.array([60.0, 60, 60, NAN, 60]), who)
    constant = np.median(true[2:]), np.median(true[[0, 1, 3, 4]]), 60.0  # of a, c and b
    errors = [abs(60 - constant[0])] * 2 + [abs(60 - constant[1]), abs(61 - constant[2])]
    assert silent.gain == pytest.approx(np.mean(errors) - 1 / 4)


def test_limits_are_those_that_bland_and_altman_print() -> None:
    # Cardiac output by two methods, 60 pairs of 12 people, true values that vary (2007, section 3): what their analysis
    # of variance prints, and the limits that they draw from it.
    people, pairs, bias, within, between, divisor = 12, 60, 0.6021667, 0.170714026, 4.2090856, 4.9818182
    total = pairs * bias
    squares = pairs**2 - divisor * (people - 1) * pairs
    sums = (people, pairs, squares, total, between * (people - 1) + total * bias, within * (pairs - people))
    found = limits_of(np.array(sums, np.float64))
    assert found[:3] == pytest.approx((0.6021667, -1.3394565, 2.5437899), abs=2e-6)
    assert math.hypot(*found[3:]) == pytest.approx(0.99062408, abs=1e-6)
