"""How a recording lies in a file of samples on even grids: what EDF and WFDB have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from pulselet.errors import RecordingError
from pulselet.stream.block import Signal
from pulselet.stream.convert.marks import (
    LABEL,
    PAD,
    Mark,
    compose,
    event_mark,
    event_marks,
    gap_mark,
    sample_label_mark,
)
from pulselet.stream.convert.report import Options
from pulselet.stream.convert.timeline import Survey, started, steady, survey
from pulselet.stream.recording import Recording

FINEST_RATE = 1000  # largest denominator of a rate that is written, in Hz


@dataclass(frozen=True)
class Track:
    """A signal with a rate: what there is to know, its rate as written, and what stands before its first sample."""

    survey: Survey
    rate_hz: Fraction
    pad: int

    @property
    def signal(self) -> Signal:
        """What the samples are."""
        return self.survey.signal

    @property
    def end(self) -> int:
        """Position one past the last sample, or lost sample."""
        return self.pad + self.survey.length

    def position(self, index: int) -> int:
        """Return where on the grid a sample of the signal is."""
        return self.pad + index - self.survey.first


@dataclass(frozen=True)
class Layout:
    """What goes into the file, and what does not.

    Attributes
    ----------
    start
        Wall clock of position 0 of every grid, in UTC.
    tracks, loose
        Signals with a rate, and signals without.
    host_ns
        Host monotonic clock of position 0.
    """

    start: datetime
    host_ns: int
    tracks: tuple[Track, ...]
    loose: tuple[Survey, ...]
    notes: tuple[str, ...]


def lay_out(recording: Recording, options: Options) -> Layout:
    """Return the layout of a recording.

    Raises
    ------
    RecordingError
        If a signal is asked for that is not there, or there is no sample of a signal with a rate.
    """
    wall, host_ns = started(recording)
    surveys = [survey(recording, signal) for signal in selected(recording, options)]
    empty = [one.signal.name for one in surveys if not one.samples]
    full = [one for one in surveys if one.samples]
    rated = [one for one in full if one.signal.rate_hz]
    if not rated:
        raise RecordingError(f"{recording.path} has no samples of a signal with a rate; its signals: {_names(surveys)}")
    notes = [f"{name} has no samples and is left out" for name in empty]
    begins = {one.signal.name: max(0, one.begins_ns or 0) for one in full}
    notes += [
        f"{one.signal.name}: it arrived before the recording started; it is put at the start"
        for one in full
        if (one.begins_ns or 0) < 0
    ]
    begins_us = min(begins.values()) // 1000
    tracks = tuple(_track(one, begins[one.signal.name] - begins_us * 1000) for one in rated)
    notes += list(_shifts(tracks, begins, begins_us * 1000)) + list(_losses(recording, full))
    loose = tuple(one for one in full if not one.signal.rate_hz)
    return Layout(wall + timedelta(microseconds=begins_us), host_ns + begins_us * 1000, tracks, loose, tuple(notes))


def selected(recording: Recording, options: Options) -> list[Signal]:
    """Return the signals to write: all, or those that were asked for.

    Raises
    ------
    RecordingError
        If one is not there, or there are none.
    """
    found = [recording.signal(name) for name in dict.fromkeys(options.signals or recording.signals)]
    if not found:
        raise RecordingError(f"{recording.path} holds no signal: there is nothing to convert")
    return found


def marks_of(recording: Recording, layout: Layout) -> Iterator[Mark]:
    """Yield everything of the recording that is written as a text, in no order."""
    for track in layout.tracks:
        if track.pad:
            yield pad_mark(track, 0, track.pad)
        for gap in track.survey.gaps:
            yield gap_mark(gap, track.position(gap.first), track.rate_hz)
    for one in layout.loose:
        at_ns = layout.host_ns
        for item in steady(recording, one.signal.name):
            at_ns = getattr(item, "arrival_ns", at_ns)
            yield from event_marks(item, Fraction(at_ns - layout.host_ns, 10**9))
    for event in recording.events():
        yield event_mark(event, Fraction(event.at_ns - layout.host_ns, 10**9))
    yield from _labels(recording, layout)


def pad_mark(track: Track, position: int, count: int) -> Mark:
    """Return the mark of `count` places that hold no sample and stand for none."""
    return Mark(Fraction(position) / track.rate_hz, count / track.rate_hz, compose(PAD), track.signal.name)


def _labels(recording: Recording, layout: Layout) -> Iterator[Mark]:
    tracks = {track.signal.name: track for track in layout.tracks}
    loose = {one.signal.name for one in layout.loose}
    for label in recording.intervals():
        if label.signal in loose:
            yield sample_label_mark(label)
        elif track := tracks.get(label.signal):
            at_s = track.position(label.first) / track.rate_hz
            yield Mark(at_s, (label.end - label.first) / track.rate_hz, compose(LABEL, label.label), label.signal)


def carried_labels(recording: Recording, layout: Layout) -> tuple[int, tuple[str, ...]]:
    """Return how many labels are written, and what there is to say of those that are not."""
    there = {track.signal.name for track in layout.tracks} | {one.signal.name for one in layout.loose}
    everything = recording.intervals()
    count = sum(label.signal in there for label in everything)
    left = len(everything) - count
    return count, (f"{left} labels of signals that are not written are left out",) if left else ()


def _track(one: Survey, behind_ns: int) -> Track:
    assert one.signal.rate_hz is not None  # only signals with a rate have a track
    rate_hz = Fraction(one.signal.rate_hz).limit_denominator(FINEST_RATE)
    if not rate_hz:
        raise RecordingError(f"{one.signal.name!r}: a rate of {one.signal.rate_hz} Hz is too low for this format")
    return Track(one, rate_hz, round(behind_ns * rate_hz / 10**9))


def _shifts(tracks: Iterable[Track], begins: dict[str, int], zero_ns: int) -> Iterator[str]:
    """Say what the grid does to times."""
    for track in tracks:
        name, rate_hz = track.signal.name, track.signal.rate_hz or 0.0
        moved_ms = float(track.pad / track.rate_hz) * 1e3 - (begins[name] - zero_ns) / 1e6
        if abs(moved_ms) > 0.001:
            yield f"{name} is moved by {moved_ms:+.3f} ms, less than a sample, so that it falls on the file's grid"
        if abs(float(track.rate_hz) / rate_hz - 1) > 1e-12:
            yield f"{name}: {rate_hz} Hz is written as {float(track.rate_hz)} Hz"


def _losses(recording: Recording, surveys: Iterable[Survey]) -> Iterator[str]:
    """Say what such a file has no room for."""
    for one in surveys:
        name = one.signal.name
        if one.signal.rate_hz and (unknown := sum(gap.lost is None for gap in one.gaps)):
            yield f"{name}: {unknown} gaps of unknown size take no time; what follows stands too early"
        if bad := sum(span.bad for span in one.spans) if one.signal.rate_hz else 0:
            yield f"{name}: {bad} values are NaN or infinite; they are written as missing"
        if one.first:
            yield f"{name} begins at sample {one.first}; read back, it is counted from 0"
    if any(one.signal.clock_hz for one in surveys):
        yield "device ticks are not carried"
    yield "arrival times of blocks are not carried: time is position / rate"
    if next(recording.packets(), None) is not None:
        yield "raw packets are not carried"
    if recording.sessions():
        yield "what the devices said of themselves (sessions) is not carried"


def _names(surveys: Iterable[Survey]) -> str:
    return ", ".join(one.signal.name for one in surveys) or "none"
