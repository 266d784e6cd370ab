"""Every leak of the written list, planted; and splits that are clean, in which nothing is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pulselet.errors import LeakError, PipelineError
from pulselet.signal import Branch, Pipeline, Window
from pulselet.stream.corpus import Recording
from pulselet.windows import (
    Role,
    Seen,
    Windows,
    check,
    cut,
    k_fold,
    leave_one_out,
    official,
    require_clean,
    split,
)
from pulselet.windows.leaks import KINDS

People = Callable[..., Windows]
Make = Callable[..., Recording]


def seen_of(windows: Windows, role: Role = Role.TRAINING, **more: Any) -> Seen:
    return Seen(**more).add(windows, role)


def renamed(windows: Windows, x: np.ndarray | None = None) -> Windows:
    """Return windows of a stranger, whose name, recording and times say nothing of where they are from."""
    return Windows(
        windows.x if x is None else x.astype(np.float32),
        windows.y,
        np.full(len(windows), "stranger"),
        windows.labels,
    )


def names(seen: Seen, test: Windows) -> set[str]:
    """Return the leaks that `require_clean` raises for."""
    with pytest.raises(LeakError) as raised:
        require_clean(seen, test)
    assert set(raised.value.kinds) == {leak.name for leak in check(seen, test) if not leak.reason}
    return set(raised.value.kinds)


# --- kinds


def test_leak_01_the_same_person_on_both_sides(people: People) -> None:
    train, test = people([1, 2, 3]), people([3, 4], seed=1)
    test = replace(test, recording=np.where(test.subject == 3, "made/later", test.recording))
    found = check(seen_of(train), test)
    assert [(leak.name, leak.who, leak.windows) for leak in found] == [("subject/training", ("3",), 12)]
    assert names(seen_of(train), test) == {"subject/training"}


def test_leak_02_one_person_under_two_ids(people: People) -> None:
    train, test = people(["201"]), people(["202"], seed=1)
    assert check(seen_of(train), test) == []
    assert names(seen_of(train, aliases=[("201", "202")]), test) == {"alias/training"}


def test_leak_03_the_same_recording_under_another_person(people: People) -> None:
    train, test = people([1, 2]), people([3], seed=1)
    test = replace(test, recording=np.full(12, "made/rec2"), start_s=test.start_s + 500, end_s=test.end_s + 500)
    assert names(seen_of(train), test) == {"recording/training"}


def test_leak_04_one_recording_under_two_names(make: Make) -> None:
    pipeline = Pipeline(Branch("s", "g", 10.0, 1), Window(1.0, 1.0))
    values = np.random.default_rng(0).normal(size=(100, 1)).astype(np.float32)
    train = cut(make("a", [(0, values)], subject="1"), pipeline, label=None)
    test = cut(make("copy", [(0, values)], subject="2"), pipeline, label=None)
    assert "file/training" in names(seen_of(train), test)
    other = replace(test, x=np.random.default_rng(1).normal(size=test.x.shape).astype(np.float32))
    assert names(seen_of(train), other) == {"file/training", "samples/training"}


def test_leak_05_windows_that_share_raw_samples(people: People) -> None:
    train, test = people([1]), people([1], seed=1)
    half = replace(test, subject=np.full(12, 9), start_s=test.start_s + 1, end_s=test.end_s + 1)
    assert names(seen_of(train), half) == {"recording/training", "samples/training"}
    after = replace(half, start_s=test.start_s + 24, end_s=test.end_s + 24)
    assert names(seen_of(train), after) == {"recording/training"}


def test_leak_06_duplicates_under_another_name(people: People) -> None:
    train = people([1, 2])
    found = check(seen_of(train), renamed(train.take(np.arange(5))))
    assert [(leak.name, leak.windows) for leak in found] == [("duplicate/training", 5)]


@pytest.mark.parametrize(
    ("gain", "offset", "share"),
    [
        (9.81, 0.0, 0.95),
        (1.0, -2.5, 0.95),
        (-1.0, 0.0, 0.95),
        (0.01, 10.0, 0.9),
        (0.001, 40.0, 0.3),  # float32 keeps 12 of the 24 bits: rounding moves many values over an edge
    ],
)
def test_leak_07_duplicates_in_another_unit_with_an_offset_or_upside_down(
    people: People, gain: float, offset: float, share: float
) -> None:
    train = people([1, 2])
    found = check(seen_of(train), renamed(train, train.x * np.float32(gain) + np.float32(offset)))
    assert {leak.name for leak in found} <= {"scaled/training", "shifted/training"}
    assert sum(leak.windows for leak in found) >= share * len(train)


@pytest.mark.parametrize("shift", [1, 7, 30])
def test_leak_08_copies_shifted_by_some_samples(people: People, shift: int) -> None:
    long = people([1, 2], length=160)
    train, test = long.with_x(long.x[:, :128]), renamed(long, 3 * long.x[:, shift : shift + 128] - 1)
    found = check(seen_of(train), test)
    assert [leak.name for leak in found] == ["shifted/training"]
    assert found[0].windows >= 0.9 * len(test)


def test_leak_09_simulated_windows_are_no_test(people: People) -> None:
    train, test = people([1]), people([2], seed=1)
    test = replace(test, simulated=np.arange(12) < 3)
    assert names(seen_of(train), test) == {"simulated"}
    assert check(seen_of(train), test, simulated=True) == []
    assert check(seen_of(replace(train, simulated=np.full(12, True))), people([2], seed=1)) == []


def test_leak_10_windows_of_nobody_knows_whom(people: People) -> None:
    test = replace(people([2], seed=1), subject=np.full(12, ""))
    assert names(seen_of(people([1])), test) == {"unknown"}


# --- roles: the test side has been looked at for something else than learning weights


@pytest.mark.parametrize(
    "role",
    [
        Role.EARLY_STOPPING,  # leak 11
        Role.THRESHOLD,  # 12
        Role.TEMPERATURE,  # 13
        Role.NORMALISATION,  # 14
        Role.FEATURES,  # 15
        Role.AUGMENTATION,  # 16
        Role.REPRESENTATIVE,  # 17
        Role.HYPERPARAMETERS,  # 18
    ],
)
def test_leaks_11_to_18_the_test_side_chose_something(people: People, role: Role) -> None:
    data = people([1, 2, 3])
    seen = seen_of(data.of([1, 2])).add(data.of([3]), role.value)
    kinds = ("subject", "recording", "samples", "duplicate")
    assert names(seen, data.of([3])) == {f"{kind}/{role.value}" for kind in kinds}


def test_leak_19_augmented_copies_of_test_windows_in_train(people: People) -> None:
    """Noise hides the values; that the windows still know where they are from does not."""
    data = people([1, 2])
    noisy = data.x + np.random.default_rng(0).normal(0, 0.1, data.x.shape).astype(np.float32)
    everyone = Windows.join([data.of([1]), data.with_x(noisy).of([2])])
    assert names(seen_of(everyone), data.of([2])) == {"subject/training", "recording/training", "samples/training"}


def test_leak_20_validation_windows_of_people_who_are_trained_on(people: People) -> None:
    data = people([1, 2])
    with pytest.raises(LeakError, match="the validation side is not unseen"):
        require_clean(seen_of(data.of([1])), data.take(np.arange(10, 14)), side="validation")


def test_leak_21_windows_split_at_random(people: People) -> None:
    """What the usual `train_test_split` of windows does."""
    data = people([1, 2, 3])
    chosen = np.random.default_rng(0).random(len(data)) < 0.7
    assert {"subject/training", "recording/training"} <= names(seen_of(data.take(chosen)), data.take(~chosen))


def test_leak_22_sliding_windows_split_in_time(make: Make) -> None:
    pipeline = Pipeline(Branch("s", "g", 10.0, 1), Window(4.0, 1.0))
    values = np.random.default_rng(0).normal(size=(600, 1)).astype(np.float32).cumsum(axis=0)
    data = cut(make("a", [(0, values)]), pipeline, label=None)
    early, late = data.take(np.arange(len(data)) < 30), data.take(np.arange(len(data)) >= 30)
    found = {leak.kind: leak.windows for leak in check(seen_of(early), late)}
    assert found["samples"] == 3
    assert {leak.kind for leak in check(seen_of(early), renamed(late))} <= {"shifted"}


def test_the_list_is_complete() -> None:
    """Ten kinds, eight of them in nine roles: each has a planted test above, and words."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{kind}' in text for kind in KINDS)
    assert all(f"Role.{role.name}" in text for role in Role)


