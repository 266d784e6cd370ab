"""Empatica E4 exports: a folder drawn by hand from `info.txt`, broken ones, and a real one against numpy."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import RecordingError
from pulselet.stream.block import Block, Signal
from pulselet.stream.convert import convert
from pulselet.stream.recording import Event, Recording

FILES = {
    "ACC.csv": "1500966308.000000, 1500966308.000000, 1500966308.000000\n2.000000, 2.000000, 2.000000\n"
    "64,-32,1\n-128,127,0\n0,0,64\n",
    "BVP.csv": "1500966308.50\n4.000000\n-0.00\n12.25\n",
    "EDA.csv": "1500966308.000000\n4.000000\n0.000000\n0.226414\n\n",
    "TEMP.csv": "1500966308.000000\n4.000000\n33.21\n",
    "HR.csv": "1500966318.000000\n1.000000\n71.00\n70.67\n",
    "IBI.csv": "1500966308.000000, IBI\n15.656967,0.750034\n16.360124,0.703157\n",
    "tags.csv": "1500966320.08\n",
    "info.txt": "not read",
}


def export(folder: Path, **changed: str | None) -> Path:
    """Write an export; `changed` replaces files, or leaves them out."""
    folder.mkdir()
    for name, text in {**FILES, **{f"{key}.csv": value for key, value in changed.items()}}.items():
        if text is not None:
            (folder / name).write_text(text)
    return folder


def column(path: Path, name: str) -> list[list[float]]:
    with Recording.open(path) as recording:
        return [[float(value) for value in row] for _, run in recording.segments(name) for row in run]


def test_every_file_becomes_a_signal_in_its_unit(tmp_path: Path) -> None:
    report = convert(export(tmp_path / "e4"), target := tmp_path / "a.pulse")
    with Recording.open(target) as recording:
        assert recording.signals == {
            "acc": Signal("acc", "g", 2.0, ("x", "y", "z"), loss_detectable=False),
            "bvp": Signal("bvp", "", 4.0, ("bvp",), loss_detectable=False),
            "eda": Signal("eda", "µS", 4.0, ("eda",), loss_detectable=False),
            "temp": Signal("temp", "°C", 4.0, ("temp",), loss_detectable=False),
            "hr": Signal("hr", "bpm", 1.0, ("hr",), loss_detectable=False),
            "ibi": Signal("ibi", "s", None, ("ibi",), loss_detectable=False),
        }
        assert recording.meta["started"] == "2017-07-25T07:05:08+00:00"  # date -u -d @1500966308
        assert recording.events() == [Event(12_080_000_000, "tag", "button pressed")]
        arrivals = {
            name: [item.arrival_ns for item in recording.items(name) if isinstance(item, Block)]
            for name in recording.signals
        }
    assert column(target, "acc") == [[1, -0.5, 1 / 64], [-2, 127 / 64, 0], [0, 0, 1]]
    assert column(target, "bvp") == [[0], [12.25]]
    assert column(target, "eda") == [[0], [float(np.float32(0.226414))]]
    assert arrivals["acc"] == [0, 1_000_000_000]
    assert arrivals["bvp"] == [500_000_000]
    assert arrivals["hr"] == [10_000_000_000, 11_000_000_000]
    assert arrivals["ibi"] == [15_656_967_000, 16_360_124_000]
    assert [(one.name, one.samples) for one in report.signals][:2] == [("acc", 3), ("eda", 2)]
    assert report.notes == ()


def test_files_under_gzip_are_read_too(tmp_path: Path) -> None:
    folder = export(tmp_path / "e4", ACC=None, EDA=None)
    for name in ("ACC", "EDA"):
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress(FILES[f"{name}.csv"].encode()))
    convert(folder, tmp_path / "a.pulse")
    assert column(tmp_path / "a.pulse", "acc")[0] == [1, -0.5, 1 / 64]


def test_what_is_not_there_is_no_signal_and_an_empty_file_is_said(tmp_path: Path) -> None:
    report = convert(export(tmp_path / "e4", ACC=None, IBI="", tags=None), tmp_path / "a.pulse")
    assert {one.name for one in report.signals} == {"bvp", "eda", "temp", "hr"}
    assert report.notes == ("empty files are left out: IBI",)


def test_an_export_goes_straight_to_another_format(tmp_path: Path) -> None:
    report = convert(export(tmp_path / "e4"), tmp_path / "a.edf")
    assert {one.name for one in report.signals} == {"acc", "bvp", "eda", "temp", "hr", "ibi"}
    assert [file.name for file in report.files] == ["a.edf"]
    convert(tmp_path / "a.edf", tmp_path / "a.pulse")
    assert column(tmp_path / "a.pulse", "acc") == [[1, -0.5, 1 / 64], [-2, 127 / 64, 0], [0, 0, 1]]
    assert column(tmp_path / "a.pulse", "ibi") == [[float(np.float32(0.750034))], [float(np.float32(0.703157))]]


BROKEN = {
    "a word": ("EDA", "1500966308.0\n4.0\nzero\n", "line 3"),
    "a column too many": ("EDA", "1500966308.0\n4.0\n1,2\n", "line 3: wanted 1 numbers, found 2"),
    "an axis too few": ("ACC", "1500966308.0,1,1\n32,32,32\n1,2\n", "line 3: wanted 3 numbers, found 2"),
    "no rate": ("BVP", "1500966308.0\n", "line 2"),
    "a rate of 0": ("BVP", "1500966308.0\n0\n1\n", "0.0 Hz is no rate"),
    "a start that is none": ("BVP", "nan\n4\n1\n", "no start"),
    "a start in ms": ("BVP", "1500966308000\n4\n1\n", "no start"),
    "a time that is none": ("IBI", "1500966308.0, IBI\nnan,0.7\n", "no time"),
    "a time without end": ("IBI", "1500966308.0, IBI\n1e300,0.7\n", "64 bits"),
    "a tag that is none": ("tags", "inf\n", "not finite"),
    "no text at all": ("TEMP", "\0\0", "TEMP"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_with_the_line(tmp_path: Path, what: str) -> None:
    name, text, reason = BROKEN[what]
    with pytest.raises(RecordingError, match=reason):
        convert(export(tmp_path / "e4", **{name: text}), tmp_path / "a.pulse")
    assert not (tmp_path / "a.pulse").exists()


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_cut_gzip_file_is_refused(tmp_path: Path, share: float) -> None:
    folder = export(tmp_path / "e4", BVP=None)
    whole = gzip.compress(b"1500966308.0\n64\n" + b"".join(b"%d\n" % (n * 7919 % 10007) for n in range(5000)))
    (folder / "BVP.csv.gz").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RecordingError, match="BVP"):
        convert(folder, tmp_path / "a.pulse")


def test_a_folder_of_anything_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(RecordingError, match="holds no E4 export and no files of Polar Sensor Logger"):
        convert(tmp_path / "photos", tmp_path / "a.pulse")
    folder = export(tmp_path / "empty", **dict.fromkeys(("ACC", "BVP", "EDA", "TEMP", "HR", "IBI"), ""))
    with pytest.raises(RecordingError, match="holds no file of an E4 export"):
        convert(folder, tmp_path / "a.pulse")


def test_a_real_export_is_read_as_numpy_reads_it(tmp_path: Path) -> None:
    folder = Path(os.environ.get("PULSELET_DATA", "")) / "wesad" / "S10" / "S10_E4_Data"
    if not folder.is_dir():
        pytest.skip("PULSELET_DATA names no folder with wesad/S10/S10_E4_Data")
    convert(folder, tmp_path / "a.pulse")
    with Recording.open(tmp_path / "a.pulse") as recording:
        for name, file, scale in (("acc", "ACC.csv.gz", 64), ("eda", "EDA.csv.gz", 1), ("hr", "HR.csv", 1)):
            truth = np.loadtxt(folder / file, delimiter=",", ndmin=2, converters=float)
            ((first, values),) = recording.segments(name)
            assert first == 0
            assert np.array_equal(values, (truth[2:] / scale).astype(np.float32))
            assert recording.signals[name].rate_hz == truth[1, 0]
        assert recording.meta["started"] == "2017-07-25T07:05:08+00:00"
        beats = [item for item in recording.items("ibi") if isinstance(item, Block)]
        assert (beats[0].arrival_ns, beats[0].values[0, 0]) == (15_656_967_000, np.float32(0.750034))
        assert [event.at_ns for event in recording.events()][:1] == [6_822_080_000_000]  # 1500973130.08
