"""Heart rate variability over a sliding window of heartbeats: time domain, spectrum, Poincare plot, sample entropy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.signal import maths
from pulselet.signal.maths import Floats, RealFFT, fold_sum
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check

F = np.float32
Ticks = NDArray[np.int64]

NAMES = (
    "since",
    "used",
    "ectopic",
    "lost",
    "covered",
    "mean_nn_ms",
    "sdnn_ms",
    "rmssd_ms",
    "pnn50",
    "heart_rate_bpm",
    "sd1_ms",
    "sd2_ms",
    "sample_entropy",
    "lf_ms2",
    "hf_ms2",
    "lf_hf",
)
UNDEFINED = F(-1)
LF_HZ, HF_HZ = (0.04, 0.15), (0.15, 0.4)
SHORTEST_S, LONGEST_S = 0.25, 2.5  # 240 and 24 beats/min: an interval beyond these is not one of a heart at work
NORMAL, ECTOPIC, LOST = 0, 1, 2
REFERENCE = 5  # intervals whose median says what is usual
MOST_TICKS = 2**24  # float32 counts no further
LONGEST_TICKS = 2**28
BATCH = 32  # spectra at once


@dataclass(frozen=True)
class _State:
    until: int  # ticks since the last row was due, less a hop; at first, less a window
    since: int  # ticks since the last row
    ticks: Ticks  # of the intervals in the ring, oldest first
    kinds: NDArray[np.int8]
    recent: Ticks  # the last valid intervals, for the rule of a fifth


class HrvKernel(Kernel):
    """Sums are exact in integers of ticks; only their quotients, roots and the spectrum are float32."""

    def __init__(self, stage: HeartRateVariability, source: Format, clock_hz: float) -> None:
        self.source = source
        self.output = Format(None, len(NAMES), names=NAMES, clock_hz=clock_hz)
        self.normal = source.names.index("normal") if "normal" in source.names else -1
        self.window, self.hop = round(stage.window_s * clock_hz), round(stage.hop_s * clock_hz)
        self.beats = stage.most_beats
        self.entropy = int(stage.entropy)
        self.shortest, self.longest = math.ceil(SHORTEST_S * clock_hz), math.floor(LONGEST_S * clock_hz)
        self.fifty_ms = math.floor(clock_hz / 20)
        self.tolerance = F(stage.tolerance if self.normal < 0 else 0.0)
        self.ms_per_tick = F(1000 / clock_hz)
        self._spectrum(stage.resampled_hz if stage.frequency else 0.0, clock_hz)
        each = 40 + 3 * self.entropy * self.beats + (self.fft.operations + 20 * self.points) / self.beats
        self.operations = each * max(1.0, stage.window_s / stage.hop_s)

    def _spectrum(self, resampled_hz: float, clock_hz: float) -> None:
        """Make the tables of the spectrum; no points, no spectrum."""
        self.points = math.floor(self.window * resampled_hz / clock_hz + 1e-6)
        self.fft = RealFFT(max(8, 1 << (self.points - 1).bit_length()) if self.points else 8)
        self.step_ticks = F(clock_hz / resampled_hz) if self.points else F(1)
        bin_hz = resampled_hz / self.fft.n if self.points else 1.0
        self.edges = tuple(math.ceil(edge / bin_hz - 1e-9) for edge in (*LF_HZ, HF_HZ[1]))
        # one-sided density times the width of a bin; the sum of squares of Hann's window is 3/8 of its points
        self.power_ms2 = F(2e6 / clock_hz**2 / (self.fft.n * 0.375 * max(1, self.points)))
        self.turn = F(2 * np.pi / max(1, self.points))
        i = np.arange(self.points, dtype=np.float32)
        self.hann = F(0.5) - F(0.5) * maths.cos(i * self.turn)
        self.ages = (F(self.points - 1) - i) * self.step_ticks

    def start(self) -> _State:
        none = np.empty(0, np.int64)
        return _State(-self.window, 0, none, none.astype(np.int8), none)

    def step(self, state: _State, x: Samples) -> tuple[Samples, _State]:
        ticks = np.minimum(np.maximum(x[:, 0], F(0)), F(MOST_TICKS)).astype(np.int64)
        kinds, recent = self._kinds(state.recent, ticks, x)
        due, until = self._due(state.until, ticks)
        passed = np.concatenate([[0], np.cumsum(ticks)]) + state.since
        kept = ticks > 0
        all_ticks = np.concatenate([state.ticks, ticks[kept]])
        all_kinds = np.concatenate([state.kinds, kinds[kept]])
        ends = len(state.ticks) + np.cumsum(kept)[due]
        rows = np.empty((len(due), len(NAMES)), np.float32)
        rows[:, 0] = np.diff(passed[due + 1], prepend=0).astype(np.float32)
        for at in range(0, len(due), BATCH):
            self._measure(rows[at : at + BATCH], all_ticks, all_kinds, ends[at : at + BATCH])
        since = int(passed[-1] - passed[due[-1] + 1]) if len(due) else int(passed[-1])
        last = slice(max(0, len(all_ticks) - self.beats), None)
        return rows, _State(until, since, all_ticks[last].copy(), all_kinds[last].copy(), recent)

    def _kinds(self, recent: Ticks, ticks: Ticks, x: Samples) -> tuple[NDArray[np.int8], Ticks]:
        """Return what kind each interval is, and the last valid ones."""
        valid = (x[:, 1] > F(0.5)) & (ticks > 0)
        usual = (ticks >= self.shortest) & (ticks <= self.longest)
        if self.normal >= 0:
            usual &= x[:, self.normal] > F(0.5)
        series = np.concatenate([recent, ticks[valid]])
        if self.tolerance > 0 and len(series) > REFERENCE:
            before = np.lib.stride_tricks.sliding_window_view(series, REFERENCE)[:-1]
            median = np.sort(before, axis=1)[:, REFERENCE // 2]
            far = np.abs(series[REFERENCE:] - median).astype(np.float32) > self.tolerance * median.astype(np.float32)
            at = np.flatnonzero(valid)[REFERENCE - len(recent) :]
            usual[at[far]] = False
        kinds = np.where(valid, np.where(usual, NORMAL, ECTOPIC), LOST).astype(np.int8)
        return kinds, series[max(0, len(series) - REFERENCE) :].copy()

    def _due(self, until: int, ticks: Ticks) -> tuple[NDArray[np.int64], int]:
        """Return the events that complete a row, and the state of the counter after them."""
        at = until + np.cumsum(ticks)
        hops = np.maximum(at // self.hop, -1)
        due = np.flatnonzero(np.diff(hops, prepend=-1) > 0)
        end = int(at[-1]) if len(at) else until
        return due, end - (end // self.hop + 1) * self.hop if end >= 0 else end

    def _measure(self, rows: Samples, ticks: Ticks, kinds: NDArray[np.int8], ends: Ticks) -> None:
        """Fill the rows of windows that end at these places."""
        series = np.zeros((len(ends), self.fft.n), np.float32)
        for i, end in enumerate(ends.tolist()):
            low = max(0, end - self.beats)
            ages = np.cumsum(ticks[low:end][::-1])
            first = end - int(np.searchsorted(ages, self.window, side="right"))
            window, kind = ticks[first:end], kinds[first:end]
            rows[i, 1:13] = self._without_spectrum(window, kind)
            if self.points:
                series[i, : self.points] = self._resampled(window, kind == NORMAL)
        rows[:, 13:] = self._bands(series, rows[:, 1]) if self.points else UNDEFINED

    def _without_spectrum(self, ticks: Ticks, kinds: NDArray[np.int8]) -> list[np.float32]:
        nn = kinds == NORMAL
        x = ticks[nn]
        total = int(x.sum())
        found = [F(np.count_nonzero(kinds == kind)) for kind in (NORMAL, ECTOPIC, LOST)]
        covered = _float(total) / F(self.window)
        mean_ms = _float(total) / F(len(x)) * self.ms_per_tick if len(x) else UNDEFINED
        rate = F(60000) / mean_ms if len(x) else UNDEFINED
        deviation = _deviation(x)
        successive = nn[1:] & nn[:-1]
        a, b = ticks[:-1][successive], ticks[1:][successive]
        steps, sums = b - a, b + a
        pairs = F(len(steps))
        rmssd = np.sqrt(_float(int((steps * steps).sum())) / pairs) * self.ms_per_tick if len(steps) else UNDEFINED
        pnn50 = F(100) * F(np.count_nonzero(np.abs(steps) > self.fifty_ms)) / pairs if len(steps) else UNDEFINED
        entropy = self._sample_entropy(ticks, nn, deviation)
        sd1, sd2 = (self._ms(_deviation(v), F(np.sqrt(0.5))) for v in (steps, sums))
        return [*found, covered, mean_ms, self._ms(deviation, F(1)), rmssd, pnn50, rate, sd1, sd2, entropy]

    def _ms(self, deviation: np.float32, factor: np.float32) -> np.float32:
        return deviation * factor * self.ms_per_tick if deviation >= 0 else UNDEFINED

    def _sample_entropy(self, ticks: Ticks, nn: NDArray[np.bool_], deviation: np.float32) -> np.float32:
        """Return -log(A / B) of the templates of 3 and of 2 successive NN intervals that match another."""
        if not self.entropy or len(ticks) < 4 or deviation < 0:
            return UNDEFINED
        x = np.where(nn, ticks, 0).astype(np.int16)  # an NN interval has at most 25,000 ticks
        near = np.abs(x[:, None] - x[None, :]) <= int(F(0.2) * deviation)
        whole = nn[:-2] & nn[1:-1] & nn[2:]
        two = near[:-2, :-2] & near[1:-1, 1:-1] & whole & whole[:, None]
        three = two & near[2:, 2:]
        itself = np.count_nonzero(whole)
        matches_2, matches_3 = ((np.count_nonzero(m) - itself) // 2 for m in (two, three))
        if matches_3 == 0:
            return UNDEFINED
        return F(0) - F(maths.log(F(matches_3) / F(matches_2)))

    def _resampled(self, ticks: Ticks, nn: NDArray[np.bool_]) -> Floats:
        """Return NN intervals in ticks less their mean, interpolated at even times and weighted by Hann's window."""
        x = ticks[nn].astype(np.float32)
        if len(x) < 3:
            return np.zeros(self.points, np.float32)
        ages = (ticks.sum() - np.cumsum(ticks))[nn].astype(np.float32)
        slopes = _slopes(x, ages)
        at = np.searchsorted(-ages, -self.ages, side="left")
        a, b = np.maximum(at - 1, 0), np.minimum(at, len(x) - 1)
        inside = (at > 0) & (at < len(x))
        span = np.where(inside, ages[a] - ages[b], F(1))
        s = np.where(inside, (ages[a] - self.ages) / span, F(0))
        rise, leave, enter = x[b] - x[a], span * slopes[a], span * slopes[b]
        bend = (F(3) * rise - F(2) * leave) - enter
        value = x[a] + s * (leave + s * (bend + s * ((leave + enter) - F(2) * rise)))
        mean = _float(int(ticks[nn].sum())) / F(len(x))
        weighted: Floats = (value - mean) * self.hann
        return weighted

    def _bands(self, series: Floats, used: Floats) -> Floats:
        power = self.fft.power(series)
        low, middle, high = self.edges
        lf, hf = (fold_sum(power[:, a:b]) * self.power_ms2 for a, b in ((low, middle), (middle, high)))
        enough = used >= 3
        some = enough & (hf > 0)
        ratio = np.where(some, lf / np.where(some, hf, F(1)), UNDEFINED)
        return np.stack([np.where(enough, lf, UNDEFINED), np.where(enough, hf, UNDEFINED), ratio], axis=1)

    def c_form(self) -> CForm:
        low, middle, high = self.edges
        fields = (
            ("width", self.source.width),
            ("normal", self.normal),
            ("window", self.window),
            ("hop", self.hop),
            ("beats", self.beats),
            ("shortest", self.shortest),
            ("longest", self.longest),
            ("fifty_ms", self.fifty_ms),
            ("entropy", self.entropy),
            ("points", self.points),
            ("low", low),
            ("middle", middle),
            ("high", high),
            ("tolerance", self.tolerance),
            ("ms_per_tick", self.ms_per_tick),
            ("step_ticks", self.step_ticks),
            ("turn", self.turn),
            ("power_ms2", self.power_ms2),
            ("fft", self.fft.c_form()),
        )
        words = 4 + REFERENCE + 1 + self.beats + (max(self.fft.n, self.beats) if self.points or self.entropy else 0)
        return CForm("hrv", "pl_hrv.h", fields, state_words=words)


