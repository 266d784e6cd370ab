"""Marks for samples that are no measurement: at the rails of the converter, or flat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.averages import fold_windows
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, even_rate
from pulselet.signal.window import whole_samples

LONGEST = 4096
FlatState: TypeAlias = "tuple[int, int, Samples, Samples] | None"


def _marked(source: Format, mark: str, alone: bool) -> Format:
    """Return the format of samples with a column 0 or 1 after them, or of that column alone."""
    if alone:
        return source.but(channels=1, unit="", names=(mark,))
    names = source.names or tuple(f"channel_{c}" for c in range(source.channels))
    return source.but(channels=source.channels + 1, unit="", names=(*names, mark))


def _joined(x: Samples, mark: NDArray[np.bool_], alone: bool) -> Samples:
    column = mark.astype(np.float32)
    return column if alone else np.concatenate([x, column], axis=1)


class SaturationKernel(Kernel):
    """A mark for each sample of which a channel is at a limit or beyond; no state."""

    def __init__(self, low: float, high: float, alone: bool, source: Format) -> None:
        self.low, self.high = np.float32(low), np.float32(high)
        self.alone = alone
        self.source = source
        self.output = _marked(source, "saturated", alone)
        self.operations = 2 * source.channels

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        mark = np.asarray(((x <= self.low) | (x >= self.high)).any(axis=1, keepdims=True))
        return _joined(x, mark, self.alone), None

    def c_form(self) -> CForm:
        fields = (
            ("channels", self.source.channels),
            ("alone", int(self.alone)),
            ("low", self.low),
            ("high", self.high),
        )
        return CForm("saturation", "pl_marking.h", fields, state_words=0)


@dataclass(frozen=True)
class MarkSaturation(Stage):
    """Appends a column `saturated`: 1 where any channel is at `low` or below, or at `high` or above, else 0.

    The limits are those of the converter in the input's unit, a code inside its rails. The rows have no common unit any
    more; with `alone` they are the mark only, for a branch of its own beside filters.
    """

    low: float
    high: float
    alone: bool = False

    def design(self, source: Format) -> SaturationKernel:
        even_rate(self, source)
        check(-1e12 <= self.low < self.high <= 1e12, self, "low below high", f"{self.low} and {self.high}")
        return SaturationKernel(self.low, self.high, self.alone, source)


class FlatKernel(Kernel):
    """A mark for each sample at which a channel has stayed within the tolerance for `length` samples.

    The state is None before the first sample, then the place in the block, how many samples have been seen (at most
    `length`) and what `fold_windows` keeps for the largest and for the smallest. A gap starts it anew.
    """

    def __init__(self, length: int, tolerance: float, alone: bool, source: Format, rate_hz: float) -> None:
        self.length = length
        self.tolerance = np.float32(tolerance)
        self.alone = alone
        self.source = source
        self.output = _marked(source, "flat", alone)
        self.latency_s = 0.0
        self.operations = 6 * source.channels

    def start(self) -> FlatState:
        return None

    def step(self, state: FlatState, x: Samples) -> tuple[Samples, FlatState]:
        if len(x) == 0:
            return np.empty((0, self.output.width), np.float32), state
        if state is None:
            kept = np.repeat(x[:1], self.length, axis=0)
            state = (0, 0, kept, kept)
        at, seen, largest, smallest = state
        high, largest = fold_windows(np.maximum, at, largest, x)
        low, smallest = fold_windows(np.minimum, at, smallest, x)
        flat = np.asarray((high - low <= self.tolerance).any(axis=1, keepdims=True))
        flat[: max(0, self.length - 1 - seen)] = False
        after = (at + len(x)) % self.length, min(self.length, seen + len(x)), largest, smallest
        return _joined(x, flat, self.alone), after

    def c_form(self) -> CForm:
        fields = (
            ("length", self.length),
            ("channels", self.source.channels),
            ("alone", int(self.alone)),
            ("tolerance", self.tolerance),
        )
        words = 2 + 2 * (self.length + 1) * self.source.channels
        return CForm("flat", "pl_marking.h", fields, state_words=words)


@dataclass(frozen=True)
class MarkFlat(Stage):
    """Appends a column `flat`: 1 where any channel's last `length_s` lie within `tolerance` of each other, else 0.

    A lead that fell off, or a sensor that repeats itself. The samples before are not marked after the fact: the mark
    comes `length_s` after the signal stopped. A gap starts it anew, unmarked. The rows have no common unit any more;
    with `alone` they are the mark only, for a branch of its own beside filters.
    """

    length_s: float
    tolerance: float
    alone: bool = False

    def design(self, source: Format) -> FlatKernel:
        rate_hz = even_rate(self, source)
        length = whole_samples(self, "length", self.length_s, rate_hz)
        check(2 <= length <= LONGEST, self, f"2 to {LONGEST} samples", length)
        check(0 <= self.tolerance < 1e12, self, "a tolerance of 0 or more", self.tolerance)
        return FlatKernel(length, self.tolerance, self.alone, source, rate_hz)
