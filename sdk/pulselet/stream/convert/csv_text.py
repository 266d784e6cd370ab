"""Tables as CSV: RFC 4180 with a header line, in UTF-8; a float32 in the shortest digits that give it again."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pulselet.errors import RecordingError
from pulselet.stream.convert.tables import FLOAT32, INT, REAL, ROWS, TEXT, Batch, Column

LARGEST = 2**63 - 1


def _whole(text: str) -> int:
    value = int(text)
    if abs(value) > LARGEST:
        raise ValueError(f"{text[:30]} does not fit into 64 bits")
    return value


PARSERS: dict[str, Callable[[str], Any]] = {INT: _whole, REAL: float, FLOAT32: float, TEXT: str}


class Csv:
    """CSV files."""

    suffix = ".csv"

    def write(self, path: Path, columns: Sequence[Column], batches: Iterable[Batch]) -> None:
        """Write a table; an empty cell is None."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(column.name for column in columns)
            for batch in batches:
                printed = (_printed(column, cells) for column, cells in zip(columns, batch, strict=True))
                writer.writerows(zip(*printed, strict=True))

    def read(self, path: Path, columns: Sequence[Column]) -> Iterator[Batch]:
        """Yield a table, some rows at a time.

        Raises
        ------
        RecordingError
            If the file is not there, or has other columns, or a cell is not what its column wants.
        """
        wanted = [column.name for column in columns]
        try:
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.reader(file)
                found = next(reader, [])
                if found != wanted:
                    raise RecordingError(f"{path}: wanted the columns {', '.join(wanted)}; found {', '.join(found)}")
                while rows := list(itertools.islice(reader, ROWS)):
                    yield _parsed(path, columns, rows, reader.line_num)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise RecordingError(f"{path} cannot be read as CSV: {error}") from error


def _printed(column: Column, cells: Sequence[Any]) -> Sequence[Any]:
    """Return what stands in the cells of a column."""
    if column.kind == FLOAT32:
        printed: list[str] = np.asarray(cells, np.float32).astype("U").tolist()  # the shortest digits of float32
        return printed
    return cells.tolist() if isinstance(cells, np.ndarray) else cells


def _parsed(path: Path, columns: Sequence[Column], rows: list[list[str]], last_line: int) -> Batch:
    if any(len(row) != len(columns) for row in rows):
        raise RecordingError(f"{path}, up to line {last_line}: a row has not {len(columns)} cells")
    batch: Batch = []
    for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
        parse = PARSERS[column.kind]
        try:
            batch.append(cells if column.kind == TEXT else [parse(cell) if cell else None for cell in cells])
        except ValueError as error:
            raise RecordingError(f"{path}, up to line {last_line}, column {column.name}: {error}") from error
    return batch
