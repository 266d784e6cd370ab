"""How far a photoplethysmogram can be trusted: do its pulses look alike, do they follow one another, is there any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.signal.arrays import fold, numbers, rate
from pulselet.signal.ppg_pulses import Pulses, PulsesKernel
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, even_rate
from pulselet.signal.window import whole_samples

NAMES = ("quality", "similarity", "rhythm", "contact")
SHAPE_S, POINTS = 0.64, 20
"""Of the wave up to the moment when a pulse goes out, 0.34 s after its peak, and its points at the most."""
OTHERS, ALIKE = 8, 3
"""A pulse is compared with so many before it, and is as good as the best so-manieth of the comparisons."""
SHORTEST_S, LONGEST_S = 0.33, 2.0
"""A plausible interval: 180 to 30 pulses a minute."""
EDGE_S = 1.0
"""Of the time may be without intervals: the last one ends after it."""
FLAT_S = 0.3
"""So long the same value, and there is no skin before the sensor, or it is at its limit."""
STEPS = 1024
"""Of a pulse's similarity: whole numbers add up exactly."""
LEAST_POWER = np.float32(1e-30)
BEYOND = np.float32(2e12)
"""No sample is: a pipeline takes it for lost."""

F = np.float32


class _State(NamedTuple):
    pulses: Any
    levels: Samples  # the last filtered samples, up to a shape's length less 1
    shapes: Samples  # (pulses up to OTHERS, points), oldest first
    interval: int  # the last one, 0 if it is not valid
    last: Samples  # (0 or 1,) the sample before
    run: int  # how often in a row it has come
    bins: NDArray[np.int64]  # (bins, 4): pulses, their similarity, samples in plausible intervals, good samples
    filled: int  # samples in the newest bin


