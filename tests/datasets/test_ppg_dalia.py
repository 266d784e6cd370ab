"""PPG-DaLiA: the documented layout of its pickles, and a reader that runs nothing of what a pickle names."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Recording
from pulselet_datasets import ppg_dalia

SECONDS = 12  # windows of 8 s at 0, 2 and 4 s


def content() -> dict[str, Any]:
    return {
        "subject": "S1",
        "signal": {
            "wrist": {
                "BVP": np.arange(SECONDS * 64.0)[:, None],
                "ACC": np.tile([0.0, -1.0, 0.5], (SECONDS * 32, 1)),
                "EDA": np.full((SECONDS * 4, 1), 4.7),
                "TEMP": np.full((SECONDS * 4, 1), 32.2),
            },
            "chest": {
                "ECG": np.zeros((SECONDS * 700, 1)),
                "ACC": np.tile([0.9, 0.0, -0.4], (SECONDS * 700, 1)),
                "Resp": np.zeros((SECONDS * 700, 1)),
            },
        },
        "label": np.array([60.0, 61.0, 62.0]),
        "activity": np.repeat([0.0, 1.0, 8.0], SECONDS * 4 // 3)[:, None],
        "rpeaks": np.array([350, 1050, 1750]),
        "questionnaire": {"AGE": 34, "HEIGHT": 182, "Gender": " m"},
    }


def made(folder: Path, changed: Any = None, protocol: int = 2) -> list[Recording]:
    (folder / "S1").mkdir(exist_ok=True)
    stored = content() if changed is None else changed
    (folder / "S1" / "S1.pkl").write_bytes(pickle.dumps(stored, protocol=protocol))
    return list(ppg_dalia.recordings(folder))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_signals_and_labels_are_where_the_documentation_puts_them(tmp_path: Path, protocol: int) -> None:
    (one,) = made(tmp_path, protocol=protocol)
    assert one.values("bvp")[:3, 0].tolist() == [0, 1, 2]
    assert one.values("acc")[0].tolist() == [0, -1, 0.5]
    assert one.values("chest_acc").shape == (SECONDS * 700, 3)
    assert one.label("beat").begin_s.tolist() == [0.5, 1.5, 2.5]
    activity = one.label("activity")
    assert activity.words == ["transient", "sitting", "working"]
    assert activity.begin_s.tolist() == [0, 4, 8]
    assert activity.end_s.tolist() == [4, 8, 12]


def test_a_heart_rate_stands_at_the_end_of_its_window(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    assert one.values("heart_rate")[:, 0].tolist() == [60, 61, 62]
    assert one.start_s["heart_rate"] + 2 / (one.signal("heart_rate").rate_hz or 0) == SECONDS


def test_every_signal_lasts_as_long_as_the_others(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    for name in set(one.signals) - {"heart_rate"}:
        assert len(one.values(name)) / (one.signal(name).rate_hz or 0) == SECONDS, name


def test_the_folder_of_the_archive_may_stand_between(tmp_path: Path) -> None:
    inner = tmp_path / "PPG_FieldStudy"
    inner.mkdir()
    made(inner)
    assert [one.name for one in ppg_dalia.recordings(tmp_path)] == ["S1"]


def test_a_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    """Python 2 wrote the bytes of an array as a text, in which protocol 2 has them as `_codecs.encode`."""
    made(tmp_path)
    raw = (tmp_path / "S1" / "S1.pkl").read_bytes()
    assert b"_codecs" in raw
    assert b"numpy._core.multiarray" in raw
    old = raw.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")  # as numpy 1 named it
    (tmp_path / "S1" / "S1.pkl").write_bytes(old)
    (one,) = ppg_dalia.recordings(tmp_path)
    assert len(one.values("bvp")) == SECONDS * 64


class Harm:
    """What a pickle can do to who opens it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_that_wants_to_run_something_is_refused_and_has_not_run(tmp_path: Path, protocol: int) -> None:
    (one,) = made(tmp_path, {**content(), "extra": Harm(tmp_path / "harm")}, protocol)
    for ask in (lambda: one.values("bvp"), lambda: one.label("activity")):
        with pytest.raises(DatasetError, match=r"S1\.pkl is no pickle of arrays: it wants .*mkdir"):
            ask()
    assert not (tmp_path / "harm").exists()


def test_an_array_of_objects_cannot_smuggle_anything(tmp_path: Path) -> None:
    smuggled = content()
    smuggled["signal"]["wrist"]["BVP"] = np.array([Harm(tmp_path / "harm")], dtype=object)
    (one,) = made(tmp_path, smuggled)
    with pytest.raises(DatasetError, match="no pickle of arrays"):
        one.values("bvp")
    assert not (tmp_path / "harm").exists()


def test_only_what_makes_arrays_is_allowed() -> None:
    assert {name for module, name in ppg_dalia.ALLOWED if not module.startswith("numpy")} == {"encode", "bytes"}


def test_a_truncated_pickle_is_a_dataset_error_and_nothing_else(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    path = tmp_path / "S1" / "S1.pkl"
    whole = path.read_bytes()
    for length in [*range(100), *range(100, len(whole) - 1, 9973)]:
        path.write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=r"S1\.pkl"):
            one.segments("bvp")


def without(*place: str) -> dict[str, Any]:
    stored = content()
    inner: Any = stored
    for key in place[:-1]:
        inner = inner[key]
    del inner[place[-1]]
    return stored


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ([1, 2], "wanted a dictionary"),
        ({**content(), "subject": "S2"}, "is of subject S2"),
        (without("signal", "wrist", "BVP"), "has no signal/wrist/BVP"),
        (without("signal"), "has no signal/wrist/BVP"),
        ({**content(), "signal": {"wrist": {"BVP": np.zeros((5, 2))}}}, r"as \(n, 1\), found \(5, 2\)"),
        ({**content(), "signal": {"wrist": {"BVP": np.zeros((0, 1))}}}, r"found \(0, 1\)"),
        ({**content(), "signal": {"wrist": {"BVP": np.full((5, 1), np.nan)}}}, "not finite"),
        ({**content(), "signal": {"wrist": {"BVP": "text"}}}, "holds no numbers"),
    ],
)
def test_a_pickle_of_another_layout_raises(tmp_path: Path, changed: Any, wanted: str) -> None:
    (one,) = made(tmp_path, changed)
    with pytest.raises(DatasetError, match=wanted):
        one.values("bvp")


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"activity": np.array([0.0, 9.0])}, "activities run from 0 to 9"),
        ({"activity": np.array([0.5])}, "wanted integers"),
        ({"rpeaks": np.array([-1, 5])}, "R peaks run from -1"),
        ({"rpeaks": np.array([5, SECONDS * 700])}, "but the ECG has 8400 samples"),
        ({"rpeaks": np.array([700, 50])}, "out of order"),
    ],
)
def test_labels_out_of_range_or_order_raise(tmp_path: Path, changed: dict[str, Any], wanted: str) -> None:
    (one,) = made(tmp_path, {**content(), **changed})
    with pytest.raises(DatasetError, match=wanted):
        one.label("beat")


def test_more_heart_rates_than_windows_raise(tmp_path: Path) -> None:
    (one,) = made(tmp_path, {**content(), "label": np.full(4, 60.0)})
    with pytest.raises(DatasetError, match=r"4 heart rates, but 12\.0 s have 3 windows"):
        one.values("heart_rate")
