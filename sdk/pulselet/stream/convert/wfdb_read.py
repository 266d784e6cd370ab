"""Reads WFDB records of one segment, through the package wfdb, a piece at a time.

A record that Pulselet wrote gives back its signals, gaps, labels, samples without a rate, and events. In any other
record each channel becomes a signal, a run of invalid samples becomes a gap, and an annotation of the annotator `.atr`
becomes a label on one sample: its symbol, its text, or both. The start is taken as UTC, as WFDB states no time zone.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import RecordingError
from pulselet.stream.block import Signal
from pulselet.stream.convert import wfdb_annotations
from pulselet.stream.convert.carve import Span, carve, to_float32
from pulselet.stream.convert.intake import Incoming
from pulselet.stream.convert.marks import GAP, LABEL, PAD, UNKNOWN_GAP, gather, parse
from pulselet.stream.convert.timeline import ROWS
from pulselet.stream.convert.wfdb_format import COUNT, MADE_BY
from pulselet.stream.convert.wfdb_library import guarded, library
from pulselet.stream.rows import Interval

FINEST = 10**6  # largest denominator of a rate that is read, in Hz


@dataclass(frozen=True)
class _Group:
    """Channels that make one signal."""

    signal: Signal
    rate_hz: Fraction
    channels: tuple[int, ...]


@dataclass(frozen=True)
class _Mark:
    """An annotation: time since the start in s, channel, text, and on how many samples."""

    at_s: Fraction
    channel: int
    text: str
    count: int


def read(path: Path) -> Incoming:
    """Return what is in the record whose header is `path`.

    Raises
    ------
    RecordingError
        If it is no record, has several segments, or a file of it is missing or cut short.
    MissingExtraError
        If the package wfdb is not installed.
    """
    wfdb = library()
    with guarded(path):
        header = wfdb.rdheader(str(path.with_suffix("")))
        if not isinstance(header, wfdb.Record) or not header.n_sig or not header.sig_len:
            raise RecordingError(f"{path} is no record of one segment with samples: convert its segments one by one")
        said = _said(header)
        marks = _marks(wfdb, path, header, bool(said))
        groups = _groups(header, said)
        meta, notes = _meta(header, bool(said))
    streams, labels = [], []
    for group in groups:
        own = [mark for mark in marks if mark.channel in group.channels]
        spans, base = _spans(group, own)
        pieces = _pieces(wfdb, path, header, group, split=not said or not marks)
        streams.append(carve(pieces, spans, group.signal, group.rate_hz, base))
        labels += [_label(group, mark, base) for mark in own if not said or parse(mark.text)[0] == LABEL]
    loose = gather([(round(mark.at_s * 10**9), mark.text) for mark in marks] if said else [])
    streams += [iter(items) for items in loose.samples.values()]
    return Incoming(meta, streams, labels + loose.labels, loose.events, notes)


def _said(header: Any) -> list[dict[str, Any]]:
    """Return what the comments say of the signals; nothing if the record is not ours."""
    if MADE_BY not in header.comments:
        return []
    found = [json.loads(line[7:]) for line in header.comments if line.startswith("signal ")]
    return found if sum(len(one["channels"]) for one in found) == header.n_sig else []


def _groups(header: Any, said: list[dict[str, Any]]) -> list[_Group]:
    frame_hz = Fraction(header.fs).limit_denominator(FINEST)
    groups: list[_Group] = []
    if said:
        at = 0
        for one in said:
            signal = Signal(
                *(str(one["name"]), str(one["unit"]), float(one["rate_hz"]), tuple(map(str, one["channels"]))),
                loss_detectable=bool(one["loss_detectable"]),
            )
            channels = tuple(range(at, at + len(signal.channels)))
            if len({header.samps_per_frame[channel] for channel in channels}) > 1:
                raise RecordingError(f"the channels of {signal.name!r} have different rates: the record was changed")
            groups.append(_Group(signal, frame_hz * (header.samps_per_frame[at] or 1), channels))
            at += len(signal.channels)
        return groups
    for number, name in enumerate(header.sig_name):
        rate_hz = frame_hz * (header.samps_per_frame[number] or 1)
        unique = name or f"signal {number + 1}"
        while unique in (group.signal.name for group in groups):
            unique += "'"
        signal = Signal(unique, header.units[number] or "", float(rate_hz), (unique,), loss_detectable=False)
        groups.append(_Group(signal, rate_hz, (number,)))
    return groups


def _marks(wfdb: Any, path: Path, header: Any, ours: bool) -> list[_Mark]:
    """Return the annotations of the annotator `atr`, if there are any."""
    annotator = path.with_suffix(".atr")
    if not annotator.is_file():
        return []
    known = {one.label_store: one.symbol for one in wfdb.io.annotation.ann_labels}
    read = wfdb_annotations.read(annotator)
    ticks_hz = Fraction(read.ticks_hz or header.fs).limit_denominator(FINEST)
    marks = []
    for tick, code, channel, text in read.found:
        counted = COUNT.fullmatch(text) if ours else None
        short, count = (counted[1], int(counted[2])) if counted else (text, 0)
        if not ours:
            symbol = read.symbols.get(code, known.get(code, f"[{code}]"))
            short, count = text if code == wfdb_annotations.NOTE else f"{symbol} {text}".strip(), 1
        marks.append(_Mark(Fraction(tick) / ticks_hz, channel, short, count))
    return marks


def _spans(group: _Group, marks: list[_Mark]) -> tuple[deque[Span], int]:
    """Return the stretches that hold no samples, in order, and how many of them stand before index 0."""
    spans = []
    for mark in marks:
        kind, reason = parse(mark.text)
        if kind in (GAP, UNKNOWN_GAP, PAD):
            start = round(mark.at_s * group.rate_hz)
            spans.append(Span(start, start + mark.count, None if kind == PAD else reason, kind != UNKNOWN_GAP))
    spans.sort(key=lambda span: span.start)
    base = spans[0].end if spans and spans[0].reason is None and spans[0].start == 0 else 0
    return deque(spans), base


def _label(group: _Group, mark: _Mark, base: int) -> Interval:
    first = round(mark.at_s * group.rate_hz) - base
    return Interval(group.signal.name, first, first + mark.count, parse(mark.text)[1])


def _pieces(
    wfdb: Any, path: Path, header: Any, group: _Group, *, split: bool
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield position and float32 `(n, channels)`, about a second at once; with `split` without the invalid samples."""
    per_frame = header.samps_per_frame[group.channels[0]] or 1
    at_once = max(1, ROWS // per_frame)
    second = max(1, round(float(group.rate_hz)))
    for first in range(0, header.sig_len, at_once):
        until = min(header.sig_len, first + at_once)
        with guarded(path):
            piece = wfdb.rdrecord(*(str(path.with_suffix("")), first, until, list(group.channels)), smooth_frames=False)
        rows = to_float32(np.stack(piece.e_p_signal, axis=1))
        for begin, end in _valid(rows) if split else [(0, len(rows))]:
            for at in range(begin, end, second):
                yield first * per_frame + at, rows[at : min(end, at + second)]
    yield header.sig_len * per_frame, np.empty((0, len(group.channels)), np.float32)


def _valid(rows: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return begin and end of the runs of rows in which a channel has a value."""
    there = np.concatenate([[False], ~np.isnan(rows).all(axis=1), [False]])
    edges = np.flatnonzero(there[1:] != there[:-1])
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _meta(header: Any, ours: bool) -> tuple[dict[str, str], tuple[str, ...]]:
    meta: dict[str, str] = {}
    notes = []
    if ours:
        for line in header.comments:
            if line.startswith("meta "):
                meta.update({str(key): str(value) for key, value in json.loads(line[5:]).items()})
    else:
        notes.append("WFDB states no time zone: its start is taken as UTC")
        if header.comments:
            meta["comments"] = "\n".join(header.comments)
    day = header.base_date or datetime(1970, 1, 1).date()
    if header.base_date is None:
        notes.append("the record states no date: its start is put on 1970-01-01")
    start = datetime.combine(day, header.base_time or time(), timezone.utc)
    return meta | {"started": start.isoformat(), "started_ns": "0"}, tuple(notes)
