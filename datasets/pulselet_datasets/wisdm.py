"""WISDM 2019: 18 activities of daily life, with a smartphone in the pocket and a smartwatch.

`raw/phone/accel/data_1600_accel_phone.txt`, and so on for `watch` and `gyro`: a record is
"subject,activity,time,x,y,z;" with an activity's letter, a time in ns of the device's own clock, and m/s² or rad/s. The
nominal rate is 20 Hz, but times are uneven, come twice or go back, and now and then a terminator is missing or a record
is not whole. All of this is mended as declared below, and counted in each recording. Written from the documentation.

This is not the older set of the same name (version 1.1 of 2012: 36 people, a phone only, six activities).

Source: Weiss, Yoneda and Hayajneh, "Smartphone and smartwatch-based biometrics using activities of daily living", IEEE
Access 7, 2019; UCI Machine Learning Repository, data set 507.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Recording, Run
from pulselet_datasets._tables import STANDARD_GRAVITY_M_S2, Even, evenly, found, labelled, text
from pulselet_datasets.card import Card

NAME = "wisdm"
RATE_HZ = 20.0
LONGEST_S = 0.25  # five samples
MOST_BROKEN = 0.01  # part of the records of a file; more, and the file is another
ACTIVITIES = {
    "A": "walking",
    "B": "jogging",
    "C": "stairs",
    "D": "sitting",
    "E": "standing",
    "F": "typing",
    "G": "brushing teeth",
    "H": "eating soup",
    "I": "eating chips",
    "J": "eating pasta",
    "K": "drinking",
    "L": "eating a sandwich",
    "M": "kicking a ball",
    "O": "playing catch",
    "P": "dribbling",
    "Q": "writing",
    "R": "clapping",
    "S": "folding clothes",
}
LETTERS, VOCABULARY = "".join(ACTIVITIES), tuple(ACTIVITIES.values())
SUBJECTS = tuple(str(number) for number in range(1600, 1651))
DEVICES = ("phone", "watch")
SENSORS = {"acc": "accel", "gyro": "gyro"}
SIGNALS = {
    "acc": Signal("acc", "g", RATE_HZ, ("x", "y", "z"), loss_detectable=False),
    "gyro": Signal("gyro", "rad/s", RATE_HZ, ("x", "y", "z"), loss_detectable=False),
}
_RECORD = re.compile(r"(\d+),([A-Z]),(\d+),([^,;]+),([^,;]+),([^,;]+)")


class _Table(NamedTuple):
    ticks_ns: NDArray[np.int64]  # (n,)
    values: NDArray[np.float64]  # (n, 3), g or rad/s
    codes: NDArray[np.int64]  # (n,), index into VOCABULARY
    repairs: tuple[str, ...]


def recordings(folder: Path) -> Iterator[Recording]:
    """Return one recording per subject and device, in order.

    The activity of a sample stands in its own record, so that each file is read once for labels and for the count of
    repairs, and again for samples.

    Raises
    ------
    DatasetError
        If a file is damaged or is of another subject, or names an activity that is none.
    """
    inner = folder / CARD.inner
    raw = (inner if inner.is_dir() else folder) / "raw"
    pairs = [(subject, device) for subject in SUBJECTS for device in DEVICES if _paths(raw, subject, device)]
    return map(partial(_recording, raw), pairs)


def _paths(raw: Path, subject: str, device: str) -> dict[str, Path]:
    return {
        signal: path
        for signal, sensor in SENSORS.items()
        if (path := found(raw / device / sensor, f"data_{subject}_{sensor}_{device}.txt"))
    }


def _recording(raw: Path, pair: tuple[str, str]) -> Recording:
    subject, device = pair
    paths = _paths(raw, subject, device)
    tables = {signal: _table(path, signal, subject) for signal, path in paths.items()}
    kept, repairs = _of_one_clock(tables)
    zero_ns = min(int(table.ticks_ns.min()) for table in kept.values())
    evens = {signal: _even(table, zero_ns, signal) for signal, table in kept.items()}
    first = min(kept)  # "acc" where it is there
    labels = {"activity": labelled("activity", VOCABULARY, kept[first].codes, evens[first], RATE_HZ, "the protocol")}
    repairs += [f"{device} has no {signal}" for signal in SENSORS if signal not in paths]
    for signal in kept:
        repairs += [*kept[signal].repairs, *evens[signal].repairs]
    return Recording(
        dataset=NAME,
        name=f"{subject}_{device}",
        subject=subject,
        signals={signal: SIGNALS[signal] for signal in kept},
        read=partial(_read, {signal: paths[signal] for signal in kept}, subject, zero_ns),
        labels=labels,
        facts={"place": "trouser pocket" if device == "phone" else "wrist", "device": device},
        repairs=tuple(repairs),
        files=tuple(paths[signal] for signal in kept),
    )


def _of_one_clock(tables: Mapping[str, _Table]) -> tuple[Mapping[str, _Table], list[str]]:
    """Return the tables of which the times overlap; without that, acceleration alone, and what to say of it."""
    first = max(int(table.ticks_ns.min()) for table in tables.values())
    last = min(int(table.ticks_ns.max()) for table in tables.values())
    if first <= last:
        return tables, []
    return {"acc": tables["acc"]}, ["gyro is left out: its clock is another, no time is in both"]


def _read(paths: Mapping[str, Path], subject: str, zero_ns: int, name: str) -> list[Run]:
    return _even(_table(paths[name], name, subject), zero_ns, name).runs


def _even(table: _Table, zero_ns: int, name: str) -> Even:
    times_s = (table.ticks_ns - zero_ns) / 1e9
    return evenly(times_s, table.values, rate_hz=RATE_HZ, longest_s=LONGEST_S, name=name)


def _table(path: Path, signal: str, subject: str) -> _Table:
    content = text(path)
    pieces = [piece for piece in re.split(r"[;\n\r]+", content) if piece.strip()]
    ends = content.count(";")
    cut_off = content[-1] not in ";\n\r"  # what the last number was nobody knows
    matches = [match for piece in pieces[: -1 if cut_off else None] if (match := _RECORD.fullmatch(piece.strip()))]
    values, usable = _values(matches)
    broken = len(pieces) - int(usable.sum())
    if broken > MOST_BROKEN * len(pieces):
        raise DatasetError(
            f"{path}: {broken} of {len(pieces)} records are not like 'subject,activity,time,x,y,z;': it is damaged, or "
            "another file; fetch it again"
        )
    whole = [match for match, good in zip(matches, usable.tolist(), strict=True) if good]
    _of_subject(path, {match[1] for match in whole}, subject)
    strange = sorted({match[2] for match in whole} - set(LETTERS))
    if strange:
        raise DatasetError(f"{path}: {strange} are no activities; wanted one of {LETTERS}")
    told = (
        f"{signal}: {broken} records are left out, not whole" if broken else "",
        f"{signal}: {len(pieces) - ends} records have no terminator" if ends < len(pieces) else "",
    )
    return _Table(
        np.array([int(match[3]) for match in whole], np.int64),
        values[usable] / (STANDARD_GRAVITY_M_S2 if signal == "acc" else 1.0),
        np.array([LETTERS.index(match[2]) for match in whole], np.int64),
        tuple(filter(None, told)),
    )


def _of_subject(path: Path, named: set[str], subject: str) -> None:
    if named != {subject}:
        raise DatasetError(f"{path} should be of subject {subject} alone, names {sorted(named)}")


def _values(matches: list[re.Match[str]]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return x, y and z of the records `(n, 3)`, and whether all three are finite numbers `(n,)`."""
    cells = [(match[4], match[5], match[6]) for match in matches]
    try:
        values = np.array(cells, np.float64).reshape(-1, 3)
    except ValueError:  # one of them is no number: find out which
        values = np.array([[_number(cell) for cell in row] for row in cells]).reshape(-1, 3)
    usable: NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=1))
    return values, usable


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


