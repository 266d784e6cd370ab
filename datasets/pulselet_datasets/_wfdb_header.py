"""Headers of WFDB records: header(5), https://physionet.org/physiotools/wag."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pulselet.errors import DatasetError

FORMATS = ("16", "212")
DEFAULT_GAIN = 200.0  # header(5): ADC units per physical unit, where the header states none, or 0
_RECORD = re.compile(
    r"(?P<name>[\w-]+)(?P<segments>/\d+)?\s+(?P<columns>\d{1,9})(?:\s+(?P<rate>[\d.]+)(?:/\S*)?(?:\s+(?P<samples>\d{1,15}))?)?(?:\s.*)?"
)
_COLUMN = re.compile(
    r"(?P<file>\S+)\s+(?P<format>\d+)(?:x(?P<frame>\d+))?(?::(?P<skew>\d{1,9}))?(?:\+(?P<offset>\d{1,15}))?"
    r"(?:\s+(?P<gain>[-+.\deE]+)(?:\((?P<baseline>-?\d{1,15})\))?(?:/(?P<unit>\S+))?"
    r"(?:\s+\d+(?:\s+(?P<zero>-?\d{1,15})(?:\s+(?P<initial>-?\d{1,15})(?:\s+(?P<checksum>-?\d{1,15})(?:\s+\d+(?:\s+(?P<name>.+))?)?)?)?)?)?)?\s*"
)


@dataclass(frozen=True)
class Column:
    """One signal line of a header; `value = (digital - baseline) / gain`, in `unit`."""

    file: str
    format: str
    offset: int
    gain: float
    baseline: int
    unit: str
    initial: int | None
    checksum: int | None
    name: str
    calibrated: bool = True


@dataclass(frozen=True)
class Header:
    """A header file: what its record holds, and where."""

    path: Path
    rate_hz: float
    samples: int
    columns: tuple[Column, ...]
    comments: tuple[str, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold the samples, each once."""
        return tuple(self.path.with_name(name) for name in dict.fromkeys(column.file for column in self.columns))


def read_header(path: Path) -> Header:
    """Return what a header file says.

    Raises
    ------
    DatasetError
        If it is no header of one segment with samples of one rate, or states a format other than 16 and 212.
    """
    try:
        lines = path.read_text("latin-1").splitlines()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}; fetch it again") from error
    comments = tuple(line.lstrip()[1:].strip() for line in lines if line.lstrip().startswith("#"))
    said = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    first = _RECORD.fullmatch(said[0]) if said else None
    if first is None:
        raise DatasetError(f"{path} is no WFDB header: its first line is {said[0][:80] if said else ''!r}")
    columns = tuple(_column(path, line) for line in said[1:])
    rate_hz = _positive(path, "sampling rate", first["rate"])
    if first["segments"] or len(columns) != int(first["columns"]) or not columns:
        raise DatasetError(
            f"{path}: wanted one segment and {first['columns']} signals, found {len(columns)} signals and segments "
            f"{(first['segments'] or '/1')[1:]}"
        )
    samples = int(first["samples"] or 0) or _samples_of(path, columns)
    return Header(path, rate_hz, samples, columns, comments)


def _column(path: Path, line: str) -> Column:
    said = _COLUMN.fullmatch(line)
    if said is None:
        raise DatasetError(f"{path}: {line[:80]!r} is no line of a signal")
    if said["format"] not in FORMATS or said["frame"] not in (None, "1") or int(said["skew"] or 0):
        raise DatasetError(
            f"{path}: wanted format {' or '.join(FORMATS)}, one sample a frame and no skew, got {line[:40]!r}; "
            "the converter reads other records: pulselet convert"
        )
    if Path(said["file"]).name != said["file"]:
        raise DatasetError(f"{path}: the samples should be beside the header, are in {said['file']!r}")
    gain, zero = float(_number(path, said["gain"] or "0")), int(said["zero"] or 0)
    return Column(
        *(said["file"], said["format"], int(said["offset"] or 0), gain or DEFAULT_GAIN),
        *(int(said["baseline"] or zero), said["unit"] or "mV"),
        initial=None if said["initial"] is None else int(said["initial"]),
        checksum=None if said["checksum"] is None else int(said["checksum"]),
        name=(said["name"] or "").strip(),
        calibrated=bool(gain),
    )


def _number(path: Path, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise DatasetError(f"{path}: the gain should be a number, is {text!r}") from error
    if value and not 1e-9 <= abs(value) <= 1e12:
        raise DatasetError(f"{path}: the gain should be from 1e-9 to 1e12 steps per unit, is {text!r}")
    return value


def _positive(path: Path, what: str, text: str | None) -> float:
    try:
        value = float(text or "250")  # header(5): 250 Hz where it is not stated
    except ValueError as error:
        raise DatasetError(f"{path}: the {what} should be a number, is {text!r}") from error
    if not 0 < value < math.inf:
        raise DatasetError(f"{path}: the {what} should be above 0, is {text!r}")
    return value


def _samples_of(path: Path, columns: Sequence[Column]) -> int:
    """Return how many samples the file has room for, where the header does not say."""
    data = path.with_name(columns[0].file)
    beside = sum(column.file == columns[0].file for column in columns)
    size = (data.stat().st_size if data.is_file() else 0) - columns[0].offset
    return max(0, size * 2 // 3 if columns[0].format == "212" else size // 2) // beside
