"""Labels from annotation files: `.atr` of WFDB, and EDF+ and BDF+."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from pulselet.errors import DatasetError, RecordingError
from pulselet.stream.convert import wfdb_annotations
from pulselet.stream.convert.edf_file import Header, tals
from pulselet.stream.convert.marks import LABEL, parse
from pulselet.stream.corpus import Labels
from pulselet.stream.label_tables import ANNOTATION, LONGEST
from pulselet.stream.vocabulary import BEATS, MARKS, MIT_CODES, RHYTHMS, SIGNAL_QUALITY

_QUALITY, _RHYTHM, _SYSTEM = 14, 28, (0, *range(59, 64))
_ON_ALL = -1  # subtype of a change of quality: nothing can be read


def from_atr(path: str | Path, *, rate_hz: float | None = None, end: int | None = None) -> dict[str, Labels]:
    """Return the labels of a WFDB annotation file by kind; of the kinds below, those that it has.

    "beat" (instants, MIT codes), "rhythm" and "quality" (intervals, each until the next), "mark" (instants, all other
    codes) and "note" (instants, the text of comments). A change of quality counts as "noisy" or "unreadable" if it is
    so on any channel. Nothing is said of the time before the first rhythm or quality.

    Parameters
    ----------
    rate_hz
        Ticks per second; if not given, as the file says, or else as the header beside it (`100.hea`) does.
    end
        Ticks of the record, where its last rhythm and quality end; if not given, as the header says, or else where the
        last annotation is.

    Raises
    ------
    DatasetError
        If the file is not there, is damaged, annotations are out of order or beyond the end, or nobody knows the rate.

    Notes
    -----
    Codes: https://archive.physionet.org/physiobank/annotations.shtml.
    """
    path = Path(path)
    try:
        found, said_hz, own = wfdb_annotations.read(path)
        subtypes = _subtypes(path, found)
    except (RecordingError, OSError) as error:
        raise DatasetError(f"{path} cannot be read as annotations: {error}") from error
    header_hz, header_end = _header(path.with_suffix(".hea"))
    ticks_hz = rate_hz or said_hz or header_hz
    if not ticks_hz or not ticks_hz > 0:
        raise DatasetError(f"{path} does not state its rate, and there is no header beside it: give rate_hz")
    if end is None and header_hz and header_end:
        end = round(header_end * ticks_hz / header_hz)
    ticks = np.array([one.tick for one in found], np.int64)
    last = int(ticks.max()) + 1 if len(ticks) else 0
    if end is not None and last > end:
        raise DatasetError(f"{path}: {(ticks >= end).sum()} annotations are beyond the end of the record, tick {end}")
    symbols = {**MIT_CODES, **own}
    by_kind: dict[str, list[tuple[int, str]]] = {}
    for one, subtype in zip(found, subtypes, strict=True):
        if one.code not in _SYSTEM:
            kind, word = _meaning(symbols.get(one.code, f"code {one.code}"), one.code, one.text, subtype)
            by_kind.setdefault(kind, []).append((one.tick, word))
    return {kind: _of_atr(path, kind, rows, ticks_hz, last if end is None else end) for kind, rows in by_kind.items()}


def _subtypes(path: Path, found: Sequence[wfdb_annotations.Annotation]) -> list[int]:
    """Return the subtypes of the annotations that do not speak of the file, which are some of all, in their order."""
    read = wfdb_annotations.columns(path)
    subtypes: list[int] = []
    for one, subtype in zip(read.each(), read.subtype.tolist(), strict=True):
        if len(subtypes) < len(found) and one == found[len(subtypes)]:
            subtypes.append(subtype)
    return subtypes


def _header(path: Path) -> tuple[float | None, int | None]:
    """Return rate and length in samples by the record line of a WFDB header, as far as it says (header(5))."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None, None
    record = next((line.split() for line in lines if line.strip() and not line.startswith("#")), [])
    rate = re.match(r"[\d.]+", record[2]) if len(record) > 2 else None
    try:
        return (float(rate[0]) if rate else None), (int(record[3]) if len(record) > 3 else None)
    except ValueError:
        return None, None


