"""A recording in one SQLite file: raw packets, blocks, gaps, events and labels, safe against a kill at any moment."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

import numpy as np

from pulselet.errors import RecordingError
from pulselet.stream import schema
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.host import now_ns
from pulselet.stream.reader import Reader
from pulselet.stream.rows import Event, Interval, Notification, Session, Stamp

__all__ = ["Event", "Interval", "Notification", "Recording", "Session", "Stamp"]

CHECKPOINT_S = 30.0  # what a loss of power, not a kill, can cost


class Recording(Reader):
    """What was received, in the order in which it came.

    Every call is one transaction in write-ahead mode: what a call has returned from is still there after `kill -9`.
    Three times are kept: device ticks, the host's monotonic clock, and the wall clock at the start (`started`,
    `started_ns` in `meta`). A recording can be read while another process writes it, and by several threads.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, *, write: bool) -> None:
        super().__init__(path, database)
        self._may_write = write
        self._lock = threading.RLock()
        self._depth = 0
        self._writing = False
        self._checkpointed = time.monotonic()
        self._numbers: dict[Signal, int] = {}
        self._sources: dict[str, int] = {}
        self._open: dict[int, set[str]] = {}  # sessions that have not ended, and their signals

    @classmethod
    def create(cls, path: str | Path, **meta: str) -> Recording:
        """Return a new, empty recording at `path`, with `meta` such as `subject`.

        Raises
        ------
        RecordingError
            If there is something at `path` already, or nothing can be written there.
        """
        path = Path(path)
        recording = cls(path, schema.create(path), write=True)
        started = {"started": datetime.now(timezone.utc).isoformat(), "started_ns": str(now_ns())}
        recording.note(**{**started, **meta})
        return recording

    @classmethod
    def open(cls, path: str | Path, *, write: bool = False) -> Recording:
        """Return the recording at `path`, to read, or with `write` to add to.

        Raises
        ------
        RecordingError
            If there is none, it is not a recording, or it is of a newer format.
        """
        path = Path(path)
        return cls(path, schema.connect(path, write=write), write=write)

    def note(self, **meta: str) -> None:
        """Write down facts about the recording; a later value replaces an earlier one."""
        with self.together():
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())

    def add(
        self, items: Iterable[Block | Gap], *, data: bytes | None = None, arrival_ns: int = 0, source: str = ""
    ) -> None:
        """Append blocks and gaps, with the raw notification `data` that they came from, if any."""
        with self.together():
            packet = None
            if data is not None:
                row = arrival_ns, data, self._source(source)
                packet = self._db.execute("INSERT INTO packet VALUES (NULL, ?, ?, ?)", row).lastrowid
            for item in items:
                number = self._number(item.signal)
                values, reason, ticks, arrival = None, None, None, None
                if isinstance(item, Gap):
                    reason, count = item.reason, item.lost
                else:
                    values, count = np.ascontiguousarray(item.values, "<f4").tobytes(), len(item.values)
                    ticks, arrival = item.device_ticks, item.arrival_ns
                line = (packet, number, item.first, count, ticks, arrival, values, reason)
                self._db.execute("INSERT INTO item VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", line)

    def annotate(self, intervals: Iterable[Interval]) -> None:
        """Append labels.

        Raises
        ------
        RecordingError
            If one names a signal that has no samples here.
        """
        with self.together():
            known = self.signals
            for one in intervals:
                if one.signal not in known:
                    raise RecordingError(f"a label for {one.signal!r}; {self.path} has {sorted(known)}")
                row = (self._number(known[one.signal]), one.first, one.end, one.label)
                self._db.execute("INSERT INTO interval VALUES (NULL, ?, ?, ?, ?)", row)

    def event(self, kind: str, text: str = "", *, at_ns: int | None = None) -> None:
        """Append something that happened: now, or at `at_ns` of the host's monotonic clock."""
        with self.together():
            row = now_ns() if at_ns is None else at_ns, kind, text
            self._db.execute("INSERT INTO event VALUES (NULL, ?, ?, ?)", row)

    def begin(self, device: str, signals: Iterable[Signal], **facts: str) -> int:
        """Open a session of a device and return its number; the wall clock at its start becomes one of its facts.

        Raises
        ------
        RecordingError
            If one of its signals has samples here already, or another session is at work on it: two runs of one signal
            would be taken for one.
        """
        names = {signal.name for signal in signals}
        taken = names & {name for (name,) in self.query(_WITH_ITEMS)}.union(*self._open.values())
        if taken:
            raise RecordingError(
                f"{self.path} holds {', '.join(sorted(taken))} already: record in a new file, "
                "or give the second device a label"
            )
        facts = {"started": datetime.now(timezone.utc).isoformat(), **facts}
        with self.together():
            row = device, now_ns(), json.dumps(facts)
            number = self._db.execute("INSERT INTO session VALUES (NULL, ?, ?, NULL, NULL, ?)", row).lastrowid
        assert number is not None  # an INSERT has given one
        self._open[number] = names
        return number

    def end(self, session: int, reason: str) -> None:
        """Close a session, and say why it ended."""
        with self.together():
            self._db.execute("UPDATE session SET ended_ns = ?, ended = ? WHERE id = ?", (now_ns(), reason, session))
        self._open.pop(session, None)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make one transaction of all that is written in the block: all of it is kept, or none."""
        if not self._may_write:
            raise RecordingError(f"{self.path} was opened to be read: open it with write=True to add to it")
        with self._lock, schema.own_errors(self.path):
            if self._depth:
                yield
                return
            self._prepare()
            self._db.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled back already
                    self._db.execute("ROLLBACK")
                self._numbers.clear()
                self._sources.clear()
                raise
            finally:
                self._depth = 0

    def close(self) -> None:
        """Close the file, and the sessions that are open; then nothing beside it is needed to read it.

        Unless another program is in the middle of reading it: then a copy wants the `-wal` file beside it, too.
        """
        if self._writing:
            with contextlib.suppress(RecordingError, sqlite3.Error):
                for session in list(self._open):
                    self.end(session, "stopped")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._db.execute("PRAGMA journal_mode=DELETE")  # not while somebody else has it open
        self._db.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        """Enter write-ahead mode; from then on move what is ahead into the file every so often."""
        if not self._writing:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._writing = True
        now = time.monotonic()
        if now - self._checkpointed > CHECKPOINT_S:
            self._checkpointed = now
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _number(self, signal: Signal) -> int:
        if signal not in self._numbers:
            row = (
                *(signal.name, signal.unit, signal.rate_hz, json.dumps(signal.channels)),
                *(signal.clock_hz, int(signal.loss_detectable)),
            )
            self._db.execute("INSERT OR IGNORE INTO signal VALUES (NULL, ?, ?, ?, ?, ?, ?)", row)
            number, *rest = self._db.execute("SELECT * FROM signal WHERE name = ?", (signal.name,)).fetchone()
            if tuple(rest) != row:
                raise RecordingError(f"signal {signal.name!r} is {row[1:]} now, but {tuple(rest[1:])} in {self.path}")
            self._numbers[signal] = number
        return self._numbers[signal]

    def _source(self, name: str) -> int:
        if name not in self._sources:
            self._db.execute("INSERT OR IGNORE INTO source VALUES (NULL, ?)", (name,))
            (self._sources[name],) = self._db.execute("SELECT id FROM source WHERE name = ?", (name,)).fetchone()
        return self._sources[name]


_WITH_ITEMS = "SELECT name FROM signal WHERE id IN (SELECT signal FROM item)"
