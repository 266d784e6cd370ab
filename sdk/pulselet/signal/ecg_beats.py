"""The waveform around each heartbeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pulselet.signal.ecg_peaks import LONGEST, RPeaks, RPeaksKernel
from pulselet.signal.ecg_peaks import Beat as Peak
from pulselet.signal.filters import BandPass, SosKernel, group_delay_s
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, State, check, even_rate

QRS_HZ = 12.0
"""Where a QRS complex has most of its power: the filter's delay is taken there."""
CLOSEST_S = 0.15
"""Rows that wait for their last sample have room if their beats are this far apart; one that finds none is left out."""
LONG_GAP = 2**22
"""Samples lost at once after which the R peaks start anew, so that `since` stays exact in float32."""
NAMES = ("since", "valid", "lag", "amplitude")


class Beat(NamedTuple):
    """A beat whose row is not out yet."""

    place: int  # of the R peak, in samples since the start
    since: int  # from the R peak before, or from the start
    valid: bool  # that interval
    amplitude: np.float32
    ready: int  # the sample with which the row is complete


class BeatsState(NamedTuple):
    """What is kept between chunks; places are samples since the start, lost ones among them."""

    peaks: State
    filtered: State
    samples: int  # that have come or were lost
    fresh: int  # the first since the last gap
    ring: Samples  # (room,) the newest filtered samples, every `every`th, oldest first
    place: int  # of the newest R peak
    row_place: int  # of the R peak of the row before
    waiting: tuple[Beat, ...]


