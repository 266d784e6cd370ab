"""Splits by person: everyone once, everything said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.windows import Split, Windows, k_fold, leave_one_out, official, split

People = Callable[..., Windows]


def everyone(one: Split) -> list[object]:
    return sorted([*one.train, *one.validation, *one.test], key=str)


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_of_people(seed: int) -> None:
    one = split(list(range(50)), test=0.2, validation=0.1, seed=seed)
    assert (len(one.train), len(one.validation), len(one.test)) == (35, 5, 10)
    assert everyone(one) == sorted(range(50), key=str)


def test_the_seed_decides() -> None:
    assert split(range(30), seed=3) == split(range(30), seed=3)
    assert split(range(30), seed=3) != split(range(30), seed=4)


def test_whole_numbers_are_people_and_a_share_is_one_at_least() -> None:
    one = split(range(5), test=2, validation=0.01)
    assert (len(one.test), len(one.validation)) == (2, 1)
    assert split(range(5), validation=0).validation == ()


@pytest.mark.parametrize("seed", range(5))
def test_every_side_has_its_share_of_each_group(seed: int) -> None:
    groups = {who: who % 4 == 0 for who in range(100)}  # 25 of 100
    one = split(range(100), seed=seed, stratify=groups)
    for side, wanted in ((one.train, 15), (one.validation, 5), (one.test, 5)):
        assert abs(sum(groups[who] for who in side) - wanted) <= 1
    for fold in k_fold(range(100), 5, seed=seed, stratify=groups):
        assert abs(sum(groups[who] for who in fold.test) - 5) <= 1


def test_folds_test_everyone_once_and_leave_nobody_out() -> None:
    folds = k_fold(range(11), 4, seed=2)
    assert sorted(who for one in folds for who in one.test) == list(range(11))
    assert all(everyone(one) == sorted(range(11), key=str) for one in folds)
    assert all(len(one.validation) == 2 for one in folds)


def test_as_many_folds_as_people_leave_one_out() -> None:
    assert {one.test for one in k_fold("abc", 3, validation=1)} == {one.test for one in leave_one_out("abc", 1)}


def test_the_class_of_a_person_can_be_the_group(people: People) -> None:
    data = people(list("abcdefghij"), 9)
    data = replace(data, y=np.repeat([0] * 5 + [1] * 5, 9), labels=("rest", "walk"))
    one = split(data, test=0.2, validation=0.2, stratify="class", seed=7)
    assert sorted(who < "f" for who in one.test) == sorted(who < "f" for who in one.validation) == [False, True]


def test_a_class_that_a_side_lacks_is_an_error_or_a_note(people: People) -> None:
    data = people([1, 2, 3, 4])
    data = replace(data, y=np.where(data.subject == 4, data.y, data.y % 2))  # only person 4 runs
    with pytest.raises(PipelineError, match=r"no window of run on the .* side.*require_classes=False"):
        k_fold(data, 4, validation=1)
    notes = [note for one in k_fold(data, 4, validation=1, require_classes=False) for note in one.notes]
    assert sum("no window of run on the test side" in note for note in notes) == 3
    assert "no window of run" in str(k_fold(data, 4, validation=1, require_classes=False)[0])


def test_a_side_gives_its_windows(people: People) -> None:
    data = people(["x", "y", "z"])
    one = Split(("x",), ("y",), ("z",))
    assert set(one.side(data, "test").subject) == {"z"}
    by = replace(one, train=("recx",), validation=("recy",), test=("recz",), by="recording")
    assert np.array_equal(by.side(data, "test").x, one.side(data, "test").x)
    with pytest.raises(PipelineError, match=r"sides \('train', 'validation', 'test'\), got 'tset'"):
        one.side(data, "tset")
    with pytest.raises(PipelineError, match=r"recordings \['recq'\]"):
        replace(by, test=("recq",)).side(data, "test")
    with pytest.raises(PipelineError, match=r"no windows of \['q'\]"):
        replace(one, test=("q",)).side(data, "test")


@dataclass(frozen=True)
class Published:
    sides: dict[str, tuple[str, ...]]
    note: str = "from a paper"
    unit: str = "subject"
    shared: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)


def test_a_published_split_says_who_is_in_no_side_and_who_has_no_windows(people: People) -> None:
    data = people(list("abcdef"))
    sides = {"train": ("a", "b", "c"), "test": ("d", "gone")}
    one = official(Published(sides, left_out={"e": "ill", "f": "ill"}), data, name="paper's")
    assert one.test == ("d",)
    assert len(one.validation) == 1
    assert one.unassigned == ("e", "f")
    assert "in no side: e, f" in str(one)
    assert one.notes[:2] == ("from a paper", "left out: e, f: ill")
    assert "of the test side there are no windows of gone" in one.notes
    assert any("drawn from the train side (seed 0), not published" in note for note in one.notes)


def test_a_published_validation_side_is_kept() -> None:
    one = official({"train": "ab", "validation": "c", "test": "d"})
    assert (one.train, one.validation, one.test, one.notes) == (("a", "b"), ("c",), ("d",), ())


def test_a_split_by_recordings_keeps_a_person_out_of_training_and_validation_at_once(people: People) -> None:
    data = people(list("abcdefgh"))
    data = replace(data, subject=np.where(np.isin(data.subject, ["b", "c"]), "bc", data.subject))
    sides = {"train": tuple(f"rec{one}" for one in "abcde"), "test": tuple(f"rec{one}" for one in "fgh")}
    for seed in range(8):
        one = official(Published(sides, unit="recording"), data, seed=seed)
        train, validation = (set(one.side(data, side).subject.tolist()) for side in ("train", "validation"))
        assert not train & validation
        assert validation


def test_people_on_both_sides_of_a_published_split_are_told(people: People) -> None:
    one = official(Published({"DS1": ("101", "201"), "DS2": ("202",)}, unit="recording", shared=("201",)), validation=0)
    assert one.declared == {"201": "201 stands on both sides of the published split"}
    assert "201 stands on both sides" in str(one)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda: split([]), r"wanted people, each once, got \[\]"),
        (lambda: split([1, 1, 2]), r"each once, got \[1\]"),
        (lambda: split([1, 2], test=1, validation=1), "somebody left to train on"),
        (lambda: split(range(9), test=1.5), "a share from 0 to below 1"),
        (lambda: split(range(9), stratify={1: "a"}), "names no group of"),
        (lambda: split(range(9), stratify="class"), "'class' with windows"),
        (lambda: k_fold(range(3), 1), "2 to 3 folds"),
        (lambda: k_fold(range(3), 4), "2 to 3 folds"),
        (lambda: k_fold(range(4), 2, validation=2), "nobody is left to train on"),
        (lambda: list(leave_one_out([1, 2], 1)), "1 to train on"),
        (lambda: official({"train": "a"}), "wants the sides 'train' and 'test'"),
        (lambda: official({"train": "a", "test": "b", "other": "c"}), "wants the sides"),
        (lambda: official({"train": "a", "test": "b"}), "left to train on"),
        (lambda: official({"train": "a", "test": "a"}, validation=0), "one set only"),
        (lambda: Split((1,), (2,), (3,), by="window"), "by 'subject' or by 'recording'"),
    ],
)
def test_splits_that_cannot_be_are_refused(wrong: Callable[[], object], complaint: str) -> None:
    with pytest.raises(PipelineError, match=complaint):
        wrong()
