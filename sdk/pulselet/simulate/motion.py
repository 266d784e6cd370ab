"""What an accelerometer reads, gravity included, of a wearer who rests, walks or turns over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import tee
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError
from pulselet.simulate.pages import PAGE, Marks, Pages, Seed, first, page_times, positive, samples_in
from pulselet.simulate.rhythm import beats_within

Activity = Literal["rest", "walking", "turning"]
ACTIVITIES = ("rest", "walking", "turning")
VERTICAL_G, FORWARD_G, SIDEWAYS_G = 0.3, 0.2, 0.15
SECOND = 0.3  # the harmonic at twice the rate of steps, as a part of the first
LEAST_STEP = 0.5  # of the mean


@dataclass(frozen=True, eq=False)
class Motion:
    """Accelerations and the truth about them."""

    values_g: NDArray[np.float64]  # (n, 3): forward, to the left, up; (0, 0, 1) at rest
    step_times_s: NDArray[np.float64]  # (steps,); none unless walking


def acceleration(
    duration_s: float,
    *,
    rate_hz: float,
    seed: Seed,
    activity: Activity,
    step_hz: float = 1.8,
    step_spread: float = 0.03,
    turn_s: float = 10.0,
    noise_g: float = 0.005,
) -> Motion:
    """Return accelerations in g along three axes, and the true times of steps in s.

    Walking shakes the trunk up and down and to and fro once in a step, and from side to side once in a stride of two
    steps, each with harmonics (Menz, Lord and Fitzpatrick, "Acceleration patterns of the head and pelvis when walking
    on level and irregular surfaces", Gait & Posture 18, 2003). A step is where the upward acceleration has its peak.
    Turning rolls the sensor about its forward axis, once in `turn_s`: gravity moves from axis to axis.

    Parameters
    ----------
    duration_s, rate_hz, seed
        Length, samples per second, and what to draw from.
    activity
        "rest", "walking" or "turning".
    step_hz, step_spread
        Steps per second, and the standard deviation of a step's duration as a part of it.
    turn_s
        Seconds for one turn.
    noise_g
        Standard deviation of the sensor's white noise.

    Raises
    ------
    PulseletError
        If the activity is unknown, or a duration or rate is not above 0.
    """
    samples = samples_in(duration_s, rate_hz)
    _check(activity, step_hz, turn_s)
    strides, noise = np.random.default_rng(seed).spawn(2)
    walked, told = tee(_steps(strides, step_hz, step_spread))
    pages = _pages(rate_hz, activity, walked, turn_s, noise_g, noise)
    steps = beats_within(told, duration_s) if activity == "walking" else np.empty(0)
    return Motion(first(pages, samples), steps)


def acceleration_pages(
    rate_hz: float,
    seed: Seed,
    *,
    activity: Activity,
    step_hz: float = 1.8,
    step_spread: float = 0.03,
    turn_s: float = 10.0,
    noise_g: float = 0.005,
) -> Pages:
    """Return the values of `acceleration` without an end."""
    _check(activity, step_hz, turn_s)
    strides, noise = np.random.default_rng(seed).spawn(2)
    return _pages(rate_hz, activity, _steps(strides, step_hz, step_spread), turn_s, noise_g, noise)


def _check(activity: str, step_hz: float, turn_s: float) -> None:
    positive(step_hz=step_hz, turn_s=turn_s)
    if activity not in ACTIVITIES:
        raise PulseletError(f"an activity is one of {ACTIVITIES}, got {activity!r}")


def _steps(rng: np.random.Generator, step_hz: float, spread: float) -> Iterator[float]:
    now_s = -0.5 / step_hz
    while True:
        yield now_s
        now_s += max(1 + spread * rng.normal(), LEAST_STEP) / step_hz


def _pages(
    rate_hz: float,
    activity: Activity,
    steps_s: Iterator[float],
    turn_s: float,
    noise_g: float,
    rng: np.random.Generator,
) -> Pages:
    marks = Marks(steps_s)
    for times_s in page_times(rate_hz):
        if activity == "walking":
            still = _walking(2 * np.pi * marks.cycles(times_s))
        else:
            roll_rad = 2 * np.pi * times_s / turn_s if activity == "turning" else np.zeros(PAGE)
            still = np.stack([np.zeros(PAGE), np.sin(roll_rad), np.cos(roll_rad)], axis=1)
        yield still + noise_g * rng.standard_normal((PAGE, 3))


def _walking(phase_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    up = VERTICAL_G * (np.cos(phase_rad) + SECOND * np.cos(2 * phase_rad))
    forward = FORWARD_G * (np.sin(phase_rad) + SECOND * np.sin(2 * phase_rad))
    left = SIDEWAYS_G * (np.sin(phase_rad / 2) + SECOND * np.sin(3 * phase_rad / 2))
    return np.stack([forward, left, 1 + up], axis=1)
