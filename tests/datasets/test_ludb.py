"""LUDB: waves of each lead from begin, peak and end; those that lack one are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from wfdb_records import ramp, write_annotations, write_record

from pulselet.errors import DatasetError
from pulselet.stream.convert.wfdb_library import guarded, library
from pulselet_datasets import ludb

pytest.importorskip("wfdb", reason="wfdb writes the records")

WAVES = [
    *[(100, "(", 0, ""), (120, "p", 0, ""), (140, ")", 0, "")],
    *[(180, "(", 1, ""), (200, "N", 0, ""), (220, ")", 1, "")],
    *[(300, "(", 2, ""), (340, "t", 0, ""), (380, ")", 2, "")],
]


def made(folder: Path, name: str = "1", marks: list[tuple[int, str, int, str]] = WAVES) -> None:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    write_record(data, name, ramp(5000, 12, "16"), format_="16", rate_hz=500, names=ludb.LEADS)
    for lead in ludb.LEADS:
        write_annotations(data, name, lead, marks)


def test_waves_hold_begin_peak_and_end(tmp_path: Path) -> None:
    made(tmp_path)
    (one,) = ludb.recordings(tmp_path)
    for lead in ludb.LEADS:
        waves = one.label(f"wave:{lead}")
        assert waves.end is not None
        assert waves.words == ["P", "QRS", "T"]
        assert (waves.begin.tolist(), waves.end.tolist()) == ([100, 180, 300], [141, 221, 381])
        assert one.label(f"peak:{lead}").begin.tolist() == [120, 200, 340]
    assert one.repairs == ()


def test_samples_of_twelve_leads_are_those_of_wfdb(tmp_path: Path) -> None:
    made(tmp_path)
    (one,) = ludb.recordings(tmp_path)
    with guarded(tmp_path):
        wanted = library().rdrecord(str(tmp_path / "data" / "1")).p_signal
    assert np.array_equal(one.values("ecg"), wanted.astype(np.float32))
    assert one.signal("ecg").channels == ludb.LEADS
    assert one.signal("ecg").rate_hz == 500


def test_a_wave_without_a_begin_has_a_peak_only_and_is_counted(tmp_path: Path) -> None:
    made(tmp_path, marks=[(120, "p", 0, ""), (140, ")", 0, ""), *WAVES[3:8]])
    (one,) = ludb.recordings(tmp_path)
    assert one.label("wave:ii").words == ["QRS"]
    assert one.label("peak:ii").words == ["P", "QRS", "T"]
    assert one.repairs[1] == "1.ii: 2 waves lack a begin or an end; they have a peak only"


def test_leads_without_annotations_are_named(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "data" / "1.v2").unlink()
    (tmp_path / "data" / "1.iii").unlink()
    (one,) = ludb.recordings(tmp_path)
    assert one.repairs == ("2 leads have no annotations: iii, v2",)


def test_the_table_says_who_it_is(tmp_path: Path) -> None:
    made(tmp_path)
    made(tmp_path, "2")
    (tmp_path / "ludb.csv").write_text(
        'ID,Sex,Age,Rhythms\n1,F,"51\n",Sinus bradycardia\n2,M,>89,Atrial fibrillation\n'
    )
    first, second = ludb.recordings(tmp_path)
    assert first.facts == {"sex": "F", "age": "51", "rhythm": "Sinus bradycardia"}
    assert (second.subject, second.facts["age"]) == ("2", ">89")


def test_a_damaged_table_is_told(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "ludb.csv").write_text("Number,Sex\n1,F\n")
    with pytest.raises(DatasetError, match=r"lacks the columns \['ID'\]"):
        ludb.recordings(tmp_path)


def test_a_truncated_record_is_told(tmp_path: Path) -> None:
    made(tmp_path)
    path = tmp_path / "data" / "1.dat"
    path.write_bytes(path.read_bytes()[:-1])
    (one,) = ludb.recordings(tmp_path)
    with pytest.raises(DatasetError, match=r"truncated.*120000 bytes, and it has 119999"):
        one.values("ecg")
