"""What a recording holds beside blocks and gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Interval:
    """A label on the samples of one signal from `first` up to, but without, `end`."""

    signal: str
    first: int
    end: int
    label: str


class Notification(NamedTuple):
    """A notification as it came: host monotonic clock in ns, device and characteristic, bytes."""

    arrival_ns: int
    source: str
    data: bytes


class Event(NamedTuple):
    """Something that happened: host monotonic clock in ns, a word, and more words."""

    at_ns: int
    kind: str
    text: str


@dataclass(frozen=True)
class Session:
    """A stream from one device, from its start to its end; `ended` is None if it goes on or was killed."""

    device: str
    started_ns: int
    ended_ns: int | None
    ended: str | None
    facts: dict[str, str]


class Stamp(NamedTuple):
    """Where a block or a gap stands, and when it came, without its values.

    A gap has a `reason` and no times; its `samples` are None where nobody can tell how many are missing.
    """

    first: int
    samples: int | None
    device_ticks: int | None
    arrival_ns: int | None
    reason: str | None
