"""Splits of real recordings are clean, and the one that is not says why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import pulselet_datasets
from pulselet.errors import LeakError
from pulselet.signal import Branch, HighPass, Pipeline, Window
from pulselet.stream.vocabulary import AAMI
from pulselet.windows import Role, Seen, Windows, check, cut, cut_around, k_fold, official, require_clean

FOLDER = os.environ.get("PULSELET_DATA")
pytestmark = pytest.mark.skipif(FOLDER is None, reason="PULSELET_DATA names no folder of recordings")

DS1, DS2 = ("101", "106", "201", "208", "223"), ("100", "105", "202", "213", "231")
BEATS = Pipeline(Branch("ecg", "mV", 360.0, 1, HighPass(0.5)))


def there(name: str) -> pulselet_datasets.Dataset:
    """Return the set, or skip the test if it is not among the recordings."""
    if not (Path(FOLDER or "") / name).is_dir():
        pytest.skip(f"there is no {name} in PULSELET_DATA")
    return pulselet_datasets.load(name)


@pytest.fixture(scope="module")
def beats() -> Windows:
    mitdb = there("mitdb")
    records = [mitdb[name] for name in sorted(DS1 + DS2)]
    return cut_around(records, BEATS, 0.25, 0.4, signals={"ecg": ("ecg", 0)}, classes=AAMI)


def test_every_annotated_beat_has_a_window_or_is_counted(beats: Windows) -> None:
    assert len(beats) + beats.dropped.total == sum(len(there("mitdb")[name].label("beat")) for name in DS1 + DS2)
    assert beats.dropped.total == beats.dropped.gap <= 2 * len(DS1 + DS2)


def test_de_chazals_split_has_one_person_on_both_sides_and_says_so(beats: Windows) -> None:
    published = there("mitdb").card.splits["de Chazal DS1/DS2"]
    one = official(published, beats, name="DS1/DS2", require_classes=False)
    assert list(one.declared) == ["201"]
    train, test = one.side(beats, "train"), one.side(beats, "test")
    assert [leak.name for leak in require_clean(Seen(declared=one.declared).add(train, Role.TRAINING), test)] == [
        "subject/training"
    ]
    with pytest.raises(LeakError, match=r"subject/training: people on both sides: 201"):
        require_clean(Seen().add(train, Role.TRAINING), test)


def test_without_that_person_and_in_folds_it_is_clean(beats: Windows) -> None:
    published = there("mitdb").card.splits["de Chazal DS1/DS2"]
    splits = [
        official(published, beats, strict=True, require_classes=False),
        official(there("mitdb").card.splits["DS1/DS2, 201 with 202"], beats, require_classes=False),
        *k_fold(beats, 4, require_classes=False),
    ]
    for one in splits:
        seen = Seen().add(one.side(beats, "train"), "training").add(one.side(beats, "validation"), "early-stopping")
        assert check(seen, one.side(beats, "test")) == []


def test_the_authors_split_of_hapt_is_clean() -> None:
    hapt = there("hapt")
    pipeline = Pipeline(Branch("acc", "g", 50.0, 3), Window(2.56, 1.28))
    data = cut(hapt, pipeline)
    one = official(hapt.card.splits["70/30"], data)
    assert len(one.train) + len(one.validation) == 21
    assert len(one.test) == 9
    seen = Seen().add(one.side(data, "train"), "training").add(one.side(data, "validation"), "early-stopping")
    assert require_clean(seen, one.side(data, "test")) == []
