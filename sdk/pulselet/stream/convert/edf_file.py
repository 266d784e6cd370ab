"""EDF+ and BDF+ files: header, time-stamped annotations, and samples of 16 or 24 bits.

Kemp and Olivan, "European data format 'plus' (EDF+)", Clin Neurophysiol 114 (2003) 1755-1761,
https://www.edfplus.info/specs; van Beelen, "BDF+",
https://www.teuniz.net/edfbrowser/bdfplus%20format%20description.html. They are read and written here and not through
edfio, because edfio 0.4 writes no discontinuous file, does not give the onsets of the records of one, and holds the
whole file.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import RecordingError

EDF_BYTES, BDF_BYTES = 2, 3  # of a sample
NAMES = {EDF_BYTES: "EDF", BDF_BYTES: "BDF"}
VERSIONS = {EDF_BYTES: b"0       ", BDF_BYTES: b"\xffBIOSEMI"}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
FIELDS = (
    *(("label", 16), ("transducer", 80), ("unit", 8), ("low", 8), ("high", 8)),
    *(("digital_low", 8), ("digital_high", 8), ("filters", 80), ("per_record", 8), ("reserved", 32)),
)  # of a channel; all labels come first, then all transducers, and so on
HEADER_BYTES = 256
_DATE = re.compile(r"Startdate (\d\d)-([A-Z]{3})-(\d{4})(?: |$)")
_TAL = re.compile(rb"([+-]\d{1,15}(?:\.\d{0,30})?)(?:\x15(\d{1,15}(?:\.\d{0,30})?))?\x14([^\x00]*)\x14\x00")


@dataclass(frozen=True)
class Channel:
    """One column of an EDF file; `low` and `high` are the values of the digital limits, as printed in the header."""

    label: str
    unit: str
    low: str
    high: str
    digital_low: int
    digital_high: int
    per_record: int
    transducer: str = ""

    @property
    def gain(self) -> float:
        """Value of one digital step."""
        return (float(self.high) - float(self.low)) / (self.digital_high - self.digital_low)

    @property
    def offset(self) -> float:
        """Value of digital 0; a rounding error is taken for 0."""
        offset = float(self.low) - self.digital_low * self.gain
        return offset if abs(offset) > 1e-9 * abs(self.gain) else 0.0

    @property
    def annotations(self) -> bool:
        """Whether it holds annotations instead of samples."""
        return self.label in ("EDF Annotations", "BDF Annotations")


@dataclass(frozen=True)
class Header:
    """All that stands before the data records.

    Attributes
    ----------
    start
        Wall clock, whole seconds, with no time zone: EDF has none.
    kind
        "EDF+C" (continuous), "EDF+D" (not), the same for BDF, or something else in a plain file.
    record_s
        Length of a data record.
    """

    width: int
    start: datetime
    kind: str
    patient: str
    recording: str
    records: int
    record_s: Fraction
    channels: tuple[Channel, ...]

    @property
    def size(self) -> int:
        """Length of the header in bytes."""
        return HEADER_BYTES * (1 + len(self.channels))

    @property
    def record_bytes(self) -> int:
        """Length of a data record in bytes."""
        return self.width * sum(channel.per_record for channel in self.channels)

    def __bytes__(self) -> bytes:
        fields = (
            *((self.patient, 80), (self.recording, 80)),
            *((f"{self.start:%d.%m.%y}", 8), (f"{self.start:%H.%M.%S}", 8), (str(self.size), 8), (self.kind, 44)),
            *((str(self.records), 8), (decimal(self.record_s), 8), (str(len(self.channels)), 4)),
        )
        rest = ((str(getattr(channel, name, "")), size) for name, size in FIELDS for channel in self.channels)
        return VERSIONS[self.width] + b"".join(_field(text, size) for text, size in (*fields, *rest))

    @classmethod
    def read(cls, path: Path) -> Header:
        """Return the header of a file, whose length it has been checked against.

        Raises
        ------
        RecordingError
            If it is no EDF or BDF file, or is cut short.
        """
        with path.open("rb") as file:
            fixed = file.read(HEADER_BYTES)
            width = {version: width for width, version in VERSIONS.items()}.get(fixed[:8])
            if width is None or len(fixed) < HEADER_BYTES:
                raise RecordingError(f"{path} is no EDF or BDF file: it begins with {fixed[:8]!r}")
            columns = _whole(path, "number of signals", fixed[252:256].decode("latin-1"))
            table = file.read(HEADER_BYTES * max(0, columns)).decode("latin-1")
        if columns < 0 or len(table) < HEADER_BYTES * columns:
            raise RecordingError(f"{path} ends in its header: it is cut short")
        texts = fixed.decode("latin-1")
        record_s = Fraction(Decimal(f"{_number(path, 'length of a record', texts[244:252]):.9f}"))
        header = cls(
            *(width, _start(path, texts), texts[192:236].strip(), texts[8:88].strip(), texts[88:168].strip()),
            *(_whole(path, "number of records", texts[236:244]), record_s, _channels(path, table, columns)),
        )
        return _checked(path, header)


def _checked(path: Path, header: Header) -> Header:
    """Return the header with the true number of records, if the file is as long as it says."""
    size = path.stat().st_size
    if header.record_bytes <= 0 or header.record_s < 0:
        raise RecordingError(f"{path}: data records of {header.record_bytes} bytes and {header.record_s} s")
    records = header.records
    if records == -1:  # it was never closed
        records = (size - header.size) // header.record_bytes
    if size < header.size + records * header.record_bytes:
        raise RecordingError(
            f"{path} is cut short: {records} records of {header.record_bytes} bytes and the header make "
            f"{header.size + records * header.record_bytes} bytes, and it has {size}"
        )
    return Header(**{**vars(header), "records": records})


def decimal(value: Fraction) -> str:
    """Return a number as EDF writes it: no exponent, at most nine decimals, none that says nothing."""
    text = f"{Decimal(value.numerator) / Decimal(value.denominator):.9f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def tal(at_s: Fraction, length_s: Fraction, text: str) -> bytes:
    """Return a time-stamped annotation (EDF+ 2.2.2); a length of 0 is left out: an onset alone is a point in time."""
    onset = decimal(at_s)
    length = f"\x15{decimal(length_s)}" if length_s else ""
    clean = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", " ", text)  # EDF+ 2.1.3 allows TAB, LF and CR only
    return f"{'' if onset.startswith('-') else '+'}{onset}{length}\x14{clean}\x14\x00".encode()


def tals(data: bytes) -> list[tuple[Fraction, Fraction, str]]:
    """Return onset in s, length in s, and text of all annotations in a record; the text that keeps time is empty."""
    found = []
    for onset, length, texts in _TAL.findall(data):
        for text in texts.split(b"\x14"):
            at = Fraction(onset.decode()), Fraction(length.decode() or 0)
            found.append((*at, text.decode("utf-8", "replace")))
    return found


def samples_to_bytes(digital: NDArray[np.int32], width: int) -> NDArray[np.uint8]:
    """Return int32 `(records, n)` as bytes `(records, n * width)`, little-endian two's complement."""
    raw = np.ascontiguousarray(digital, "<i4").view(np.uint8)
    return raw.reshape(len(digital), -1, 4)[:, :, :width].reshape(len(digital), -1)


