"""Activity counts, equal to the published ActiGraph algorithm, as the samples arrive.

Neishabouri et al., "Quantification of acceleration as activity counts in ActiGraph wearable", Scientific Reports 12,
11958, 2022: to 30 Hz, rounded to 0.001 g, a band-pass of about 0.3 to 1.7 Hz, rectified, cut off at 128, small values
to zero, whole numbers at 10 Hz, summed over an epoch. The paper gives the equations, and the coefficients to three
digits; their exact values, the rounding to 0.001 g and the way from 32, 64 and 128 Hz are those of the authors'
package, found from the outside.

A count is a float rounded down, so nothing less than the reference's own arithmetic gives its counts. This is the one
stage that works in float64. Its C form does the same IEEE operations in integers; only denormal values are 0 there,
which never reach a count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PipelineError
from pulselet.signal.arrays import numbers, rate, runs
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, State, check, check_unit, even_rate

Doubles: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]

AXES = 3
B = (-0.009341062898525, -0.02547028965936, -0.004235264826105, 0.04415241545642,
     0.03649371834776, -0.01189396193474, -0.02291739062315, -0.00678816386231)  # fmt: skip
A = (1.0, -3.63367395910957, 5.03689812757486, -3.09612247819666,
     0.50620507633883, 0.32421701566682, -0.15685485875559, 0.0194913020589)  # fmt: skip
COUNTS_PER_G = (3.0 / 4096.0) / (2.6 / 256.0) * 237.5
MOST, LEAST = 128.0, 4.0
LONGEST_EPOCH_S = 3600

DIRECT = {30: 1, 60: 2, 90: 3}
"""Rates, and of how many samples one is taken."""
THIRDS = {40: 4, 50: 5, 70: 7, 80: 8, 100: 10}
"""Rates that are tripled and smoothed, and of how many values one is taken then."""
POWERS = {32: 8, 64: 4, 128: 2}
"""Rates that go over 256 Hz, and how many times that is the rate."""
TAPS, HALF = 255, 127
TAP_ONE, SAMPLE_ONE, SAMPLE_LIMIT = 1e6, 2.0**24, np.float32(127.0)


class Front(ABC):
    """From samples at the sensor's rate to 30 Hz, float64, not rounded yet."""

    route: int
    factor: int
    tail = 0
    """Samples after an epoch's end that its last value at 30 Hz waits for."""
    constants: tuple[float, ...] = ()
    taps: NDArray[np.int32] = np.zeros(1, np.int32)
    words = 0
    operations = 0.0

    @abstractmethod
    def start(self) -> State: ...

    @abstractmethod
    def step(self, state: State, x: Samples, at: int) -> tuple[Doubles, Indices, State]:
        """Return values at 30 Hz `(m, 3)`, their numbers and the new state; `at` is the number of the first of `x`."""


class Direct(Front):
    """Every `factor`-th sample, with no filter (step 3 of the paper)."""

    route = 0

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples, at: int) -> tuple[Doubles, Indices, None]:
        number = at + np.arange(len(x))
        taken = number % self.factor == 0
        return x[taken].astype(np.float64), number[taken] // self.factor, None


class Thirds(Front):
    """Two zeros after each sample, a low-pass of the first order from rest, every `factor`-th value (steps 2 and 3)."""

    route = 1
    words = 2 * AXES
    operations = 7.0 * AXES

    def __init__(self, factor: int) -> None:
        self.factor = factor
        self.constants = (np.pi / (np.pi + 6), -(np.pi - 6) / (np.pi + 6))

    def start(self) -> Doubles:
        return np.zeros((1, AXES))

    def step(self, state: Doubles, x: Samples, at: int) -> tuple[Doubles, Indices, Doubles]:
        from scipy.signal import lfilter

        spread = np.zeros((3 * len(x), AXES))
        spread[::3] = 3.0 * x.astype(np.float64)
        gain, back = self.constants
        y, state = lfilter([gain, gain], [1.0, -back], spread, axis=0, zi=state)
        number = 3 * at + np.arange(len(spread))
        taken = number % self.factor == 0
        return y[taken], number[taken] // self.factor, state


