"""Pulse rate from light at the wrist while the arm moves, from windows of photoplethysmogram and acceleration.

The spectrum of the pulse signal is weighed down where the acceleration has power, as a Wiener filter does (Temko 2017);
what is left is the evidence for each rate of a grid, together with its second harmonic; a hidden Markov model follows
the rate forward in time, so that one bad window does not lose it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PipelineError
from pulselet.signal.arrays import numbers, rate
from pulselet.signal.maths import RealFFT, exp, fold_sum
from pulselet.signal.pipeline import Branch, Pipeline
from pulselet.signal.resampling import Resample
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check
from pulselet.signal.window import Window

F = np.float32
AXES = 3
BATCH = 64
"""Windows whose spectra are worked out at once: enough to be fast, few enough for a processor's cache."""
BAND_FROM_BPM = 20.0
"""Slower than this, movement of the skin and breathing outweigh everything."""
NEAR_BPM = 9.0
"""Confidence is the probability that the rate is no further than this from the one that is given."""
PEAK_BPM = 6.0
"""Half the width of the main lobe of an 8 s window: the probability within it is one peak."""
JUMP = 2e-6
"""Probability that the rate is suddenly any other: how a wrong lock ends when the evidence is clear."""
SMALLEST = F(1e-30)
NOISE = F(1e-9)
MOST = F(60.0)
"""Evidence stops here, so that its exponential stays finite."""
WEIGHTS = {
    "drift_bpm_per_s": (0.01, 100.0),
    "suppression": (0.0, 1e6),
    "still_g": (1e-4, 1e3),
    "harmonic": (0.0, 1e3),
    "evidence": (0.0, 80 / float(MOST)),
}
"""Parameters, and between what they must lie that nothing overflows."""
LEAST_RANGE_BPM = 20.0
LONGEST = 4096
WORKING_HZ = 25.0
CROSSINGS = 4
"""Of the resampling filter: its wide transition lies above the band, and it is late by 0.16 s only."""
FORGET = 32
"""Windows in a row, lost or flat, after which nothing is known any more."""
FLAT_LEVEL = F(2**-17)
"""A channel of light is flat in a window whose swing is at most this part of its level: a constant leaves up to 1e-6 of
itself in float32 filters, a weak pulse is 5e-4 of its light."""
FLAT_USUAL = F(2**-9)
"""It is flat as well if the swing is at most this part of what is usual: without the offset, as after a high-pass, the
level says nothing. Movement seldom makes swings a hundred times those of the pulse."""
LEARN, FADE = F(1 / 8), F(1 / 256)
"""How much of the usual swing a window with light renews, and one without loses: so nothing is flat for ever."""


class _State(NamedTuple):
    belief: Samples  # (rates,): the probability of each
    usual: Samples  # (channels of light,): mean swing of the windows that were not flat; 0 before the first
    silent: int  # windows since the last one that said anything, one more than FORGET at most


class _Windows(NamedTuple):
    power: Samples  # (n, channels, bins): spectra in the band
    swing: Samples  # (n, channels): the farthest from the straight line through the window, tapered
    level: Samples  # (n, channels): the farthest from zero


