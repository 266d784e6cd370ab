"""One file of somebody's own, in any format that Pulselet reads, as a recording of a data set."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

from pulselet.errors import DatasetError, RecordingError
from pulselet.stream import pulse_files
from pulselet.stream.block import Block, Gap, Signal, joined
from pulselet.stream.convert import PULSE, READERS, empatica
from pulselet.stream.convert.intake import Incoming
from pulselet.stream.convert.tables import SIGNALS
from pulselet.stream.corpus import Labels, Run
from pulselet.stream.label_intervals import from_intervals
from pulselet.stream.rows import Interval
from pulselet_datasets import plain_tables

SUFFIXES = (PULSE, ".hea", ".edf", ".bdf", ".parquet", ".csv")
NOBODY = "not stated"  # who wore the sensor is said by the table
_UNITS = (
    "V mV uV µV g mg m/s2 m/s^2 m/s² rad/s deg/s °/s dps mdps T mT uT µT gauss bpm 1/min /min Hz s ms % °C degC C K "
    "uS µS S kOhm Ohm mmHg kPa Pa hPa lx m mm l/min count counts LSB lsb adu NU"
)
UNITS = frozenset(_UNITS.split())


@dataclass(frozen=True)
class How:
    """How the files of a set are read: units by signal where a file states none, and a rate for uneven samples."""

    units: Mapping[str, str] = field(default_factory=dict)
    even_hz: float | None = None
    longest_s: float = 0.5


@dataclass(frozen=True)
class Content:
    """What one pass over a file tells of it, without its samples.

    Attributes
    ----------
    end
        Index one past the last sample, by signal.
    start_s
        Seconds from the recording's zero to index 0 of a signal.
    """

    signals: Mapping[str, Signal]
    end: Mapping[str, int]
    start_s: Mapping[str, float]
    labels: Mapping[str, Labels]
    facts: Mapping[str, str]
    repairs: tuple[str, ...]

    def span_s(self, name: str = "") -> tuple[float, float]:
        """Return begin and end of a signal, or of all, in s from the recording's zero."""
        names = [name] if name else [one for one, signal in self.signals.items() if signal.rate_hz]
        begins = [self.start_s.get(one, 0.0) for one in names]
        return (begins[0] if name else 0.0), max((self.end_s(one) for one in names), default=0.0)

    def end_s(self, name: str) -> float:
        """Return the seconds from the recording's zero to the end of a signal; 0 if it has no rate."""
        rate_hz = self.signals[name].rate_hz
        return self.start_s.get(name, 0.0) + self.end[name] / rate_hz if rate_hz else 0.0


def look(path: Path, how: How) -> Content:
    """Return what is in a file, after one pass over it.

    Raises
    ------
    DatasetError
        If it cannot be read, is cut short, holds no sample, is uneven, or a signal's unit is not known.
    MissingExtraError
        If the package that its format needs is not installed.
    """
    if _is_plain(path):
        table = plain_tables.read(path, even_hz=how.even_hz, longest_s=how.longest_s)
        lengths = {name: _end(runs) for name, runs in table.runs.items()}
        return Content(_with_units(path, table.signals, how), lengths, table.start_s, {}, {}, table.repairs)
    if path.suffix.lower() == PULSE:
        one = pulse_files.as_recording(path, subject=NOBODY)
        return Content(one.signals, pulse_files.ends(path), one.start_s, one.labels, one.facts, one.repairs)
    with _opened(path) as opened:
        signals: dict[str, Signal] = {}
        until: dict[str, int] = {}
        starts: dict[str, float] = {}
        zero_ns = _whole(opened.meta.get("started_ns", "0"))
        for stream in opened.streams:
            for item in stream:
                name = item.signal.name
                if isinstance(item, Block):
                    until[name] = max(item.end, until.get(name, 0))
                    if name not in signals and item.signal.rate_hz:
                        starts[name] = (item.arrival_ns - zero_ns) / 1e9 - item.first / item.signal.rate_hz
                    signals.setdefault(name, item.signal)
        labels, counted = from_intervals(_as_instants(opened.labels), signals, starts, rater=path.name)
        facts = {key: value for key, value in opened.meta.items() if key != "started_ns"}
    if not signals:
        raise DatasetError(f"{path} holds no sample")
    zeros = {name: at for name, at in starts.items() if at}
    notes = (*opened.notes, *counted)
    return Content(_with_units(path, signals, how), until, zeros, labels, facts, notes)


