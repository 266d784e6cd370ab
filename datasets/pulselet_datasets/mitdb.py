"""MIT-BIH Arrhythmia Database: 48 half hours of two-lead ECG, every beat labelled by two cardiologists.

Source: Moody and Mark, "The impact of the MIT-BIH Arrhythmia Database", IEEE Eng Med Biol 20, 2001, and the database's
directory, https://archive.physionet.org/physiobank/database/html/mitdbdir/mitdbdir.htm. The split into DS1 and DS2:
de Chazal, O'Dwyer and Reilly, "Automatic classification of heartbeats using ECG morphology and heartbeat interval
features", IEEE Trans Biomed Eng 51, 2004.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pulselet.stream.corpus import Recording
from pulselet_datasets import _physionet
from pulselet_datasets._mit_labels import read_labels
from pulselet_datasets._wfdb import recording
from pulselet_datasets._wfdb_header import Header, read_header
from pulselet_datasets.card import COMPUTED, Card, OfficialSplit, listed_checksums

NAME = "mitdb"
RATER = "two cardiologists, by agreement"


def _names(*numbers: int) -> tuple[str, ...]:
    return tuple(map(str, numbers))


RECORDS = _names(
    *(*range(100, 110), *range(111, 120), *range(121, 125), *range(200, 204), 205, *range(207, 211), *range(212, 216)),
    *(217, *range(219, 224), 228, *range(230, 235)),
)
PACED = ("102", "104", "107", "217")
DS1 = _names(
    *(101, 106, 108, 109, 112, 114, 115, 116, 118, 119, 122, 124),
    *(201, 203, 205, 207, 208, 209, 215, 220, 223, 230),
)
DS2 = _names(
    *(100, 103, 105, 111, 113, 117, 121, 123),
    *(200, 202, 210, 212, 213, 214, 219, 221, 222, 228, 231, 232, 233, 234),
)
PERSONS = {"202": "201"}  # the same analogue tape, as the header of 202 says
ONE_PERSON = "201 (DS1) and 202 (DS2) are one person"


def recordings(folder: Path) -> Iterator[Recording]:
    """Return an iterator over the records that are in a folder; it goes on after one that is damaged.

    Each holds a signal "ecg" in mV, and labels "beat" (MIT codes; `pulselet.stream.vocabulary.aami` makes AAMI classes
    of them), "rhythm", "quality", "mark" and "note". The header's checksums are verified when samples are asked for.

    Raises
    ------
    DatasetError
        From the iterator, if header or annotations of a record are damaged; its samples raise when they are read.
    """
    return map(partial(_recording, folder), [name for name in RECORDS if (folder / f"{name}.hea").is_file()])


def _recording(folder: Path, name: str) -> Recording:
    header = read_header(folder / f"{name}.hea")
    repairs: list[str] = []
    path = folder / f"{name}.atr"
    found = read_labels(path, header, RATER, repairs)
    return recording(
        header,
        dataset=NAME,
        subject=PERSONS.get(name, name),
        signal="ecg",
        labels=found,
        facts=person_facts(header) | ({"paced": "yes"} if name in PACED else {}),
        repairs=repairs,
        more_files=(path,) if found else (),
    )


def person_facts(header: Header) -> dict[str, str]:
    """Return what the comments of a MIT-BIH header say: age and sex, medication, and a note."""
    facts = {"leads": ", ".join(column.name for column in header.columns)}
    lines = [*header.comments, "", ""]
    words = lines[0].split()
    if len(words) >= 2 and words[0].lstrip("-").isdigit():
        if int(words[0]) > 0:  # -1 stands for unknown
            facts["age"] = words[0]
        if words[1] in ("M", "F"):
            facts["sex"] = words[1]
    medication, note = lines[1], " ".join(" ".join(lines[2:]).split())
    return facts | {key: text for key, text in (("medication", medication), ("note", note)) if text}


_SOURCE = "De Chazal, O'Dwyer and Reilly 2004, by record"
_LEFT_OUT = dict.fromkeys(PACED, "paced; left out as ANSI/AAMI EC57 recommends")

CARD = Card(
    name=NAME,
    folder=NAME,
    title="MIT-BIH Arrhythmia Database",
    what="48 excerpts of half an hour from two-lead ambulatory ECG, each beat, rhythm and change of quality labelled.",
    who="47 in- and outpatients of Beth Israel Hospital, Boston, 1975 to 1979: 25 men of 32 to 89 years and 22 women "
    "of 23 to 89; 23 records drawn at random, 25 chosen for rare arrhythmias.",
    sensors=("2-lead ambulatory ECG, mostly MLII and V1",),
    rates={"ecg": 360.0},
    labels={
        "beat": "109,494 beats in MIT codes, by two cardiologists who settled their differences",
        "rhythm": "intervals of one rhythm",
        "quality": "intervals: clean, a channel noisy, or unreadable; of the time before the first, nothing is said",
        "mark": "what is no beat: flutter waves, blocked P waves, artefacts",
        "note": "comments of the cardiologists",
    },
    subjects=tuple(record for record in RECORDS if record not in PERSONS),
    recordings=RECORDS,
    splits={
        "de Chazal DS1/DS2": OfficialSplit(
            sides={"DS1": DS1, "DS2": DS2},
            note=f"{_SOURCE}; {ONE_PERSON}, so that DS2 is not wholly unseen",
            unit="recording",
            left_out=_LEFT_OUT,
            shared=("201",),
        ),
        "DS1/DS2, 201 with 202": OfficialSplit(
            sides={"DS1": (*DS1, "202"), "DS2": tuple(record for record in DS2 if record != "202")},
            note=f"{_SOURCE}, but 202 moved to DS1, as {ONE_PERSON}: figures on DS2 are of 21 records, not 22",
            unit="recording",
            left_out=_LEFT_OUT,
        ),
    },
    licence=_physionet.LICENCE,
    licence_url=_physionet.LICENCE_URL,
    citation="G. B. Moody, R. G. Mark. The impact of the MIT-BIH Arrhythmia Database. IEEE Eng. Med. Biol."
    f" 20(3), 2001; and {_physionet.CITATION}",
    url="https://physionet.org/files/mitdb/1.0.0/",
    bytes=93_856_750,
    files=tuple(f"{record}.{ending}" for record in RECORDS for ending in ("hea", "dat", "atr")),
    checksums=listed_checksums(NAME),
    checksums_origin=COMPUTED,
    sums="SHA256SUMS.txt",
    notes=(
        "Records 201 and 202 are one person; both have the subject 201.",
        "Records 102, 104, 107 and 217 are paced, and left out of beat classification by convention.",
        "The first channel is MLII in 45 records, V5 in 102, 104 and 114: look at the channel names.",
        "Most S beats come from few people: 1,382 of 2,781 from record 232; see figures without it.",
        "Record 207 holds ventricular flutter, whose waves are marks and not beats.",
    ),
)
