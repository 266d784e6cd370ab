"""A recording gives back what it was given, survives a kill, and says what is wrong with a file."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import RecordingError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.recording import Interval, Recording

ACC = Signal("acc", "g", 50.0, ("x", "y"))


def block(first: int, count: int, of: Signal = ACC) -> Block:
    values = np.arange(first * 2, (first + count) * 2, dtype=np.float32).reshape(-1, 2) / 3
    return Block(of, values, first, first * 10, first * 100)


def test_blocks_and_gaps_come_back_as_they_went_in(tmp_path: Path) -> None:
    given = [block(0, 5), Gap(ACC, 5, 3, "lost"), block(8, 2), block(10, 4)]
    with Recording.create(tmp_path / "a.pulse") as recording:
        recording.add(given[:2], data=b"\1\2", arrival_ns=7)
        recording.add(given[2:])
    with Recording.open(tmp_path / "a.pulse") as recording:
        found = list(recording.items())
        assert recording.signals == {"acc": ACC}
        assert list(recording.packets()) == [(7, "", b"\1\2")]
        runs = recording.segments("acc")
    for one, other in zip(found, given, strict=True):
        assert type(one) is type(other)
        if isinstance(one, Block) and isinstance(other, Block):
            assert np.array_equal(one.values, other.values)
            times = one.first, one.device_ticks, one.arrival_ns
            assert times == (other.first, other.device_ticks, other.arrival_ns)
        else:
            assert one == other
    assert [(first, len(values)) for first, values in runs] == [(0, 5), (8, 6)]


def test_labels_and_facts_come_back(tmp_path: Path) -> None:
    labels = [Interval("acc", 0, 5, "walk"), Interval("acc", 8, 14, "Gehen, schnell")]
    with Recording.create(tmp_path / "a.pulse", subject="7") as recording:
        recording.add([block(0, 5)])
        recording.annotate(labels)
        recording.note(ended="complete")
        assert recording.intervals() == labels
        assert recording.meta["subject"] == "7"
        assert {"started", "started_ns", "ended"} <= recording.meta.keys()


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    Recording.create(tmp_path / "a.pulse").close()
    with pytest.raises(RecordingError, match="never overwritten"):
        Recording.create(tmp_path / "a.pulse")


def test_nothing_is_lost_to_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "killed.pulse"
    code = f"""
import itertools
import numpy as np
from pulselet.stream.block import Block, Signal
from pulselet.stream.recording import Recording
acc = Signal("acc", "g", 50.0, ("x",))
recording = Recording.create({str(path)!r})
for i in itertools.count():
    recording.add([Block(acc, np.full((5, 1), i, np.float32), 5 * i, None, i)], data=bytes(8), arrival_ns=i)
    print(i, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = [int(process.stdout.readline()) for _ in range(300)][-1]
        os.kill(process.pid, signal.SIGKILL)
    with Recording.open(path) as recording:
        ((first, values),) = recording.segments("acc")
        assert first == 0
        assert len(values) >= 5 * (last + 1)
        assert (values[:, 0] == np.arange(len(values)) // 5).all()
        with contextlib.closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_failed_call_leaves_nothing_behind(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse") as recording:
        recording.add([block(0, 5)])
        other = Signal("acc", "m/s2", 50.0, ("x", "y"))
        with pytest.raises(RecordingError, match="m/s2"):
            recording.add([block(5, 5), block(10, 5, other)])
        assert len(list(recording.items())) == 1
        with pytest.raises(RecordingError, match="label for 'ppg'"):
            recording.annotate([Interval("acc", 0, 1, "a"), Interval("ppg", 0, 1, "b")])
        assert recording.intervals() == []
        with pytest.raises(RecordingError, match=r"no signal 'ppg'; it has \['acc'\]"):
            recording.segments("ppg")


def test_a_gap_ends_a_run_even_if_it_is_empty_of_samples(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse") as recording:
        recording.add([block(0, 5), Gap(ACC, 5, 0, "reconnected"), block(5, 5)])
        assert [(first, len(values)) for first, values in recording.segments("acc")] == [(0, 5), (5, 5)]


def test_a_finished_recording_is_one_file_that_can_be_read_without_writing(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse") as recording:
        recording.add([block(0, 5)])
    assert [path.name for path in tmp_path.iterdir()] == ["a.pulse"]
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert len(list(recording.items())) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["a.pulse"]


def test_a_full_disk_is_named_and_what_was_there_stays(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse") as recording:
        recording.add([block(0, 5)])
        recording._db.execute("PRAGMA max_page_count = 20")
        with pytest.raises(RecordingError, match="full"):
            recording.add([block(5, 50_000)])
        assert len(list(recording.items())) == 1


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="is not there"):
        Recording.open(tmp_path / "absent.pulse")
    (tmp_path / "text.pulse").write_text("hello, this is a text and not a database at all, " * 10)
    with pytest.raises(RecordingError, match="not a database"):
        Recording.open(tmp_path / "text.pulse")
    with contextlib.closing(sqlite3.connect(tmp_path / "other.pulse")) as database:
        database.execute("CREATE TABLE a (b)")
    with pytest.raises(RecordingError, match="no recording of format 2"):
        Recording.open(tmp_path / "other.pulse")


def test_a_cut_file_gives_our_error(tmp_path: Path) -> None:
    path = tmp_path / "a.pulse"
    with Recording.create(path) as recording:
        recording.add([block(i * 100, 100) for i in range(100)])
    path.write_bytes(path.read_bytes()[:8192])
    with pytest.raises(RecordingError), Recording.open(path) as recording:
        list(recording.items())
