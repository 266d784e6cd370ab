"""The watch recordings: what a watch would have sent, and only from the file whose checksum is known."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import DatasetError, MissingExtraError
from pulselet_datasets import seglearn_watch as watch


@pytest.fixture(scope="module")
def recordings() -> list[watch.WatchSeries]:
    try:
        return watch.series()
    except MissingExtraError:
        pytest.skip("seglearn is not installed")


def test_ten_people_do_seven_exercises_on_both_sides_once(recordings: list[watch.WatchSeries]) -> None:
    done = Counter((one.subject, one.side, one.exercise) for one in recordings)
    wanted = {(s, side, e) for s in range(1, 11) for side in ("left", "right") for e in watch.EXERCISES}
    assert set(done) == wanted
    assert set(done.values()) == {1}


def test_samples_are_exact_int16_steps(recordings: list[watch.WatchSeries]) -> None:
    for one in recordings:
        for values, lsb in ((one.acceleration, 1 / 4096), (one.rotation, 1 / 1024)):
            assert values.dtype == np.float32
            assert values.shape == (len(one.acceleration), 3)
            steps = values.astype(np.float64) / lsb
            assert np.array_equal(steps, np.rint(steps))
            assert np.abs(steps).max() < 32767  # so nothing was saturated


def test_quantised_samples_stay_within_half_a_step_of_the_file(recordings: list[watch.WatchSeries]) -> None:
    table = watch._load(watch._locate())
    for one, raw in zip(recordings, table["X"], strict=True):
        assert np.abs(one.acceleration - raw[:, :3]).max() <= 0.5 / 4096
        assert np.abs(one.rotation - raw[:, 3:]).max() <= 0.5 / 1024


def test_steps_beyond_int16_saturate() -> None:
    assert watch.as_sent(np.array([99.0, -99.0]), 1 / 4096).tolist() == [32767 / 4096, -8.0]


def test_a_file_with_a_wrong_checksum_is_not_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    other = tmp_path / "watch_dataset.npy"
    np.save(other, np.zeros(3))
    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(DatasetError, match="SHA-256"):
        watch._load(other)


def test_an_absent_file_is_a_dataset_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot read"):
        watch._load(tmp_path / "none.npy")


def test_without_seglearn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pulselet\[demo\]"):
        watch.series()


def test_reading_does_not_import_seglearn(recordings: list[watch.WatchSeries]) -> None:
    code = "import sys; from pulselet_datasets.seglearn_watch import series; series(); print('seglearn' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
