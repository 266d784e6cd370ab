"""A recording in one SQLite file: raw packets, blocks, gaps and notes, safe against a kill at any moment."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import RecordingError
from pulselet.stream.block import Block, Gap, Signal

APPLICATION_ID = 0x504C5354  # "PLST"
FORMAT = 1
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE packet (id INTEGER PRIMARY KEY, arrival_ns INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE signal (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, unit TEXT NOT NULL, rate_hz REAL NOT NULL,
                     channels TEXT NOT NULL);
CREATE TABLE item (id INTEGER PRIMARY KEY, packet INTEGER REFERENCES packet, signal INTEGER NOT NULL REFERENCES signal,
                   first INTEGER NOT NULL, count INTEGER NOT NULL,
                   device_ticks INTEGER, arrival_ns INTEGER, float32 BLOB,  -- NULL in a gap
                   reason TEXT);                                            -- NULL in a block
CREATE TABLE interval (id INTEGER PRIMARY KEY, signal INTEGER NOT NULL REFERENCES signal,
                       first INTEGER NOT NULL, "end" INTEGER NOT NULL, label TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Interval:
    """A label on the samples of one signal from `first` up to, but without, `end`."""

    signal: str
    first: int
    end: int
    label: str


class Recording:
    """What was received, in the order in which it came.

    Every call is one transaction in write-ahead mode: what a call has returned from is still there after `kill -9`.
    Three times are kept: device ticks, the host's monotonic clock, and the wall clock at the start (`started`,
    `started_ns` in `meta`).
    """

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path = path
        self._db = database
        self._writing = False
        self._numbers: dict[Signal, int] = {}

    @classmethod
    def create(cls, path: str | Path, **meta: str) -> Recording:
        """Return a new, empty recording at `path`, with `meta` such as `subject` or `device`.

        Raises
        ------
        RecordingError
            If there is something at `path` already, or nothing can be written there.
        """
        path = Path(path)
        if path.exists():
            raise RecordingError(f"{path} is there already: name a new file; a recording is never overwritten")
        with _own_errors(path):
            database = sqlite3.connect(path, isolation_level=None)
            try:
                database.executescript(
                    f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={FORMAT}; {SCHEMA}"
                )
            except BaseException:
                database.close()
                raise
        recording = cls(path, database)
        started = {"started": datetime.now(timezone.utc).isoformat(), "started_ns": str(time.monotonic_ns())}
        recording.note(**started, **meta)
        return recording

    @classmethod
    def open(cls, path: str | Path) -> Recording:
        """Return the recording at `path`, to read or to go on with.

        Raises
        ------
        RecordingError
            If there is none, it is not a recording, or it is of a newer format.
        """
        path = Path(path)
        if not path.is_file():
            raise RecordingError(f"{path} is not there, or is not a file")
        with _own_errors(path):
            database = sqlite3.connect(path, isolation_level=None)
            try:
                marks = [
                    database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
                ]
                if marks != [APPLICATION_ID, FORMAT]:
                    raise RecordingError(
                        f"{path} is no recording of format {FORMAT}: it is marked {marks[0]:#x}, {marks[1]}"
                    )
            except BaseException:
                database.close()
                raise
        return cls(path, database)

    def note(self, **meta: str) -> None:
        """Write down facts about the recording; a later value replaces an earlier one."""
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())

    @property
    def meta(self) -> dict[str, str]:
        """Facts about the recording."""
        return dict(self._query("SELECT key, value FROM meta"))

    def add(self, items: Iterable[Block | Gap], *, data: bytes | None = None, arrival_ns: int = 0) -> None:
        """Append blocks and gaps, with the raw notification `data` that they came from, if any."""
        with self._transaction():
            packet = None
            if data is not None:
                packet = self._db.execute("INSERT INTO packet VALUES (NULL, ?, ?)", (arrival_ns, data)).lastrowid
            for item in items:
                number = self._number(item.signal)
                values, reason = None, None
                ticks, arrival = None, None
                if isinstance(item, Gap):
                    reason = item.reason
                else:
                    values = np.ascontiguousarray(item.values, "<f4").tobytes()
                    ticks, arrival = item.device_ticks, item.arrival_ns
                row = (packet, number, item.first, item.end - item.first, ticks, arrival, values, reason)
                self._db.execute("INSERT INTO item VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def annotate(self, intervals: Iterable[Interval]) -> None:
        """Append labels.

        Raises
        ------
        RecordingError
            If one names a signal that has no samples here.
        """
        with self._transaction():
            for one in intervals:
                if one.signal not in self.signals:
                    raise RecordingError(f"a label for {one.signal!r}; {self.path} has {sorted(self.signals)}")
                row = (self._number(self.signals[one.signal]), one.first, one.end, one.label)
                self._db.execute("INSERT INTO interval VALUES (NULL, ?, ?, ?, ?)", row)

    @property
    def signals(self) -> dict[str, Signal]:
        """The signals by name, in the order in which they first came."""
        rows = self._query("SELECT name, unit, rate_hz, channels FROM signal ORDER BY id")
        return {name: Signal(name, unit, rate, tuple(json.loads(channels))) for name, unit, rate, channels in rows}

    def items(self) -> Iterator[Block | Gap]:
        """Yield blocks and gaps in the order in which they came."""
        signals = self.signals
        for name, first, count, ticks, arrival, values, reason in self._query(
            "SELECT name, first, count, device_ticks, arrival_ns, float32, reason "
            "FROM item JOIN signal ON signal.id = item.signal ORDER BY item.id"
        ):
            if values is None:
                yield Gap(signals[name], first, count, reason)
            else:
                shape = count, len(signals[name].channels)
                shaped = np.frombuffer(values, "<f4").astype(np.float32).reshape(shape)
                yield Block(signals[name], shaped, first, ticks, arrival)

    def segments(self, name: str) -> list[tuple[int, NDArray[np.float32]]]:
        """Return the runs of consecutive samples of a signal: index of the first, values `(n, channels)`.

        Raises
        ------
        RecordingError
            If there is no such signal.
        """
        if name not in self.signals:
            raise RecordingError(f"{self.path} has no signal {name!r}; it has {sorted(self.signals)}")
        runs: list[tuple[int, list[NDArray[np.float32]]]] = []
        end = None
        for item in self.items():
            if item.signal.name != name:
                continue
            if isinstance(item, Gap):
                end = None
                continue
            if item.first != end:
                runs.append((item.first, []))
            runs[-1][1].append(item.values)
            end = item.end
        return [(first, np.concatenate(parts)) for first, parts in runs]

    def packets(self) -> Iterator[tuple[int, bytes]]:
        """Yield arrival time (host monotonic clock, ns) and bytes of every notification."""
        yield from self._query("SELECT arrival_ns, data FROM packet ORDER BY id")

    def intervals(self) -> list[Interval]:
        """Return all labels."""
        return [
            Interval(*row)
            for row in self._query(
                'SELECT name, first, "end", label FROM interval JOIN signal ON signal.id = interval.signal '
                "ORDER BY interval.id"
            )
        ]

    def close(self) -> None:
        """Close the file; everything is in it already, and nothing beside it is needed to read it."""
        if self._writing:
            with contextlib.suppress(sqlite3.Error):  # somebody else has it open: then it stays as it is
                self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _number(self, signal: Signal) -> int:
        if signal not in self._numbers:
            row = (signal.name, signal.unit, signal.rate_hz, json.dumps(signal.channels))
            self._db.execute("INSERT OR IGNORE INTO signal VALUES (NULL, ?, ?, ?, ?)", row)
            found = self._db.execute("SELECT id, unit, rate_hz, channels FROM signal WHERE name = ?", (signal.name,))
            number, *rest = found.fetchone()
            if tuple(rest) != row[1:]:
                raise RecordingError(f"signal {signal.name!r} is {row[1:]} now, but {tuple(rest)} in {self.path}")
            self._numbers[signal] = number
        return self._numbers[signal]

    def _query(self, statement: str) -> list[Any]:
        with _own_errors(self.path):
            return self._db.execute(statement).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _own_errors(self.path):
            if not self._writing:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=NORMAL")
                self._writing = True
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled back already
                    self._db.execute("ROLLBACK")
                self._numbers.clear()
                raise


@contextlib.contextmanager
def _own_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise RecordingError(f"{path}: {error}") from error
