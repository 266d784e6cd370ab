"""Reads a table as people keep it: a column `time_s`, and a column for each channel, such as `acc.x [g]` or `ecg [mV]`.

A signal's rate is what its times say. A time that skips whole intervals leaves a gap; empty cells are samples that are
not there, so that signals of several rates can share a table. CSV has a comma between cells; Parquet has float columns.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet._extras import require
from pulselet.errors import DatasetError
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Run
from pulselet_datasets._tables import evenly

TIME = "time_s"
HEADER = re.compile(r"(?P<signal>[^.\[\]]+?)(\.(?P<channel>[^\[\]]+?))?\s*(\[(?P<unit>[^\]]*)\])?")
LONGEST = 2**40  # samples, gaps too; months at the highest rate of a wearable
LARGEST = 1e30  # of a number in a table: within float32, and no time of anybody's
SLIP = 0.05  # of an interval, by which a rounded rate may be off at the end
JITTER = 0.25  # of an interval: a sample further than this from its place between two gaps is uneven


class Table(NamedTuple):
    """The signals of a table by name, their runs, where their sample 0 lies in s, and what was mended."""

    signals: Mapping[str, Signal]
    runs: Mapping[str, list[Run]]
    start_s: Mapping[str, float]
    repairs: tuple[str, ...]


class _Column(NamedTuple):
    channel: str
    unit: str
    values: NDArray[np.float64]


class _Grid(NamedTuple):
    """Rate in Hz, and the place of each sample `(n,)`, counted from the first."""

    rate_hz: float
    places: NDArray[np.int64]


def is_plain(path: Path) -> bool:
    """Return whether a CSV or Parquet file is a table of this kind: whether its first column is `time_s`."""
    try:
        return next(iter(column_names(path)), "") == TIME
    except DatasetError:
        return False


def read(path: Path, *, even_hz: float | None = None, longest_s: float = 0.5) -> Table:
    """Return what is in a table.

    Parameters
    ----------
    even_hz
        Interpolate samples at uneven times linearly to this rate, and say so; if not given, they are refused.
    longest_s
        With `even_hz`: samples that are further apart have a gap between them.

    Raises
    ------
    DatasetError
        If it is no such table, a cell is no number, times go back or come twice, or samples are uneven.
    """
    names, cells = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    _check(path, names, cells)
    signals: dict[str, Signal] = {}
    runs: dict[str, list[Run]] = {}
    start_s: dict[str, float] = {}
    repairs: list[str] = []
    for name, columns in _columns(path, names, cells).items():
        values = np.stack([column.values for column in columns], axis=1)
        there = ~np.isnan(values).all(axis=1)
        times_s, values = cells[there, 0], values[there]
        if len(times_s) < 2:
            raise DatasetError(f"{path}, signal {name!r}: wanted two samples or more, found {len(times_s)}")
        start_s[name] = float(times_s[0])
        if even_hz is None:
            rate_hz, places = _grid(f"{path}, signal {name!r}", times_s - times_s[0])
            runs[name] = _runs(places, values)
        else:
            even = evenly(times_s - times_s[0], values, rate_hz=even_hz, longest_s=longest_s, name=name)
            rate_hz, runs[name] = even_hz, even.runs
            repairs += even.repairs
        signals[name] = Signal(name, columns[0].unit, rate_hz, tuple(column.channel for column in columns))
    return Table(signals, runs, start_s, tuple(repairs))


def _check(path: Path, names: list[str], cells: NDArray[np.float64]) -> None:
    if names[:1] != [TIME] or len(names) < 2:
        raise DatasetError(f"{path}: wanted the columns {TIME} and one or more of samples, found {names}")
    absent = np.flatnonzero(~np.isfinite(cells[:, 0]))
    if len(absent):
        raise DatasetError(f"{path}: row {absent[0] + 1} has no {TIME}")
    huge = np.flatnonzero((np.abs(cells) > LARGEST).any(axis=1))
    if len(huge):
        raise DatasetError(f"{path}: row {huge[0] + 1} holds a number that is neither a sample nor a time")


def _columns(path: Path, names: list[str], cells: NDArray[np.float64]) -> dict[str, list[_Column]]:
    """Return the columns of each signal."""
    found: dict[str, list[_Column]] = {}
    for number, name in enumerate(names[1:], 1):
        match = HEADER.fullmatch(name.strip())
        if match is None:
            raise DatasetError(f"{path}: the column {name!r} should be named like 'acc.x [g]' or 'ecg [mV]'")
        signal = match["signal"].strip()
        column = _Column((match["channel"] or signal).strip(), (match["unit"] or "").strip(), cells[:, number])
        found.setdefault(signal, []).append(column)
    for signal, columns in found.items():
        if len({column.unit for column in columns}) > 1:
            raise DatasetError(f"{path}: the channels of {signal!r} are in several units: {[c.unit for c in columns]}")
        if len({column.channel for column in columns}) < len(columns):
            raise DatasetError(f"{path}: two columns of {signal!r} have one name: {[c.channel for c in columns]}")
    return found


def _grid(where: str, times_s: NDArray[np.float64]) -> _Grid:
    """Return rate and places of samples whose spacing is even but for gaps."""
    apart_s = np.diff(times_s)
    back = np.flatnonzero(apart_s <= 0)
    if len(back):
        raise DatasetError(
            f"{where} is out of order: sample {back[0] + 2} is {-apart_s[back[0]]:g} s before or at the one before it; "
            "sort the table, or give even_hz"
        )
    longest_s = 1.5 * float(np.mean(apart_s[apart_s < 1.5 * np.median(apart_s)]))
    pieces = np.split(times_s, np.flatnonzero(apart_s > longest_s) + 1)
    spanned_s = sum(float(piece[-1] - piece[0]) for piece in pieces)
    rate_hz = _short((len(times_s) - len(pieces)) / spanned_s, spanned_s)
    uneven = sum(_uneven(piece, rate_hz) for piece in pieces)
    if uneven:
        raise DatasetError(
            f"{where} is sampled unevenly: {uneven} of {len(times_s)} samples are off by more than {JITTER:g} of an "
            f"interval, at steps from {apart_s.min():g} to {apart_s.max():g} s and about {rate_hz:.4g} Hz; "
            "give even_hz to have it interpolated"
        )
    return _Grid(rate_hz, _places(where, pieces, rate_hz))


def _short(rate_hz: float, spanned_s: float) -> float:
    """Return the shortest number that is the rate, as far as the times can tell: times are rounded, and rates are not.

    >>> _short(50.00000012, 60.0), _short(103.5987654, 3600.0)
    (50.0, 103.59877)
    """
    shorter = (float(f"{rate_hz:.{digits}g}") for digits in range(1, 17))
    return next((short for short in shorter if abs(short - rate_hz) * spanned_s < SLIP), rate_hz)


def _places(where: str, pieces: list[NDArray[np.float64]], rate_hz: float) -> NDArray[np.int64]:
    """Return the places of all samples `(n,)`, those of each piece one after the other."""
    places: list[NDArray[np.int64]] = []
    end = 0
    for piece in pieces:
        first = max(end, round(float(piece[0]) * rate_hz))
        if first > LONGEST:
            raise DatasetError(f"{where} has a gap of {first - end} samples at {rate_hz:g} Hz: are its times in s?")
        end = first + len(piece)
        places.append(np.arange(first, end, dtype=np.int64))
    return np.concatenate(places)


def _uneven(times_s: NDArray[np.float64], rate_hz: float) -> int:
    """Return how many samples without a gap between them are not where they should be."""
    early = (times_s - times_s[0]) * rate_hz - np.arange(len(times_s))
    return int((np.abs(early - np.median(early)) > JITTER).sum())


def _runs(places: NDArray[np.int64], values: NDArray[np.float64]) -> list[Run]:
    begins = np.r_[0, np.flatnonzero(np.diff(places) != 1) + 1]
    pieces = np.split(values.astype(np.float32), begins[1:])
    return [Run(int(places[begin]), piece) for begin, piece in zip(begins, pieces, strict=True)]


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a table; DatasetError if it cannot be read."""
    if path.suffix.lower() == ".parquet":
        parquet, arrow = require("pyarrow.parquet", "formats"), require("pyarrow", "formats")
        try:
            return list(parquet.read_schema(path).names)
        except (OSError, ValueError, arrow.ArrowException) as error:
            raise DatasetError(f"{path} cannot be read as Parquet: {error}") from error
    return next(_lines(path), [])


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.reader(file, skipinitialspace=True)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as CSV: {error}") from error


def _csv(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    lines = _lines(path)
    names = [name.strip() for name in next(lines, [])]
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 2):
        if len(line) != len(names):
            raise DatasetError(f"{path}, line {number}: wanted {len(names)} cells, found {len(line)}: is it cut short?")
        try:
            rows.append([float(cell) if cell.strip() else np.nan for cell in line])
        except ValueError as error:
            raise DatasetError(f"{path}, line {number}: {error}") from error
    return names, np.array(rows, np.float64).reshape(len(rows), len(names))


def _parquet(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    parquet, arrow = require("pyarrow.parquet", "formats"), require("pyarrow", "formats")
    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            table = file.read()
        columns = [column.cast(arrow.float64()).to_numpy() for column in table.columns]
    except (OSError, ValueError, arrow.ArrowException) as error:
        raise DatasetError(f"{path} cannot be read as Parquet of numbers: {error}") from error
    return list(table.column_names), np.stack(columns, axis=1)