def _meaning(symbol: str, code: int, text: str, subtype: int) -> tuple[str, str]:
    """Return kind and word of an annotation."""
    if code == _RHYTHM:
        return "rhythm", text.strip("\0 ").removeprefix("(")
    if code == _QUALITY:  # a bit for each channel with noise; above these, one for each that cannot be read
        unreadable = subtype == _ON_ALL or subtype & 0xF0
        return "quality", SIGNAL_QUALITY[2 if unreadable else int(bool(subtype & 0x0F))]
    if code == wfdb_annotations.NOTE:
        return "note", text.strip("\0 ")
    return ("beat" if symbol in BEATS else "mark"), symbol


def _of_atr(path: Path, kind: str, rows: Sequence[tuple[int, str]], ticks_hz: float, end: int) -> Labels:
    begin, words = [tick for tick, _ in rows], [word for _, word in rows]
    known = {"beat": tuple(BEATS), "mark": tuple(MARKS), "rhythm": tuple(RHYTHMS), "quality": SIGNAL_QUALITY}
    usual = known.get(kind, ())
    vocabulary = (*usual, *sorted(set(words) - set(usual)))
    until = [*begin[1:], end] if kind in ("rhythm", "quality") else None
    try:
        return Labels.of(kind, words, begin, until, rate_hz=ticks_hz, vocabulary=vocabulary, rater=path.name)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def from_edf(
    path: str | Path,
    *,
    rate_hz: float = 1000.0,
    kind: str = ANNOTATION,
    words: Mapping[str, str | None] | None = None,
    vocabulary: tuple[str, ...] | None = None,
) -> Labels:
    """Return the annotations of an EDF+ or BDF+ file, which need not hold a signal; times count from its first record.

    They are intervals if one of them has a length; those without one then last for no time. What Pulselet writes of
    gaps and events is left out, and the `@@` with the name of a signal after a text, too (EDF+ 2.2.2 to 2.2.4).

    Parameters
    ----------
    rate_hz
        Of the samples in which the labels count; onsets are rounded to them.
    words
        The word for each text, or None to leave it out, such as {"Sleep stage W": "W", "Sleep stage ?": None}.
    vocabulary
        The words in their order.

    Raises
    ------
    DatasetError
        If the file cannot be read, holds no annotation channel, a text has no word, or the rate is none.
    """
    path = Path(path)
    if not 0 < rate_hz < math.inf:
        raise DatasetError(f"wanted a rate above 0 Hz to count in, got {rate_hz}")
    try:
        header = Header.read(path)
        found = list(_edf_annotations(path, header))
    except (RecordingError, OSError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    texts = [parse(text.partition("@@")[0]) for _, _, text in found]
    kept = sorted(
        (round(at_s * Fraction(rate_hz)), round((at_s + length_s) * Fraction(rate_hz)), text)
        for (at_s, length_s, _), (what, text) in zip(found, texts, strict=True)
        if what == LABEL
    )
    if any(abs(at) > LONGEST for row in kept for at in row[:2]):
        raise DatasetError(f"{path}: an annotation is beyond what can be counted at {rate_hz:g} Hz")
    begin, end, said = ([row[place] for row in kept] for place in range(3))
    until = end if any(length_s for _, length_s, _ in found) else None
    try:
        labels = Labels.of(kind, [str(text) for text in said], begin, until, rate_hz=rate_hz, rater=path.name)
        if words is not None:
            return labels.mapped(words, vocabulary)
        return labels if vocabulary is None else labels.mapped({word: word for word in vocabulary}, vocabulary)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def _edf_annotations(path: Path, header: Header) -> Iterator[tuple[Fraction, Fraction, str]]:
    """Yield onset and length in s from the first record, and text; those without text only keep time."""
    sizes = [channel.per_record * header.width for channel in header.channels]
    ends = np.cumsum(sizes).tolist()
    places = [
        (end - size, end)
        for channel, size, end in zip(header.channels, sizes, ends, strict=True)
        if channel.annotations
    ]
    if not places:
        raise DatasetError(f"{path} holds no channel of annotations: it is not EDF+ or BDF+")
    first_s: Fraction | None = None
    with path.open("rb") as file:
        for record in range(header.records):
            base = header.size + record * header.record_bytes
            for begin, end in places:
                file.seek(base + begin)
                for at_s, length_s, text in tals(file.read(end - begin)):
                    first_s = at_s if first_s is None else first_s
                    if text:
                        yield at_s - first_s, length_s, text
