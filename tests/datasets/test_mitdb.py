"""MIT-BIH Arrhythmia: samples and beats as the package wfdb reads them, counts as published, damage told."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from wfdb_records import ramp, write_annotations, write_record

from pulselet.errors import DatasetError
from pulselet.stream.convert.wfdb_annotations import columns
from pulselet.stream.convert.wfdb_library import guarded, library
from pulselet.stream.corpus import Recording
from pulselet.stream.vocabulary import aami
from pulselet_datasets import mitdb
from pulselet_datasets._wfdb import samples
from pulselet_datasets._wfdb_header import read_header

pytest.importorskip("wfdb", reason="wfdb writes and reads the records to compare with")

DATA = Path(os.environ.get("PULSELET_DATA", "nowhere")) / "mitdb"
real = pytest.mark.skipif(not DATA.is_dir(), reason="PULSELET_DATA holds no mitdb")

MARKS = [
    (18, "+", 0, "(N"),
    (18, "~", 1, ""),
    (77, "N", 0, ""),
    (200, "V", 0, ""),
    (250, "|", 1, ""),
    (300, "+", 0, "(AFIB"),
    (301, "~", 0, ""),
    (350, "A", 0, ""),
    (360, "~", -1, ""),
    (370, '"', 0, "MISSB"),
    (400, "e", 0, ""),
]


def made(folder: Path, name: str = "100", length: int = 500) -> Recording:
    write_record(folder, name, ramp(length, 2), names=["MLII", "V5"], comments=["69 M 1085 1629 x1", "Inderal"])
    write_annotations(folder, name, "atr", MARKS)
    return next(one for one in mitdb.recordings(folder) if one.name == name)


@pytest.mark.parametrize("format_", ["16", "212"])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 3, 50, 32768, 32769, 70001])
def test_samples_are_those_of_wfdb(tmp_path: Path, format_: str, channels: int, length: int) -> None:
    header = write_record(tmp_path, "r", ramp(length, channels, format_), format_=format_, gain=123.5, baseline=-7)
    (run,) = samples(read_header(header))
    with guarded(header):
        wanted = library().rdrecord(str(header.with_suffix(""))).p_signal
    assert run.first == 0
    assert run.values.dtype == np.float32
    assert np.array_equal(run.values, wanted.astype(np.float32))


@pytest.mark.parametrize("gain", [0.1, 1 / 3, 1e-6, 1e9])
def test_a_gain_that_float32_does_not_hold_is_not_rounded_first(tmp_path: Path, gain: float) -> None:
    header = write_record(tmp_path, "r", ramp(999, 2, "16"), format_="16", gain=gain, baseline=12345)
    (run,) = samples(read_header(header))
    with guarded(header):
        wanted = library().rdrecord(str(header.with_suffix(""))).p_signal
    assert np.array_equal(run.values, wanted.astype(np.float32))


@pytest.mark.parametrize(("format_", "invalid"), [("16", -32768), ("212", -2048)])
def test_invalid_samples_are_lost(tmp_path: Path, format_: str, invalid: int) -> None:
    digital = ramp(100, 2, format_)
    digital[10:20] = invalid
    digital[30, 1] = invalid
    runs = samples(read_header(write_record(tmp_path, "r", digital, format_=format_)))
    assert [(run.first, len(run.values)) for run in runs] == [(0, 10), (20, 80)]
    assert np.flatnonzero(np.isnan(runs[1].values[:, 1])).tolist() == [10]
    assert not np.isnan(runs[1].values[:, 0]).any()


def test_labels_of_each_kind(tmp_path: Path) -> None:
    one = made(tmp_path)
    assert one.label("beat").words == ["N", "V", "A", "e"]
    assert one.label("beat").begin.tolist() == [77, 200, 350, 400]
    assert aami(one.label("beat")).words == ["N", "V", "S", "N"]
    rhythm = one.label("rhythm")
    assert rhythm.end is not None
    assert list(zip(rhythm.words, rhythm.begin, rhythm.end, strict=True)) == [("N", 18, 300), ("AFIB", 300, 500)]
    assert one.label("quality").words == ["first channel noisy", "clean", "unreadable"]
    assert one.label("mark").words == ["|"]
    assert one.label("note").words == ["MISSB"]
    assert one.facts == {"leads": "MLII, V5", "age": "69", "sex": "M", "medication": "Inderal"}
    assert one.repairs == ()
    assert one.signal("ecg").channels == ("MLII", "V5")
    assert [path.name for path in one.files] == ["100.hea", "100.dat", "100.atr"]


def test_every_truncation_of_the_samples_is_told_with_wanted_and_got(tmp_path: Path) -> None:
    one = made(tmp_path, length=420)
    path = tmp_path / "100.dat"
    whole = path.read_bytes()
    assert len(whole) == 1260
    for length in range(0, len(whole), 13):
        path.write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=rf"truncated.*420 samples of 2 signals, 1260 bytes.* has {length};"):
            one.values("ecg")
    path.unlink()
    with pytest.raises(DatasetError, match=r"100\.dat is not there"):
        one.values("ecg")


def test_every_changed_byte_of_the_samples_is_told(tmp_path: Path) -> None:
    one = made(tmp_path, length=401)
    path = tmp_path / "100.dat"
    whole = path.read_bytes()
    for place in range(0, len(whole) - len(whole) % 3, 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :])
        with pytest.raises(DatasetError, match=r"wants (the checksum|a first sample of) -?\d+, it is -?\d+"):
            one.values("ecg")


def test_bytes_after_the_last_sample_are_a_counted_repair(tmp_path: Path) -> None:
    wanted = made(tmp_path).values("ecg")
    with (tmp_path / "100.dat").open("ab") as file:
        file.write(b"12345")
    (one,) = mitdb.recordings(tmp_path)
    assert one.repairs == ("100.dat: 5 bytes after the last sample are left out",)
    assert np.array_equal(one.values("ecg"), wanted)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("100 2 360 500", "100 3 360 500", "wanted one segment and 3 signals, found 2"),
        ("100 2 360 500", "100/2 2 360 500", "segments 2"),
        ("100 2 360 500", "100 2 0 500", "should be above 0, is '0'"),
        ("100 2 360 500", "100 2 3.6.0 500", "should be a number"),
        ("100.dat 212", "100.dat 310", "wanted format 16 or 212"),
        ("100.dat 212", "100.dat 212x2", "one sample a frame"),
        ("100.dat 212", "../100.dat 212", "beside the header"),
        ("200.0(0)", "2e99(0)", "from 1e-9 to 1e12"),
        ("/mV", "/furlong", "wanted all signals in mV, got ['furlong']"),
        ("100.dat", "", "is no line of a signal"),
    ],
)
def test_a_header_that_disagrees_or_is_damaged_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    made(tmp_path)
    path = tmp_path / "100.hea"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DatasetError) as error:
        list(mitdb.recordings(tmp_path))
    assert said in str(error.value)


def test_a_header_of_more_samples_than_memory_is_told(tmp_path: Path) -> None:
    one = made(tmp_path)
    path = tmp_path / "100.hea"
    path.write_text(path.read_text().replace(" 500", " 500000000000000"))
    (one,) = mitdb.recordings(tmp_path)
    with pytest.raises(DatasetError, match="truncated"):
        one.values("ecg")


def test_every_truncation_of_the_header_reads_or_is_told(tmp_path: Path) -> None:
    made(tmp_path)
    path = tmp_path / "100.hea"
    whole = path.read_text()
    for length in range(len(whole)):
        path.write_text(whole[:length])
        try:
            for one in mitdb.recordings(tmp_path):
                one.values("ecg")
        except DatasetError:
            pass


def test_a_damaged_record_does_not_end_the_iteration(tmp_path: Path) -> None:
    for name in ("100", "101", "103"):
        made(tmp_path, name)
    (tmp_path / "101.atr").write_bytes((tmp_path / "101.atr").read_bytes()[:5])  # in the middle of a text
    iterator = mitdb.recordings(tmp_path)
    assert next(iterator).name == "100"
    with pytest.raises(DatasetError, match=r"101\.atr is damaged"):
        next(iterator)
    assert next(iterator).name == "103"


def test_labels_beyond_the_samples_or_out_of_order_are_counted_repairs(tmp_path: Path) -> None:
    made(tmp_path)
    late = [(77, "N", 0, ""), (499, "V", 0, ""), (500, "A", 0, ""), (900, "N", 0, "")]
    write_annotations(tmp_path, "100", "atr", late)
    (one,) = mitdb.recordings(tmp_path)
    assert one.label("beat").words == ["N", "V"]
    assert one.repairs == ("100.atr: 2 annotations beyond the last sample are left out",)
    words = [(1 << 10) | 100, 59 << 10, 0xFFFF, 0x10000 - 60, (5 << 10) | 10, 0]  # N at 100, 60 back, V 10 later
    (tmp_path / "100.atr").write_bytes(np.array(words, "<u2").tobytes())
    (one,) = mitdb.recordings(tmp_path)
    assert one.label("beat").begin.tolist() == [50, 100]
    assert one.label("beat").words == ["V", "N"]
    assert one.repairs == ("100.atr: time goes back 1 times; the annotations are put in order",)


def test_labels_count_their_own_ticks(tmp_path: Path) -> None:
    made(tmp_path)
    write_annotations(tmp_path, "100", "atr", [(1440, "N", 0, ""), (1996, "V", 0, "")], rate_hz=1440)
    (one,) = mitdb.recordings(tmp_path)
    assert one.label("beat").begin_s.tolist() == [1.0, 1996 / 1440]
    assert one.repairs == ()


def test_absent_labels_are_said(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "100.atr").unlink()
    (one,) = mitdb.recordings(tmp_path)
    assert one.repairs == ("100.atr is not there: no labels",)
    assert not one.labels


def test_201_and_202_are_one_person_and_the_official_split_says_so(tmp_path: Path) -> None:
    assert made(tmp_path, "201").subject == made(tmp_path, "202").subject == "201"
    official = mitdb.CARD.split("de Chazal DS1/DS2")
    assert official.shared == ("201",)
    assert "201 (DS1) and 202 (DS2) are one person" in str(official)
    assert sorted(official.left_out) == ["102", "104", "107", "217"]
    assert [len(official.sides[side]) for side in ("DS1", "DS2")] == [22, 22]
    assert mitdb.CARD.unsplit("de Chazal DS1/DS2") == ()
    assert len(mitdb.CARD.subjects) == 47


def test_the_strict_split_has_nobody_on_both_sides() -> None:
    strict = mitdb.CARD.split("DS1/DS2, 201 with 202")
    first, second = ({mitdb.PERSONS.get(name, name) for name in side} for side in strict.sides.values())
    assert not first & second
    assert mitdb.CARD.unsplit("DS1/DS2, 201 with 202") == ()


@pytest.fixture(scope="module")
def whole() -> list[Recording]:
    return list(mitdb.recordings(DATA))


@real
def test_all_records_hold_the_published_number_of_beats(whole: list[Recording]) -> None:
    assert [one.name for one in whole] == list(mitdb.RECORDS)
    assert len({one.subject for one in whole}) == 47
    assert sum(len(one.label("beat")) for one in whole) == 109_494
    assert {one.repairs for one in whole} == {()}
    assert {one.name for one in whole if "paced" in one.facts} == set(mitdb.PACED)
    assert all("/" in one.label("beat").words for one in whole if one.name in mitdb.PACED)


@real
def test_ds1_and_ds2_hold_the_classes_that_de_chazal_counted(whole: list[Recording]) -> None:
    counts = {
        side: Counter(word for one in whole if one.name in names for word in aami(one.label("beat")).words)
        for side, names in mitdb.CARD.split("de Chazal DS1/DS2").sides.items()
    }
    assert counts["DS1"] == {"N": 45_866, "S": 944, "V": 3_788, "F": 415, "Q": 8}
    assert counts["DS2"] == {"N": 44_259, "S": 1_837, "V": 3_221, "F": 388, "Q": 7}


@real
@pytest.mark.parametrize("name", ["100", "114", "203", "207"])
def test_real_samples_and_annotations_are_those_of_wfdb(whole: list[Recording], name: str) -> None:
    one = next(one for one in whole if one.name == name)
    with guarded(DATA / name):
        record, said = library().rdrecord(str(DATA / name)), library().rdann(str(DATA / name), "atr")
    assert np.array_equal(one.values("ecg"), record.p_signal.astype(np.float32))
    assert one.signal("ecg").channels == tuple(record.sig_name)
    for kind in ("beat", "mark"):
        labels = one.label(kind)
        wanted = [(at, word) for at, word in zip(said.sample, said.symbol, strict=True) if word in labels.vocabulary]
        assert list(zip(labels.begin, labels.words, strict=True)) == wanted
    assert sum(len(labels) for labels in one.labels.values()) == len(said.sample)


@real
@pytest.mark.parametrize("name", ["104", "200", "231"])
def test_real_columns_of_annotations_are_those_of_wfdb(name: str) -> None:
    read = columns(DATA / f"{name}.atr")
    with guarded(DATA / name):
        said = library().rdann(str(DATA / name), "atr", return_label_elements=["label_store"])
    assert np.array_equal(read.tick, said.sample)
    assert np.array_equal(read.code, said.label_store)
    assert np.array_equal(read.subtype, said.subtype)
    assert np.array_equal(read.channel, said.chan)
    assert [read.texts.get(row, "") for row in range(len(read.tick))] == [text.rstrip("\0") for text in said.aux_note]


@real
def test_all_checksums_of_the_headers_are_right(whole: list[Recording]) -> None:
    for one in whole:
        assert one.values("ecg").shape == (650_000, 2)