# --- clean


def test_clean_leave_one_out_k_fold_hold_out_and_official(people: People) -> None:
    data = people(range(10))
    sides = {"train": range(6), "test": range(6, 10)}
    splits = [
        *leave_one_out(data, 2),
        *k_fold(data, 5),
        *(split(data, seed=seed) for seed in range(10)),
        official(sides, data),
    ]
    assert len(splits) == 26
    for one in splits:
        seen = seen_of(one.side(data, "train")).add(one.side(data, "validation"), Role.EARLY_STOPPING)
        seen.add(one.side(data, "train").take(np.arange(5)), Role.REPRESENTATIVE)
        assert require_clean(seen, one.side(data, "test")) == []


def test_clean_people_of_other_sets_who_happen_to_have_the_same_number(people: People) -> None:
    train, test = people([1, 2]), people([1, 2], seed=1)
    test = replace(test, recording=np.array([name.replace("made", "other") for name in test.recording]), files={})
    assert check(seen_of(train), test) == []
    assert names(seen_of(train), replace(test, recording=np.full(24, ""))) == {"subject/training"}


def test_clean_flat_and_coarse_windows_say_nothing(people: People) -> None:
    """A sensor at rest gives the same few values whoever wears it: no evidence of a copy."""
    steps = np.random.default_rng(0).integers(0, 4, (12, 128, 3)).astype(np.float32)
    for x in (np.zeros((12, 128, 3), np.float32), steps, np.clip(people([1]).x * 99, -1, 1)):
        train, test = people([1]), people([2], seed=1)
        assert check(seen_of(train.with_x(x)), test.with_x(x[::-1].copy())) == []


