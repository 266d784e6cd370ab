"""Breathing, as the movement of the chest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pulselet.simulate.pages import Pages, Seed, first, page_times, positive, samples_in
from pulselet.simulate.waves import Waves

WANDER_HZ = (0.005, 0.03)


def respiration(
    duration_s: float, *, rate_hz: float, seed: Seed, respiration_hz: float = 0.25, wander_rad: float = 0.5
) -> NDArray[np.float64]:
    """Return the movement of the chest `(n,)` between -1 (breathed out) and 1.

    A cosine whose phase wanders slowly: breath follows breath at `respiration_hz` in the mean, and none lasts quite as
    long as the one before. Such a wave modulates a pulse signal in its baseline, amplitude and rate (Charlton et al.,
    "An assessment of algorithms to estimate respiratory rate from the electrocardiogram and photoplethysmogram",
    Physiological Measurement 37, 2016).

    Parameters
    ----------
    duration_s, rate_hz, seed
        Length, samples per second, and what to draw from.
    respiration_hz
        Breaths per second.
    wander_rad
        Standard deviation of the phase.

    Raises
    ------
    PulseletError
        If the duration or a rate is not above 0.
    """
    pages = respiration_pages(rate_hz, seed, respiration_hz=respiration_hz, wander_rad=wander_rad)
    return first(pages, samples_in(duration_s, rate_hz))


def respiration_pages(rate_hz: float, seed: Seed, *, respiration_hz: float = 0.25, wander_rad: float = 0.5) -> Pages:
    """Return the values of `respiration` without an end."""
    positive(respiration_hz=respiration_hz)
    rng = np.random.default_rng(seed).spawn(2)[1]  # the first child is the heart's
    start_rad, wander = rng.uniform(0, 2 * np.pi), Waves.within(rng, WANDER_HZ, wander_rad)
    return (
        np.cos(start_rad + 2 * np.pi * respiration_hz * times_s + wander.at(times_s)) for times_s in page_times(rate_hz)
    )
