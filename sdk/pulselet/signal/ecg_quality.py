"""How far an ECG can be trusted: whether its beats look alike, follow one another, and the electrodes hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PipelineError
from pulselet.signal.arrays import fold, numbers, rate
from pulselet.signal.ecg_beats import BeatsKernel, BeatsState
from pulselet.signal.ecg_peaks import RPeaks
from pulselet.signal.filters import BandPass
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, even_rate
from pulselet.signal.window import whole_samples

F = np.float32

LOW_HZ, HIGH_HZ = 0.67, 20.0
"""Band of the waveforms that are compared."""
POINTS_HZ, POINTS, BEFORE_S = 64.0, 32, 0.2
"""Rate (about) and number of their points, and how much of it lies before the R peak."""
OTHERS, LEARNT = 8, 3
"""Beats before it with which a beat is compared, and the fewest that say something."""
LEAST_RR_S, MOST_RR_S = 0.3, 2.0
"""A plausible interval: 200 to 30 beats per minute."""
EDGE_S = 2.0
"""Of a window may be without intervals: one begins before it, one ends after it."""
AWAY_S = 0.064
"""A beat is worth half if its largest deviation is further from the R peak."""
EVEN, UNEVEN = F(1.5), F(3.0)
"""Longest interval over the shortest: up to the one nothing is wrong, from the other on rhythm is halved."""
FLAT_S = 0.2
"""So long the same value, and no electrode is on the skin, or the amplifier is at its limit."""
STEPS = 1024
"""Of a beat's similarity: whole numbers add up exactly."""
LEAST_HEIGHT = F(1e-20)
LONGEST = 2**30

BEATS, SIMILARITY, SQUARES, COVERED, GOOD, LONG, SHORT = range(7)
"""Columns of a bin: beats compared, sums of their similarity and its square, samples within plausible intervals, good
samples, the longest interval, and how much less than `LONGEST` the shortest is."""


class QualityState(NamedTuple):
    """What is kept between chunks."""

    beats: BeatsState
    bins: NDArray[np.int64]  # (bins, 7), oldest first
    last: Samples  # (0 or 1,) the sample before
    run: int  # how often in a row it has come
    shapes: NDArray[np.int32]  # (beats up to OTHERS, POINTS) -127..127, oldest first
    heights: Samples  # of those


