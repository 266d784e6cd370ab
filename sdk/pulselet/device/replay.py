"""A recording as a device: what was received comes again, at any speed, through the same interface."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path
from types import TracebackType

from pulselet.device.explain import require_signals
from pulselet.device.information import Information
from pulselet.device.state import State
from pulselet.errors import DeviceError
from pulselet.packets.profile import Identity
from pulselet.stream.block import PAUSED, Block, Gap, Signal
from pulselet.stream.count import Count
from pulselet.stream.recording import Recording
from pulselet.stream.rows import Notification

Arrival = tuple[Notification | None, list[Block | Gap]]


def replay(path: str | Path, *, speed: float = 1.0) -> ReplayDevice:
    """Return the recording at `path` as a device, to be used with `async with`.

    Parameters
    ----------
    speed
        Times real time, after the arrival of each notification; `float("inf")` waits for nothing.

    Raises
    ------
    DeviceError
        If the speed is not above 0.
    """
    return ReplayDevice(Path(path), speed)


class ReplayDevice:
    """What `replay` returns; it has the interface of a live device.

    Raises
    ------
    RecordingError
        On entering, if there is no recording.
    """

    def __init__(self, path: Path, speed: float) -> None:
        if not speed > 0:
            raise DeviceError(f"a replay wants a speed above 0, got {speed}", "bad-speed")
        self._path, self._speed = path, speed
        self._recording: Recording | None = None
        self.identity: Identity | None = None
        self.state = State.IDLE
        self.name, self.address = path.stem, str(path)
        self.information = Information()
        self.signals: dict[str, Signal] = {}
        self.counts: dict[str, Count] = {}
        self.refused = self.reconnects = self.dropped = 0

    async def __aenter__(self) -> ReplayDevice:
        self._recording = Recording.open(self._path)
        self.signals = self._recording.signals
        for session in self._recording.sessions()[:1]:
            self.name, facts = session.device, session.facts
            self.information = Information.of(facts)
            if "identity" in facts:
                self.identity = Identity.from_bytes(bytes.fromhex(facts["identity"]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._recording is not None:
            self._recording.close()
        self.state = State.CLOSED

    def require(self, *names: str) -> None:
        """Raise DeviceError ("no-signal") if one of these is not in the recording."""
        require_signals(self._path, self.signals, names)

    async def stream(
        self, *names: str, record: Recording | None = None, seconds: float | None = None
    ) -> AsyncIterator[Block | Gap]:
        """Yield the recorded blocks and gaps, with their own times, as they once arrived.

        Parameters
        ----------
        names
            Which signals; all if none is named.
        record
            Gets a copy, notifications included; labels and events stay where they are.
        seconds
            End after so many seconds of ours.

        Raises
        ------
        DeviceError
            "no-signal" if a name is not in the recording.
        """
        if self._recording is None:
            raise DeviceError("the replay is not open: use `async with replay(...) as device`", "not-connected")
        self.require(*names)
        wanted = names or tuple(self.signals)
        self.counts = {name: Count() for name in wanted}
        session = None
        if record is not None:
            session = record.begin(self.name, [self.signals[name] for name in wanted], replayed=str(self._path))
        self.state, ended = State.STREAMING, "stopped"
        try:
            async for packet, items in self._paced(self._recording, seconds):
                own = [item for item in items if item.signal.name in wanted]
                _copy(record, packet, own)
                for item in own:
                    self._count(item)
                    yield item
            ended = "complete"
        finally:
            self.state = State.IDLE
            if record is not None and session is not None:
                record.end(session, ended)

    async def _paced(self, recording: Recording, seconds: float | None) -> AsyncIterator[Arrival]:
        began, first_ns = time.monotonic(), None
        until = float("inf") if seconds is None else began + seconds
        for packet, items in recording.arrivals():
            at_ns = _arrival_ns(packet, items)
            if at_ns is not None:
                first_ns = at_ns if first_ns is None else first_ns
                due = began + (at_ns - first_ns) / 1e9 / self._speed
                await asyncio.sleep(max(0.0, min(due, until) - time.monotonic()))
            if time.monotonic() >= until:
                return
            yield packet, items

    def _count(self, item: Block | Gap) -> None:
        count = self.counts[item.signal.name]
        if isinstance(item, Block):
            count.received += len(item.values)
        elif item.reason == PAUSED:
            count.paused += item.lost or 0
        else:
            count.lost += item.lost or 0


def _arrival_ns(packet: Notification | None, items: Collection[Block | Gap]) -> int | None:
    if packet is not None:
        return packet.arrival_ns
    blocks: Iterator[int] = (item.arrival_ns for item in items if isinstance(item, Block))
    return next(blocks, None)


def _copy(record: Recording | None, packet: Notification | None, items: list[Block | Gap]) -> None:
    if record is None:
        return
    if packet is None:
        record.add(items)
    else:
        record.add(items, data=packet.data, arrival_ns=packet.arrival_ns, source=packet.source)
