"""GeoTec: walking, turning and sitting down and up again, with a smartwatch; the watch's files.

`s01/s01_01_sw.csv`: acceleration in m/s², angular velocity in rad/s, a time in ms since 1970 and the activity of every
sample. The times are not even: 4 to 15 ms apart, now and then 38, now and then the same twice. The sensor runs at about
104 Hz. Samples are interpolated linearly to 104 Hz, and counted; two that are more than 0.1 s apart have a gap between.
Acceleration comes in g. Both signals share their times.

Source: Matey-Sanz, Casteleyn and Granell, "Dataset of inertial measurements of smartphones and smartwatches for human
activity recognition", Data in Brief 51, 2023.
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
from pulselet_datasets._tables import STANDARD_GRAVITY_M_S2, Even, evenly, folders, found, labelled, rows
from pulselet_datasets.card import COMPUTED, Card, listed_checksums

NAME = "geotec-har"
RATE_HZ = 104.0
LONGEST_S = 0.1
ACTIVITIES = {
    "WALKING": "walking",
    "TURNING": "turning",
    "SEATED": "sitting",
    "SITTING_DOWN": "sitting down",
    "STANDING_UP": "standing up",
}
VOCABULARY = tuple(ACTIVITIES.values())
SIGNALS = {
    "acc": Signal("acc", "g", RATE_HZ, ("x", "y", "z"), loss_detectable=False),
    "gyro": Signal("gyro", "rad/s", RATE_HZ, ("x", "y", "z"), loss_detectable=False),
}
FACTS = {
    "age": "age",
    "gender": "sex",
    "height": "height_cm",
    "weight": "weight_kg",
    "dominant_hand": "handed",
    "orientation": "phone_orientation",
    "first_turn": "first_turn",
    "second_turn": "second_turn",
}
SAID = {"M": "male", "F": "female", "R": "right", "L": "left", "r": "right", "l": "left"}
COLUMNS = ("x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro", "timestamp", "label")


_Facts = Mapping[str, Mapping[str, str]]


class _Table(NamedTuple):
    times_s: NDArray[np.float64]  # (n,), from the first sample
    values: NDArray[np.float64]  # (n, 6): g, rad/s
    codes: NDArray[np.int64]  # (n,), index into VOCABULARY


def recordings(folder: Path) -> Iterator[Recording]:
    """Return one recording per execution of the sequence, in order of subject and number.

    The label of a sample stands in its own row, so that each file is read once for its labels, and again for samples.

    Raises
    ------
    DatasetError
        If a file is damaged, lacks a column or names an activity that is none.
    """
    people = _facts(folder, "subjects_info.csv", "subject_id")
    runs = _facts(folder, "executions_info.csv", "execution_id")
    paths = [
        path
        for subject, inner in folders(folder, r"s\d+")
        for path in sorted(inner.iterdir())
        if re.fullmatch(rf"{subject}_\d+_sw\.csv(\.gz)?", path.name)
    ]
    return map(partial(_recording, people=people, runs=runs), paths)


def _recording(path: Path, people: _Facts, runs: _Facts) -> Recording:
    subject, name = path.parent.name, path.name.partition("_sw")[0]
    table = _table(path)
    even = _even(table)
    labels = labelled("activity", VOCABULARY, table.codes, even, RATE_HZ, "the authors")
    return Recording(
        dataset=NAME,
        name=name,
        subject=subject,
        signals=SIGNALS,
        read=partial(_read, path),
        labels={"activity": labels},
        facts={"place": "wrist", **people.get(subject, {}), **runs.get(name, {})},
        repairs=even.repairs,
        files=(path,),
    )


def _read(path: Path, name: str) -> list[Run]:
    columns = slice(0, 3) if name == "acc" else slice(3, 6)
    return [run._replace(values=np.ascontiguousarray(run.values[:, columns])) for run in _even(_table(path)).runs]


def _even(table: _Table) -> Even:
    return evenly(table.times_s, table.values, rate_hz=RATE_HZ, longest_s=LONGEST_S, name="acc and gyro")


def _table(path: Path) -> _Table:
    read = rows(path, COLUMNS)
    if not read:
        raise DatasetError(f"{path} holds a header and no sample; fetch it again")
    strange = sorted({row["label"] for row in read} - set(ACTIVITIES))
    if strange:
        raise DatasetError(f"{path}: {strange} are no activities; wanted one of {sorted(ACTIVITIES)}")
    try:
        values = np.array([[float(row[column]) for column in COLUMNS[:7]] for row in read])
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from error
    if not np.isfinite(values).all():
        raise DatasetError(
            f"{path}: row {int(np.argmin(np.isfinite(values).all(axis=1))) + 1} holds a number that is not finite"
        )
    times_s = (values[:, 6] - values[:, 6].min()) / 1000
    codes = np.array([VOCABULARY.index(ACTIVITIES[row["label"]]) for row in read], np.int64)
    scaled = values[:, :6] / np.repeat([STANDARD_GRAVITY_M_S2, 1.0], 3)
    return _Table(times_s, scaled, codes)


def _facts(folder: Path, name: str, key: str) -> _Facts:
    path = found(folder, name)
    if path is None:
        return {}
    return {
        row[key]: {ours: SAID.get(row[theirs], row[theirs]) for theirs, ours in FACTS.items() if theirs in row}
        for row in rows(path, (key,))
    }


SUBJECTS = tuple(f"s{number:02d}" for number in range(1, 24))
EXECUTIONS = (6, 9, 10, 10, 10, 10, 11, 9, *[10] * 13, 9, 9)  # of each subject, by subjects_info.csv

CARD = Card(
    name=NAME,
    folder=NAME,
    title="GeoTec smartphone and smartwatch activity set, the smartwatch",
    what="Acceleration and angular velocity at the wrist: rise, walk, turn, walk back, turn, sit down.",
    who="23 people aged 23 to 66, 13 men and 10 women; 223 executions.",
    sensors=("3-axis acceleration", "3-axis angular velocity"),
    rates={"acc": RATE_HZ, "gyro": RATE_HZ},
    labels={"activity": "walking, turning, sitting, sitting down, standing up, by the authors"},
    subjects=SUBJECTS,
    licence="CC BY 4.0",
    licence_url="https://creativecommons.org/licenses/by/4.0/",
    citation="M. Matey-Sanz, S. Casteleyn, C. Granell. Dataset of inertial measurements of smartphones and "
    "smartwatches for human activity recognition. Data in Brief 51, 109809, 2023. doi:10.1016/j.dib.2023.109809.",
    url="https://raw.githubusercontent.com/GeoTecINIT/sp-sw-har-dataset/HEAD/DATA/",
    bytes=36_620_873,
    checksums=listed_checksums(NAME),
    checksums_origin=COMPUTED,
    files=(
        "subjects_info.csv",
        "executions_info.csv",
        *(
            f"{subject}/{subject}_{number:02d}_sw.csv"
            for subject, most in zip(SUBJECTS, EXECUTIONS, strict=True)
            for number in range(1, most + 1)
        ),
    ),
    notes=(
        f"Sampled unevenly: interpolated linearly to {RATE_HZ:g} Hz; two samples more than {LONGEST_S:g} s apart have "
        "a gap between them. Each recording counts it.",
        "Acceleration comes in m/s² and is given in g.",
        "Turning and walking follow each other without a pause: where one ends is the authors' judgement.",
    ),
)