class Powers(Front):
    """Up to 256 Hz by zeros and a low-pass of 255 taps, smoothed at 15 Hz, and straight lines between these values.

    Found from the outside, by impulses and ramps, to be what `agcounts` 0.2.6 does at rates that are powers of two: the
    taps are a sinc under a Kaiser window for 90 dB (Kaiser 1974) in whole millionths. Samples count in whole 2**-24 g
    within +-127 g, so that the sums are exact.
    """

    route = 2

    def __init__(self, factor: int) -> None:
        from scipy.signal import firwin

        self.factor = factor
        beta = 0.1102 * (90.0 - 8.7)
        taps = firwin(TAPS, 1 / 8, window=("kaiser", beta), scale=False)
        self.taps = np.round(TAP_ONE * taps).astype(np.int32)
        self.length = (TAPS + 1) // factor
        self.tail = 128 // factor
        keep = float(np.exp(-2 * np.pi * 15 / 256))
        self.constants = (factor / (TAP_ONE * SAMPLE_ONE), 1.0 - keep, keep, 1.0 / 15.0)
        self.words = AXES * (2 + self.length)
        self.operations = AXES * (2.0 * (TAPS + 1) + 4 * factor)
        padded = np.concatenate([self.taps, [0]]).astype(np.float64)
        self._phases = padded.reshape(self.length, factor)[::-1].copy()

    def start(self) -> tuple[Doubles, int, Doubles | None]:
        return np.zeros((self.length - 1, AXES)), 0, None

    def step(self, state: Any, x: Samples, at: int) -> tuple[Doubles, Indices, Any]:
        from scipy.signal import lfilter

        kept, age, before = state
        whole = np.trunc(np.clip(x, -SAMPLE_LIMIT, SAMPLE_LIMIT) * np.float32(SAMPLE_ONE)).astype(np.float64)
        rows = np.concatenate([kept, whole])
        seen = np.lib.stride_tricks.sliding_window_view(rows, self.length, axis=0)
        sums = (seen @ self._phases).transpose(0, 2, 1).reshape(-1, AXES)  # whole numbers below 2**53: exact
        skip = min(len(sums), max(0, HALF - self.factor * age))
        scale, gain, keep, fifteenth = self.constants
        level = sums[skip:] * scale
        kept, age = rows[len(rows) - self.length + 1 :], min(age + len(x), self.length)
        if not len(level):
            return level, np.empty(0, np.int64), (kept, age, before)
        before = level[0] if before is None else before
        smooth, _ = lfilter([gain], [1.0, -keep], level, axis=0, zi=(keep * before)[None])
        previous = np.concatenate([before[None], smooth[:-1]])
        fine = 15 * (self.factor * at - HALF + skip + 1 + np.arange(len(level)))
        rest = fine % 128
        taken = rest < 15
        value = smooth[taken] + (rest[taken] * fifteenth)[:, None] * (previous[taken] - smooth[taken])
        return value, fine[taken] // 128 - 1, (kept, age, smooth[-1])


def _front(stage: Stage, rate_hz: float) -> Front:
    rates = (*DIRECT, *THIRDS, *POWERS)
    check(
        rate_hz in rates,
        stage,
        f"a rate of {', '.join(map(str, sorted(rates)))} Hz (resample before)",
        f"{rate_hz:g} Hz",
    )
    rate = round(rate_hz)
    if rate in DIRECT:
        return Direct(DIRECT[rate])
    return Thirds(THIRDS[rate]) if rate in THIRDS else Powers(POWERS[rate])


def _words(values: ArrayLike) -> NDArray[np.int32]:
    """Return float64 as pairs of 32-bit words, the lower first."""
    return np.ascontiguousarray(values, "<f8").view("<i4").astype(np.int32).ravel()


@dataclass(frozen=True)
class _State:
    position: int  # of the next sample, from the beginning of the epoch that is to come out; negative: before it
    front: State
    band: Doubles | None  # (7, 3), None before the first value at 30 Hz
    pending: Indices  # (0..2, 3) values at 30 Hz that wait for their third
    sums: Indices  # (3,)
    tenths: int  # values at 10 Hz in the sums


