"""The pulse wave that light sees: the photoplethysmogram."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import tee

import numpy as np
from numpy.typing import NDArray

from pulselet.simulate.breath import respiration_pages
from pulselet.simulate.heart import around_zero
from pulselet.simulate.pages import Marks, Pages, Seed, first, page_times, samples_in
from pulselet.simulate.rhythm import Rhythm, beats, beats_within, given

# Tang, Chen, Ward and Elgendi, Scientific Reports 10, 13883 (2020), Table 1, "excellent": height, angle and width
SYSTOLIC = (1.0, -1.5161, 0.6303)
DIASTOLIC = (0.1999, 0.8186, 1.0225)


@dataclass(frozen=True, eq=False)
class Ppg:
    """A pulse signal and the truth about it."""

    values: NDArray[np.float64]  # (n,), in heights of a pulse
    r_times_s: NDArray[np.float64]  # (beats,), the heart's
    onset_times_s: NDArray[np.float64]  # (pulses,), `transit_s` later


def ppg(
    duration_s: float,
    *,
    rate_hz: float,
    seed: Seed,
    heart_rate_bpm: float = 60.0,
    rr_s: Sequence[float] | NDArray[np.float64] | None = None,
    lf_s: float = 0.02,
    hf_s: float = 0.03,
    respiration_hz: float = 0.25,
    transit_s: float = 0.2,
    amplitude_part: float = 0.1,
    baseline_part: float = 0.1,
) -> Ppg:
    """Return a photoplethysmogram in heights of its pulse, and the true times of beats and of pulse onsets in s.

    One pulse is the sum of two Gaussians of the phase, from onset to onset (Tang et al., "Synthetic photoplethysmogram
    generation using two Gaussian functions", Scientific Reports 10, 2020). Breathing modulates amplitude and baseline,
    and, by way of the intervals, the rate (Charlton et al., Physiological Measurement 37, 2016).

    Parameters
    ----------
    duration_s, rate_hz
        Length, and samples per second.
    seed
        What to draw from. `ecg` of the same seed and rhythm has the same beats.
    heart_rate_bpm, lf_s, hf_s, respiration_hz, rr_s
        As in `ecg`.
    transit_s
        From the R peak to the onset of the pulse.
    amplitude_part, baseline_part
        How far breathing moves amplitude and baseline up and down, as parts of a pulse's height.

    Raises
    ------
    PulseletError
        If a parameter makes no sense, or the intervals do not reach over the duration.
    """
    samples = samples_in(duration_s, rate_hz)
    rhythm = Rhythm(heart_rate_bpm, lf_s, hf_s, respiration_hz)
    intervals_s = rhythm.intervals_s(seed) if rr_s is None else given(rr_s, duration_s)
    drawn, told, shifted = tee(beats(intervals_s, transit_s), 3)
    breath = respiration_pages(rate_hz, seed, respiration_hz=respiration_hz)
    pages = _pages(rate_hz, drawn, breath, transit_s, amplitude_part, baseline_part)
    onsets = beats_within((one + transit_s for one in shifted), duration_s)
    return Ppg(first(pages, samples), beats_within(told, duration_s), onsets)


def ppg_pages(
    rate_hz: float,
    seed: Seed,
    *,
    transit_s: float = 0.2,
    amplitude_part: float = 0.1,
    baseline_part: float = 0.1,
    **rhythm: float,
) -> Pages:
    """Return the values of `ppg` without an end."""
    how = Rhythm(**rhythm)
    breath = respiration_pages(rate_hz, seed, respiration_hz=how.respiration_hz)
    return _pages(rate_hz, beats(how.intervals_s(seed), transit_s), breath, transit_s, amplitude_part, baseline_part)


def _pages(
    rate_hz: float,
    beats_s: Iterator[float],
    breath: Pages,
    transit_s: float,
    amplitude_part: float,
    baseline_part: float,
) -> Pages:
    marks = Marks(one + transit_s for one in beats_s)
    return (
        (1 + amplitude_part * chest) * pulse(2 * np.pi * marks.cycles(times_s) - np.pi) + baseline_part * chest
        for times_s, chest in zip(page_times(rate_hz), breath, strict=True)
    )


def pulse(phase_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the wave at a phase of the pulse, which begins at -pi."""
    value = np.zeros_like(phase_rad)
    for height, angle_rad, width_rad in (SYSTOLIC, DIASTOLIC):
        value += height * np.exp(-0.5 * (around_zero(phase_rad - angle_rad) / width_rad) ** 2)
    return value