def test_clean_real_exercises_leave_one_person_out() -> None:
    pytest.importorskip("seglearn")
    from pulselet.recipes import rehab

    data = rehab.windows()
    for one in leave_one_out(data, rehab.VALIDATION_PEOPLE):
        seen = seen_of(one.side(data, "train")).add(one.side(data, "validation"), Role.EARLY_STOPPING)
        assert check(seen, one.side(data, "test")) == []


# --- what it says, and what it keeps


def test_a_leak_says_what_who_how_many_and_what_to_do(people: People) -> None:
    data = people([1, 2])
    with pytest.raises(LeakError) as raised:
        require_clean(seen_of(data), data.of([2]))
    message = str(raised.value)
    assert message.startswith("the test side is not unseen:\n- ")
    assert "subject/training: people on both sides: 2 (12 windows); split by person: pulselet.windows.split" in message


def test_what_a_published_split_declares_is_told_and_does_not_raise(people: People) -> None:
    data = people(["100", "201", "202x"])
    person = np.where(data.recording == "made/rec202x", "201", data.subject)
    data = replace(data, subject=person)
    sides = {"DS1": ["rec100", "rec201"], "DS2": ["rec202x"]}
    found = official(sides, data, by="recording", validation=0, name="DS1/DS2")
    assert found.declared == {"201": "201 stands on both sides of DS1/DS2"}
    seen = seen_of(found.side(data, "train"), declared=found.declared)
    told = require_clean(seen, found.side(data, "test"))
    assert [(leak.name, leak.who, leak.reason) for leak in told] == [
        ("subject/training", ("201",), "201 stands on both sides of DS1/DS2")
    ]
    strict = official(sides, data, by="recording", validation=0, strict=True)
    assert require_clean(seen_of(strict.side(data, "train")), strict.side(data, "test")) == []
    assert strict.train == ("rec100",)