class CountsKernel(Kernel):
    """Samples `(3,)` in g to the counts `(3,)` of each epoch."""

    def __init__(self, front: Front, epoch_s: int, rate_hz: float, source: Format) -> None:
        from scipy.signal import lfilter_zi

        self.front = front
        self.epoch_s = epoch_s
        self.length = round(epoch_s * rate_hz)
        self.zi: Doubles = lfilter_zi(B, A)
        self.source = source
        self.output = Format(1 / epoch_s, AXES, "counts", names=("x", "y", "z"))
        self.latency_s = epoch_s + (front.tail - 1) / rate_hz
        self.operations = front.operations + AXES * 33.0 * 30 / rate_hz

    def start(self) -> _State:
        none = np.zeros((0, AXES), np.int64)
        return _State(0, self.front.start(), None, none, np.zeros(AXES, np.int64), 0)

    def step(self, state: _State, x: Samples) -> tuple[Samples, _State]:
        if not len(x):
            return np.empty((0, AXES), np.float32), state
        value, number, front = self.front.step(state.front, x, state.position)
        trimmed, band = self._trimmed(state.band, value)
        rows = np.concatenate([state.pending, trimmed[number >= 0]])
        whole = len(rows) // 3
        tenths = rows[: 3 * whole].reshape(whole, 3, AXES).sum(axis=1) // 3
        end = state.position + len(x)
        complete = max(0, (end - self.front.tail) // self.length)
        per_epoch = 10 * self.epoch_s
        epoch = (state.tenths + np.arange(whole)) // per_epoch
        sums = np.zeros((complete + 1, AXES), np.int64)
        np.add.at(sums, epoch, tenths)
        sums[0] += state.sums
        left = state.tenths + whole - complete * per_epoch
        after = _State(end - complete * self.length, front, band, rows[3 * whole :], sums[complete].copy(), left)
        return sums[:complete].astype(np.float32), after

    def _trimmed(self, band: Doubles | None, value: Doubles) -> tuple[Indices, Doubles | None]:
        from scipy.signal import lfilter

        if not len(value):
            return np.zeros((0, AXES), np.int64), band
        value = np.rint(value * 1000.0) / 1000.0
        if band is None:
            band = self.zi[:, None] * value[0]
        y, band = lfilter(B, A, value, axis=0, zi=band)
        size = np.abs(COUNTS_PER_G * y)
        return np.where(size < LEAST, 0.0, np.minimum(size, MOST)).astype(np.int64), band

    def gap(self, state: _State, lost: int) -> tuple[int, _State]:
        end = state.position + lost
        dropped = 0 if end <= 0 else (end - 1) // self.length + 1
        fresh = self.start()
        return dropped, _State(end - dropped * self.length, *list(fresh.__dict__.values())[1:])

    def c_form(self) -> CForm:
        band = np.concatenate([B, -np.asarray(A[1:]), self.zi, [COUNTS_PER_G, 1000.0]])
        fields = (
            ("route", self.front.route),
            ("length", self.length),
            ("factor", self.front.factor),
            ("tail", self.front.tail),
            ("front", _words(self.front.constants or (0.0,))),
            ("band", _words(band)),
            ("taps", self.front.taps[: HALF + 1]),
        )
        words = 3 + 2 * AXES + 2 * 7 * AXES + self.front.words
        return CForm("counts", "pl_activity.h", fields, state_words=words, has_gap=True)


@dataclass(frozen=True)
class ActivityCounts(Stage):
    """ActiGraph activity counts of acceleration in g, three axes, summed over `epoch_s` whole seconds.

    Rates: 30, 40, ..., 100 Hz as in the paper (Neishabouri et al. 2022), and 32, 64 and 128 Hz as in the authors'
    package, where an epoch comes out half a second after its end. A gap loses the epochs that it touches, the others
    keep their places; the filters start anew behind it.
    """

    epoch_s: int = 60

    def design(self, source: Format) -> CountsKernel:
        rate_hz = even_rate(self, source)
        check_unit(self, source, "g")
        check(source.channels == AXES, self, "three axes", source.channels)
        whole = 1 <= self.epoch_s <= LONGEST_EPOCH_S and self.epoch_s == int(self.epoch_s)
        check(whole, self, f"an epoch of whole seconds up to {LONGEST_EPOCH_S}", self.epoch_s)
        return CountsKernel(_front(self, rate_hz), int(self.epoch_s), rate_hz, source)


def activity_counts(acceleration_g: ArrayLike, *, rate_hz: float, epoch_s: int = 60) -> NDArray[np.int64]:
    """Return the ActiGraph activity counts `(epochs, 3)` of acceleration `(n, 3)` in g.

    The whole epochs of the recording, equal to what `agcounts` 0.2.6 gives for the same float32 values; at 32, 64 and
    128 Hz but for the epoch that ends in the recording's last half second, where the last sample is held.

    Raises
    ------
    PipelineError
        If the shape is another, a value is not below 1e12, or the rate or the epoch is not one of `ActivityCounts`.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(50 * 60) / 50
    >>> swing = np.stack([np.sin(2 * np.pi * t), 0 * t, 1 + 0 * t], axis=1)
    >>> activity_counts(swing, rate_hz=50, epoch_s=30)[:, 0].tolist()
    [10627, 10740]
    """
    wanted = "finite accelerations (n, 3) in g"
    x = numbers("activity_counts", wanted, acceleration_g, dimensions=(2,))
    if x.shape[1] != AXES:
        raise PipelineError(f"activity_counts: wanted {wanted}, got {x.shape}")
    kernel = ActivityCounts(epoch_s).design(Format(rate("activity_counts", rate_hz), AXES, "g"))
    state, rows = kernel.start(), [np.empty((0, AXES), np.float32)]
    for run in runs(x):
        if isinstance(run, int):
            raise PipelineError(
                f"activity_counts: wanted {wanted}, got {run} in a row that are not: count the stretches between "
                "them, or use the stage, which leaves out the epochs that a gap touches"
            )
        y, state = kernel.step(state, run)
        rows.append(y)
    y, _ = kernel.step(state, np.repeat(x[-1:].astype(np.float32), kernel.front.tail, axis=0))
    return np.concatenate([*rows, y])[: len(x) // kernel.length].astype(np.int64)
