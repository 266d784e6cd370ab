"""Wear and sleep against calculations by hand and simulated truth; no polysomnography is behind these tests."""

from __future__ import annotations

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.signal.pipeline import Branch, Pipeline
from pulselet.signal.sleep import NonWear, SleepWake
from pulselet.signal.stage import Format, Samples, Stage
from pulselet.simulate import acceleration

ACC = Format(10.0, 3, "g")
MINUTES = Format(1 / 60, 3, "counts", names=("x", "y", "z"))
SHORT = NonWear(window_s=40.0, hop_s=10.0)


def run(stage: Stage, x: Samples, source: Format) -> Samples:
    kernel = stage.design(source)
    return kernel.step(kernel.start(), x)[0]


def on_the_table(seconds: float, sd_g: float = 0.004, seed: int = 0) -> Samples:
    x = np.random.default_rng(seed).normal(0, sd_g, (round(10 * seconds), 3))
    x = np.clip(x, -0.02, 0.02)
    x[:, 2] += 1.0
    return x.astype(np.float32)


def test_a_sensor_on_the_table_is_not_worn_and_one_that_walks_is() -> None:
    """Three hours at 10 Hz: worn, on the table, worn. A window of an hour must lie on the table as a whole."""
    worn = acceleration(3600, rate_hz=10.0, seed=0, activity="walking").values_g.astype(np.float32)
    found = run(NonWear(), np.concatenate([worn, on_the_table(3600), worn]), ACC)
    assert found[:, 0].tolist() == [1.0] * 4 + [0.0] + [1.0] * 4
    assert NonWear().design(ACC).output.rate_hz == pytest.approx(1 / 900)


@pytest.mark.parametrize(
    ("amplitude_g", "still"),
    [(0.0180, 3), (0.0190, 2)],  # the sine's standard deviation is 12.7, then 13.4 mg
)
def test_an_axis_is_still_below_13_mg(amplitude_g: float, still: int) -> None:
    x = on_the_table(40, sd_g=0.0)
    x[:, 0] = amplitude_g * np.sin(2 * np.pi * np.arange(len(x)) / 20)
    assert run(SHORT, x, ACC).tolist() == [[0.0, float(still)]]


@pytest.mark.parametrize(("range_g", "still"), [(0.0499, 3), (0.0501, 2)])
def test_an_axis_is_still_within_50_mg(range_g: float, still: int) -> None:
    x = on_the_table(40, sd_g=0.0)
    x[200, 2] += range_g
    assert run(SHORT, x, ACC).tolist() == [[0.0, float(still)]]


def test_two_moving_axes_are_worn() -> None:
    x = on_the_table(40)
    x[50, :2] += 0.3
    assert run(SHORT, x, ACC).tolist() == [[1.0, 1.0]]


def test_windows_overlap_by_their_hop() -> None:
    x = on_the_table(100)
    x[455, :2] += 1.0  # in the fifth block of ten seconds: windows that end with blocks 5 to 8 have it
    assert run(SHORT, x, ACC)[:, 0].tolist() == [0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]


def test_a_gap_loses_the_windows_that_it_touches() -> None:
    kernel = SHORT.design(ACC)
    x = on_the_table(200)
    first, state = kernel.step(kernel.start(), x[:555])
    dropped, state = kernel.gap(state, 30)
    after, _ = kernel.step(state, x[585:])
    assert (len(first), dropped, len(after)) == (2, 4, 11)  # of 17


def test_sleep_scores_are_the_weighted_sum_of_cole_and_kripke() -> None:
    """One minute of 10,000 counts (100 units) in a quiet night is seen, minute by minute, with each weight in turn."""
    x = np.zeros((20, 3), np.float32)
    x[8, 1] = 10_000
    found = run(SleepWake(), x, MINUTES)
    about = found[2:, 1]  # a row is about the minute two before
    wanted = np.zeros(18)
    wanted[6:13] = [6.7, 7.4, 23.0, 7.6, 5.8, 5.4, 10.6]
    assert about == pytest.approx(wanted, abs=1e-4)
    assert np.array_equal(found[:, 0], (found[:, 1] < 1).astype(np.float32))


def test_counts_are_capped_and_the_start_is_steady() -> None:
    found = run(SleepWake(column="x"), np.full((5, 3), 1e6, np.float32), MINUTES)
    assert found[:, 1] == pytest.approx(np.full(5, 300 * 0.665), rel=1e-5)
    assert not found[:, 0].any()


def test_the_border_of_sleep_is_a_score_of_1() -> None:
    for counts, asleep in ((149.0, 1.0), (151.0, 0.0)):  # 1 / 0.665 = 1.504 units
        assert run(SleepWake(), np.full((3, 3), counts, np.float32), MINUTES)[:, 0].tolist() == [asleep] * 3


def test_acceleration_to_sleep_in_one_pipeline() -> None:
    from pulselet.signal.activity import ActivityCounts

    pipeline = Pipeline((Branch("acc", "g", 30.0, 3, (ActivityCounts(60), SleepWake())),), ahead_s=60.0)
    still = np.tile(np.array([0, 0, 1], np.float32), (30 * 600, 1))
    busy = acceleration(600, rate_hz=30.0, seed=0, activity="walking").values_g.astype(np.float32)[:, [0, 2, 1]]
    kernels = pipeline.branch_kernels[0]
    x = np.concatenate([still, busy])
    for kernel in kernels:
        x, _ = kernel.step(kernel.start(), x)
    assert x[:, 0].tolist() == [1.0] * 10 + [0.0] * 10


@pytest.mark.parametrize(
    ("stage", "source"),
    [
        (NonWear(), Format(10.0, 2, "g")),
        (NonWear(window_s=3600.0, hop_s=1000.0), ACC),
        (NonWear(spread_g=0.1), ACC),
        (NonWear(), Format(400.0, 3, "g")),
        (SleepWake(), Format(1 / 30, 3, "counts", names=("x", "y", "z"))),
        (SleepWake(), Format(1 / 60, 3, "g", names=("x", "y", "z"))),
        (SleepWake(column="w"), MINUTES),
    ],
)
def test_what_does_not_fit_is_refused(stage: Stage, source: Format) -> None:
    with pytest.raises(PipelineError, match="wanted"):
        stage.design(source)
