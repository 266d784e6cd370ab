"""Labels from annotation files: `.atr` of WFDB, and EDF+ and BDF+."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError, RecordingError
from pulselet.stream.convert import wfdb_annotations
from pulselet.stream.convert.edf_file import Header, tals
from pulselet.stream.convert.marks import LABEL, parse
from pulselet.stream.convert.wfdb_annotations import Columns
from pulselet.stream.corpus import Labels
from pulselet.stream.label_tables import ANNOTATION, LONGEST
from pulselet.stream.vocabulary import BEATS, MARKS, MIT_CODES, RHYTHMS, SIGNAL_QUALITY

QUALITY_OF_TWO = ("clean", "first channel noisy", "second channel noisy", "both channels noisy", "unreadable")
_QUALITY, _RHYTHM, _CODES = 14, 28, 64
_DEFINITION = re.compile(r"(\d{1,2}) (\S+)(?: .*)?", re.DOTALL)


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
        read, said_hz, own = of_record(wfdb_annotations.columns(path))
    except (RecordingError, OSError) as error:
        raise DatasetError(f"{path} cannot be read as annotations: {error}") from error
    header_hz, header_end = _header(path.with_suffix(".hea"))
    ticks_hz = rate_hz or said_hz or header_hz
    if not ticks_hz or not ticks_hz > 0:
        raise DatasetError(f"{path} does not state its rate, and there is no header beside it: give rate_hz")
    if end is None and header_hz and header_end:
        end = round(header_end * ticks_hz / header_hz)
    last = int(read.tick.max()) + 1 if len(read.tick) else 0
    if end is not None and last > end:
        raise DatasetError(
            f"{path}: {(read.tick >= end).sum()} annotations are beyond the end of the record, tick {end}"
        )
    try:
        labels = of_annotations(
            read, last if end is None else end, rate_hz=ticks_hz, symbols={**MIT_CODES, **own}, rater=path.name
        )
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    return {kind: one for kind, one in labels.items() if len(one)}


def of_record(read: Columns) -> tuple[Columns, float | None, dict[int, str]]:
    """Return the annotations that speak of the record, and what the others say of the file.

    That is ticks per second, if it is said, and the symbols of codes that the file defines itself.
    """
    about, said_hz, symbols = [], None, dict[int, str]()
    defining = False
    for row, text in read.texts.items():
        if read.tick[row] or read.code[row] != wfdb_annotations.NOTE:
            continue
        if (said := wfdb_annotations.RESOLUTION.fullmatch(text)) and float(said[1]):
            said_hz = float(said[1])
        elif text in (wfdb_annotations.BEGIN, wfdb_annotations.END):
            defining = text == wfdb_annotations.BEGIN
        elif defining and (said := _DEFINITION.fullmatch(text)):
            symbols[int(said[1])] = said[2]
        elif not text.startswith("## "):
            continue
        about.append(row)
    if not about:
        return read, said_hz, symbols
    return rows_of(read, np.delete(np.arange(len(read.tick)), about)), said_hz, symbols


def rows_of(read: Columns, rows: NDArray[np.int64]) -> Columns:
    """Return some annotations, in the order of `rows`."""
    texts = {new: read.texts[row] for new, row in enumerate(rows.tolist()) if row in read.texts}
    return Columns(read.tick[rows], read.code[rows], read.channel[rows], read.subtype[rows], texts)


def of_annotations(
    read: Columns,
    end: int,
    *,
    rate_hz: float,
    symbols: Mapping[int, str] = MIT_CODES,
    two_channels: bool = False,
    rater: str = "",
) -> dict[str, Labels]:
    """Return the labels of a record by kind: those that `from_atr` describes, each of them, though it be empty.

    Parameters
    ----------
    read
        What speaks of the record, in the order of time.
    end
        Ticks of the record, where its last rhythm and quality end.
    rate_hz
        Ticks per second.
    symbols
        By code; a code that has none is the mark "code 42".
    two_channels
        Say of a noisy record of two channels which one is (`QUALITY_OF_TWO`).

    Raises
    ------
    DatasetError
        If time goes back.
    """
    codes = set(np.unique(read.code).tolist()) - {_RHYTHM, _QUALITY, wfdb_annotations.NOTE}
    words = {code: symbols.get(code, f"code {code}") for code in codes}
    beats = {code: word for code, word in words.items() if word in BEATS}
    marks = {code: word for code, word in words.items() if word not in BEATS}
    found = {
        kind: _instants(kind, read, own, tuple(usual), rate_hz, rater)
        for kind, own, usual in (("beat", beats, BEATS), ("mark", marks, MARKS))
    }
    rows = np.flatnonzero(read.code == _RHYTHM)
    tick, said = read.tick[rows], [word.removeprefix("(") for word in _texts(read, rows)]
    rhythms = (*RHYTHMS, *sorted(set(said) - set(RHYTHMS)))
    until = _until_next(tick, end)
    found["rhythm"] = Labels.of("rhythm", said, tick, until, rate_hz=rate_hz, vocabulary=rhythms, rater=rater)
    rows = np.flatnonzero(read.code == _QUALITY)
    tick, subtype = read.tick[rows], read.subtype[rows]
    vocabulary = QUALITY_OF_TWO if two_channels else SIGNAL_QUALITY
    noisy = subtype & 3 if two_channels else (subtype & 0x0F > 0).astype(np.int64)
    quality = np.where(subtype & 0xF0, len(vocabulary) - 1, noisy)  # a bit for each noisy channel, above them lost ones
    found["quality"] = Labels("quality", vocabulary, tick, _until_next(tick, end), quality, rate_hz, rater)
    rows = np.flatnonzero(read.code == wfdb_annotations.NOTE)
    found["note"] = Labels.of("note", _texts(read, rows), read.tick[rows], rate_hz=rate_hz, rater=rater)
    return found


def _instants(
    kind: str, read: Columns, words: Mapping[int, str], usual: tuple[str, ...], rate_hz: float, rater: str
) -> Labels:
    """Return the labels of the codes that have a word."""
    vocabulary = (*usual, *sorted(set(words.values()) - set(usual)))
    numbers = np.full(_CODES, -1, np.int64)
    for code, word in words.items():
        numbers[code] = vocabulary.index(word)
    codes = numbers[read.code]
    return Labels(kind, vocabulary, read.tick[codes >= 0], None, codes[codes >= 0], rate_hz, rater)


def _texts(read: Columns, rows: NDArray[np.int64]) -> list[str]:
    return [read.texts.get(row, "").strip("\0 ") for row in rows.tolist()]


def _until_next(begin: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    return np.append(begin[1:], end) if len(begin) else begin


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
