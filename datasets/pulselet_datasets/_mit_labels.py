"""Annotation files in the MIT format (annot(5)), as the MIT-BIH databases use it; what is mended is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pulselet.errors import DatasetError, RecordingError
from pulselet.stream.convert import wfdb_annotations
from pulselet.stream.convert.wfdb_annotations import Columns
from pulselet.stream.corpus import Labels
from pulselet.stream.label_imports import of_annotations, of_record, rows_of
from pulselet_datasets._wfdb_header import Header

KINDS = ("beat", "rhythm", "quality", "mark", "note")


def read_annotations(path: Path, header: Header, repairs: list[str]) -> tuple[Columns, float]:
    """Return what an annotation file says of a record's samples, in order, and ticks per second; repairs are added.

    `pulselet.stream.label_imports.from_atr` refuses what is mended here: a file of one's own can be put right.

    Raises
    ------
    DatasetError
        If the file is damaged.
    """
    try:
        read, said_hz, _ = of_record(wfdb_annotations.columns(path))
    except (RecordingError, OSError) as error:
        raise DatasetError(f"{error}; fetch {path.name} again") from error
    ticks_hz = said_hz or header.rate_hz
    beyond = read.tick >= header.samples * ticks_hz / header.rate_hz
    if beyond.any():
        repairs.append(f"{path.name}: {beyond.sum()} annotations beyond the last sample are left out")
    back = int((np.diff(read.tick) < 0).sum())
    if back:
        repairs.append(f"{path.name}: time goes back {back} times; the annotations are put in order")
    if beyond.any() or back:
        order = np.argsort(read.tick, kind="stable")
        read = rows_of(read, order[~beyond[order]])
    return read, ticks_hz


def read_labels(path: Path, header: Header, rater: str, repairs: list[str]) -> dict[str, Labels]:
    """Return the labels of a record of two channels by kind, each of `KINDS`; none, a repair, if there is no file.

    Raises
    ------
    DatasetError
        If the file is damaged.
    """
    if not path.is_file():
        repairs.append(f"{path.name} is not there: no labels")
        return {}
    read, ticks_hz = read_annotations(path, header, repairs)
    end = round(header.samples * ticks_hz / header.rate_hz)
    return of_annotations(read, end, rate_hz=ticks_hz, two_channels=True, rater=rater)