class PulseRateKernel(Kernel):
    """Rows `(length, channels)` to rows (rate, confidence); the state is what `_State` lists, None before the first."""

    def __init__(self, stage: PulseRate, source: Format, sample_hz: float, hop_s: float, size: int) -> None:
        self.source = source
        self.output = Format(source.rate_hz, 2, names=("rate", "confidence"))
        self.ppg, self.length, self.fft = stage.ppg_channels, source.length, RealFFT(size)
        bin_bpm = 60 * sample_hz / size
        self.bin_bpm = F(bin_bpm)
        self.low, high = math.ceil(stage.low_bpm / bin_bpm), math.floor(stage.high_bpm / bin_bpm)
        self.rates = high - self.low + 1
        self.first = max(2, math.ceil(BAND_FROM_BPM / bin_bpm))
        self.bins = min(2 * high, size // 2) - self.first + 1
        self.peak, self.near = max(1, round(PEAK_BPM / bin_bpm)), max(1, round(NEAR_BPM / bin_bpm))

        self.middle = F((self.length - 1) / 2)
        self.time = np.arange(self.length, dtype=np.float32) - self.middle
        self.squares = F(np.sum(self.time.astype(np.float64) ** 2))
        self.step_u = F(2 / self.length)
        u = self.time * self.step_u
        self.taper = np.sqrt(F(1) - u * u)
        # the power of a sine of this amplitude
        self.still = F((stage.still_g * np.sum(self.taper, dtype=np.float64) / 2) ** 2)
        # noise of light falls with frequency: flattened by half
        self.colour = np.sqrt(np.arange(self.first, self.first + self.bins, dtype=np.float32))
        self.suppression, self.harmonic = F(stage.suppression), F(stage.harmonic)
        self.part = F(1 / self.ppg)

        overlap = min(1.0, hop_s / (self.length / sample_hz))
        # To choose a peak only what is new in a window counts; to place it all does, which takes out most of the lag
        self.gain, self.sharp = F(stage.evidence * overlap), F(stage.evidence)
        self.jump = F(JUMP / self.rates)
        self.spread = _spread(stage.drift_bpm_per_s * hop_s / bin_bpm)
        transforms = source.channels * (self.fft.operations + 8 * self.length)
        self.operations = transforms + 8 * self.bins * self.ppg + self.rates * (3 * len(self.spread) + 60)

    def start(self) -> _State | None:
        return None

    def step(self, state: _State | None, x: Samples) -> tuple[Samples, _State | None]:
        parts = [np.empty((0, 2), np.float32)]
        for at in range(0, len(x), BATCH):
            belief, usual, silent = state or _State(self._anything(), np.zeros(self.ppg, np.float32), 0)
            windows = self._windows(x[at : at + BATCH])
            lit, usual = self._lit(usual, windows)
            silences = self._silences(silent, lit)
            y, belief = self._follow(belief, silences, self._evidence(windows.power, lit))
            state = _State(belief, usual, silences[-1])
            parts.append(y)
        return np.concatenate(parts), state

    def _windows(self, x: Samples) -> _Windows:
        v = x.reshape(len(x), self.length, -1)
        tapered = self._tapered(v)
        power = self.fft.power(tapered)[:, :, self.first : self.first + self.bins]
        return _Windows(power, np.abs(tapered).max(axis=2), np.abs(v).max(axis=1))

    def _lit(self, usual: Samples, windows: _Windows) -> tuple[NDArray[np.bool_], Samples]:
        """Return in which windows which channels of light are not flat `(n, ppg)`, and the usual swing after them."""
        swing = windows.swing[:, : self.ppg]
        lit = swing > windows.level[:, : self.ppg] * FLAT_LEVEL
        for now, seen in zip(swing, lit, strict=True):
            seen &= now > usual * FLAT_USUAL
            learnt = np.where(usual > 0, usual + (now - usual) * LEARN, now)
            usual = np.where(seen, learnt, usual - usual * FADE)
        return lit, usual

    @staticmethod
    def _silences(silent: int, lit: NDArray[np.bool_]) -> list[int]:
        """Return of each window how many in a row say nothing, itself included."""
        found = []
        for channels in lit:
            silent = 0 if channels.any() else min(silent + 1, FORGET + 1)
            found.append(silent)
        return found

    def _evidence(self, power: Samples, lit: NDArray[np.bool_]) -> Samples:
        """Return how far each rate of the grid stands out `(n, rates)`, 0 to 60; where it is flat, nothing does."""
        motion = self._motion(power[:, self.ppg :]) if power.shape[1] > self.ppg else F(0)
        found = np.zeros((len(power), self.rates), np.float32)
        harmonics = max(0, min(self.rates, (self.first + self.bins - 1) // 2 - self.low + 1))
        low = self.low - self.first
        double = 2 * self.low - self.first
        for channel in range(self.ppg):
            p = power[:, channel] * self.colour
            p = p / np.maximum(p.max(axis=1, keepdims=True), SMALLEST)
            root = np.sqrt(p * p / ((p + motion) + NOISE))
            clear = root * (F(self.bins) / np.maximum(fold_sum(root), SMALLEST))[:, None]
            one = clear[:, low : low + self.rates].copy()
            one[:, :harmonics] += self.harmonic * clear[:, double : double + 2 * harmonics : 2]
            found += np.where(lit[:, channel, None], one, F(0))
        return np.asarray(np.minimum(found * self.part, MOST))

    def _tapered(self, v: Samples) -> Samples:
        """Return windows `(n, length, channels)` without mean and slope, tapered and padded, `(n, channels, size)`."""
        mean = fold_sum(v, axis=1) / F(self.length)
        slope = fold_sum(v * self.time[:, None], axis=1) / self.squares
        flat = ((v - mean[:, None]) - slope[:, None] * self.time[:, None]) * self.taper[:, None]
        padded = np.zeros((len(v), v.shape[2], self.fft.n), np.float32)
        padded[:, :, : self.length] = flat.transpose(0, 2, 1)
        return padded

    def _motion(self, power: Samples) -> Samples:
        """Return how much the spectrum of the acceleration weighs `(n, bins)`."""
        total = (power[:, 0] + power[:, 1]) + power[:, 2]
        return np.asarray(total / (total.max(axis=1, keepdims=True) + self.still) * self.suppression)

    def _follow(self, belief: Samples, silences: list[int], evidence: Samples) -> tuple[Samples, Samples]:
        weights = exp(evidence * self.gain)
        beliefs = np.empty_like(weights)
        for i, (weight, silent) in enumerate(zip(weights, silences, strict=True)):
            p = self._predicted(self._anything() if silent > FORGET else belief) * weight
            belief = p / fold_sum(p)
            beliefs[i] = belief
        return self._placed(beliefs, evidence), belief

    def _anything(self) -> Samples:
        """Return the belief before the first window: every ratio of rates is alike."""
        p = F(1) / np.arange(self.low, self.low + self.rates, dtype=np.float32)
        return np.asarray(p / fold_sum(p))

    def _predicted(self, belief: Samples) -> Samples:
        reach = len(self.spread) - 1
        wide = np.zeros(self.rates + 2 * reach, np.float32)
        wide[reach : reach + self.rates] = belief
        p = self.spread[0] * belief + self.jump
        for d in range(1, reach + 1):
            p += self.spread[d] * (wide[reach - d : reach - d + self.rates] + wide[reach + d : reach + d + self.rates])
        return np.asarray(p)

    def _placed(self, beliefs: Samples, evidence: Samples) -> Samples:
        """Return the rate at the most probable peak, and the probability around it, `(n, 2)`."""
        wide = np.pad(beliefs, ((0, 0), (self.peak, self.peak)))
        mass = wide[:, : self.rates].copy()
        for d in range(1, 2 * self.peak + 1):
            mass += wide[:, d : d + self.rates]
        around = np.argmax(mass, axis=1)[:, None] + np.arange(-self.near, self.near + 1)
        inside = (around >= 0) & (around < self.rates)
        at = np.clip(around, 0, self.rates - 1)
        near = np.where(inside, np.take_along_axis(beliefs, at, axis=1), F(0))
        weight = near * exp(np.take_along_axis(evidence, at, axis=1) * self.sharp)
        bpm = (self.low + at).astype(np.float32) * self.bin_bpm
        confidence, total, moment = np.zeros((3, len(beliefs)), np.float32)
        for i in range(around.shape[1]):
            confidence += near[:, i]
            total += weight[:, i]
            moment += weight[:, i] * bpm[:, i]
        return np.stack([moment / total, np.minimum(confidence, F(1))], axis=1)

    def gap(self, state: _State | None, lost: int) -> tuple[int, _State | None]:
        if state is None or state.silent + lost > FORGET:
            return lost, None
        belief = state.belief
        for _ in range(lost):
            p = self._predicted(belief)
            belief = p / fold_sum(p)
        return lost, state._replace(belief=belief, silent=state.silent + lost)

    def c_form(self) -> CForm:
        return CForm(
            kind="pulse_rate",
            header="pl_wrist_rate.h",
            fields=(
                ("ppg", self.ppg),
                ("channels", self.source.channels),
                ("length", self.length),
                ("first", self.first),
                ("bins", self.bins),
                ("low", self.low),
                ("rates", self.rates),
                ("peak", self.peak),
                ("near", self.near),
                ("reach", len(self.spread) - 1),
                ("forget", FORGET),
                ("middle", self.middle),
                ("squares", self.squares),
                ("step_u", self.step_u),
                ("still", self.still),
                ("suppression", self.suppression),
                ("harmonic", self.harmonic),
                ("part", self.part),
                ("gain", self.gain),
                ("sharp", self.sharp),
                ("jump", self.jump),
                ("bin_bpm", self.bin_bpm),
                ("spread", self.spread),
                ("fft", self.fft.c_form()),
            ),
            state_words=1 + self.ppg + 2 * self.rates + self.bins + self.fft.n,
            has_gap=True,
        )


def _spread(scale_bins: float) -> Samples:
    """Return the probabilities of a step by 0, 1, 2, ... bins either way: a Laplace distribution, cut at six scales."""
    p = np.exp(-np.arange(max(1, math.ceil(6 * scale_bins)) + 1) / scale_bins)
    return np.asarray(p / (2 * p.sum() - p[0]) * (1 - JUMP), np.float32)


@dataclass(frozen=True)
class PulseRate(Stage):
    """Pulse rate of each window, and how sure that is: rows ("rate" in beats per minute, "confidence" 0 to 1).

    It takes rows of a `Window`, best of 8 s every 2 s at 16 to 32 Hz, whose channels are `ppg_channels` of light in any
    unit and then none or three of acceleration in g. The rate is that of its own window, so against the present it is
    late by half a window; the confidence is the probability of the model that the rate is within 9 beats per minute. A
    gap widens what is believed.

    A channel of light that is flat in a window says nothing there, and a window with none that says anything widens
    what is believed as a lost one does; its row holds the rate with less and less confidence. After more than 32 in a
    row that are flat or lost every rate is as likely as before the first window. Flat is a swing about the
    straight line through the window of no more than 2**-17 of the light itself or 2**-9 of what is usual in windows
    that are not flat, so the rounding of the filters before it counts as flat, and so does a pulse that is suddenly
    five hundred times weaker; what is usual fades by a 256th in each flat window.

    Parameters
    ----------
    sample_hz
        Rate of the samples in a window; 0: what the windows say of themselves.
    ppg_channels
        How many of the channels are light.
    low_bpm, high_bpm
        The rates that are looked for.
    resolution_bpm
        The spacing of the grid is at most this; the rate is interpolated between its points.
    drift_bpm_per_s
        How fast rates usually change.
    suppression
        How strongly the acceleration's spectrum weighs the light's down.
    still_g
        Acceleration of this amplitude weighs half.
    harmonic
        How much the second harmonic counts beside the first.
    evidence
        How much one window counts against those before it; windows that overlap share it.

    References
    ----------
    Zhang, Pi and Liu, "TROIKA", IEEE Trans. Biomed. Eng. 62 (2015), for the problem; Temko, "Accurate heart rate
    monitoring during physical exercises using PPG", IEEE Trans. Biomed. Eng. 64 (2017), for the Wiener filter on
    spectra; the tracking is the forward pass of a hidden Markov model (Rabiner 1989).
    """

    sample_hz: float = 0.0
    ppg_channels: int = 1
    low_bpm: float = 40.0
    high_bpm: float = 210.0
    resolution_bpm: float = 1.5
    drift_bpm_per_s: float = 1.5
    suppression: float = 30.0
    still_g: float = 0.03
    harmonic: float = 0.5
    evidence: float = 0.9

    def design(self, source: Format) -> PulseRateKernel:
        check(source.length > 1 and source.rate_hz is not None, self, "windows: put a Window before it", source)
        assert source.rate_hz is not None
        wanted = f"{self.ppg_channels} channels of light, and none or {AXES} of acceleration"
        check(self.ppg_channels >= 1 and source.channels - self.ppg_channels in (0, AXES), self, wanted, source)
        sample_hz = self.sample_hz or source.clock_hz or 0.0
        clocks = 0 < sample_hz < math.inf and source.clock_hz in (None, sample_hz)
        check(clocks, self, "sample_hz, the rate of the samples in a window", self.sample_hz)
        nyquist = 30 * sample_hz
        rates = BAND_FROM_BPM <= self.low_bpm <= self.high_bpm - LEAST_RANGE_BPM and self.high_bpm < nyquist
        wanted = f"rates from {BAND_FROM_BPM:g} to below {nyquist:g} bpm, half the rate, and {LEAST_RANGE_BPM:g} apart"
        check(rates, self, wanted, f"{self.low_bpm:g} and {self.high_bpm:g}")
        self._check_weights()
        size = self._transform(source.length, sample_hz)
        return PulseRateKernel(self, source, sample_hz, 1 / source.rate_hz, size)

    def _check_weights(self) -> None:
        for name, (least, most) in WEIGHTS.items():
            value = getattr(self, name)
            check(least <= value <= most, self, f"{name} from {least:g} to {most:.2g}", value)

    def _transform(self, length: int, sample_hz: float) -> int:
        check(0 < self.resolution_bpm <= 10, self, "a resolution above 0 and up to 10 bpm", self.resolution_bpm)
        least = max(length, 60 * sample_hz / self.resolution_bpm)
        check(least <= LONGEST, self, f"a window and a resolution for at most {LONGEST} points", f"{least:.0f} points")
        return max(8, 1 << math.ceil(math.log2(least)))


def pulse_rate(
    ppg: ArrayLike,
    *,
    rate_hz: float,
    acceleration: ArrayLike | None = None,
    acceleration_rate_hz: float | None = None,
    length_s: float = 8.0,
    hop_s: float = 2.0,
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
    """Return times in s, pulse rates in bpm and confidences (0 to 1) from light at the wrist, causally.

    The signals are brought to 25 Hz, cut into windows and followed by `PulseRate`: the same stages, and to the bit the
    same values, as in a pipeline on a stream.

    Parameters
    ----------
    ppg
        Light `(n,)` or `(n, channels)` in any linear unit; NaN are gaps.
    rate_hz
        Its samples per second.
    acceleration
        `(m, 3)` in g from the same start, or none; NaN are gaps.
    acceleration_rate_hz
        Its samples per second, if not those of the light.
    length_s, hop_s
        A rate from so many seconds, every so often.

    Returns
    -------
    times_s, rate_bpm, confidence
        Each `(windows,)`; a time is the end of the window that its rate speaks for, since the first sample. Windows
        that touch a gap are left out.

    Raises
    ------
    PipelineError
        If the rates or shapes do not fit.

    Examples
    --------
    >>> from pulselet.simulate import ppg
    >>> light = ppg(30, rate_hz=50, seed=0, heart_rate_bpm=72, lf_s=0, hf_s=0).values
    >>> times_s, rate_bpm, confidence = pulse_rate(light, rate_hz=50)
    >>> float(times_s[-1]), round(float(rate_bpm[-1])), bool(confidence[-1] > 0.99)
    (30.0, 72, True)
    """
    light, rate_hz = _columns("ppg", ppg), rate("pulse_rate", rate_hz)
    branches = [Branch("ppg", "", rate_hz, light.shape[1], _to_working_rate(rate_hz))]
    signals = {"ppg": light}
    if acceleration is not None:
        moved = _columns("acceleration", acceleration)
        if moved.shape[1] != AXES:
            raise PipelineError(f"pulse_rate: wanted acceleration (m, {AXES}) in g, got {moved.shape}")
        moved_hz = rate_hz if acceleration_rate_hz is None else rate("pulse_rate", acceleration_rate_hz)
        branches.append(Branch("acceleration", "g", moved_hz, AXES, _to_working_rate(moved_hz)))
        signals["acceleration"] = moved
    stages = (Window(length_s, hop_s), PulseRate(WORKING_HZ, light.shape[1]))
    rows, starts = Pipeline(tuple(branches), stages).batch(signals)
    times_s = np.asarray(starts, np.float64) / WORKING_HZ + length_s
    return times_s, rows[:, 0], rows[:, 1]


def _columns(name: str, values: ArrayLike) -> Samples:
    given = numbers("pulse_rate", f"{name} as numbers (n,) or (n, channels)", values, dimensions=(1, 2))
    with np.errstate(over="ignore"):
        columns: Samples = given.astype(np.float32, copy=False)
    return columns[:, None] if columns.ndim == 1 else columns


def _to_working_rate(rate_hz: float) -> tuple[Stage, ...]:
    return () if rate_hz == WORKING_HZ else (Resample(WORKING_HZ, CROSSINGS),)
