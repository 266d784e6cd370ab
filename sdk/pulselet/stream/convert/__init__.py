"""Recordings to and from EDF+, BDF+, WFDB, Parquet and CSV; E4 folders and Polar Sensor Logger files to recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pulselet.errors import RecordingError
from pulselet.stream.convert import edf, edf_read, empatica, polar_csv, tables, wfdb_format, wfdb_read
from pulselet.stream.convert.csv_text import Csv
from pulselet.stream.convert.intake import Incoming, store
from pulselet.stream.convert.parquet import Parquet
from pulselet.stream.convert.report import Carried, Conversion, Options, Written
from pulselet.stream.convert.staging import staged
from pulselet.stream.convert.wfdb_scale import FORMATS
from pulselet.stream.recording import Recording

__all__ = ["PULSE", "SOURCES", "TARGETS", "Carried", "Conversion", "convert"]

PULSE = ".pulse"
Writer = Callable[[Recording, Path, Options], Written]


def _read_csv(path: Path) -> Incoming:
    return polar_csv.read([path]) if polar_csv.is_log(path) else tables.read(path, Csv())


WRITERS: dict[str, Writer] = {
    ".edf": edf.write,
    ".bdf": edf.write,
    ".hea": wfdb_format.write,
    ".parquet": lambda recording, path, options: tables.write(recording, path, options, Parquet()),
    ".csv": lambda recording, path, options: tables.write(recording, path, options, Csv()),
}
READERS: dict[str, Callable[[Path], Incoming]] = {
    ".edf": edf_read.read,
    ".bdf": edf_read.read,
    ".hea": wfdb_read.read,
    ".parquet": lambda path: tables.read(path, Parquet()),
    ".csv": _read_csv,
    ".txt": lambda path: polar_csv.read([path]),
}
TARGETS = (PULSE, *WRITERS)
SOURCES = (PULSE, *READERS)


def convert(
    source: str | Path,
    target: str | Path,
    *,
    signals: Iterable[str] | None = None,
    discontinuous: bool = False,
    bits: int | None = None,
) -> Conversion:
    """Convert a recording between formats, told by suffix, and return what was written and what was lost on the way.

    A source may also be the folder of an Empatica E4 export, or a file or folder of Polar Sensor Logger. Files of other
    formats are read into a recording first, a temporary one if `target` is none. The files appear when all of them are
    complete; nothing is ever overwritten. A sample of a signal with a rate lies at
    `started + (arrival of its first block - started_ns) + (index - first index) / rate`.

    Parameters
    ----------
    signals
        Names of the signals to write; all if not given.
    discontinuous
        For EDF and BDF: leave out the data records in which no signal has a sample.
    bits
        For WFDB: 16, 24 or 32; if not given, the first of them in which a signal is exact, or else 16.

    Raises
    ------
    RecordingError
        If the source is not what its suffix says, is cut short or holds no sample, if the target cannot hold it or is
        there already, or if an option is none of the target's format.
    MissingExtraError
        If the package that a format needs is not installed.
    """
    source, target = Path(source), Path(target)
    options = Options(None if signals is None else tuple(signals), discontinuous, bits)
    _check(source, target, options)
    with staged(target) as stage:
        made = stage.folder / target.name
        if target.suffix.lower() == PULSE:
            written = store(made, _incoming(source))
        elif source.suffix.lower() == PULSE and not source.is_dir():
            written = _export(source, made, options)
        else:
            between = stage.folder / f"between{PULSE}"
            read = store(between, _incoming(source))
            written = _export(between, made, options)
            between.unlink()
            written = Written(written.signals, written.labels, (*read.notes, *written.notes))
    return Conversion(source, target, stage.files, written.signals, written.labels, written.notes)


def _check(source: Path, target: Path, options: Options) -> None:
    suffix = target.suffix.lower()
    if not source.exists():
        raise RecordingError(f"{source} is not there")
    if suffix not in TARGETS:
        raise RecordingError(f"{target}: no format has the suffix {suffix!r}; there are {', '.join(TARGETS)}")
    if suffix == PULSE and source.suffix.lower() == PULSE:
        raise RecordingError(f"{source} is a recording already: copy the file")
    if options.signals == ():
        raise RecordingError("no signal was chosen: name one, or leave the choice out for all")
    if options.signals is not None and suffix == PULSE:
        raise RecordingError(f"signals are chosen when a recording is written to another format, not to {PULSE}")
    if options.discontinuous and suffix not in (".edf", ".bdf"):
        raise RecordingError(f"only .edf and .bdf can be discontinuous, not {suffix}")
    if options.bits is not None and (suffix != ".hea" or options.bits not in FORMATS):
        raise RecordingError(f"bits are 16, 24 or 32, and for .hea only; got {options.bits} for {suffix}")


def _export(source: Path, made: Path, options: Options) -> Written:
    with Recording.open(source) as recording:
        return WRITERS[made.suffix.lower()](recording, made, options)


def _incoming(source: Path) -> Incoming:
    """Return what a source of another format holds."""
    if source.is_dir():
        if empatica.is_export(source):
            return empatica.read(source)
        if logs := polar_csv.logs(source):
            return polar_csv.read(logs)
        raise RecordingError(f"{source} is a folder, and holds no E4 export and no files of Polar Sensor Logger")
    suffix = source.suffix.lower()
    if suffix not in READERS:
        raise RecordingError(f"{source}: no format has the suffix {suffix!r}; there are {', '.join(SOURCES)}")
    return READERS[suffix](source)
