"""MIT-BIH Atrial Fibrillation Database: ten hours of two-lead ECG from each of 23 people, rhythms labelled.

Written from its documentation, https://physionet.org/content/afdb/1.0.0/: samples in format 212 at 250 Hz; `.atr` holds
rhythms only; `.qrs` beats by a detector, not corrected; `.qrsc`, of some records, beats corrected by hand.

Source: Moody and Mark, "A new method for detecting atrial fibrillation using R-R intervals", Computers in Cardiology
10, 1983.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from pulselet.stream.corpus import Recording
from pulselet_datasets import _physionet
from pulselet_datasets._mit_labels import read_labels
from pulselet_datasets._wfdb import recording
from pulselet_datasets._wfdb_header import read_header
from pulselet_datasets.card import Card
from pulselet_datasets.mitdb import person_facts

NAME = "afdb"
NUMBERS = (
    *(4015, 4043, 4048, 4126, 4746, 4908, 4936, 5091, 5121, 5261, 6426, 6453),
    *(6995, 7162, 7859, 7879, 7910, 8215, 8219, 8378, 8405, 8434, 8455),
)
RECORDS = tuple(f"{number:05d}" for number in NUMBERS)
ANNOTATORS = {  # by the ending of the file: our kind, the kind in it, and who made it
    "atr": ("rhythm", "rhythm", "by hand"),
    "qrs": ("beat:detected", "beat", "a detector, not corrected"),
    "qrsc": ("beat", "beat", "a detector, corrected by hand"),
}


def recordings(folder: Path) -> Iterator[Recording]:
    """Return an iterator over the records that are in a folder; it goes on after one that is damaged.

    Each holds a signal "ecg" in mV, and labels "rhythm", "beat:detected" and, where beats were corrected, "beat".

    Raises
    ------
    DatasetError
        From the iterator, if header or annotations of a record are damaged; its samples raise when they are read.
    """
    return map(partial(_recording, folder), [name for name in RECORDS if (folder / f"{name}.hea").is_file()])


def _recording(folder: Path, name: str) -> Recording:
    header = read_header(folder / f"{name}.hea")
    repairs: list[str] = []
    found = {}
    for ending, (kind, theirs, rater) in ANNOTATORS.items():
        path = folder / f"{name}.{ending}"
        if path.is_file():
            found[kind] = replace(read_labels(path, header, rater, repairs)[theirs], kind=kind)
        elif ending != "qrsc":
            repairs.append(f"{path.name} is not there: no labels {kind!r}")
    return recording(
        header,
        dataset=NAME,
        subject=name,
        signal="ecg",
        labels=found,
        facts=person_facts(header),
        repairs=repairs,
        more_files=[path for ending in ANNOTATORS if (path := folder / f"{name}.{ending}").is_file()],
    )


CARD = Card(
    name=NAME,
    folder=NAME,
    title="MIT-BIH Atrial Fibrillation Database",
    what="23 recordings of ten hours of two-lead ambulatory ECG; rhythms, and beats by a detector.",
    who="People with atrial fibrillation, mostly paroxysmal; Beth Israel Hospital, Boston.",
    sensors=("2-lead ambulatory ECG",),
    rates={"ecg": 250.0},
    labels={
        "rhythm": "intervals AFIB, AFL (flutter), J (AV junctional) and N (all others), by hand",
        "beat:detected": "beats by a detector, not corrected, all as N",
        "beat": "the same corrected by hand; of some records only",
    },
    subjects=RECORDS,
    recordings=RECORDS,
    licence=_physionet.LICENCE,
    licence_url=_physionet.LICENCE_URL,
    citation="G. B. Moody, R. G. Mark. A new method for detecting atrial fibrillation using R-R intervals."
    f" Computers in Cardiology 10:227-230, 1983; and {_physionet.CITATION}",
    url="https://physionet.org/files/afdb/1.0.0/",
    files=tuple(f"{record}.{ending}" for record in RECORDS for ending in ("hea", "dat", "atr", "qrs")),
    bytes=605_900_000,
    sums="SHA256SUMS.txt",
    notes=(
        "Records 00735 and 03665 have labels and no signals, and are not loaded.",
        "N stands for every rhythm that is not AFIB, AFL or J, and not for normal sinus rhythm.",
        "The loader is written from the documentation and tested on small files of the same format, not on the set.",
    ),
)
