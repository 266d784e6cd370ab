"""Cut samples into windows on a fixed grid; a window that touches a gap is dropped and counted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, even_rate

LONGEST_GAP = 2**29
"""Samples of a gap, or of one branch's lead over another, that the C form still counts."""


class WindowKernel(Kernel):
    """Rows `(channels,)` to rows `(length, channels)`, oldest first.

    The state is the rows of the next window so far `(n, channels)` and, if the window is still to begin, how many rows
    until then. The grid holds for ever: a gap drops every window that begins before the gap's end.
    """

    def __init__(self, length: int, hop: int, source: Format, rate_hz: float) -> None:
        self.length, self.hop = length, hop
        self.source = source
        self.output = source.but(rate_hz=rate_hz / hop, length=length, clock_hz=rate_hz)
        self.latency_s = (length - 1) / rate_hz
        self.operations = source.channels * max(1, length // hop)  # it moves them

    def start(self) -> tuple[Samples, int]:
        return np.empty((0, self.source.width), np.float32), 0

    def step(self, state: tuple[Samples, int], x: Samples) -> tuple[Samples, tuple[Samples, int]]:
        kept, wait = state
        if wait >= len(x):
            return np.empty((0, self.output.width), np.float32), (kept, wait - len(x))
        rows = np.concatenate([kept, x[wait:]]) if len(kept) else x[wait:]
        count = max(0, (len(rows) - self.length) // self.hop + 1)
        windows = np.empty((count, self.length, self.source.width), np.float32)
        if count:
            view = np.lib.stride_tricks.sliding_window_view(rows, self.length, axis=0)[:: self.hop]
            windows[:] = view.transpose(0, 2, 1)
        begin = count * self.hop
        return windows.reshape(count, self.output.width), (rows[begin:].copy(), max(0, begin - len(rows)))

    def gap(self, state: tuple[Samples, int], lost: int) -> tuple[int, tuple[Samples, int]]:
        kept, wait = state
        end = len(kept) - wait + lost  # relative to the beginning of the next window
        if end <= 0:
            return 0, (kept, -end)
        dropped = (end - 1) // self.hop + 1
        return dropped, (kept[:0], dropped * self.hop - end)

    def c_form(self) -> CForm:
        fields = (("length", self.length), ("channels", self.source.channels), ("hop", self.hop))
        words = 2 + self.length * self.source.channels
        return CForm("window", "pl_window.h", fields, state_words=words, has_gap=True)


@dataclass(frozen=True)
class Window(Stage):
    """A window of `length_s` every `hop_s`. Windows that touch a gap are lost, the others keep their places."""

    length_s: float
    hop_s: float

    def samples(self, rate_hz: float) -> tuple[int, int]:
        """Return length and hop in samples at `rate_hz`.

        Raises
        ------
        PipelineError
            If one of them is not a whole number of samples, or not positive.
        """
        return (
            whole_samples(self, "length", self.length_s, rate_hz),
            whole_samples(self, "hop", self.hop_s, rate_hz),
        )

    def design(self, source: Format) -> WindowKernel:
        rate_hz = even_rate(self, source)
        return WindowKernel(*self.samples(rate_hz), source, rate_hz)


def whole_samples(stage: Stage, name: str, seconds: float, rate_hz: float) -> int:
    """Return `seconds` in samples; PipelineError unless that is a whole number, 1 or more."""
    count = round(seconds * rate_hz) if math.isfinite(seconds) else 0
    whole = 1 <= count <= LONGEST_GAP and abs(count - seconds * rate_hz) <= 1e-6 * count
    check(whole, stage, f"a {name} of whole samples at {rate_hz:g} Hz", f"{seconds} s")
    return count
