"""A recording as tables: one for each signal, and one that lists them. CSV and Parquet write the same tables.

`walk.csv` lists the signals and their files, `walk.ecg.csv` holds the samples of one, `walk.meta.csv` the facts about
the recording; `walk.gaps.csv`, `walk.labels.csv` and `walk.events.csv` are there if there are any. One file for each
signal, because signals differ in rate, columns and unit, and a table has one set of columns.

The rows of a signal are its samples: `index` counts lost samples too, so that a gap shows as a jump; `time_s` is the
time since the recording started; `arrival_ns` and `device_ticks` stand in the first row of each block and are empty in
the others, so that blocks come back as they were. Raw packets and sessions stay behind.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError, RecordingError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.convert.carve import to_float32
from pulselet.stream.convert.intake import Incoming
from pulselet.stream.convert.layout import selected
from pulselet.stream.convert.report import Carried, Options, Written
from pulselet.stream.convert.timeline import started, steady
from pulselet.stream.recording import Recording
from pulselet.stream.rows import Event, Interval

ROWS = 2**15  # of a batch, at least, as long as there are so many
INT, REAL, FLOAT32, TEXT = "int", "real", "float32", "text"
Batch = list[Sequence[Any]]  # a sequence for each column; None is an empty cell


class Column(NamedTuple):
    """Name and kind of a column, its unit if it has one, and whether a cell may be empty."""

    name: str
    kind: str
    unit: str = ""
    optional: bool = False


class Format(Protocol):
    """How a table is kept in a file."""

    suffix: str

    def write(self, path: Path, columns: Sequence[Column], batches: Iterable[Batch]) -> None:
        """Write a table."""

    def read(self, path: Path, columns: Sequence[Column]) -> Iterator[Batch]:
        """Yield a table, some rows at a time; RecordingError if the file is no such table."""


SIGNALS = (
    *(Column("signal", TEXT), Column("file", TEXT), Column("unit", TEXT)),
    *(Column("rate_hz", REAL, "Hz", optional=True), Column("channels", TEXT)),
    *(Column("clock_hz", REAL, "Hz", optional=True), Column("loss_detectable", INT)),
)
GAPS = Column("signal", TEXT), Column("first", INT), Column("lost", INT, optional=True), Column("reason", TEXT)
LABELS = Column("signal", TEXT), Column("first", INT), Column("end", INT), Column("label", TEXT)
EVENTS = Column("at_ns", INT), Column("kind", TEXT), Column("text", TEXT)
META = Column("key", TEXT), Column("value", TEXT)
KEYS = (
    *(Column("index", INT), Column("time_s", REAL, "s")),
    *(Column("arrival_ns", INT, "ns", optional=True), Column("device_ticks", INT, optional=True)),
)
RESERVED = {"gaps", "labels", "events", "meta"}


def write(recording: Recording, path: Path, options: Options, form: Format) -> Written:
    """Write a recording to the tables that `path` lists, and return what was carried."""
    signals = selected(recording, options)
    names = _file_names(path, signals)
    tallies = [_Tally(signal) for signal in signals]
    for tally, name in zip(tallies, names, strict=True):
        form.write(path.with_name(name), columns_of(tally.signal), _rows(recording, tally))
    form.write(path, SIGNALS, [_turned([_signal_row(*pair) for pair in zip(signals, names, strict=True)], SIGNALS)])
    there = {signal.name for signal in signals}
    labels = [one for one in recording.intervals() if one.signal in there]
    gaps = [(gap.signal.name, gap.first, gap.lost, gap.reason) for tally in tallies for gap in tally.gaps]
    for name, columns, rows in (
        ("gaps", GAPS, gaps),
        ("labels", LABELS, [(one.signal, one.first, one.end, one.label) for one in labels]),
        ("events", EVENTS, list(recording.events())),
        ("meta", META, sorted(recording.meta.items())),
    ):
        if rows:
            form.write(_beside(path, name), columns, [_turned(rows, columns)])
    left = len(recording.intervals()) - len(labels)
    notes = _notes(recording) + ((f"{left} labels of signals that are not written are left out",) if left else ())
    return Written(tuple(tally.carried for tally in tallies), len(labels), notes)


def read(path: Path, form: Format) -> Incoming:
    """Return what is in the tables that `path` lists.

    Raises
    ------
    RecordingError
        If it lists no signals, or a table is missing or not as it should be.
    """
    listed = [_listed(path, row) for row in _lines(form, path, SIGNALS)]
    gaps: dict[str, deque[tuple[int, int | None, str]]] = {signal.name: deque() for signal, _ in listed}
    for name, first, lost, reason in _lines(form, _beside(path, "gaps"), GAPS, optional=True):
        if name not in gaps:
            raise RecordingError(f"{_beside(path, 'gaps')} names a signal {name!r}; {path} lists {sorted(gaps)}")
        gaps[name].append((first, lost, reason))
    streams = [_stream(form, path.with_name(name), signal, gaps[signal.name]) for signal, name in listed]
    labels = [Interval(*row) for row in _lines(form, _beside(path, "labels"), LABELS, optional=True)]
    events = [Event(*row) for row in _lines(form, _beside(path, "events"), EVENTS, optional=True)]
    meta = dict(_lines(form, _beside(path, "meta"), META))
    return Incoming(meta, streams, labels, events)


def columns_of(signal: Signal) -> tuple[Column, ...]:
    """Return the columns of a signal's table; a channel whose name is taken gets a `_` after it."""
    columns = list(KEYS)
    for channel in signal.channels:
        while channel in (column.name for column in columns):
            channel += "_"
        columns.append(Column(channel, FLOAT32, signal.unit, optional=True))
    return tuple(columns)


