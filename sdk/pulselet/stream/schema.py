"""The tables of a `.pulse` file, their versions, and how a file is opened.

A recording is one SQLite database, marked by its `application_id` and, as `user_version`, by the format it was written
in. A file of an older format is brought up to date, in one transaction, when it is opened; one of a newer is refused.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from pulselet.errors import PacketError, RecordingBusyError, RecordingError
from pulselet.packets.profile import Description

APPLICATION_ID = 0x504C5354  # "PLST"
FORMAT = 2
BUSY_S = 0.5  # how long a call may wait for another program that writes
TABLES = {
    "meta": "(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "session": """(
        id INTEGER PRIMARY KEY, device TEXT NOT NULL, started_ns INTEGER NOT NULL,
        ended_ns INTEGER, ended TEXT,                 -- NULL: it goes on, or was killed
        facts TEXT NOT NULL)                          -- JSON object""",
    "source": "(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL)  -- device, '/', UUID of a characteristic",
    "packet": """(
        id INTEGER PRIMARY KEY, arrival_ns INTEGER NOT NULL, data BLOB NOT NULL,
        source INTEGER REFERENCES source)             -- NULL: format 1 did not say""",
    "signal": """(
        id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, unit TEXT NOT NULL,
        rate_hz REAL,                                 -- NULL: every sample is an event
        channels TEXT NOT NULL,                       -- JSON list of names
        clock_hz REAL,                                -- NULL: no device clock
        loss_detectable INTEGER NOT NULL)""",
    "item": """(
        id INTEGER PRIMARY KEY, packet INTEGER REFERENCES packet, signal INTEGER NOT NULL REFERENCES signal,
        first INTEGER NOT NULL,
        count INTEGER,                                -- NULL: a gap of unknown size
        device_ticks INTEGER, arrival_ns INTEGER,
        float32 BLOB,                                 -- NULL: a gap
        reason TEXT)                                  -- NULL: a block""",
    "interval": """(
        id INTEGER PRIMARY KEY, signal INTEGER NOT NULL REFERENCES signal,
        first INTEGER NOT NULL, "end" INTEGER NOT NULL, label TEXT NOT NULL)""",
    "event": "(id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL)",
}
INDEX = "CREATE INDEX item_of_signal ON item (signal, id)"


def create(path: Path) -> sqlite3.Connection:
    """Return a connection to a new, empty recording."""
    if path.exists():
        raise RecordingError(f"{path} is there already: name a new file; a recording is never overwritten")
    with own_errors(path):
        database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        with _closed_on_error(database):
            database.execute(f"PRAGMA application_id={APPLICATION_ID}")
            database.execute("BEGIN")
            _lay(database, TABLES)
            database.execute("COMMIT")
    return database


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Return a connection to the recording at `path`, brought up to date if it is of an older format."""
    if not path.is_file():
        raise RecordingError(f"{path} is not there, or is not a file")
    with own_errors(path):
        database = _open(path, write)
        with _closed_on_error(database):
            marks = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
            if marks[0] == APPLICATION_ID and marks[1] in MIGRATIONS:
                _migrate(path, marks[1])
            elif marks != [APPLICATION_ID, FORMAT]:
                advice = ": a newer Pulselet wrote it" if marks[0] == APPLICATION_ID else ""
                raise RecordingError(
                    f"{path} is no recording of format {FORMAT}: it is marked {marks[0]:#x}, {marks[1]}{advice}"
                )
    return database


def _open(path: Path, write: bool) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def _lay(database: sqlite3.Connection, names: Iterable[str]) -> None:
    for name in names:
        database.execute(f"CREATE TABLE {name} {TABLES[name]}")
    database.execute(INDEX)
    database.execute(f"PRAGMA user_version={FORMAT}")


def _migrate(path: Path, version: int) -> None:
    """Bring a file up to date, all or nothing."""
    with contextlib.closing(_open(path, write=True)) as database:
        database.execute("PRAGMA legacy_alter_table=ON")  # references go to the new tables, not to the renamed ones
        database.execute("BEGIN IMMEDIATE")
        MIGRATIONS[version](database)
        database.execute("COMMIT")


def _from_1(database: sqlite3.Connection) -> None:
    """Format 2 brought sessions, sources, events, signals without a rate or clock, and gaps of unknown size."""
    meta = dict(database.execute("SELECT key, value FROM meta"))
    old = ("packet", "signal", "item", "interval")
    for name in old:
        database.execute(f"ALTER TABLE {name} RENAME TO {name}_1")
    _lay(database, [name for name in TABLES if name != "meta"])
    database.execute("INSERT INTO packet SELECT id, arrival_ns, data, NULL FROM packet_1")
    clock_hz = _clock_hz(meta)
    database.execute("INSERT INTO signal SELECT id, name, unit, rate_hz, channels, ?, 1 FROM signal_1", [clock_hz])
    database.execute("INSERT INTO item SELECT * FROM item_1")
    database.execute("INSERT INTO interval SELECT * FROM interval_1")
    for name in reversed(old):
        database.execute(f"DROP TABLE {name}_1")
    if "device" in meta:
        facts = json.dumps({key: meta[key] for key in ("address", "description") if key in meta})
        row = meta["device"], int(meta.get("started_ns", 0)), meta.get("ended"), facts
        database.execute("INSERT INTO session VALUES (NULL, ?, ?, NULL, ?, ?)", row)


def _clock_hz(meta: dict[str, str]) -> float | None:
    """Return the rate of the device clock, which format 1 holds in its description only."""
    try:
        return float(Description.from_bytes(bytes.fromhex(meta["description"])).clock_hz)
    except (KeyError, ValueError, PacketError):
        return None


MIGRATIONS = {1: _from_1}


@contextlib.contextmanager
def own_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into a RecordingError that names the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        kind = RecordingBusyError if "locked" in str(error) else RecordingError
        raise kind(f"{path}: {error}") from error
    except OverflowError as error:
        raise RecordingError(f"{path}: a number does not fit into 64 bits: {error}") from error
    except sqlite3.Error as error:
        raise RecordingError(f"{path}: {error}") from error


@contextlib.contextmanager
def _closed_on_error(database: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close()
        raise