def bytes_to_samples(raw: NDArray[np.uint8], width: int) -> NDArray[np.int32]:
    """Return bytes `(records, n * width)` as int32 `(records, n)`."""
    wide = np.zeros((len(raw), raw.shape[1] // width, 4), np.uint8)
    wide[:, :, 4 - width :] = raw.reshape(len(raw), -1, width)
    return wide.reshape(len(raw), -1).view("<i4").astype(np.int32) >> (8 * (4 - width))


def edf_date(day: date) -> str:
    """Return a date as EDF+ wants it in the identification of the recording, whatever the language of the system."""
    return f"{day.day:02}-{MONTHS[day.month - 1]}-{day.year}"


def _field(text: str, size: int) -> bytes:
    return text.encode("ascii", "replace").ljust(size)[:size]


def _start(path: Path, texts: str) -> datetime:
    """Return the start; the year is of four digits only in the identification of an EDF+ recording."""
    try:
        day, month, year = (int(part) for part in texts[168:176].strip().split("."))
        year += 1900 if year >= 85 else 2000  # EDF: 1985 to 2084
        if long := _DATE.match(texts[88:168]):
            day, month, year = int(long[1]), MONTHS.index(long[2]) + 1, int(long[3])
        hour, minute, second = (int(part) for part in texts[176:184].strip().split("."))
        return datetime(year, month, day, hour, minute, second)
    except (ValueError, TypeError) as error:
        raise RecordingError(f"{path}: no date and time: {texts[168:184]!r}") from error


def _channels(path: Path, table: str, columns: int) -> tuple[Channel, ...]:
    texts: list[dict[str, str]] = [{} for _ in range(columns)]
    at = 0
    for name, size in FIELDS:
        for channel in texts:
            channel[name] = table[at : at + size].strip()
            at += size
    return tuple(_channel(path, channel) for channel in texts)


def _channel(path: Path, texts: dict[str, str]) -> Channel:
    label = texts["label"]
    whole = {key: _whole(path, f"{label}, {key}", texts[key]) for key in ("digital_low", "digital_high", "per_record")}
    channel = Channel(
        *(label, texts["unit"], texts["low"], texts["high"], whole["digital_low"], whole["digital_high"]),
        *(whole["per_record"], texts["transducer"]),
    )
    if not channel.annotations:
        low, high = (_number(path, f"{label}, {key}", texts[key]) for key in ("low", "high"))
        if low == high or whole["digital_low"] == whole["digital_high"]:
            raise RecordingError(f"{path}: {label!r} has no range: {texts}")
    if channel.per_record < 0:
        raise RecordingError(f"{path}: {label!r} has {channel.per_record} samples a record")
    return channel


def _whole(path: Path, what: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise RecordingError(f"{path}: {what} is no whole number: {text!r}") from error


def _number(path: Path, what: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise RecordingError(f"{path}: {what} is no number: {text!r}") from error
    if not math.isfinite(value):
        raise RecordingError(f"{path}: {what} is no finite number: {text!r}")
    return value