@dataclass
class _Tally:
    """What went by while a signal was written."""

    signal: Signal
    samples: int = 0
    gaps: list[Gap] = field(default_factory=list)

    @property
    def carried(self) -> Carried:
        lost = sum(gap.lost or 0 for gap in self.gaps)
        return Carried(self.signal.name, self.samples, len(self.gaps), lost)


def _rows(recording: Recording, tally: _Tally) -> Iterator[Batch]:
    """Yield the rows of a signal, whole blocks in each batch."""
    at_s = _clock(recording, tally.signal)
    blocks: list[Block] = []
    waiting = 0
    for item in steady(recording, tally.signal.name):
        if isinstance(item, Gap):
            tally.gaps.append(item)
            continue
        blocks.append(item)
        waiting += len(item.values)
        tally.samples += len(item.values)
        if waiting >= ROWS:
            yield _batch(blocks, at_s)
            blocks, waiting = [], 0
    if blocks:
        yield _batch(blocks, at_s)


def _clock(recording: Recording, signal: Signal) -> Callable[[Block], NDArray[np.float64]]:
    """Return what gives the time of every sample of a block, in s since the recording started."""
    _, host_ns = started(recording)
    origin: list[float] = []

    def at_s(block: Block) -> NDArray[np.float64]:
        arrival_s = (block.arrival_ns - host_ns) / 1e9
        if signal.rate_hz is None:
            return np.full(len(block.values), arrival_s)
        if not origin:
            origin.append(arrival_s - block.first / signal.rate_hz)
        return origin[0] + np.arange(block.first, block.end) / signal.rate_hz

    return at_s


def _batch(blocks: list[Block], at_s: Callable[[Block], NDArray[np.float64]]) -> Batch:
    arrivals: list[int | None] = []
    ticks: list[int | None] = []
    for block in blocks:
        rest = [None] * (len(block.values) - 1)
        arrivals += [block.arrival_ns, *rest]
        ticks += [block.device_ticks, *rest]
    index = np.concatenate([np.arange(block.first, block.end) for block in blocks])
    times = np.concatenate([at_s(block) for block in blocks]).round(9)
    values = np.concatenate([block.values for block in blocks])
    return [index, times, arrivals, ticks, *values.T]


def _stream(
    form: Format, path: Path, signal: Signal, gaps: deque[tuple[int, int | None, str]]
) -> Iterator[Block | Gap]:
    """Yield blocks and gaps; a row with an arrival begins a block."""
    for block in _blocks(form, path, signal):
        while gaps and gaps[0][0] <= block.first:
            yield Gap(signal, *gaps.popleft())
        yield block
    yield from (Gap(signal, *gap) for gap in gaps)