def _slopes(x: Floats, ages: Floats) -> Floats:
    """Return the slope of x at each of its places: fourth-order differences by number of beat, of x over those of time.

    At the ends, and where a neighbour is far away, differences of the next ones do.
    """
    number = np.arange(len(x))
    before, after = np.maximum(number - 1, 0), np.minimum(number + 1, len(x) - 1)
    rise, run = x[after] - x[before], ages[before] - ages[after]
    slopes: Floats = rise / run
    rise_2, run_2, inner = x[4:] - x[:-4], ages[:-4] - ages[4:], slice(2, -2)
    close = run_2 < F(4) * run[inner]
    denominator = np.where(close, F(8) * run[inner] - run_2, F(1))
    slopes[inner] = np.where(close, (F(8) * rise[inner] - rise_2) / denominator, slopes[inner])
    return slopes


def _float(value: int) -> np.float32:
    """Return an integer as float32, rounded once."""
    return np.int64(value).astype(np.float32)


def _deviation(x: Ticks) -> np.float32:
    """Return the standard deviation (n - 1) of integers; their sums are exact."""
    n = len(x)
    if n < 2:
        return UNDEFINED
    spread = n * int((x * x).sum()) - int(x.sum()) ** 2
    return F(np.sqrt(_float(spread) / _float(n * (n - 1))))


