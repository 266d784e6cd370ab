"""WESAD, the device at the wrist: stress and affect in the laboratory, as an Empatica E4 saw it.

Per subject a folder `S2` to `S17` (S1 and S12 were left out by the authors) with the E4's export in `S2_E4_Data`, and a
`S2_readme.txt` that says who it was. The release ties its labels to the chest device, whose clock is another. Where a
table `labels_recovered.csv` stands beside the folders, it gives begin and end of each condition in the E4's own time,
found by matching the signals against the release's synchronised ones.

Source: Schmidt, Reiss, Duerichen, Marberger and Van Laerhoven, "Introducing WESAD, a multimodal dataset for wearable
stress and affect detection", ICMI 2018.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pulselet.errors import DatasetError
from pulselet.stream.block import Signal
from pulselet.stream.convert.empatica import ACC_STEPS_A_G
from pulselet.stream.convert.empatica import SIGNALS as E4_SIGNALS
from pulselet.stream.corpus import Labels, Recording, Run
from pulselet_datasets._tables import folders, found, head, needed, number, numbers, rows, text
from pulselet_datasets.card import COMPUTED, Card, listed_checksums

NAME = "wesad"
LABELS_CSV = "labels_recovered.csv"
LABEL_RATE_HZ = 64.0  # of the BVP, the fastest signal
CONDITIONS = ("baseline", "stress", "amusement", "meditation")
EXACT = "exact-match"
EDGE_S = 5.0  # left out at either end of a condition, or its uncertainty where that is longer
TEMPERATURE_C = (-40.0, 115.0)  # wider than any skin; what is outside is no temperature
LOOKED_AT = 64  # samples at the begin in which the sensor may not be awake
FACTS = {"Age": "age", "Height (cm)": "height_cm", "Weight (kg)": "weight_kg", "Gender": "sex"}
HANDED = "Dominant hand"


class _Condition(NamedTuple):
    word: str
    begin_s: float
    end_s: float
    uncertainty_s: float
    method: str


def recordings(folder: Path) -> Iterator[Recording]:
    """Return one recording per subject, in the order of their numbers; samples are read when asked for.

    Labels "stress" hold the conditions that were matched exactly, without their edges; "stress, all" holds every row of
    the table as it is. Labels "pulse" are the beats that the E4 itself found.

    Raises
    ------
    DatasetError
        If a file is damaged, or is not laid out as described.
    """
    conditions = _conditions(folder)
    there = [
        path for _, path in folders(folder, r"S\d+") if any(found(_export(path), f"{one}.csv") for one in E4_SIGNALS)
    ]
    return map(partial(_recording, conditions=conditions), there)


def _export(path: Path) -> Path:
    return path / f"{path.name}_E4_Data"


def _recording(path: Path, conditions: Mapping[str, list[_Condition]] | None) -> Recording:
    subject, export = path.name, _export(path)
    paths = {name: one for name in E4_SIGNALS if (one := found(export, f"{name}.csv"))}
    headers = {name: _header(one) for name, one in paths.items()}
    begins = {name: start_s for name, (start_s, _) in headers.items()}
    zero_s = min(begins.values())
    signals = {E4_SIGNALS[name][0]: _signal(name, rate_hz) for name, (_, rate_hz) in headers.items()}
    repairs = [f"{name}.csv is not there" for name in E4_SIGNALS if name not in paths]
    asleep = _asleep(paths["TEMP"]) if "TEMP" in paths else 0
    if asleep:
        least, most = TEMPERATURE_C
        repairs.append(f"temp: the first {asleep} samples are left out, which are not within {least:g} to {most:g} °C")
    labels = {} if conditions is None else _stress(conditions.get(subject, []))
    if pulses := _pulses(export, zero_s):
        labels["pulse"] = pulses
    table = [] if conditions is None else [needed(path.parent, LABELS_CSV)]
    return Recording(
        dataset=NAME,
        name=subject,
        subject=subject,
        signals=signals,
        read=partial(_read, paths, asleep),
        labels=labels,
        start_s={E4_SIGNALS[name][0]: begin - zero_s for name, begin in begins.items() if begin != zero_s},
        facts=_facts(path / f"{subject}_readme.txt"),
        repairs=tuple(repairs),
        files=(*paths.values(), *table),
    )


def _signal(name: str, rate_hz: float) -> Signal:
    signal, unit, channels = E4_SIGNALS[name]
    return Signal(signal, unit, rate_hz, channels, loss_detectable=False)


def _header(path: Path) -> tuple[float, float]:
    """Return the start in s since 1970 and the rate in Hz; DatasetError if they are none."""
    lines = [*head(path, 2), ""]
    start_s, rate_hz = number(path, "start", lines[0].split(",")[0]), number(path, "rate", lines[1].split(",")[0])
    if not (0 <= start_s < 2**32 and 0 < rate_hz < 1e5):
        raise DatasetError(f"{path}: {start_s} is no start in s since 1970, or {rate_hz} no rate in Hz")
    return start_s, rate_hz


def _asleep(path: Path) -> int:
    """Return how many of the first temperatures the sensor cannot have measured."""
    values = np.array([number(path, "a temperature", cell) for cell in head(path, LOOKED_AT + 2)[2:]])
    fine = (values >= TEMPERATURE_C[0]) & (values <= TEMPERATURE_C[1])
    return int(np.argmax(fine)) if fine.any() else len(values)


def _read(paths: Mapping[str, Path], asleep: int, wanted: str) -> list[Run]:
    name = next(one for one, (signal, _, _) in E4_SIGNALS.items() if signal == wanted)
    values = numbers(paths[name], len(E4_SIGNALS[name][2]), delimiter=",", skip=2)
    if name == "ACC":
        values /= ACC_STEPS_A_G
    first = asleep if name == "TEMP" else 0
    return [Run(first, values[first:].astype(np.float32))]


def _pulses(export: Path, zero_s: float) -> Labels | None:
    """Return the beats that the device found; None if it has no list of them."""
    path = found(export, "IBI.csv")
    if path is None:
        return None
    first = head(path, 2)
    if len(first) == 1:  # the device found none
        return None
    start_s = number(path, "start", first[0].split(",")[0])
    at_s = numbers(path, 2, delimiter=",", skip=1)[:, 0] + start_s - zero_s
    begin = np.rint(at_s * LABEL_RATE_HZ).astype(np.int64)
    return Labels("pulse", ("pulse",), begin, None, np.zeros(len(begin), np.int64), LABEL_RATE_HZ, "Empatica E4")


def _conditions(folder: Path) -> Mapping[str, list[_Condition]] | None:
    """Return the rows of the table by subject; None if there is no table."""
    path = found(folder, LABELS_CSV)
    if path is None:
        return None
    by_subject: dict[str, list[_Condition]] = {}
    for row in rows(path, ("subject", "segment", "start_s", "end_s", "start_uncertainty_s", "method")):
        word = row["segment"].rstrip("12")
        if word not in CONDITIONS:
            raise DatasetError(f"{path}: {row['segment']!r} is no condition; wanted one of {CONDITIONS}")
        begin_s, end_s = (number(path, name, row[name]) for name in ("start_s", "end_s"))
        if not 0 <= begin_s < end_s:
            raise DatasetError(f"{path}: {row['subject']} {row['segment']} runs from {begin_s} s to {end_s} s")
        uncertainty_s = number(path, "start_uncertainty_s", row["start_uncertainty_s"] or "0")
        condition = _Condition(word, begin_s, end_s, uncertainty_s, row["method"])
        by_subject.setdefault(row["subject"], []).append(condition)
    return by_subject


def _stress(conditions: list[_Condition]) -> dict[str, Labels]:
    ordered = sorted(conditions, key=lambda one: one.begin_s)
    exact = [_without_edges(one) for one in ordered if one.method == EXACT]
    return {
        "stress": _labels("stress", exact, "recovered by exact match, without edges"),
        "stress, all": _labels("stress, all", ordered, "recovered"),
    }


def _without_edges(one: _Condition) -> _Condition:
    edge_s = max(EDGE_S, one.uncertainty_s)
    return one._replace(begin_s=one.begin_s + edge_s, end_s=one.end_s - edge_s)


def _labels(kind: str, conditions: list[_Condition], rater: str) -> Labels:
    begin = np.rint([one.begin_s * LABEL_RATE_HZ for one in conditions])
    end = np.rint([one.end_s * LABEL_RATE_HZ for one in conditions])
    words = [one.word for one in conditions]
    return Labels.of(kind, words, begin, end, rate_hz=LABEL_RATE_HZ, vocabulary=CONDITIONS, rater=rater)


def _facts(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    told = dict(re.findall(r"^([^:\n]+):[ \t]*(.+?)[ \t\r]*$", text(path), re.MULTILINE))
    facts = {ours: told[theirs] for theirs, ours in FACTS.items() if theirs in told}
    if HANDED in told:
        facts["handed"] = told[HANDED]
    return facts


SUBJECTS = tuple(f"S{number}" for number in range(2, 18) if number != 12)

CARD = Card(
    name=NAME,
    folder=NAME,
    title="WESAD (Wearable Stress and Affect Detection), wrist device",
    what="Pulse, acceleration, skin conductance and temperature at the wrist: baseline, stress test, amusement, rest.",
    who="15 people, 12 men and 3 women, mean age 27.5.",
    sensors=("wrist PPG", "3-axis acceleration", "electrodermal activity", "skin temperature"),
    rates={"bvp": 64.0, "acc": 32.0, "eda": 4.0, "temp": 4.0, "hr": 1.0},
    labels={
        "stress": "condition, of those rows of labels_recovered.csv that were matched exactly, without their edges",
        "stress, all": "condition, by all rows of labels_recovered.csv",
        "pulse": "beats that the device itself found",
    },
    subjects=SUBJECTS,
    licence="Non-commercial, academic (the original release)",
    citation="P. Schmidt, A. Reiss, R. Duerichen, C. Marberger, K. Van Laerhoven. Introducing WESAD, a Multimodal "
    "Dataset for Wearable Stress and Affect Detection. ICMI 2018.",
    files=tuple(
        f"{subject}/{subject}_E4_Data/{name}.csv" for subject in SUBJECTS for name in ("ACC", "BVP", "EDA", "TEMP")
    ),
    checksums=listed_checksums(NAME),
    checksums_origin=COMPUTED,
    manual="Get WESAD from its authors or from UCI (data set 465), and put the folders S2 to S17 into the folder, with "
    "the E4 exports unpacked to S2/S2_E4_Data.",
    notes=(
        "The release's own labels are in the chest device's time; without labels_recovered.csv there are none.",
        f"Labels 'stress' lose {EDGE_S:g} s at either end, or the uncertainty of their begin where that is longer.",
        "S1 and S12 are not in the set.",
        "Checksums are known of the ten subjects that we have.",
        "The first temperatures are no temperatures (382 °C, while the sensor wakes): they are left out and counted.",
        "hr begins 10 s after the others, and is the device's own average.",
    ),
)
