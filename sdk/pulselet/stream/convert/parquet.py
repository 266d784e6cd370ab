"""Tables as Parquet, through pyarrow: a row group for each batch, the unit in the metadata of each column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pulselet._extras import require
from pulselet.errors import RecordingError
from pulselet.stream.convert.tables import FLOAT32, INT, REAL, ROWS, TEXT, Batch, Column


class Parquet:
    """Parquet files; MissingExtraError if pyarrow is not installed."""

    suffix = ".parquet"

    def __init__(self) -> None:
        self._arrow = require("pyarrow", "formats")
        self._parquet = require("pyarrow.parquet", "formats")

    def write(self, path: Path, columns: Sequence[Column], batches: Iterable[Batch]) -> None:
        """Write a table; an empty cell is null."""
        schema = self._schema(columns)
        with self._parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in batches:
                cells = [
                    self._arrow.array(list(one) if field.type == self._arrow.string() else one, field.type)
                    for one, field in zip(batch, schema, strict=True)
                ]
                writer.write_batch(self._arrow.record_batch(cells, schema=schema))

    def read(self, path: Path, columns: Sequence[Column]) -> Iterator[Batch]:
        """Yield a table, some rows at a time.

        Raises
        ------
        RecordingError
            If the file is not there, is no Parquet, or has other columns.
        """
        wanted = self._schema(columns)
        try:
            with self._parquet.ParquetFile(path, pre_buffer=False) as file:  # else it is read ahead
                found = file.schema_arrow
                if not found.equals(wanted):
                    raise RecordingError(f"{path}: wanted the columns {_said(wanted)}; found {_said(found)}")
                for batch in file.iter_batches(ROWS):
                    yield [column.to_pylist() for column in batch.columns]
        except (OSError, ValueError, self._arrow.ArrowException) as error:  # ValueError: a text is not UTF-8
            raise RecordingError(f"{path} cannot be read as Parquet: {error}") from error

    def _schema(self, columns: Sequence[Column]) -> Any:
        arrow = self._arrow
        kinds = {INT: arrow.int64(), REAL: arrow.float64(), FLOAT32: arrow.float32(), TEXT: arrow.string()}
        return arrow.schema(
            arrow.field(column.name, kinds[column.kind], metadata={"unit": column.unit} if column.unit else None)
            for column in columns
        )


def _said(schema: Any) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)
