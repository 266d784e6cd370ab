"""A recording gives back what it was given, survives a kill, and says what is wrong with a file."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import datetime, timezone
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


FORMAT_1 = """
PRAGMA application_id=0x504C5354; PRAGMA user_version=1;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE packet (id INTEGER PRIMARY KEY, arrival_ns INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE signal (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, unit TEXT NOT NULL, rate_hz REAL NOT NULL,
                     channels TEXT NOT NULL);
CREATE TABLE item (id INTEGER PRIMARY KEY, packet INTEGER REFERENCES packet, signal INTEGER NOT NULL REFERENCES signal,
                   first INTEGER NOT NULL, count INTEGER NOT NULL,
                   device_ticks INTEGER, arrival_ns INTEGER, float32 BLOB, reason TEXT);
CREATE TABLE interval (id INTEGER PRIMARY KEY, signal INTEGER NOT NULL REFERENCES signal,
                       first INTEGER NOT NULL, "end" INTEGER NOT NULL, label TEXT NOT NULL);
INSERT INTO meta VALUES ('started_ns', '5'), ('device', 'Watch'), ('address', 'F0'), ('ended', 'complete'),
                        ('description', '01070000000080000001010150c30000000080390361636301670178');
INSERT INTO packet VALUES (1, 7, x'0102');
INSERT INTO signal VALUES (1, 'acc', 'g', 50.0, '["x"]');
INSERT INTO item VALUES (1, 1, 1, 0, 2, 0, 7, x'0000803F00000040', NULL), (2, NULL, 1, 2, 3, NULL, NULL, NULL, 'lost');
INSERT INTO interval VALUES (1, 1, 0, 2, 'walk');
"""


def test_a_file_of_format_1_is_brought_up_to_date_with_all_that_it_held(tmp_path: Path) -> None:
    path = tmp_path / "old.pulse"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(FORMAT_1)
    with Recording.open(path) as recording:
        # the rate of the device clock stood in the description only: 0x8000 ticks a second
        assert recording.signals == {"acc": Signal("acc", "g", 50.0, ("x",), 32768.0)}
        one, gap = recording.items()
        assert isinstance(one, Block)
        assert one.values.tolist() == [[1.0], [2.0]]
        assert gap == Gap(recording.signals["acc"], 2, 3, "lost")
        assert list(recording.packets()) == [(7, "", b"\1\2")]
        assert recording.intervals() == [Interval("acc", 0, 2, "walk")]
        (session,) = recording.sessions()
        assert (session.device, session.ended, session.facts["address"]) == ("Watch", "complete", "F0")
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert not any(name.endswith("_1") for name in tables)


def test_a_migration_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "old.pulse"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(FORMAT_1)
        database.executescript("CREATE TABLE event (mine)")  # stands in the way
        before = list(database.iterdump())
    with pytest.raises(RecordingError, match="event"):
        Recording.open(path)
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert list(database.iterdump()) == before


def test_a_file_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    Recording.create(tmp_path / "a.pulse").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "a.pulse")) as database:
        database.execute("PRAGMA user_version = 3")
    with pytest.raises(RecordingError, match="a newer Pulselet wrote it"):
        Recording.open(tmp_path / "a.pulse")


def test_a_recording_is_read_while_it_is_written_and_neither_waits(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse") as writer:
        writer.add([block(0, 5)])
        with Recording.open(tmp_path / "a.pulse") as reader:
            items = reader.items()
            next(items)  # a reader in the middle of its work
            writer.add([block(5, 5)])
            writer.event("label", "walk", at_ns=3)
            assert next(items, None) is None  # what it began to read is what it reads
            assert [item.first for item in reader.items()] == [0, 5]
            assert reader.events() == [(3, "label", "walk")]


def test_an_opened_recording_is_not_written_to_by_accident(tmp_path: Path) -> None:
    Recording.create(tmp_path / "a.pulse").close()
    with (
        Recording.open(tmp_path / "a.pulse") as recording,
        pytest.raises(RecordingError, match="opened to be read: open it with write=True"),
    ):
        recording.note(subject="7")
    with Recording.open(tmp_path / "a.pulse", write=True) as recording:
        recording.note(subject="7")
        assert recording.meta["subject"] == "7"


def test_what_is_written_together_is_kept_together_or_not_at_all(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse") as recording:
        with recording.together():
            recording.add([block(0, 5)], data=b"a", source="Watch/1")
            recording.add([block(5, 5)], data=b"b", source="Watch/2")
        other = Signal("acc", "m/s2", 50.0, ("x", "y"))
        with pytest.raises(RecordingError, match="m/s2"):
            recording.add([block(10, 5), block(15, 5, other)], data=b"c", source="Watch/3")
        assert [one.source for one in recording.packets()] == ["Watch/1", "Watch/2"]
        assert [item.first for item in recording.items()] == [0, 5]
        recording.add([block(10, 5)], data=b"c", source="Watch/3")
        assert [one.source for one in recording.packets()] == ["Watch/1", "Watch/2", "Watch/3"]


def test_signals_without_rate_or_clock_and_gaps_of_unknown_size_come_back(tmp_path: Path) -> None:
    rr = Signal("rr", "s", None, ("rr",), None, loss_detectable=False)
    given = [Block(rr, np.ones((2, 1), np.float32), 0, None, 5), Gap(rr, 2, None, "disconnected")]
    with Recording.create(tmp_path / "a.pulse") as recording:
        recording.add(given)
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert recording.signals == {"rr": rr}
        assert list(recording.items("rr"))[1] == given[1]


def test_a_session_keeps_who_streamed_and_how_it_ended(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse") as recording:
        first = recording.begin("Watch", [ACC], address="F0")
        assert recording.sessions()[0].ended is None
        recording.end(first, "silent")
        (session,) = recording.sessions()
        assert (session.device, session.ended, session.facts["address"]) == ("Watch", "silent", "F0")
        assert datetime.fromisoformat(session.facts["started"]).tzinfo == timezone.utc
        assert session.ended_ns is not None
        assert session.ended_ns >= session.started_ns


def test_threads_may_write_one_recording(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse") as recording:
        threads = [
            threading.Thread(target=lambda: [recording.event("label", str(n)) for n in range(50)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for n in range(50):
            recording.add([block(5 * n, 5)])
        for thread in threads:
            thread.join()
        assert len(recording.events()) == 200
        assert len(list(recording.items())) == 50


def test_a_signal_that_a_session_is_at_work_on_is_not_given_to_another(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse") as recording:
        first = recording.begin("Left", [ACC])
        with pytest.raises(RecordingError, match="holds acc already"):
            recording.begin("Right", [ACC])
        recording.end(first, "stopped")
        recording.begin("Right", [ACC])  # nothing has come of the first one


def test_closing_a_recording_ends_its_sessions(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse") as recording:
        recording.begin("Watch", [ACC])
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert recording.sessions()[0].ended == "stopped"


def test_a_recording_closed_while_it_is_read_is_whole_without_what_stands_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pulse"
    with Recording.create(path) as recording:
        recording.add([block(5 * n, 5) for n in range(200)])
        reader = Recording.open(path)
        assert len(list(reader.items())) == 200
    (tmp_path / "copy.pulse").write_bytes(path.read_bytes())
    reader.close()
    with Recording.open(tmp_path / "copy.pulse") as copy:
        assert len(list(copy.items())) == 200


def test_a_number_that_does_not_fit_is_our_error(tmp_path: Path) -> None:
    late = Block(ACC, np.zeros((1, 2), np.float32), 0, 2**64 - 1, 0)
    with Recording.create(tmp_path / "a.pulse") as recording, pytest.raises(RecordingError, match="64 bits"):
        recording.add([late])
