"""Moving averages and medians without running sums that drift, and a slow average to subtract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np

from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, even_rate
from pulselet.signal.window import whole_samples

LONGEST = 8192
"""Samples of the longest window: its float32 mean is good to 3e-6 of the largest value, as measured on an offset."""

LONGEST_BLOCK = 1024
"""Samples that `RemoveDrift` averages at once: their float32 sum is good to 1e-5 at worst."""

DriftState: TypeAlias = "tuple[int, Samples, Samples, Samples, Samples] | None"
MeanState: TypeAlias = "tuple[int, Samples] | None"


def fold_windows(fold: np.ufunc, at: int, kept: Samples, x: Samples) -> tuple[Samples, Samples]:
    """Return the sum, or largest, of the window that ends at each sample, from folds that begin anew with each block.

    A window is the end of one block and the beginning of the next, so its fold is that of one fold up to the end of the
    block before and one from the beginning of this (van Herk 1992 and Gil and Werman 1993, for maxima). Nothing is ever
    subtracted: no error stays, and every sample costs three folds however long the window.

    Parameters
    ----------
    fold
        np.add, np.maximum or np.minimum.
    at
        Place of the next sample in its block.
    kept
        `(length, channels)`: the samples of this block, and after them the folds from there to the end of the block
        before. The second of what is returned is the same after `x`.
    """
    size, channels = kept.shape
    count = (at + len(x)) // size
    padded = np.zeros(((count + 1) * size, channels), np.float32)
    padded[:at] = kept[:at]
    padded[at : at + len(x)] = x
    blocks = padded.reshape(count + 1, size, channels)
    begun = fold.accumulate(blocks, axis=1)  # one after the other, as in C: not a pairwise sum
    ended = np.empty_like(blocks)
    ended[0] = kept
    ended[1:] = fold.accumulate(blocks[:count, ::-1], axis=1)[:, ::-1]
    fold(begun[:, :-1], ended[:, 1:], out=begun[:, :-1])
    after = (at + len(x)) % size
    last = ended[count].copy()
    last[:after] = blocks[count, :after]
    return begun.reshape(-1, channels)[at : at + len(x)], last


class MovingAverageKernel(Kernel):
    """Means of the last `length` samples.

    The state is None before the first sample, then the place in the block and what `fold_windows` keeps.
    """

    def __init__(self, length: int, source: Format, rate_hz: float) -> None:
        self.length = length
        self.source = self.output = source
        self.latency_s = (length - 1) / 2 / rate_hz
        self.operations = 4 * source.channels

    def start(self) -> MeanState:
        return None

    def step(self, state: MeanState, x: Samples) -> tuple[Samples, MeanState]:
        if len(x) == 0:
            return x, state
        size = self.length
        at, kept = state or (0, np.arange(size, 0, -1, dtype=np.float32)[:, None] * x[0])
        sums, kept = fold_windows(np.add, at, kept, x)
        return sums / np.float32(size), ((at + len(x)) % size, kept)

    def c_form(self) -> CForm:
        fields = (("length", self.length), ("channels", self.source.channels))
        return CForm(
            "moving_average", "pl_averages.h", fields, state_words=2 + (self.length + 1) * self.source.channels
        )


@dataclass(frozen=True)
class MovingAverage(Stage):
    """Mean of the last `length_s`, a whole number of samples, of each channel; delays by half of it.

    It starts as if the first sample had been there for ever, after a gap as well. In C, one sample in every `length_s`
    takes longer: it folds the block that it completes.

    Examples
    --------
    >>> kernel = MovingAverage(0.04).design(Format(50.0, 1, "mV"))
    >>> kernel.step(kernel.start(), np.array([[1], [2], [4]], np.float32))[0].ravel().tolist()
    [1.0, 1.5, 3.0]
    """

    length_s: float

    def design(self, source: Format) -> MovingAverageKernel:
        rate_hz = even_rate(self, source)
        length = whole_samples(self, "length", self.length_s, rate_hz)
        check(2 <= length <= LONGEST, self, f"2 to {LONGEST} samples", length)
        return MovingAverageKernel(length, source, rate_hz)


class MovingMedianKernel(Kernel):
    """Medians of the last `length` samples.

    The state is None before the first sample, then the last `length - 1` samples, oldest first.
    """

    def __init__(self, length: int, source: Format, rate_hz: float) -> None:
        self.length = length
        self.source = self.output = source
        self.latency_s = (length - 1) / 2 / rate_hz
        self.operations = 2 * length * source.channels  # comparisons and moves of the sorted window

    def start(self) -> Samples | None:
        return None

    def step(self, state: Samples | None, x: Samples) -> tuple[Samples, Samples | None]:
        from scipy.ndimage import rank_filter

        if len(x) == 0:
            return x, state
        x = x + np.float32(0)  # -0 and 0 are equal, so which of them is the median would be chance
        past = self.length - 1
        rows = np.concatenate([np.repeat(x[:1], past, axis=0) if state is None else state, x])
        y = np.empty_like(x)
        for c in range(x.shape[1]):
            y[:, c] = rank_filter(rows[:, c], rank=past // 2, size=self.length)[past // 2 : past // 2 + len(x)]
        return y, rows[len(rows) - past :].copy()

    def c_form(self) -> CForm:
        fields = (("length", self.length), ("channels", self.source.channels))
        return CForm("moving_median", "pl_averages.h", fields, state_words=1 + 2 * self.length * self.source.channels)


@dataclass(frozen=True)
class MovingMedian(Stage):
    """Median of the last `length_s` of each channel, taken as the nearest odd number of samples; delays by half of it.

    It starts as if the first sample had been there for ever, after a gap as well.

    Examples
    --------
    >>> kernel = MovingMedian(0.06).design(Format(50.0, 1, "mV"))
    >>> kernel.step(kernel.start(), np.array([[1], [1], [9], [1]], np.float32))[0].ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    length_s: float

    def design(self, source: Format) -> MovingMedianKernel:
        rate_hz = even_rate(self, source)
        wanted = f"a length from {2 / rate_hz:g} to {512 / rate_hz:g} s (3 to 511 samples)"
        check(2 / rate_hz <= self.length_s < 512 / rate_hz, self, wanted, self.length_s)
        return MovingMedianKernel(2 * int(self.length_s * rate_hz / 2 + 1e-6) + 1, source, rate_hz)


