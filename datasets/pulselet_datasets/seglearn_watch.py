"""Rehabilitation exercises of the shoulder, recorded with a wrist watch.

The recordings travel inside the `seglearn` wheel: ten people, both sides, seven exercises, 140 series at 50 Hz.
A series comes as `WatchSeries` by `series`, or as a recording by `recordings`.
Source: Burns et al., "Shoulder physiotherapy exercise recognition", arXiv 1802.01489.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError, MissingExtraError
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Labels, Recording, Run
from pulselet_datasets.card import COMPUTED, Card
from pulselet_datasets.places import packaged

EXERCISES = ("PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW")
FILE = "watch_dataset.npy"
RATE_HZ = 50.0
ACCELERATION_LSB_G = 1 / 4096  # powers of two, so that LSBs scale to float32 exactly
ROTATION_LSB_RAD_S = 1 / 1024
SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"
NAME = "seglearn"
SIGNALS = {
    "acc": Signal("acc", "g", RATE_HZ, ("x", "y", "z"), loss_detectable=False),
    "gyro": Signal("gyro", "rad/s", RATE_HZ, ("x", "y", "z"), loss_detectable=False),
}
SIDES = ("left", "right")  # as coded in the file: 0 and 1


@dataclass(frozen=True, eq=False)
class WatchSeries:
    """One exercise by one person on one side, as a watch with an int16 sensor would have sent it."""

    subject: int  # 1 to 10
    side: str  # "left" or "right"
    exercise: str  # one of EXERCISES
    acceleration: NDArray[np.float32]  # (n, 3), g, multiples of ACCELERATION_LSB_G
    rotation: NDArray[np.float32]  # (n, 3), rad/s, multiples of ROTATION_LSB_RAD_S
    rate_hz: float = RATE_HZ


def series(folder: Path | None = None) -> list[WatchSeries]:
    """Return the 140 series in the order of the file, which is that of the wheel unless a folder holds one.

    Raises
    ------
    MissingExtraError
        If `seglearn` is not installed.
    DatasetError
        If its data file is absent or is not the one whose checksum is known.
    """
    table = _load(_locate() if folder is None else folder / FILE)
    columns = zip(table["X"], table["y"], table["subject"], table["side"], strict=True)
    return [
        WatchSeries(
            subject=int(subject),
            side=SIDES[int(side)],
            exercise=EXERCISES[int(exercise)],
            acceleration=as_sent(samples[:, :3], ACCELERATION_LSB_G),
            rotation=as_sent(samples[:, 3:], ROTATION_LSB_RAD_S),
        )
        for samples, exercise, subject, side in columns
    ]


def recordings(folder: Path | None = None) -> Iterator[Recording]:
    """Return the 140 series as recordings, in the order of the file; the file is read at once, and kept.

    Labels "exercise" say what was done, from the first sample to the last.

    Raises
    ------
    MissingExtraError, DatasetError
        As `series` does.
    """
    path = _locate() if folder is None else folder / FILE
    return map(partial(_recording, path), series(folder))


def _recording(path: Path, one: WatchSeries) -> Recording:
    labels = Labels.of("exercise", [one.exercise], [0], [len(one.acceleration)], rate_hz=RATE_HZ, vocabulary=EXERCISES)
    return Recording(
        dataset=NAME,
        name=f"{one.subject:02d}_{one.side}_{one.exercise}",
        subject=str(one.subject),
        signals=SIGNALS,
        read=partial(_read, one),
        labels={"exercise": labels},
        facts={"place": "wrist", "side": one.side, "exercise": one.exercise},
        files=(path,),
    )


def _read(one: WatchSeries, name: str) -> list[Run]:
    return [Run(0, one.acceleration if name == "acc" else one.rotation)]


def as_sent(values: NDArray[np.float64], lsb: float) -> NDArray[np.float32]:
    """Return `values` rounded to int16 steps of `lsb` (saturating) and scaled back.

    >>> as_sent(np.array([0.3, -99.0]), 1 / 4).tolist()
    [0.25, -99.0]
    """
    steps = np.clip(np.rint(values / lsb), -32768, 32767).astype(np.int16)
    return steps.astype(np.float32) * np.float32(lsb)


def _locate() -> Path:
    """Return where the data file is; `seglearn` itself is not imported (it would pull in scikit-learn)."""
    place = packaged(CARD)
    if place is None:
        raise MissingExtraError("seglearn", "demo")
    return place / FILE


def _load(path: Path) -> dict[str, Any]:
    """Return the table in the file at `path`, unpickled only after its checksum is known to be right."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error}; reinstall seglearn 1.2.5") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise DatasetError(f"{path} should have SHA-256 {SHA256}, has {digest}; install seglearn 1.2.5")
    table: dict[str, Any] = np.load(io.BytesIO(content), allow_pickle=True).item()
    return table


CARD = Card(
    name=NAME,
    folder="",
    title="Shoulder physiotherapy exercises with a watch (of the seglearn package)",
    what="Acceleration and angular velocity at the wrist: seven shoulder exercises on either side, 140 series.",
    who="10 healthy adults.",
    sensors=("3-axis acceleration", "3-axis angular velocity"),
    rates={"acc": RATE_HZ, "gyro": RATE_HZ},
    labels={"exercise": "one of seven exercises, by protocol"},
    subjects=tuple(str(number) for number in range(1, 11)),
    licence="BSD 3-Clause (of the package)",
    licence_url="https://github.com/dmbee/seglearn/blob/master/LICENSE",
    citation="D. Burns, N. Leung, M. Hardisty, C. Whyne, P. Henry, S. McLachlin. Shoulder Physiotherapy Exercise "
    "Recognition: Machine Learning the Inertial Signals from a Smartwatch. Physiol. Meas. 39, 2018. arXiv:1802.01489.",
    package="seglearn/data",
    bytes=18_118_091,
    files=(FILE,),
    checksums={FILE: SHA256},
    checksums_origin=COMPUTED,
    manual="pip install 'pulselet[demo]': it comes with the wheel of seglearn 1.2.5.",
    notes=(
        "Values are rounded to the steps of an int16 sensor, as a watch would have sent them.",
        "A series is one exercise from begin to end, several repetitions, with nothing before or after.",
    ),
)
