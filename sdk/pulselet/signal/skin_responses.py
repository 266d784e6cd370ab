"""Skin conductance responses one by one, from the bursts of sympathetic drive."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pulselet.signal.electrodermal import NAMES as ROW
from pulselet.signal.electrodermal import TOP_S, Electrodermal, response
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, even_rate

NAMES = ("since", "valid", "lag", "amplitude", "rise")
VALLEY = np.float32(0.7)
"""Two bursts of drive are two if it falls below this part of each peak between them."""
FARTHEST = 2**24
"""`since` counts no farther."""
FRESH, SEEKING, RISING = 0, 1, 2


@dataclass
class Search:
    """State of the search for responses; the numbers of the samples are exact, so plain floats will do."""

    n: int = 0  # samples since the last response's onset, or since the start
    intact: bool = False  # nothing was lost since the last response
    phase: int = FRESH
    edge: float = 0.0  # the lowest drive since the last burst, or the highest of this burst
    bar: float = 0.0  # a burst is over below this
    age: int = 0  # samples since the burst's peak
    waiting: bool = False  # a burst is over, its conductance may still rise
    burst: float = 0.0  # the peak of that burst
    burst_age: int = 0
    top: float = 0.0  # the highest conductance of the response
    top_age: int = 0

    def step(
        self, k: SkinResponsesKernel, phasic: float, drive: float, part: float, usable: bool
    ) -> tuple[float, ...] | None:
        """Return the row of a response that is over, if one is."""
        row = None
        if usable:
            if self.phase == RISING or self.waiting:
                self._look_at_top(phasic)
            began = self._burst(k, drive, part)
            if self.waiting and (began or self.top_age > 0 or self.burst_age > 2 * k.patience):
                row = self._end(k)
            if began:
                self.top, self.top_age = phasic, 0
        else:
            self.phase, self.intact, self.waiting = FRESH, False, False
        self.n = min(self.n + 1, FARTHEST)
        return row

    def _look_at_top(self, phasic: float) -> None:
        self.burst_age += 1
        if phasic > self.top or (self.phase == RISING and self.age == 0):
            self.top, self.top_age = phasic, 0
        else:
            self.top_age += 1

    def _burst(self, k: SkinResponsesKernel, drive: float, part: float) -> bool:
        """Return whether a burst begins."""
        if self.phase == RISING:
            self._go_on(k, drive, part)
        elif self.phase == FRESH or drive < self.edge:
            self.phase, self.edge = SEEKING, drive
        elif drive >= k.least_us and part > self.edge:
            self.phase, self.edge, self.bar, self.age = RISING, drive, part, 0
            return True
        return False

    def _go_on(self, k: SkinResponsesKernel, drive: float, part: float) -> None:
        self.age += 1
        if drive > self.edge:
            self.edge, self.bar, self.age = drive, part, 0
        elif drive < self.bar or self.age > k.patience:
            self.waiting, self.burst, self.burst_age = True, self.edge, self.age
            self.phase, self.edge = SEEKING, drive

    def _end(self, k: SkinResponsesKernel) -> tuple[float, ...]:
        lag = self.burst_age + k.onset
        row = (max(self.n - lag, 0), self.intact, lag, self.burst, self.burst_age - self.top_age)
        self.n, self.intact, self.waiting = lag, True, False
        return row


def _burst_of_unit_response(rate_hz: float) -> tuple[float, float, float]:
    """Return the peak of the drive for a response of 1 uS, its lateness, and the response's rise less that of its top.

    Means over onsets between two samples; s but for the first.
    """
    kernel = Electrodermal().design(Format(rate_hz, 1, "uS"))
    t = np.arange(int(16 * rate_hz)) / rate_hz
    found = []
    for part in np.arange(8) / 8:
        onset = 4 + part / rate_hz
        y, _ = kernel.step(kernel.start(), (5 + response(t - onset))[:, None].astype(np.float32))
        burst, top = int(np.argmax(y[:, 2])), int(np.argmax(y[:, 1]))
        found.append((float(y[burst, 2]), burst / rate_hz - onset, TOP_S - (top - burst) / rate_hz))
    peak, late, rest = np.mean(found, axis=0)
    return float(peak), float(late), float(rest)


class SkinResponsesKernel(Kernel):
    """Rows of `Electrodermal` to events, one for each response."""

    def __init__(self, stage: SkinResponses, source: Format, rate_hz: float) -> None:
        self.source, self.rate_hz = source, rate_hz
        self.output = Format(None, len(NAMES), names=NAMES, clock_hz=rate_hz)
        peak, onset, top = _burst_of_unit_response(rate_hz)
        self.gain = np.float32(1 / peak)
        self.onset = round(onset * rate_hz)  # samples from a response's onset to the peak of its burst
        self.least_us = float(np.float32(stage.threshold_us * peak))
        self.tick_s = np.float32(1 / rate_hz)
        self.rise_at_peak_s = np.float32(top)
        self.patience = round(stage.longest_s * rate_hz)
        self.latency_s = (self.onset + 2 * self.patience + 1) / rate_hz
        self.operations = 4.0

    def start(self) -> Search:
        return Search()

    def step(self, state: Search, x: Samples) -> tuple[Samples, Search]:
        search = replace(state)
        columns = (x[:, 1], x[:, 2], x[:, 2] * VALLEY, x[:, 4] > 0)
        found = [search.step(self, *row) for row in zip(*(c.tolist() for c in columns), strict=True)]
        y = np.array([row for row in found if row is not None], np.float32).reshape(-1, len(NAMES))
        y[:, 3] *= self.gain
        y[:, 4] = np.maximum(y[:, 4] * self.tick_s + self.rise_at_peak_s, np.float32(0))
        return y, search

    def gap(self, state: Search, lost: int) -> tuple[int, Search]:
        return 0, Search(n=min(state.n + lost, FARTHEST))

    def c_form(self) -> CForm:
        fields = (
            ("least", np.float32(self.least_us)),
            ("gain", self.gain),
            ("tick_s", self.tick_s),
            ("rise_at_peak_s", self.rise_at_peak_s),
            ("onset", self.onset),
            ("patience", self.patience),
        )
        return CForm("skin_responses", "pl_electrodermal.h", fields, state_words=11, has_gap=True)


@dataclass(frozen=True)
class SkinResponses(Stage):
    """One row for each skin conductance response: ("since", "valid", "lag", "amplitude", "rise").

    Takes the rows of `Electrodermal`. A response is a burst of its drive; two bursts are two if the drive falls below
    70 % of each peak between them, so that responses on the tail of others are found and measured whole.

    since: samples from the onset before, or from the start. valid: 1 if that is an interval between two responses with
    nothing lost or unusable in it. lag: samples from the onset to this row. amplitude, uS: of a response of usual shape
    (see `response`) with such a burst. rise, s: from onset to peak, to the nearest sample.

    A gap, and what is not usable, end a response under way unseen; `since` goes on counting, up to 2^24.

    Parameters
    ----------
    threshold_us
        The least amplitude. 0.05 uS is common, and 0.01 uS with a very quiet sensor (Boucsein et al., "Publication
        recommendations for electrodermal measurements", Psychophysiology 49, 2012).
    longest_s
        How long after its highest a burst, and then a rise, may last.
    """

    threshold_us: float = 0.05
    longest_s: float = 5.0

    def design(self, source: Format) -> SkinResponsesKernel:
        rate_hz = even_rate(self, source)
        check(source.names == ROW, self, f"the rows of Electrodermal, {', '.join(ROW)}", source.names or source)
        check(0.001 <= self.threshold_us <= 100, self, "a threshold from 0.001 to 100 uS", self.threshold_us)
        check(1 <= self.longest_s <= 60, self, "longest_s from 1 to 60", self.longest_s)
        return SkinResponsesKernel(self, source, rate_hz)
