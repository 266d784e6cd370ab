"""Reads WFDB annotation files in the MIT format (annot(5)).

Words of 16 bits, little-endian: six bits say what it is, ten hold a number. The package wfdb is not used for it: its
`rdann` 4.3 does not come back from some damaged files, and leaves out comments at sample 0.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from pulselet.errors import RecordingError

NOTE, SKIP, NUMBER, SUBTYPE, CHANNEL, TEXT = 22, 59, 60, 61, 62, 63
_RESOLUTION = re.compile(r"## time resolution: (\d{1,9}(?:\.\d{0,9})?)")
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
    for one in _all(path):
        about_file = one.tick == 0 and one.code == NOTE
        if about_file and (said := _RESOLUTION.fullmatch(one.text)) and float(said[1]):
            ticks_hz = float(said[1])
        elif about_file and one.text in (BEGIN, END):
            defining = one.text == BEGIN
        elif about_file and defining and (said := _DEFINITION.fullmatch(one.text)):
            symbols[int(said[1])] = said[2]
        else:
            found.append(one)
    return Annotations(found, ticks_hz, symbols)


def _all(path: Path) -> list[Annotation]:
    """Return the annotations as they stand in the file."""
    data = path.read_bytes()
    found: list[Annotation] = []
    at = tick = channel = 0
    while at + 2 <= len(data):
        word = int.from_bytes(data[at : at + 2], "little")
        at += 2
        code, number = word >> 10, word & 0x3FF
        if word == 0:
            break
        if code == SKIP:
            jump = data[at : at + 4]  # the high word comes first
            tick += int.from_bytes(jump[2:4] + jump[:2], "little", signed=True)
            at += 4
        elif code == CHANNEL:
            channel = number & 0xFF
            found.append(_last(path, found)._replace(channel=channel))
        elif code == TEXT:
            found.append(_last(path, found)._replace(text=_text(data[at : at + number])))
            at += number + number % 2
        elif code not in (NUMBER, SUBTYPE):
            tick += number
            found.append(Annotation(tick, code, channel, ""))
        if at > len(data) or (found and found[-1].tick < 0):
            raise RecordingError(f"{path} is damaged: at byte {at} of {len(data)} an annotation is cut or out of place")
    return [one for one in found if one.code]  # code 0 only carries a jump


def _last(path: Path, found: list[Annotation]) -> Annotation:
    """Take away the annotation that a field belongs to, and return it."""
    if not found:
        raise RecordingError(f"{path} is damaged: it begins in the middle of an annotation")
    return found.pop()


def _text(data: bytes) -> str:
    """Return a text, UTF-8 if it can be read so."""
    raw = data.rstrip(b"\0")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