class DriftKernel(Kernel):
    """Subtracts a slow first-order average of block means, joined by straight lines.

    All of it is counted from the first sample: a large offset would cost the average its last digits. The state is None
    before the first sample, then how many samples of the block have come, the first sample, the sum of the block, the
    average before and the average now, each `(channels,)`. A gap starts it anew.
    """

    def __init__(self, block: int, weight: float, source: Format) -> None:
        self.block = block
        self.weight = np.float32(weight)
        self.keep = np.float32(1) - self.weight
        self.fractions = np.arange(1, block + 1, dtype=np.float32) / np.float32(block)
        self.source = self.output = source
        self.operations = 7 * source.channels

    def start(self) -> DriftState:
        return None

    def step(self, state: DriftState, x: Samples) -> tuple[Samples, DriftState]:
        if len(x) == 0:
            return x, state
        done, first, total, before, now = state or (0, x[0].copy(), *np.zeros((3, x.shape[1]), np.float32))
        size, count = self.block, (done + len(x)) // self.block
        padded = np.zeros(((count + 1) * size, x.shape[1]), np.float32)
        padded[max(0, done - 1)] = total  # zeros before it change nothing
        moved = np.subtract(x, first, out=padded[done : done + len(x)])
        sums = np.add.accumulate(padded.reshape(count + 1, size, -1), axis=1)[:, -1]  # in order, as in C
        levels = np.empty((count + 2, x.shape[1]), np.float32)
        levels[:2] = before, now
        levels[2:] = self._averages(now, np.asarray(sums[:count] / np.float32(size), np.float32))
        slope = (levels[1:] - levels[:-1])[:, None]
        lines = levels[:-1, None] + slope * self.fractions[None, :, None]
        y = moved - lines.reshape(-1, x.shape[1])[done : done + len(x)]
        after = ((done + len(x)) % size, first, sums[count].copy(), levels[count].copy(), levels[count + 1].copy())
        return y, after

    def _averages(self, level: Samples, means: Samples) -> Samples:
        """Return the average after each block, `weight * mean + keep * level`."""
        from scipy.signal import sosfilt

        if len(means) == 0:
            return means
        section = np.array([[self.weight, 0, 0, 1, -self.keep, 0]], np.float32)
        state = np.stack([self.keep * level, np.zeros_like(level)])[None]
        found, _ = sosfilt(section, means, axis=0, zi=state)
        return cast("Samples", found + np.float32(0))  # never -0, whose sign depends on how a section is written

    def c_form(self) -> CForm:
        fields = (
            ("channels", self.source.channels),
            ("block", self.block),
            ("weight", self.weight),
            ("keep", self.keep),
        )
        return CForm("drift", "pl_averages.h", fields, state_words=2 + 4 * self.source.channels)


@dataclass(frozen=True)
class RemoveDrift(Stage):
    """First-order high-pass for very low corners, -3 dB at `cutoff_hz`: what is slower goes, offsets among it.

    Plain float32 sections err by per cents at a 0.05 Hz corner and 500 Hz, so the slow average runs on means of short
    blocks, a thousand to a period of the corner, and is subtracted with straight lines between them. Compared with the
    first-order filter the gain is at most 2 % higher; the average is good to some 1e-5 of the drift since the start.
    Above a 400th of the rate it is refused: `HighPass` does that. A gap starts it anew.
    """

    cutoff_hz: float

    def design(self, source: Format) -> DriftKernel:
        rate_hz = even_rate(self, source)
        lowest_hz, highest_hz = rate_hz / (1000 * LONGEST_BLOCK), rate_hz / 400
        wanted = f"a cut-off from {lowest_hz:.2g} to {highest_hz:.2g} Hz at {rate_hz:g} Hz (above that, HighPass)"
        check(lowest_hz <= self.cutoff_hz <= highest_hz, self, wanted, self.cutoff_hz)
        block = int(max(1, rate_hz / (1000 * self.cutoff_hz)))
        weight = -np.expm1(-2 * np.pi * self.cutoff_hz * block / rate_hz)
        return DriftKernel(block, float(weight), source)
