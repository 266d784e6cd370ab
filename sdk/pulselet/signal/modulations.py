"""What breathing modulates in an ECG or a PPG, at an even rate: baseline, and shape and interval of the beats."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.filters import SosKernel
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, State, check, even_rate

F = np.float32
ZERO = F(0)
SHAPES = {"ecg": "amplitude", "ppg": "rise"}
SLOW_HZ = 0.7  # of each of three sections: what is left of a beat at 4 Hz, which would look like breathing, is small
DELAY_S = 3.0  # until the beat after a moment is known: an interval, and the detector's own lag
LONGEST_S = 3.0  # a longer interval joins nothing
CLIP = F(2**24)  # samples: float32 counts no further


@dataclass(frozen=True)
class _Beat:
    """The last beat: what came with it, and its interval if one was ever known."""

    at: int = 0  # its sample, relative to the next one; first, where the signal began
    foot: np.float32 = ZERO  # samples from its foot to its peak
    shape: np.float32 = ZERO  # amplitude or rise time
    interval: np.float32 = ZERO
    known: bool = False


@dataclass(frozen=True)
class _State:
    phase: int  # how far the next row is from its moment, in units of 1 / step samples
    rows: Samples  # that wait (waiting, 4)
    filled: NDArray[np.bool_]
    last: Samples  # shape and interval of the row before
    beat: _Beat
    level: np.float32 | None  # the last of the slow filter; None before the first sample
    lost: int  # samples, since the last one
    slow: State
    beats: State


class ModulationsKernel(Kernel):
    """Rows every `slot / step` samples, `step` and `slot` whole numbers; the grid holds for ever.

    The detector must hold a gap: keep counting, and give no row of its own for it.
    """

    def __init__(self, beats: Kernel, kind: str, rows_hz: float, source: Format, rate_hz: float) -> None:
        from scipy.signal import butter

        ratio = (Fraction(rows_hz) / Fraction(rate_hz)).limit_denominator(20_000)
        self.step_, self.slot = ratio.numerator, ratio.denominator
        self.beats, self.kind = beats, kind
        one = butter(1, SLOW_HZ, fs=rate_hz, output="sos")
        self.slow = SosKernel(np.concatenate([one, one, one]), source)  # first order each: float32 is fine enough
        self.delay = math.ceil(DELAY_S * rows_hz)
        self.longest = math.floor(LONGEST_S * rate_hz)
        self.period = F(1 / rate_hz)
        self.source = source
        self.foot = beats.output.names.index("foot") if kind == "ppg" else 0
        self.output = Format(rows_hz, 4, names=("baseline", SHAPES[kind], "interval", "covered"))
        self.latency_s = self.delay / rows_hz
        self.operations = beats.operations + self.slow.operations + 10 * rows_hz / rate_hz

    def start(self) -> _State:
        return self._anew(0)

    def _anew(self, phase: int) -> _State:
        rows, still = np.empty((0, 4), np.float32), np.zeros(2, np.float32)
        return _State(phase, rows, np.empty(0, bool), still, _Beat(), None, 0, self.slow.start(), self.beats.start())

    def step(self, state: _State, x: Samples) -> tuple[Samples, _State]:
        if len(x) == 0:
            return np.empty((0, 4), np.float32), state
        found, beats = self.beats.step(state.beats, x)
        baseline, slow = self.slow.step(state.slow, x)
        slots, phase = divmod(state.phase + len(x) * self.step_, self.slot)
        # after how many samples of x each is complete, and when, in units of 1 / step samples
        ends = -((state.phase - self.slot * np.arange(1, slots + 1)) // self.step_)
        waiting = len(state.rows)
        times = self.slot * np.arange(1 - waiting, slots + 1) - state.phase
        new = np.zeros((slots, 4), np.float32)
        new[:, 0] = baseline[ends - 1, 0]
        rows = np.concatenate([state.rows, new])
        filled = np.concatenate([state.filled, np.zeros(slots, bool)])
        complete = np.concatenate([np.zeros(waiting, np.int64), ends])
        beat = self._fill(rows, filled, times, complete, state.beat, found)
        give = max(0, len(rows) - self.delay)
        last = self._hold(rows[:give], filled[:give], state.last)
        beat = replace(beat, at=beat.at - len(x))
        kept, level = slice(give, None), baseline[-1, 0]
        return rows[:give], _State(phase, rows[kept].copy(), filled[kept].copy(), last, beat, level, 0, slow, beats)

    def _fill(
        self,
        rows: Samples,
        filled: NDArray[np.bool_],
        times: NDArray[np.int64],
        complete: NDArray[np.int64],
        last: _Beat,
        found: Samples,
    ) -> _Beat:
        """Write what each beat says into the rows before it that still wait when it is reported."""
        clipped = np.minimum(np.maximum(found[:, :3], F(0)), CLIP)
        feet = found[:, self.foot] if self.foot else np.zeros(len(found), np.float32)
        shapes = feet * self.period if self.foot else found[:, 3]
        for event, foot, shape in zip(clipped.tolist(), feet, shapes, strict=True):
            since, lag = int(event[0]), int(event[2])
            at = last.at + since
            valid = event[1] > 0.5 and 0 < since <= self.longest
            interval = ((F(since) + last.foot) - foot) * self.period if valid else last.interval
            beat = _Beat(at, foot, shape, interval, valid or last.known)
            # rows that had gone out before the sample with which it is reported, and slots complete with that sample
            gone, known = np.searchsorted(complete, (at + lag, at + lag + 1), side="right").tolist()
            low = max(0, gone - self.delay) if at + lag > 0 else 0
            high = int(np.searchsorted(times[low:known], (at + 1) * self.step_, side="right")) + low
            self._join(rows[low:high], filled[low:high], times[low:high], last, beat, valid)
            last = beat
        return last

    def _join(
        self,
        rows: Samples,
        filled: NDArray[np.bool_],
        times: NDArray[np.int64],
        last: _Beat,
        beat: _Beat,
        valid: bool,
    ) -> None:
        """Fill rows up to a beat: on the way from the last one, or, if they are not joined, with what it says."""
        now = (beat.at + 1) * self.step_
        between = times > (last.at + 1) * self.step_
        if valid and last.known:
            part = (now - times[between]).astype(np.float32) / F((beat.at - last.at) * self.step_)
            rows[between, 1] = beat.shape + (last.shape - beat.shape) * part
            rows[between, 2] = beat.interval + (last.interval - beat.interval) * part
            rows[between, 3] = 1
            filled[between] = True
        elif beat.known:
            empty = ~filled
            rows[empty, 1], rows[empty, 2] = beat.shape, beat.interval
            rows[empty, 3] = between[empty] & valid
            filled[empty] = True

    def _hold(self, rows: Samples, filled: NDArray[np.bool_], last: Samples) -> Samples:
        """Give rows that nothing was said about what the row before them has."""
        if len(rows) == 0:
            return last
        source = np.maximum.accumulate(np.where(filled, np.arange(len(rows)), -1))
        held: Samples = np.concatenate([rows[:, 1:3], last[None]])[source]
        rows[:, 1:3] = held
        end: Samples = held[-1].copy()
        return end

    def gap(self, state: _State, lost: int) -> tuple[int, _State]:
        slots, phase = divmod(state.phase + lost * self.step_, self.slot)
        if state.level is None or state.lost + lost > self.longest:
            return len(state.rows) + slots, self._anew(phase)
        new = np.zeros((slots, 4), np.float32)
        new[:, 0] = state.level
        _, beats = self.beats.gap(state.beats, lost)
        return 0, replace(
            state,
            phase=phase,
            rows=np.concatenate([state.rows, new]),
            filled=np.concatenate([state.filled, np.zeros(slots, bool)]),
            beat=replace(state.beat, at=state.beat.at - lost),
            lost=state.lost + lost,
            beats=beats,
        )

    def c_form(self) -> CForm:
        beats, slow = self.beats.c_form(), self.slow.c_form()
        held = self.longest * self.step_ // self.slot + 1  # rows that a gap may hold
        words = 11 + 4 * (self.delay + 1 + held) + slow.state_words + beats.state_words
        fields = (
            ("step", self.step_),
            ("slot", self.slot),
            ("delay", self.delay),
            ("ring", self.delay + 1 + held),
            ("longest", self.longest),
            ("foot", self.foot),
            ("slow_words", slow.state_words),
            ("words", words),
            ("period", self.period),
            ("slow", slow),
            ("beats", beats),
        )
        kind = f"{self.kind}_modulations"
        return CForm(kind, f"pl_{kind}.h", fields, state_words=words, rows=1 + held, has_gap=True)


@dataclass(frozen=True)
class RespiratoryModulations(Stage):
    """What breathing modulates in an ECG or a PPG, as even series at `rows_hz`; for `Window` and `BreathingRate`.

    Rows `(baseline, amplitude, interval, covered)` of an ECG, `(baseline, rise, interval, covered)` of a PPG: the
    signal below 0.4 Hz in its unit; height of the QRS in that unit, or time from the foot of a pulse to its peak in s;
    time between beats in s, of pulses from foot to foot; and 1 where the row lies between two beats that follow one
    another within 3 s, else 0. Between beats there is a straight line, beyond them what was last is held. Charlton et
    al., Physiological Measurement 37, 2016, compare such series. Of pulses, the rise time showed breathing better than
    the height (Lázaro et al., Medical and Biological Engineering and Computing 51, 2013, use the width).

    A row goes out 3 s after its moment, so that the beat after it is known. A gap of up to 3 s is bridged: its rows,
    not covered, come with the next sample. A longer one starts the stage anew, and the 3 s before it are lost too.
    The grid of rows holds.

    Parameters
    ----------
    kind
        "ecg", beats found by `RPeaks`, or "ppg", by `Pulses`.
    """

    kind: str
    rows_hz: float = 4.0

    def design(self, source: Format) -> ModulationsKernel:
        check(self.kind in ("ecg", "ppg"), self, "kind 'ecg' or 'ppg'", repr(self.kind))
        rate_hz = even_rate(self, source)
        check(1 <= self.rows_hz <= rate_hz / 8, self, f"from 1 to {rate_hz / 8:g} rows/s", self.rows_hz)
        return ModulationsKernel(_beats(self.kind).design(source), self.kind, self.rows_hz, source, rate_hz)


def _beats(kind: str) -> Stage:
    if kind == "ecg":
        from pulselet.signal.ecg_peaks import RPeaks

        return RPeaks()
    from pulselet.signal.ppg_pulses import Pulses

    return Pulses()
