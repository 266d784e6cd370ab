"""Reads EDF, EDF+, BDF and BDF+.

A file that Pulselet wrote gives back its signals, gaps, labels, samples without a rate, and events. In any other file
each channel becomes a signal, an annotation becomes a label of the signal that it names with `@@`, or else of the
first, and time left out between records becomes a gap. The start is taken as UTC, as EDF states no time zone. A sample
arrived, so to speak, at its time.

The file is mapped, not loaded; the annotations are held.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta, timezone
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import RecordingError
from pulselet.stream.block import Signal
from pulselet.stream.convert.carve import Span, carve, to_float32
from pulselet.stream.convert.edf import WRITER
from pulselet.stream.convert.edf_file import Header, bytes_to_samples, tals
from pulselet.stream.convert.intake import Incoming
from pulselet.stream.convert.marks import GAP, LABEL, PAD, UNKNOWN_GAP, gather, parse
from pulselet.stream.rows import Interval

Annotation = tuple[Fraction, Fraction, str]  # onset in s since the first record, length in s, text


@dataclass(frozen=True)
class _Group:
    """The columns of the file that make one signal: numbers among the channels, with the samples of a record each."""

    signal: Signal
    rate_hz: Fraction
    columns: tuple[int, ...]
    labels: tuple[str, ...]


def read(path: Path) -> Incoming:
    """Return what is in an EDF or BDF file.

    Raises
    ------
    RecordingError
        If it is none, is cut short, holds no samples, or its records overlap.
    """
    header = Header.read(path)
    groups = _groups(header)
    if not groups or not header.records:
        raise RecordingError(f"{path} holds no samples")
    data = np.memmap(path, np.uint8, "r", offset=header.size, shape=(header.records, header.record_bytes))
    onsets, annotations = _annotations(path, header, data)
    ours = _is_ours(header)
    by_group = _by_group(annotations, groups, ours)
    streams, labels = [], []
    for group, own in zip(groups, by_group, strict=True):
        spans, base = _spans(group, own)
        labels += [_label(group, one, base) for one in own if not ours or parse(one[2])[0] == LABEL]
        streams.append(carve(_pieces(header, data, group, onsets, ours), spans, group.signal, group.rate_hz, base))
    loose = gather([(round(at_s * 10**9), text) for at_s, _, text in annotations] if ours else [])
    try:
        start = header.start.replace(tzinfo=timezone.utc) + timedelta(microseconds=round(onsets[0] * 10**6))
    except OverflowError as error:
        raise RecordingError(f"{path}: the first record begins {float(onsets[0])} s after {header.start}") from error
    meta = {"started": start.isoformat(), "started_ns": "0"} | _subject(header)
    notes = () if ours else ("EDF states no time zone: its start is taken as UTC",)
    streams += [iter(items) for items in loose.samples.values()]
    return Incoming(meta, streams, labels + loose.labels, loose.events, notes)


def _is_ours(header: Header) -> bool:
    samples = (channel for channel in header.channels if not channel.annotations)
    return WRITER in header.recording.split() and all(_identity(channel.transducer) for channel in samples)


def _identity(transducer: str) -> tuple[str, str, str, bool] | None:
    """Return name of the signal, of the channel, unit, and whether loss shows, as `edf` writes them."""
    try:
        name, channel, unit, detectable = json.loads(transducer)
    except (ValueError, TypeError):
        return None
    return str(name), str(channel), str(unit), bool(detectable)


def _groups(header: Header) -> list[_Group]:
    """Return the signals: channels put together again if the file is ours, else each by itself."""
    ours = _is_ours(header)
    members: dict[str, list[int]] = {}
    for number, channel in enumerate(header.channels):
        if channel.annotations or not channel.per_record or not header.record_s:
            continue
        identity = _identity(channel.transducer) if ours else None
        name = identity[0] if identity else channel.label or f"signal {number + 1}"
        while not identity and name in members:
            name += "'"
        members.setdefault(name, []).append(number)
    return [_group(header, name, tuple(columns), ours) for name, columns in members.items()]


def _group(header: Header, name: str, columns: tuple[int, ...], ours: bool) -> _Group:
    channels = [header.channels[column] for column in columns]
    if len({channel.per_record for channel in channels}) > 1:
        raise RecordingError(f"the channels of {name!r} have different rates: the file was changed")
    rate_hz = Fraction(channels[0].per_record) / header.record_s
    identities = [_identity(channel.transducer) for channel in channels] if ours else []
    names = tuple(identity[1] for identity in identities if identity) or (name,)
    unit, detectable = identities[0][2:] if identities and identities[0] else (channels[0].unit, False)
    signal = Signal(name, unit, float(rate_hz), names, loss_detectable=detectable)
    return _Group(signal, rate_hz, columns, tuple(channel.label for channel in channels))


def _annotations(path: Path, header: Header, data: NDArray[np.uint8]) -> tuple[list[Fraction], list[Annotation]]:
    """Return the onset of every record, in s since the header's second, and the annotations, in s since the first."""
    ends = np.cumsum([channel.per_record * header.width for channel in header.channels])
    places = [
        (int(end) - channel.per_record * header.width, int(end))
        for channel, end in zip(header.channels, ends, strict=True)
        if channel.annotations
    ]
    onsets: list[Fraction] = []
    found: list[Annotation] = []
    for record in range(header.records):
        for number, (begin, end) in enumerate(places):
            texts = tals(data[record, begin:end].tobytes())
            if number == 0 and texts:
                onsets.append(texts[0][0])
            found += [one for one in texts if one[2]]
    if "+D" not in header.kind:  # one record follows on the other, whatever the later onsets say
        first_s = onsets[0] if onsets else Fraction(0)
        onsets = [first_s + record * header.record_s for record in range(header.records)]
    elif len(onsets) < header.records:
        raise RecordingError(f"{path} is discontinuous, and {header.records - len(onsets)} records have no onset")
    return onsets, [(at_s - onsets[0], length_s, text) for at_s, length_s, text in found]