class EcgQualityKernel(Kernel):
    """Sums over bins of one hop, the newest of which is being filled."""

    def __init__(self, beats: BeatsKernel, hop: int, bins: int, full_scale: float) -> None:
        rate_hz = beats.source.rate_hz
        assert rate_hz is not None
        self.beats, self.hop, self.bins = beats, hop, bins
        self.full_scale = F(full_scale)
        self.flat = round(FLAT_S * rate_hz)
        self.least_rr, self.most_rr = round(LEAST_RR_S * rate_hz), round(MOST_RR_S * rate_hz)
        self.samples = F(hop * bins)
        self.covered = F(hop * bins - round(EDGE_S * rate_hz))
        self.inverse_points = F(1 / beats.points)
        self.away = round(AWAY_S * rate_hz / beats.every)
        self.source = beats.source
        self.output = Format(rate_hz / hop, 4, names=("quality", "similarity", "rhythm", "contact"))
        self.latency_s = hop * bins / rate_hz / 2
        self.operations = beats.operations + 4 + 2 * OTHERS * beats.points / rate_hz

    def start(self) -> QualityState:
        shapes = np.empty((0, self.beats.points), np.int32)
        bins = np.zeros((self.bins, 7), np.int64)
        return QualityState(self.beats.start(), bins, np.empty(0, np.float32), 0, shapes, np.empty(0, np.float32))

    def step(self, state: QualityState, x: Samples) -> tuple[Samples, QualityState]:
        if len(x) == 0:
            return np.empty((0, 4), np.float32), state
        before = state.beats.samples
        rows, beats = self.beats.step(state.beats, x)
        first, count = before // self.hop, beats.samples // self.hop - before // self.hop
        bins = np.concatenate([state.bins, np.zeros((count, 7), np.int64)])
        good, last, run = self._good(state, x[:, 0])
        at = np.arange(before, beats.samples)[good] // self.hop - first + self.bins - 1
        bins[:, GOOD] += np.bincount(at, minlength=len(bins))
        shapes, heights = state.shapes, state.heights
        if len(rows):
            similarity, known, shapes, heights = self._similar(state, rows[:, 4:])
            since = rows[::-1, 0].astype(np.int64)  # integers: a float32 is not exact after a long pause
            places = beats.row_place - (np.cumsum(since) - since)[::-1]
            at = (places + rows[:, 2].astype(np.int64)) // self.hop - first + self.bins - 1
            _compared(bins, at[known], similarity[known])
            valid = rows[:, 1] > 0
            self._followed(bins, at[valid], np.maximum(rows[valid, 0], 1).astype(np.int64))
        ended = np.lib.stride_tricks.sliding_window_view(bins, self.bins, axis=0)[:count]
        return self._quality(ended), QualityState(beats, bins[count:].copy(), last, run, shapes, heights)

    def _followed(self, bins: NDArray[np.int64], at: NDArray[np.int64], since: NDArray[np.int64]) -> None:
        """Put valid intervals into the bins."""
        plausible = (since >= self.least_rr) & (since <= self.most_rr)
        np.add.at(bins[:, COVERED], at[plausible], since[plausible])
        np.maximum.at(bins[:, LONG], at, since)
        np.maximum.at(bins[:, SHORT], at, LONGEST - since)

    def _good(self, state: QualityState, x: Samples) -> tuple[NDArray[np.bool_], Samples, int]:
        """Return which samples are neither flat nor saturated, the last one, and how often in a row it has come."""
        last = np.concatenate([state.last, x])
        changes = np.ones(len(x), np.bool_)
        changes[len(x) - len(last) + 1 :] = last[1:] != last[:-1]
        index = np.arange(len(x))
        run = index - np.maximum.accumulate(np.where(changes, index, -state.run)) + 1
        good = run < self.flat
        if self.full_scale > 0:
            good &= np.abs(x) < self.full_scale
        return good, x[-1:].copy(), int(min(run[-1], self.flat))

    def _similar(
        self, state: QualityState, waves: Samples
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int32], Samples]:
        """Return the similarity of each waveform in steps, whether it is known, and the histories after them."""
        count, past = len(waves), len(state.heights)
        total = np.zeros(count, np.float32)
        for column in waves.T:  # oldest first, as in C
            total += column
        centred = waves - (total * self.inverse_points)[:, None]
        peak = np.argmax(np.abs(centred), axis=1)
        height = np.abs(centred[np.arange(count), peak])
        height = np.where(height > LEAST_HEIGHT, height, F(0))
        gain = F(127) / np.where(height > 0, height, F(1))
        shape = np.where(height[:, None] > 0, centred * gain[:, None], F(0)).astype(np.int32)
        shapes, heights = np.concatenate([state.shapes, shape]), np.concatenate([state.heights, height])
        best = np.zeros((count, OTHERS), np.float32)
        for k in range(1, min(OTHERS, past + count - 1) + 1):
            here = max(past, k)  # the first that has a k-th before it
            best[here - past :, k - 1] = _alike(
                shapes[here:], heights[here:], shapes[here - k : -k], heights[here - k : -k]
            )
        similarity = np.partition(best, OTHERS - 2, axis=1)[:, OTHERS - 2]
        similarity *= np.where(np.abs(peak - self.beats.before) > self.away, F(0.5), F(1))
        known = np.arange(past, past + count) >= LEARNT
        return (similarity * F(STEPS)).astype(np.int64), known, shapes[-OTHERS:].copy(), heights[-OTHERS:].copy()

    def _quality(self, bins: NDArray[np.int64]) -> Samples:
        """Return the rows for the bins of windows `(n, 7, bins)`."""
        sums = bins[:, :LONG].sum(axis=2).astype(np.float32)
        longest = bins[:, LONG].max(axis=1)
        shortest = LONGEST - bins[:, SHORT].max(axis=1)
        beats = np.maximum(sums[:, BEATS], F(1))
        mean = sums[:, SIMILARITY] / (beats * F(STEPS))
        squares = sums[:, SQUARES] / (beats * F(STEPS * STEPS))
        spread = np.sqrt(np.maximum(squares - mean * mean, F(0)))
        uneven = longest.astype(np.float32) / shortest.astype(np.float32)
        even = F(1) - F(0.5) * _part((uneven - EVEN) / (UNEVEN - EVEN))
        y = np.empty((len(bins), 4), np.float32)
        y[:, 1] = np.maximum(mean - spread, F(0))
        y[:, 2] = np.minimum(sums[:, COVERED] / self.covered, F(1)) * even
        y[:, 3] = sums[:, GOOD] / self.samples
        missing = F(1) - _part(y[:, 1] * y[:, 2] * y[:, 3])
        y[:, 0] = F(1) - missing * missing * missing
        return y

    def gap(self, state: QualityState, lost: int) -> tuple[int, QualityState]:
        _, beats = self.beats.gap(state.beats, lost)
        ended = beats.samples // self.hop - state.beats.samples // self.hop
        bins = np.zeros_like(state.bins)
        bins[: max(0, self.bins - ended)] = state.bins[ended:]
        return ended, state._replace(beats=beats, bins=bins, last=state.last[:0], run=0)

    def c_form(self) -> CForm:
        beats = self.beats.c_form()
        fields = (
            ("beats", beats),
            ("points", self.beats.points),
            ("before", self.beats.before),
            ("away", self.away),
            ("width", self.beats.output.width),
            ("beats_rows", beats.rows),
            ("hop", self.hop),
            ("bins", self.bins),
            ("flat", self.flat),
            ("least_rr", self.least_rr),
            ("most_rr", self.most_rr),
            ("full_scale", self.full_scale),
            ("inverse_points", self.inverse_points),
            ("samples", self.samples),
            ("covered", self.covered),
        )
        words = 6 + 7 * self.bins + OTHERS + OTHERS * self.beats.points // 4 + beats.rows * self.beats.output.width
        return CForm("ecg_quality", "pl_ecg_quality.h", fields, state_words=words + beats.state_words, has_gap=True)


