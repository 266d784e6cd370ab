"""GeoTec: uneven times become even ones, declared and counted, and labels stay with their samples."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Recording
from pulselet_datasets import geotec, load

DATA = Path(os.environ.get("PULSELET_DATA", "nowhere")) / "geotec-har"
real = pytest.mark.skipif(not DATA.is_dir(), reason="PULSELET_DATA holds no geotec-har")

HEADER = ",".join(geotec.COLUMNS)
START_MS = 1657544371648


def made(folder: Path, rows: list[str], header: str = HEADER) -> list[Recording]:
    (folder / "s01").mkdir(exist_ok=True)
    (folder / "s01" / "s01_01_sw.csv").write_text("\n".join([header, *rows]) + "\n")
    (folder / "subjects_info.csv").write_text("subject_id,age,gender\ns01,54,M\n")
    return list(geotec.recordings(folder))


def row(at_ms: int, label: str = "WALKING", x: float = 9.80665) -> str:
    return f"{x},0,0,0.25,0,0,{START_MS + at_ms},{label}"


def test_acceleration_comes_in_g_at_an_even_rate(tmp_path: Path) -> None:
    (one,) = made(tmp_path, [row(at) for at in (0, 8, 20, 31, 40, 50)])
    (run,) = one.segments("acc")
    assert run.first == 0
    np.testing.assert_allclose(run.values, np.tile([1.0, 0, 0], (6, 1)), atol=1e-6)  # 0 to 5 / 104 s = 48 ms
    assert one.values("gyro")[0].tolist() == [0.25, 0, 0]
    assert one.repairs == ("acc and gyro: 6 samples at uneven times are interpolated linearly to 104 Hz",)
    assert (one.subject, one.facts["age"], one.facts["sex"]) == ("s01", "54", "male")


def test_a_value_lies_on_the_line_between_its_neighbours(tmp_path: Path) -> None:
    (one,) = made(tmp_path, [row(0, x=0.0), row(20, x=9.80665)])
    np.testing.assert_allclose(one.values("acc")[:, 0], np.arange(3) / 104 / 0.02, rtol=1e-5)


def test_a_gap_stays_a_gap_and_ends_a_label(tmp_path: Path) -> None:
    (one,) = made(tmp_path, [row(at) for at in (0, 10, 20, 500, 510, 520)])
    assert [run.first for run in one.segments("acc")] == [0, 52]
    assert one.label("activity").begin.tolist() == [0, 52]
    assert "acc and gyro: 1 gaps longer than 0.1 s stay gaps" in one.repairs


def test_labels_per_sample_become_intervals(tmp_path: Path) -> None:
    (one,) = made(tmp_path, [row(at, "SEATED" if at < 50 else "STANDING_UP") for at in range(0, 100, 5)])
    labels = one.label("activity")
    assert labels.words == ["sitting", "standing up"]
    np.testing.assert_allclose(labels.begin_s, [0, 0.05], atol=1 / 104)


@pytest.mark.parametrize(
    ("rows", "header", "wanted"),
    [
        ([], HEADER, "no sample"),
        ([row(0, "FLYING")], HEADER, r"\['FLYING'\] are no activities"),
        (["1,2,3"], HEADER, "line 2: wanted 8 cells"),
        ([row(0)], HEADER.replace("timestamp", "time"), r"lacks the columns \['timestamp'\]"),
        (["a,0,0,0,0,0,5,WALKING"], HEADER, "could not convert"),
        ([row(0), row(1, x=float("nan"))], HEADER, "row 2 holds a number that is not finite"),
        ([row(0)], HEADER, "two or more"),
    ],
)
def test_a_file_that_is_none_raises(tmp_path: Path, rows: list[str], header: str, wanted: str) -> None:
    with pytest.raises(DatasetError, match=wanted):
        made(tmp_path, rows, header)


def test_a_truncated_file_names_itself(tmp_path: Path) -> None:
    made(tmp_path, [row(at) for at in range(0, 100, 10)])
    path = tmp_path / "s01" / "s01_01_sw.csv"
    packed = gzip.compress(path.read_bytes())
    path.unlink()
    path.with_name("s01_01_sw.csv.gz").write_bytes(packed[:-20])
    with pytest.raises(DatasetError, match=r"s01_01_sw\.csv\.gz cannot be read"):
        list(geotec.recordings(tmp_path))


def test_a_damaged_recording_costs_only_itself_when_asked_so(tmp_path: Path) -> None:
    made(tmp_path, [row(at) for at in range(0, 100, 10)])
    whole = (tmp_path / "s01" / "s01_01_sw.csv").read_text()
    (tmp_path / "s01" / "s01_02_sw.csv").write_text(whole.replace("WALKING", "FLYING"))
    (tmp_path / "s01" / "s01_03_sw.csv").write_text(whole)
    with pytest.raises(DatasetError, match="FLYING"):
        list(load("geotec-har", tmp_path))
    those = load("geotec-har", tmp_path, on_error="skip")
    assert [one.name for one in those] == ["s01_01", "s01_03"]
    assert len(those.failures) == 1


@pytest.fixture(scope="module")
def everyone() -> list[Recording]:
    return list(geotec.recordings(DATA))


@real
def test_the_card_names_every_file_that_is_there() -> None:
    there = {str(path.relative_to(DATA)).removesuffix(".gz") for path in DATA.rglob("*.csv*")}
    assert there == set(geotec.CARD.files)


@real
def test_each_recording_keeps_its_activities_in_proportion(everyone: list[Recording]) -> None:
    """Against a count of the labels in the rows themselves, each row worth the time to the next one."""
    for one in everyone[::20]:
        lines = gzip.decompress(one.files[0].read_bytes()).decode().splitlines()[1:]
        cells = [line.split(",") for line in lines]
        spent = np.diff([int(row[6]) for row in cells]) / 1000
        wanted: Counter[str] = Counter()
        for cell, time_s in zip(cells, spent, strict=False):
            wanted[geotec.ACTIVITIES[cell[7]]] += time_s
        labels = one.label("activity")
        found: Counter[str] = Counter()
        for word, begin_s, end_s in zip(labels.words, labels.begin_s, labels.end_s, strict=True):
            found[word] += end_s - begin_s
        for word in wanted:
            assert found[word] == pytest.approx(wanted[word], abs=0.1), (one.name, word)
        assert "gaps" not in " ".join(one.repairs)


@real
def test_who_sits_is_under_one_g(everyone: list[Recording]) -> None:
    for one in everyone[::30]:
        labels = one.label("activity")
        assert labels.end is not None
        sits = slice(labels.begin[0], labels.end[0])
        assert labels.words[0] == "sitting"
        assert np.median(np.linalg.norm(one.values("acc")[sits], axis=1)) == pytest.approx(1, abs=0.05)
