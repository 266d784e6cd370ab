"""Scan, connect, stream: every notification is stamped, recorded and accounted for, across reconnects."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from types import TracebackType

from pulselet.device.adapter import Adapter
from pulselet.device.information import Information
from pulselet.device.link import Link, find
from pulselet.device.reconnect import Backoff, Reconnect
from pulselet.device.scan import Found, scan
from pulselet.device.sources import source_types
from pulselet.device.sources.source import Source
from pulselet.device.watchdog import Watchdog
from pulselet.errors import DeviceError, PacketError, RecordingError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.count import Count
from pulselet.stream.live import LiveQueue
from pulselet.stream.recording import Recording
from pulselet.stream.rows import Notification

__all__ = ["Device", "Found", "Reconnect", "State", "connect", "scan"]

REFUSED = 10  # bad packets that are passed over in any case
LIVE_BLOCKS = 1024  # a consumer this far behind loses the oldest, and is told
FINAL = frozenset({"pairing", "permission", "changed"})  # trying again does not help


class State(str, enum.Enum):
    """What a device is doing."""

    IDLE = "idle"
    SCANNING = "scanning"
    CONNECTING = "connecting"
    CONFIGURING = "configuring"
    STREAMING = "streaming"
    WAITING = "waiting to reconnect"
    CLOSED = "closed"


def connect(
    device: str,
    *,
    adapter: Adapter | None = None,
    timeout_s: float = 10.0,
    reconnect: Reconnect | None = Reconnect(),  # noqa: B008 - it is frozen
    label: str = "",
    sources: Sequence[Source] = (),
    on_state: Callable[[State], None] | None = None,
) -> Device:
    """Return the device with this name or address, to be used with `async with`.

    Parameters
    ----------
    timeout_s
        How long to look for it, and to wait for its answer.
    reconnect
        What to do when the link is lost during a stream; None raises the error at once.
    label
        Put before the name of every signal, so that two devices can share a recording: "left" makes "left.acc".
    sources
        What it speaks, with settings of your own; found out by its services if not given.
    on_state
        Called whenever its state changes.
    """
    return Device(device, adapter or Adapter(), timeout_s, reconnect, label, sources, on_state)


class Device:
    """A device; entering it connects, leaving it stops what streams and disconnects.

    Raises
    ------
    DeviceError
        On entering: `reason` is "no-adapter", "off", "permission", "not-found", "busy", "pairing", "disconnected",
        "refused" or "no-streams".
    PacketError
        On entering, if what the device says of itself makes no sense.
    """

    def __init__(
        self,
        wanted: str,
        adapter: Adapter,
        timeout_s: float,
        reconnect: Reconnect | None,
        label: str,
        sources: Sequence[Source],
        on_state: Callable[[State], None] | None,
    ) -> None:
        self._wanted, self._adapter, self._timeout_s = wanted, adapter, timeout_s
        self._reconnect, self._label = reconnect, label
        self._given = list(sources)
        self._on_state = on_state
        self._streaming: asyncio.Task[None] | None = None
        self._state = State.IDLE
        self._link: Link
        self.name = self.address = ""
        self.sources: list[Source] = []
        self.information = Information()
        self.refused = 0  # packets of the last stream that made no sense
        self.reconnects = 0  # of the last stream
        self.dropped = 0  # blocks of the last stream that its consumer was too slow for

    async def __aenter__(self) -> Device:
        self._link = await self._open()
        try:
            self.name, self.address = self._link.name, self._link.address
            self._enter(State.CONFIGURING)
            self.sources = self._given or [kind() for kind in source_types() if kind.fits(self._link)]
            if not self.sources:
                raise DeviceError(
                    f"{self.name} offers none of the services that Pulselet knows; it has "
                    f"{', '.join(sorted(self._link.services))}. A board of your own: give `sources=`",
                    "no-streams",
                )
            await self.information.read(self._link)
            for source in self.sources:
                await source.prepare(self._link)
        except BaseException:
            await self._link.close()
            raise
        self._enter(State.IDLE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._stop()
        finally:
            await self._link.close()
            self._enter(State.CLOSED)

    @property
    def state(self) -> State:
        """What the device is doing."""
        return self._state

    @property
    def signals(self) -> dict[str, Signal]:
        """What the device can stream, by name."""
        return {self._named(signal).name: self._named(signal) for s in self.sources for signal in s.signals.values()}

    @property
    def counts(self) -> dict[str, Count]:
        """Where the samples of each signal of the last stream went."""
        prefix = self._prefix
        return {prefix + name: count for source in self.sources for name, count in source.counts.items()}

    @property
    def _prefix(self) -> str:
        return f"{self._label}." if self._label else ""

    def _named(self, signal: Signal) -> Signal:
        return replace(signal, name=self._prefix + signal.name) if self._label else signal

    def _enter(self, state: State) -> None:
        self._state = state
        if self._on_state is not None:
            self._on_state(state)

    async def _open(self) -> Link:
        self._enter(State.SCANNING)
        heard = await find(self._wanted, self._adapter, self._timeout_s)
        self._enter(State.CONNECTING)
        return await Link.open(heard, self._adapter, self._timeout_s)

    async def _stop(self) -> None:
        """End a stream that its consumer has left, so that the device is told before the link goes."""
        if self._streaming is not None:
            await _ended(self._streaming)

    async def stream(self, *names: str, record: Recording | None = None) -> AsyncIterator[Block | Gap]:
        """Yield blocks and gaps as they arrive, until the device says that all streams are over.

        Parameters
        ----------
        names
            Which signals; the usual ones of the device if none is named.
        record
            It gets every notification and all that comes of it, however slow the consumer of this iterator is.

        Raises
        ------
        DeviceError
            If the device disconnects ("disconnected") or says nothing for too long ("silent"), and it is not to be, or
            can't be, reconnected. What has arrived is recorded and has been yielded before. "no-signal" if a name is
            not the device's.
        PacketError
            If most of what arrives makes no sense. A few bad packets are recorded, counted in `refused` and
            passed over.
        RecordingError
            If the recording holds these signals already, or cannot be written to.
        """
        await self._stop()
        run = _Run(self, self._chosen(names), record, LiveQueue(LIVE_BLOCKS))
        self.refused = self.reconnects = self.dropped = 0
        if record is not None:
            run.begin(record)
        live = run.live
        self._streaming = pump = asyncio.create_task(run.go())
        pump.add_done_callback(lambda _: live.bell.set())
        try:
            while not pump.done() or live.waiting:
                live.bell.clear()
                for item in live.take():
                    yield item
                if not pump.done() and not live.waiting:
                    await live.bell.wait()
            for gap in live.missed():
                yield gap
            await pump
        finally:
            self.dropped = live.dropped
            await _ended(pump)  # its own: by the time an abandoned iterator is closed, another may be at work

    def _chosen(self, names: Sequence[str]) -> dict[Source, list[str]]:
        """Return which of the signals each source is to stream."""
        prefix = self._prefix
        known = self.signals
        for name in names:
            if name not in known:
                raise DeviceError(f"{self.name} has no signal {name!r}; it has {sorted(known)}", "no-signal")
        wanted = {
            source: [own for own in (source.signals if names else source.default) if not names or prefix + own in names]
            for source in self.sources
        }
        return {source: own for source, own in wanted.items() if own}


class _Run:
    """One stream, from its start to its end, over as many links as it takes."""

    def __init__(
        self, device: Device, chosen: dict[Source, list[str]], record: Recording | None, live: LiveQueue
    ) -> None:
        self.device, self.chosen, self.record, self.live = device, chosen, record, live
        self.watchdog = Watchdog(chosen)
        self.session = 0
        self.owner = {uuid: source for source in chosen for uuid in source.characteristics}

    def begin(self, record: Recording) -> None:
        device = self.device
        signals = [device._named(source.signals[name]) for source, names in self.chosen.items() for name in names]
        facts = {"address": device.address, "label": device._label, **device.information.facts}
        for source in self.chosen:
            facts |= source.facts
        self.session = record.begin(device.name, signals, **{key: value for key, value in facts.items() if value})

    async def go(self) -> None:
        """Pump until all is over; whatever happens, the device is told to stop and the recording is closed."""
        ended = "stopped"
        try:
            await self._start()
            backoff = Backoff(self.device._reconnect or Reconnect())
            while True:
                try:
                    await self._flow()
                    ended = "complete"
                    return
                except DeviceError as error:
                    if self.device._reconnect is None or error.reason in FINAL:
                        raise
                    await self._recover(error, backoff)
        except DeviceError as error:
            ended = error.reason
            raise
        finally:
            await self._finish(ended)

    async def _start(self) -> None:
        self.device._enter(State.CONFIGURING)
        for source, names in self.chosen.items():
            await source.start(self.device._link, names)
        self._event("started", ", ".join(name for names in self.chosen.values() for name in names))
        self.device._enter(State.STREAMING)

    async def _flow(self) -> None:
        """Take what arrives until the device says that all is over; DeviceError if the link is lost or silent."""
        link = self.device._link
        self.watchdog.begin()
        while not all(source.complete for source in self.chosen):
            while not link.arrived:
                await self.watchdog.wait(link)
            self._drain(link)

    def _drain(self, link: Link) -> None:
        """Take all that has arrived, in one transaction."""
        found: list[Block | Gap] = []
        with self.record.together() if self.record is not None else contextlib.nullcontext():
            while link.arrived:
                found += self._take(link.arrived.popleft())
        self.live.put(found)  # after it has been recorded

    def _take(self, packet: Notification) -> list[Block | Gap]:
        """Return what a notification adds, recorded with its raw bytes."""
        source = self.owner.get(packet.source)
        items: list[Block | Gap] = []
        try:
            if source is not None:
                items = source.feed(packet.source, packet.data, packet.arrival_ns)
                self.watchdog.heard(source)
        except PacketError as error:
            self._refuse(error)
        if self.device._label:
            items = [replace(item, signal=self.device._named(item.signal)) for item in items]
        if self.record is not None:
            self.record.add(
                items, data=packet.data, arrival_ns=packet.arrival_ns, source=f"{self.device.name}/{packet.source}"
            )
        return items

    def _refuse(self, error: PacketError) -> None:
        device = self.device
        device.refused += 1
        self._event("refused", str(error))
        if device.refused > REFUSED and device.refused > sum(count.received for count in device.counts.values()):
            raise error

    async def _recover(self, lost: DeviceError, backoff: Backoff) -> None:
        """Reconnect and resume; raise the error that began it once it has taken too long."""
        device = self.device
        backoff.down()
        began = time.monotonic()
        why = lost
        while True:
            self._event(why.reason, str(why))
            wait_s = backoff.next_s()
            if time.monotonic() + wait_s - began > backoff.policy.give_up_s:
                raise DeviceError(f"{lost}; gave up after {backoff.policy.give_up_s:g} s: {why}", lost.reason)
            device._enter(State.WAITING)
            await device._link.close()
            await asyncio.sleep(wait_s)
            try:
                await self._again()
                backoff.up()
                return
            except DeviceError as error:
                if error.reason in FINAL:
                    raise
                why = error

    async def _again(self) -> None:
        """Make a new link and go on over it."""
        device = self.device
        device._link = await device._open()
        device._enter(State.CONFIGURING)
        for source in self.chosen:
            await source.resume(device._link)
        device.reconnects += 1
        self._event("reconnected")
        device._enter(State.STREAMING)

    def _event(self, kind: str, text: str = "") -> None:
        if self.record is not None:
            self.record.event(kind, text or self.device.name)

    async def _finish(self, ended: str) -> None:
        link = self.device._link
        for source in self.chosen:
            if not link.lost:  # a strap with a stream left on stays awake until its battery is empty
                with contextlib.suppress(DeviceError):
                    await source.stop(link)
        with contextlib.suppress(RecordingError, PacketError):  # the first error is the one to hear of
            self._drain(link)
            if self.record is not None:
                self.record.end(self.session, ended)
        self.device._enter(State.IDLE)


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task and return when it is over; what it raised, its consumer has got or does not want."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()
