"""Writes a recording as EDF+ (16 bits) or BDF+ (24 bits).

Each channel of a signal with a rate becomes an EDF signal. The file is continuous (EDF+C): where samples are missing it
holds the lowest digital value, which no sample has, and an annotation `[gap] reason@@label` lies over the stretch. With
`discontinuous` (EDF+D) the records in which no signal has a sample are left out; few readers take such files, and some
join the pieces without a word. Labels, samples of signals without a rate, and events become annotations; the suffix
`@@label`, which ties one to a signal, is that of EDF+ (standard texts, 3.3). The file's clock is UTC.

Only a few data records are held at once, but all annotations.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import RecordingError
from pulselet.stream.convert.ascii_text import Shortened, to_ascii
from pulselet.stream.convert.edf_file import BDF_BYTES, EDF_BYTES, NAMES, Channel, Header, edf_date, samples_to_bytes
from pulselet.stream.convert.edf_scale import Scale, fit
from pulselet.stream.convert.edf_slots import Slots
from pulselet.stream.convert.layout import Layout, Track, carried_labels, lay_out, marks_of, pad_mark
from pulselet.stream.convert.report import Carried, Options, Written
from pulselet.stream.convert.timeline import Grid
from pulselet.stream.recording import Recording

RECORDS = 16  # written at once
LONGEST_RECORD_S = 3600
MOST_BYTES = 10_000_000  # of a data record; EDFlib takes no longer ones
WRITER = "Pulselet"  # the equipment in the identification of the recording
WIDTHS = {".edf": EDF_BYTES, ".bdf": BDF_BYTES}
KNOWN_META = {"subject", "started", "started_ns"}


@dataclass(frozen=True)
class _Column:
    """A track, and for each of its channels the scale and the EDF signal."""

    track: Track
    scales: tuple[Scale, ...]
    channels: tuple[Channel, ...]

    @property
    def per_record(self) -> int:
        return self.channels[0].per_record


def write(recording: Recording, path: Path, options: Options) -> Written:
    """Write a recording to an EDF+ or BDF+ file, by the suffix of `path`, and return what was carried.

    Raises
    ------
    RecordingError
        If EDF cannot hold it: no common length of a record, or a range that needs more than eight characters.
    """
    width = WIDTHS[path.suffix.lower()]
    layout = lay_out(recording, options)
    record_s = _record_s(layout, width)
    changes: list[str] = []
    columns = _columns(layout, record_s, width, changes)
    count = max(math.ceil(column.track.end / column.per_record) for column in columns)
    records = _kept(columns, count, options.discontinuous)
    first_s = Fraction(layout.start.microsecond, 10**6)
    slots = Slots(records, record_s, _annotations(recording, layout, columns, count), first_s, width)
    header = Header(
        width=width,
        start=layout.start.replace(microsecond=0, tzinfo=None),
        kind=f"{NAMES[width]}+{'D' if options.discontinuous else 'C'}",
        patient=_patient(recording),
        recording=f"Startdate {edf_date(layout.start.date())} X X {WRITER}",
        records=len(records),
        record_s=Fraction(record_s),
        channels=(*(channel for column in columns for channel in column.channels), slots.channel),
    )
    with path.open("wb") as file:
        file.write(bytes(header))
        for chunk in _data(recording, columns, records, slots, width):
            file.write(chunk)
    labels, left = carried_labels(recording, layout)
    notes = *layout.notes, *changes, *left, *_meta_notes(recording), "EDF states no time zone: its times are UTC"
    loose = tuple(Carried(one.signal.name, one.samples, len(one.gaps), one.lost) for one in layout.loose)
    return Written(tuple(map(_carried, columns)) + loose, labels, notes)


def _record_s(layout: Layout, width: int) -> int:
    """Return the length of a data record in s: whole, and with whole samples of every signal."""
    record_s = math.lcm(*(track.rate_hz.denominator for track in layout.tracks))
    size = width * sum(int(track.rate_hz * record_s) * len(track.signal.channels) for track in layout.tracks)
    if record_s > LONGEST_RECORD_S or size > MOST_BYTES:
        rates = ", ".join(f"{track.signal.name} {track.signal.rate_hz} Hz" for track in layout.tracks)
        raise RecordingError(
            f"a data record of EDF holds whole samples of every signal; with {rates} it would be {record_s} s and "
            f"{size} bytes long: write fewer signals into one file, or another format"
        )
    return record_s


def _columns(layout: Layout, record_s: int, width: int, changes: list[str]) -> list[_Column]:
    """Return the columns, and write down in `changes` which names EDF has no room for."""
    named, unit = Shortened(16, "the label"), Shortened(8, "the unit")
    labels = iter(named.unique([_label(track, name) for track in layout.tracks for name in track.signal.channels]))
    columns = []
    for track in layout.tracks:
        signal = track.signal
        scales = tuple(
            fit(f"{signal.name} {channel}", span, 8 * width)
            for channel, span in zip(signal.channels, track.survey.spans, strict=True)
        )
        channels = tuple(
            Channel(
                *(next(labels), unit(signal.unit), scale.low, scale.high, scale.digital_low, scale.digital_high),
                *(int(track.rate_hz * record_s), _identity(track, channel)),
            )
            for channel, scale in zip(signal.channels, scales, strict=True)
        )
        columns.append(_Column(track, scales, channels))
        if not all(channel.transducer for channel in channels):
            changes.append(f"{signal.name}: its names are too long for EDF; it is read back as separate channels")
    changes += named.notes + unit.notes
    return columns


def _label(track: Track, channel: str) -> str:
    name = track.signal.name
    return name if len(track.signal.channels) == 1 else f"{name} {channel}"


def _identity(track: Track, channel: str) -> str:
    """Return what makes it possible to put the signal together again; it stands in the field for the transducer."""
    signal = track.signal
    text = json.dumps([signal.name, channel, signal.unit, int(signal.loss_detectable)], separators=(",", ":"))
    return text if len(text) <= 80 else ""


def _kept(columns: list[_Column], count: int, discontinuous: bool) -> Sequence[int]:
    """Return the records that are written: all, or those in which a signal has a sample."""
    if not discontinuous:
        return range(count)
    keep = np.zeros(count, bool)
    for column in columns:
        for begin, end in _present(column.track):
            keep[begin // column.per_record : -(-end // column.per_record)] = True
    return [int(record) for record in np.flatnonzero(keep)]


def _present(track: Track) -> Iterator[tuple[int, int]]:
    """Yield the stretches of the grid that hold samples."""
    begin = track.pad
    for gap in track.survey.gaps:
        yield begin, track.position(gap.first)
        begin = track.position(gap.end)
    yield begin, track.end


def _annotations(
    recording: Recording, layout: Layout, columns: list[_Column], count: int
) -> list[tuple[Fraction, Fraction, str]]:
    """Return onset in s since the start of the file, length in s, and text of all annotations, in order of time."""
    labels = {column.track.signal.name: column.channels[0].label for column in columns}
    marks = list(marks_of(recording, layout))
    for column in columns:
        if spare := count * column.per_record - column.track.end:
            marks.append(pad_mark(column.track, column.track.end, spare))
    marks.sort(key=lambda mark: mark.at_s)
    return [
        (mark.at_s, mark.length_s, f"{mark.text}@@{labels[mark.signal]}" if mark.signal else mark.text)
        for mark in marks
    ]


def _data(
    recording: Recording, columns: list[_Column], records: Sequence[int], slots: Slots, width: int
) -> Iterator[bytes]:
    """Yield the data records, a few at once."""
    with ExitStack() as opened:
        grids = [
            opened.enter_context(closing(Grid(recording, column.track.signal, column.track.pad))) for column in columns
        ]
        at = done = 0
        for first, size in _runs(records):
            parts: list[NDArray[np.uint8]] = []
            for grid, column in zip(grids, columns, strict=True):
                grid.skip((first - at) * column.per_record)
                rows = grid.take(size * column.per_record).reshape(size, column.per_record, -1)
                for number, channel in enumerate(column.channels):
                    parts.append(samples_to_bytes(_digital(rows[:, :, number], channel), width))
            parts.append(slots.rows(done, size))
            yield np.concatenate(parts, axis=1).tobytes()
            at, done = first + size, done + size


def _runs(records: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield number of the first, and count, of consecutive records, a few at once."""
    begin = 0
    for place in range(1, len(records) + 1):
        if place == len(records) or place - begin == RECORDS or records[place] != records[place - 1] + 1:
            yield records[begin], place - begin
            begin = place


def _digital(values: NDArray[np.float32], channel: Channel) -> NDArray[np.int32]:
    """Return digital values; what is not finite gets the lowest."""
    scaled = np.rint((values.astype(np.float64) - channel.offset) / channel.gain)
    inside = np.clip(scaled, channel.digital_low + 1, channel.digital_high)
    return np.where(np.isfinite(scaled), inside, channel.digital_low).astype(np.int32)


def _patient(recording: Recording) -> str:
    return f"{_code(recording.meta.get('subject', '')) or 'X'} X X X"


def _code(subject: str) -> str:
    return to_ascii(subject).strip().replace(" ", "_")[:60]


def _meta_notes(recording: Recording) -> Iterator[str]:
    subject = recording.meta.get("subject", "")
    if _code(subject) != subject:
        yield f"the subject {subject!r} is written as {_code(subject)!r}"
    if left := sorted(recording.meta.keys() - KNOWN_META):
        yield f"facts about the recording are not carried: {', '.join(left)}"


def _carried(column: _Column) -> Carried:
    survey = column.track.survey
    steps = tuple(scale.step for scale in column.scales)
    exact = all(scale.exact for scale in column.scales)
    return Carried(survey.signal.name, survey.samples, len(survey.gaps), survey.lost, steps, exact)
