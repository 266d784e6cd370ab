"""Tables of labels: CSV that people can write, and that `pulselet_datasets.folder` takes."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pulselet._replacing import replacing
from pulselet.errors import DatasetError
from pulselet.stream.corpus import Labels

ANNOTATION = "annotation"
"""Kind of what states none."""
LONGEST = 2**53
"""Samples that a time may be away from the zero: beyond, a float64 does not tell one from the next."""
COLUMNS = ("file", "subject", "kind", "label", "begin_s", "end_s", "rate_hz", "rater")


def to_csv(path: str | Path, labels: Iterable[Labels], *, file: str, subject: str) -> Path:
    """Write labels as a table, at once or not at all; one that is there is replaced.

    Parameters
    ----------
    path
        Of the table. `pulselet_datasets.folder(folder, labels=path)` takes it as it is.
    labels
        One of each kind.
    file, subject
        What they speak of: path of the recording inside its folder, and who wore the sensor. Without any label, one
        line says so much.

    Raises
    ------
    DatasetError
        If there is no subject, a word would not come back from the table, or the system refuses.
    """
    path = Path(path)
    if not subject.strip():
        raise DatasetError(f"{file} has no subject: without one, nobody can keep people apart")
    rows = [row for one in labels for row in _rows(one)]
    lost = sorted({row[1] for row in rows if not row[1] or row[1] != row[1].strip()})
    if lost:
        raise DatasetError(f"words of a table are not empty, and have no blanks around them; got {lost}")
    lines = [(file, subject, *row) for row in rows or [("",) * (len(COLUMNS) - 2)]]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(lines)
    try:
        with replacing(path) as table:
            table.write(text.getvalue().encode())
    except OSError as error:
        raise DatasetError(f"no labels were written to {path}: {error}") from error
    return path


def _rows(labels: Labels) -> Iterator[tuple[str, ...]]:
    """Yield kind, label, begin, end, rate and rater; the shortest digits that give a time again."""
    ends = [""] * len(labels) if labels.end is None else [repr(at) for at in labels.end_s.tolist()]
    for word, begin_s, end_s in zip(labels.words, labels.begin_s.tolist(), ends, strict=True):
        yield labels.kind, word, repr(begin_s), end_s, repr(float(labels.rate_hz)), labels.rater


class _Line(NamedTuple):
    where: str
    kind: str
    word: str
    begin_s: float
    end_s: float | None
    rate_hz: float
    rater: str


def from_csv(
    path: str | Path,
    *,
    file: str | None = None,
    rate_hz: float | None = None,
    vocabulary: Mapping[str, Sequence[str]] | None = None,
    kind: str = ANNOTATION,
) -> dict[str, Labels]:
    """Return the labels of a table by kind.

    The table has the columns `begin_s` and `label`; `end_s` (empty for an instant), `kind`, `rate_hz`, `rater` and
    `file` may be there, and all others are left alone.

    Parameters
    ----------
    file
        Take the lines of this file only; a table of several files wants it.
    rate_hz
        Of the samples in which the labels count, where the table does not say.
    vocabulary
        The words of each kind, in their order; those in use, in the order of the alphabet, if not given.
    kind
        Of lines that state none.

    Raises
    ------
    DatasetError
        If the table cannot be read, or a line is out of order, has a word that is not known, or no rate.
    """
    path = Path(path)
    found: dict[str, list[_Line]] = {}
    for line in _lines(path, file, rate_hz, kind):
        found.setdefault(line.kind, []).append(line)
    words = vocabulary or {}
    return {name: _of_table(path, name, lines, words.get(name)) for name, lines in found.items()}


def _lines(path: Path, file: str | None, rate_hz: float | None, kind: str) -> Iterator[_Line]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, skipinitialspace=True)
            names = reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
            if not {"begin_s", "label"} <= set(names):
                raise DatasetError(f"{path}: wanted the columns 'begin_s' and 'label', found {names}")
            files: dict[str, None] = {}
            for cells in reader:
                where = f"{path}, line {reader.line_num}"
                if None in cells or None in cells.values():
                    raise DatasetError(f"{where}: wanted {len(names)} cells, found another number")
                said = {str(name): str(cell).strip() for name, cell in cells.items()}
                files[said.get("file", "")] = None
                if file is None and len(files) > 1:
                    raise DatasetError(f"{path} is of several files, {', '.join(files)}, ...: say which with file=")
                if file in (None, said.get("file", file)) and (said["label"] or said["begin_s"]):
                    yield _line(where, said, rate_hz, kind)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a table of labels: {error}") from error


def _line(where: str, said: Mapping[str, str], rate_hz: float | None, kind: str) -> _Line:
    if not said["label"]:
        raise DatasetError(f"{where}: there is a begin_s, and no label")
    begin_s = _number(where, "begin_s", said["begin_s"])
    end_s = _number(where, "end_s", said["end_s"]) if said.get("end_s") else None
    rate = _number(where, "rate_hz", said["rate_hz"]) if said.get("rate_hz") else rate_hz
    if rate is None or not rate > 0:
        raise DatasetError(f"{where}: wanted a rate above 0 Hz for its samples, got {rate}: give rate_hz")
    if max(abs(begin_s), abs(end_s or 0.0)) * rate > LONGEST:
        raise DatasetError(f"{where}: {begin_s:g} to {end_s} s at {rate:g} Hz is beyond what can be counted")
    return _Line(where, said.get("kind") or kind, said["label"], begin_s, end_s, rate, said.get("rater", ""))


def _number(where: str, name: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(f"{where}: {name} should be a finite number, is {cell!r}")
    return value


def _of_table(path: Path, kind: str, lines: Sequence[_Line], vocabulary: Sequence[str] | None) -> Labels:
    rates = sorted({line.rate_hz for line in lines})
    if len(rates) > 1:
        raise DatasetError(f"{path}: labels of {kind!r} count at {len(rates)} rates, {rates}: give two kinds")
    if len({line.end_s is None for line in lines}) > 1:
        raise DatasetError(f"{path}: some labels of {kind!r} have an end_s and others not: give two kinds")
    begin = [round(line.begin_s * rates[0]) for line in lines]
    for before, after, line in zip(begin, begin[1:], lines[1:], strict=False):
        if after < before:
            raise DatasetError(f"{line.where}: labels are out of order: sort those of a kind by begin_s")
    end = [round(line.end_s * rates[0]) for line in lines if line.end_s is not None]
    words = [line.word for line in lines]
    raters = ", ".join(dict.fromkeys(line.rater for line in lines if line.rater))
    known = None if vocabulary is None else tuple(vocabulary)
    try:
        return Labels.of(kind, words, begin, end or None, rate_hz=rates[0], vocabulary=known, rater=raters)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
