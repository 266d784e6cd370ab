"""PPG-DaLiA: pulse at the wrist in everyday life, with a chest ECG and a reference heart rate.

Per subject a pickle `S1/S1.pkl` of a dictionary: `signal` with `wrist` (BVP 64 Hz, ACC 32 Hz in g, EDA and TEMP 4 Hz)
and `chest` (ECG, ACC in g and Resp, 700 Hz); `rpeaks` in samples of the ECG; `label`, the heart rate by ECG in windows
of 8 s that begin every 2 s; and `activity`, a number at 4 Hz. A pickle may run any program as it is opened, so it is
opened by a reader that knows arrays and plain values, and refuses all else. Written from the set's documentation.

Source: Reiss, Indlekofer, Schmidt and Van Laerhoven, "Deep PPG: large-scale heart rate estimation with convolutional
neural networks", Sensors 19, 2019; UCI Machine Learning Repository, data set 495.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Labels, Recording, Run
from pulselet_datasets._tables import Later, folders, spans
from pulselet_datasets.card import Card

NAME = "ppg-dalia"
WINDOW_S, STEP_S = 8.0, 2.0  # of the reference heart rate
ECG_HZ, ACTIVITY_HZ = 700.0, 4.0
ACTIVITIES = (
    "transient",
    "sitting",
    "stairs",
    "table soccer",
    "cycling",
    "driving",
    "lunch",
    "walking",
    "working",
)  # by their numbers in the file, from 0
SIGNALS = {
    "bvp": Signal("bvp", "", 64.0, ("bvp",), loss_detectable=False),
    "acc": Signal("acc", "g", 32.0, ("x", "y", "z"), loss_detectable=False),
    "eda": Signal("eda", "µS", 4.0, ("eda",), loss_detectable=False),
    "temp": Signal("temp", "°C", 4.0, ("temp",), loss_detectable=False),
    "ecg": Signal("ecg", "mV", ECG_HZ, ("ecg",), loss_detectable=False),
    "chest_acc": Signal("chest_acc", "g", ECG_HZ, ("x", "y", "z"), loss_detectable=False),
    "resp": Signal("resp", "%", ECG_HZ, ("resp",), loss_detectable=False),
    "heart_rate": Signal("heart_rate", "bpm", 1 / STEP_S, ("heart_rate",), loss_detectable=False),
}
PLACES = {
    "bvp": ("signal", "wrist", "BVP"),
    "acc": ("signal", "wrist", "ACC"),
    "eda": ("signal", "wrist", "EDA"),
    "temp": ("signal", "wrist", "TEMP"),
    "ecg": ("signal", "chest", "ECG"),
    "chest_acc": ("signal", "chest", "ACC"),
    "resp": ("signal", "chest", "Resp"),
    "heart_rate": ("label",),
}
SUBJECTS = tuple(f"S{number}" for number in range(1, 16))
ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),  # how Python 2 and old protocols write bytes, and the next two what is empty of them
    ("builtins", "bytes"),
    ("__builtin__", "bytes"),
}


def recordings(folder: Path) -> Iterator[Recording]:
    """Return one recording per subject; nothing is opened before labels or samples are asked for.

    `heart_rate` is what the ECG says: its sample k speaks of the 8 s that end at `8 + 2 k` s, so it begins at 8 s.

    Raises
    ------
    DatasetError
        When labels or samples are asked for: if the pickle is damaged, wants to run something, or is not laid out as
        described.
    """
    inner = folder / CARD.inner
    paths = [path / f"{name}.pkl" for name, path in folders(inner if inner.is_dir() else folder, r"S\d+")]
    return map(_recording, [path for path in paths if path.is_file()])


def _recording(path: Path) -> Recording:
    return Recording(
        dataset=NAME,
        name=path.stem,
        subject=path.stem,
        signals=SIGNALS,
        read=partial(_read, path),
        labels=Later(("activity", "beat"), partial(_labels, path)),
        start_s={"heart_rate": WINDOW_S},
        facts={"place": "wrist; ECG at the chest"},
        files=(path,),
    )


class _Plain(pickle.Unpickler):
    """Reads arrays and plain values; anything else that a pickle may name is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which is no array")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            content = _Plain(file, encoding="latin1").load()  # written by Python 2
    except Exception as error:  # a damaged pickle may end in any error
        raise DatasetError(f"{path} is no pickle of arrays: {error}; fetch it again") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: wanted a dictionary, found {type(content).__name__}")
    if "subject" in content and content["subject"] != path.stem:
        raise DatasetError(f"{path} is of subject {content['subject']}, not of {path.stem}: a file was renamed")
    return content


