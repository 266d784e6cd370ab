"""Pulses in the photoplethysmogram at rest: one event for each systolic peak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.signal.arrays import fold, numbers, rate
from pulselet.signal.filters import LowPass
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, even_rate

F = np.float32
NAMES = ("since", "valid", "lag", "amplitude", "foot")
SLOWEST_HZ, FASTEST_HZ = 20.0, 500.0
CUTOFF_HZ, MEAN_HZ = 3.5, 0.67
LEARN_S, QUIET_S = 2.0, 3.0
REFRACTORY_S = 0.3
MERGE_S, MERGE_PART = 0.3, 0.5
KEPT, RANK = 7, 4
"""Pulses that the next one is measured against, and the place of the usual value among their sorted ones: the third
highest, so that where weak and strong pulses take turns the strong ones count."""
EARLY_S = 0.5
SCORE_PART, ABOVE_PART, EARLY_PART = 0.04, 0.1, 0.22
LEARNT_SCORE, LEARNT_ABOVE = 0.7, 0.55
"""What is usual at first: parts of the best score in the time of learning, and of that one's height."""
LEAST_PART, FADE = 0.001, F(0.5)
"""What is learnt anew must reach this part of what was usual, and half of what it had to reach the last time: so the
rounding of a flat line is no pulse, nor if filters before it ring down first."""
FARTHEST = 2**24
"""Samples that `since` counts at the most: whole numbers up to here are exact in float32."""

Row: TypeAlias = "tuple[int | np.float32, ...]"
ZERO = F(0)


STATE_WORDS = 13 + 3 * 7 + 10 + 2 * KEPT


class _Stroke(NamedTuple):
    """A rise of the filtered signal from a minimum to the next maximum; places are sample indices."""

    foot_at: int
    foot: np.float32
    slope: np.float32  # the steepest rise from one sample to the next
    steep_at: int
    steep: np.float32  # the signal after that steepest rise
    peak_at: int = 0
    peak: np.float32 = ZERO

    @property
    def height(self) -> np.float32:
        return self.peak - self.foot

    @property
    def score(self) -> np.float32:
        """A systolic rise is both high and steep, a diastolic one is less of both."""
        return F(np.sqrt(self.height * self.slope))

    @property
    def foot_to_peak(self) -> np.float32:
        before = (self.steep - self.foot) / self.slope
        return min(F(self.peak_at - self.steep_at) + before, F(self.peak_at - self.foot_at))


@dataclass
class _State:
    at: int = 0  # index of the next sample, lost ones counted
    first: np.float32 | None = None  # taken off every sample, so that a large offset costs no digits
    filter: Samples | None = None
    slow: Samples | None = None  # the filter of the mean
    level: np.float32 = ZERO  # the last filtered sample
    rise: _Stroke | None = None  # under way
    stroke: _Stroke | None = None  # the last one that ended
    pending: _Stroke | None = None  # a pulse that waits for a better one
    pending_valid: bool = False
    due: bool = False  # the waiting pulse goes out with the next sample: there was a gap
    last_at: int | None = None  # the last pulse that went out
    whole: bool = False  # whether no sample was lost since the last pulse
    learnt: bool = False
    since_at: int = 0  # since when it learns, or since when no pulse has come
    least: np.float32 = ZERO  # score above which it learns
    best: np.float32 = ZERO  # score, while it learns
    height: np.float32 = ZERO  # of the best
    scores: tuple[np.float32, ...] = (ZERO,) * KEPT  # of the last pulses, oldest first
    above: tuple[np.float32, ...] = (ZERO,) * KEPT  # how far they reached above the mean


