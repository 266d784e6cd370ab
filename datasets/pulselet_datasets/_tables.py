"""What the loaders of text tables share: files that may be under gzip, columns of numbers, times that are not even."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Labels, Run

STANDARD_GRAVITY_M_S2 = 9.80665  # ISO 80000-3


def found(folder: Path, name: str) -> Path | None:
    """Return a file of this name in a folder, or the one under gzip; None if neither is there."""
    return next((path for suffix in ("", ".gz") if (path := folder / f"{name}{suffix}").is_file()), None)


def needed(folder: Path, name: str) -> Path:
    """Return a file as `found` does; DatasetError if it is not there."""
    path = found(folder, name)
    if path is None:
        raise DatasetError(f"{folder} has no {name} (nor {name}.gz): fetch the set again, or name another folder")
    return path


def text(path: Path) -> str:
    """Return the text of a file, unpacked if it ends in `.gz`.

    Raises
    ------
    DatasetError
        If it cannot be read, is empty, is not whole or is not UTF-8.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz" and content:
            content = gzip.decompress(content)
        plain = content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}; fetch it again") from error
    if not plain.strip():
        raise DatasetError(f"{path} is empty; fetch it again")
    return plain


def head(path: Path, lines: int) -> list[str]:
    """Return at most so many of the first lines of a file, without their ends; the rest of it is not read.

    Raises
    ------
    DatasetError
        If they cannot be read, or there is none.
    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig") as file
        ):
            first = [line.rstrip("\r\n") for line in islice(file, lines)]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}; fetch it again") from error
    if not first:
        raise DatasetError(f"{path} is empty; fetch it again")
    return first


def numbers(path: Path, columns: int, *, delimiter: str | None = None, skip: int = 0) -> NDArray[np.float64]:
    """Return a table of numbers `(n, columns)`.

    Parameters
    ----------
    delimiter
        Between cells; without one, white space is.
    skip
        Lines of a header that are left out.

    Raises
    ------
    DatasetError
        If the file cannot be read, has no row, a row of another length, or a cell that is no finite number.
    """
    lines = [line for line in text(path).splitlines()[skip:] if line.strip()]
    if not lines:
        raise DatasetError(f"{path} holds no row after {skip} lines of header; fetch it again")
    try:
        table = np.loadtxt(lines, delimiter=delimiter, ndmin=2)
    except ValueError as error:
        raise DatasetError(f"{path}: {str(error).split(';')[0]} (rows count after {skip} lines of header)") from error
    if table.shape[1] != columns:
        raise DatasetError(f"{path}: wanted {columns} columns, found {table.shape[1]}")
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(bad):
        raise DatasetError(f"{path}: {len(bad)} rows hold a number that is not finite, row {bad[0] + 1} first")
    return table


def rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file that has a header.

    Raises
    ------
    DatasetError
        If it cannot be read, lacks one of the columns, or a row is short.
    """
    reader = csv.DictReader(text(path).splitlines(), skipinitialspace=True)
    header = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = header
    absent = [name for name in columns if name not in header]
    if absent:
        raise DatasetError(f"{path} lacks the columns {absent}; it has {header}")
    found_rows = list(reader)
    for number, row in enumerate(found_rows, 2):
        if any(row[name] is None for name in columns):
            raise DatasetError(f"{path}, line {number}: wanted {len(header)} cells, found fewer")
    return found_rows


def number(path: Path, what: str, cell: str) -> float:
    """Return the number in a cell; DatasetError if it is none, or not finite."""
    try:
        value = float(cell)
    except ValueError as error:
        raise DatasetError(f"{path}: {what} should be a number, is {cell!r}") from error
    if not np.isfinite(value):
        raise DatasetError(f"{path}: {what} should be a finite number, is {cell!r}")
    return value


