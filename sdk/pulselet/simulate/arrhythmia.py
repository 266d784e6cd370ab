"""Beats that do not come as they should: ectopic ones, and atrial fibrillation, each with its truth.

Sinus rhythm is that of `rhythm`. An ectopic beat comes early. After a ventricular one the sinus node keeps its time, so
that the two intervals around it last as long as two (a full compensatory pause); an atrial one resets it, and the next
interval is an ordinary one (Surawicz and Knilans, "Chou's Electrocardiography in Clinical Practice", chapters 16 and
17). In atrial fibrillation the intervals do not depend on each other; their coefficient of variation is that of Tateno
and Glass, Medical and Biological Engineering and Computing 39, 2001, and in place of P waves there are fibrillatory
ones (Stridh and Sörnmo, IEEE Transactions on Biomedical Engineering 48, 2001).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError
from pulselet.simulate.heart import widened
from pulselet.simulate.pages import positive, samples_in
from pulselet.simulate.rhythm import Rhythm
from pulselet.simulate.waves import Waves

SINUS, FIBRILLATION = "N", "AFIB"  # as the annotations of PhysioNet name them
BEATS = ("N", "S", "V")  # ANSI/AAMI EC57: of sinus or any not ectopic; supraventricular; ventricular
Kind = Literal["N", "AFIB"]
VENTRICULAR_COUPLING, ATRIAL_COUPLING = (0.55, 0.75), (0.6, 0.8)  # of the interval that was due
FIBRILLATION_VARIATION = 0.24  # standard deviation of the intervals, as a part of their mean
FASTER = 4 / 3  # the ventricles in fibrillation, against the sinus rhythm
REFRACTORY_S = 0.3  # no interval in fibrillation is shorter
FIBRILLATORY_HZ, FIBRILLATORY_MV = (5.0, 8.0), 0.04

# A ventricular beat at 60 beats per minute: no P, a QRS of more than 0.12 s, T against it. Height of a normal R, s, s.
VENTRICULAR = ((1.3, 0.0, 0.04), (-0.4, 0.09, 0.03), (-0.35, 0.3, 0.07))


@dataclass(frozen=True, eq=False)
class Heartbeats:
    """What the heart did, and the truth about it.

    Attributes
    ----------
    r_times_s
        `(beats,)`, ascending, within the duration; the first comes after half of the first interval.
    kinds
        Of each beat, one of `BEATS`.
    rr_s
        Intervals as `ecg` and `ppg` take them: they last as long as the duration, or longer.
    episodes
        Begin and end in s, and "N" or "AFIB".
    """

    r_times_s: NDArray[np.float64]
    kinds: tuple[str, ...]
    rr_s: NDArray[np.float64]
    episodes: tuple[tuple[float, float, str], ...]
    heart_rate_bpm: float


def heartbeats(
    duration_s: float,
    *,
    seed: int,
    heart_rate_bpm: float = 70.0,
    episodes: Sequence[tuple[float, Kind]] = ((0.0, "N"),),
    ventricular_part: float = 0.0,
    atrial_part: float = 0.0,
) -> Heartbeats:
    """Return beats over a duration.

    Parameters
    ----------
    duration_s, seed
        Length, and what to draw from.
    heart_rate_bpm
        Of the sinus rhythm; fibrillation is a third faster.
    episodes
        Begin in s and rhythm of each episode, in order; the first begins at 0. A beat belongs to the episode that it
        comes in, so that an episode begins up to one interval before its first beat.
    ventricular_part, atrial_part
        How likely a sinus beat is followed by an ectopic one.

    Raises
    ------
    PulseletError
        If a parameter makes no sense.
    """
    positive(duration_s=duration_s, heart_rate_bpm=heart_rate_bpm)
    begins = [begin for begin, _ in episodes]
    if not begins or begins[0] != 0 or (np.diff(begins) <= 0).any() or {kind for _, kind in episodes} - {"N", "AFIB"}:
        raise PulseletError(f"wanted episodes of 'N' and 'AFIB' in order, the first at 0 s, got {list(episodes)}")
    if min(ventricular_part, atrial_part) < 0 or ventricular_part + atrial_part > 1:
        raise PulseletError(f"wanted parts from 0 to 1 in all, got {ventricular_part} and {atrial_part}")
    parts = (ventricular_part, atrial_part)
    r_times_s, kinds, rr_s = _follow(
        duration_s, _Draw(seed, heart_rate_bpm, parts), begins, [kind for _, kind in episodes]
    )
    within = [(begin, kind) for begin, kind in episodes if begin < duration_s]
    ends = [*(begin for begin, _ in within[1:]), duration_s]
    told = tuple((begin, end, kind) for (begin, kind), end in zip(within, ends, strict=True))
    return Heartbeats(r_times_s, kinds, rr_s, told, heart_rate_bpm)


class _Draw:
    """Draws the interval after a beat, and the kind of the next one."""

    def __init__(self, seed: int, heart_rate_bpm: float, parts: tuple[float, float]) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._sinus = Rhythm(heart_rate_bpm).intervals_s(seed)
        self._fibrillation_s = 60 / heart_rate_bpm / FASTER
        self._parts = parts
        self._owed_s = 0.0

    def after(self, kind: str, rhythm: str) -> tuple[float, str]:
        """Return the interval in s that follows a beat of a kind in a rhythm, and the kind of the beat after it."""
        if kind == "V":
            return self._owed_s, "N"
        if rhythm == FIBRILLATION:
            shape = FIBRILLATION_VARIATION**-2
            drawn_s = self._rng.gamma(shape, self._fibrillation_s / shape)
            return max(float(drawn_s), REFRACTORY_S), "N"
        due_s = next(self._sinus)
        drawn = self._rng.uniform()
        if kind == "S" or drawn >= sum(self._parts):
            return due_s, "N"
        if drawn < self._parts[0]:
            early_s = due_s * self._rng.uniform(*VENTRICULAR_COUPLING)
            self._owed_s = 2 * due_s - early_s
            return early_s, "V"
        return due_s * self._rng.uniform(*ATRIAL_COUPLING), "S"


def _follow(
    duration_s: float, draw: _Draw, begins: list[float], rhythms: list[Kind]
) -> tuple[NDArray[np.float64], tuple[str, ...], NDArray[np.float64]]:
    """Return times, kinds and intervals of the beats, one after the other."""
    times_s: list[float] = []
    kinds: list[str] = []
    rr_s: list[float] = []
    now_s, kind, total_s = 0.0, "N", 0.0
    while total_s < duration_s:
        rhythm = rhythms[max(int(np.searchsorted(begins, now_s, "right")) - 1, 0)]
        interval_s, following = draw.after(kind, rhythm)
        if not times_s:
            now_s = interval_s / 2
        times_s.append(now_s)
        kinds.append(kind)
        rr_s.append(interval_s)
        now_s, kind, total_s = now_s + interval_s, following, total_s + interval_s
    within = sum(one < duration_s for one in times_s)
    return np.array(times_s[:within]), tuple(kinds[:within]), np.array(rr_s)


def arrhythmic_ecg(
    heart: Heartbeats, duration_s: float, *, rate_hz: float, seed: int, r_mv: float = 1.2
) -> NDArray[np.float64]:
    """Return one lead of an electrocardiogram `(n,)` in mV, without noise, of beats that are given.

    Each beat is a sum of Gaussians: that of `ecg` for a beat of the atria or above, without its P wave in fibrillation;
    and a wide QRS without a P wave and with the T wave against it for a ventricular one. The waves of a beat last as
    long as at the mean sinus rate, so that the P wave of an early beat may ride on the T wave before it.

    Raises
    ------
    PulseletError
        If the duration or the rate holds no sample.
    """
    values = np.zeros(samples_in(duration_s, rate_hz))
    times_s = np.arange(len(values)) / rate_hz
    for begin_s, end_s, rhythm in heart.episodes:
        if rhythm == FIBRILLATION:
            within = (times_s >= begin_s) & (times_s < end_s)
            values[within] += Waves.within(np.random.default_rng([seed, 2]), FIBRILLATORY_HZ, FIBRILLATORY_MV).at(
                times_s[within]
            )
    rhythms = _rhythms(heart)
    for at_s, kind, rhythm in zip(heart.r_times_s.tolist(), heart.kinds, rhythms, strict=True):
        for height, after_s, width_s in _waves(heart.heart_rate_bpm, kind, rhythm):
            centre_s, reach_s = at_s + after_s, 5 * width_s
            first = max(int((centre_s - reach_s) * rate_hz), 0)
            part = slice(first, max(int((centre_s + reach_s) * rate_hz) + 1, first))
            values[part] += r_mv * height * np.exp(-0.5 * ((times_s[part] - centre_s) / width_s) ** 2)
    return values


def _rhythms(heart: Heartbeats) -> list[str]:
    """Return the rhythm that each beat comes in."""
    begins = [begin for begin, _, _ in heart.episodes]
    return [heart.episodes[i][2] for i in np.searchsorted(begins, heart.r_times_s, "right") - 1]


def _waves(heart_rate_bpm: float, kind: str, rhythm: str) -> list[tuple[float, float, float]]:
    """Return height as a part of R, time after the R peak in s, and width in s of each wave of a beat."""
    if kind == "V":
        return list(VENTRICULAR)
    angles_rad, widths_rad, heights = widened(heart_rate_bpm)
    a_radian_s = 60 / heart_rate_bpm / (2 * np.pi)
    waves = list(
        zip(heights.tolist(), (angles_rad * a_radian_s).tolist(), (widths_rad * a_radian_s).tolist(), strict=True)
    )
    return waves[1:] if rhythm == FIBRILLATION else waves
