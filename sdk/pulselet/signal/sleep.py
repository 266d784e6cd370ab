"""Whether a sensor is worn, and whether its wearer sleeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.motion import AXES, NOTHING, after_gap, three_axes
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check
from pulselet.signal.window import whole_samples

Whole: TypeAlias = NDArray[np.int64]

STEPS_PER_G, LIMIT_G = 32768, np.float32(16.0)
LONGEST_WINDOW = 2**20
"""Samples in a window: more could overflow its 64-bit sums."""


@dataclass(frozen=True)
class _Block:
    """Of the samples of a part of a window, in steps, three axes each."""

    total: Whole
    squares: Whole
    least: Whole
    most: Whole

    def with_samples(self, x: Whole) -> _Block:
        """Return the block with these samples `(n, 3)`, at least one, added."""
        least, most = np.minimum(self.least, x.min(axis=0)), np.maximum(self.most, x.max(axis=0))
        return _Block(self.total + x.sum(axis=0), self.squares + (x * x).sum(axis=0), least, most)


EMPTY = _Block(np.zeros(3, np.int64), np.zeros(3, np.int64), np.full(3, 2**31 - 1), np.full(3, -(2**31)))


@dataclass(frozen=True)
class _Wear:
    position: int = 0  # in the block that fills; negative: samples until it begins
    full: tuple[_Block, ...] = ()  # those before it that its window has
    block: _Block = EMPTY


class NonWearKernel(Kernel):
    """Samples `(3,)` to rows `(worn, still)`, one for each block from the last of the first window on."""

    def __init__(self, block: int, count: int, spread_g: float, range_g: float, rate_hz: float, source: Format) -> None:
        self.block, self.count = block, count
        self.spread = int(np.ceil((spread_g * STEPS_PER_G) ** 2))
        self.range = int(np.ceil(range_g * STEPS_PER_G))
        self.source = source
        self.output = Format(rate_hz / block, 2, names=("worn", "still"))
        self.latency_s = (block * count - 1) / rate_hz
        self.operations = 24.0

    def start(self) -> _Wear:
        return _Wear()

    def step(self, state: _Wear, x: Samples) -> tuple[Samples, _Wear]:
        steps = (np.clip(x, -LIMIT_G, LIMIT_G) * np.float32(STEPS_PER_G)).astype(np.int64)
        rows, at = [], min(len(x), max(0, -state.position))
        position, full, block = state.position + at, state.full, state.block
        while at < len(x):
            part = steps[at : at + self.block - position]
            block, at, position = block.with_samples(part), at + len(part), position + len(part)
            if position == self.block:
                full = (*full, block)
                if len(full) == self.count:
                    still = self._still(full)
                    rows.append([float(still < 2), float(still)])
                    full = full[1:]
                position, block = 0, EMPTY
        return np.array(rows, np.float32).reshape(-1, 2), _Wear(position, full, block)

    def _still(self, blocks: tuple[_Block, ...]) -> int:
        """Return how many axes are still over the window."""
        n = self.block * self.count
        least = np.min([b.least for b in blocks], axis=0)
        span = np.max([b.most for b in blocks], axis=0) - least
        total, squares = sum(b.total for b in blocks), sum(b.squares for b in blocks)
        # about the least value, so that nothing overflows if the span is small; whole numbers all the way
        squares = squares - 2 * least * total + n * least * least
        total = total - n * least
        narrow = span < self.range
        spread = n * np.where(narrow, squares, 0) - np.where(narrow, total, 0) ** 2
        return int(np.count_nonzero(narrow & (spread < self.spread * n * n)))

    def gap(self, state: _Wear, lost: int) -> tuple[int, _Wear]:
        dropped, position = after_gap(len(state.full) * self.block + state.position, lost, self.block)
        return dropped, _Wear(position)

    def c_form(self) -> CForm:
        fields = (("block", self.block), ("count", self.count), ("spread", self.spread), ("range", self.range))
        return CForm("nonwear", "pl_sleep.h", fields, state_words=3 + 6 * AXES * self.count, has_gap=True)


@dataclass(frozen=True)
class NonWear(Stage):
    """Whether the sensor is worn, from acceleration in g: 1, or 0 if at least two of three axes were still.

    An axis is still if over `window_s` its standard deviation is below `spread_g` and its range below `range_g`: 13 and
    50 mg over an hour, said anew every 15 minutes (van Hees et al., PLoS ONE 6(7), 2011 and 8(4), 2013). A row goes out
    at the end of its window; the second column counts the still axes. A gap loses the windows that it touches, the
    others keep their places. Values count in steps of 2**-15 g, and as 16 g at most.
    """

    window_s: float = 3600.0
    hop_s: float = 900.0
    spread_g: float = 0.013
    range_g: float = 0.05

    def design(self, source: Format) -> NonWearKernel:
        rate_hz = three_axes(self, source)
        length = whole_samples(self, "window", self.window_s, rate_hz)
        hop = whole_samples(self, "hop", self.hop_s, rate_hz)
        check(length % hop == 0, self, "a window of whole hops", (self.window_s, self.hop_s))
        check(length <= LONGEST_WINDOW, self, f"a window of at most {LONGEST_WINDOW} samples", length)
        check(length // hop <= 64, self, "a window of at most 64 hops", length // hop)
        check(
            0 < self.spread_g < self.range_g <= 0.06,
            self,
            "0 < spread_g < range_g <= 0.06",
            (self.spread_g, self.range_g),
        )
        return NonWearKernel(hop, length // hop, self.spread_g, self.range_g, rate_hz, source)


WEIGHTS = tuple(np.float32(w) for w in (0.106, 0.054, 0.058, 0.076, 0.230, 0.074, 0.067))
AHEAD = 2
COUNTS_PER_UNIT, MOST_UNITS = np.float32(0.01), np.float32(300.0)


class SleepKernel(Kernel):
    """Rows of counts of a minute to rows `(asleep, score)` about the minute two before.

    The state is None or the last six counts, scaled; before the first one they are all like it.
    """

    def __init__(self, column: int, source: Format) -> None:
        self.column = column
        self.source = source
        self.output = source.but(channels=2, unit="", names=("asleep", "score"))
        self.latency_s = AHEAD * 60.0
        self.operations = 16.0

    def start(self) -> Samples | None:
        return None

    def step(self, state: Samples | None, x: Samples) -> tuple[Samples, Samples | None]:
        if not len(x):
            return np.empty((0, 2), np.float32), state
        units = np.minimum(np.maximum(x[:, self.column] * COUNTS_PER_UNIT, NOTHING), MOST_UNITS)
        before = np.repeat(units[:1], len(WEIGHTS) - 1) if state is None else state
        rows = np.concatenate([before, units])
        score = np.asarray(WEIGHTS[0] * rows[: len(x)], np.float32)
        for i, weight in enumerate(WEIGHTS[1:], 1):
            score += weight * rows[i : i + len(x)]
        return np.stack([(score < 1).astype(np.float32), score], axis=1), rows[len(x) :].copy()

    def c_form(self) -> CForm:
        fields = (("column", self.column), ("weights", np.array(WEIGHTS)))
        return CForm("sleep", "pl_sleep.h", fields, state_words=len(WEIGHTS))


@dataclass(frozen=True)
class SleepWake(Stage):
    """Asleep (1) or awake (0) in each minute, from its activity counts, and the score: below 1 is sleep.

    Cole, Kripke et al., Sleep 15(5), 1992: a weighted sum over four minutes before, the minute itself and two after it,
    with the counts of `column` divided by 100 and 300 at most, as is customary for ActiGraph counts. So a row goes out
    two minutes late, and the first two speak of the time before the first. A gap starts it anew.
    """

    column: str = "y"

    def design(self, source: Format) -> SleepKernel:
        minutes = source.rate_hz is not None and source.length == 1 and abs(source.rate_hz * 60 - 1) < 1e-6
        check(minutes, self, "counts of one minute each", source)
        check(source.unit == "counts", self, "activity counts", source.unit or "no unit")
        check(self.column in source.names, self, f"a column out of {source.names}", self.column)
        return SleepKernel(source.names.index(self.column), source)