class PulsesKernel(Kernel):
    """Samples `(n, 1)` to events `(pulses, 5)`; the state is what `_State` lists."""

    def __init__(self, stage: Stage, source: Format) -> None:
        rate_hz = even_rate(stage, source)
        check(source.channels == 1, stage, "one channel", source)
        check(SLOWEST_HZ <= rate_hz <= FASTEST_HZ, stage, f"{SLOWEST_HZ:g} to {FASTEST_HZ:g} Hz", f"{rate_hz:g} Hz")
        self.source = source
        self.output = Format(None, len(NAMES), names=NAMES, clock_hz=rate_hz)
        self.filter = LowPass(CUTOFF_HZ).design(source)
        self.slow = LowPass(MEAN_HZ).design(source)
        # what two Butterworth poles delay slow waves by; after the hold, the mean is that of the time around the peak
        self.delay, slow_delay = (round(np.sqrt(2) / (2 * np.pi * hz) * rate_hz) for hz in (CUTOFF_HZ, MEAN_HZ))
        self.hold, self.refractory = slow_delay - self.delay, round(REFRACTORY_S * rate_hz)
        self.learn, self.quiet = round(LEARN_S * rate_hz), round(QUIET_S * rate_hz)
        self.merge, self.early = round(MERGE_S * rate_hz), round(EARLY_S * rate_hz)
        self.latency_s = (self.hold + self.delay) / rate_hz
        self.operations = self.filter.operations + self.slow.operations + 2

    def start(self) -> _State:
        return _State()

    def gap(self, state: _State, lost: int) -> tuple[int, _State]:
        return 0, replace(
            state,
            at=state.at + lost,
            first=None,
            filter=None,
            slow=None,
            level=ZERO,
            rise=None,
            stroke=None,
            due=state.pending is not None,
            whole=False,
            since_at=state.since_at + lost,
        )

    def step(self, state: _State, x: Samples) -> tuple[Samples, _State]:
        rows, _, _, state = self.trace(state, x)
        return rows, state

    def trace(self, state: _State, x: Samples) -> tuple[Samples, NDArray[np.int64], Samples, _State]:
        """Return what `step` does and, before the state, the number of the sample with which each row goes out
        `(pulses,)`, and the filtered samples `(n,)`."""
        rows: list[Row] = []
        places: list[int] = []
        state = replace(state)
        level, mean = self._smooth(state, x)
        if len(x):
            for at, stroke in self._strokes(state, level):
                self._emit(state, at, mean, rows, places)
                if stroke is not None:
                    self._consider(state, at, stroke)
            state.at += len(x)
        return np.array(rows, np.float32).reshape(-1, len(NAMES)), np.array(places, np.int64), level, state

    def _smooth(self, state: _State, x: Samples) -> tuple[Samples, Samples]:
        """Return the signal below 3.5 Hz, and its mean."""
        if len(x) == 0:
            return x[:, 0], x[:, 0]
        state.first = x[0, 0] if state.first is None else state.first
        level, state.filter = self.filter.step(state.filter, x - state.first)
        mean, state.slow = self.slow.step(state.slow, x - state.first)
        return level[:, 0], mean[:, 0]

    def _strokes(self, state: _State, level: Samples) -> Iterator[tuple[int, _Stroke | None]]:
        """Yield the sample after each rise with the rise, and at last the last sample with None."""
        before = np.concatenate([[state.level], level[:-1]])
        rises = level - before
        up = rises > 0
        state.level = level[-1]
        for begin, end in self._runs(up, state.rise is not None):
            rise = state.rise or _Stroke(state.at + begin - 1, before[begin], ZERO, 0, ZERO)
            if end > begin:
                steep = begin + int(rises[begin:end].argmax())
                if rises[steep] > rise.slope:
                    rise = rise._replace(slope=rises[steep], steep_at=state.at + steep, steep=level[steep])
            if end == len(level):
                state.rise = rise
                break
            state.rise = None
            yield state.at + end, rise._replace(peak_at=state.at + end - 1, peak=before[end])
        yield state.at + len(level) - 1, None

    @staticmethod
    def _runs(up: NDArray[np.bool_], under_way: bool) -> list[tuple[int, int]]:
        """Return begin and end of each run of rising samples; the first may have begun before, the last ends later."""
        edges = (np.flatnonzero(up[1:] != up[:-1]) + 1).tolist()
        if up[0]:
            edges.insert(0, 0)
        elif under_way:
            edges[:0] = [0, 0]
        return list(zip(edges[::2], [*edges[1::2], len(up)], strict=False))

    def _emit(self, state: _State, at: int, mean: Samples, rows: list[Row], places: list[int]) -> None:
        """Let the waiting pulse go out, or drop it, if its time has come, at `at` or before."""
        pulse = state.pending
        if pulse is None or not (state.due or at - pulse.peak_at >= self.hold):
            return
        usual = sorted(state.above)[RANK]
        if state.due:  # samples are missing in the mean, and what has waited goes out
            at, above = state.at, usual
        else:
            at = pulse.peak_at + self.hold
            above = pulse.peak - mean[at - state.at]
            early = state.last_at is not None and pulse.peak_at - state.last_at < self.early
            if not above > F(EARLY_PART if early else ABOVE_PART) * usual:
                state.pending, state.whole = None, state.pending_valid
                return
        state.pending, state.due = None, False
        since = pulse.peak_at - (self.delay if state.last_at is None else state.last_at)
        lag = min(at - pulse.peak_at + self.delay, FARTHEST)
        places.append(at)
        rows.append((min(since, FARTHEST), state.pending_valid, lag, pulse.height, pulse.foot_to_peak))
        state.scores, state.above = (*state.scores[1:], pulse.score), (*state.above[1:], above)
        state.last_at, state.since_at, state.learnt = pulse.peak_at, at, True

    def _consider(self, state: _State, at: int, stroke: _Stroke) -> None:
        """Take a rise for a pulse, for a better place of the waiting one, or for neither."""
        stroke = state.stroke = self._joined(state.stroke, stroke)
        self._learn(state, at, stroke)
        if state.pending is not None:
            if stroke.score > state.pending.score:
                state.pending = stroke
        elif self._is_pulse(state, stroke):
            state.pending, state.pending_valid, state.whole = stroke, state.whole, True

    def _joined(self, before: _Stroke | None, stroke: _Stroke) -> _Stroke:
        """Return both rises as one if there is only a shoulder between them."""
        if before is None or stroke.peak_at - before.peak_at > self.merge or not stroke.peak > before.peak:
            return stroke
        if not before.peak - stroke.foot < F(MERGE_PART) * before.height:
            return stroke
        steepest = before if before.slope >= stroke.slope else stroke
        return steepest._replace(foot_at=before.foot_at, foot=before.foot, peak_at=stroke.peak_at, peak=stroke.peak)

    def _learn(self, state: _State, at: int, stroke: _Stroke) -> None:
        """Learn the usual score at the start, and anew when no pulse has come for long."""
        if state.learnt and at - state.since_at >= self.quiet and state.pending is None:
            state.learnt, state.since_at, state.best = False, at, ZERO
            state.least = max(F(LEAST_PART) * sorted(state.scores)[RANK], FADE * state.least)
        elif not state.learnt and at - state.since_at >= self.learn and state.best > state.least:
            state.learnt, state.since_at = True, at
            state.scores = (F(LEARNT_SCORE) * state.best,) * KEPT
            state.above = (F(LEARNT_ABOVE) * state.height,) * KEPT
        if not state.learnt and stroke.score > state.best:
            state.best, state.height = stroke.score, stroke.height

    def _is_pulse(self, state: _State, stroke: _Stroke) -> bool:
        if state.last_at is not None and stroke.peak_at - state.last_at < self.refractory:
            return False
        usual = sorted(state.scores)[RANK]  # 0 before it has learnt for the first time
        return bool(usual > 0 and stroke.score > F(SCORE_PART) * usual)

    def c_form(self) -> CForm:
        numbers = [
            (name, getattr(self, name)) for name in ("delay", "hold", "refractory", "learn", "quiet", "merge", "early")
        ]
        parts = (MERGE_PART, SCORE_PART, ABOVE_PART, EARLY_PART, LEARNT_SCORE, LEARNT_ABOVE, LEAST_PART)
        names = ("merge_part", "score_part", "above_part", "early_part", "learnt_score", "learnt_above", "least_part")
        filters = (("filter", self.filter.c_form()), ("slow", self.slow.c_form()))
        fields = (*filters, *numbers, *((name, F(part)) for name, part in zip(names, parts, strict=True)))
        return CForm("pulses", "pl_ppg_pulses.h", fields, state_words=STATE_WORDS, has_gap=True)