class PpgQualityKernel(Kernel):
    """Sums over bins of one hop, the newest of which is being filled."""

    def __init__(self, pulses: PulsesKernel, hop: int, bins: int, rails: tuple[float, ...]) -> None:
        rate_hz = pulses.output.clock_hz
        assert rate_hz is not None
        self.pulses, self.hop, self.bins = pulses, hop, bins
        self.points = min(POINTS, round(SHAPE_S * rate_hz))
        self.stride = max(1, round(SHAPE_S * rate_hz / self.points))
        self.reach = (self.points - 1) * self.stride + 1
        self.shortest, self.longest = round(SHORTEST_S * rate_hz), round(LONGEST_S * rate_hz)
        self.flat = round(FLAT_S * rate_hz)
        self.samples = F(hop * bins)
        self.covered = F(hop * bins - round(EDGE_S * rate_hz))
        self.low, self.high = (F(rails[0]), F(rails[1])) if rails else (-BEYOND, BEYOND)
        self.source = pulses.source
        self.output = Format(rate_hz / hop, len(NAMES), names=NAMES)
        self.latency_s = hop * bins / rate_hz / 2
        self.operations = pulses.operations + 4 + 2 * OTHERS * self.points / rate_hz

    def start(self) -> _State:
        nothing = np.empty(0, np.float32)
        bins = np.zeros((self.bins, 4), np.int64)
        return _State(self.pulses.start(), nothing, np.empty((0, self.points), np.float32), 0, nothing, 0, bins, 0)

    def gap(self, state: _State, lost: int) -> tuple[int, _State]:
        _, pulses = self.pulses.gap(state.pulses, lost)
        passed, filled = divmod(state.filled + lost, self.hop)
        kept = state.bins[min(passed, self.bins) :]
        bins = np.concatenate([kept, np.zeros((self.bins - len(kept), 4), np.int64)])
        nothing = np.empty(0, np.float32)
        return passed, state._replace(
            pulses=pulses, levels=nothing, interval=0, last=nothing, run=0, bins=bins, filled=filled
        )

    def step(self, state: _State, x: Samples) -> tuple[Samples, _State]:
        if len(x) == 0:
            return np.empty((0, len(NAMES)), np.float32), state
        begin = state.pulses.at
        rows, places, levels, pulses = self.pulses.trace(state.pulses, x)
        count, filled = divmod(state.filled + len(x), self.hop)
        bins = np.concatenate([state.bins, np.zeros((count, 4), np.int64)])
        good, last, run = self._good(state, x[:, 0])
        newest = (state.filled + np.arange(len(x))) // self.hop + self.bins - 1
        np.add.at(bins[:, 3], newest[good], 1)
        levels = np.concatenate([state.levels, levels])
        shapes, interval = state.shapes, state.interval
        if len(rows):
            at = places - begin
            whole = at + len(state.levels) >= self.reach - 1
            drawn = self._shapes(levels, at[whole] + len(state.levels))
            similarity, known, shapes = self._similar(shapes, drawn)
            np.add.at(bins[:, 0], newest[at[whole][known]], 1)
            np.add.at(bins[:, 1], newest[at[whole][known]], similarity[known])
            steady, since, interval = self._steady(interval, rows)
            np.add.at(bins[:, 2], newest[at[steady]], since[steady])
        found = self._quality(np.lib.stride_tricks.sliding_window_view(bins, self.bins, axis=0)[:count].sum(axis=2))
        kept = levels[max(0, len(levels) - self.reach + 1) :].copy()
        return found, _State(pulses, kept, shapes, interval, last, run, bins[count:].copy(), filled)

    def _good(self, state: _State, x: Samples) -> tuple[NDArray[np.bool_], Samples, int]:
        """Return which samples are neither flat nor at a rail, the last one, and how often in a row it has come."""
        before = np.concatenate([state.last, x])[: len(x)] if len(state.last) else np.concatenate([x[:1], x[:-1]])
        changed = x != before
        index = np.arange(len(x))
        latest = np.maximum.accumulate(np.where(changed, index, -1))
        run = np.where(latest >= 0, index - latest + 1, index + 1 + state.run)
        good = (run < self.flat) & (x > self.low) & (x < self.high)
        return good, x[-1:].copy(), int(min(run[-1], self.flat))

    def _shapes(self, levels: Samples, at: NDArray[np.int64]) -> Samples:
        """Return the waves that end at these filtered samples, `(pulses, points)`, with mean 0 and power 1."""
        wave = levels[at[:, None] - np.arange(self.reach - 1, -1, -self.stride)]
        total = np.zeros(len(at), np.float32)
        for point in range(self.points):
            total = total + wave[:, point]
        wave = wave - (total * F(1 / self.points))[:, None]
        power = _products(wave, wave)
        enough = power > LEAST_POWER
        wave = wave / np.sqrt(np.where(enough, power, F(1)))[:, None]
        return np.where(enough[:, None], wave, F(0))

    def _similar(self, before: Samples, drawn: Samples) -> tuple[NDArray[np.int64], NDArray[np.bool_], Samples]:
        """Return each pulse's similarity in steps, whether it could be compared, and the last shapes."""
        shapes = np.concatenate([before, drawn])
        compared = np.full((len(drawn), OTHERS), F(-2))
        for back in range(1, OTHERS + 1):
            first = max(0, back - len(before))
            place = np.arange(len(before) + first, len(shapes))
            compared[first:, back - 1] = _products(shapes[place], shapes[place - back])
        alike = np.sort(compared, axis=1)[:, OTHERS - ALIKE]
        steps = (np.minimum(np.maximum(alike, F(0)), F(1)) * F(STEPS)).astype(np.int64)
        return steps, alike > F(-2), shapes[-OTHERS:].copy()

    def _steady(self, last: int, rows: Samples) -> tuple[NDArray[np.bool_], NDArray[np.int64], int]:
        """Return which intervals are plausible and like the one before, the intervals, and the last one."""
        since, valid = rows[:, 0].astype(np.int64), rows[:, 1] > 0
        interval = np.where(valid, since, 0)
        before = np.concatenate([[last], interval[:-1]])
        like = 4 * np.minimum(since, before) >= 3 * np.maximum(since, before)
        steady = valid & (since >= self.shortest) & (since <= self.longest) & (like | (before == 0))
        return steady, since, int(interval[-1])

    def _quality(self, sums: NDArray[np.int64]) -> Samples:
        pulses, alike, covered, good = (column.astype(np.float32) for column in sums.T)
        similarity = np.where(pulses > 0, alike / (np.maximum(pulses, F(1)) * F(STEPS)), F(0))
        rhythm = np.minimum(covered / self.covered, F(1))
        contact = good / self.samples
        quality = np.maximum(F(2) * similarity - F(1), F(0)) * rhythm * contact
        return np.stack([quality, similarity, rhythm, contact], axis=1)

    def c_form(self) -> CForm:
        names = ("hop", "bins", "points", "stride", "reach", "shortest", "longest", "flat")
        floats = {
            "samples": self.samples,
            "covered": self.covered,
            "low": self.low,
            "high": self.high,
            "inverse_points": F(1 / self.points),
            "least_power": LEAST_POWER,
        }
        fields = (("pulses", self.pulses.c_form()), *((n, getattr(self, n)) for n in names), *floats.items())
        words = self.pulses.c_form().state_words + 8 + (OTHERS + 1) * self.points + self.reach + 4 * self.bins
        return CForm("ppg_quality", "pl_ppg_quality.h", fields, state_words=words, has_gap=True)


