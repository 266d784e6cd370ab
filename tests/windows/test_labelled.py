"""Windows: what belongs together stays together, in memory and on disk."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import DatasetError, PipelineError
from pulselet.windows import Counts, Rows, Windows, WindowStore
from pulselet.windows.running import Cut

People = Callable[..., Windows]


@pytest.fixture
def stored(people: People, tmp_path: Path) -> tuple[Windows, Windows]:
    """Return the same windows in memory and on disk, in three files."""
    data = people([1, 2, 3])
    store = WindowStore(tmp_path)
    parts = [store.put(str(who), Cut(data.of([who]).x, np.zeros((12, 4)), 0, "")).x for who in data.people]
    return data, data.with_x(Rows.join(parts))  # type: ignore[arg-type]


def test_numbers_and_text_may_name_people(people: People) -> None:
    assert people([3, 1]).people == [1, 3]
    assert people(["b", "a"]).of(["a"]).people == ["a"]


def test_a_part_keeps_what_it_knows(people: People) -> None:
    part = people([1, 2]).of([2])
    assert part.recordings == ["made/rec2"]
    assert list(part.files) == ["made/rec2"]
    assert part.start_s.tolist() == [2.0 * i for i in range(12)]


def test_parts_join_with_what_they_know_and_have_left_out(people: People) -> None:
    data = people([1, 2])
    a, b = (data.of([who]) for who in (1, 2))
    whole = Windows.join([replace(a, dropped=Counts(gap=2)), replace(b, dropped=Counts(gap=1, label=4))])
    assert whole.sha256 == data.sha256
    assert whole.dropped == Counts(gap=3, label=4)
    assert whole.files == data.files


def test_parts_can_be_sent_to_another_process(stored: tuple[Windows, Windows]) -> None:
    for windows in stored:
        part = windows.of([2])
        sent = pickle.loads(pickle.dumps(part))
        assert sent.sha256 == part.sha256
        assert np.array_equal(sent.marks.exact, part.marks.exact)


def test_what_nobody_said_is_unknown() -> None:
    windows = Windows(np.zeros((2, 3, 1), np.float32), np.array([0, 1]), np.array([1, 2]), ("a", "b"))
    assert windows.recordings == []
    assert np.isnan(windows.start_s).all()
    assert not windows.simulated.any()
    assert str(windows) == "2 windows of 3 x 1, 2 people: a 1, b 1; left out: nothing"


def test_windows_on_disk_are_those_in_memory(stored: tuple[Windows, Windows]) -> None:
    memory, disk = stored
    assert isinstance(disk.x, Rows)
    order = np.random.default_rng(0).permutation(36)
    for key in (slice(None), slice(30, 3, -2), 5, -1, order, order > 20, np.empty(0, int)):
        assert np.array_equal(disk.x[key], memory.x[key])
    assert np.array_equal(disk.x[order][:, :5, 1], memory.x[order][:, :5, 1])
    assert np.array_equal(disk.x[:, None], memory.x[:, None])
    assert np.array_equal(disk.x[3, 4:6], memory.x[3, 4:6])
    assert np.array_equal(disk.x[..., 0], memory.x[..., 0])
    assert np.array_equal(np.clip(disk.x, -1, 1), np.clip(memory.x, -1, 1))
    assert (disk.x.shape, disk.x.ndim, len(disk.x)) == (memory.x.shape, 3, 36)
    assert disk.sha256 == memory.sha256
    assert np.array_equal(disk.marks.anchors, memory.marks.anchors)
    part, same = disk.take(order[:7]).of([1]), memory.take(order[:7]).of([1])
    assert isinstance(part.x, Rows)
    assert np.array_equal(part.x[:], same.x)
    both = Windows.join([part, same])
    assert np.array_equal(both.x[:], np.concatenate([same.x, same.x]))
    with pytest.raises(ValueError, match="without a copy"):
        np.array(disk.x, copy=False)


def test_batches_hold_every_window_once(stored: tuple[Windows, Windows]) -> None:
    for windows in stored:
        found = list(windows.batches(10, seed=3))
        assert [len(x) for x, _ in found] == [10, 10, 10, 6]
        assert sorted(x[0, 0, 0] for part, _ in found for x in part[:, None]) == sorted(windows.x[:, 0, 0])
    one, other = (list(windows.batches(10, seed=3)) for windows in stored)
    assert all(np.array_equal(a, b) and np.array_equal(p, q) for (a, p), (b, q) in zip(one, other, strict=True))
    in_order = np.concatenate([y for _, y in stored[1].batches(7, shuffle=False)])
    assert np.array_equal(in_order, stored[0].y)


def test_a_store_finds_what_is_damaged(people: People, tmp_path: Path) -> None:
    store, x = WindowStore(tmp_path), people([1]).x
    for key in "abcdef":
        store.put(key, Cut(x, np.zeros((12, 4)), 0, ""))
    assert store.verify() == []
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    (tmp_path / "b.npy").unlink()
    (tmp_path / "c.npy").write_bytes(content[:50])
    (tmp_path / "d.json").write_text("{")
    (tmp_path / "e.spans.npy").write_bytes(b"")
    assert store.verify() == list("abcde")
    assert store.damaged == list("bcde")
    assert store.get("f") is not None
    assert store.get("never") is None


def test_nothing_half_written_is_left(people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    store = WindowStore(tmp_path)
    monkeypatch.setattr(np, "save", full)
    with pytest.raises(DatasetError, match="No space left"):
        store.put("a", Cut(people([1]).x, np.zeros((12, 4)), 0, ""))
    assert list(tmp_path.iterdir()) == []


def test_windows_that_do_not_fit_together_are_refused(people: People) -> None:
    data = people([1])
    with pytest.raises(PipelineError, match="equally many"):
        Windows(data.x, data.y[:3], data.subject, data.labels)
    with pytest.raises(PipelineError, match="classes run from 0 to 2"):
        Windows(data.x, data.y, data.subject, ("a", "b"))
    with pytest.raises(PipelineError, match="12 values of start_s, one for each window, got 1"):
        Windows(data.x, data.y, data.subject, data.labels, start_s=np.array([1.0]))
    with pytest.raises(PipelineError, match="the same classes"):
        Windows.join([data, Windows(data.x, data.y, data.subject, ("a", "b", "c"))])
    with pytest.raises(PipelineError, match="windows of one shape"):
        Windows.join([data, data.with_x(data.x[:, :5])])
    with pytest.raises(PipelineError, match="a seed to shuffle"):
        next(data.batches(5))


def test_what_a_cut_left_out_counts_once_however_many_parts_are_joined(people: People) -> None:
    data = replace(people([1, 2, 3]), dropped=Counts(gap=2))
    assert Windows.join([data.of([1]), data.of([3])]).dropped == Counts(gap=2)


def test_subjects_are_whole_numbers_or_text(people: People) -> None:
    data = people([1, 2])
    for subject in (np.array([1.0, 2.0]), np.array([b"1", b"2"]), np.array([1, "2"], object)):
        assert list(map(str, replace(data, subject=np.repeat(subject, 12)).people)) == ["1", "2"]
    for bad in (np.nan, 1.5):
        with pytest.raises(PipelineError, match="whole numbers or text"):
            replace(data, subject=np.repeat([1.0, bad], 12))


def test_classes_are_whole_numbers_with_a_label_each(people: People) -> None:
    data = people([1])
    with pytest.raises(PipelineError, match="same label"):
        replace(data, labels=("a", "b", "a"))
    with pytest.raises(PipelineError, match="classes are whole numbers"):
        replace(data, y=data.y.astype(float))
