"""Lobachevsky University Electrocardiography Database: 200 twelve-lead ECGs of 10 s, waves marked in each lead.

Written from its documentation, https://physionet.org/content/ludb/1.0.1/: records `data/1` to `data/200` at 500 Hz, an
annotation file for each lead (`1.i`, `1.ii`, ..., `1.v6`) in which `(`, a peak `p`, `N` or `t`, and `)` follow each
other, and `ludb.csv` with sex, age and rhythm.

Source: Kalyakulina et al., "LUDB: a new open-access validation tool for electrocardiogram delineation algorithms", IEEE
Access 8, 2020.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from pulselet.stream.convert.wfdb_annotations import Columns
from pulselet.stream.corpus import Labels, Recording
from pulselet.stream.vocabulary import MIT_CODES
from pulselet_datasets import _physionet
from pulselet_datasets._mit_labels import read_annotations
from pulselet_datasets._tables import found, rows
from pulselet_datasets._wfdb import recording
from pulselet_datasets._wfdb_header import Header, read_header
from pulselet_datasets.card import Card

NAME = "ludb"
COUNT = 200
LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
WAVES = ("P", "QRS", "T")
PEAKS = {"p": 0, "N": 1, "t": 2}  # by symbol: place among the waves
RATER = "cardiologists"
COLUMNS = {"Sex": "sex", "Age": "age", "Rhythms": "rhythm", "Electric axis of the heart": "axis"}


def recordings(folder: Path) -> Iterator[Recording]:
    """Return an iterator over the records that are in a folder; it goes on after one that is damaged.

    Each holds a signal "ecg" of twelve channels in mV, and for each lead the labels "wave:ii" (intervals P, QRS and T,
    the last sample included) and "peak:ii" (instants).

    Raises
    ------
    DatasetError
        If `ludb.csv` is damaged; from the iterator, if header or annotations of a record are.
    """
    base = folder / "data" if (folder / "data").is_dir() else folder
    table = found(folder, "ludb.csv")
    people = {row["ID"].strip(): row for row in rows(table, ["ID"])} if table else {}
    names = [str(number) for number in range(1, COUNT + 1)]
    return map(partial(_recording, base, people), [name for name in names if (base / f"{name}.hea").is_file()])


def _recording(folder: Path, people: Mapping[str, Mapping[str, str]], name: str) -> Recording:
    header = read_header(folder / f"{name}.hea")
    repairs: list[str] = []
    labels: dict[str, Labels] = {}
    files = {lead: path for lead in LEADS if (path := folder / f"{name}.{lead}").is_file()}
    absent = [lead for lead in LEADS if lead not in files]
    if absent:
        repairs.append(f"{len(absent)} leads have no annotations: {', '.join(absent)}")
    for lead, path in files.items():
        read, ticks_hz = read_annotations(path, header, repairs)
        labels |= _waves(lead, path, read, ticks_hz, repairs)
    said = people.get(name, {})
    facts = {ours: " ".join(said[theirs].split()) for theirs, ours in COLUMNS.items() if said.get(theirs)}
    return recording(
        header,
        dataset=NAME,
        subject=name,
        signal="ecg",
        labels=labels,
        facts=facts | _comments(header),
        repairs=repairs,
        more_files=tuple(files.values()),
    )


def _comments(header: Header) -> dict[str, str]:
    said = "; ".join(comment for comment in header.comments if comment)
    return {"comments": said} if said else {}


def _waves(lead: str, path: Path, read: Columns, ticks_hz: float, repairs: list[str]) -> dict[str, Labels]:
    """Return waves and peaks; a wave without a begin or an end of its own has a peak only, and is counted."""
    symbols = ["", *(MIT_CODES.get(code, "") for code in read.code.tolist()), ""]
    at = [0, *read.tick.tolist(), 0]
    peaks = [place for place, symbol in enumerate(symbols) if symbol in PEAKS]
    whole = [place for place in peaks if symbols[place - 1] == "(" and symbols[place + 1] == ")"]
    if len(whole) < len(peaks):
        repairs.append(f"{path.name}: {len(peaks) - len(whole)} waves lack a begin or an end; they have a peak only")
    begin = np.array([at[place - 1] for place in whole], np.int64)
    end = np.array([at[place + 1] + 1 for place in whole], np.int64)
    tick = np.array([at[place] for place in peaks], np.int64)
    code, of_peak = (np.array([PEAKS[symbols[place]] for place in places], np.int64) for places in (whole, peaks))
    return {
        f"wave:{lead}": Labels(f"wave:{lead}", WAVES, begin, end, code, ticks_hz, RATER),
        f"peak:{lead}": Labels(f"peak:{lead}", WAVES, tick, None, of_peak, ticks_hz, RATER),
    }


CARD = Card(
    name=NAME,
    folder=NAME,
    title="Lobachevsky University Electrocardiography Database",
    what="200 twelve-lead ECGs of 10 s; begin, peak and end of P waves, QRS complexes and T waves in each lead.",
    who="Healthy volunteers and patients of City Hospital No 5, Nizhny Novgorod, 2017 and 2018, some with pacemakers.",
    sensors=("12-lead ECG",),
    rates={"ecg": 500.0},
    labels={
        **{f"wave:{lead}": f"intervals P, QRS and T in lead {lead}, by cardiologists" for lead in LEADS},
        **{f"peak:{lead}": f"their peaks in lead {lead}" for lead in LEADS},
    },
    subjects=tuple(str(number) for number in range(1, COUNT + 1)),
    recordings=tuple(str(number) for number in range(1, COUNT + 1)),
    licence=_physionet.LICENCE,
    licence_url=_physionet.LICENCE_URL,
    citation="A. Kalyakulina et al. Lobachevsky University Electrocardiography Database (version 1.0.1). "
    "PhysioNet, 2021, doi:10.13026/eegm-h675; A. I. Kalyakulina et al. LUDB: A New Open-Access Validation Tool for "
    "Electrocardiogram Delineation Algorithms. IEEE Access 8, 2020, doi:10.1109/ACCESS.2020.3029211.",
    url="https://physionet.org/files/ludb/1.0.1/",
    files=(
        "ludb.csv",
        *(f"data/{number}.{ending}" for number in range(1, COUNT + 1) for ending in ("hea", "dat", *LEADS)),
    ),
    sums="SHA256SUMS.txt",
    notes=(
        "Waves at the begin and the end of a record are mostly not marked: what is not marked may still be one.",
        "The loader is written from the documentation and tested on small files of the same format, not on the set.",
    ),
)
