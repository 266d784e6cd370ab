"""Figures against hand calculation and scikit-learn, and what an evaluation refuses."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pulselet.errors import LeakError, ModelError, PipelineError
from pulselet.model import Fold, evaluate, figures
from pulselet.model.measure import Figures
from pulselet.windows import Counts, Seen, Windows

# Person 7: five windows, three right. Person 9: three windows, all right.
Y = np.array([0, 0, 0, 1, 1, 0, 1, 1])
PREDICTED = np.array([0, 0, 1, 1, 0, 0, 1, 1])
SUBJECTS = np.array([7, 7, 7, 7, 7, 9, 9, 9])
LABELS = ("rest", "walk", "run")


def windows(y: Any, subject: Any, start: int = 0, labels: tuple[str, ...] = ("a", "b"), **more: Any) -> Windows:
    """Return windows of noise, each with a place of its own in the recording of its subject."""
    y, subject = np.asarray(y), np.asarray(subject)
    x = np.random.default_rng([start, *subject.tolist()]).normal(size=(len(y), 40, 1)).astype(np.float32)
    recording = np.array([f"set/{who}" for who in subject.tolist()])
    at = start + np.arange(len(y), dtype=float)
    return Windows(x, y, subject, labels, recording=recording, start_s=at, end_s=at + 1, **more)


def trained_on(*y: int, who: int = 1) -> Seen:
    return Seen().add(windows(list(y), [who] * len(y)), "training")


@pytest.fixture
def found() -> Figures:
    return figures(Y, PREDICTED, SUBJECTS, LABELS)


def test_rows_of_the_confusion_are_true_classes_and_the_last_column_abstains(found: Figures) -> None:
    assert found.confusion.tolist() == [[3, 1, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0]]


def test_figures_of_each_class_by_hand() -> None:
    found = figures(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0]), np.zeros(6), ("a", "b"))
    assert found.sensitivity.tolist() == [3 / 4, 1 / 2]
    assert found.by_class["specificity"].tolist() == [1 / 2, 3 / 4]
    assert found.ppv.tolist() == [3 / 4, 1 / 2]
    assert found.f1.tolist() == [6 / 8, 2 / 4]
    assert found.macro_f1 == 0.625
    assert found.scalars["weighted_f1"] == pytest.approx((4 * 0.75 + 2 * 0.5) / 6)
    assert found.scalars["balanced_accuracy"] == 0.625
    assert found.accuracy == 4 / 6
    assert found.scalars["kappa"] == pytest.approx((4 / 6 - 20 / 36) / (1 - 20 / 36))


def test_a_class_that_never_occurs_is_undefined_and_outside_the_mean(found: Figures) -> None:
    assert math.isnan(found.sensitivity[2])
    assert math.isnan(found.ppv[2])
    assert found.macro_f1 == 0.75


def test_a_class_that_is_never_predicted_has_f1_zero() -> None:
    found = figures(np.array([0, 1]), np.array([0, 0]), np.zeros(2), ("a", "b"))
    assert found.f1.tolist() == [2 / 3, 0.0]
    assert math.isnan(found.ppv[1])


def test_an_abstention_is_an_error_and_is_counted() -> None:
    found = figures(np.array([0, 0, 1, 1]), np.array([0, -1, 1, 0]), np.zeros(4), ("a", "b"))
    assert found.confusion.tolist() == [[1, 0, 1], [1, 1, 0]]
    assert found.accuracy == 2 / 4
    assert found.scalars["answered"] == 3 / 4
    assert found.scalars["accuracy_answered"] == 2 / 3
    assert found.sensitivity.tolist() == [1 / 2, 1 / 2]
    assert found.ppv.tolist() == [1 / 2, 1.0]


def test_figures_equal_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    y = rng.integers(0, 4, 500)
    logits = rng.normal(size=(500, 4)) + np.eye(4)[y]
    said = logits.argmax(axis=1)
    found = figures(y, logits, rng.integers(0, 6, 500), tuple("abcd"), resamples=10)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert found.macro_f1 == pytest.approx(metrics.f1_score(y, said, average="macro"))
    assert found.scalars["weighted_f1"] == pytest.approx(metrics.f1_score(y, said, average="weighted"))
    assert found.scalars["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, said))
    assert found.scalars["kappa"] == pytest.approx(metrics.cohen_kappa_score(y, said))
    assert found.scalars["nll"] == pytest.approx(metrics.log_loss(y, shares))
    assert found.scalars["macro_auroc"] == pytest.approx(metrics.roc_auc_score(y, shares, multi_class="ovr"))
    for i in range(4):
        assert found.by_class["auprc"][i] == pytest.approx(metrics.average_precision_score(y == i, shares[:, i]))


def test_accuracy_of_each_person(found: Figures) -> None:
    assert found.accuracy == 6 / 8
    assert {who: one["accuracy"] for who, one in found.by_subject.items()} == {"7": 3 / 5, "9": 1.0}


def test_interval_over_two_people_runs_from_the_worse_to_the_better(found: Figures) -> None:
    # Of draws of two people, a quarter is 7 twice and a quarter is 9 twice: both lie beyond the 2.5 % tails.
    assert found.intervals["accuracy"] == (3 / 5, 1.0)


def test_the_bootstrap_repeats_under_its_seed() -> None:
    rng = np.random.default_rng(1)
    y, predicted, subjects = rng.integers(0, 3, 300), rng.integers(0, 3, 300), rng.integers(0, 9, 300)
    one, two = (figures(y, predicted, subjects, ("a", "b", "c"), seed=4) for _ in range(2))
    assert one.intervals == two.intervals
    assert one.intervals["macro_f1"][0] < one.macro_f1 < one.intervals["macro_f1"][1]


def test_one_person_gives_no_interval() -> None:
    found = figures(np.array([0, 1]), np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([3, 3]), ("a", "b"))
    assert all(math.isnan(edge) for edges in found.intervals.values() for edge in edges)
    assert found.without == ()


def test_a_class_of_one_person_has_no_interval_and_no_figure_without_them() -> None:
    y, subjects = np.array([0, 1, 0, 0]), np.array([1, 1, 2, 3])
    found = figures(y, y, subjects, ("a", "b"))
    assert math.isnan(found.class_intervals["sensitivity"][1][0])
    assert found.class_intervals["sensitivity"][0] == (1.0, 1.0)
    carried = found.without[1]
    assert (carried.label, carried.subject, carried.share) == ("b", "1", 1.0)
    assert math.isnan(carried.sensitivity)
    assert carried.accuracy == 1.0


def test_figures_without_the_person_who_carries_most_by_hand(found: Figures) -> None:
    # Person 7 has three of four windows of rest; of person 9's three windows all are right.
    assert (found.without[0].subject, found.without[0].share, found.without[0].f1) == ("7", 0.75, 1.0)


@pytest.mark.parametrize(
    ("y", "predicted", "subjects"),
    [
        ([], [], []),
        ([0], [0, 1], [1]),
        ([0], [0], [1, 2]),
        ([3], [0], [1]),
        ([0], [-2], [1]),
        ([0], [3], [1]),
        ([-1], [0], [1]),
        ([0], [0.0], [1]),
        ([0], [[0.1, 0.9]], [1]),
        ([0], [[0.1, 0.2, np.nan]], [1]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(y: list[int], predicted: Any, subjects: list[int]) -> None:
    predicted = np.array(predicted) if predicted else np.array(predicted, int)
    with pytest.raises(ModelError):
        figures(np.array(y, int), predicted, np.array(subjects, int), ("a", "b", "c"))


def test_folds_are_pooled_and_people_keep_their_name() -> None:
    folds = [
        Fold(windows([0, 1, 1], [5, 5, 5]), {"int8": np.array([0, 1, 0])}, trained_on(0, 1)),
        Fold(windows([0, 0], [6, 6]), {"int8": np.array([0, 1])}, trained_on(0, 1)),
    ]
    report = evaluate(folds)
    assert report.figures.confusion.tolist() == [[2, 1, 0], [1, 1, 0]]
    assert {who: one["accuracy"] for who, one in report.figures.by_subject.items()} == {"5": 2 / 3, "6": 1 / 2}


def test_a_person_who_was_trained_on_is_a_leak() -> None:
    with pytest.raises(LeakError):
        evaluate(Fold(windows([0, 1], [1, 1], start=50), {"int8": np.array([0, 1])}, trained_on(0, 1, who=1)))


def test_simulated_windows_are_never_reported_on() -> None:
    test = windows([0, 1], [5, 5], simulated=np.array([False, True]))
    with pytest.raises(LeakError, match="simulated"):
        evaluate(Fold(test, {"int8": np.array([0, 1])}, trained_on(0, 1)))


def test_a_window_in_two_folds_is_refused() -> None:
    one = Fold(windows([0, 1], [5, 5]), {"int8": np.array([0, 1])}, trained_on(0, 1))
    with pytest.raises(ModelError, match="2 windows are in two folds"):
        evaluate([one, one])


def test_a_window_of_unknown_origin_is_known_by_its_content() -> None:
    whole = windows([0, 1], [5, 5])
    bare = Windows(whole.x, whole.y, whole.subject, whole.labels)
    fold = Fold(bare, {"int8": np.array([0, 1])}, trained_on(0, 1))
    with pytest.raises(ModelError, match="2 windows are in two folds"):
        evaluate([fold, fold])


def test_the_majority_is_that_of_the_training_side() -> None:
    # Trained on mostly b, tested on mostly a: naming b always is right once in four.
    fold = Fold(windows([0, 0, 0, 1], [5, 5, 6, 6]), {"int8": np.array([0, 0, 0, 1])}, trained_on(0, 1, 1))
    report = evaluate(fold)
    assert report["majority class"].confusion.tolist() == [[0, 3, 0], [0, 1, 0]]
    assert report["majority class"].accuracy == 1 / 4
    # Chance by prior: a with 1/3, b with 2/3.
    assert report["random by prior"].accuracy == pytest.approx((3 * 1 / 3 + 1 * 2 / 3) / 4)
    assert report["random by prior"].sensitivity.tolist() == pytest.approx([1 / 3, 2 / 3])


def test_a_fit_that_nothing_is_known_of_is_said_and_priors_are_of_the_test_side() -> None:
    report = evaluate(Fold(windows([0, 0, 1], [5, 5, 6]), {"int8": np.array([0, 0, 1])}, Seen()))
    assert report["majority class"].accuracy == 2 / 3
    assert any("not known" in note for note in report.notes)


def test_a_naive_method_stands_beside() -> None:
    fold = Fold(windows([0, 1], [5, 6]), {"int8": np.array([0, 1])}, trained_on(0, 1))
    report = evaluate(fold, baselines={"threshold": np.array([1, 1])})
    assert report["threshold"].accuracy == 1 / 2
    assert report.difference("accuracy", "int8", "threshold").value == 1 / 2
    with pytest.raises(ModelError, match="always there"):
        evaluate(fold, baselines={"majority class": np.array([1, 1])})


def test_whole_numbers_with_a_step_are_logits() -> None:
    test, scores = windows([0, 1], [5, 6]), np.array([[10, 0], [0, 20]], np.int8)
    with_step = evaluate(Fold(test, {"int8": scores}, trained_on(0, 1), {"int8": 0.1}))
    nll = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-2))) / 2
    assert with_step.figures.scalars["nll"] == pytest.approx(nll)
    without = evaluate(Fold(test, {"int8": scores}, trained_on(0, 1)))
    assert "nll" not in without.figures.scalars
    assert any("step" in note for note in without.notes)
    assert without.accuracy == with_step.accuracy == 1.0


def test_executions_are_compared_over_the_same_draws_of_people() -> None:
    # Float is right everywhere; int8 misses one of two windows of each person, so every draw differs by one half.
    y, who = [0, 1] * 6, np.repeat(np.arange(6) + 10, 2)
    outputs = {"float": np.array(y), "int8": np.array([0, 0] * 6)}
    report = evaluate(Fold(windows(y, who), outputs, trained_on(0, 1)))
    assert report.agreement == {"float = int8": 0.5}
    one = report.difference("accuracy", "float", "int8")
    assert (one.value, one.interval) == (0.5, (0.5, 0.5))


def test_a_missing_headline_is_refused_with_what_there_is() -> None:
    with pytest.raises(ModelError, match=r"'int8'.*\['float'\]"):
        evaluate(Fold(windows([0], [5]), {"float": np.array([0])}, trained_on(0, 1)))


def test_folds_that_differ_are_refused() -> None:
    one = Fold(windows([0], [5]), {"int8": np.array([0])}, trained_on(0, 1))
    other = Fold(windows([0], [6]), {"int8": np.array([0]), "float": np.array([0])}, trained_on(0, 1))
    with pytest.raises(ModelError, match="executions"):
        evaluate([one, other])
    relabelled = Fold(windows([0], [6], labels=("a", "c")), {"int8": np.array([0])}, Seen())
    with pytest.raises(ModelError, match="classes"):
        evaluate([one, relabelled])
    scored = Fold(windows([0], [6]), {"int8": np.array([[0.5, 0.5]])}, trained_on(0, 1))
    with pytest.raises(ModelError, match="scores in one fold"):
        evaluate([one, scored])
    with pytest.raises(ModelError, match="at least one fold"):
        evaluate([])


def test_what_a_report_does_not_have_is_refused_in_words() -> None:
    report = evaluate(Fold(windows([0, 1], [5, 6]), {"int8": np.array([0, 1])}, trained_on(0, 1)))
    with pytest.raises(ModelError, match="no execution or baseline 'float'"):
        report["float"]
    with pytest.raises(ModelError, match="'nll' is not a figure"):
        report.difference("nll", "int8", "majority class")


def test_person_5_of_one_set_is_not_person_5_of_another() -> None:
    one, other = windows([0, 1], [5, 5]), windows([0, 1], [5, 5], start=9)
    other = replace(other, recording=np.array(["other/5", "other/5"]))
    outputs = {"int8": np.array([0, 0])}
    report = evaluate([Fold(test, outputs, trained_on(0, 1)) for test in (one, other)])
    assert report.figures.subjects == ("other/5", "set/5")
    assert evaluate(Fold(one, outputs, trained_on(0, 1))).figures.subjects == ("5",)


def test_what_was_left_out_or_mended_is_said_once() -> None:
    people = [replace(windows([0, 1], [who, who]), dropped=Counts(gap=3), notes=("200: mended",)) for who in (5, 6)]
    report = evaluate([Fold(test, {"int8": np.array([0, 1])}, trained_on(0, 1)) for test in people])
    assert report.notes.count(f"when the set was cut, {Counts(gap=3)}") == 1
    assert "repairs of what was tested: 1, see provenance" in report.notes
    assert report.provenance["folds"][0]["test"]["repairs"] == ["200: mended"]


def test_windows_that_were_left_out_after_the_cut_are_told() -> None:
    test = windows([0, 1, 0, 1, 0], [2] * 5, of_recording={"set/2": 5})
    whole = evaluate(Fold(test, {"f": test.y}, trained_on(0, 1)), headline="f", resamples=2)
    easy = test.take(np.array([0, 1, 2]))
    some = evaluate(Fold(easy, {"f": easy.y}, trained_on(0, 1)), headline="f", resamples=2)
    said = "2 of 5 windows of the tested recordings were left out after the cut"
    assert said not in whole.notes
    assert said in some.notes
    parts = [Fold(part, {"f": part.y}, trained_on(0, 1)) for part in (easy, test.take(np.array([3, 4])))]
    assert said not in evaluate(parts, headline="f", resamples=2).notes


def test_a_window_that_is_in_a_fold_twice_is_refused_or_told() -> None:
    test = windows([0, 1, 0], [2] * 3).take(np.array([0, 0, 0, 1]))
    with pytest.raises(ModelError, match="2 windows are in a fold again"):
        evaluate(Fold(test, {"f": test.y}, trained_on(0, 1)), headline="f")
    nowhere = Windows(test.x, test.y, test.subject, test.labels)
    found = evaluate(Fold(nowhere, {"f": test.y}, trained_on(0, 1)), headline="f", resamples=2)
    assert "2 test windows have the values of another one of the same person" in found.notes


@pytest.mark.parametrize("scale", [0.0, -0.5, math.nan])
def test_a_step_that_is_not_above_0_is_refused(scale: float) -> None:
    test = windows([0, 1], [2, 2])
    outputs = {"int8": np.array([[5, 1], [1, 5]], np.int8)}
    with pytest.raises(ModelError, match="scale of 'int8' must be above 0"):
        evaluate(Fold(test, outputs, trained_on(0, 1), {"int8": scale}))


def test_probabilities_in_one_fold_and_logits_in_another_are_refused() -> None:
    shares = np.array([[0.9, 0.1], [0.2, 0.8]])
    folds = [
        Fold(windows([0, 1], [2, 2]), {"f": shares}, trained_on(0, 1)),
        Fold(windows([0, 1], [3, 3]), {"f": np.log(shares)}, trained_on(0, 1)),
    ]
    with pytest.raises(ModelError, match="probabilities in one fold and logits in another"):
        evaluate(folds, headline="f")


def test_a_test_of_one_class_has_no_areas() -> None:
    found = figures(np.zeros(4, int), np.array([[0.9, 0.1], [0.4, 0.6]] * 2), np.array([1, 1, 2, 2]), ("a", "b"))
    for name in ("macro_auroc", "macro_auprc"):
        assert math.isnan(found.scalars[name])
        assert np.isnan(found.intervals[name]).all()
    assert np.isnan(found.by_class["auprc"]).all()


def test_a_fit_on_other_classes_is_told() -> None:
    test = windows([0, 1], [2, 2])
    seen = Seen().add(windows([0, 1], [1, 1], labels=("c", "d")), "training")
    found = evaluate(Fold(test, {"f": test.y}, seen), headline="f", resamples=2)
    assert "no class that is tested was trained on: priors are of the test side" in found.notes


def test_windows_that_once_have_no_place_are_known_by_their_values() -> None:
    test = windows([0, 1], [2, 2])
    nowhere = Windows(test.x, test.y, test.subject, test.labels)
    folds = [Fold(one, {"f": one.y}, trained_on(0, 1)) for one in (test, nowhere)]
    with pytest.raises(ModelError, match="2 windows are in two folds"):
        evaluate(folds, headline="f")


def test_without_resamples_there_are_no_intervals() -> None:
    given = (Y, PREDICTED, SUBJECTS, LABELS)
    assert np.isnan(figures(*given, resamples=0).intervals["accuracy"]).all()
    with pytest.raises(ModelError, match="0 resamples or more"):
        figures(*given, resamples=-1)


def test_people_are_named_by_whole_numbers_or_text() -> None:
    given = (np.array([0, 1]), np.array([0, 1]))
    assert figures(*given, np.array([None, "a"], object), ("a", "b"), resamples=2).subjects == ("", "a")
    with pytest.raises(PipelineError, match="whole numbers or text"):
        figures(*given, np.array([1, math.nan]), ("a", "b"))


def test_a_class_of_one_person_is_told_because_draws_often_lack_it() -> None:
    said = [
        note
        for note in evaluate(
            [
                Fold(one, {"f": one.y}, trained_on(0, 1))
                for one in (windows([0, 1], [2, 2]), windows([0, 0], [3, 3]), windows([0, 0], [4, 4]))
            ],
            headline="f",
            resamples=2,
        ).notes
        if "of 3 people" in note
    ]
    assert len(said) == 1
    assert said[0].startswith("b is of 1 of 3 people")
