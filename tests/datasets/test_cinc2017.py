"""CinC 2017: MATLAB files written by SciPy, labels of each revision, records that are no persons."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from pulselet.errors import DatasetError
from pulselet_datasets import cinc2017

DATA = Path(os.environ.get("PULSELET_DATA", "nowhere")) / "cinc2017"
real = pytest.mark.skipif(not DATA.is_dir(), reason="PULSELET_DATA holds no cinc2017")
TABLES = {"REFERENCE-original": "A00001,N\nA00002,A\n", "REFERENCE": "A00001,~\nA00002,A\n"}


def made(folder: Path, tables: Mapping[str, str] = TABLES, samples: int = 900) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("A00001", "A00002"):
        values = np.arange(samples, dtype=np.int16)[None, :] - 100
        savemat(folder / f"{name}.mat", {"val": values}, format="4")
        header = f"{name} 1 300 {samples} 05:05:15 1/05/2000 \n{name}.mat 16+24 1000/mV 16 0 -127 0 0 ECG \n"
        (folder / f"{name}.hea").write_text(header)
    for name, rows in tables.items():
        (folder / f"{name}.csv").write_text(rows)
    return folder


def test_samples_are_what_scipy_wrote(tmp_path: Path) -> None:
    first, _ = cinc2017.recordings(made(tmp_path))
    wanted = (np.arange(900) - 100) / 1000
    assert np.array_equal(first.values("ecg")[:, 0], wanted.astype(np.float32))
    assert first.signal("ecg").rate_hz == 300


def test_each_revision_stands_beside_the_latest_and_says_its_name(tmp_path: Path) -> None:
    first, second = cinc2017.recordings(made(tmp_path))
    assert (first.label("class").words, first.label("class").rater) == (["~"], "REFERENCE.csv")
    assert first.label("class:REFERENCE-original").words == ["N"]
    assert second.label("class").words == ["A"]
    end = first.label("class").end
    assert end is not None
    assert end.tolist() == [900]
    (tmp_path / "REFERENCE-v3.csv").write_text("A00001,O\nA00002,A\n")
    first, _ = cinc2017.recordings(tmp_path)
    assert (first.label("class").words, first.label("class").rater) == (["O"], "REFERENCE-v3.csv")


def test_the_folder_of_the_archive_may_stand_inside(tmp_path: Path) -> None:
    made(tmp_path / "training2017", {"REFERENCE": TABLES["REFERENCE"]})
    (tmp_path / "REFERENCE-v3.csv").write_text("A00001,O\nA00002,A\n")  # a file of its own on the page
    first, _ = cinc2017.recordings(tmp_path)
    assert first.label("class").rater == "REFERENCE-v3.csv"
    assert first.label("class:REFERENCE").words == ["~"]


def test_a_record_that_no_table_names_says_so(tmp_path: Path) -> None:
    _, second = cinc2017.recordings(made(tmp_path, {"REFERENCE": "A00001,N\n"}))
    assert second.repairs == ("no table of labels names A00002",)
    with pytest.raises(DatasetError, match="no labels 'class'"):
        second.label("class")


@pytest.mark.parametrize(
    ("rows", "line"), [("A00001,N\nA00001,A\n", 2), ("A00001,X\n", 1), ("A00001;N\n", 1), ("A00001,N\n\nA2,N\n", 2)]
)
def test_a_damaged_table_is_told_with_its_line(tmp_path: Path, rows: str, line: int) -> None:
    with pytest.raises(DatasetError, match=rf"REFERENCE.csv, line {line}: wanted a new record"):
        cinc2017.recordings(made(tmp_path, {"REFERENCE": rows}))


def test_a_truncated_record_is_told(tmp_path: Path) -> None:
    first, _ = cinc2017.recordings(made(tmp_path))
    path = tmp_path / "A00001.mat"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r"truncated.*1824 bytes, and it has 1823"):
        first.values("ecg")


def test_each_record_counts_as_a_person_and_the_card_says_so() -> None:
    assert cinc2017.CARD.subjects == cinc2017.CARD.recordings
    assert len(cinc2017.CARD.subjects) == 8528
    assert any("No subjects are published" in note for note in cinc2017.CARD.notes)


@real
def test_the_real_labels_are_counted_by_revision() -> None:
    found = list(cinc2017.recordings(DATA))
    tables = {
        name: Counter(line.split(",")[1] for line in (DATA / f"{name}.csv").read_text().split()) for name in TABLES
    }
    for name, wanted in tables.items():
        assert Counter(word for one in found for word in one.label(f"class:{name}").words) == wanted


@real
@pytest.mark.parametrize("name", ["A00001", "A00013"])
def test_real_samples_are_those_of_scipy(name: str) -> None:
    one = next(one for one in cinc2017.recordings(DATA) if one.name == name)
    wanted = loadmat(DATA / f"{name}.mat")["val"][0] / 1000
    assert np.array_equal(one.values("ecg")[:, 0], wanted.astype(np.float32))
