"""Bring your own: a folder of recordings and a table of who wore the sensor, and when what was, become a data set."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Labels, Recording
from pulselet_datasets import own_files
from pulselet_datasets._tables import number
from pulselet_datasets.card import Card, inside
from pulselet_datasets.dataset import Dataset, OnError

FILE, SUBJECT = "file", "subject"
SPAN = ("signal", "begin_s", "end_s", "label", "kind")
NOT_STATED = "not stated"
TOLERANCE_S = 1e-6  # by which a label may end after its recording, for times that were rounded


class _Row(NamedTuple):
    """A line of the label table; `begin_s` and `end_s` are None where the cell is empty."""

    line: int
    file: str
    subject: str
    signal: str
    begin_s: float | None
    end_s: float | None
    label: str
    kind: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Source:
    """What a recording is made from."""

    dataset: str
    folder: Path
    table: Path
    vocabulary: tuple[str, ...] | None
    how: own_files.How


def folder(
    path: str | Path,
    labels: str | Path = "labels.csv",
    card: Card | Mapping[str, Any] | None = None,
    *,
    kind: str = "activity",
    vocabulary: Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
    even_hz: float | None = None,
    longest_s: float = 0.5,
    on_error: OnError = "raise",
) -> Dataset:
    """Return the data set that a folder and a table of labels make; no recording is opened yet.

    The files are `.pulse`, WFDB (`.hea`), EDF, BDF, Parquet or CSV, or folders of E4 exports. CSV and Parquet are those
    that `pulselet convert` writes, or a table with a column `time_s` and one for each channel, such as `acc.x [g]`.

    The table is CSV and has the columns `file` (a path inside the folder) and `subject`. A recording has as many lines
    as labels, or one line without any. Further columns are `label`, `begin_s`, `end_s` (empty for an instant), `kind`
    if there are several kinds, and `signal`: seconds then count from the first sample of that signal, else from the
    recording's zero. All other columns are facts.

    When the iteration comes to a recording, its file is read once, for lengths and gaps; samples are not kept.

    Parameters
    ----------
    labels
        Path of the table, inside the folder or anywhere.
    card
        The card, or those of its fields that are known, such as `{"title": ..., "licence": ..., "splits": ...}`.
    kind
        Of the labels whose line states none.
    vocabulary
        The words of the labels, in the order of classes; those in use, in the order of the alphabet, if not given.
    units
        By signal name, where a file states none or one that is not known.
    even_hz, longest_s
        Interpolate uneven samples of plain tables linearly to this rate, with a gap where they are further apart than
        `longest_s`; each recording counts it in `repairs`. If not given, uneven samples are refused.
    on_error
        As in `load`; with "skip", files of the table that are not there are told in `missing` only.

    Raises
    ------
    DatasetError
        If there is no such folder or table, a line cannot be read, a file of the table is not there, or the card does
        not fit.
    """
    base = Path(path)
    if not base.is_dir():
        raise DatasetError(f"{base} is no folder: name the one that holds the recordings")
    table = Path(labels) if Path(labels).is_absolute() else base / labels
    rows = _grouped(table, _rows(table, kind))
    made = _card(base, card, rows)
    gone = [file for file in rows if not (base / file).exists()]
    if gone and on_error == "raise":
        raise DatasetError(f"{table} names {len(gone)} files that are not in {base}: {', '.join(gone[:12])}")
    words = None if vocabulary is None else tuple(vocabulary)
    source = _Source(made.name, base, table, words, own_files.How(dict(units or {}), even_hz, longest_s))
    there = {file: lines for file, lines in rows.items() if file not in gone}
    unlisted = _unlisted(base, table, set(rows))
    return Dataset(
        made,
        lambda: map(partial(_recording, source), there.values()),
        folder=base,
        on_error=on_error,
        unlisted=unlisted,
    )


def _unlisted(base: Path, table: Path, listed: set[str]) -> tuple[str, ...]:
    """Return the recordings below a folder that the table does not name."""
    names = (path.relative_to(base).as_posix() for path in own_files.candidates(base) if path != table)
    return tuple(name for name in names if name not in listed)


def _rows(table: Path, kind: str) -> Iterator[_Row]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            names = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = names
            if FILE not in names or SUBJECT not in names:
                raise DatasetError(f"{table}: wanted the columns {FILE!r} and {SUBJECT!r}, found {names}")
            for cells in reader:
                yield _row(table, reader.line_num, cells, kind)
    except FileNotFoundError as error:
        raise DatasetError(
            f"there is no table {table}: write one, CSV with the columns file, subject[, begin_s, end_s, label]"
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table} cannot be read as CSV: {error}") from error


def _row(table: Path, line: int, cells: Mapping[str | None, Any], kind: str) -> _Row:
    where = f"{table}, line {line}"
    if None in cells or None in cells.values():
        raise DatasetError(f"{where}: wanted {len([name for name in cells if name])} cells, found another number")
    text = {str(name): str(cell).strip() for name, cell in cells.items()}
    file, subject = text[FILE], text[SUBJECT]
    if not inside(file):
        raise DatasetError(f"{where}: {file!r} should be a path inside the folder")
    if not subject:
        raise DatasetError(f"{where}: {file} has no subject: without one, nobody can keep people apart")
    begin_s, end_s = (
        number(Path(where), name, text[name]) if text.get(name) else None for name in ("begin_s", "end_s")
    )
    label = text.get("label", "")
    if bool(label) != (begin_s is not None) or (end_s is not None and begin_s is None):
        raise DatasetError(f"{where}: a label wants its begin_s, and a begin_s its label")
    facts = tuple((name, cell) for name, cell in text.items() if name not in (FILE, SUBJECT, *SPAN) and cell)
    return _Row(line, file, subject, text.get("signal", ""), begin_s, end_s, label, text.get("kind") or kind, facts)


def _grouped(table: Path, rows: Iterator[_Row]) -> dict[str, list[_Row]]:
    """Return the lines by file, as both stand in the table."""
    found: dict[str, list[_Row]] = {}
    for row in rows:
        found.setdefault(row.file, []).append(row)
    for file, lines in found.items():
        people = list(dict.fromkeys(row.subject for row in lines))
        if len(people) > 1:
            raise DatasetError(f"{table} says that {file} is of {people}: a recording is of one subject")
    if not found:
        raise DatasetError(f"{table} has no line below its header: it should name at least one file")
    return found


def _card(base: Path, card: Card | Mapping[str, Any] | None, rows: Mapping[str, list[_Row]]) -> Card:
    """Return the card that was given, or one of what is known."""
    people = tuple(dict.fromkeys(lines[0].subject for lines in rows.values()))
    if isinstance(card, Card):
        strange = [subject for subject in people if subject not in card.subjects]
        if strange:
            raise DatasetError(f"the card {card.name!r} does not know the subjects {strange} of the table")
        return card if card.files else replace(card, files=tuple(rows))
    given = dict(card or {})
    unknown = sorted(set(given) - {one.name for one in fields(Card)})
    if unknown:
        raise DatasetError(f"a card has no {unknown}; it has {sorted(one.name for one in fields(Card))}")
    kinds = dict.fromkeys(row.kind for lines in rows.values() for row in lines if row.label)
    name = base.resolve().name
    usual: dict[str, Any] = {
        "name": name,
        "folder": name,
        "title": name,
        "what": NOT_STATED,
        "who": f"{len(people)} subjects",
        "sensors": (),
        "rates": {},
        "labels": dict.fromkeys(kinds, "by the table of labels"),
        "subjects": people,
        "licence": NOT_STATED,
        "citation": NOT_STATED,
        "files": tuple(rows),
    }
    return Card(**{**usual, **given})


def _recording(source: _Source, rows: Sequence[_Row]) -> Recording:
    """Return one recording."""
    path = source.folder / rows[0].file
    content = own_files.look(path, source.how)
    kinds = dict.fromkeys(row.kind for row in rows if row.label)
    labels = {kind: _labels(source, content, [row for row in rows if row.kind == kind and row.label]) for kind in kinds}
    facts = {key: value for row in rows for key, value in row.facts}
    return Recording(
        dataset=source.dataset,
        name=rows[0].file,
        subject=rows[0].subject,
        signals=content.signals,
        read=own_files.reader(path, source.how),
        labels={**content.labels, **labels},
        start_s=content.start_s,
        facts={**content.facts, **facts},
        repairs=content.repairs,
        files=tuple(own_files.parts(path)),
    )


def _labels(source: _Source, content: own_files.Content, rows: Sequence[_Row]) -> Labels:
    """Return the labels of one kind, counted at the rate of their signal, or else of the fastest."""
    where = f"{source.table}, {rows[0].file}"
    strange = sorted({row.signal for row in rows if row.signal} - set(content.signals))
    if strange:
        raise DatasetError(f"{where}: no signals {strange}; there are {sorted(content.signals)}")
    named = {row.signal for row in rows if row.signal} or set(content.signals)
    rate_hz = max((content.signals[name].rate_hz or 0.0 for name in named), default=0.0)
    if not rate_hz:
        raise DatasetError(f"{where}: {sorted(named)} have no rate, so that a label has no place on them")
    if len({row.end_s is None for row in rows}) > 1:
        raise DatasetError(f"{where}: some labels of {rows[0].kind!r} have an end_s and others not; give two kinds")
    spans = [_span(source, content, row) for row in rows]
    begin, end = ([round(span[side] * rate_hz) for span in spans] for side in (0, 1))
    if (np.diff(begin) < 0).any():
        line = rows[int(np.flatnonzero(np.diff(begin) < 0)[0]) + 1].line
        raise DatasetError(f"{source.table}, line {line}: labels are out of order: sort those of a file by begin_s")
    try:
        ends = None if rows[0].end_s is None else end
        words = [row.label for row in rows]
        return Labels.of(
            rows[0].kind, words, begin, ends, rate_hz=rate_hz, vocabulary=source.vocabulary, rater=source.table.name
        )
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}") from error


def _span(source: _Source, content: own_files.Content, row: _Row) -> tuple[float, float]:
    """Return begin and end of a label in s from the recording's zero; those of an instant are the same."""
    zero_s, until_s = content.span_s(row.signal)
    begin_s = zero_s + (row.begin_s or 0.0)
    end_s = begin_s if row.end_s is None else zero_s + row.end_s
    if end_s < begin_s:
        raise DatasetError(f"{source.table}, line {row.line}: {row.label!r} ends at {row.end_s:g} s, before it begins")
    if begin_s < zero_s or end_s > until_s + TOLERANCE_S:
        raise DatasetError(
            f"{source.table}, line {row.line}: {row.label!r} is from {begin_s:g} to {end_s:g} s, out of the range of "
            f"{row.file}, which is from {zero_s:g} to {until_s:g} s"
        )
    return begin_s, end_s
