"""R peaks of one lead of ECG: candidates from an envelope, weighed by a small net.

1. The signal is averaged down to about 125 Hz and band-passed to 6-18 Hz, where QRS complexes stand out (Thakor,
   Webster and Tompkins, IEEE Transactions on Biomedical Engineering 31, 1984), and to 11-28 Hz, which P and T waves
   hardly reach. Rectified and smoothed, each gives an envelope.
2. A candidate is a peak of the first envelope that nothing within 64 ms exceeds. Whole numbers describe it: logarithms
   of ratios (a float32's own bits are a logarithm), the shape of the QRS, the candidates before it.
3. A net of one hidden layer weighs them, along with the levels and intervals of the beats accepted so far. What is
   surely a beat is given out at once. What may be one waits 0.3 s and gives way to a better one: that settles large P
   waves. Where a beat is overdue, the best of those refused is taken (search-back: Pan and Tompkins, IEEE Transactions
   on Biomedical Engineering 32, 1985).
4. The R peak is the sharpest point of the unfiltered signal near the candidate.

The net was fitted to the 22 training records DS1 of MIT-BIH (de Chazal, O'Dwyer and Reilly, IEEE Transactions on
Biomedical Engineering 51, 2004): as they are, with the noises of the MIT-BIH Noise Stress Test Database, with P and T
waves made larger, with beats of uneven height, at other rates, and in short pieces, to learn the start:
`benchmarks/fit_r_peaks.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.signal.arrays import BLOCK, numbers, rate, runs
from pulselet.signal.ecg_peak_decisions import KEPT, Decisions, Ints, Memory, Net, Taken, log_ratio, trained_net
from pulselet.signal.filters import SosKernel
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, even_rate

LOW_HZ = 125.0  # about the rate at which candidates are sought
BAND_HZ, HIGH_HZ, SMOOTH_HZ, SLOW_S = (6.0, 18.0), (11.0, 28.0), 6.0, 1.0
APART_S = 0.064  # nothing within this time of a candidate is larger
SMOOTH_DELAY_S, DELAY_S = 0.04, 0.086  # of the smoothing; of the envelope's peak behind the R peak
SNIPPET_S = np.arange(-12, 11) * 0.008  # about the QRS
AROUND_S = np.array([-30, -24, -19, -15, -12, -9, -7, -5, -3, 3, 5, 7, 8]) * 0.008  # about the envelope's peak
SEARCH_S, ARM_S = 0.06, 0.033  # the R peak is sought this far to each side; a sharp point stands above those ARM_S away
SETTLE_S = 0.1  # after the start or a gap there are no beats for so long
RECENT_S = (0.7, 1.4, 2.8)
TINY = np.float32(1e-30)
FAR = 4096  # time at the start and after a gap: samples at the low rate since the candidates that are not known
LONGEST = 2**30  # samples that `since` counts

WORDS = 199  # of state in C, without the rings


class Beat(NamedTuple):
    """A row of output."""

    r: int
    since: int
    valid: bool
    lag: int
    amplitude: float


@dataclass(frozen=True, eq=False)
class State:
    """Of the filters; samples that the next block needs; candidates looked back at; what has been decided."""

    filters: tuple[Any, ...]
    raw: Samples  # newest samples
    low: Samples  # (4, n): band-passed, its envelope, the high envelope, the slow average of the envelope
    waiting: int  # samples of the block that is being averaged
    samples: int  # so far
    origin: int  # the first sample since the start or a gap
    time: int  # samples at the low rate so far
    number: int  # candidates so far
    back: Ints  # (KEPT, 3): time, level, high level
    snippets: Samples  # (KEPT, 23)
    memory: Memory


class RPeaksKernel(Kernel):
    """Rows `(1,)` of ECG to rows `(since, valid, lag, amplitude)` of R peaks."""

    def __init__(self, source: Format, rate_hz: float, net: Net) -> None:
        from scipy.signal import butter

        self.source = source
        names = ("since", "valid", "lag", "amplitude")
        self.output = Format(None, 4, names=names, clock_hz=rate_hz)
        self.decimate = max(1, round(rate_hz / LOW_HZ))
        low_hz = rate_hz / self.decimate
        low = source.but(rate_hz=low_hz)
        slow = 1 / (SLOW_S * low_hz)
        self.filters = [
            SosKernel(sections, low)
            for sections in (
                butter(2, BAND_HZ, "band", fs=low_hz, output="sos"),
                butter(2, HIGH_HZ, "band", fs=low_hz, output="sos"),
                butter(2, SMOOTH_HZ, fs=low_hz, output="sos"),
                butter(2, SMOOTH_HZ, fs=low_hz, output="sos"),
                np.array([[slow, 0, 0, 1, slow - 1, 0]]),
            )
        ]
        self.apart = round(APART_S * low_hz)
        qrs = round(SMOOTH_DELAY_S * low_hz)
        self.snippet = np.rint(SNIPPET_S * low_hz).astype(np.int64) - qrs
        self.around = np.rint(AROUND_S * low_hz).astype(np.int64)
        self.slow_at = -round(0.16 * low_hz)
        self.high_at = np.arange(-round(0.024 * low_hz), round(0.016 * low_hz) + 1)
        self.recent = [round(s * low_hz) for s in RECENT_S]
        self.tick = round(65536 / low_hz)
        times_s = (DELAY_S, SEARCH_S, ARM_S, SETTLE_S)
        self.delay, self.search, self.arm, self.settle = (round(s * rate_hz) for s in times_s)
        self.low_kept = self.apart - int(self.around[0]) + 1
        self.raw_kept = (self.apart + 2) * self.decimate + self.delay + self.search + self.arm + 1
        self.decisions = Decisions(low_hz, self.apart, net)
        self.latency_s = (self.decisions.overdue - self.decisions.refractory + 2) / low_hz + DELAY_S + SEARCH_S
        self.operations = 3 + 75 / self.decimate

    def start(self) -> State:
        return State(
            tuple(f.start() for f in self.filters),
            np.empty(0, np.float32),
            np.zeros((4, self.low_kept), np.float32),
            0,
            0,
            0,
            FAR,
            0,
            np.zeros((KEPT, 3), np.int32),
            np.zeros((KEPT, len(SNIPPET_S)), np.float32),
            Memory(self.decisions.usual),
        )

    def gap(self, state: State, lost: int) -> tuple[int, State]:
        m, new, samples = state.memory, self.start(), state.samples + lost
        m = replace(m.copy(), last=-1, refused=[], best=-1, pending=None, free=0)
        return 0, replace(new, samples=samples, origin=samples, number=state.number, memory=m)

    def step(self, state: State, x: Samples) -> tuple[Samples, State]:
        beats, state = self.beats(state, x[:, 0])
        rows = [(min(b.since, LONGEST), b.valid, b.lag, b.amplitude) for b in beats]
        return np.array(rows, np.float32).reshape(-1, 4), state

    def beats(self, state: State, x: Samples) -> tuple[list[Beat], State]:
        """Return the beats found in the next samples `(n,)`, and the new state."""
        found: list[Beat] = []
        for at in range(0, len(x), BLOCK):
            some, state = self._block(state, x[at : at + BLOCK])
            found += some
        return found, state

    def _block(self, state: State, x: Samples) -> tuple[list[Beat], State]:
        before = state.raw if len(state.raw) else np.full(self.raw_kept, x[0])
        raw = np.concatenate([before, x])
        kept, samples = raw[-self.raw_kept :].copy(), state.samples + len(x)
        count, waiting = divmod(state.waiting + len(x), self.decimate)
        if count == 0:
            return [], replace(state, raw=kept, samples=samples, waiting=waiting)
        first = self.raw_kept - state.waiting  # where the first block begins
        low, filters = self._envelopes(state, raw[first : first + count * self.decimate])
        peaks = self._peaks(low[1])
        found: list[Taken] = []
        end, memory, back, snippets = state.time + count - 1, state.memory, state.back, state.snippets
        if len(peaks) or memory.pending is not None or memory.refused:
            memory = memory.copy()
        if len(peaks):
            times = (peaks + (state.time - self.low_kept)).astype(np.int32)
            static, back, snippets = self._describe(low, peaks, times, back, snippets)
            ends = first + (peaks - self.low_kept + 1) * self.decimate - 1
            r, amplitudes = self._r_peaks(raw, ends)
            r += state.samples - self.raw_kept
            amplitudes = np.where(r < state.origin + self.settle, 0, amplitudes)
            self._decide(memory, state.number, times, back[KEPT:], r, amplitudes, static, found)
            back, snippets = back[-KEPT:].copy(), snippets[-KEPT:].copy()
        self.decisions.timers(memory, end, found)
        sample = state.samples - state.waiting - 1 + self.decimate * (1 - state.time)  # + decimate * time
        beats = [
            Beat(c.r, c.r - last_r, valid, sample + self.decimate * now - c.r, c.amplitude)
            for c, now, valid, last_r in found
        ]
        return beats, State(
            filters,
            kept,
            low[:, -self.low_kept :].copy(),
            waiting,
            samples,
            state.origin,
            end + 1,
            state.number + len(peaks),
            back,
            snippets,
            memory,
        )

    def _envelopes(self, state: State, x: Samples) -> tuple[Samples, tuple[Any, ...]]:
        """Return rings with what is new, (4, n): band-passed signal, its envelope, the high one, the slow average."""
        blocks, states = x.reshape(-1, self.decimate), state.filters
        low = blocks[:, 0].copy()
        for place in range(1, self.decimate):
            low += blocks[:, place]
        low *= np.float32(1 / self.decimate)
        band, high, smooth, smooth_high, slow = self.filters
        y, s0 = band.step(states[0], low[:, None])
        h, s1 = high.step(states[1], low[:, None])
        e, s2 = smooth.step(states[2], np.abs(y))
        h, s3 = smooth_high.step(states[3], np.abs(h))
        rings = np.empty((4, self.low_kept + len(low)), np.float32)
        rings[:, : self.low_kept] = state.low
        rings[0, self.low_kept :] = y[:, 0]
        np.maximum(e[:, 0], TINY, out=rings[1, self.low_kept :])
        np.maximum(h[:, 0], TINY, out=rings[2, self.low_kept :])
        s, s4 = slow.step(states[4], rings[1, self.low_kept :, None])
        rings[3, self.low_kept :] = s[:, 0]
        return rings, (s0, s1, s2, s3, s4)

    def _peaks(self, e: Samples) -> NDArray[np.int64]:
        """Return where the envelope is larger than within `apart` before, and not smaller than within `apart` after."""
        h, begin = self.apart, self.low_kept - self.apart
        mid = e[begin : len(e) - h]
        rough = (mid > e[begin - 1 : len(e) - h - 1]) & (mid >= e[begin + 1 : len(e) - h + 1])
        at = np.flatnonzero(rough) + begin
        for i in range(2, h + 1):
            top = e[at]
            at = at[(top > e[at - i]) & (top >= e[at + i])]
        return at

    def _describe(
        self, low: Samples, at: NDArray[np.int64], times: Ints, back: Ints, snippets: Samples
    ) -> tuple[Ints, Ints, Samples]:
        """Return the static inputs `(n, STATIC)`, and the candidates looked back at with the new ones behind them."""
        y, e, high, slow = low
        level = log_ratio(e[at])
        high_level = log_ratio(high.take(at + self.high_at[:, None]).max(axis=0))
        shape = y.take(at[:, None] + self.snippet)
        top = np.maximum(np.abs(shape).max(axis=1), TINY)
        shape = np.trunc(shape * (np.float32(64) / top)[:, None])
        back = np.concatenate([back, np.stack([times, level, high_level], axis=1)])
        snippets = np.concatenate([snippets, shape])
        parts = [np.abs(shape).astype(np.int32) * 8, log_ratio(e.take(at[:, None] + self.around)) - level[:, None]]
        parts += [
            log_ratio(np.maximum(slow[at + self.slow_at], 0))[:, None] - level[:, None],
            (log_ratio(top) - level)[:, None],
        ]
        parts += [self._before(back, len(at)), (high_level - level)[:, None], _similar(back, snippets, len(at))]
        static = np.concatenate(parts, axis=1)
        return np.clip(static, -1024, 1024), back, snippets

    def _before(self, back: Ints, n: int) -> Ints:
        """Return times and levels of the three candidates before, and the highest levels of late."""
        ago = np.stack([back[KEPT:].T - back[KEPT - k : KEPT - k + n].T for k in range(1, KEPT + 1)], axis=1)
        columns = []
        for k in range(3):
            columns += [-ago[1, k], np.minimum(np.minimum(ago[0, k], 4095) * self.tick >> 8, 512)]
        for which in (1, 2):
            for recent in self.recent:
                columns.append(-np.where(ago[0] <= recent, ago[which], 1024).min(axis=0))
        return np.stack(columns, axis=1)

    def _r_peaks(self, raw: Samples, ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], Samples]:
        """Return the sharpest point of `raw` near each candidate, and the amplitude there.

        A valley counts if it is half as sharp again as the sharpest peak.
        """
        arm, search, middle = self.arm, self.search, ends - self.delay
        windows = np.lib.stride_tricks.sliding_window_view(raw, 2 * (search + arm) + 1)
        near = windows[middle - search - arm]
        inner = near[:, arm:-arm]
        sharp = np.float32(2) * inner - near[:, : -2 * arm] - near[:, 2 * arm :]
        peak, low, rows = sharp.argmax(axis=1), sharp.argmin(axis=1), np.arange(len(ends))
        valley = -sharp[rows, low] > np.float32(1.5) * sharp[rows, peak]
        at = np.where(valley, low, peak)
        return middle - search + at, inner.max(axis=1) - inner.min(axis=1)

    def _decide(
        self,
        memory: Memory,
        number: int,
        times: Ints,
        back: Ints,
        r: NDArray[np.int64],
        amplitudes: Samples,
        static: Ints,
        found: list[Taken],
    ) -> None:
        columns = (times, back[:, 1], back[:, 2], r, amplitudes, static[:, -2])
        values = list(zip(*(c.tolist() for c in columns), strict=True))
        self.decisions.weigh(memory, number, values, self.decisions.net.hidden(static), found)

    def c_form(self) -> CForm:
        net, d = self.decisions.net, self.decisions
        names = ("band", "high", "smooth", "smooth_high", "slow")
        forms = {name: f.c_form() for name, f in zip(names, self.filters, strict=True)}
        del forms["smooth_high"]  # the same constants
        numbers = {
            "decimate": self.decimate,
            "apart": self.apart,
            "low_kept": self.low_kept,
            "raw_kept": self.raw_kept,
            "slow_at": self.slow_at,
            "high_from": int(self.high_at[0]),
            "high_to": int(self.high_at[-1]),
            "tick": self.tick,
            "delay": self.delay,
            "search": self.search,
            "arm": self.arm,
            "settle": self.settle,
            "refractory": d.refractory,
            "wait": d.wait,
            "overdue": d.overdue,
            "second": d.second,
            "usual": d.usual,
            "cold": d.cold,
            "out_bias": net.out_bias,
        }
        tables = {
            "snippet": self.snippet.astype(np.int8),
            "around": self.around.astype(np.int8),
            "recent": np.array(self.recent, np.int32),
            "weights": net.weights,
            "bias": net.bias,
            "out": net.out,
        }
        share = {"share": np.float32(1 / self.decimate)}
        words = WORDS + 4 * self.low_kept + self.raw_kept
        fields = tuple({**forms, **numbers, **share, **tables}.items())
        return CForm("ecg_peaks", "pl_ecg_peaks.h", cast("Any", fields), words, rows=2, has_gap=True)


def _similar(back: Ints, snippets: Samples, n: int) -> Ints:
    """Return how like the shape is to two candidates of late, those highest in the high band; 256: the same.

    The shapes are whole numbers of at most 64, so their products' sums are exact in float32.
    """
    highs = np.stack([back[KEPT - k : KEPT - k + n, 2] for k in range(1, KEPT + 1)], axis=1)
    mine, rows, found = snippets[KEPT:], np.arange(n), []
    energies = np.einsum("ij,ij->i", snippets, snippets)
    for _ in range(2):
        k = highs.argmax(axis=1)
        highs[rows, k] = -1
        other = KEPT - 1 - k + rows
        theirs = snippets[other]
        dots = [np.einsum("ij,ij->i", mine[:, 1:-1], theirs[:, s : s + len(SNIPPET_S) - 2]) for s in range(3)]
        likeness = np.maximum(np.maximum(np.maximum(*dots[:2]), dots[2]), 0).astype(np.int32)
        most = np.maximum(np.maximum(energies[KEPT:], energies[other]), 1).astype(np.int32)
        found.append(likeness * 256 // most)
    return np.stack(found, axis=1)


@dataclass(frozen=True)
class RPeaks(Stage):
    """R peaks of one lead of ECG, as events `(since, valid, lag, amplitude)`; any linear unit, 100 to 1000 Hz.

    `since` counts samples from the R peak before (or from the start); `valid` is 1 if no gap lies between them, and 0
    for the first beat. `lag` is samples from the R peak until the row goes out: on MIT-BIH 0.14 s in the middle, 95 %
    of beats within 0.2 s, 99 % within 0.21 s; 0.5 s where it was not sure at once; and up to the latency declared where
    a beat was overdue. `amplitude` is that of the QRS from valley to peak, in the unit of the source.

    A gap is held: levels and intervals stay known, `since` goes on counting, the filters start anew, and for 0.1 s
    there are no beats. Two beats nearer than 0.2 s are taken for one; below 0.3 s the earlier may be lost if it was not
    sure at once.
    """

    def design(self, source: Format) -> RPeaksKernel:
        rate_hz = even_rate(self, source)
        check(source.channels == 1, self, "one channel of ECG", f"{source.channels} channels")
        check(100 <= rate_hz <= 1000, self, "a rate from 100 to 1000 Hz", f"{rate_hz:g} Hz")
        return RPeaksKernel(source, rate_hz, trained_net())


def r_peaks(ecg_mv: ArrayLike, *, rate_hz: float) -> NDArray[np.int64]:
    """Return the samples of the R peaks `(beats,)` of one lead of ECG `(n,)`, as the stage `RPeaks` finds them.

    Samples that are NaN, infinite or 1e12 and above are gaps and keep their places.

    Raises
    ------
    PipelineError
        If the signal is not `(n,)`, or the rate is not from 100 to 1000 Hz.

    Examples
    --------
    >>> from pulselet.simulate import ecg
    >>> heart = ecg(20.0, rate_hz=250.0, seed=1)
    >>> found = r_peaks(heart.values_mv, rate_hz=250.0)
    >>> bool(np.abs(found[:10] / 250 - heart.r_times_s[:10]).max() < 0.01)
    True
    """
    x = numbers("r_peaks", "one lead of numbers (n,)", ecg_mv)
    kernel = RPeaks().design(Format(rate("r_peaks", rate_hz), 1))
    state, found = kernel.start(), []
    for run in runs(x[:, None]):
        if isinstance(run, int):
            _, state = kernel.gap(state, run)
            continue
        beats, state = kernel.beats(state, run[:, 0])
        found += [beat.r for beat in beats]
    return np.array(found, np.int64)