@dataclass(frozen=True)
class Pulses(Stage):
    """Pulses of a photoplethysmogram at rest: an event for each systolic peak, 0.34 s after it.

    The input is one channel in any linear unit, 20 to 500 Hz, in which a systole points upwards; of light that comes
    back (which blood absorbs), reverse the sign first, `Scale(-1.0)`. Columns of an event:

    - `since`: samples from the previous peak, or from the first sample;
    - `valid`: 1 if that interval lies between two pulses that went out, with no gap between them;
    - `lag`: samples from the peak to the row. It is the hold of 0.27 s and the delay of the filter, and more only
      for a pulse after which samples were lost;
    - `amplitude`: from the minimum before the peak to the peak, in the unit of the input, of the signal below 3.5 Hz;
    - `foot`: samples from the pulse's foot to its peak, as a fraction; the foot is where the tangent of the steepest
      rise crosses the level of the minimum (intersecting tangents: Chiu et al., American Heart Journal 121, 1991).

    The peak is that of the signal below 3.5 Hz with the delay taken off: of a steep pulse 10 to 30 ms after the highest
    sample, in exchange for intervals that are nearer to the RR intervals than those between highest samples.

    A method of ours. After a second-order low-pass at 3.5 Hz every rise from a minimum to the next maximum is a
    candidate, and rises with only a shoulder between them are one (as in incremental-merge segmentation, Karlen et al.,
    EMBC 2012). A candidate's score is the root of its height times its steepest slope; it must reach 0.04 of the usual
    score, and is dropped if a better one follows in the hold. At the end of the hold it must rise above the mean around
    it (a low-pass at 0.67 Hz, which is as late as the hold) by 0.22 of what is usual within 0.5 s of the last pulse,
    and 0.1 later: a diastolic wave lies near the mean or below it, whatever the rhythm (as in the moving averages of
    Elgendi et al., PLoS ONE 8, 2013). Usual is the third highest of the last 7 pulses. Pulses within 0.3 s of the last
    one are left out. In the first 2 s it learns what is usual, and nothing comes out; when no pulse has come for 3 s it
    learns anew, from pulses that reach a thousandth of the usual score at least: a flat line has none. Movement has
    rises too: `PpgQuality` says what to trust.

    A gap is held: `since` counts the lost samples too, the interval over it is not valid, a pulse that waits goes
    out with the first sample after it, and the stages after this one need not know.
    """

    def design(self, source: Format) -> PulsesKernel:
        return PulsesKernel(self, source)


def pulse_peaks(ppg: ArrayLike, *, rate_hz: float) -> NDArray[np.int64]:
    """Return the sample indices of systolic peaks in a PPG `(n,)`, by the stage `Pulses`.

    Samples that are not finite, or not below 1e12 in magnitude, are a gap and keep their places.

    Raises
    ------
    PipelineError
        If these are not numbers in one dimension, or the rate is not from 20 to 500 Hz.

    Examples
    --------
    >>> from pulselet.simulate import ppg
    >>> pulse_peaks(ppg(10.0, rate_hz=50.0, seed=0).values, rate_hz=50.0)
    array([101, 150, 199, 250, 302, 350, 399, 450])
    """
    x = numbers("pulse_peaks", "one channel of numbers (n,)", ppg)
    kernel = Pulses().design(Format(rate("pulse_peaks", rate_hz), 1))
    return np.cumsum(fold([kernel], x[:, None])[0][:, 0].astype(np.int64))