def _products(a: Samples, b: Samples) -> Samples:
    """Return the sum of products along the second axis, in its order."""
    total = np.zeros(len(a), np.float32)
    for point in range(a.shape[1]):
        total = total + a[:, point] * b[:, point]
    return total


@dataclass(frozen=True)
class PpgQuality(Stage):
    """Quality of the last `length_s` of a PPG from 0 to 1, every `hop_s`.

    The input is what `Pulses` takes, one channel with the systoles upwards. Columns of a row:

    - `quality`: contact x rhythm x (2 similarity - 1), the last not below 0;
    - `similarity`: the mean over pulses of the third best correlation of a pulse's wave with those of the 8 before it,
      negative ones as 0 (a running form of the template of Orphanidou et al., IEEE JBHI 19, 2015, that a burst of
      noise does not spoil);
    - `rhythm`: the part of the time that lies in plausible intervals, of 0.33 to 2 s and within a quarter of the one
      before. An irregular heart lowers it: where arrhythmia is looked for, take similarity and contact;
    - `contact`: the part of the samples that came, are not within 0.3 s or more of one same value, and lie between
      `rails`, the limits of the converter (low, high) if they are given.

    What lies before the first sample counts as bad, so that the first rows are low. Lost samples count as bad, and a
    row that would have gone out in a gap is lost. Quality cannot tell a pulse from movement that is as regular as one,
    such as running: that takes an accelerometer (`PulseRate`).
    """

    length_s: float = 8.0
    hop_s: float = 2.0
    rails: tuple[float, ...] = ()

    def design(self, source: Format) -> PpgQualityKernel:
        rate_hz = even_rate(self, source)
        pulses = Pulses().design(source)
        length = whole_samples(self, "length", self.length_s, rate_hz)
        hop = whole_samples(self, "hop", self.hop_s, rate_hz)
        check(length % hop == 0, self, "a length of whole hops", f"{self.length_s:g} s and {self.hop_s:g} s")
        check(4.0 <= self.length_s <= 60.0, self, "a length of 4 to 60 s", f"{self.length_s:g} s")
        check(len(self.rails) in (0, 2), self, "no rails, or low and high", self.rails)
        check(not self.rails or self.rails[0] < self.rails[1], self, "rails with the low one first", self.rails)
        return PpgQualityKernel(pulses, hop, length // hop, self.rails)


def ppg_quality(
    ppg: ArrayLike, rate_hz: float, *, length_s: float = 8.0, hop_s: float = 2.0
) -> tuple[NDArray[np.float64], Samples]:
    """Return the ends of windows in s, and the quality of a PPG `(n,)` in each from 0 to 1, by `PpgQuality`.

    Samples that are not finite are a gap and keep their places; windows that end in one are left out.

    Raises
    ------
    PipelineError
        If the array has not one dimension, or length, hop and rate do not fit one another.
    """
    x = numbers("ppg_quality", "one channel of numbers (n,)", ppg)
    kernel = PpgQuality(length_s, hop_s).design(Format(rate("ppg_quality", rate_hz), 1))
    rows, windows = fold([kernel], x[:, None])
    return (windows + 1).astype(np.float64) * (kernel.hop / rate_hz), rows[:, 0]