def folders(parent: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    """Yield name and path of the folders whose name matches, in the order of the numbers in them."""
    matching = [path for path in parent.iterdir() if path.is_dir() and re.fullmatch(pattern, path.name)]
    yield from ((path.name, path) for path in sorted(matching, key=lambda path: by_number(path.name)))


def by_number(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts S2 before S10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def spans(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return begins and ends (one past the last) of the stretches of equal codes.

    >>> spans(np.array([4, 4, 7]))
    (array([0, 2]), array([2, 3]))
    """
    edges = np.flatnonzero(np.diff(codes)) + 1
    return np.r_[0, edges].astype(np.int64), np.r_[edges, len(codes)].astype(np.int64)


class Even(NamedTuple):
    """Samples brought to an even rate."""

    runs: list[Run]  # values float32 (n, channels)
    nearest: list[NDArray[np.int64]]  # of each sample of each run, the row before it, `(n,)`
    repairs: tuple[str, ...]


def evenly(
    times_s: NDArray[np.float64], values: NDArray[np.float64], *, rate_hz: float, longest_s: float, name: str
) -> Even:
    """Return samples taken at uneven times, interpolated linearly at multiples of `1 / rate_hz`; all repairs counted.

    Where time goes back, what follows is another piece; the pieces are put in order. A sample at or before the time of
    one already there is left out. No sample is made between two that are further apart than `longest_s`: a new run
    begins.

    Parameters
    ----------
    times_s, values
        `(n,)` from the recording's zero, and `(n, channels)`.
    name
        Of the signal, for the repairs.

    Raises
    ------
    DatasetError
        If there are fewer than two samples at different times.
    """
    order = _in_order(times_s)
    latest_s = np.maximum.accumulate(times_s[order])
    kept = order[np.r_[True, times_s[order][1:] > latest_s[:-1]]]
    if len(kept) < 2:
        raise DatasetError(f"{name} has {len(kept)} samples at different times: an even rate wants two or more")
    apart = np.flatnonzero(np.diff(times_s[kept]) > longest_s) + 1
    runs, nearest, short = [], [], 0
    for rows_of in np.split(kept, apart):
        run, before = _interpolated(times_s[rows_of], values[rows_of], rate_hz)
        if len(run.values):
            runs.append(run)
            nearest.append(rows_of[before])
        else:
            short += len(rows_of)
    moved, dropped = int((np.diff(order) != 1).sum()), len(times_s) - len(kept)
    counted = (
        f"{name}: {len(kept)} samples at uneven times are interpolated linearly to {rate_hz:g} Hz",
        f"{name}: time goes back; {moved + 1} pieces are put in order" if moved else "",
        f"{name}: {dropped} samples are left out, at or before a time already there" if dropped else "",
        f"{name}: {len(apart)} gaps longer than {longest_s:g} s stay gaps" if len(apart) else "",
        f"{name}: {short} samples are left out, between gaps and at no multiple of the interval" if short else "",
    )
    return Even(runs, nearest, tuple(filter(None, counted)))


def _in_order(times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return rows such that pieces, at whose begins time goes back, stand in the order of their begins."""
    begins = np.r_[0, np.flatnonzero(np.diff(times_s) < 0) + 1]
    if len(begins) == 1:
        return np.arange(len(times_s), dtype=np.int64)
    pieces = np.split(np.arange(len(times_s), dtype=np.int64), begins[1:])
    return np.concatenate([pieces[i] for i in np.argsort(times_s[begins], kind="stable")])


def _interpolated(
    times_s: NDArray[np.float64], values: NDArray[np.float64], rate_hz: float
) -> tuple[Run, NDArray[np.int64]]:
    first, last = int(np.ceil(times_s[0] * rate_hz - 1e-9)), int(np.floor(times_s[-1] * rate_hz + 1e-9))
    at_s = np.arange(first, last + 1) / rate_hz
    columns = [np.interp(at_s, times_s, column) for column in values.T]
    before = np.clip(np.searchsorted(times_s, at_s + 1e-12, "right") - 1, 0, None)
    return Run(first, np.stack(columns, axis=1).astype(np.float32)), before


def labelled(
    kind: str, vocabulary: tuple[str, ...], codes: NDArray[np.int64], even: Even, rate_hz: float, rater: str = ""
) -> Labels:
    """Return intervals from codes that stand beside the samples before they were made even; each ends at a gap."""
    begin, end, code = [], [], []
    for run, nearest in zip(even.runs, even.nearest, strict=True):
        of_run = codes[nearest]
        first, last = spans(of_run)
        begin.append(run.first + first)
        end.append(run.first + last)
        code.append(of_run[first])
    joined = [np.concatenate(part) if part else np.empty(0, np.int64) for part in (begin, end, code)]
    return Labels(kind, vocabulary, joined[0], joined[1], joined[2], rate_hz, rater)


class Later(Mapping[str, Labels]):
    """Labels that are read when the first of them is asked for; their kinds are known before."""

    def __init__(self, kinds: Sequence[str], read: Callable[[], Mapping[str, Labels]]) -> None:
        self._kinds, self._read = tuple(kinds), read

    @cached_property
    def _labels(self) -> Mapping[str, Labels]:
        return self._read()

    def __getitem__(self, kind: str) -> Labels:
        if kind not in self._kinds:
            raise KeyError(kind)
        return self._labels[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._kinds

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)
