"""PhysioNet/CinC Challenge 2017: short single-lead ECGs from a hand-held device; normal, AF, other rhythm, or noisy.

The labels were revised twice after the challenge began. `REFERENCE-original.csv` is the first version and
`REFERENCE.csv` a later one; the last, `REFERENCE-v3.csv`, is a file of its own on the challenge's page.

Source: Clifford et al., "AF classification from a short single lead ECG recording: the PhysioNet/Computing in
Cardiology Challenge 2017", Computing in Cardiology 44, 2017.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Labels, Recording
from pulselet_datasets import _physionet
from pulselet_datasets._tables import found, text
from pulselet_datasets._wfdb import recording
from pulselet_datasets._wfdb_header import Header, read_header
from pulselet_datasets.card import Card

NAME = "cinc2017"
COUNT = 8528
RECORDS = tuple(f"A{number:05d}" for number in range(1, COUNT + 1))
CLASSES = ("N", "A", "O", "~")
REVISIONS = ("REFERENCE-v3", "REFERENCE", "REFERENCE-original")  # the latest first
INNER = "training2017"


def recordings(folder: Path) -> Iterator[Recording]:
    """Return an iterator over the records that are in a folder; it goes on after one that is damaged.

    Each holds a signal "ecg" in mV. "class" is one interval over the whole record, of the latest revision that is
    there; its rater is the name of the file. Each revision stands beside it, as "class:REFERENCE-original".

    Raises
    ------
    DatasetError
        If a table of labels is damaged; from the iterator, if the header of a record is.
    """
    base = folder / INNER if (folder / INNER).is_dir() else folder
    tables = {name: _table(path) for name in REVISIONS if (path := _place(folder, base, name)) is not None}
    return map(partial(_recording, tables), sorted(base.glob("A[0-9][0-9][0-9][0-9][0-9].hea")))


def _place(folder: Path, base: Path, name: str) -> Path | None:
    return found(base, f"{name}.csv") or found(folder, f"{name}.csv")


def _table(path: Path) -> dict[str, str]:
    """Return the class by record."""
    classes: dict[str, str] = {}
    for number, line in enumerate(text(path).splitlines(), 1):
        record, _, word = line.strip().partition(",")
        if word not in CLASSES or record in classes:
            raise DatasetError(f"{path}, line {number}: wanted a new record and one of {CLASSES}, got {line[:40]!r}")
        classes[record] = word
    return classes


def _recording(tables: Mapping[str, Mapping[str, str]], path: Path) -> Recording:
    header = read_header(path)
    unsure = tuple(replace(column, initial=None, checksum=None) for column in header.columns)
    header = replace(header, columns=unsure)  # see the notes of the card
    said = {name: _class(header, name, table[path.stem]) for name, table in tables.items() if path.stem in table}
    labels = {one.kind: one for one in said.values()}
    if said:
        latest = next(iter(said.values()))
        labels = {"class": replace(latest, kind="class"), **labels}
    return recording(
        header,
        dataset=NAME,
        subject=path.stem,
        signal="ecg",
        labels=labels,
        facts={"lead": "left arm to right arm (I)"},
        repairs=[] if said else [f"no table of labels names {path.stem}"],
    )


def _class(header: Header, revision: str, word: str) -> Labels:
    begin, end = np.zeros(1, np.int64), np.full(1, header.samples, np.int64)
    code = np.array([CLASSES.index(word)], np.int64)
    return Labels(f"class:{revision}", CLASSES, begin, end, code, header.rate_hz, f"{revision}.csv")


CARD = Card(
    name=NAME,
    folder=NAME,
    title="PhysioNet/CinC Challenge 2017, training set",
    what="8,528 single-lead ECGs of 9 to 61 s, each normal, atrial fibrillation, another rhythm, or too noisy.",
    who="Customers of AliveCor; who they are, and who came twice, is not published.",
    sensors=("hand-held single-lead ECG between both hands",),
    rates={"ecg": 300.0},
    labels={
        "class": "N, A (atrial fibrillation), O (other rhythm) or ~ (noisy), of the latest revision that is there",
        **{f"class:{name}": f"the same by {name}.csv" for name in reversed(REVISIONS)},
    },
    subjects=RECORDS,
    recordings=RECORDS,
    licence=_physionet.LICENCE,
    licence_url=_physionet.LICENCE_URL,
    citation="G. D. Clifford et al. AF Classification from a Short Single Lead ECG Recording: the"
    " PhysioNet/Computing in Cardiology Challenge 2017. Computing in Cardiology 44, 2017,"
    f" doi:10.22489/CinC.2017.065-469; and {_physionet.CITATION}",
    url="https://physionet.org/files/challenge-2017/1.0.0/",
    bytes=99_226_822,
    sums="SHA256SUMS.txt",
    archive="https://physionet.org/files/challenge-2017/1.0.0/training2017.zip",
    inner=INNER,
    files=(*(f"{record}.{ending}" for record in RECORDS for ending in ("hea", "mat")), "REFERENCE.csv"),
    notes=(
        "No subjects are published: each record counts as a person of its own, so that a split by subject is a split "
        "by record, and a person who recorded twice may stand on both sides.",
        "The labels were revised twice; say which file a figure is of. Papers mostly use REFERENCE-v3.csv.",
        "The headers state 0 for a checksum, and in some (294 of the 4,405 that we have) a first sample that is not "
        "the first: of the samples only their number is verified.",
        "The archive is verified by SHA256SUMS.txt, as PhysioNet's program writes it over all files of a project; that "
        "it names this archive we could not look up: if not, `fetch` tells the files as without a known checksum.",
        "The hidden test set of the challenge was never published.",
    ),
)