CARD = Card(
    name=NAME,
    folder=NAME,
    title="WISDM Smartphone and Smartwatch Activity and Biometrics Dataset (2019)",
    what="Acceleration and angular velocity of phone and watch: 18 activities of 3 min each.",
    who="51 people, known by the numbers 1600 to 1650.",
    sensors=("3-axis acceleration", "3-axis angular velocity"),
    rates={"acc": RATE_HZ, "gyro": RATE_HZ},
    labels={"activity": "18 activities, by protocol"},
    subjects=SUBJECTS,
    licence="CC BY 4.0",
    licence_url="https://creativecommons.org/licenses/by/4.0/",
    citation="G. M. Weiss, K. Yoneda, T. Hayajneh. Smartphone and Smartwatch-Based Biometrics Using Activities of "
    "Daily Living. IEEE Access 7, 2019. doi:10.24432/C5HK59.",
    files=tuple(
        f"raw/{device}/{sensor}/data_{subject}_{sensor}_{device}.txt"
        for subject in SUBJECTS
        for device in DEVICES
        for sensor in SENSORS.values()
    ),
    inner="wisdm-dataset",
    manual="Download the zip of UCI data set 507 (https://archive.ics.uci.edu/dataset/507), unpack it and the "
    "wisdm-dataset.zip in it into the folder.",
    notes=(
        f"Sampled unevenly: interpolated linearly to {RATE_HZ:g} Hz, with gaps where samples are more than "
        f"{LONGEST_S:g} s apart; times that go back or come twice are put in order or left out. Each recording "
        "counts it.",
        "Not every person did every activity, nor wore both devices.",
        "Acceleration comes in m/s² and is given in g.",
        "There is no activity N.",
        "Loader written from the documentation, and tested on small files of the same layout.",
    ),
)
