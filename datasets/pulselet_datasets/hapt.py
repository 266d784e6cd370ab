"""HAPT: everyday activities and the transitions between postures, with a smartphone at the waist.

`RawData/acc_expEE_userUU.txt` and `gyro_expEE_userUU.txt` hold three columns at 50 Hz, in g and rad/s. `labels.txt` has
a row for each activity: experiment, user, activity (1 to 12), first and last sample. The readme does not say from what
they count; the authors work in MATLAB, so from 1. That the last one belongs to it is known: with windows of 128 samples
every 64, the intervals then give the 7,767 and 3,162 windows of the set's own training and test part.

Source: Reyes-Ortiz, Oneto, Samà, Parra and Anguita, "Transition-aware human activity recognition using smartphones",
Neurocomputing 171, 2016; UCI Machine Learning Repository, data set 341.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Labels, Recording, Run
from pulselet_datasets._tables import found, needed, numbers
from pulselet_datasets.card import COMPUTED, Card, OfficialSplit, listed_checksums

NAME = "hapt"
RATE_HZ = 50.0
ACTIVITIES = (
    "walking",
    "walking upstairs",
    "walking downstairs",
    "sitting",
    "standing",
    "lying",
    "stand to sit",
    "sit to stand",
    "sit to lie",
    "lie to sit",
    "stand to lie",
    "lie to stand",
)  # by their numbers in the file, from 1
TRANSITIONS = ACTIVITIES[6:]
SIGNALS = {
    "acc": Signal("acc", "g", RATE_HZ, ("x", "y", "z"), loss_detectable=False),
    "gyro": Signal("gyro", "rad/s", RATE_HZ, ("x", "y", "z"), loss_detectable=False),
}
SUBJECTS = tuple(str(user) for user in range(1, 31))
USERS = sorted([*range(1, 31), *range(1, 31), 10])  # who did the experiments, from number 1 on
TEST_SUBJECTS = ("2", "4", "9", "10", "12", "13", "18", "20", "24")


def recordings(folder: Path) -> Iterator[Recording]:
    """Return one recording per experiment, in order; samples are read when asked for.

    Raises
    ------
    DatasetError
        If `labels.txt` or a file of samples is damaged, or is not laid out as described.
    """
    raw = folder / "RawData" if (folder / "RawData").is_dir() else folder
    table_path = needed(raw, "labels.txt")
    table = _checked(table_path)
    names = sorted({match[1] for path in raw.iterdir() if (match := _FILE.fullmatch(path.name))})
    return map(partial(_recording, raw=raw, table_path=table_path, table=table), names)


_FILE = re.compile(r"(?:acc|gyro)_(exp\d+_user\d+)\.txt(?:\.gz)?")


def _recording(name: str, raw: Path, table_path: Path, table: NDArray[np.int64]) -> Recording:
    experiment, user = (int(part) for part in re.findall(r"\d+", name))
    own = table[table[:, 0] == experiment]
    if (own[:, 1] != user).any():
        raise DatasetError(f"{table_path}: experiment {experiment} is of user {own[0, 1]}, but {name} of user {user}")
    paths = {signal: path for signal in SIGNALS if (path := found(raw, f"{signal}_{name}.txt"))}
    repairs = [f"{signal}_{name}.txt is not there" for signal in SIGNALS if signal not in paths]
    labels = Labels("activity", ACTIVITIES, own[:, 3] - 1, own[:, 4], own[:, 2] - 1, RATE_HZ, "seen on video")
    return Recording(
        dataset=NAME,
        name=name,
        subject=str(user),
        signals={signal: SIGNALS[signal] for signal in paths},
        read=partial(_read, paths, int(own[:, 4].max(initial=0)), table_path),
        labels={"activity": labels},
        facts={"place": "waist", "experiment": str(experiment)},
        repairs=(*repairs, *([] if len(own) else ["labels.txt has no row for it"])),
        files=(*paths.values(), table_path),
    )


def _checked(path: Path) -> NDArray[np.int64]:
    """Return the rows of the table; DatasetError if one cannot be."""
    table = numbers(path, 5)
    rows: NDArray[np.int64] = np.rint(table).astype(np.int64)
    experiment, _, activity, first, last = rows.T
    before = np.r_[False, (experiment[1:] == experiment[:-1]) & (first[1:] <= last[:-1])]
    for bad, what in (
        ((rows != table).any(axis=1), "holds a number that is no integer"),
        ((activity < 1) | (activity > len(ACTIVITIES)), f"has an activity that is not within 1 to {len(ACTIVITIES)}"),
        ((first < 1) | (last < first), "ends before it begins, or begins before sample 1"),
        (before, "is out of order: it begins before the one before it ends"),
    ):
        if bad.any():
            raise DatasetError(f"{path}: row {int(np.argmax(bad)) + 1} {what}: {rows[np.argmax(bad)].tolist()}")
    return rows


def _read(paths: dict[str, Path], last: int, table_path: Path, name: str) -> list[Run]:
    values = numbers(paths[name], 3)
    if len(values) < last:
        raise DatasetError(
            f"{paths[name]} holds {len(values)} samples, but {table_path.name} speaks of sample {last}: it is cut off, "
            "or they do not belong together; fetch it again"
        )
    return [Run(0, values.astype(np.float32))]


CARD = Card(
    name=NAME,
    folder=NAME,
    title="Smartphone-Based Recognition of Human Activities and Postural Transitions (HAPT)",
    what="Acceleration and angular velocity of a smartphone at the waist: six activities and six transitions.",
    who="30 people aged 19 to 48; 61 experiments.",
    sensors=("3-axis acceleration", "3-axis angular velocity"),
    rates={"acc": RATE_HZ, "gyro": RATE_HZ},
    labels={"activity": "12 activities and transitions, by the authors from video"},
    subjects=SUBJECTS,
    splits={
        "70/30": OfficialSplit(
            {"train": tuple(user for user in SUBJECTS if user not in TEST_SUBJECTS), "test": TEST_SUBJECTS},
            note="the authors' Train and Test, drawn at random by subject",
        )
    },
    licence="CC BY 4.0",
    licence_url="https://creativecommons.org/licenses/by/4.0/",
    citation="J.-L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra, D. Anguita. Transition-Aware Human Activity Recognition "
    "Using Smartphones. Neurocomputing 171, 2016. doi:10.24432/C54G7M.",
    bytes=71_099_100,
    files=(
        "RawData/labels.txt",
        *(
            f"RawData/{sensor}_exp{experiment:02d}_user{user:02d}.txt"
            for sensor in SIGNALS
            for experiment, user in enumerate(USERS, 1)
        ),
    ),
    checksums=listed_checksums(NAME),
    checksums_origin=COMPUTED,
    manual="Download the zip of UCI data set 341 (https://archive.ics.uci.edu/dataset/341) and unpack it so that "
    "RawData, with labels.txt and the acc_ and gyro_ files in it, is in the folder.",
    notes=(
        "Parts of every recording have no label; the transitions last a few seconds and are few.",
        "Experiment 12 has no label in its second half, though the phone goes on recording.",
        "User 10 did three experiments; all others two.",
        "That labels count from 1 is taken from the authors' tools; it is stated nowhere, and is a matter of 20 ms.",
    ),
)
