"""MIT-BIH Atrial Fibrillation: rhythms by hand, beats by a detector, both told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from wfdb_records import ramp, write_annotations, write_record

from pulselet.errors import DatasetError
from pulselet.stream.convert.wfdb_library import guarded, library
from pulselet.stream.corpus import Recording
from pulselet_datasets import afdb

pytest.importorskip("wfdb", reason="wfdb writes the records")

BEATS = [(100, "N", 0, ""), (300, "N", 0, ""), (510, "N", 0, "")]


def made(folder: Path, name: str = "04015") -> Recording:
    write_record(folder, name, ramp(1000, 2), rate_hz=250, names=["ECG1", "ECG2"])
    write_annotations(folder, name, "atr", [(30, "+", 0, "(N"), (400, "+", 0, "(AFIB"), (700, "+", 0, "(AFL")])
    write_annotations(folder, name, "qrs", BEATS)
    return next(one for one in afdb.recordings(folder) if one.name == name)


def test_rhythms_are_intervals_that_end_where_the_next_begins(tmp_path: Path) -> None:
    rhythm = made(tmp_path).label("rhythm")
    assert rhythm.end is not None
    assert list(zip(rhythm.words, rhythm.begin, rhythm.end, strict=True)) == [
        ("N", 30, 400),
        ("AFIB", 400, 700),
        ("AFL", 700, 1000),
    ]
    assert rhythm.end_s[-1] == 4.0


def test_beats_of_the_detector_are_not_called_beats(tmp_path: Path) -> None:
    one = made(tmp_path)
    assert sorted(one.labels) == ["beat:detected", "rhythm"]
    assert one.label("beat:detected").begin.tolist() == [100, 300, 510]
    assert one.label("beat:detected").rater == "a detector, not corrected"
    assert one.repairs == ()


def test_corrected_beats_are_beats(tmp_path: Path) -> None:
    made(tmp_path)
    write_annotations(tmp_path, "04015", "qrsc", BEATS[:2])
    (one,) = afdb.recordings(tmp_path)
    assert one.label("beat").begin.tolist() == [100, 300]
    assert [path.suffix for path in one.files] == [".hea", ".dat", ".atr", ".qrs", ".qrsc"]


def test_samples_are_those_of_wfdb(tmp_path: Path) -> None:
    one = made(tmp_path)
    with guarded(tmp_path):
        wanted = library().rdrecord(str(tmp_path / "04015")).p_signal
    assert np.array_equal(one.values("ecg"), wanted.astype(np.float32))
    assert one.signal("ecg").rate_hz == 250


def test_absent_annotations_are_said(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "04015.qrs").unlink()
    (one,) = afdb.recordings(tmp_path)
    assert one.repairs == ("04015.qrs is not there: no labels 'beat:detected'",)


def test_a_damaged_annotation_file_is_told_and_the_next_record_read(tmp_path: Path) -> None:
    made(tmp_path)
    made(tmp_path, "04043")
    path = tmp_path / "04015.atr"
    path.write_bytes(path.read_bytes()[:5])
    iterator = afdb.recordings(tmp_path)
    with pytest.raises(DatasetError, match=r"04015\.atr is damaged"):
        next(iterator)
    assert next(iterator).name == "04043"


def test_there_are_23_records_with_signals() -> None:
    assert len(afdb.CARD.recordings) == 23  # 25 less 00735 and 03665, of which the documentation says so
    assert not {"00735", "03665"} & set(afdb.CARD.recordings)