def _part(x: Samples) -> Samples:
    return np.asarray(np.minimum(np.maximum(x, F(0)), F(1)))


def _compared(bins: NDArray[np.int64], at: NDArray[np.int64], similarity: NDArray[np.int64]) -> None:
    """Put beats into the bins."""
    np.add.at(bins[:, BEATS], at, 1)
    np.add.at(bins[:, SIMILARITY], at, similarity)
    np.add.at(bins[:, SQUARES], at, similarity * similarity)


def _alike(a: NDArray[np.int32], height_a: Samples, b: NDArray[np.int32], height_b: Samples) -> Samples:
    """Return how alike waveforms are, pair by pair: their correlation times the lower height over the higher."""
    product = (a * b).sum(axis=1).astype(np.float32)
    power = (a * a).sum(axis=1).astype(np.float32) * (b * b).sum(axis=1).astype(np.float32)
    most, least = np.maximum(height_a, height_b), np.minimum(height_a, height_b)
    found = product / np.sqrt(np.maximum(power, F(1))) * (least / np.where(most > 0, most, F(1)))
    return np.asarray(np.maximum(found, F(0)))


@dataclass(frozen=True)
class EcgQuality(Stage):
    """Quality of an ECG over the last `length_s`, every `hop_s`: ("quality", "similarity", "rhythm", "contact").

    All are between 0 and 1:

    - `similarity`: whether beats look alike. Each (0.67-20 Hz, half a second, 32 points) is compared with the eight
      before it by correlation times the ratio of heights; the second best of the eight is its own similarity, or half
      of it if the largest deviation is more than 64 ms from the R peak. The mean over the beats, less their standard
      deviation, is taken. The template method of Orphanidou et al. (2015) compares
      with one mean beat; here ectopic beats of a kind and bigeminy do not look like noise, and no template has to be
      learnt anew.
    - `rhythm`: the part of the time that lies within intervals of 0.3 to 2 s between neighbouring R peaks; two seconds
      may be without. Where the longest interval is more than 1.5 times the shortest it falls, to a half at 3 times: so
      do beats that were missed or made up show. Atrial fibrillation costs some of it, but is no noise.
    - `contact`: the part of samples that came and are neither flat (the same value for 0.2 s) nor as large as
      `full_scale`.
    - `quality`: `1 - (1 - p)**3` of their product p, which spreads low values. From about 0.5 on a person would rather
      not call the recording noisy; from about 0.8 on all beats were probably found (`benchmarks/ecg_quality.py`).

    Parameters
    ----------
    length_s, hop_s
        The length is a multiple of the hop, 2 to 32 times.
    full_scale
        The largest magnitude that the converter can give, in the input's unit; 0 if it is not known.

    In a gap the rows go on: those that end in it are lost, and lost samples count as without contact afterwards. Before
    the first `length_s` has come, what is missing counts likewise.
    """

    length_s: float = 10.0
    hop_s: float = 1.0
    full_scale: float = 0.0

    def design(self, source: Format) -> EcgQualityKernel:
        rate_hz = even_rate(self, source)
        check(source.channels == 1, self, "one channel", source.channels)
        hop = whole_samples(self, "hop", self.hop_s, rate_hz)
        length = whole_samples(self, "length", self.length_s, rate_hz)
        wanted = "a length of 2 to 32 hops, and from 4 to 120 s"
        fits = length % hop == 0 and 2 <= length // hop <= 32 and 4 <= self.length_s <= 120
        check(fits, self, wanted, f"{self.length_s} and {self.hop_s} s")
        check(0 <= self.full_scale <= 1e12, self, "full_scale from 0 to 1e12", self.full_scale)
        every = max(1, round(rate_hz / POINTS_HZ))
        before = round(BEFORE_S * rate_hz / every)
        peaks, band = RPeaks().design(source), BandPass(LOW_HZ, HIGH_HZ).design(source)
        return EcgQualityKernel(
            BeatsKernel(peaks, band, every, before, POINTS - 1 - before), hop, length // hop, self.full_scale
        )


