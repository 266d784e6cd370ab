"""Writes a recording as a WFDB record: `.hea`, one `.dat` for each signal, and `.atr` for everything that is a text.

Signals of different rates stand in one record as samples per frame. A missing sample has the lowest value of its
format, which WFDB reads as invalid, and `.atr` holds `[gap] reason [+n]`: n samples of the signal whose channel it
names. An annotation of WFDB has no length, so that a label on n samples ends with `[+n]`, too. The header's comments
say what the signals are, so that the record can be read back. Times are in UTC.

Header and annotations are written by the package wfdb. Its `wrsamp` wants all samples at once; the `.dat` files are
written here, piece by piece. https://www.physionet.org/physiotools/wag
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import RecordingError
from pulselet.stream.convert.ascii_text import to_ascii
from pulselet.stream.convert.edf_file import samples_to_bytes
from pulselet.stream.convert.layout import Layout, Track, carried_labels, lay_out, marks_of, pad_mark
from pulselet.stream.convert.marks import Mark
from pulselet.stream.convert.report import Carried, Options, Written
from pulselet.stream.convert.timeline import ROWS, Grid
from pulselet.stream.convert.wfdb_library import guarded, library
from pulselet.stream.convert.wfdb_scale import Scale, fit, narrowest
from pulselet.stream.recording import Recording

LONGEST_FRAME_S = 3600
AUX_BYTES = 255
COMMENT = 250  # characters; the WFDB library reads lines of 255
NOTE = '"'  # the symbol of an annotation that is a comment
MEASURE = "="  # another symbol of an annotation with a text: wfdb takes every comment at 0 for one on the file itself
MADE_BY = "pulselet 1"
KNOWN_META = {"started", "started_ns"}
COUNT = re.compile(r"(.*) \[\+(\d+)\]", re.DOTALL)  # a text, and on how many samples
UTC = "WFDB states no time zone: its times are UTC"


@dataclass(frozen=True)
class _File:
    """A `.dat` file: a track, how many samples of it a frame holds, and how its values become integers."""

    track: Track
    name: str
    bits: int
    per_frame: int
    scales: tuple[Scale, ...]


def write(recording: Recording, path: Path, options: Options) -> Written:
    """Write a recording to the WFDB record whose header is `path`, and return what was carried.

    Raises
    ------
    RecordingError
        If the name is none for a record, or the rates have no common frame.
    MissingExtraError
        If the package wfdb is not installed.
    """
    wfdb = library()
    if not re.fullmatch(r"[A-Za-z0-9_-]+", path.stem):
        raise RecordingError(f"a WFDB record is named with letters, digits, _ and - only: {path.stem!r} has others")
    layout = lay_out(recording, options)
    frame_hz = _frame_hz(layout)
    files = _files(layout, path.stem, frame_hz, options.bits)
    frames = max(math.ceil(file.track.end / file.per_frame) for file in files)
    sums = [_write_dat(recording, file, path.with_name(file.name), frames) for file in files]
    notes: list[str] = []
    with guarded(path):
        _write_header(wfdb, recording, layout, path, files, (frame_hz, frames), sums, notes)
        _write_annotations(wfdb, _marks(recording, layout, files, frames), path, files, frame_hz, notes)
    labels, left = carried_labels(recording, layout)
    loose = tuple(Carried(one.signal.name, one.samples, len(one.gaps), one.lost) for one in layout.loose)
    return Written(tuple(map(_carried, files)) + loose, labels, (*layout.notes, *notes, *left, UTC))


def _frame_hz(layout: Layout) -> Fraction:
    """Return the rate of frames: the largest of which all rates are whole multiples."""
    rates = [track.rate_hz for track in layout.tracks]
    below = math.lcm(*(rate.denominator for rate in rates))
    frame_hz = Fraction(math.gcd(*(int(rate * below) for rate in rates)), below)
    if frame_hz * LONGEST_FRAME_S < 1:
        said = ", ".join(f"{track.signal.name} {track.signal.rate_hz} Hz" for track in layout.tracks)
        raise RecordingError(
            f"a frame of WFDB holds whole samples of every signal; with {said} it would be {1 / frame_hz} s long: "
            "write fewer signals into one record, or another format"
        )
    return frame_hz


def _files(layout: Layout, record: str, frame_hz: Fraction, bits: int | None) -> list[_File]:
    found: list[_File] = []
    for number, track in enumerate(layout.tracks):
        name = f"{record}_{re.sub('[^A-Za-z0-9_-]', '-', to_ascii(track.signal.name))}.dat"
        if len(layout.tracks) == 1:
            name = f"{record}.dat"
        elif name in (file.name for file in found):
            name = name.replace(".dat", f"-{number}.dat")
        width = bits or narrowest(track.survey.spans)
        scales = tuple(fit(span, width) for span in track.survey.spans)
        found.append(_File(track, name, width, int(track.rate_hz / frame_hz), scales))
    return found


def _write_dat(recording: Recording, file: _File, path: Path, frames: int) -> NDArray[np.int64]:
    """Write the samples and return first value and checksum of each channel, int64 `(channels, 2)`."""
    found = np.zeros((len(file.scales), 2), np.int64)
    at_once = max(1, ROWS // file.per_frame)
    gains = np.array([scale.gain for scale in file.scales])
    baselines = np.array([scale.baseline for scale in file.scales], np.float64)
    invalid = -(2 ** (file.bits - 1))
    with closing(Grid(recording, file.track.signal, file.track.pad)) as grid, path.open("wb") as out:
        for first in range(0, frames, at_once):
            count = min(at_once, frames - first)
            scaled = np.rint(grid.take(count * file.per_frame).astype(np.float64) * gains + baselines)
            inside = np.clip(scaled, invalid + 1, -invalid - 1)
            digital = np.where(np.isfinite(scaled), inside, invalid).astype(np.int64)
            if first == 0:
                found[:, 0] = digital[0]
            found[:, 1] += digital.sum(axis=0)
            frame = digital.reshape(count, file.per_frame, -1).transpose(0, 2, 1).reshape(count, -1)
            out.write(samples_to_bytes(frame.astype(np.int32), file.bits // 8).tobytes())
    found[:, 1] = (found[:, 1] + 2**15) % 2**16 - 2**15  # header(5): a signed 16-bit sum
    return found


def _write_header(
    wfdb: Any,
    recording: Recording,
    layout: Layout,
    path: Path,
    files: list[_File],
    size: tuple[Fraction, int],
    sums: list[NDArray[np.int64]],
    notes: list[str],
) -> None:
    columns = [(file, number) for file in files for number in range(len(file.scales))]
    names = _unique([_channel_name(file.track, number) for file, number in columns])
    units = {file.track.signal.unit: _unit(file.track.signal.unit) for file in files}
    notes += [f"the unit {unit!r} is written as {text!r}" for unit, text in units.items() if unit and unit != text]
    wfdb.Record(
        record_name=path.stem,
        n_sig=len(columns),
        fs=float(size[0]),
        sig_len=size[1],
        base_time=layout.start.time(),
        base_date=layout.start.date(),
        file_name=[file.name for file, _ in columns],
        fmt=[str(file.bits) for file, _ in columns],
        samps_per_frame=[file.per_frame for file, _ in columns],
        adc_gain=[file.scales[number].gain for file, number in columns],
        baseline=[file.scales[number].baseline for file, number in columns],
        units=[units[file.track.signal.unit] for file, _ in columns],
        adc_res=[file.bits for file, _ in columns],
        adc_zero=[0] * len(columns),
        init_value=[int(value) for found in sums for value in found[:, 0]],
        checksum=[int(value) for found in sums for value in found[:, 1]],
        block_size=[0] * len(columns),
        sig_name=names,
        comments=[MADE_BY, *_comments(recording, files, notes)],
    ).wrheader(write_dir=str(path.parent), expanded=True)


def _comments(recording: Recording, files: list[_File], notes: list[str]) -> Iterator[str]:
    """Yield what the signals are and the facts about the recording, one JSON object a line."""
    for file in files:
        signal = file.track.signal
        said = {"name": signal.name, "unit": signal.unit, "channels": signal.channels, "rate_hz": signal.rate_hz}
        line = f"signal {json.dumps({**said, 'loss_detectable': signal.loss_detectable})}"
        if len(line) > COMMENT:
            notes.append(f"{signal.name}: its names are too long for WFDB; the record is read back channel by channel")
        else:
            yield line
    for key in sorted(recording.meta.keys() - KNOWN_META):
        line = f"meta {json.dumps({key: recording.meta[key]})}"
        if len(line) > COMMENT:
            notes.append(f"{key!r} of the facts about the recording is too long for WFDB and is left out")
        else:
            yield line


def _marks(recording: Recording, layout: Layout, files: list[_File], frames: int) -> Iterator[Mark]:
    yield from marks_of(recording, layout)
    for file in files:
        if spare := frames * file.per_frame - file.track.end:
            yield pad_mark(file.track, file.track.end, spare)


def _write_annotations(
    wfdb: Any, marks: Iterator[Mark], path: Path, files: list[_File], frame_hz: Fraction, notes: list[str]
) -> None:
    """Write the marks, in ticks so fine that every sample of every signal falls on one."""
    ticks_hz = frame_hz * math.lcm(*(file.per_frame for file in files))
    channels = dict(zip((file.track.signal.name for file in files), _first_channels(files), strict=True))
    rates = {file.track.signal.name: file.track.rate_hz for file in files}
    rows: list[tuple[int, int, str]] = []
    early = cut = 0
    for mark in marks:
        tick = round(mark.at_s * ticks_hz)
        early += tick < 0
        count = round(mark.length_s * rates[mark.signal]) if mark.signal else 0
        suffix = f" [+{count}]".encode() if count or COUNT.fullmatch(mark.text) else b""
        aux = mark.text.encode() + suffix
        if len(aux) > AUX_BYTES:
            cut += 1
            aux = mark.text.encode()[: AUX_BYTES - len(suffix)].decode(errors="ignore").encode() + suffix
        rows.append((max(0, tick), channels.get(mark.signal or "", 0), aux.decode("latin-1")))
    if early:
        notes.append(f"{early} annotations lie before the record; they are put at its start")
    if cut:
        notes.append(f"{cut} texts are cut to {AUX_BYTES} bytes")
    if not rows:
        return
    rows.sort(key=lambda row: row[0])
    wfdb.wrann(
        *(path.stem, "atr", np.array([tick for tick, _, _ in rows])),
        symbol=[NOTE if tick else MEASURE for tick, _, _ in rows],
        chan=np.array([channel for _, channel, _ in rows]),
        aux_note=[aux for _, _, aux in rows],
        fs=None if ticks_hz == frame_hz else float(ticks_hz),
        write_dir=str(path.parent),
    )


def _first_channels(files: list[_File]) -> list[int]:
    return [sum(len(before.scales) for before in files[:number]) for number in range(len(files))]


def _channel_name(track: Track, number: int) -> str:
    signal = track.signal
    return to_ascii(signal.name if len(signal.channels) == 1 else f"{signal.name} {signal.channels[number]}").strip()


def _unique(names: list[str]) -> list[str]:
    return [name if name not in names[:number] else f"{name} ~{number}" for number, name in enumerate(names)]


def _unit(unit: str) -> str:
    """Return a unit as a header may hold it; none at all is `NU`, as an empty one would be read as mV."""
    return re.sub(r"[^A-Za-z0-9_^?%/-]", "_", to_ascii(unit)) or "NU"


def _carried(file: _File) -> Carried:
    survey = file.track.survey
    steps = tuple(1 / scale.gain for scale in file.scales)
    exact = all(scale.exact for scale in file.scales)
    return Carried(survey.signal.name, survey.samples, len(survey.gaps), survey.lost, steps, exact)
