"""Breathing rate from windows of what breathing modulates: baseline, and shape and interval of heartbeats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PipelineError
from pulselet.signal import maths
from pulselet.signal.arrays import fold, numbers, rate
from pulselet.signal.chain import design
from pulselet.signal.maths import Floats, RealFFT, fold_sum
from pulselet.signal.modulations import RespiratoryModulations
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check
from pulselet.signal.window import Window

F = np.float32
Posterior: TypeAlias = "tuple[Samples, int] | None"

# How a breathing rate behaves; chosen on nine recordings of BIDMC, also played at 0.4, 0.6 and 1.5 times their speed:
# rates from 6 to 30 breaths/min are among them
USUAL_PER_MIN, SPREAD = 16.0, 0.5  # the rate before anything is known: log-normal, median and standard deviation
DRIFT_PER_MIN2_PER_S = 0.1  # variance that its random walk gains in a second, (breaths/min)^2
JUMP_PER_S = 5e-4  # probability that it starts anew, from the usual
EVIDENCE_PER_S = 0.075  # of a window's log-likelihood: windows overlap, so they do not all count in full
FLOOR = F(0.03)  # share of the power that any rate has
FLATNESS = F(1e-6)  # of the largest value: a series that moves less is rounding, not breathing
LOBE = 2  # rates on either side of the best that belong to the same peak
FORGET_S = 120.0  # a gap that is longer starts anew


class BreathingRateKernel(Kernel):
    """A forward hidden Markov model on a grid of rates; the state is None, then the posterior `(rates,)` and how many
    windows have been lost since the last.

    Each series is freed from its mean and slope, weighted by Hann's window, and transformed with as many zeros behind
    it. Power times frequency (noise of these series falls with frequency) as a share of its sum, plus 3 %, is its
    likelihood; the logarithms of the series add up, each by its weight.
    """

    def __init__(self, weights: tuple[float, ...], first: int, last: int, bin_per_min: float, source: Format) -> None:
        assert source.rate_hz is not None
        self.weights = np.asarray(weights, np.float32)
        self.covered = source.channels - len(weights)
        self.length, self.first, self.count = source.length, first, last - first + 1
        self.fft = RealFFT(2 * source.length)
        self.source = source
        self.output = Format(source.rate_hz, 2, names=("rate", "confidence"))
        self.operations = len(weights) * (self.fft.operations + 12 * source.length + 40 * self.count) + 60 * self.count
        hop_s = 1 / source.rate_hz
        self._rates(bin_per_min, hop_s)
        self.forget = max(1, math.ceil(FORGET_S / hop_s))
        # symmetric about the window's middle, exact in float32
        self.time = (np.arange(source.length) - F((source.length - 1) / 2)).astype(np.float32)
        n = source.length
        self.inverse_length = F(1 / n)
        self.inverse_spread = F(12 / (n * (n * n - 1.0)))  # sum of time squared
        quarter = self.fft.quarter[::2]
        wave = np.concatenate([quarter, -quarter[-2:0:-1]])  # cos(2 pi i / n), i < n / 2
        self.hann = F(0.5) - F(0.5) * np.concatenate([wave, -self.fft.quarter[:1], wave[:0:-1]])

    def _rates(self, bin_per_min: float, hop_s: float) -> None:
        """Make the tables of the grid."""
        bins = np.arange(self.first, self.first + self.count)
        self.bins = bins.astype(np.float32)
        self.bin_per_min = F(bin_per_min)
        self.rates = self.bins * self.bin_per_min
        prior = np.exp(-0.5 * (np.log(bins * bin_per_min / USUAL_PER_MIN) / SPREAD) ** 2)
        self.prior = (prior / prior.sum()).astype(np.float32)
        self.jump = F(min(0.5, JUMP_PER_S * hop_s))
        self.stay = F(1) - self.jump
        self.evidence = F(min(1.0, EVIDENCE_PER_S * hop_s))
        window_s = 60 / (2 * bin_per_min)
        self.first_evidence = F(min(1.0, EVIDENCE_PER_S * window_s))
        variance = min(0.5 * DRIFT_PER_MIN2_PER_S * hop_s / bin_per_min**2, 6.0)
        self.walks = math.ceil(variance / 0.3)  # a step to each side with at most this probability keeps all positive
        self.step_aside = F(variance / self.walks)

    def start(self) -> Posterior:
        return None

    def step(self, state: Posterior, x: Samples) -> tuple[Samples, Posterior]:
        windows = x.reshape(len(x), self.length, self.source.channels)
        score = np.zeros((len(x), self.count), np.float32)
        for series, weight in enumerate(self.weights):
            score = score + weight * self._likelihood(windows[:, :, series])
        covered = np.ones(len(x), np.float32)
        if self.covered:
            covered = fold_sum(windows[:, :, -1]) * self.inverse_length
            covered = np.minimum(np.maximum(covered, F(0)), F(1))
        found = np.empty((len(x), 2), np.float32)
        for i in range(len(x)):
            evidence = (self.first_evidence if state is None else self.evidence) * covered[i]
            posterior = self._predict(self.prior if state is None else state[0])
            state = self._update(posterior, score[i], evidence), 0
            found[i] = self._estimate(state[0], covered[i])
        return found, state

    def _likelihood(self, x: Floats) -> Floats:
        """Return the log-likelihood `(n, rates)` of one series `(n, length)`; 0 where it is flat."""
        largest = np.max(np.abs(x), axis=1, initial=0)
        x = x - (fold_sum(x) * self.inverse_length)[:, None]
        slope = fold_sum(x * self.time) * self.inverse_spread
        x = x - slope[:, None] * self.time
        height = np.max(np.abs(x), axis=1, initial=0)
        moves = (height > largest * FLATNESS) & (height > F(1e-30))
        x = (x / np.where(moves, height, F(1))[:, None]) * self.hann
        padded = np.concatenate([x, np.zeros_like(x)], axis=1)
        power = self.fft.power(padded)[:, self.first : self.first + self.count] * self.bins
        total = fold_sum(power)
        moves &= total > F(1e-20)
        likelihood: Floats = maths.log(power / np.where(moves, total, F(1))[:, None] + FLOOR)
        likelihood[~moves] = 0
        return likelihood

    def _predict(self, p: Floats) -> Floats:
        for _ in range(self.walks):
            wide: Floats = np.concatenate([p[:1], p, p[-1:]])
            aside: Floats = self.step_aside * ((wide[:-2] - p) + (wide[2:] - p))
            p = p + aside
        later: Floats = self.stay * p + self.jump * self.prior
        return later

    def _update(self, p: Floats, score: Floats, evidence: np.float32) -> Floats:
        p = p * maths.exp(evidence * (score - np.max(score)))
        posterior: Floats = p / fold_sum(p)
        return posterior

    def _estimate(self, p: Floats, covered: np.float32) -> tuple[np.float32, np.float32]:
        best = int(np.argmax(p))
        mass = moment = F(0)
        for k in range(max(0, best - LOBE), min(self.count, best + LOBE + 1)):
            mass = mass + p[k]
            moment = moment + p[k] * self.rates[k]
        return moment / mass, mass * covered

    def gap(self, state: Posterior, lost: int) -> tuple[int, Posterior]:
        if state is None or state[1] + lost > self.forget:
            return lost, None
        posterior = state[0]
        for _ in range(lost):
            posterior = self._predict(posterior)
        return lost, (posterior, state[1] + lost)

    def c_form(self) -> CForm:
        fields = (
            ("length", self.length),
            ("series", len(self.weights)),
            ("channels", self.source.channels),
            ("first", self.first),
            ("count", self.count),
            ("walks", self.walks),
            ("forget", self.forget),
            ("bin_per_min", self.bin_per_min),
            ("step_aside", self.step_aside),
            ("jump", self.jump),
            ("stay", self.stay),
            ("evidence", self.evidence),
            ("first_evidence", self.first_evidence),
            ("inverse_length", self.inverse_length),
            ("inverse_spread", self.inverse_spread),
            ("weights", self.weights),
            ("prior", self.prior),
            ("fft", self.fft.c_form()),
        )
        words = 2 + 2 * self.count + 2 * self.length
        return CForm("breathing_rate", "pl_breathing.h", fields, state_words=words, has_gap=True)


@dataclass(frozen=True)
class BreathingRate(Stage):
    """Breathing rate from windows of series that breathing modulates, such as those of `RespiratoryModulations`.

    A row `(rate, confidence)` for each window: breaths per minute, and the posterior probability from 0 to 1 that the
    rate is within 2 bins (1.9 breaths/min for 32 s) of it. Spectra of all series are fused into one likelihood (the
    series that agree outweigh the one that does not: Karlen et al., IEEE Transactions on Biomedical Engineering 60,
    2013; Pimentel et al., ibid. 64, 2017), and a hidden Markov model follows the rate from window to window. Only
    windows before count: it is causal.

    A gap of up to 2 min lets the estimate widen; a longer one starts anew. Windows with flat series leave it wide too.

    Parameters
    ----------
    weights
        Of the series, in their order. If there is one channel more, it is the share of the window that heartbeats
        cover, 0 to 1: it scales evidence and confidence.
    lowest_per_min, highest_per_min
        The rates that are looked for.
    """

    weights: tuple[float, ...] = (1.0, 1.0, 1.0)
    lowest_per_min: float = 4.0
    highest_per_min: float = 45.0

    def design(self, source: Format) -> BreathingRateKernel:
        sample_hz = source.clock_hz or 0.0
        windows = source.rate_hz is not None and source.length > 1 and sample_hz > 0
        check(windows, self, "windows of samples at a known rate", source)
        powers = (16, 32, 64, 128, 256, 512, 1024, 2048)
        check(source.length in powers, self, f"windows of {', '.join(map(str, powers))} samples", source.length)
        few = len(self.weights)
        check(few > 0 and min(self.weights) >= 0 and max(self.weights) > 0, self, "weights, one above 0", self.weights)
        check(few <= source.channels <= few + 1, self, f"{few} series, and perhaps their coverage", source.channels)
        lowest, highest = self.lowest_per_min, self.highest_per_min
        fastest = 30 * sample_hz
        check(0 < lowest < highest < fastest, self, f"rates from 0 to {fastest:g}/min", f"{lowest} to {highest}")
        bin_per_min = 30 * sample_hz / source.length
        first, last = max(1, math.floor(lowest / bin_per_min)), math.floor(highest / bin_per_min)
        check(last - first >= 4, self, "windows long enough for five rates", f"a grid of {bin_per_min:g}/min")
        return BreathingRateKernel(self.weights, first, last, bin_per_min, source)


def breathing_rate(
    signal: ArrayLike, *, rate_hz: float, kind: str, window_s: float = 32.0, hop_s: float = 2.0
) -> tuple[NDArray[np.float64], Samples, Samples]:
    """Return the breathing rate in an ECG or a PPG: times in s, breaths/min and confidence from 0 to 1, each `(n,)`.

    It folds `RespiratoryModulations`, `Window` and `BreathingRate` over the signal: causal, as on a device, where
    each value comes 3 s after its time, the end of its window. Believe what has a confidence of 0.75 or more; below,
    an estimate is often a harmonic, or noise. Where breathing shows at twice its rate in all series, nothing helps:
    of 18 people of BIDMC to whom nothing was fitted, one seemed to breathe twice as fast (`benchmarks/breathing.py`).

    Parameters
    ----------
    signal
        Samples `(n,)` of one channel in any linear unit, pulses upwards; NaN and infinities are gaps.
    rate_hz
        Samples per second.
    kind
        "ecg" or "ppg".
    window_s, hop_s
        Length of a window, a power of two of quarters of a second, and how often one begins. Shorter windows know less.

    Raises
    ------
    PipelineError
        If the signal is not one channel of numbers, or rate, kind, window or hop do not fit.

    Examples
    --------
    >>> from pulselet.simulate import ppg
    >>> found = ppg(90, rate_hz=64, seed=1, respiration_hz=0.25)
    >>> times_s, rate, confidence = breathing_rate(found.values, rate_hz=64, kind="ppg")
    >>> bool(abs(rate[-1] - 15) < 0.5), bool(confidence[-1] > 0.9)
    (True, True)
    """
    x = numbers("breathing_rate", "one channel of numbers (n,)", signal)
    if kind not in ("ecg", "ppg"):
        raise PipelineError(f"breathing_rate: wanted kind 'ecg' or 'ppg', got {kind!r}")
    source = Format(rate("breathing_rate", rate_hz), 1, "mV" if kind == "ecg" else "")
    stages = (RespiratoryModulations(kind), Window(window_s, hop_s), BreathingRate())
    rows, windows = fold(design(stages, source), x[:, None])
    return window_s + hop_s * windows.astype(np.float64), rows[:, 0], rows[:, 1]
