"""How beats follow one another.

After McSharry, Clifford, Tarassenko and Smith, "A dynamical model for generating synthetic electrocardiogram signals",
IEEE Transactions on Biomedical Engineering 50, 2003: the spectrum of the intervals has two Gaussians, of
slow waves in blood pressure and of breathing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat, takewhile

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError
from pulselet.simulate.pages import Seed, positive
from pulselet.simulate.waves import PEAK, Waves

LF_HZ, SPREAD_HZ = 0.1, 0.01


@dataclass(frozen=True)
class Rhythm:
    """How beats follow one another: a mean, slow (Mayer) waves and respiratory sinus arrhythmia.

    Attributes
    ----------
    heart_rate_bpm
        Beats per minute, by the mean interval.
    lf_s, hf_s
        Standard deviation of the intervals that is due to waves around 0.1 Hz and around breathing.
    respiration_hz
        Breaths per second.
    """

    heart_rate_bpm: float = 60.0
    lf_s: float = 0.02
    hf_s: float = 0.03
    respiration_hz: float = 0.25

    def __post_init__(self) -> None:
        positive(heart_rate_bpm=self.heart_rate_bpm, respiration_hz=self.respiration_hz)
        mean_s = 60 / self.heart_rate_bpm
        least_s = mean_s - PEAK * (self.lf_s + self.hf_s)
        if min(self.lf_s, self.hf_s) < 0 or least_s <= 0:
            raise PulseletError(
                f"waves of {self.lf_s} s and {self.hf_s} s can bring an interval of {mean_s:.3f} s to nothing: "
                f"ask for 0 s or more, and for less than {mean_s / PEAK:.3f} s in all"
            )

    def intervals_s(self, seed: Seed) -> Iterator[float]:
        """Return the intervals without an end."""
        rng = np.random.default_rng(seed).spawn(1)[0]
        waves = (
            Waves.around(rng, LF_HZ, SPREAD_HZ, self.lf_s),
            Waves.around(rng, self.respiration_hz, SPREAD_HZ, self.hf_s),
        )
        now_s = np.zeros(1)
        while True:
            interval_s = 60 / self.heart_rate_bpm + float(sum(one.at(now_s)[0] for one in waves))
            yield interval_s
            now_s += interval_s


def beats(intervals_s: Iterator[float], before_s: float = 0.0) -> Iterator[float]:
    """Return the times of beats, from `before_s` before 0 on: one half an interval after 0, then by the intervals."""
    interval_s = next(intervals_s)
    more = max(math.ceil(before_s / interval_s - 0.5), 0)
    now_s = -interval_s * (more + 0.5)
    for one in chain(repeat(interval_s, more + 2), intervals_s):
        yield now_s
        now_s += one


def given(rr_s: Sequence[float] | NDArray[np.float64], duration_s: float) -> Iterator[float]:
    """Return the intervals that the caller gives; PulseletError if they do not reach over the duration."""
    total_s = float(np.sum(rr_s))
    if min(rr_s, default=0.0) <= 0 or not total_s >= duration_s:
        raise PulseletError(f"wanted intervals above 0 s that last {duration_s} s or longer, got {total_s} s in all")
    return chain(map(float, rr_s), repeat(float(rr_s[-1])))


def beats_within(times_s: Iterator[float], duration_s: float) -> NDArray[np.float64]:
    """Return those of the endless times that are within the duration."""
    return np.array([one for one in takewhile(lambda one: one < duration_s, times_s) if one >= 0])


def rr_intervals(
    duration_s: float,
    *,
    seed: Seed,
    heart_rate_bpm: float = 60.0,
    lf_s: float = 0.02,
    hf_s: float = 0.03,
    respiration_hz: float = 0.25,
) -> NDArray[np.float64]:
    """Return RR intervals `(beats,)` in s, as many as it takes to last `duration_s`.

    Their spectrum has two Gaussians, at 0.1 Hz and at the rate of breathing (McSharry et al.): `lf_s**2`
    and `hf_s**2` are the powers below them.

    Raises
    ------
    PulseletError
        If the variability could bring an interval to nothing, or a parameter is not above 0.
    """
    positive(duration_s=duration_s)
    found: list[float] = []
    total_s = 0.0
    for interval_s in Rhythm(heart_rate_bpm, lf_s, hf_s, respiration_hz).intervals_s(seed):
        found.append(interval_s)
        total_s += interval_s
        if total_s >= duration_s:
            break
    return np.array(found)