def _array(path: Path, content: Mapping[str, Any], place: tuple[str, ...], columns: int) -> NDArray[np.float64]:
    """Return the array at a place as float64 `(n, columns)`; DatasetError if it is not there, or not such."""
    inner: Any = content
    for key in place:
        if not isinstance(inner, dict) or key not in inner:
            raise DatasetError(f"{path} has no {'/'.join(place)}")
        inner = inner[key]
    try:
        values = np.asarray(inner, np.float64)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path}: {'/'.join(place)} holds no numbers: {error}") from error
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.shape[1] != columns or not len(values):
        raise DatasetError(f"{path}: wanted {'/'.join(place)} as (n, {columns}), found {values.shape}")
    if not np.isfinite(values).all():
        raise DatasetError(f"{path}: {'/'.join(place)} holds numbers that are not finite")
    return values


def _read(path: Path, name: str) -> list[Run]:
    content = _load(path)
    values = _array(path, content, PLACES[name], len(SIGNALS[name].channels))
    if name == "heart_rate":
        _fits(path, len(values), _array(path, content, PLACES["bvp"], 1))
    return [Run(0, np.ascontiguousarray(values, np.float32))]


def _fits(path: Path, given: int, bvp: NDArray[np.float64]) -> None:
    length_s = len(bvp) / 64.0
    windows = int((length_s - WINDOW_S) // STEP_S) + 1
    if given > windows:
        raise DatasetError(f"{path} holds {given} heart rates, but {length_s:.1f} s have {windows} windows of 8 s")


def _labels(path: Path) -> dict[str, Labels]:
    content = _load(path)
    given = _array(path, content, ("activity",), 1)[:, 0]
    codes = np.rint(given).astype(np.int64)
    if (codes != given).any() or codes.min() < 0 or codes.max() >= len(ACTIVITIES):
        raise DatasetError(
            f"{path}: activities run from {given.min():g} to {given.max():g}; wanted integers from 0 to 8"
        )
    begin, end = spans(codes)
    peaks = np.rint(_array(path, content, ("rpeaks",), 1)[:, 0]).astype(np.int64)
    samples = len(_array(path, content, PLACES["ecg"], 1))
    if peaks.min() < 0 or peaks.max() >= samples:
        raise DatasetError(
            f"{path}: R peaks run from {peaks.min()} to {peaks.max()}, but the ECG has {samples} samples"
        )
    beats = Labels("beat", ("beat",), peaks, None, np.zeros(len(peaks), np.int64), ECG_HZ, "the authors")
    activity = Labels("activity", ACTIVITIES, begin, end, codes[begin], ACTIVITY_HZ, "the authors")
    return {"activity": activity, "beat": beats}


CARD = Card(
    name=NAME,
    folder=NAME,
    title="PPG-DaLiA (PPG in Daily Life Activities)",
    what="Wrist PPG and acceleration with a chest ECG, through eight everyday activities; about 2.5 h each.",
    who="15 people aged 21 to 55, 7 men and 8 women.",
    sensors=("wrist PPG", "3-axis acceleration at wrist and chest", "electrodermal activity", "1-lead chest ECG"),
    rates={name: signal.rate_hz or 0.0 for name, signal in SIGNALS.items()},
    labels={
        "activity": "8 activities, and transient between them, by the authors",
        "beat": "R peaks, found by a program and corrected by the authors",
        "heart_rate": "a signal: heart rate by ECG in windows of 8 s every 2 s",
    },
    subjects=SUBJECTS,
    licence="CC BY 4.0",
    licence_url="https://creativecommons.org/licenses/by/4.0/",
    citation="A. Reiss, I. Indlekofer, P. Schmidt, K. Van Laerhoven. Deep PPG: Large-Scale Heart Rate Estimation with "
    "Convolutional Neural Networks. Sensors 19(14), 2019. doi:10.24432/C53890.",
    files=tuple(f"{subject}/{subject}.pkl" for subject in SUBJECTS),
    inner="PPG_FieldStudy",
    manual="Download the zip of UCI data set 495 (https://archive.ics.uci.edu/dataset/495), unpack it and the data.zip "
    "in it into the folder.",
    notes=(
        "A pickle holds more than 1 GB, and all of it is opened for any one signal.",
        "S6 is cut off after about 1.5 h: its device failed.",
        "The sample k of heart_rate speaks of the 8 s that end at 8 + 2 k s; its start_s is 8.",
        "Loader written from the documentation, and tested on small files of the same layout.",
    ),
)