def reader(path: Path, how: How) -> Callable[[str], list[Run]]:
    """Return what reads the runs of a signal of a file; it can be pickled."""
    return partial(pulse_files.runs, path) if path.suffix.lower() == PULSE else partial(_runs, path, how)


def _runs(path: Path, how: How, name: str) -> list[Run]:
    if _is_plain(path):
        return plain_tables.read(path, even_hz=how.even_hz, longest_s=how.longest_s).runs[name]
    with _opened(path) as opened:
        for stream in opened.streams:
            runs = _collected(stream, name)
            if runs:
                return runs
    return []


def _collected(stream: Iterable[Block | Gap], name: str) -> list[Run]:
    """Return the blocks of a stream that follow on each other as runs; nothing if it is of another signal."""
    items = iter(stream)
    first = next(items, None)
    if first is None or first.signal.name != name:
        return []
    return [Run(*run) for run in joined(chain([first], items))]


@contextmanager
def _opened(path: Path) -> Iterator[Incoming]:
    """Yield what a file holds; its streams are read inside the block. Errors of the format become ours."""
    try:
        yield empatica.read(path) if path.is_dir() else READERS[path.suffix.lower()](path)
    except RecordingError as error:
        raise DatasetError(str(error)) from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def _as_instants(found: Iterable[Interval]) -> list[Interval]:
    """Return labels, as instants if none is longer than a sample: annotations of other programs come as such."""
    rows = list(found)
    return [replace(one, end=one.first) for one in rows] if all(one.end - one.first <= 1 for one in rows) else rows


def _with_units(path: Path, signals: Mapping[str, Signal], how: How) -> dict[str, Signal]:
    """Return the signals with the units that were given; DatasetError if one has none that is known."""
    found = {name: replace(signal, unit=how.units.get(name, signal.unit)) for name, signal in signals.items()}
    for name, signal in found.items():
        if name not in how.units and signal.unit not in UNITS:
            unit = f"is in {signal.unit!r}, a unit that is not known" if signal.unit else "states no unit"
            raise DatasetError(f"{path}: the signal {name!r} {unit}; say it with units={{{name!r}: '...'}}")
    return found


def parts(path: Path) -> list[Path]:
    """Return the files that a recording is made of, its own first."""
    if path.is_dir():
        return sorted(one for one in path.iterdir() if one.is_file())
    if path.suffix.lower() == ".hea":
        return [path, *sorted(one for one in path.parent.iterdir() if one.stem == path.stem and one != path)]
    if path.suffix.lower() in (".csv", ".parquet") and _is_listing(path):
        return [path, *sorted(one for one in path.parent.iterdir() if _stands_beside(one, path))]
    return [path]


def candidates(folder: Path) -> list[Path]:
    """Return the files and E4 exports below a folder that can be recordings, without tables that stand beside one."""
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]
    exports = {path.parent for path in found if path.parent != folder and empatica.is_export(path.parent)}
    exports |= {path for path in folder.rglob("*") if path.is_dir() and empatica.is_export(path)}
    listings = {path for path in found if path.suffix.lower() in (".csv", ".parquet") and _is_listing(path)}
    beside = {path for path in found if any(_stands_beside(path, one) for one in listings)}
    own = [path for path in found if path not in beside and path.parent not in exports]
    return sorted([*own, *exports])


def _stands_beside(path: Path, listing: Path) -> bool:
    same = path.parent == listing.parent and path.suffix == listing.suffix and path != listing
    return same and path.name.startswith(f"{listing.stem}.")


def _is_listing(path: Path) -> bool:
    """Return whether a table is one that lists the signals of a recording, as `pulselet convert` writes them."""
    wanted = [column.name for column in SIGNALS]
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                return next(csv.reader(file), []) == wanted
        return plain_tables.column_names(path) == wanted
    except (OSError, UnicodeDecodeError, csv.Error, DatasetError):
        return False


def _is_plain(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".parquet") and path.is_file() and plain_tables.is_plain(path)


def _end(runs: Iterable[Run]) -> int:
    return max((run.first + len(run.values) for run in runs), default=0)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
