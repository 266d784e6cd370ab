"""A `.pulse` file as a recording of a data set, and labels into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from pulselet.errors import DatasetError, RecordingError
from pulselet.stream import corpus
from pulselet.stream.block import Gap, Signal
from pulselet.stream.convert.timeline import started, steady
from pulselet.stream.corpus import Labels, Run
from pulselet.stream.label_intervals import from_intervals, to_intervals
from pulselet.stream.labels import label_intervals, spans
from pulselet.stream.recording import Recording
from pulselet.stream.rows import Interval

OWN = "own"


def as_recording(path: str | Path, *, dataset: str = OWN, subject: str | None = None) -> corpus.Recording:
    """Return a `.pulse` file as a recording of a data set; samples are read when they are asked for.

    Its zero is when the recording started. Sample `i` of a signal is at
    `(arrival of its first block - started_ns) + (i - first) / rate`, as in every conversion. Labels are those of the
    file's intervals (`label_intervals` says how a kind is written), or if it has none, those given while it ran, on the
    samples of its fastest signal and of the kind "annotation".

    Parameters
    ----------
    subject
        Who wore the sensor, if the file's own facts do not say.

    Raises
    ------
    DatasetError
        If it is no recording, holds no sample, goes back in its indexes, or nobody says who wore the sensor.
    """
    path = Path(path)
    try:
        with Recording.open(path) as recording:
            return _read(recording, path, dataset, subject)
    except RecordingError as error:
        raise DatasetError(str(error)) from error


def _read(recording: Recording, path: Path, dataset: str, subject: str | None) -> corpus.Recording:
    meta = recording.meta
    who = subject or meta.get("subject", "")
    if not who.strip():
        raise DatasetError(f"{path} does not say who wore the sensor: give subject=")
    _, zero_ns = started(recording)
    start_s: dict[str, float] = {}
    repairs: list[str] = []
    for name, signal in recording.signals.items():
        unknown = 0
        for item in steady(recording, name):
            if isinstance(item, Gap):
                unknown += item.lost is None
            elif name not in start_s:
                start_s[name] = (item.arrival_ns - zero_ns) / 1e9 - item.first / (signal.rate_hz or float("inf"))
        if unknown and name in start_s:
            repairs.append(f"{name}: {unknown} gaps of unknown size last for no time")
    if not start_s:
        raise DatasetError(f"{path} holds no sample")
    signals = {name: signal for name, signal in recording.signals.items() if name in start_s}
    given, left = _labels(recording, signals)
    labels, counted = from_intervals(given, signals, start_s)
    return corpus.Recording(
        dataset=dataset,
        name=path.stem,
        subject=who,
        signals=signals,
        read=partial(runs, path),
        labels=labels,
        start_s={name: at_s for name, at_s in start_s.items() if at_s},
        facts={key: value for key, value in meta.items() if key not in ("subject", "started_ns")},
        repairs=(*repairs, *left, *counted),
        files=(path,),
    )


def _labels(recording: Recording, signals: Mapping[str, Signal]) -> tuple[list[Interval], list[str]]:
    """Return the intervals of a file, or else the labels given while it ran, on its fastest signal; and repairs.

    They are not looked up on each signal: those begin, by the words of a file, as much too late as their blocks last.
    """
    kept = recording.intervals()
    rated = [name for name, signal in signals.items() if signal.rate_hz]
    if kept or not rated:
        return kept, []
    fastest = max(rated, key=lambda name: signals[name].rate_hz or 0.0)
    found = [one for one in label_intervals(recording) if one.signal == fastest]
    absent = len(spans(recording)) - len(found)
    said = f"{absent} labels given while it ran are on no sample of {fastest!r}, and are left out"
    return found, [said] if absent else []


def runs(path: Path, name: str) -> list[Run]:
    """Return the runs of a signal of a `.pulse` file; DatasetError if it is no recording."""
    try:
        with Recording.open(path) as recording:
            return [Run(first, values) for first, values in recording.segments(name)]
    except RecordingError as error:
        raise DatasetError(str(error)) from error


def ends(path: str | Path) -> dict[str, int]:
    """Return the index one past the last sample of each signal that has samples.

    Raises
    ------
    DatasetError
        If it is no recording.
    """
    try:
        with Recording.open(Path(path)) as recording:
            found = {name: _end(recording, name) for name in recording.signals}
    except RecordingError as error:
        raise DatasetError(str(error)) from error
    return {name: end for name, end in found.items() if end}


def _end(recording: Recording, name: str) -> int:
    blocks = (stamp for stamp in recording.stamps(name) if stamp.arrival_ns is not None)
    return max((stamp.first + (stamp.samples or 0) for stamp in blocks), default=0)


def annotate(path: str | Path, labels: Iterable[Labels], signal: str) -> int:
    """Append labels to a `.pulse` file, on the samples of a signal; all of them or none. Return how many.

    Parameters
    ----------
    labels
        Whose zero is when the recording started, as `as_recording` has it.

    Raises
    ------
    DatasetError
        If the file cannot be written, the signal is not there or has no rate, or a label is out of its range.
    """
    path = Path(path)
    try:
        with Recording.open(path, write=True) as recording:
            of = recording.signal(signal)
            _, zero_ns = started(recording)
            blocks = [stamp for stamp in recording.stamps(signal) if stamp.arrival_ns is not None]
            if not blocks:
                raise DatasetError(f"{path}: {signal!r} has no samples to label")
            first, end = blocks[0], _end(recording, signal)
            start_s = ((first.arrival_ns or 0) - zero_ns) / 1e9 - first.first / (of.rate_hz or float("inf"))
            rows = [row for one in labels for row in to_intervals(one, of, start_s=start_s)]
            beyond = [row for row in rows if row.end > end or row.first >= end]
            if beyond:
                raise DatasetError(f"{path}: {len(beyond)} labels end beyond the last sample of {signal!r}, {end - 1}")
            recording.annotate(rows)
    except RecordingError as error:
        raise DatasetError(str(error)) from error
    return len(rows)