def test_a_declared_person_excuses_no_copies(people: People) -> None:
    data = people([1, 2])
    seen = seen_of(data, declared={"2": "so it was published"})
    assert names(seen, data.of([2])) >= {"recording/training", "samples/training", "duplicate/training"}


def test_what_was_seen_adds_up(people: People) -> None:
    data = people([1, 2, 3])
    parts = seen_of(data.of([1])).add(data.of([2]), Role.TRAINING).add(data.of([3]), Role.THRESHOLD)
    whole = seen_of(data.of([1, 2])).add(data.of([3]), Role.THRESHOLD)
    assert parts.summary() == whole.summary()
    assert parts.counts() == {"rest": 8, "walk": 8, "run": 8}
    assert parts.people() == ["1", "2"]
    assert [str(leak) for leak in check(parts, data)] == [str(leak) for leak in check(whole, data)]


def test_marks_follow_the_windows_they_belong_to(people: People) -> None:
    data = people([1, 2])
    fresh = data.of([2]).marks
    _ = data.marks
    assert np.array_equal(data.of([2]).marks.anchors, fresh.anchors)
    assert not np.array_equal(data.with_x(data.x * data.x).marks.exact, data.marks.exact)


def test_features_and_short_windows_are_known_by_value(people: People) -> None:
    rng = np.random.default_rng(0)
    for shape in ((20, 30), (20, 16, 2)):
        x = rng.normal(size=shape).astype(np.float32)
        one = Windows(x, np.zeros(20, int), np.arange(20), ("a",))
        assert {leak.kind for leak in check(seen_of(one), renamed(one))} == {"duplicate"}
        assert {leak.kind for leak in check(seen_of(one), renamed(one, x * 2))} == {"scaled"}
        assert check(seen_of(one), renamed(one, rng.normal(size=shape))) == []


def test_nothing_to_test_and_unknown_roles_are_refused(people: People) -> None:
    data = people([1])
    with pytest.raises(PipelineError, match="the test side has no windows"):
        require_clean(Seen(), data.take(np.zeros(12, bool)))
    with pytest.raises(PipelineError, match="unknown role 'fun'"):
        Seen().add(data, "fun")


@pytest.mark.parametrize("tested", ["2", "3"])
def test_groups_of_aliases_that_share_an_id_are_one_person(people: People, tested: str) -> None:
    seen = seen_of(people(["1"]), aliases=[("1", "2"), ("2", "3"), ("8", "9")])
    assert "alias/training" in names(seen, people([tested], seed=1))
    assert check(seen, people(["8"], seed=1)) == []


def test_an_alias_with_the_name_of_a_set_reaches_over_sets(people: People) -> None:
    train, test = people(["118"]), people(["n1"], seed=1)
    test = replace(test, recording=np.array(["other/n1"] * len(test)), files={})
    assert check(seen_of(train, aliases=[("118", "n1")]), test) == []
    assert names(seen_of(train, aliases=[("made/118", "other/n1")]), test) == {"alias/training"}


def test_a_person_is_one_whether_a_number_was_read_whole_or_as_a_float(people: People) -> None:
    train, test = people([7, 8]), people([7], seed=1)
    assert "subject/training" in names(seen_of(replace(train, subject=train.subject.astype(float))), test)


def test_a_person_who_is_none_is_nobody_known(people: People) -> None:
    test = people(["1"])
    test = replace(test, subject=np.array([None] * len(test), object))
    assert names(seen_of(people(["2"], seed=1)), test) == {"unknown"}
