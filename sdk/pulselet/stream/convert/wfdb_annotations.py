"""Reads WFDB annotation files in the MIT format (annot(5)).

Words of 16 bits, little-endian: six bits say what it is, ten hold a number. The package wfdb is not used for it: its
`rdann` 4.3 does not come back from some damaged files, and leaves out comments at sample 0.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import RecordingError

NOTE, SKIP, NUMBER, SUBTYPE, CHANNEL, TEXT = 22, 59, 60, 61, 62, 63
RESOLUTION = re.compile(r"## time resolution: (\d{1,9}(?:\.\d{0,9})?)")
_DEFINITION = re.compile(r"(\d{1,2}) (\S+)(?: .*)?", re.DOTALL)
BEGIN, END = "## annotation type definitions", "## end of definitions"


class Annotation(NamedTuple):
    """A time in ticks, a code, the number of a channel, and a text."""

    tick: int
    code: int
    channel: int
    text: str


class Annotations(NamedTuple):
    """All annotations, ticks per second if the file says, and the symbols of codes that it defines itself."""

    found: list[Annotation]
    ticks_hz: float | None
    symbols: dict[int, str]


class Columns(NamedTuple):
    """Annotations by column, int64 `(n,)`, and the texts of those rows that have one."""

    tick: NDArray[np.int64]
    code: NDArray[np.int64]
    channel: NDArray[np.int64]
    subtype: NDArray[np.int64]
    texts: dict[int, str]

    def each(self) -> list[Annotation]:
        """Return them one by one."""
        rows = zip(self.tick.tolist(), self.code.tolist(), self.channel.tolist(), strict=True)
        return [Annotation(*row, self.texts.get(at, "")) for at, row in enumerate(rows)]


def read(path: Path) -> Annotations:
    """Return what is in an annotation file.

    Raises
    ------
    RecordingError
        If it ends in the middle of an annotation, or begins before the record.
    """
    ticks_hz: float | None = None
    symbols: dict[int, str] = {}
    found: list[Annotation] = []
    defining = False
    for one in columns(path).each():
        about_file = one.tick == 0 and one.code == NOTE
        if about_file and (said := RESOLUTION.fullmatch(one.text)) and float(said[1]):
            ticks_hz = float(said[1])
        elif about_file and one.text in (BEGIN, END):
            defining = one.text == BEGIN
        elif about_file and defining and (said := _DEFINITION.fullmatch(one.text)):
            symbols[int(said[1])] = said[2]
        else:
            found.append(one)
    return Annotations(found, ticks_hz, symbols)


def columns(path: Path) -> Columns:
    """Return the annotations as they stand in the file, those that speak of the file among them.

    Only the words that make others of another kind, jumps and texts, are visited one by one.

    Raises
    ------
    RecordingError
        If it ends in the middle of an annotation, or begins before the record.
    """
    data = path.read_bytes()
    words = np.frombuffer(data, "<u2", len(data) // 2)
    jumps, texts, of_word = _visited(path, data, words)
    words = words[: len(of_word)]
    code, number = np.where(of_word, words >> 10, SKIP).astype(np.int64), (words & 0x3FF).astype(np.int64)
    is_row = code < SKIP
    row = np.cumsum(is_row) - 1  # of each word: the annotation that it belongs to
    step = np.where(is_row, number, 0)
    step[list(jumps)] = list(jumps.values())
    tick = np.cumsum(step)[is_row]
    owned = row[(code == CHANNEL) | (code == TEXT)]
    if len(owned) and owned[0] < 0:
        raise RecordingError(f"{path} is damaged: it begins in the middle of an annotation")
    if len(tick) and tick.min() < 0:
        at = int(np.flatnonzero(tick < 0)[0])
        raise RecordingError(f"{path} is damaged: annotation {at} is out of place, before the record begins")
    rows = len(tick)
    subtype = np.zeros(rows, np.int64)
    said = (code == SUBTYPE) & (row >= 0)
    subtype[row[said]] = number[said].astype(np.uint8).view(np.int8)
    channel = _lasting(row[code == CHANNEL], number[code == CHANNEL] & 0xFF, rows)
    named = {int(row[at]): text for at, text in texts.items()}
    kept = code[is_row] > 0  # code 0 only carries a jump
    if not kept.all():
        place = np.cumsum(kept) - 1
        named = {int(place[at]): text for at, text in named.items() if kept[at]}
    return Columns(tick[kept], code[is_row][kept], channel[kept], subtype[kept], named)


def _visited(
    path: Path, data: bytes, words: NDArray[np.uint16]
) -> tuple[dict[int, int], dict[int, str], NDArray[np.bool_]]:
    """Return jumps and texts by the place of their word, and of each word up to the end, whether it is one of its own.

    The words of a jump or a text, which follow it, are not.
    """
    jumps: dict[int, int] = {}
    texts: dict[int, str] = {}
    own = np.ones(len(words), np.bool_)
    code = words >> 10
    free = 0
    for at in np.flatnonzero((code == SKIP) | (code == TEXT) | (words == 0)).tolist():
        if at < free:
            continue
        if words[at] == 0:
            return jumps, texts, own[:at]
        first, count = 2 * at + 2, int(words[at]) & 0x3FF
        if code[at] == SKIP:  # the high word comes first
            jump = data[first : first + 4]
            jumps[at] = int.from_bytes(jump[2:4] + jump[:2], "little", signed=True)
            free = at + 3
        else:
            texts[at] = _text(data[first : first + count])
            free = at + 1 + (count + 1) // 2
        if free > len(words):
            raise RecordingError(f"{path} is damaged: at byte {first} of {len(data)} an annotation is cut")
        own[at + 1 : free] = False
    return jumps, texts, own


def _lasting(rows: NDArray[np.int64], values: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return a value for each of `count` rows: the last one said at it or before it, 0 where none was."""
    last = np.searchsorted(rows, np.arange(count), "right")
    return np.concatenate([np.zeros(1, np.int64), values])[last]


def _text(data: bytes) -> str:
    """Return a text, UTF-8 if it can be read so."""
    raw = data.rstrip(b"\0")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
