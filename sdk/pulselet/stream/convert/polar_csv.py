"""Reads text files of Polar Sensor Logger, and of programs that write the same layout.

Cells are separated by semicolons, and the first line names them. `Phone timestamp` is ISO 8601 without a time zone, and
is taken as UTC. Where there is `sensor timestamp [ns]`, in ns since 2000 on the sensor's own clock, the samples have a
rate, and the clock shows what is missing:

    Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]
    Phone timestamp;sensor timestamp [ns];X [mg];Y [mg];Z [mg]            (also [dps], [G])
    Phone timestamp;sensor timestamp [ns];channel 0;channel 1;channel 2;ambient
    Phone timestamp;HR [bpm];HRV [ms];Breathing interval [rpm];
    Phone timestamp;RR-interval [ms]

The layout is that of files which public projects quote that read or write them (among them PolarRecorder, README, "File
Formats"); the application's maker publishes none. A folder of such files is read as one recording.

A sensor's frame has one time stamp, and the application spreads the samples of a frame evenly over the time since the
frame before. Where a frame was lost, the steps of the next one are therefore too long: a run of long steps is one gap,
with the samples after it at the nominal rate.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import RecordingError
from pulselet.stream.block import LOST, Block, Gap, Signal
from pulselet.stream.convert.carve import to_float32
from pulselet.stream.convert.intake import Incoming

PHONE, SENSOR = "phone timestamp", "sensor timestamp [ns]"
IGNORED = {"timestamp [ms]"}  # the sensor's time once more, counted from the first sample


class _Column(NamedTuple):
    """What a column of the file becomes: signal, channel, unit, and by what its numbers are multiplied."""

    signal: str
    channel: str
    unit: str
    scale: float = 1.0


COLUMNS = {  # in the units in which the same sensors stream
    "ecg [uv]": _Column("ecg", "ecg", "mV", 1e-3),
    **{f"{axis} [mg]": _Column("acc", axis, "g", 1e-3) for axis in "xyz"},
    **{f"{axis} [dps]": _Column("gyro", axis, "deg/s") for axis in "xyz"},
    **{f"{axis} [g]": _Column("mag", axis, "µT", 100.0) for axis in "xyz"},  # gauss
    **{f"channel {number}": _Column("ppg", f"ppg{number}", "count") for number in range(3)},
    "ambient": _Column("ppg", "ambient", "count"),
    "hr [bpm]": _Column("heart_rate", "heart_rate", "bpm"),
    "hrv [ms]": _Column("hrv", "hrv", "ms"),
    "breathing interval [rpm]": _Column("breathing", "breathing", "rpm"),
    "rr-interval [ms]": _Column("rr", "rr", "s", 1e-3),
    "pp-interval [ms]": _Column("ppi", "interval", "ms"),
    "error estimate [ms]": _Column("ppi", "error", "ms"),
}
RATES_HZ = (10, 20, 25, 28, 44, 50, 52, 55, 100, 104, 130, 135, 176, 200, 208, 416)  # that Polar sensors offer
NEAR = 0.03  # share by which a measured rate may differ from one of them
LONG = 1.5  # a step of so many nominal ones is too long
CLOCK_HZ = 1e9
JUMP_NS = 60 * 10**9  # by which the sensor's clock may leave the phone's before it is no longer believed
JUMPED = "the sensor's clock jumped"
AT_ONCE = 128  # samples of a block, at most


class _Sample(NamedTuple):
    """A row: phone and sensor time in ns, and a value for each wanted column, NaN where the cell is empty."""

    phone_ns: int
    sensor_ns: int
    values: list[float]


@dataclass(frozen=True)
class _File:
    """What one pass over a file tells: columns that hold a value, time of the first row, and rate, if it has one."""

    path: Path
    used: tuple[int, ...]
    names: tuple[str, ...]
    sensor: int | None
    start_ns: int
    rate_hz: float | None
    notes: tuple[str, ...]


def is_log(path: Path) -> bool:
    """Whether the first line of a file is one of this layout."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return file.readline(1000).lower().startswith(PHONE + ";")
    except OSError:
        return False


