"""Areas under curves, calibration and bootstrap against scikit-learn and hand calculation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pulselet.errors import ModelError
from pulselet.model import calibration
from pulselet.model.curves import Ranking, auprc, auroc
from pulselet.model.resampling import draws, interval, quantile, summed

POSITIVE = np.array([1, 1, 0, 1, 0, 0], bool)
SCORE = np.array([0.9, 0.7, 0.7, 0.4, 0.3, 0.1])


def test_area_under_the_roc_counts_a_tie_as_half() -> None:
    # Of 3 x 3 pairs the positives at 0.9, 0.7 and 0.4 win 3, 2.5 and 2.
    assert auroc(POSITIVE, SCORE) == pytest.approx(7.5 / 9)


def test_average_precision_takes_a_tie_as_one_step() -> None:
    # Steps of recall: 1/3 at precision 1, 1/3 at 2/3 (both tied windows pass together), 1/3 at 3/4.
    assert auprc(POSITIVE, SCORE) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


@pytest.mark.parametrize("levels", [3, 20, 10_000])
def test_areas_equal_those_of_scikit_learn(levels: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(levels)
    positive = rng.random(400) < 0.2
    score = np.round((positive + rng.normal(size=400)) * levels / 8) / levels
    weights = rng.integers(0, 4, 400)
    ranking = Ranking(positive, score)
    assert auroc(positive, score) == pytest.approx(metrics.roc_auc_score(positive, score), abs=1e-12)
    assert auprc(positive, score) == pytest.approx(metrics.average_precision_score(positive, score), abs=1e-12)
    weighed = ranking.areas(weights[ranking.order])
    assert weighed[0] == pytest.approx(metrics.roc_auc_score(positive, score, sample_weight=weights), abs=1e-12)
    assert weighed[1] == pytest.approx(
        metrics.average_precision_score(positive, score, sample_weight=weights), abs=1e-12
    )


def test_areas_without_both_kinds_of_window_are_undefined() -> None:
    assert all(map(math.isnan, Ranking(np.zeros(3, bool), np.arange(3)).areas()))
    assert math.isnan(auroc(np.ones(3, bool), np.arange(3)))
    assert auprc(np.ones(3, bool), np.arange(3)) == 1.0
    assert all(map(math.isnan, Ranking(np.zeros(0, bool), np.zeros(0)).areas()))


def test_error_against_coverage_by_hand() -> None:
    wrong = Ranking(np.array([False, True, False, True]), np.array([0.9, 0.8, 0.7, 0.6]))
    assert wrong.error_at(np.array([0.25, 0.5, 0.75, 1.0])).tolist() == [0, 1 / 2, 1 / 3, 2 / 4]
    assert wrong.aurc() == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)


def test_error_within_a_tie_is_the_mean_over_its_orders() -> None:
    # One of two equals is wrong: the first of them is wrong in one order of two.
    tied = Ranking(np.array([True, False]), np.array([0.5, 0.5]))
    assert tied.error_at(np.array([0.5, 1.0])).tolist() == [0.5, 0.5]
    assert tied.aurc() == 0.5


def test_weights_do_what_repeating_windows_does() -> None:
    rng = np.random.default_rng(3)
    marked, score, weights = rng.random(50) < 0.3, rng.integers(0, 9, 50), rng.integers(0, 3, 50)
    ranking, repeated = Ranking(marked, score), Ranking(np.repeat(marked, weights), np.repeat(score, weights))
    assert ranking.areas(weights[ranking.order]) == pytest.approx(repeated.areas())
    assert ranking.aurc(weights[ranking.order]) == pytest.approx(repeated.aurc())


def test_scores_that_cannot_be_ranked_are_refused() -> None:
    with pytest.raises(ModelError, match="not finite"):
        auroc(np.array([True, False]), np.array([0.1, np.nan]))
    with pytest.raises(ModelError, match="got 1 for 2"):
        auroc(np.array([True, False]), np.array([0.1]))


def test_expected_calibration_error_by_hand() -> None:
    # 0.95 and 0.96 share a bin: 1 of 2 right, a gap of 0.455; 0.5 is alone and right, a gap of 0.5.
    confidence, right = np.array([0.95, 0.96, 0.5]), np.array([True, False, True])
    sums = calibration.bin_sums(np.zeros(3, int), 1, confidence, right).sum(axis=0)
    assert calibration.expected_calibration_error(sums) == pytest.approx(2 / 3 * 0.455 + 1 / 3 * 0.5)


def test_a_confidence_on_an_edge_falls_into_the_lower_bin() -> None:
    assert calibration.bin_of(np.array([0.0, 1 / 15, 0.0667, 3 / 15, 1.0])).tolist() == [0, 0, 1, 2, 14]


def test_losses_equal_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    shares, y = calibration.softmax(rng.normal(size=(60, 3))), rng.integers(0, 3, 60)
    nll, brier = calibration.losses(shares, y).mean(axis=0)
    assert nll == pytest.approx(metrics.log_loss(y, shares, labels=[0, 1, 2]))
    by_hand = sum(metrics.brier_score_loss(y == i, shares[:, i], pos_label=True) for i in range(3))
    assert brier == pytest.approx(by_hand)


def test_probabilities_are_kept_and_logits_are_not() -> None:
    shares = np.array([[0.25, 0.75], [1.0, 0.0]])
    assert calibration.probabilities(shares).tolist() == shares.tolist()
    assert calibration.probabilities(np.array([[0.0, np.log(3)]]))[0].tolist() == pytest.approx([0.25, 0.75])


def test_weighted_quantiles_are_those_of_repeated_values() -> None:
    rng = np.random.default_rng(7)
    values = np.sort(rng.normal(size=30))
    for q in (0.0, 0.1, 0.5, 0.9, 1.0):
        weights = rng.integers(0, 4, 30)
        assert quantile(values, q, weights) == pytest.approx(np.quantile(np.repeat(values, weights), q), abs=1e-12)
    assert math.isnan(quantile(values, 0.5, np.zeros(30, int)))


def test_draws_are_of_as_many_people_as_there_are() -> None:
    drawn = draws(7, 50, seed=1)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()
    assert summed(drawn, np.arange(7)[:, None]).shape == (50, 1)
    assert draws(1, 50, seed=1).shape == (0, 1)


def test_what_rests_on_one_person_has_no_interval() -> None:
    # Of n people, one is missing from a draw with chance (1 - 1/n)^n: a quarter at n = 2, 0.37 for many.
    for people in (2, 3, 10, 50):
        with_one = np.where(draws(people, 2000, seed=0)[:, 0] > 0, 0.5, np.nan)
        assert all(map(math.isnan, interval(with_one)))
    for people in (3, 10, 50):
        with_two = np.where(draws(people, 2000, seed=0)[:, :2].any(axis=1), 0.5, np.nan)
        assert interval(with_two) == (0.5, 0.5)
