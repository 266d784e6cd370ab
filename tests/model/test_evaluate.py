"""Figures against hand calculation."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from pulselet.errors import ModelError
from pulselet.model.evaluate import Report, evaluate

# Person 7: five windows, three right. Person 9: three windows, all right.
Y = np.array([0, 0, 0, 1, 1, 0, 1, 1])
PREDICTED = np.array([0, 0, 1, 1, 0, 0, 1, 1])
SUBJECTS = np.array([7, 7, 7, 7, 7, 9, 9, 9])


@pytest.fixture
def report() -> Report:
    return evaluate(Y, PREDICTED, SUBJECTS, ("rest", "walk", "run"))


def test_rows_of_the_confusion_are_true_classes(report: Report) -> None:
    assert report.confusion.tolist() == [[3, 1, 0], [1, 3, 0], [0, 0, 0]]


def test_figures_of_each_class_by_hand() -> None:
    report = evaluate(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0]), np.zeros(6), ("a", "b"))
    assert report.sensitivity.tolist() == [3 / 4, 1 / 2]
    assert report.ppv.tolist() == [3 / 4, 1 / 2]
    assert report.f1.tolist() == [6 / 8, 2 / 4]
    assert report.macro_f1 == 0.625
    assert report.accuracy == 4 / 6


def test_a_class_that_never_occurs_is_undefined_and_outside_the_mean(report: Report) -> None:
    assert math.isnan(report.sensitivity[2])
    assert math.isnan(report.ppv[2])
    assert report.macro_f1 == 0.75


def test_a_class_that_is_never_predicted_has_f1_zero() -> None:
    report = evaluate(np.array([0, 1]), np.array([0, 0]), np.zeros(2), ("a", "b"))
    assert report.f1.tolist() == [2 / 3, 0.0]
    assert math.isnan(report.ppv[1])


def test_accuracy_of_each_person(report: Report) -> None:
    assert report.accuracy == 6 / 8
    assert report.subject_accuracy == {"7": 3 / 5, "9": 1.0}


def test_interval_over_two_people_runs_from_the_worse_to_the_better(report: Report) -> None:
    # Of draws of two people, a quarter is 7 twice and a quarter is 9 twice: both lie beyond the 2.5 % tails.
    assert report.accuracy_interval == (3 / 5, 1.0)


def test_the_bootstrap_repeats_under_its_seed() -> None:
    rng = np.random.default_rng(1)
    y, predicted, subjects = rng.integers(0, 3, 300), rng.integers(0, 3, 300), rng.integers(0, 9, 300)
    one, two = (evaluate(y, predicted, subjects, ("a", "b", "c"), seed=4) for _ in range(2))
    assert one.macro_f1_interval == two.macro_f1_interval
    assert one.macro_f1_interval[0] < one.macro_f1 < one.macro_f1_interval[1]


def test_one_person_gives_no_interval() -> None:
    report = evaluate(np.array([0, 1]), np.array([0, 1]), np.array([3, 3]), ("a", "b"))
    assert all(math.isnan(edge) for edge in report.accuracy_interval)


def test_json_holds_null_for_what_is_undefined(report: Report) -> None:
    read = json.loads(report.to_json())
    assert read["sensitivity"] == [0.75, 0.75, None]
    assert read["subject_accuracy"] == {"7": 0.6, "9": 1.0}
    assert read["confusion"][0] == [3, 1, 0]


def test_the_table_names_every_class_and_the_interval(report: Report) -> None:
    lines = str(report).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["rest", "walk", "run"]
    assert "accuracy 0.750, 95 % interval over 2 people 0.600-1.000" in lines


@pytest.mark.parametrize(
    ("y", "predicted", "subjects"),
    [([], [], []), ([0], [0, 1], [1]), ([0], [0], [1, 2]), ([3], [0], [1]), ([0], [-1], [1])],
)
def test_arrays_that_do_not_fit_are_refused(y: list[int], predicted: list[int], subjects: list[int]) -> None:
    with pytest.raises(ModelError):
        evaluate(np.array(y, int), np.array(predicted, int), np.array(subjects, int), ("a", "b", "c"))
