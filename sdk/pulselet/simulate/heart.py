"""The electrocardiogram.

After McSharry, Clifford, Tarassenko and Smith, "A dynamical model for generating synthetic electrocardiogram signals",
IEEE Transactions on Biomedical Engineering 50, 2003. There the trajectory on a circle is pushed off the plane as it
passes five angles, one for each of P, Q, R, S and T. With a constant angular velocity within a beat, and without the
slow pull back to the plane, the equation has a closed form: a sum of five Gaussians of the phase (Sameni, Shamsollahi,
Jutten and Clifford, IEEE Transactions on Biomedical Engineering 54, 2007), which needs no integration and has its R
peaks where they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import tee

import numpy as np
from numpy.typing import NDArray

from pulselet.simulate.pages import Marks, Pages, Seed, first, page_times, samples_in
from pulselet.simulate.rhythm import Rhythm, beats, beats_within, given

# Table I of the paper, P Q R S T: angle, strength and width; a Gaussian's height goes as strength x width squared
ANGLES_RAD = np.pi * np.array([-1 / 3, -1 / 12, 0, 1 / 12, 1 / 2])
STRENGTHS = np.array([1.2, -5.0, 30.0, -7.5, 0.75])
WIDTHS_RAD = np.array([0.25, 0.1, 0.1, 0.1, 0.4])
HEIGHTS = STRENGTHS * WIDTHS_RAD**2 / (30.0 * 0.1**2)  # of R


@dataclass(frozen=True, eq=False)
class Ecg:
    """An electrocardiogram and the truth about it."""

    values_mv: NDArray[np.float64]  # (n,)
    r_times_s: NDArray[np.float64]  # (beats,)


def ecg(
    duration_s: float,
    *,
    rate_hz: float,
    seed: Seed,
    heart_rate_bpm: float = 60.0,
    rr_s: Sequence[float] | NDArray[np.float64] | None = None,
    lf_s: float = 0.02,
    hf_s: float = 0.03,
    respiration_hz: float = 0.25,
    r_mv: float = 1.2,
    baseline_mv: float = 0.15,
) -> Ecg:
    """Return one lead of an electrocardiogram in mV, and the true times of its R peaks in s.

    Parameters
    ----------
    duration_s, rate_hz
        Length, and samples per second.
    seed
        Of the intervals; the same seed gives `rr_intervals`.
    heart_rate_bpm, lf_s, hf_s, respiration_hz
        As in `rr_intervals`; not used for the intervals if `rr_s` is given.
    rr_s
        Intervals in s, which last `duration_s` or longer. The first R peak comes after half of the first interval; the
        second follows it by the first interval, and so on.
    r_mv
        Height of the R wave.
    baseline_mv
        How far breathing moves the baseline up and down.

    Raises
    ------
    PulseletError
        If a parameter makes no sense, or the intervals do not reach over the duration.
    """
    samples = samples_in(duration_s, rate_hz)
    rhythm = Rhythm(heart_rate_bpm, lf_s, hf_s, respiration_hz)
    mean_bpm = heart_rate_bpm if rr_s is None else 60 / float(np.mean(rr_s))
    intervals_s = rhythm.intervals_s(seed) if rr_s is None else given(rr_s, duration_s)
    drawn, told = tee(beats(intervals_s))
    pages = _pages(rate_hz, drawn, mean_bpm, respiration_hz, r_mv, baseline_mv)
    return Ecg(first(pages, samples), beats_within(told, duration_s))


def ecg_pages(rate_hz: float, seed: Seed, *, r_mv: float = 1.2, baseline_mv: float = 0.15, **rhythm: float) -> Pages:
    """Return the values of `ecg` without an end."""
    how = Rhythm(**rhythm)
    drawn = beats(how.intervals_s(seed))
    return _pages(rate_hz, drawn, how.heart_rate_bpm, how.respiration_hz, r_mv, baseline_mv)


def _pages(
    rate_hz: float, beats_s: Iterator[float], mean_bpm: float, respiration_hz: float, r_mv: float, baseline_mv: float
) -> Pages:
    marks = Marks(beats_s)
    return (
        r_mv * pqrst(2 * np.pi * marks.cycles(times_s), mean_bpm)
        + baseline_mv * np.sin(2 * np.pi * respiration_hz * times_s)
        for times_s in page_times(rate_hz)
    )


def pqrst(phase_rad: NDArray[np.float64], heart_rate_bpm: float) -> NDArray[np.float64]:
    """Return the wave at a phase of the beat, as a part of the R wave's height; R is at 0.

    The faster the heart, the more of a beat its waves take up: widths grow as the square root of the rate (after
    Bazett), and the angles with it, those of P and T more slowly. So does the authors' own program, ECGSYN.
    """
    value = np.zeros_like(phase_rad)
    for angle_rad, width_rad, height in zip(*widened(heart_rate_bpm), strict=True):
        value += height * np.exp(-0.5 * (around_zero(phase_rad - angle_rad) / width_rad) ** 2)
    return value


def widened(heart_rate_bpm: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return angle and width in rad, and height as a part of R, of P, Q, R, S and T at a heart rate; each `(5,)`."""
    wider = np.sqrt(heart_rate_bpm / 60)
    angles_rad = ANGLES_RAD * np.array([np.sqrt(wider), wider, 1, wider, np.sqrt(wider)])
    return angles_rad, WIDTHS_RAD * wider, HEIGHTS


def around_zero(angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same angle between -pi and pi."""
    wrapped: NDArray[np.float64] = np.mod(angle_rad + np.pi, 2 * np.pi) - np.pi
    return wrapped
