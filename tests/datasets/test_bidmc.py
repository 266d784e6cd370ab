"""BIDMC: signals, numerics and two annotators; a patient who came twice is one person."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Recording
from pulselet_datasets import bidmc

DATA = Path(os.environ.get("PULSELET_DATA", "nowhere")) / "bidmc"
real = pytest.mark.skipif(not DATA.is_dir(), reason="PULSELET_DATA holds no bidmc")

FIX = "bidmc_{}\nAge: 64\nGender: F\nLocation: micu\nMIMIC II matched wdb ID: {}\nMIMIC II data segment: 2577-08\n"


def made(folder: Path, number: str = "07", patient: str = "s03386", rows: int = 500) -> list[Recording]:
    lines = [f"{row / 125:.5g},{row},{row + 0.5},{-row},0.25" for row in range(rows)]
    (folder / f"bidmc_{number}_Signals.csv").write_text("\n".join(["Time [s], RESP, PLETH, V, II", *lines]))
    numerics = ["0,90,91,20,97", "1,92,NaN,20,NaN", "2,94,95,NaN,98", "3,96,97,22,99"]
    (folder / f"bidmc_{number}_Numerics.csv").write_text("\n".join(["Time [s], HR, PULSE, RESP, SpO2", *numerics]))
    breaths = "breaths ann1 [signal sample no], breaths ann2 [signal sample no]\n189,187\n476,472\nNaN,480\n"
    (folder / f"bidmc_{number}_Breaths.csv").write_text(breaths)
    (folder / f"bidmc_{number}_Fix.txt").write_text(FIX.format(number, patient))
    return list(bidmc.recordings(folder))


def test_columns_become_signals(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    assert one.values("respiration")[7].tolist() == [7]
    assert one.values("ppg")[7].tolist() == [7.5]
    assert one.values("ecg")[7].tolist() == [-7, 0.25]
    assert one.signal("ecg").channels == ("V", "II")
    assert one.values("heart_rate")[:, 0].tolist() == [90, 92, 94, 96]
    assert one.facts == {"age": "64", "sex": "F", "place": "micu", "segment": "2577-08"}


def test_a_numeric_that_is_nan_is_lost(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    runs = one.segments("spo2")
    assert [(run.first, run.values[:, 0].tolist()) for run in runs] == [(0, [97]), (2, [98, 99])]


def test_breaths_of_two_annotators_are_two_sets(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    assert one.label("breath:1").begin.tolist() == [189, 476]
    assert one.label("breath:2").begin.tolist() == [187, 472, 480]
    assert one.label("breath:2").rater == "annotator 2"


def test_breaths_out_of_order_are_a_counted_repair(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "bidmc_07_Breaths.csv").write_text("a, b\n189,187\n476,480\n500,472\n")
    (one,) = bidmc.recordings(tmp_path)
    assert one.label("breath:2").begin.tolist() == [187, 472, 480]
    assert one.repairs == ("bidmc_07_Breaths.csv: annotator 2 goes back in time 1 times; put in order",)


def test_two_recordings_of_one_patient_are_one_person(tmp_path: Path) -> None:
    made(tmp_path, "07")
    found = made(tmp_path, "09")
    assert [one.name for one in found] == ["bidmc_07", "bidmc_09"]
    assert [one.subject for one in found] == ["s03386", "s03386"]


def test_a_file_under_gzip_reads_the_same(tmp_path: Path) -> None:
    (plain,) = made(tmp_path)
    values = plain.values("ppg")
    path = tmp_path / "bidmc_07_Signals.csv"
    Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    (one,) = bidmc.recordings(tmp_path)
    assert np.array_equal(one.values("ppg"), values)
    Path(f"{path}.gz").write_bytes(Path(f"{path}.gz").read_bytes()[:-50])
    (one,) = bidmc.recordings(tmp_path)
    with pytest.raises(DatasetError, match="cannot be read"):
        one.values("ppg")


def test_numerics_that_begin_a_second_early_begin_there(tmp_path: Path) -> None:
    made(tmp_path)
    path = tmp_path / "bidmc_07_Numerics.csv"
    path.write_text("Time [s], HR, PULSE, RESP, SpO2\n-1,90,91,20,97\n0,92,93,20,97\n")
    (one,) = bidmc.recordings(tmp_path)
    assert one.start_s == dict.fromkeys(("heart_rate", "pulse_rate", "respiration_rate", "spo2"), -1.0)
    assert one.values("heart_rate")[:, 0].tolist() == [90, 92]


def test_a_row_that_is_missing_is_told(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    path = tmp_path / "bidmc_07_Signals.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:101] + lines[102:]))
    with pytest.raises(DatasetError, match=r"row 101 is at 0.808 s, not 0.8 s"):
        one.values("ppg")


def test_rows_that_are_shorter_than_the_header_are_told(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    (tmp_path / "bidmc_07_Numerics.csv").write_text("Time [s], HR, PULSE, RESP, SpO2\n0,90\n1,91\n")
    with pytest.raises(DatasetError, match="column 5 is 'spo2', but the rows hold 2"):
        one.values("spo2")


@pytest.mark.parametrize(
    ("part", "old", "new", "said"),
    [
        ("Fix.txt", "MIMIC II matched wdb ID: s03386", "", "says who the patient is"),
        ("Breaths.csv", "476,472", "476", "fetch it again"),
        ("Breaths.csv", "476,472", "x,472", "fetch it again"),
        ("Breaths.csv", "476,472", "-3,472", "marks a breath at sample -3"),
        ("Breaths.csv", "476,472", "inf,472", "finite column"),
        ("Numerics.csv", "SpO2", "etCO2", "found 'etCO2'"),
        ("Signals.csv", "PLETH", "EEG", "found 'EEG'"),
        ("Signals.csv", "Time [s]", "t", "wanted columns 'Time [s]'"),
    ],
)
def test_a_file_that_is_not_as_described_is_told(tmp_path: Path, part: str, old: str, new: str, said: str) -> None:
    made(tmp_path)
    path = tmp_path / f"bidmc_07_{part}"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DatasetError) as error:
        list(bidmc.recordings(tmp_path))
    assert said in str(error.value)


@pytest.mark.parametrize("part", bidmc.PARTS[1:])
def test_an_absent_file_is_told(tmp_path: Path, part: str) -> None:
    made(tmp_path)
    (tmp_path / f"bidmc_07_{part}").unlink()
    with pytest.raises(DatasetError, match=f"has no bidmc_07_{part}"):
        list(bidmc.recordings(tmp_path))


@real
def test_the_real_recordings_are_of_fewer_people() -> None:
    found = list(bidmc.recordings(DATA))
    people = Counter(one.subject for one in found)
    assert (len(found), len(people)) == (27, 25)
    twice = {
        subject: [one.name for one in found if one.subject == subject] for subject in people if people[subject] > 1
    }
    assert twice == {"s03386": ["bidmc_07", "bidmc_09"], "s11342": ["bidmc_21", "bidmc_23"]}
    assert set(people) == set(bidmc.CARD.subjects)
    assert {one.name for one in found if one.repairs} == {"bidmc_09", "bidmc_19"}
    assert {one.name for one in found if one.start_s} == {"bidmc_23"}


@real
def test_real_signals_last_eight_minutes() -> None:
    for one in list(bidmc.recordings(DATA))[:3]:
        assert one.values("ppg").shape == (60_001, 1)
        assert one.values("heart_rate").shape == (481, 1)
