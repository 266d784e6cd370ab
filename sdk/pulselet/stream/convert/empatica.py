"""Reads the folder that an Empatica E4 export unpacks to.

Each file is CSV, or CSV under gzip. `ACC`, `BVP`, `EDA`, `TEMP` and `HR`: the first row is the start in s since 1970,
UTC, the second the rate in Hz, the others are samples; acceleration in 1/64 g. `IBI`: the first row is the start, the
others are time since then in s, and interval in s. `tags`: times in s since 1970 at which the button was pressed. The
layout is told in the `info.txt` of every export. An export does not say whether samples were lost.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path

import numpy as np

from pulselet.errors import RecordingError
from pulselet.stream.block import Block, Signal
from pulselet.stream.convert.carve import to_float32
from pulselet.stream.convert.intake import Incoming
from pulselet.stream.rows import Event

ACC_STEPS_A_G = 64
SIGNALS = {
    "ACC": ("acc", "g", ("x", "y", "z")),
    "BVP": ("bvp", "", ("bvp",)),
    "EDA": ("eda", "µS", ("eda",)),
    "TEMP": ("temp", "°C", ("temp",)),
    "HR": ("hr", "bpm", ("hr",)),
}
IBI, TAGS = "IBI", "tags"
LATEST_S = 2**32  # year 2106; a start after it is no start


def is_export(folder: Path) -> bool:
    """Whether a folder holds a file of an E4 export."""
    return any(_find(folder, name) for name in (*SIGNALS, IBI))


def read(folder: Path) -> Incoming:
    """Return what is in a folder of an E4 export.

    Raises
    ------
    RecordingError
        If none of its files are there, or one is not as it should be.
    """
    found = {name: path for name in (*SIGNALS, IBI) if (path := _find(folder, name))}
    starts = {name: begin for name, path in found.items() if (begin := _start(path)) is not None}
    if not starts:
        raise RecordingError(f"{folder} holds no file of an E4 export: wanted one of {', '.join((*SIGNALS, IBI))}.csv")
    start_us = min(starts.values())
    streams = [
        _beats(found[name], begin - start_us) if name == IBI else _samples(found[name], name, begin - start_us)
        for name, begin in starts.items()
    ]
    empty = sorted(found.keys() - starts.keys())
    notes = (f"empty files are left out: {', '.join(empty)}",) if empty else ()
    meta = {"device": "Empatica E4", "started": _iso(start_us), "started_ns": "0"}
    return Incoming(meta, streams, events=_tags(folder, start_us), notes=notes)


def _find(folder: Path, name: str) -> Path | None:
    return next((path for suffix in (".csv", ".csv.gz") if (path := folder / f"{name}{suffix}").is_file()), None)


@contextmanager
def _rows(path: Path) -> Iterator[Iterator[list[str]]]:
    """Open a file as rows of cells; empty lines are passed over."""
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
            yield (row for row in csv.reader(file, skipinitialspace=True) if row)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise RecordingError(f"{path} cannot be read: {error}") from error


def _numbers(path: Path, line: int, row: list[str], count: int) -> list[float]:
    """Return the numbers in a row.

    Raises
    ------
    RecordingError
        If there are not so many, or one is no number.
    """
    try:
        values = [float(cell) for cell in row]
    except ValueError as error:
        raise RecordingError(f"{path}, line {line}: {error}") from error
    if len(values) != count:
        raise RecordingError(f"{path}, line {line}: wanted {count} numbers, found {len(values)}")
    return values


def _start(path: Path) -> int | None:
    """Return the start in µs since 1970; None if the file is empty."""
    with _rows(path) as rows:
        row = next(rows, [])
    if not row:
        return None
    (start_s,) = _numbers(path, 1, row[:1], 1)
    if not 0 <= start_s < LATEST_S:
        raise RecordingError(f"{path}, line 1: {row[0]} is no start in s since 1970")
    return round(start_s * 10**6)


def _samples(path: Path, name: str, after_us: int) -> Iterator[Block]:
    """Yield about a second at a time."""
    label, unit, channels = SIGNALS[name]
    count = len(channels)
    with _rows(path) as rows:
        next(rows)
        rate_hz = _numbers(path, 2, next(rows, []), count)[0]
        if not (math.isfinite(rate_hz) and rate_hz > 0):
            raise RecordingError(f"{path}, line 2: {rate_hz} Hz is no rate")
        signal = Signal(label, unit, rate_hz, channels, loss_detectable=False)
        first, at_once = 0, max(1, round(rate_hz))
        while batch := list(itertools.islice(rows, at_once)):
            lines = range(first + 3, first + 3 + len(batch))
            values = np.array([_numbers(path, line, row, count) for line, row in zip(lines, batch, strict=True)])
            if name == "ACC":
                values /= ACC_STEPS_A_G
            at_ns = after_us * 1000 + round(first / Fraction(rate_hz) * 10**9)
            yield Block(signal, to_float32(values), first, None, at_ns)
            first += len(batch)


def _beats(path: Path, after_us: int) -> Iterator[Block]:
    """Yield the intervals between beats, each at its time."""
    signal = Signal("ibi", "s", None, ("ibi",), loss_detectable=False)
    with _rows(path) as rows:
        next(rows)
        for index, row in enumerate(rows):
            at_s, interval_s = _numbers(path, index + 2, row, 2)
            if not math.isfinite(at_s):
                raise RecordingError(f"{path}, line {index + 2}: {at_s} is no time")
            yield Block(signal, to_float32([[interval_s]]), index, None, after_us * 1000 + round(at_s * 1e9))


def _tags(folder: Path, start_us: int) -> list[Event]:
    path = _find(folder, TAGS)
    if path is None:
        return []
    with _rows(path) as rows:
        times = [_numbers(path, line, row, 1)[0] for line, row in enumerate(rows, 1)]
    if not all(map(math.isfinite, times)):
        raise RecordingError(f"{path}: a time is not finite")
    return [Event(round(at_s * 10**6 - start_us) * 1000, "tag", "button pressed") for at_s in times]


def _iso(microseconds: int) -> str:
    return (
        datetime.fromtimestamp(microseconds // 10**6, timezone.utc)
        .replace(microsecond=microseconds % 10**6)
        .isoformat()
    )