class BeatsKernel(Kernel):
    """R peaks, a filter and a ring of filtered samples.

    Number `j` of the ring is the filtered sample `j * every`. A row is complete when its R peak is known and the last
    of its numbers is there, whichever comes later.
    """

    def __init__(self, peaks: RPeaksKernel, band: SosKernel, every: int, before: int, after: int) -> None:
        rate_hz = peaks.source.rate_hz
        assert rate_hz is not None
        self.peaks, self.band, self.every, self.before, self.after = peaks, band, every, before, after
        self.points = before + 1 + after
        self.delay = round(group_delay_s(band.sos.astype(np.float64), QRS_HZ, rate_hz) * rate_hz)
        reach = (after + 1) * every + self.delay  # samples from an R peak to its row's last, at most
        latest = max(int(np.ceil(peaks.latency_s * rate_hz)), reach)
        self.room = before + latest // every + 2
        self.queue = int(reach / (CLOSEST_S * rate_hz)) + 1 + peaks.c_form().rows
        self.source = peaks.source
        names = (*NAMES, *(f"w{i}" for i in range(self.points)))
        self.output = Format(None, len(names), names=names, clock_hz=rate_hz)
        self.latency_s = latest / rate_hz
        self.operations = peaks.operations + band.operations

    def start(self) -> BeatsState:
        return BeatsState(self.peaks.start(), self.band.start(), 0, 0, np.zeros(self.room, np.float32), 0, 0, ())

    def step(self, state: BeatsState, x: Samples) -> tuple[Samples, BeatsState]:
        if len(x) == 0:
            return np.empty((0, self.output.width), np.float32), state
        events, peaks = self.peaks.beats(state.peaks, x[:, 0])
        filtered, band = self.band.step(state.filtered, x)
        after = state.samples + len(x)
        ring = np.concatenate([state.ring, filtered[-state.samples % self.every :: self.every, 0]])
        first = (after - 1) // self.every + 1 - len(ring)  # the number of ring[0]
        place, ready, waiting = self._queued(state, events, after)
        rows, row_place = self._rows(state, ready, ring, first)
        kept = ring[len(ring) - self.room :].copy()
        return rows, BeatsState(peaks, band, after, state.fresh, kept, place, row_place, waiting)

    def _queued(self, state: BeatsState, events: list[Peak], after: int) -> tuple[int, list[Beat], tuple[Beat, ...]]:
        """Return the newest R peak, the beats whose rows are complete, and those that still wait."""
        ready: list[Beat] = []
        waiting, place = list(state.waiting), state.place
        for peak in events:
            place += peak.since  # as an integer: the float32 of a row is not exact after a long pause
            known = place + peak.lag
            while waiting and waiting[0].ready < known:
                ready.append(waiting.pop(0))
            if len(waiting) < self.queue:
                complete = (self._centre(place) + self.after) * self.every
                amplitude = np.float32(peak.amplitude)
                waiting.append(Beat(place, peak.since, peak.valid, amplitude, max(known, complete)))
        while waiting and waiting[0].ready < after:
            ready.append(waiting.pop(0))
        return place, ready, tuple(waiting)

    def _centre(self, place: int) -> int:
        """Return the number in the ring where an R peak is."""
        return (place + self.delay + self.every // 2) // self.every

    def _rows(self, state: BeatsState, ready: list[Beat], ring: Samples, first: int) -> tuple[Samples, int]:
        """Return the rows of the beats whose samples are all in the ring, and the R peak of the last."""
        row_place, heads, begins = state.row_place, [], []
        fresh = -(-state.fresh // self.every)
        for beat in ready:
            newest, begin = beat.ready // self.every, self._centre(beat.place) - self.before
            if begin < fresh or begin <= newest - self.room:
                continue
            valid = beat.valid and beat.place - beat.since == row_place
            heads.append((min(beat.place - row_place, LONGEST), valid, beat.ready - beat.place, beat.amplitude))
            begins.append(begin - first)
            row_place = beat.place
        rows = np.empty((len(heads), self.output.width), np.float32)
        if heads:
            rows[:, :4] = heads
            rows[:, 4:] = ring[np.array(begins)[:, None] + np.arange(self.points)]
        return rows, row_place

    def gap(self, state: BeatsState, lost: int) -> tuple[int, BeatsState]:
        samples = state.samples + lost
        place = state.place
        if lost >= LONG_GAP:
            peaks, place = self.peaks.start(), samples
        else:
            _, peaks = self.peaks.gap(state.peaks, lost)
        ring = np.zeros(self.room, np.float32)
        return 0, BeatsState(peaks, self.band.start(), samples, samples, ring, place, state.row_place, ())

    def c_form(self) -> CForm:
        peaks, band = self.peaks.c_form(), self.band.c_form()
        fields = (
            ("peaks", peaks),
            ("band", band),
            ("peaks_words", peaks.state_words),
            ("band_words", band.state_words),
            ("every", self.every),
            ("before", self.before),
            ("after", self.after),
            ("delay", self.delay),
            ("room", self.room),
            ("queue", self.queue),
            ("peaks_rows", peaks.rows),
        )
        words = 8 + 5 * self.queue + self.room + 4 * peaks.rows + peaks.state_words + band.state_words
        return CForm("beats", "pl_ecg_beats.h", fields, state_words=words, rows=peaks.rows + 1, has_gap=True)


@dataclass(frozen=True)
class Beats(Stage):
    """One row for each heartbeat of an ECG: ("since", "valid", "lag", "amplitude", "w0", "w1", ...).

    The first four are those of `RPeaks`, which is inside: samples from the R peak of the row before (or from the
    start), whether that is an interval between neighbouring beats with no gap between them, samples from this R peak to
    this row, and the height of the QRS complex. The waveform follows: every `every`th sample of the ECG between
    `low_hz` and `high_hz` (Butterworth, order 2), in its unit, oldest first, from `before_s` before the R peak to
    `after_s` after it. `Columns` takes the waveform out for a net.

    A row goes out as soon as its R peak is known and its last sample is there; if the next beat comes within `after_s`,
    both have it in their waveforms. A beat whose waveform a gap, or the start, cuts off has no row, and the next row is
    not valid. `since` goes on over gaps.
    """

    before_s: float
    after_s: float
    low_hz: float = 0.5
    high_hz: float = 40.0
    every: int = 1

    def design(self, source: Format) -> BeatsKernel:
        rate_hz = even_rate(self, source)
        check(1 <= self.every <= 32, self, "every from 1 to 32", self.every)
        wanted = f"high_hz below {rate_hz / self.every / 2:g} Hz, half the rate of the waveform"
        check(self.high_hz < rate_hz / self.every / 2, self, wanted, self.high_hz)
        for name, value in (("before_s", self.before_s), ("after_s", self.after_s)):
            check(0 < value <= 2, self, f"{name} above 0 and up to 2", value)
        peaks, band = RPeaks().design(source), BandPass(self.low_hz, self.high_hz).design(source)
        before, after = (round(value * rate_hz / self.every) for value in (self.before_s, self.after_s))
        return BeatsKernel(peaks, band, self.every, before, after)


class ColumnsKernel(Kernel):
    """Some columns of each row; no state."""

    def __init__(self, first: int, count: int, source: Format) -> None:
        self.first, self.count = first, count
        self.source = source
        self.output = source.but(channels=count, names=source.names[first : first + count])
        self.operations = count

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        return x[:, self.first : self.first + self.count].copy(), None

    def c_form(self) -> CForm:
        return CForm("columns", "pl_ecg_beats.h", (("first", self.first), ("count", self.count)), state_words=0)


@dataclass(frozen=True)
class Columns(Stage):
    """Columns `first` to `first + count - 1` of each row, such as the waveform of `Beats` for a net.

    Events without their column `since` can no longer be placed in time by what follows.
    """

    first: int
    count: int

    def design(self, source: Format) -> ColumnsKernel:
        check(source.length == 1, self, "rows without length", source)
        inside = self.first >= 0 and self.count >= 1 and self.first + self.count <= source.channels
        check(inside, self, f"columns within {source.channels}", f"first {self.first}, count {self.count}")
        return ColumnsKernel(self.first, self.count, source)