@dataclass(frozen=True)
class HeartRateVariability(Stage):
    """Heart rate variability of the last `window_s`: a row with the first beat after a full window, then each `hop_s`.

    Takes beats: events whose first columns are `since` and `valid`. An interval is normal-to-normal (NN) if it is
    valid, from 0.25 to 2.5 s, and, if there is a column `normal`, marked so there; if there is none, if it is
    within `tolerance` of the median of the five valid intervals before it (after Malik 1989; the first five pass).

    What is not NN is left out of the time domain, where differences are taken only between NN intervals that follow
    one another, and bridged by the interpolation in the spectrum. A window that a gap touches counts what it still has.
    In a row, by name; -1 is "not defined":

    - `since`: ticks since the row before; `used`, `ectopic`, `lost`: intervals that are NN; valid but not NN; not
      valid. `covered`: share of the window that NN intervals cover, 0 to 1: below about 0.9 be wary.
    - `mean_nn_ms`; `sdnn_ms`: standard deviation of NN intervals (n - 1); `rmssd_ms`: root of the mean square of
      successive differences; `pnn50`: percentage of these above 50 ms (of the differences, where the Task Force divides
      by the number of intervals: one more, if nothing is left out); `heart_rate_bpm`: 60,000 / mean NN. Task Force of
      ESC and NASPE, Circulation 93, 1996.
    - `sd1_ms`, `sd2_ms`: of the Poincare plot: standard deviations (n - 1) of difference and of sum of successive NN
      intervals, by the root of two. Brennan et al., IEEE Transactions on Biomedical Engineering 48, 2001.
    - `sample_entropy`: -ln(A / B), A and B being pairs of templates of 3 and of 2 intervals within 0.2 SDNN;
      as many templates of either. Richman and Moorman, American Journal of Physiology 278, 2000.
    - `lf_ms2`, `hf_ms2`, `lf_hf`: power in 0.04 <= f < 0.15 Hz and 0.15 <= f < 0.4 Hz: NN intervals at the times of
      their second beats, interpolated at `resampled_hz` (cubic Hermite, slopes from two neighbours on either side),
      less the mean NN, Hann's window, real FFT with zeros up to a power of two, one-sided density, sum of bins times
      their width. A heart of 60/min samples a wave of 0.25 Hz four times a cycle: 6 % of its power is lost.

    Sums are exact (integers of ticks), so the time domain is within 4e-7 of its value.

    Parameters
    ----------
    most_beats
        Intervals that are kept: of a faster heart the window holds only the last so many.
    frequency, entropy
        Whether to work these out; the first takes memory (8 KB for 300 s), the other time that grows with the square.
    """

    window_s: float = 300.0
    hop_s: float = 60.0
    tolerance: float = 0.2
    most_beats: int = 600
    resampled_hz: float = 4.0
    frequency: bool = True
    entropy: bool = True

    def design(self, source: Format) -> HrvKernel:
        clock_hz = source.clock_hz
        check(source.names[:2] == ("since", "valid"), self, "beats: events (since, valid, ...)", source.names or source)
        if source.rate_hz is not None or clock_hz is None:
            check(False, self, "events with the rate of the samples that they count", source)
        assert clock_hz is not None
        check(50 <= clock_hz <= 10_000, self, "a clock of 50 to 10,000 Hz", f"{clock_hz:g} Hz")
        most = (MOST_TICKS if self.frequency else LONGEST_TICKS) / clock_hz
        check(10 <= self.window_s < most, self, f"a window of 10 to {most:.0f} s", f"{self.window_s} s")
        check(1 <= self.hop_s < LONGEST_TICKS / clock_hz, self, "a hop of 1 s or more", f"{self.hop_s} s")
        check(0 <= self.tolerance < 1, self, "a tolerance from 0 (no rule) to 1", self.tolerance)
        check(4 <= self.most_beats <= 200_000, self, "room for 4 to 200,000 beats", self.most_beats)
        points = self.window_s * self.resampled_hz if self.frequency else 0
        check(
            points <= 4096, self, "at most 4096 points of the spectrum", f"{self.window_s} s at {self.resampled_hz} Hz"
        )
        check(not self.frequency or self.resampled_hz >= 1, self, "resampling at 1 Hz or more", self.resampled_hz)
        return HrvKernel(self, source, clock_hz)
