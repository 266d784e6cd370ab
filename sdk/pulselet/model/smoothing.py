"""From the confidences of window after window to a decision that does not flicker, or that says it does not know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.model.decide import BITS, softmax_factors
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check

F = np.float32
LONGEST = 64
"""Windows of the longest mean."""


def confidences(scores: NDArray[np.int8], scale: float) -> Samples:
    """Return the softmax `(n, classes)` of a net's int8 outputs `(n, classes)`, whose step is `scale`.

    The arithmetic is that of `Rule.confidence`, whose result is each row's largest value.
    """
    weight_of = np.ones(2**BITS, np.float32)
    steps = np.arange(2**BITS)
    for bit, factor in enumerate(softmax_factors(scale)):
        weight_of[(steps >> bit) & 1 == 1] *= factor
    weights = weight_of[scores.max(axis=1, keepdims=True).astype(np.int16) - scores]
    return np.asarray(weights * (F(1) / _totals(weights))[:, None])


def _totals(rows: Samples) -> Samples:
    total = np.zeros(len(rows), np.float32)
    for column in rows.T:  # class by class: the order of the sum is that of C
        total += column
    return total


class Smoothed(NamedTuple):
    """What is kept between windows; classes are counted from 0, -1 is none."""

    kept: Samples  # (windows that count, classes), oldest first; for "exponential" their average, one row
    label: int  # the class decided on
    challenger: int  # the class that may follow it
    run: int  # windows in a row in which that has been best
    silent: int  # windows in a row without evidence


class SmoothingKernel(Kernel):
    """A mean, hysteresis and a count, one window after another."""

    def __init__(self, stage: Smoothing, classes: int, source: Format) -> None:
        self.stage = stage
        self.classes = classes
        self.exponential = stage.method == "exponential"
        self.rows = 1 if self.exponential else stage.windows
        self.weight = F(2 / (stage.windows + 1))
        self.enter, self.leave, self.least_quality = F(stage.enter), F(stage.leave), F(stage.least_quality)
        self.source = source
        self.output = Format(source.rate_hz, 3, names=("label", "confidence", "abstained"))
        assert source.rate_hz is not None
        self.latency_s = ((stage.windows - 1) / 2 + stage.debounce - 1) / source.rate_hz
        self.operations = classes * (4 + self.rows)

    def start(self) -> Smoothed:
        return Smoothed(np.empty((0, self.classes), np.float32), -1, -1, 0, 0)

    def step(self, state: Smoothed, x: Samples) -> tuple[Samples, Smoothed]:
        given = x[:, : self.classes]
        shares = np.where(given > 0, np.minimum(given, F(1)), F(0))
        total = _totals(shares)
        good = total > F(1e-6)
        shares = shares / np.where(good, total, F(1))[:, None]
        if self.source.width > self.classes:
            good &= x[:, -1] >= self.least_quality
        y = np.empty((len(x), 3), np.float32)
        for i, share in enumerate(shares):
            state = self._heard(state, share) if good[i] else self._silent(state, 1)
            y[i] = self._said(state, bool(good[i]))
        return y, state

    def _heard(self, state: Smoothed, share: Samples) -> Smoothed:
        kept = state.kept
        if len(kept) and self.exponential:
            kept = kept + self.weight * (share - kept)
        else:
            kept = np.concatenate([kept[len(kept) - self.rows + 1 :] if len(kept) == self.rows else kept, share[None]])
        mean = _mean(kept)
        best = int(np.argmax(mean))
        label = state.label if state.label >= 0 and mean[state.label] >= self.leave else -1
        run = 0
        if best != label and mean[best] >= self.enter:
            run = state.run + 1 if best == state.challenger else 1
        if run >= self.stage.debounce:
            label, run = best, 0
        return Smoothed(kept, label, best, run, 0)

    def _silent(self, state: Smoothed, windows: int) -> Smoothed:
        silent = min(state.silent + windows, self.stage.hold + 1)
        if silent > self.stage.hold:
            return self.start()._replace(silent=silent)
        return state._replace(run=0, silent=silent)

    def _said(self, state: Smoothed, good: bool) -> tuple[float, float, float]:
        if len(state.kept) == 0:
            return 0.0, 0.0, 1.0
        mean = _mean(state.kept)
        label = state.label if state.label >= 0 else int(np.argmax(mean))
        return label, float(mean[label]), float(not good or state.label < 0)

    def gap(self, state: Smoothed, lost: int) -> tuple[int, Smoothed]:
        return lost, self._silent(state, lost)

    def c_form(self) -> CForm:
        fields = (
            ("classes", self.classes),
            ("columns", self.source.width),
            ("rows", self.rows),
            ("debounce", self.stage.debounce),
            ("hold", self.stage.hold),
            ("weight", self.weight if self.exponential else F(0)),
            ("enter", self.enter),
            ("leave", self.leave),
            ("least_quality", self.least_quality),
        )
        words = 6 + (self.rows + 1) * self.classes
        return CForm("smoothing", "pl_smoothing.h", fields, state_words=words, has_gap=True)


def _mean(kept: Samples) -> Samples:
    if len(kept) == 1:
        return np.asarray(kept[0])
    total = np.zeros_like(kept[0])
    for row in kept:  # oldest first, as in C
        total = total + row
    return np.asarray(total / F(len(kept)))


@dataclass(frozen=True)
class Smoothing(Stage):
    """Decides over windows: smooths class confidences, changes its mind slowly, and abstains when it does not know.

    Takes rows of confidences, one column for each class (`confidences` makes them of a net's outputs), and gives
    ("label", "confidence", "abstained") for each: the class decided on, counted from 0, its smoothed confidence, and 1
    if nothing is decided; then the label is the best class, for information.

    Parameters
    ----------
    windows, method
        "mean" of the last `windows` rows, or "exponential" with the weight `2 / (windows + 1)`, which has the same mean
        age and needs room for one row only.
    enter, leave
        Hysteresis: a class is decided on when it is the best and its smoothed confidence reaches `enter`; it stays
        until that falls below `leave`, or another class is decided on.
    debounce
        Rows in a row for which a class must be the best and above `enter` before it is decided on.
    with_quality, least_quality
        Whether the last column is the quality of the signal, 0 to 1. A row with less than `least_quality` is no
        evidence: it does not change the means, breaks a run of `debounce`, and the decision on it is to abstain.
    hold
        Rows in a row without evidence, for low quality or because they were lost in a gap, after which everything is
        forgotten and begins anew.

    Confidences are clipped to 0..1 and divided by their sum; a row without any is no evidence. A gap's rows are lost
    here as well, and count for `hold`.
    """

    windows: int = 5
    method: str = "exponential"
    enter: float = 0.6
    leave: float = 0.4
    debounce: int = 1
    with_quality: bool = False
    least_quality: float = 0.5
    hold: int = 5

    def design(self, source: Format) -> SmoothingKernel:
        even = source.rate_hz is not None and source.length == 1
        check(even, self, "rows of confidences at an even rate", source)
        classes = source.channels - int(self.with_quality)
        check(2 <= classes <= 255, self, "2 to 255 classes", classes)
        check(self.method in ("exponential", "mean"), self, "method 'exponential' or 'mean'", repr(self.method))
        check(1 <= self.windows <= LONGEST, self, f"1 to {LONGEST} windows", self.windows)
        thresholds = f"{self.leave} and {self.enter}"
        check(0 <= self.leave <= self.enter <= 1, self, "0 <= leave <= enter <= 1", thresholds)
        check(1 <= self.debounce <= 1000, self, "debounce from 1 to 1000", self.debounce)
        check(0 <= self.least_quality <= 1, self, "least_quality from 0 to 1", self.least_quality)
        check(1 <= self.hold <= 100_000, self, "hold from 1 to 100000", self.hold)
        return SmoothingKernel(self, classes, source)