def _blocks(form: Format, path: Path, signal: Signal) -> Iterator[Block]:
    kept: Batch = []
    for batch in form.read(path, columns_of(signal)):
        merged: Batch = [[*old, *new] for old, new in zip(kept, batch, strict=True)] if kept else batch
        begins = _begins(path, merged)
        for begin, end in itertools.pairwise(begins):
            yield _block(path, signal, merged, begin, end)
        kept = [column[begins[-1] :] for column in merged] if begins else []
    if kept:
        yield _block(path, signal, kept, 0, len(kept[0]))


def _begins(path: Path, batch: Batch) -> list[int]:
    begins = [row for row, arrival in enumerate(batch[2]) if arrival is not None]
    if len(batch[2]) and begins[:1] != [0]:
        raise RecordingError(f"{path}: sample {batch[0][0]} has no arrival_ns; the first of each block has one")
    return begins


def _block(path: Path, signal: Signal, batch: Batch, begin: int, end: int) -> Block:
    index, _, arrivals, ticks, *values = (column[begin:end] for column in batch)
    if any(one is None for one in index) or list(index) != list(range(index[0], index[0] + len(index))):
        raise RecordingError(f"{path}: the samples of a block count on by one; from {index[0]} on they do not")
    rows = np.stack([np.array([np.nan if one is None else one for one in column]) for column in values], axis=1)
    return Block(signal, to_float32(rows), int(index[0]), ticks[0], int(arrivals[0]))


def _lines(form: Format, path: Path, columns: Sequence[Column], *, optional: bool = False) -> list[tuple[Any, ...]]:
    """Return the rows of a small table; none if it is not there and need not be."""
    if optional and not path.is_file():
        return []
    rows: list[tuple[Any, ...]] = []
    for batch in form.read(path, columns):
        for column, cells in zip(columns, batch, strict=True):
            if not column.optional and None in cells:
                raise RecordingError(f"{path}: a cell of the column {column.name} is empty")
        rows += zip(*batch, strict=True)
    return rows


def _signal_row(signal: Signal, name: str) -> tuple[Any, ...]:
    channels = json.dumps(signal.channels, ensure_ascii=False)
    return signal.name, name, signal.unit, signal.rate_hz, channels, signal.clock_hz, int(signal.loss_detectable)


def _listed(path: Path, row: tuple[Any, ...]) -> tuple[Signal, str]:
    name, file, unit, rate_hz, channels, clock_hz, detectable = row
    try:
        signal = Signal(name, unit, rate_hz, tuple(map(str, json.loads(channels))), clock_hz, bool(detectable))
    except (ValueError, TypeError, PulseletError) as error:
        raise RecordingError(f"{path} does not say what the signal {name!r} is: {error}") from error
    if not file or "\0" in file or Path(file).name != file:
        raise RecordingError(f"{path} lists {file!r}; the tables of a recording stand beside it")
    return signal, file


def _turned(rows: Sequence[Sequence[Any]], columns: Sequence[Column]) -> Batch:
    """Return rows as columns."""
    return [[row[number] for row in rows] for number in range(len(columns))]


def _beside(path: Path, name: str) -> Path:
    return path.with_name(f"{path.stem}.{name}{path.suffix}")


def _file_names(path: Path, signals: Sequence[Signal]) -> list[str]:
    """Return a file name for each signal, no two alike even where case does not count."""
    taken = set(RESERVED)
    names = []
    for signal in signals:
        name = re.sub(r"[^\w-]", "_", signal.name) or "signal"
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        names.append(f"{path.stem}.{name}{path.suffix}")
    return names


def _notes(recording: Recording) -> tuple[str, ...]:
    packets = next(recording.packets(), None) is not None
    sessions = bool(recording.sessions())
    return (("raw packets are not carried",) if packets else ()) + (
        ("what the devices said of themselves (sessions) is not carried",) if sessions else ()
    )
