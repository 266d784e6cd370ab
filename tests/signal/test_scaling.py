"""Scaling against numpy in float64 and calculations by hand."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.signal.scaling import Rectify, Scale, Standardize, WindowScale
from pulselet.signal.stage import Format, Samples, Stage

ACC = Format(50.0, 3, "g")
WINDOWS = Format(1.0, 3, "g", ("x", "y", "z"), length=50)


def run(stage: Stage, x: Samples, source: Format) -> Samples:
    kernel = stage.design(source)
    return kernel.step(kernel.start(), x)[0]


def test_scaling_takes_the_offset_away_before_the_gain() -> None:
    x = np.array([[1, 2, 3]], np.float32)
    assert run(Scale((1.0, 10.0, 100.0), (1.0, 1.0, 1.0)), x, ACC).tolist() == [[0, 10, 200]]
    assert run(Scale(2.0, 1.0), x, ACC).tolist() == [[0, 2, 4]]


def test_scaling_a_window_scales_its_channels() -> None:
    x = np.arange(150, dtype=np.float32).reshape(1, 150)
    y = run(Scale((1.0, 10.0, 100.0)), x, WINDOWS)
    assert np.array_equal(y.reshape(50, 3), x.reshape(50, 3) * np.array([1, 10, 100], np.float32))


def test_fitting_is_numpys_mean_and_deviation_over_all_arrays() -> None:
    rng = np.random.default_rng(0)
    arrays = [1000 + rng.standard_normal((n, 3)) * (1, 2, 3) for n in (500, 1, 0, 700)]
    arrays.append(rng.standard_normal((4, 50, 3)))
    stage = Standardize.fit(arrays)
    rows = np.concatenate([a.reshape(-1, 3) for a in arrays])
    assert stage.mean == pytest.approx(rows.mean(axis=0))
    assert stage.std == pytest.approx(rows.std(axis=0))


def test_a_fitted_stage_is_frozen_and_makes_what_it_was_fitted_to_standard() -> None:
    x = (5 + 3 * np.random.default_rng(0).standard_normal((1000, 3))).astype(np.float32)
    stage = Standardize.fit([x])
    y = run(stage, x, ACC)
    assert y.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert y.std(axis=0) == pytest.approx(1, abs=1e-5)
    assert Standardize(**{k: tuple(v) for k, v in json.loads(json.dumps(asdict(stage))).items()}) == stage
    assert stage.design(ACC).output.unit == ""


@pytest.mark.parametrize("arrays", [[], [np.zeros((0, 2))], [np.ones((5, 2))], [np.full((5, 2), np.nan)]])
def test_fitting_to_nothing_or_to_what_does_not_vary_is_refused(arrays: list[Samples]) -> None:
    with pytest.raises(PipelineError, match="wanted finite values that vary"):
        Standardize.fit(arrays)


def test_rectifying_gives_magnitudes() -> None:
    assert run(Rectify(), np.array([[-1, 0, 2]], np.float32), ACC).tolist() == [[1, 0, 2]]


@pytest.mark.parametrize("together", [False, True])
def test_a_scaled_window_has_mean_0_and_deviation_1(together: bool) -> None:
    x = (7 + np.random.default_rng(0).standard_normal((20, 50, 3)) * (1, 2, 3)).astype(np.float32)
    y = run(WindowScale(0.01, together=together), x.reshape(20, 150), WINDOWS).reshape(20, 50, 3)
    exact, axes = x.astype(np.float64), (1, 2) if together else (1,)
    wanted = (exact - exact.mean(axis=axes, keepdims=True)) / exact.std(axis=axes, keepdims=True)
    assert y == pytest.approx(wanted, abs=1e-5)


def test_a_flat_window_is_not_blown_up_to_noise() -> None:
    """A ripple of 1 uV under a floor of 10 uV stays a tenth as large as a signal."""
    ripple = np.tile(np.array([1e-6, -1e-6], np.float32), 75)[None]
    assert np.abs(run(WindowScale(1e-5), ripple, WINDOWS)).max() == pytest.approx(0.1, rel=1e-3)
    assert not run(WindowScale(1e-5), np.full((1, 150), 9.81, np.float32), WINDOWS).any()


@pytest.mark.parametrize(
    ("stage", "source", "words"),
    [
        (Scale((1.0, 2.0)), ACC, "1 or 3 gains, got 2"),
        (Scale(1.0, (1.0, 2.0)), ACC, "1 or 3 offsets, got 2"),
        (Scale(1e39), ACC, "finite gains"),
        (Scale(2.0), Format(None, 2, clock_hz=50.0), "gain 1 for the events' first column"),
        (Standardize((0.0,), (0.0,)), ACC, "standard deviations above 0"),
        (Standardize((0.0, 1.0), (1.0,)), ACC, "1 or 3 means"),
        (WindowScale(0.01), ACC, "wanted windows"),
        (WindowScale(0.0), WINDOWS, "least from 1e-12"),
        (Rectify(), Format(None, 2, clock_hz=50.0), "samples or windows"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(stage: Stage, source: Format, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        stage.design(source)
