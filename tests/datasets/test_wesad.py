"""WESAD at the wrist: units of the Empatica E4, and labels that say how sure they are."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Recording
from pulselet_datasets import wesad

DATA = Path(os.environ.get("PULSELET_DATA", "nowhere")) / "wesad"
real = pytest.mark.skipif(not DATA.is_dir(), reason="PULSELET_DATA holds no wesad")

START = 1495437325
TABLE = (
    "subject,segment,start_s,end_s,start_uncertainty_s,method\n"
    "S2,stress,100.0,200.0,1.0,exact-match\n"
    "S2,baseline,10.0,50.0,8.0,exact-match\n"
    "S2,meditation1,60.0,90.0,,from-subject-offset\n"
)


def made(folder: Path, table: str | None = TABLE, **changed: str) -> list[Recording]:
    export = folder / "S2" / "S2_E4_Data"
    export.mkdir(parents=True, exist_ok=True)
    files = {
        "ACC": f"{START}.0, {START}.0, {START}.0\n32.0, 32.0, 32.0\n64,0,-32\n0,64,0\n",
        "BVP": f"{START}.00\n64.0\n-0.5\n1.25\n",
        "EDA": f"{START}.00\n4.0\n0.3\n",
        "TEMP": f"{START}.00\n4.0\n382.21\n382.21\n35.05\n",
        "HR": f"{START + 10}.00\n1.0\n101.0\n",
        "IBI": f"{START}.0, IBI\n0.75,0.75\n1.5,0.75\n",
    }
    for name, text in {**files, **changed}.items():
        (export / f"{name}.csv").write_text(text)
    (folder / "S2" / "S2_readme.txt").write_text("### Personal information ###\nAge: 27\nGender: male\n")
    if table is not None:
        (folder / "labels_recovered.csv").write_text(table)
    return list(wesad.recordings(folder))


def test_signals_come_in_their_units_on_one_clock(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    assert one.values("acc").tolist() == [[1, 0, -0.5], [0, 1, 0]]
    assert one.values("bvp")[:, 0].tolist() == [-0.5, 1.25]
    assert {name: (s.unit, s.rate_hz) for name, s in one.signals.items()} == {
        "acc": ("g", 32),
        "bvp": ("", 64),
        "eda": ("µS", 4),
        "temp": ("°C", 4),
        "hr": ("bpm", 1),
    }
    assert one.start_s == {"hr": 10.0}
    assert one.facts == {"age": "27", "sex": "male"}


def test_temperatures_of_a_sensor_that_wakes_are_left_out_and_counted(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    (run,) = one.segments("temp")
    assert (run.first, run.values.round(2).tolist()) == (2, [[np.float32(35.05).round(2)]])
    assert one.repairs == ("temp: the first 2 samples are left out, which are not within -40 to 115 °C",)


def test_labels_are_the_exact_ones_without_their_edges(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    exact = one.label("stress")
    assert exact.words == ["baseline", "stress"]
    assert exact.begin_s.tolist() == [18.0, 105.0]  # an uncertainty of 8 s, and the edge of 5 s
    assert exact.end_s.tolist() == [42.0, 195.0]


def test_all_labels_stand_beside_the_exact_ones(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    every = one.label("stress, all")
    assert every.words == ["baseline", "meditation", "stress"]
    assert every.begin_s.tolist() == [10.0, 60.0, 100.0]


def test_beats_of_the_device_are_instants(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    assert one.label("pulse").begin_s.tolist() == [0.75, 1.5]
    assert one.label("pulse").rater == "Empatica E4"


def test_without_a_table_there_are_no_conditions(tmp_path: Path) -> None:
    (one,) = made(tmp_path, table=None)
    assert "stress" not in one.labels


def test_a_file_that_is_absent_is_told(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "S2" / "S2_E4_Data" / "EDA.csv").unlink()
    (one,) = wesad.recordings(tmp_path)
    assert "eda" not in one.signals
    assert "EDA.csv is not there" in one.repairs


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (TABLE.replace("stress,100", "party,100"), "'party' is no condition"),
        (TABLE.replace("200.0", "99.0"), r"runs from 100\.0 s to 99\.0 s"),
        (TABLE.replace("100.0,200.0", "soon,200.0"), "should be a number"),
        (TABLE.replace("start_s", "begin"), "lacks the columns"),
        ("", "is empty"),
    ],
)
def test_a_table_that_is_none_raises(tmp_path: Path, table: str, wanted: str) -> None:
    with pytest.raises(DatasetError, match=wanted) as caught:
        made(tmp_path, table)
    assert "labels_recovered.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"BVP": ""}, r"BVP\.csv is empty"),
        ({"BVP": "soon\n64\n1\n"}, "start should be a number"),
        ({"BVP": f"{START}\n0\n1\n"}, "no rate"),
        ({"TEMP": f"{START}\n4\nwarm\n"}, "a temperature should be a number"),
        ({"IBI": f"{START}, IBI\n0.5\n"}, "wanted 2 columns"),
    ],
)
def test_an_export_that_is_damaged_raises(tmp_path: Path, changed: dict[str, str], wanted: str) -> None:
    with pytest.raises(DatasetError, match=wanted):
        made(tmp_path, **changed)


def test_samples_that_are_cut_off_raise_when_they_are_read(tmp_path: Path) -> None:
    (one,) = made(tmp_path, ACC=f"{START}, {START}, {START}\n32, 32, 32\n1,2,3\n4,5\n")
    with pytest.raises(DatasetError, match=r"ACC\.csv"):
        one.segments("acc")
    path = tmp_path / "S2" / "S2_E4_Data" / "BVP.csv"
    packed = gzip.compress(path.read_bytes())
    path.unlink()
    path.with_name("BVP.csv.gz").write_bytes(packed[:-9])
    with pytest.raises(DatasetError, match=r"BVP\.csv\.gz cannot be read"):
        next(iter(wesad.recordings(tmp_path))).segments("bvp")


@real
def test_hearts_beat_faster_and_skin_conducts_more_under_stress() -> None:
    """The effect that the authors designed the protocol for; of ten people, nearly all show it."""
    faster, damper = [], []
    for one in wesad.recordings(DATA):
        labels, means = one.label("stress"), {}
        for name in ("hr", "eda"):
            values, rate_hz = one.values(name)[:, 0], one.signal(name).rate_hz or 1
            shift_s = one.start_s.get(name, 0.0)
            for word, begin_s, end_s in zip(labels.words, labels.begin_s, labels.end_s, strict=True):
                part = values[int((begin_s - shift_s) * rate_hz) : int((end_s - shift_s) * rate_hz)]
                means[name, word] = part.mean()
        if "stress" in labels.words and "baseline" in labels.words:
            faster.append(means["hr", "stress"] > means["hr", "baseline"])
            damper.append(means["eda", "stress"] > means["eda", "baseline"])
    assert len(faster) == 9  # S3's stress is not matched exactly
    assert sum(faster) >= 8
    assert sum(damper) >= 7


@real
def test_beats_of_the_device_agree_with_its_heart_rate() -> None:
    one = next(iter(wesad.recordings(DATA)))
    beats_s = one.label("pulse").begin_s
    steady = np.diff(beats_s)[(np.diff(beats_s) > 0.3) & (np.diff(beats_s) < 1.5)]
    assert 60 / np.median(steady) == pytest.approx(np.median(one.values("hr")), rel=0.2)
