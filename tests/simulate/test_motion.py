"""Accelerations: gravity always, steps where they are said to be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.signal import find_peaks, periodogram

from pulselet.errors import PulseletError
from pulselet.simulate import acceleration
from pulselet.simulate.motion import Activity

RATE_HZ = 100.0


def test_at_rest_there_is_gravity_and_the_sensors_noise() -> None:
    found = acceleration(600, rate_hz=RATE_HZ, seed=1, activity="rest", noise_g=0.01)
    np.testing.assert_allclose(found.values_g.mean(axis=0), [0, 0, 1], atol=0.001)
    np.testing.assert_allclose(found.values_g.std(axis=0), 0.01, rtol=0.02)
    assert len(found.step_times_s) == 0


def test_steps_are_where_the_upward_acceleration_has_its_peaks() -> None:
    found = acceleration(120, rate_hz=RATE_HZ, seed=2, activity="walking", noise_g=0.0)
    at, _ = find_peaks(found.values_g[:, 2], height=1.2)
    steps_s = found.step_times_s[found.step_times_s > 1 / RATE_HZ]
    np.testing.assert_allclose(at / RATE_HZ, steps_s[: len(at)], atol=0.6 / RATE_HZ)
    assert len(steps_s) - len(at) in (0, 1)


def test_as_many_steps_as_asked_for() -> None:
    steps_s = acceleration(1200, rate_hz=20, seed=3, activity="walking", step_hz=2.0).step_times_s
    assert len(steps_s) == pytest.approx(2400, abs=10)
    assert np.diff(steps_s).std() == pytest.approx(0.03 * 0.5, rel=0.1)


@pytest.mark.parametrize(("axis", "strongest_hz"), [(0, 2.0), (1, 1.0), (2, 2.0)])
def test_the_trunk_sways_sideways_once_a_stride_and_otherwise_once_a_step(axis: int, strongest_hz: float) -> None:
    found = acceleration(300, rate_hz=RATE_HZ, seed=3, activity="walking", step_hz=2.0, step_spread=0.001)
    hz, power = periodogram(found.values_g[:, axis], RATE_HZ, detrend="constant")
    assert hz[power.argmax()] == pytest.approx(strongest_hz, abs=0.02)


def test_turning_moves_gravity_from_axis_to_axis() -> None:
    values_g = acceleration(60, rate_hz=RATE_HZ, seed=3, activity="turning", turn_s=12, noise_g=0.0).values_g
    np.testing.assert_allclose(np.linalg.norm(values_g, axis=1), 1)
    np.testing.assert_allclose(values_g[[0, 300, 600, 900]], [[0, 0, 1], [0, 1, 0], [0, 0, -1], [0, -1, 0]], atol=1e-12)


@pytest.mark.parametrize("options", [{"activity": "swimming"}, {"step_hz": 0.0}, {"turn_s": -1.0}])
def test_motions_without_sense_are_refused(options: dict[str, Any]) -> None:
    activity: Activity = "rest"
    with pytest.raises(PulseletError, match=r"an activity is one of|above 0"):
        acceleration(1, **{"rate_hz": 10.0, "seed": 0, "activity": activity, **options})
