"""Labels from annotation files in the MIT format (annot(5)), as the MIT-BIH databases use it.

What the codes and the subtypes mean: https://archive.physionet.org/physiobank/annotations.shtml.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError, RecordingError
from pulselet.stream.convert import wfdb_annotations
from pulselet.stream.convert.wfdb_annotations import Columns
from pulselet.stream.corpus import Labels
from pulselet.stream.vocabulary import BEATS, MARKS, MIT_CODES, RHYTHMS
from pulselet_datasets._wfdb_header import Header

QUALITY = ("clean", "first channel noisy", "second channel noisy", "both channels noisy", "unreadable")
KINDS = ("beat", "rhythm", "quality", "mark", "note")
_UNUSED = -1
_BEAT_CODES = {symbol: number for number, symbol in enumerate(BEATS)}
_MARK_CODES = {symbol: number for number, symbol in enumerate(MARKS)}


def _table(numbers: Mapping[str, int]) -> NDArray[np.int64]:
    """Return, by number in the file, the place in a vocabulary of symbols."""
    return np.array([numbers.get(MIT_CODES.get(code, ""), _UNUSED) for code in range(64)], np.int64)


_TO_BEAT, _TO_MARK = _table(_BEAT_CODES), _table(_MARK_CODES)
_RHYTHM, _QUALITY, _NOTE = 28, 14, wfdb_annotations.NOTE


def read_annotations(path: Path, header: Header, repairs: list[str]) -> tuple[Columns, float]:
    """Return what an annotation file says of a record's samples, in order, and ticks per second; repairs are added.

    Raises
    ------
    DatasetError
        If the file is damaged.
    """
    try:
        read = wfdb_annotations.columns(path)
    except (RecordingError, OSError) as error:
        raise DatasetError(f"{error}; fetch {path.name} again") from error
    ticks_hz = header.rate_hz
    about_file = np.zeros(len(read.tick), np.bool_)
    for row, text in read.texts.items():
        if read.tick[row] == 0 and read.code[row] == wfdb_annotations.NOTE and text.startswith("## "):
            about_file[row] = True
            said = wfdb_annotations.RESOLUTION.fullmatch(text)
            ticks_hz = float(said[1]) if said and float(said[1]) else ticks_hz
    beyond = read.tick >= header.samples * ticks_hz / header.rate_hz
    if beyond.any():
        repairs.append(f"{path.name}: {beyond.sum()} annotations beyond the last sample are left out")
    back = int((np.diff(read.tick) < 0).sum())
    if back:
        repairs.append(f"{path.name}: time goes back {back} times; the annotations are put in order")
    order = np.argsort(read.tick, kind="stable")
    return _taken(read, order[~(about_file | beyond)[order]]), ticks_hz


def _taken(read: Columns, rows: NDArray[np.int64]) -> Columns:
    texts = {new: read.texts[row] for new, row in enumerate(rows.tolist()) if row in read.texts}
    return Columns(read.tick[rows], read.code[rows], read.channel[rows], read.subtype[rows], texts)


def labels(read: Columns, end: int, ticks_hz: float, rater: str) -> dict[str, Labels]:
    """Return the labels of a record of two channels by kind: those in `KINDS`, each of them, though it be empty.

    "beat" (instants, MIT codes), "rhythm" and "quality" (intervals, each until the next, the last until `end`),
    "mark" (instants, all other codes) and "note" (instants, the text of comments). Nothing is said of the time before
    the first rhythm or quality.
    """
    beats, marks = _TO_BEAT[read.code], _TO_MARK[read.code]
    found = {}
    for kind, codes, words in (("beat", beats, tuple(BEATS)), ("mark", marks, tuple(MARKS))):
        is_one = codes != _UNUSED
        found[kind] = Labels(kind, words, read.tick[is_one], None, codes[is_one], ticks_hz, rater)
    rows = np.flatnonzero(read.code == _RHYTHM)
    said = [read.texts.get(row, "").strip("\0 ").removeprefix("(") for row in rows.tolist()]
    strange = tuple(sorted(set(said) - set(RHYTHMS)))
    until = _until_next(read.tick[rows], end)
    words = (*RHYTHMS, *strange)
    found["rhythm"] = Labels.of("rhythm", said, read.tick[rows], until, rate_hz=ticks_hz, vocabulary=words, rater=rater)
    rows = np.flatnonzero(read.code == _QUALITY)
    of_subtype = read.subtype[rows]  # a bit for each channel with noise; -1 where nothing can be read
    quality = np.where(of_subtype < 0, len(QUALITY) - 1, of_subtype & 3)
    until = _until_next(read.tick[rows], end)
    found["quality"] = Labels("quality", QUALITY, read.tick[rows], until, quality, ticks_hz, rater)
    rows = np.flatnonzero(read.code == _NOTE)
    texts = [read.texts.get(row, "").strip("\0 ") for row in rows.tolist()]
    found["note"] = Labels.of("note", texts, read.tick[rows], rate_hz=ticks_hz, rater=rater)
    return found


def _until_next(begin: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    return np.append(begin[1:], end) if len(begin) else begin
