"""The reading half of a recording."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import RecordingError
from pulselet.stream.block import Block, Gap, Signal, joined
from pulselet.stream.rows import Event, Interval, Notification, Session, Stamp
from pulselet.stream.schema import own_errors

_PACKETS = (
    "SELECT packet.id, arrival_ns, coalesce(name, ''), data "
    "FROM packet LEFT JOIN source ON source.id = packet.source ORDER BY packet.id"
)


class Reader:
    """Reads a recording as a stream: no call but `segments` holds more than a few rows at once."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path = path
        self._db = database

    @property
    def meta(self) -> dict[str, str]:
        """Facts about the recording."""
        return dict(self.query("SELECT key, value FROM meta"))

    @property
    def signals(self) -> dict[str, Signal]:
        """The signals by name, in the order in which they first came."""
        return {
            name: Signal(name, unit, rate, tuple(json.loads(channels)), clock, bool(detectable))
            for name, unit, rate, channels, clock, detectable in self.query(
                "SELECT name, unit, rate_hz, channels, clock_hz, loss_detectable FROM signal ORDER BY id"
            )
        }

    def signal(self, name: str) -> Signal:
        """Return the signal of this name; RecordingError if there is none."""
        known = self.signals
        if name not in known:
            raise RecordingError(f"{self.path} has no signal {name!r}; it has {sorted(known)}")
        return known[name]

    def items(self, name: str | None = None) -> Iterator[Block | Gap]:
        """Yield blocks and gaps, of one signal or of all, in the order in which they came; the file is never loaded.

        Raises
        ------
        RecordingError
            If there is no such signal.
        """
        for _, item in self._items(name):
            yield item

    def arrivals(self) -> Iterator[tuple[Notification | None, list[Block | Gap]]]:
        """Yield every notification with what came of it; None with what came of none."""
        items = self._items()
        number, item = next(items, (None, None))
        for key, *row in self.query(_PACKETS):
            found: list[Block | Gap] = []
            while item is not None and number is None:
                yield None, [item]
                number, item = next(items, (None, None))
            while item is not None and number == key:
                found.append(item)
                number, item = next(items, (None, None))
            yield Notification._make(row), found
        while item is not None:
            yield None, [item]
            _, item = next(items, (None, None))

    def _items(self, name: str | None = None) -> Iterator[tuple[int | None, Block | Gap]]:
        """Yield number of the packet, if any, and item."""
        signals = self.signals if name is None else {name: self.signal(name)}
        where, wanted = ("", ()) if name is None else ("WHERE signal.name = ? ", (name,))
        for packet, of, first, count, ticks, arrival, values, reason in self.query(
            "SELECT packet, name, first, count, device_ticks, item.arrival_ns, float32, reason "
            f"FROM item JOIN signal ON signal.id = item.signal {where}ORDER BY item.id",
            wanted,
        ):
            if values is None:
                yield packet, Gap(signals[of], first, count, reason)
            else:
                shaped = np.frombuffer(values, "<f4").astype(np.float32).reshape(count, len(signals[of].channels))
                yield packet, Block(signals[of], shaped, first, ticks, arrival)

    def segments(self, name: str) -> list[tuple[int, NDArray[np.float32]]]:
        """Return the runs of consecutive samples of a signal: index of the first, values `(n, channels)`.

        Raises
        ------
        RecordingError
            If there is no such signal.
        """
        return joined(self.items(name))

    def stamps(self, name: str) -> Iterator[Stamp]:
        """Yield where every block and gap of a signal stands, in the order in which they came."""
        self.signal(name)
        for row in self.query(
            "SELECT first, count, device_ticks, item.arrival_ns, reason "
            "FROM item JOIN signal ON signal.id = item.signal WHERE name = ? ORDER BY item.id",
            (name,),
        ):
            yield Stamp._make(row)

    def packets(self) -> Iterator[Notification]:
        """Yield every notification as it came."""
        for _, *row in self.query(_PACKETS):
            yield Notification._make(row)

    def intervals(self) -> list[Interval]:
        """Return all labels."""
        return [
            Interval(*row)
            for row in self.query(
                'SELECT name, first, "end", label FROM interval JOIN signal ON signal.id = interval.signal '
                "ORDER BY interval.id"
            )
        ]

    def events(self) -> list[Event]:
        """Return all that happened, in the order in which it was written down."""
        return [Event(*row) for row in self.query("SELECT at_ns, kind, text FROM event ORDER BY id")]

    def sessions(self) -> list[Session]:
        """Return the sessions, in the order in which they began."""
        rows = self.query("SELECT device, started_ns, ended_ns, ended, facts FROM session ORDER BY id")
        return [Session(device, at, until, ended, json.loads(facts)) for device, at, until, ended, facts in rows]

    def query(self, statement: str, values: tuple[object, ...] = ()) -> Iterator[Any]:
        """Yield the rows of an SQL query, as they are read."""
        with own_errors(self.path):
            for row in self._db.execute(statement, values):  # noqa: UP028 - that closes a cursor of a closed file
                yield row
