"""Other rates: rational polyphase resampling of samples, and even series from events such as heartbeats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, even_rate

KAISER_BETA = 5.0
"""Of the anti-alias filter's window: side lobes 50 dB down (Kaiser 1974)."""

MOST_LOST = 2**30
"""Outputs that are lost in one gap at most: the C form counts no further."""

LONGEST_SINCE = 2**24
"""Ticks between two events at most: float32 counts no further. A longer silence counts as this."""

MOST_OWED = 2**29
"""Parts of a tick that the grid may be behind; what is more is forgotten."""

ResampleState: TypeAlias = "tuple[Samples | None, int, int]"
EvenState: TypeAlias = "tuple[Samples | None, int, int]"


class ResampleKernel(Kernel):
    """Polyphase filter: output j is the filtered signal at input `j * down / up`, as in `scipy.signal.resample_poly`.

    The state is the last `taps - 1` rows, oldest first, or None before the first; how far the next output lies ahead of
    the next input, in steps of 1 / up input; how many inputs to come give no output because a gap is too near.
    """

    def __init__(self, up: int, down: int, taps: NDArray[np.float64], source: Format, output: Format) -> None:
        self.up, self.down = up, down
        length = -(-len(taps) // up)
        padded = np.zeros(length * up)
        padded[: len(taps)] = taps
        # row p: what input n, n - 1, ... weigh for an output p steps after input n
        self.phases = np.ascontiguousarray(padded.reshape(length, up).T).astype(np.float32)
        self.source, self.output = source, output
        assert source.rate_hz is not None
        self.latency_s = (len(taps) - 1) / 2 / (source.rate_hz * up)
        self.operations = (2 * length - 1) * source.channels * up / down

    @property
    def length(self) -> int:
        """Input rows that one output row needs."""
        return int(self.phases.shape[1])

    def start(self) -> ResampleState:
        return None, 0, 0

    def step(self, state: ResampleState, x: Samples) -> tuple[Samples, ResampleState]:
        kept, ahead, wait = state
        if len(x) == 0:
            return np.empty((0, x.shape[1]), np.float32), state
        past = self.length - 1
        rows = np.concatenate([np.repeat(x[:1], past, axis=0) if kept is None else kept, x])
        found = self._outputs(ahead, len(x))
        skipped = min(found, self._outputs(ahead, wait))
        y = self._filter(rows, ahead + self.down * skipped, found - skipped)
        ahead += self.down * found - self.up * len(x)
        return y, (rows[len(rows) - past :].copy(), ahead, max(0, wait - len(x)))

    def _filter(self, rows: Samples, ahead: int, count: int) -> Samples:
        """Return `count` outputs, the first so far ahead: the sum over the taps, newest first.

        Every `up` outputs the same phases come again, `down` inputs later. So the inputs are laid out by their place in
        `down`, and one tap weighs whole vectors.
        """
        channels = rows.shape[1]
        if count == 0:
            return np.empty((0, channels), np.float32)
        turn = min(self.up, count)
        times = -(-count // turn)
        newest, phase = np.divmod(ahead + self.down * np.arange(turn), self.up)
        newest += self.length - 1
        size = int(newest[-1]) // self.down + times
        laid = np.zeros((size * self.down, channels), np.float32)
        laid[: len(rows)] = rows[: len(laid)]
        laid = np.ascontiguousarray(laid.reshape(size, self.down, channels).transpose(1, 2, 0))
        runs = np.lib.stride_tricks.sliding_window_view(laid, times, axis=2)
        later, place = np.divmod(newest - np.arange(self.length)[:, None], self.down)
        taps = self.phases.T[:, phase, None, None]
        y: Samples = runs[place[0], :, later[0]] * taps[0]
        for k in range(1, self.length):
            part = runs[place[k], :, later[k]]
            part *= taps[k]
            y += part
        return y.transpose(2, 0, 1).reshape(-1, channels)[:count]

    def _outputs(self, ahead: int, inputs: int) -> int:
        """Return how many outputs come with the next inputs."""
        return max(0, -(-(inputs * self.up - ahead) // self.down))

    def gap(self, state: ResampleState, lost: int) -> tuple[int, ResampleState]:
        """Keep the grid; lose every output that needs a lost input, those just after the gap among them."""
        _, ahead, wait = state
        past = self.length - 1
        told, during = self._outputs(ahead, wait), self._outputs(ahead, lost)
        ahead += self.down * during - self.up * lost
        outputs = min(during, MOST_LOST) + self._outputs(ahead, past) - told
        return outputs, (np.zeros((past, self.source.channels), np.float32), ahead, past)

    def c_form(self) -> CForm:
        fields = (
            ("up", self.up),
            ("down", self.down),
            ("length", self.length),
            ("channels", self.source.channels),
            ("phases", self.phases),
        )
        words = 4 + (self.length - 1) * self.source.channels
        return CForm("resample", "pl_resampling.h", fields, words, rows=-(-self.up // self.down), has_gap=True)


@dataclass(frozen=True)
class Resample(Stage):
    """Another even rate, by a polyphase filter that keeps out what the lower of the two rates cannot hold.

    A sinc with a Kaiser window over `crossings` zero crossings to each side of its middle, -6 dB at half the lower rate
    (Crochiere and Rabiner 1981; designed by `scipy.signal.firwin`). Output k comes with the last input up to time
    k / rate_hz and is the signal of that time less the latency; it starts as if the first sample had been there for
    ever. The ratio of the rates must be one of whole numbers up to 1000.

    A gap keeps the grid of the output. Every output that needs a lost sample is lost, those among them that come up to
    twice the latency after the gap: what is given is always the filtered signal itself. Of more than 2**30 outputs lost
    in one gap the rest is forgotten.
    """

    rate_hz: float
    crossings: int = 8

    def design(self, source: Format) -> ResampleKernel:
        from scipy.signal import firwin

        rate_hz = even_rate(self, source)
        check(math.isfinite(self.rate_hz) and self.rate_hz > 0, self, "a rate above 0 Hz", self.rate_hz)
        check(self.crossings in range(2, 33), self, "2 to 32 zero crossings", self.crossings)
        ratio = Fraction(self.rate_hz / rate_hz).limit_denominator(1000)
        wanted = f"a rate from a 100th to 64 times {rate_hz:g} Hz, in a ratio of whole numbers up to 1000"
        whole = abs(float(ratio) * rate_hz - self.rate_hz) <= 1e-9 * self.rate_hz and ratio.numerator <= 1000
        check(whole and Fraction(1, 100) <= ratio <= 64, self, wanted, f"{self.rate_hz:g} Hz")
        up, down = ratio.numerator, ratio.denominator
        half = self.crossings * max(up, down)
        check(up * down > 1, self, "another rate than the input's", f"{self.rate_hz:g} Hz")
        taps = firwin(2 * half + 1, 1 / max(up, down), window=("kaiser", KAISER_BETA)) * up
        kernel = ResampleKernel(up, down, taps, source, source.but(rate_hz=self.rate_hz))
        _balance(kernel)
        return kernel


def _balance(kernel: ResampleKernel) -> None:
    """Make every phase pass a constant unchanged, or an offset would come out as a ripple at the input's rate."""
    exact = kernel.phases.astype(np.float64)
    kernel.phases = (exact / exact.sum(axis=1, keepdims=True)).astype(np.float32)


class EvenKernel(Kernel):
    """Rows on an even grid, on the straight line between two events.

    The state is the values of the last event, or None before the first; where the next row lies after that event, in
    parts of a tick, 0 or less if it is owed; whether events were lost since then.
    """

    def __init__(
        self, columns: tuple[int, ...], valid: int, grid: Fraction, longest: int, source: Format, output: Format
    ) -> None:
        assert source.clock_hz is not None
        assert output.rate_hz is not None
        self.columns, self.valid = columns, valid
        self.step_parts, self.parts = grid.numerator, grid.denominator
        self.longest = longest
        self.source, self.output = source, output
        self.latency_s = longest / source.clock_hz
        # twice what a bridged hole needs: so the grid catches up after a longer one
        self.rows = 2 * (-(-longest * self.parts // self.step_parts) + 1)
        self.operations = 4.0 * len(columns) * max(1.0, output.rate_hz)  # of events a second apart

    def start(self) -> EvenState:
        return None, 0, 0

    def step(self, state: EvenState, x: Samples) -> tuple[Samples, EvenState]:
        parts = [np.empty((0, self.output.width), np.float32)]
        ticks = np.clip(x[:, 0], np.float32(0), np.float32(LONGEST_SINCE)).astype(np.int64)
        for row, since in zip(x, ticks.tolist(), strict=True):
            y, state = self._event(state, row, since)
            parts.append(y)
        return np.concatenate(parts), state

    def _event(self, state: EvenState, row: Samples, since: int) -> tuple[Samples, EvenState]:
        """Return the rows up to an event, and the state after it."""
        last, ahead, lost = state
        span = since * self.parts
        known = self.valid < 0 or row[self.valid] > 0
        now = row[list(self.columns)] if known else last
        first = last is None
        if now is None:  # nothing to give yet: the rows are owed
            return np.empty((0, self.output.width), np.float32), (None, max(ahead - span, -MOST_OWED), lost)
        before = now if last is None else last
        count = min(self.rows, max(0, (span - ahead) // self.step_parts + 1))
        places = ahead + self.step_parts * np.arange(count)
        bridged = (places > 0) & (known and not first and not lost and since <= self.longest)
        y = np.empty((count, self.output.width), np.float32)
        fraction = places.astype(np.float32) / np.float32(max(span, 1))
        y[:, :-1] = np.where(bridged[:, None], before + (now - before) * fraction[:, None], before)
        y[:, -1] = ~bridged
        ahead += self.step_parts * count - span
        return y, (now.copy(), max(ahead, -MOST_OWED), 0 if known else lost)

    def gap(self, state: EvenState, lost: int) -> tuple[int, EvenState]:
        """Hold the rows up to the next event; no row of the grid is lost."""
        last, ahead, _ = state
        return 0, (last, ahead, 1)

    def c_form(self) -> CForm:
        fields = (
            ("channels", len(self.columns)),
            ("valid", self.valid),
            ("step", self.step_parts),
            ("parts", self.parts),
            ("longest", self.longest),
            ("rows", self.rows),
            ("columns", np.array(self.columns, np.int32)),
        )
        return CForm("even", "pl_resampling.h", fields, 2 + len(self.columns), rows=self.rows, has_gap=True)


@dataclass(frozen=True)
class Even(Stage):
    """An even series from events, such as RR intervals at 4 Hz: straight lines between them, on a grid from the start.

    Row k belongs to time k / rate_hz, and comes with the first event at that time or later. A column `held` comes last:
    0 where the row lies on a line between two events, 1 where nothing is known and the value before stands: up to the
    first event; in a hole longer than `longest_gap_s`; before an event whose column `valid` is 0, or after lost
    events. So no time is lost, and a stage that comes after judges what is held.

    One event gives at most twice the rows of a hole of `longest_gap_s`. What is owed after a longer one comes with the
    next events, held as well, until the grid has caught up; of more than 2**24 ticks between two events, and a silence
    of 2**29, the rest is forgotten. The output has no common unit.

    Parameters
    ----------
    columns
        Names of those that are wanted; all but `since`, `valid` and `lag` if none are named. `since` is the interval
        before the event itself, in samples of the signal that it comes from, and is called `interval` in the output.
    """

    rate_hz: float
    longest_gap_s: float
    columns: tuple[str, ...] = ()

    def design(self, source: Format) -> EvenKernel:
        check(source.rate_hz is None and source.length == 1, self, "events", source)
        clock_hz = source.clock_hz
        check(clock_hz is not None and source.channels > 1, self, "events with a clock and values", source)
        assert clock_hz is not None
        check(0 < self.rate_hz <= clock_hz, self, f"a rate up to {clock_hz:g} Hz, the events' clock", self.rate_hz)
        grid = Fraction(clock_hz / self.rate_hz).limit_denominator(31)
        exact = abs(float(grid) * self.rate_hz - clock_hz) <= 1e-9 * clock_hz and grid.numerator < MOST_OWED
        check(exact, self, f"a rate of {clock_hz:g} Hz over a fraction with a denominator up to 31", self.rate_hz)
        wanted = f"longest_gap_s from {1 / self.rate_hz:g} to {500 / self.rate_hz:g} s"
        check(1 / self.rate_hz <= self.longest_gap_s <= 500 / self.rate_hz, self, wanted, self.longest_gap_s)
        names = source.names or ("since", *(f"value_{c}" for c in range(source.channels - 1)))
        columns = self.columns or tuple(name for name in names[1:] if name not in ("valid", "lag"))
        check(len(columns) > 0 and set(columns) <= set(names), self, f"columns among {names}", columns)
        given = tuple("interval" if name == "since" else name for name in columns)
        output = Format(self.rate_hz, len(columns) + 1, "", (*given, "held"))
        valid = names.index("valid") if "valid" in names else -1
        places = tuple(names.index(name) for name in columns)
        return EvenKernel(places, valid, grid, int(self.longest_gap_s * clock_hz + 1e-6), source, output)
