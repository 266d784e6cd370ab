"""Everything that is read from another format goes into a recording here."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pulselet.errors import RecordingError
from pulselet.stream.block import Block, Gap
from pulselet.stream.convert.report import Carried, Written
from pulselet.stream.recording import Recording
from pulselet.stream.rows import Event, Interval

ITEMS, VALUES = 512, 2**15  # blocks and gaps, or values in them, that go into one transaction


@dataclass(frozen=True)
class Incoming:
    """What a reader offers: `streams` hold blocks and gaps of one signal each, in order, and are read once."""

    meta: dict[str, str]
    streams: Sequence[Iterable[Block | Gap]]
    labels: Sequence[Interval] = ()
    events: Sequence[Event] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Count:
    samples: int = 0
    gaps: int = 0
    lost: int = 0


class _Timed(NamedTuple):
    """An item and when it came; a gap came with what stood before it."""

    arrival_ns: int
    item: Block | Gap


def store(path: Path, incoming: Incoming) -> Written:
    """Write a new recording at `path`, its signals interleaved by time as a device would have sent them.

    Raises
    ------
    RecordingError
        If there is not one sample, or a label is of a signal that is not there.
    """
    counts: dict[str, _Count] = {}
    try:
        with Recording.create(path) as recording:
            recording.note(**incoming.meta)
            _fill(recording, incoming, counts)
    except OverflowError as error:  # a source is read while it is written: a time that is infinite
        raise RecordingError(f"the source holds a number that does not fit into 64 bits: {error}") from error
    carried = tuple(Carried(name, count.samples, count.gaps, count.lost) for name, count in counts.items())
    return Written(carried, len(incoming.labels), incoming.notes)


def _fill(recording: Recording, incoming: Incoming, counts: dict[str, _Count]) -> None:
    merged = heapq.merge(*(_timed(stream) for stream in incoming.streams), key=lambda timed: timed.arrival_ns)
    for batch in _batches(timed.item for timed in merged):
        recording.add(batch)
        for item in batch:
            _add(counts.setdefault(item.signal.name, _Count()), item)
    if not any(count.samples for count in counts.values()):
        raise RecordingError("the source holds no sample: there is nothing to convert")
    recording.annotate(incoming.labels)
    with recording.together():
        for event in incoming.events:
            recording.event(event.kind, event.text, at_ns=event.at_ns)


def _batches(items: Iterable[Block | Gap]) -> Iterator[list[Block | Gap]]:
    batch: list[Block | Gap] = []
    values = 0
    for item in items:
        batch.append(item)
        values += item.values.size if isinstance(item, Block) else 0
        if len(batch) >= ITEMS or values >= VALUES:
            yield batch
            batch, values = [], 0
    if batch:
        yield batch


def _add(count: _Count, item: Block | Gap) -> None:
    if isinstance(item, Block):
        count.samples += len(item.values)
    else:
        count.gaps += 1
        count.lost += item.lost or 0


def _timed(stream: Iterable[Block | Gap]) -> Iterator[_Timed]:
    arrival_ns = 0
    for item in stream:
        arrival_ns = getattr(item, "arrival_ns", arrival_ns)
        yield _Timed(arrival_ns, item)
