"""BIDMC PPG and Respiration: eight minutes of PPG, ECG and impedance at the bedside, breaths marked by two people.

The CSV form of the set: `bidmc_NN_Signals.csv` (125 Hz), `bidmc_NN_Numerics.csv` (what the monitor showed, 1 Hz),
`bidmc_NN_Breaths.csv` (samples at which a breath begins, a column for each annotator) and `bidmc_NN_Fix.txt` (facts).
A file may be under gzip.

Source: Pimentel et al., "Toward a robust estimation of respiratory rate from pulse oximeters", IEEE Trans Biomed Eng
64, 2017.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Labels, Recording, Run
from pulselet_datasets import _physionet
from pulselet_datasets._tables import found, head, needed, number, text
from pulselet_datasets.card import COMPUTED, Card, listed_checksums

NAME = "bidmc"
RECORDINGS = tuple(f"bidmc_{number:02d}" for number in range(1, 54))
RATE_HZ, NUMERICS_HZ = 125.0, 1.0
PRINTED_S = 0.005  # times are printed with five digits
PARTS = ("Signals.csv", "Numerics.csv", "Breaths.csv", "Fix.txt")
BREATH = ("breath",)
NUMERICS = {
    "HR": ("heart_rate", "bpm"),
    "PULSE": ("pulse_rate", "bpm"),
    "RESP": ("respiration_rate", "1/min"),
    "SpO2": ("spo2", "%"),
}
KNOWN = {"PLETH": "ppg", "RESP": "respiration"}
ECG = ("I", "II", "III", "V", "AVR", "AVL", "AVF", "MCL", "MCL1")
PRESSURES = ("ABP", "ART", "CVP", "PAP")
PATIENTS = (
    *(1182, 1795, 1995, 3386, 4641, 7432, 8452, 8936, 9968, 11342, 12589, 13927, 17236, 17735, 19981, 20486, 24455),
    *(25323, 26868, 29125, 29622, 30026, 31106, 31400, 32628),
)  # of the odd-numbered recordings
FACTS = {"Age": "age", "Gender": "sex", "Location": "place", "MIMIC II data segment": "segment"}
PERSON = "MIMIC II matched wdb ID"


def recordings(folder: Path) -> Iterator[Recording]:
    """Return an iterator over the recordings that are in a folder; it goes on after one that is damaged.

    Signals, as far as a recording has them: "ppg", "respiration", "ecg" (its leads are channels), "pressure" (arterial
    or central venous), and at 1 Hz "heart_rate", "pulse_rate", "respiration_rate" and "spo2". Labels: "breath:1" and
    "breath:2", the instants of each annotator. The subject is the patient's number in MIMIC II, as some came twice.

    Raises
    ------
    DatasetError
        From the iterator, if a file is absent or not laid out as described; samples raise when they are read.
    """
    return map(partial(_recording, folder), [name for name in RECORDINGS if found(folder, f"{name}_Signals.csv")])


def _recording(folder: Path, name: str) -> Recording:
    signals_csv, numerics_csv, breaths_csv, fix_txt = (needed(folder, f"{name}_{part}") for part in PARTS)
    said = _facts(fix_txt)
    columns, begin_s = _head(signals_csv)
    places = _places(signals_csv, columns[1:])
    signals = {name: _signal(name, tuple(columns[place] for place in at)) for name, at in places.items()}
    start_s = dict.fromkeys(signals, begin_s)
    numerics, begin_s = _head(numerics_csv)
    for place, column in enumerate(numerics[1:], 1):
        if column not in NUMERICS:
            raise DatasetError(f"{numerics_csv}: wanted columns of {sorted(NUMERICS)}, found {column!r}")
        signal, unit = NUMERICS[column]
        signals[signal] = Signal(signal, unit, NUMERICS_HZ, (signal,), loss_detectable=False)
        places[signal], start_s[signal] = (place,), begin_s
    repairs: list[str] = []
    return Recording(
        dataset=NAME,
        name=name,
        subject=said[PERSON],
        signals=signals,
        read=partial(_read, signals_csv, numerics_csv, places),
        labels=_breaths(breaths_csv, repairs),
        start_s={signal: at_s for signal, at_s in start_s.items() if at_s},
        facts={ours: said[theirs] for theirs, ours in FACTS.items() if theirs in said},
        repairs=tuple(repairs),
        files=(signals_csv, numerics_csv, breaths_csv, fix_txt),
    )


def _facts(path: Path) -> dict[str, str]:
    pairs = (line.partition(":") for line in text(path).splitlines())
    said = {key.strip(): value.strip() for key, _, value in pairs if value.strip()}
    if not re.fullmatch(r"\w+", said.get(PERSON, "")):
        raise DatasetError(f"{path}: wanted a line {PERSON!r}, which says who the patient is; it has {sorted(said)}")
    return said


def _head(path: Path) -> tuple[list[str], float]:
    """Return the names of the columns, of which the first is the time, and the time of the first row in s."""
    header, first, *_ = [*head(path, 2), ""]
    names = [name.strip() for name in header.split(",")]
    if len(names) < 2 or not names[0].startswith("Time") or len(set(names)) < len(names):
        raise DatasetError(f"{path}: wanted columns 'Time [s]' and others, each once; found {names[:8]}")
    return names, number(path, "the time of the first row", first.partition(",")[0])


def _places(path: Path, columns: list[str]) -> dict[str, tuple[int, ...]]:
    """Return the columns of each signal, counted from 0 with the time."""
    found_places: dict[str, tuple[int, ...]] = {}
    for place, column in enumerate(columns, 1):
        name = KNOWN.get(column, "ecg" if column in ECG else "pressure" if column in PRESSURES else "")
        if not name:
            raise DatasetError(f"{path}: wanted {sorted((*KNOWN, *ECG, *PRESSURES))} as columns, found {column!r}")
        found_places[name] = (*found_places.get(name, ()), place)
    return found_places


def _signal(name: str, columns: tuple[str, ...]) -> Signal:
    channels = (name,) if name in KNOWN.values() else columns
    return Signal(name, "", RATE_HZ, channels, loss_detectable=False)


def _read(signals_csv: Path, numerics_csv: Path, places: dict[str, tuple[int, ...]], name: str) -> list[Run]:
    of_monitor = name in {signal for signal, _ in NUMERICS.values()}
    path, rate_hz = (numerics_csv, NUMERICS_HZ) if of_monitor else (signals_csv, RATE_HZ)
    table = _table(path, path.stat().st_mtime_ns, rate_hz)
    if table.shape[1] <= max(places[name]):
        raise DatasetError(f"{path}: column {max(places[name]) + 1} is {name!r}, but the rows hold {table.shape[1]}")
    values = np.ascontiguousarray(table[:, list(places[name])], np.float32)
    there = np.concatenate([[False], ~np.isnan(values).all(axis=1), [False]])
    edges = np.flatnonzero(there[1:] != there[:-1]).reshape(-1, 2)
    return [Run(int(begin), values[begin:end]) for begin, end in edges]


@lru_cache(maxsize=2)
def _table(path: Path, changed_ns: int, rate_hz: float) -> NDArray[np.float64]:  # signals of a file are read in turn
    """Return the table `(n, columns)`; DatasetError if it is damaged or its times are not even."""
    lines = text(path).splitlines()[1:]
    try:
        table: NDArray[np.float64] = np.loadtxt(lines, delimiter=",", ndmin=2)
    except ValueError as error:
        raise DatasetError(
            f"{path}: {str(error).split(';')[0]} (rows count after the header); fetch it again"
        ) from error
    even_s = table[0, 0] + np.arange(len(table)) / rate_hz
    late = np.flatnonzero(~(np.abs(table[:, 0] - even_s) < 0.25 / rate_hz + PRINTED_S))
    if len(late):
        raise DatasetError(
            f"{path}: wanted a row every {1 / rate_hz:g} s, but row {late[0] + 1} is at {table[late[0], 0]:g} s, "
            f"not {even_s[late[0]]:g} s; fetch it again"
        )
    return table


def _numbers(path: Path) -> NDArray[np.float64]:
    """Return the rows after the header, `(n, columns)`, NaN where it says so."""
    lines = text(path).splitlines()[1:]
    if not lines:
        raise DatasetError(f"{path} holds a header and no row; fetch it again")
    try:
        table: NDArray[np.float64] = np.loadtxt(lines, delimiter=",", ndmin=2)
    except ValueError as error:
        said = str(error).split(";")[0]
        raise DatasetError(f"{path}: {said} (rows count after the header); fetch it again") from error
    return table


def _breaths(path: Path, repairs: list[str]) -> dict[str, Labels]:
    """Return the breaths of each annotator; the shorter column is filled up with NaN."""
    table = _numbers(path)
    if table.shape[1] != 2 or np.isinf(table).any():
        raise DatasetError(f"{path}: wanted a finite column for each of two annotators, found {table.shape[1]} columns")
    labels = {}
    for rater, column in enumerate(table.T, 1):
        begin = column[~np.isnan(column)].astype(np.int64)
        if (begin < 0).any():
            raise DatasetError(f"{path}: annotator {rater} marks a breath at sample {begin.min()}")
        moved = int((np.diff(begin) < 0).sum())
        if moved:
            repairs.append(f"{path.name}: annotator {rater} goes back in time {moved} times; put in order")
        code = np.zeros(len(begin), np.int64)
        kind = f"breath:{rater}"
        labels[kind] = Labels(kind, BREATH, np.sort(begin), None, code, RATE_HZ, f"annotator {rater}")
    return labels


CARD = Card(
    name=NAME,
    folder=NAME,
    title="BIDMC PPG and Respiration Dataset",
    what="53 recordings of eight minutes from bedside monitors: PPG, impedance respiration, ECG and numerics.",
    who="Critically ill adults at Beth Israel Deaconess Medical Center, Boston, from MIMIC II; 19 to over 90 years.",
    sensors=("fingertip PPG (transmission)", "impedance respiration", "ECG, two or three leads", "pressure, in some"),
    rates={
        **dict.fromkeys(("ppg", "respiration", "ecg", "pressure"), RATE_HZ),
        **{signal: NUMERICS_HZ for signal, _ in NUMERICS.values()},
    },
    labels={f"breath:{rater}": f"each breath, by annotator {rater} of two, from the respiration" for rater in (1, 2)},
    subjects=tuple(f"s{patient:05d}" for patient in PATIENTS),
    recordings=RECORDINGS,
    licence=_physionet.LICENCE,
    licence_url=_physionet.LICENCE_URL,
    citation="M. A. F. Pimentel et al. Toward a Robust Estimation of Respiratory Rate from Pulse Oximeters. IEEE"
    f" Trans. Biomed. Eng. 64(8):1914-1923, 2017, doi:10.1109/TBME.2016.2613124; and {_physionet.CITATION}",
    url="https://physionet.org/files/bidmc/1.0.0/bidmc_csv/",
    files=tuple(f"{name}_{part}" for name in RECORDINGS for part in PARTS),
    checksums=listed_checksums(NAME),
    checksums_origin=COMPUTED,
    notes=(
        "Recordings are not people: 07 and 09 are one patient, 21 and 23 another, by their numbers in MIMIC II, which "
        "are the subjects here. A split by recording leaks.",
        "Subjects are named for the odd-numbered recordings, 27 of 25 people; those of the others are read from their "
        "files.",
        "The CSV form states no units of the waves, so they have none here; PPG and respiration are not calibrated.",
        "The leads differ between recordings: look at the channel names.",
    ),
)
