"""TROIKA: pulse at the wrist while running on a treadmill, with a chest ECG and a reference heart rate.

MATLAB files of the IEEE Signal Processing Cup 2015. Each `DATA_SS_TYPETT.mat` holds `sig`, six rows at 125 Hz: ECG, two
channels of PPG (green light), and acceleration along x, y and z. The reference, `REF_...mat` or `..._BPMtrace.mat`,
holds `BPM0`: the heart rate, counted from the ECG, in windows of 8 s that begin every 2 s. The authors'
`Readme.txt` describes this. It states no unit for the acceleration, whose magnitude at rest is about 1, so g.

Source: Zhang, Pi and Liu, "TROIKA: a general framework for heart rate monitoring using wrist-type photoplethysmographic
signals during intensive physical exercise", IEEE Transactions on Biomedical Engineering 62, 2015.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Recording, Run
from pulselet_datasets._tables import by_number
from pulselet_datasets.card import COMPUTED, Card, listed_checksums

NAME = "troika"
RATE_HZ = 125.0
WINDOW_S, STEP_S = 8.0, 2.0  # of the reference heart rate
ROWS = {"ecg": (0,), "ppg": (1, 2), "acc": (3, 4, 5)}
SIGNALS = {
    "ecg": Signal("ecg", "", RATE_HZ, ("ecg",), loss_detectable=False),
    "ppg": Signal("ppg", "", RATE_HZ, ("ppg1", "ppg2"), loss_detectable=False),
    "acc": Signal("acc", "g", RATE_HZ, ("x", "y", "z"), loss_detectable=False),
    "heart_rate": Signal("heart_rate", "bpm", 1 / STEP_S, ("heart_rate",), loss_detectable=False),
}
SPEEDS_KM_H = {"01": "8 and 15", "02": "6 and 12"}
NOT_RUNNING = ("DATA_04_TYPE01",)


def recordings(folder: Path) -> Iterator[Recording]:
    """Return the recordings in the order of their names; only the sizes of their matrices are read.

    `heart_rate` is what the ECG says: its sample k speaks of the 8 s that end at `8 + 2 k` s, so it begins at 8 s.

    Raises
    ------
    DatasetError
        If a file is damaged, or is not laid out as described.
    """
    named = [path for path in folder.glob("DATA_*.mat") if _FILE.fullmatch(path.name)]
    return map(_recording, sorted(named, key=lambda path: by_number(path.name)))


_FILE = re.compile(r"DATA_(\d+)_TYPE(\d+)\.mat")


def _recording(path: Path) -> Recording:
    subject, kind = re.findall(r"\d+", path.name)
    samples = _size(path, "sig", axis=1, other=6)
    reference = next((one for one in _references(path) if one.is_file()), None)
    signals, start_s, repairs = dict(SIGNALS), {"heart_rate": WINDOW_S}, []
    if reference is None:
        del signals["heart_rate"], start_s["heart_rate"]
        repairs.append(f"{_references(path)[0].name} is not there: no reference heart rate")
    else:
        repairs += _compared(reference, samples)
    return Recording(
        dataset=NAME,
        name=path.stem.removeprefix("DATA_"),
        subject=subject,
        signals=signals,
        read=partial(_read, path, reference),
        start_s=start_s,
        facts={
            "speeds_km_h": "unknown" if path.stem in NOT_RUNNING else SPEEDS_KM_H.get(kind, "unknown"),
            "place": "wrist; ECG at the chest",
        },
        repairs=tuple(repairs),
        files=(path,) if reference is None else (path, reference),
    )


def _references(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name.replace("DATA_", "REF_")), path.with_name(f"{path.stem}_BPMtrace.mat")


def _compared(reference: Path, samples: int) -> list[str]:
    """Return what to say of a reference that stops early; DatasetError if it speaks of time that is not there."""
    windows = int((samples / RATE_HZ - WINDOW_S) // STEP_S) + 1
    given = _size(reference, "BPM0", axis=0, other=1)
    if given > windows:
        raise DatasetError(
            f"{reference} holds {given} heart rates, but {samples / RATE_HZ:.1f} s have {windows} windows of "
            f"{WINDOW_S:g} s: one of the two files is cut off, or they do not belong together; fetch them again"
        )
    return [f"heart_rate: the last {windows - given} windows have none"] if given < windows else []


def _size(path: Path, variable: str, axis: int, other: int) -> int:
    """Return the length of a matrix along one axis, without its values; DatasetError if it is not as it should be."""
    from scipy.io import whosmat

    try:
        sizes = {name: shape for name, shape, _ in whosmat(str(path))}
    except Exception as error:  # scipy's reader has no error of its own: a damaged file ends in any of many
        raise DatasetError(f"{path} is no MATLAB file that can be read: {error}; fetch it again") from error
    shape = sizes.get(variable)
    if shape is None or len(shape) != 2 or shape[1 - axis] != other or not shape[axis]:
        raise DatasetError(f"{path}: wanted a matrix {variable!r} with {other} along one axis, found {sizes}")
    return int(shape[axis])


def _read(path: Path, reference: Path | None, name: str) -> list[Run]:
    if name == "heart_rate" and reference is not None:
        values = _matrix(reference, "BPM0")
    else:
        values = _matrix(path, "sig")[list(ROWS[name])].T
    return [Run(0, np.ascontiguousarray(values, np.float32))]


def _matrix(path: Path, variable: str) -> NDArray[np.float64]:
    from scipy.io import loadmat

    try:
        matrix: Any = loadmat(str(path), variable_names=[variable])[variable]
        values: NDArray[np.float64] = np.asarray(matrix, np.float64)
    except Exception as error:  # as above
        raise DatasetError(f"{path}: {variable!r} cannot be read: {error}; fetch it again") from error
    if not np.isfinite(values).all():
        raise DatasetError(f"{path}: {variable!r} holds numbers that are not finite")
    return values


CARD = Card(
    name=NAME,
    folder=NAME,
    title="TROIKA (IEEE Signal Processing Cup 2015, training data)",
    what="Wrist PPG and acceleration, and a chest ECG, of people who run on a treadmill; about 5 min each.",
    who="12 men aged 18 to 35.",
    sensors=("2-channel wrist PPG, green", "3-axis acceleration at the wrist", "1-lead chest ECG"),
    rates={name: signal.rate_hz or 0.0 for name, signal in SIGNALS.items()},
    labels={"heart_rate": "a signal: heart rate by ECG in windows of 8 s every 2 s, by the authors"},
    subjects=tuple(f"{number:02d}" for number in range(1, 13)),
    licence="For research; no licence text is published with it",
    citation="Z. Zhang, Z. Pi, B. Liu. TROIKA: A General Framework for Heart Rate Monitoring Using Wrist-Type "
    "Photoplethysmographic Signals During Intensive Physical Exercise. IEEE Trans. Biomed. Eng. 62(2), 2015.",
    files=tuple(f"DATA_{number:02d}_TYPE{'01' if number == 1 else '02'}.mat" for number in range(1, 13)),
    checksums=listed_checksums(NAME),
    checksums_origin=COMPUTED,
    manual="Ask for the Signal Processing Cup 2015 training data where its authors offer them, and put the .mat files "
    "into the folder: DATA_01_TYPE01.mat beside REF_01_TYPE01.mat or DATA_01_TYPE01_BPMtrace.mat.",
    notes=(
        "A recording of TYPE01 and one of TYPE02 with the same number are taken as one person.",
        "04_TYPE01, which some copies have, is not of the twelve: its heart rate never passes 108 bpm, so it is not "
        "the run; it is probably DATA_S04_T01 of the competition's extra data under another name.",
        "The sample k of heart_rate speaks of the 8 s that end at 8 + 2 k s; its start_s is 8.",
        "The set states no unit of the acceleration; at rest its magnitude is 0.9 to 1.1, so it is taken as g.",
        "ECG and PPG are in steps of the converter.",
    ),
)
