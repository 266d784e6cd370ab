"""TROIKA: rows where the authors' readme puts them, and a reference that fits its recording."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.signal import butter, find_peaks, sosfiltfilt

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Recording
from pulselet_datasets import troika

DATA = Path(os.environ.get("PULSELET_DATA", "nowhere")) / "troika"
real = pytest.mark.skipif(not DATA.is_dir(), reason="PULSELET_DATA holds no troika")


def made(folder: Path, name: str = "01_TYPE01", samples: int = 2000, windows: int = 5) -> list[Recording]:
    sig = np.arange(6)[:, None] + np.zeros(samples)
    savemat(folder / f"DATA_{name}.mat", {"sig": sig})
    savemat(folder / f"REF_{name}.mat", {"BPM0": np.arange(60.0, 60 + windows)[:, None]})
    return list(troika.recordings(folder))


def test_rows_become_signals(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    assert one.values("ecg")[0].tolist() == [0]
    assert one.values("ppg")[0].tolist() == [1, 2]
    assert one.values("acc")[0].tolist() == [3, 4, 5]
    assert (one.subject, one.name, one.repairs) == ("01", "01_TYPE01", ())


def test_a_heart_rate_stands_at_the_end_of_its_window(tmp_path: Path) -> None:
    (one,) = made(tmp_path)  # 16 s: windows 0-8, 2-10, ..., 8-16 s
    assert one.values("heart_rate")[:, 0].tolist() == [60, 61, 62, 63, 64]
    last_s = one.start_s["heart_rate"] + 4 / (one.signal("heart_rate").rate_hz or 0)
    assert last_s == 16.0


def test_two_recordings_of_one_number_are_one_person(tmp_path: Path) -> None:
    made(tmp_path, "04_TYPE01")
    assert [one.subject for one in made(tmp_path, "04_TYPE02")] == ["04", "04"]


def test_the_reference_may_have_the_name_of_the_competition(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "REF_01_TYPE01.mat").rename(tmp_path / "DATA_01_TYPE01_BPMtrace.mat")
    (one,) = troika.recordings(tmp_path)
    assert len(one.values("heart_rate")) == 5


def test_a_reference_that_stops_early_is_counted(tmp_path: Path) -> None:
    assert made(tmp_path, windows=3)[0].repairs == ("heart_rate: the last 2 windows have none",)


def test_a_reference_that_is_absent_is_told(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "REF_01_TYPE01.mat").unlink()
    (one,) = troika.recordings(tmp_path)
    assert "heart_rate" not in one.signals
    assert one.repairs == ("REF_01_TYPE01.mat is not there: no reference heart rate",)


def test_a_reference_of_another_recording_raises(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"6 heart rates, but 16\.0 s have 5 windows"):
        made(tmp_path, windows=6)


def test_a_file_of_another_layout_raises(tmp_path: Path) -> None:
    savemat(tmp_path / "DATA_01_TYPE01.mat", {"sig": np.zeros((5, 100))})
    with pytest.raises(DatasetError, match=r"DATA_01_TYPE01\.mat: wanted a matrix 'sig'"):
        list(troika.recordings(tmp_path))


def test_a_number_that_is_not_finite_raises(tmp_path: Path) -> None:
    savemat(tmp_path / "DATA_01_TYPE01.mat", {"sig": np.full((6, 2000), np.nan)})
    (one,) = troika.recordings(tmp_path)
    with pytest.raises(DatasetError, match="not finite"):
        one.segments("ecg")


def test_a_truncated_file_is_a_dataset_error_and_nothing_else(tmp_path: Path) -> None:
    made(tmp_path, samples=1200, windows=1)
    path = tmp_path / "DATA_01_TYPE01.mat"
    whole = path.read_bytes()
    for length in [*range(200), *range(200, len(whole) - 1, 997)]:
        path.write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=r"DATA_01_TYPE01\.mat"):
            next(iter(troika.recordings(tmp_path))).segments("ecg")


@real
def test_the_reference_agrees_with_r_peaks_in_the_ecg() -> None:
    one = next(troika.recordings(DATA))
    ecg = sosfiltfilt(butter(2, (8, 25), "bandpass", fs=125, output="sos"), one.values("ecg")[:, 0])
    found = []
    for k in range(10):  # the first half minute, at rest
        part = np.abs(ecg[250 * k : 250 * k + 1000])
        peaks, _ = find_peaks(part, height=0.5 * np.percentile(part, 99.5), distance=45)
        found.append(60 * 125 / np.diff(peaks).mean())
    np.testing.assert_allclose(found, one.values("heart_rate")[:10, 0], atol=3)


@real
def test_acceleration_at_rest_is_one_g_within_a_sixth() -> None:
    for one in troika.recordings(DATA):
        at_rest = np.linalg.norm(one.values("acc")[125 * 5 : 125 * 20], axis=1)
        assert np.median(at_rest) == pytest.approx(1, abs=1 / 6), one.name
