"""MIT-BIH Noise Stress Test Database: half hours of noise, and two ECGs with that noise at stated ratios.

Source: Moody, Muldrow and Mark, "A noise stress test for arrhythmia detectors", Computers in Cardiology 11, 1984.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pulselet.stream.corpus import Recording
from pulselet_datasets import _physionet
from pulselet_datasets._mit_labels import KINDS, read_labels
from pulselet_datasets._wfdb import recording
from pulselet_datasets._wfdb_header import read_header
from pulselet_datasets.card import COMPUTED, Card, listed_checksums
from pulselet_datasets.mitdb import person_facts

NAME = "nstdb"
NOISES = {"bw": "baseline wander", "em": "electrode motion", "ma": "muscle artefact"}
RATIOS_DB = {"24": "24", "18": "18", "12": "12", "06": "6", "00": "0", "_6": "-6"}  # by the end of the record's name
ECGS = tuple(f"{record}e{ratio}" for record in ("118", "119") for ratio in RATIOS_DB)
RATER = "the labels of the clean record in mitdb"


def recordings(folder: Path) -> Iterator[Recording]:
    """Return an iterator over the records that are in a folder; it goes on after one that is damaged.

    Those of noise hold a signal "noise", no labels, and no subject: the empty text. The others hold what `mitdb` has.

    Raises
    ------
    DatasetError
        From the iterator, if header or annotations of a record are damaged; its samples raise when they are read.
    """
    return map(partial(_recording, folder), [name for name in (*NOISES, *ECGS) if (folder / f"{name}.hea").is_file()])


def _recording(folder: Path, name: str) -> Recording:
    header = read_header(folder / f"{name}.hea")
    if name in NOISES:
        facts = {"noise": NOISES[name]}
        return recording(header, dataset=NAME, subject="", signal="noise", labels={}, facts=facts)
    path, repairs = folder / f"{name}.atr", list[str]()
    found = read_labels(path, header, RATER, repairs)
    return recording(
        header,
        dataset=NAME,
        subject=name[:3],
        signal="ecg",
        labels=found,
        facts=person_facts(header) | {"noise": "electrode motion", "snr_db": RATIOS_DB[name[4:]]},
        repairs=repairs,
        more_files=(path,) if found else (),
    )


CARD = Card(
    name=NAME,
    folder=NAME,
    title="MIT-BIH Noise Stress Test Database",
    what="Half hours of baseline wander, electrode motion and muscle artefact without an ECG in view, and the records "
    "118 and 119 of mitdb with electrode motion added at six signal-to-noise ratios.",
    who="Noise: active volunteers, electrodes on the limbs; ECG: two patients of mitdb.",
    sensors=("2-channel ambulatory ECG recorder",),
    rates={"noise": 360.0, "ecg": 360.0},
    labels=dict.fromkeys(KINDS, f"of 118e and 119e: {RATER}"),
    subjects=("118", "119"),
    recordings=(*NOISES, *ECGS),
    licence=_physionet.LICENCE,
    licence_url=_physionet.LICENCE_URL,
    citation="G. B. Moody, W. E. Muldrow, R. G. Mark. A noise stress test for arrhythmia detectors. Computers in"
    f" Cardiology 11:381-384, 1984; and {_physionet.CITATION}",
    url="https://physionet.org/files/nstdb/1.0.0/",
    files=(
        *(f"{name}.{ending}" for name in NOISES for ending in ("hea", "dat")),
        *(f"{name}.{ending}" for name in ECGS for ending in ("hea", "dat", "atr")),
    ),
    checksums=listed_checksums(NAME),
    checksums_origin=COMPUTED,
    sums="SHA256SUMS.txt",
    notes=(
        "118e and 119e are the persons of mitdb's 118 and 119, with the same beats: never test on one and train on the "
        "other set.",
        "The first five minutes of 118e and 119e are clean; noise comes in turns of two minutes after that.",
        "The headers of the noise state no gain; 200 steps per mV are assumed, as header(5) says.",
    ),
)
