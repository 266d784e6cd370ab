"""HAPT: labels that give the windows the authors counted, and files that belong to their labels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Recording
from pulselet_datasets import hapt

DATA = Path(os.environ.get("PULSELET_DATA", "nowhere")) / "hapt"
real = pytest.mark.skipif(not DATA.is_dir(), reason="PULSELET_DATA holds no hapt")

LABELS = "1 1 5 3 6\n1 1 7 7 10\n"


def made(folder: Path, labels: str = LABELS, samples: int = 12, name: str = "exp01_user01") -> list[Recording]:
    raw = folder / "RawData"
    raw.mkdir(exist_ok=True)
    (raw / "labels.txt").write_text(labels)
    (raw / f"acc_{name}.txt").write_text("".join(f"{i} 0 1\n" for i in range(samples)))
    (raw / f"gyro_{name}.txt").write_text("0.5 0 0\n" * samples)
    return list(hapt.recordings(folder))


def test_labels_count_from_one_and_their_last_sample_belongs_to_them(tmp_path: Path) -> None:
    (one,) = made(tmp_path)
    labels = one.label("activity")
    assert labels.words == ["standing", "stand to sit"]
    assert labels.begin.tolist() == [2, 6]
    assert labels.end is not None
    assert labels.end.tolist() == [6, 10]
    assert one.values("acc")[2].tolist() == [2, 0, 1]
    assert (one.subject, one.name, one.signal("gyro").unit) == ("1", "exp01_user01", "rad/s")


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ("1 1 13 3 6\n", "row 1 has an activity that is not within 1 to 12"),
        ("1 1 0 3 6\n", "row 1 has an activity"),
        ("1 1 5 3 6\n1 1 5 9 8\n", "row 2 ends before it begins"),
        ("1 1 5 0 6\n", "begins before sample 1"),
        ("1 1 5 3 6\n1 1 4 6 9\n", "row 2 is out of order"),
        ("1 1 5 3.5 6\n", "no integer"),
        ("1 1 5 3\n", "wanted 5 columns"),
        ("", "is empty"),
        ("1 2 5 3 6\n", "experiment 1 is of user 2"),
    ],
)
def test_labels_that_cannot_be_raise(tmp_path: Path, labels: str, wanted: str) -> None:
    with pytest.raises(DatasetError, match=wanted) as caught:
        made(tmp_path, labels)
    assert "labels.txt" in str(caught.value)


def test_a_label_beyond_the_samples_raises_when_they_are_read(tmp_path: Path) -> None:
    (one,) = made(tmp_path, samples=9)
    with pytest.raises(DatasetError, match=r"9 samples, but labels\.txt speaks of sample 10"):
        one.segments("acc")


def test_a_file_that_is_absent_is_told(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "RawData" / "gyro_exp01_user01.txt").unlink()
    (one,) = hapt.recordings(tmp_path)
    assert list(one.signals) == ["acc"]
    assert one.repairs == ("gyro_exp01_user01.txt is not there",)


def test_an_experiment_without_labels_is_told(tmp_path: Path) -> None:
    (one,) = made(tmp_path, "2 1 5 3 6\n")
    assert len(one.label("activity")) == 0
    assert one.repairs == ("labels.txt has no row for it",)


def test_without_labels_there_is_no_set(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no labels\.txt"):
        hapt.recordings(tmp_path)


@real
def test_windows_of_the_labels_are_as_many_as_the_authors_have_in_train_and_test() -> None:
    """7,767 and 3,162 rows in the set's own Train and Test, of 128 samples every 64 within one activity."""
    counts = dict.fromkeys(("train", "test"), 0)
    split = hapt.CARD.splits["70/30"].sides
    for one in hapt.recordings(DATA):
        labels = one.label("activity")
        assert labels.end is not None
        windows = np.maximum((labels.end - labels.begin - 128) // 64 + 1, 0).sum()
        counts["train" if one.subject in split["train"] else "test"] += int(windows)
    assert counts == {"train": 7767, "test": 3162}


@real
def test_thirty_people_did_sixty_one_experiments() -> None:
    all_ = list(hapt.recordings(DATA))
    assert len(all_) == 61
    assert {one.subject for one in all_} == set(hapt.SUBJECTS)
    assert not any(one.repairs for one in all_)


@real
def test_gravity_is_one_g_and_lies_on_another_axis_when_people_lie() -> None:
    one = next(hapt.recordings(DATA))
    acc, labels = one.values("acc"), one.label("activity")
    assert labels.end is not None
    spans = {word: slice(b, e) for word, b, e in zip(labels.words, labels.begin, labels.end, strict=True)}
    assert np.linalg.norm(acc[spans["standing"]].mean(axis=0)) == pytest.approx(1, abs=0.06)
    assert abs(acc[spans["standing"]].mean(axis=0)).argmax() == 0  # the phone's long axis is upright
    assert abs(acc[spans["lying"]].mean(axis=0)).argmax() != 0