def _by_group(annotations: list[Annotation], groups: list[_Group], ours: bool) -> list[list[Annotation]]:
    """Return the annotations of each signal, without the suffix that names it."""
    owners = {label: number for number, group in reversed(list(enumerate(groups))) for label in group.labels}
    found: list[list[Annotation]] = [[] for _ in groups]
    for at_s, length_s, text in annotations:
        short, _, label = text.rpartition("@@")
        if short and label in owners:
            found[owners[label]].append((at_s, length_s, short))
        elif not ours or parse(text)[0] == LABEL:
            found[0].append((at_s, length_s, text))
    return found


def _spans(group: _Group, annotations: list[Annotation]) -> tuple[deque[Span], int]:
    """Return the stretches that hold no samples, in order, and how many of them stand before index 0."""
    spans = []
    for at_s, length_s, text in annotations:
        kind, reason = parse(text)
        if kind in (GAP, UNKNOWN_GAP, PAD):
            start = round(at_s * group.rate_hz)
            end = start + round(length_s * group.rate_hz)
            spans.append(Span(start, end, None if kind == PAD else reason, kind != UNKNOWN_GAP))
    spans.sort(key=lambda span: span.start)
    base = spans[0].end if spans and spans[0].reason is None and spans[0].start == 0 else 0
    return deque(spans), base


def _label(group: _Group, annotation: Annotation, base: int) -> Interval:
    at_s, length_s, text = annotation
    first = round(at_s * group.rate_hz) - base
    return Interval(group.signal.name, first, first + round(length_s * group.rate_hz), parse(text)[1])


def _pieces(
    header: Header, data: NDArray[np.uint8], group: _Group, onsets: list[Fraction], ours: bool
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield position and float32 `(n, channels)`, a record or about a second at once."""
    begins = np.concatenate([[0], np.cumsum([channel.per_record * header.width for channel in header.channels])])
    size = header.channels[group.columns[0]].per_record
    places = [round((onset - onsets[0]) * group.rate_hz) for onset in onsets]
    for first, count in _batches(places, size, max(1, int(1 / header.record_s))):
        columns = []
        for number in group.columns:
            channel = header.channels[number]
            raw = data[first : first + count, begins[number] : begins[number + 1]]
            digital = bytes_to_samples(raw, header.width).ravel()
            values = digital * channel.gain + channel.offset
            columns.append(np.where(digital == channel.digital_low, np.nan, values) if ours else values)
        yield places[first], to_float32(np.stack(columns, axis=1))


def _batches(places: list[int], size: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield first and count of records that follow on each other, at most so many at once."""
    first = 0
    for number in range(1, len(places) + 1):
        ends = number == len(places) or places[number] != places[number - 1] + size
        if ends or number - first == most:
            yield first, number - first
            first = number


def _subject(header: Header) -> dict[str, str]:
    code = header.patient.split(" ")[0] if "+" in header.kind else header.patient
    return {"subject": code} if code and code != "X" else {}
