"""Skin temperature against hand calculation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.stage import Format, Samples
from pulselet.signal.temperature import SkinTemperature

RATE = 4.0


def run(x: NDArray[np.float64], **parameters: float) -> Samples:
    kernel = SkinTemperature(**parameters).design(Format(RATE, 1, "degC"))
    return kernel.step(kernel.start(), x[:, None].astype(np.float32))[0]


def test_a_steady_skin_stays_and_has_no_slope() -> None:
    np.testing.assert_allclose(run(np.full(200, 33.25)), np.tile([33.25, 0, 1], (200, 1)), atol=1e-4)


def test_a_steady_rise_has_its_slope_and_comes_late_by_the_declared_latency() -> None:
    t = np.arange(4000) / RATE
    rows = run(30 + 0.3 / 60 * t)
    late_s = SkinTemperature().design(Format(RATE, 1, "degC")).latency_s
    assert rows[-1, 1] == pytest.approx(0.3, rel=0.01)
    assert rows[-1, 0] == pytest.approx(30 + 0.3 / 60 * (t[-1] - late_s), abs=1e-3)


def test_the_slope_stands_out_of_a_sensors_steps() -> None:
    """0.02 degC a step, as of a common wristband, at 0.1 degC per min."""
    t = np.arange(4000) / RATE
    noise = np.random.default_rng(0).normal(0, 0.02, len(t))
    rows = run(np.round((32 + 0.1 / 60 * t + noise) / 0.02) * 0.02)
    assert np.mean(rows[2000:, 1]) == pytest.approx(0.1, rel=0.05)
    assert np.std(rows[2000:, 1]) < 0.01


def test_what_skin_cannot_do_is_not_usable_and_the_temperature_holds() -> None:
    x = np.full(200, 33.0)
    x[100] = 382.2
    rows = run(x)
    bad = np.flatnonzero(rows[:, 2] == 0)
    np.testing.assert_array_equal(bad, np.arange(100, 122))  # there and back, then 5 s
    np.testing.assert_allclose(rows[:, 0], 33.0, atol=1e-4)
    assert np.all(rows[bad, 1] == 0)


def test_a_band_taken_off_is_not_usable_until_it_is_worn_again() -> None:
    x = np.concatenate([np.full(100, 33.0), np.linspace(33, 16, 200), np.full(100, 16.0), np.full(100, 30.0)])
    usable = run(x)[:, 2]
    assert usable[:100].all()
    assert not usable[300:420].any()
    assert usable[425:].all()
    assert run(x, lowest_c=30.0)[:, 2].sum() < usable.sum()


@pytest.mark.parametrize(
    ("stage", "source", "why"),
    [
        (SkinTemperature(), Format(4.0, 1, "K"), "degC"),
        (SkinTemperature(), Format(64.0, 1, "degC"), "at most 32 Hz"),
        (SkinTemperature(), Format(0.1, 1, "degC"), "smoothing_s"),
        (SkinTemperature(lowest_c=50.0), Format(4.0, 1, "degC"), "lowest < highest"),
        (SkinTemperature(steepest_c_per_s=0.0), Format(4.0, 1, "degC"), "steepest"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(stage: SkinTemperature, source: Format, why: str) -> None:
    with pytest.raises(PipelineError, match=why):
        stage.design(source)