def logs(folder: Path) -> list[Path]:
    """Return the files of this layout in a folder."""
    return [path for path in sorted(folder.iterdir()) if path.suffix in (".txt", ".csv") and is_log(path)]


def read(paths: list[Path]) -> Incoming:
    """Return what is in the files of one recording.

    Raises
    ------
    RecordingError
        If a file is not of this layout, holds no sample, or two hold the same signal.
    """
    files = [_look(path) for path in paths]
    start_ns = min(file.start_ns for file in files)
    streams: list[Iterator[Block | Gap]] = []
    notes = [f"{file.path.name}: {note}" for file in files for note in file.notes]
    seen: dict[str, Path] = {}
    for file in files:
        for name in dict.fromkeys(COLUMNS[column].signal for column in file.names):
            if name in seen:
                raise RecordingError(f"{seen[name]} and {file.path} both hold {name!r}: convert them one by one")
            seen[name] = file.path
            streams.append(_stream(file, name, start_ns))
    notes.append("phone times state no time zone: they are taken as UTC")
    start = datetime.fromtimestamp(start_ns // 10**9, timezone.utc).replace(microsecond=start_ns % 10**9 // 1000)
    return Incoming({"started": start.isoformat(), "started_ns": "0"}, streams, notes=tuple(notes))


def _look(path: Path) -> _File:
    """Return what a file holds, after one pass over it."""
    with _rows(path) as rows:
        header = [cell.strip().lower() for cell in next(rows, [])]
        if header[:1] != [PHONE]:
            raise RecordingError(f"{path}: wanted a first line that begins with 'Phone timestamp;', found {header[:3]}")
        known = [place for place, name in enumerate(header) if name in COLUMNS]
        ignored = sorted(set(header) - COLUMNS.keys() - IGNORED - {PHONE, SENSOR, ""})
        sensor = header.index(SENSOR) if SENSOR in header else None
        used: set[int] = set()
        start_ns: int | None = None
        steps: list[int] = []
        last = 0
        for line, row in enumerate(rows, 2):
            one = _sample(path, line, row, known, sensor)
            start_ns = one.phone_ns if start_ns is None else start_ns
            used |= {place for place, value in zip(known, one.values, strict=True) if value == value}
            if line > 2 and one.sensor_ns > last and len(steps) < 10_000:
                steps.append(one.sensor_ns - last)
            last = one.sensor_ns
    if start_ns is None or not used:
        raise RecordingError(f"{path} holds no sample that Pulselet reads; its columns are {', '.join(header)}")
    places = tuple(place for place in known if place in used)
    rate_hz = _rate_hz(1e9 / statistics.median(steps)) if steps else None
    notes = (f"columns that are not read: {', '.join(ignored)}",) if ignored else ()
    return _File(path, places, tuple(header[place] for place in places), sensor, start_ns, rate_hz, notes)


def _rate_hz(measured_hz: float) -> float:
    """Return the nominal rate next to a measured one, or else the measured one."""
    nearest = min(RATES_HZ, key=lambda rate_hz: abs(rate_hz - measured_hz))
    return float(nearest) if abs(nearest - measured_hz) < NEAR * measured_hz else round(measured_hz, 3)


@contextmanager
def _rows(path: Path) -> Iterator[Iterator[list[str]]]:
    """Open a file as rows of cells; empty lines are passed over."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield (row for row in csv.reader(file, delimiter=";") if any(cell.strip() for cell in row))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path} cannot be read: {error}") from error


def _sample(path: Path, line: int, row: list[str], places: list[int], sensor: int | None) -> _Sample:
    try:
        when = datetime.fromisoformat(row[0].strip())
        sensor_ns = int(row[sensor]) if sensor is not None else 0
        cells = (row[place].strip() if place < len(row) else "" for place in places)
        values = [float(cell) if cell else float("nan") for cell in cells]
    except (ValueError, IndexError) as error:
        raise RecordingError(f"{path}, line {line}: {error}") from error
    since = (when if when.tzinfo else when.replace(tzinfo=timezone.utc)) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return _Sample(((since.days * 86400 + since.seconds) * 10**6 + since.microseconds) * 1000, sensor_ns, values)


def _stream(file: _File, name: str, start_ns: int) -> Iterator[Block | Gap]:
    """Yield the blocks and gaps of one signal."""
    chosen = [
        (place, column) for place, column in zip(file.used, file.names, strict=True) if COLUMNS[column].signal == name
    ]
    columns = [COLUMNS[column] for _, column in chosen]
    channels, unit = tuple(column.channel for column in columns), columns[0].unit
    scales = np.array([column.scale for column in columns])
    with _rows(file.path) as rows:
        next(rows)
        places = [place for place, _ in chosen]
        samples = (_sample(file.path, line, row, places, file.sensor) for line, row in enumerate(rows, 2))
        if file.rate_hz is None:
            signal = Signal(name, unit, None, channels, loss_detectable=False)
            yield from _events(signal, samples, scales, start_ns)
        else:
            signal = Signal(name, unit, file.rate_hz, channels, CLOCK_HZ)
            yield from _Assembly(signal, scales, start_ns).feed(samples)


def _events(signal: Signal, samples: Iterator[_Sample], scales: NDArray[np.float64], start_ns: int) -> Iterator[Block]:
    index = 0
    for one in samples:
        if any(value == value for value in one.values):
            values = to_float32(np.array([one.values]) * scales)
            yield Block(signal, values, index, None, one.phone_ns - start_ns)
            index += 1


class _Assembly:
    """Puts samples with a time each together into blocks, and finds the gaps."""

    def __init__(self, signal: Signal, scales: NDArray[np.float64], start_ns: int) -> None:
        assert signal.rate_hz is not None  # only files with the sensor's clock come here
        self._signal, self._scales, self._start_ns = signal, scales, start_ns
        self._step_ns = 1e9 / signal.rate_hz
        self._index = 0
        self._held: list[_Sample] = []
        self._missing = 0.0  # steps by which the held samples are spread too far

    def feed(self, samples: Iterator[_Sample]) -> Iterator[Block | Gap]:
        """Yield the blocks and gaps of all samples."""
        last: _Sample | None = None
        for one in samples:
            step_ns = one.sensor_ns - last.sensor_ns if last else round(self._step_ns)
            apart_ns = step_ns - (one.phone_ns - last.phone_ns) if last else 0
            last = one
            if step_ns < 0 or abs(apart_ns) > JUMP_NS:
                yield from self._flush()
                yield Gap(self._signal, self._index, None, JUMPED)
            elif step_ns > LONG * self._step_ns:
                if not self._missing:
                    yield from self._flush()
                self._missing += step_ns / self._step_ns - 1
            elif self._missing or len(self._held) >= AT_ONCE:
                yield from self._flush()
            self._held.append(one)
        yield from self._flush()

    def _flush(self) -> Iterator[Block | Gap]:
        """Yield what is held, after the gap before it."""
        lost = round(self._missing)
        self._missing = 0.0
        if lost:
            yield Gap(self._signal, self._index, lost, LOST)
            self._index += lost
        held, self._held = self._held, []
        if held:
            values = to_float32(np.array([one.values for one in held]) * self._scales)
            # the last stamp is the sensor's own; after a loss the others are spread too far
            ticks = held[-1].sensor_ns - round((len(held) - 1) * self._step_ns) if lost else held[0].sensor_ns
            yield Block(self._signal, values, self._index, ticks, held[0].phone_ns - self._start_ns)
            self._index += len(held)