def quality(signal: ArrayLike, *, rate_hz: float, kind: str) -> tuple[NDArray[np.float64], Samples]:
    """Return the quality of an ECG or a PPG: times `(n,)` in s from the first sample, and values `(n,)` from 0 to 1.

    Of an ECG it folds `EcgQuality` over the signal: a value each second for the ten before it, but none for a second
    that ends in a gap. Of a PPG it is what `ppg_quality` returns, a value each two seconds for the eight before it.

    Parameters
    ----------
    signal
        Samples `(n,)` of one channel in any linear unit; NaN, infinities and magnitudes from 1e12 are gaps.
    kind
        "ecg" or "ppg".

    Raises
    ------
    PipelineError
        If the kind is another, the signal is not one channel, or its rate does not suit the stage.

    Examples
    --------
    >>> from pulselet.simulate import ecg
    >>> times_s, values = quality(ecg(30, rate_hz=250, seed=1).values_mv, rate_hz=250, kind="ecg")
    >>> int(times_s[-1]), bool(values[-1] > 0.9)
    (30, True)
    """
    if kind not in ("ecg", "ppg"):
        raise PipelineError(f"quality: wanted kind 'ecg' or 'ppg', got {kind!r}")
    x, rate_hz = numbers("quality", "one channel of numbers (n,)", signal), rate("quality", rate_hz)
    if kind == "ppg":
        from pulselet.signal.ppg_quality import ppg_quality

        return ppg_quality(x, rate_hz)
    kernel = EcgQuality().design(Format(rate_hz, 1))
    rows, seconds = fold([kernel], x[:, None])
    assert kernel.output.rate_hz is not None
    return (seconds + 1) / kernel.output.rate_hz, rows[:, 0]
