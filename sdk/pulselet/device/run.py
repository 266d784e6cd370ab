"""One stream, from its start to its end: pump, record, reconnect, resume."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pulselet.device.information import BATTERY
from pulselet.device.link import Link
from pulselet.device.reconnect import Backoff, Reconnect
from pulselet.device.sources.source import Source
from pulselet.device.state import State
from pulselet.device.watchdog import Watchdog
from pulselet.errors import DeviceError, PacketError, PulseletError, RecordingBusyError, RecordingError
from pulselet.stream.block import Block, Gap
from pulselet.stream.live import LiveQueue
from pulselet.stream.recording import Recording
from pulselet.stream.rows import Notification

if TYPE_CHECKING:
    from pulselet.device.session import Device

REFUSED, RECENT = 10, 40  # bad packets that are passed over in any case; packets among which most are to be good
FINAL = frozenset({"pairing", "permission", "changed"})  # trying again does not help
LOST = frozenset({"disconnected", "silent", "stopped"})  # trying again is what helps
FAREWELL_S = 5.0  # a device that does not answer is left without a word
BUSY_S = 30.0  # how long another program may keep a recording from being written
CLOCK_S = 3600.0  # how often the wall clock is written down


class Run:
    """One stream, from its start to its end, over as many links as it takes."""

    def __init__(
        self,
        device: Device,
        chosen: dict[Source, list[str]],
        record: Recording | None,
        live: LiveQueue,
        seconds: float | None,
    ) -> None:
        self.device, self.chosen, self.record, self.live = device, chosen, record, live
        self.seconds = seconds
        self.watchdog = Watchdog(chosen)
        self.session = 0
        self.owner = {uuid: source for source in chosen for uuid in source.characteristics}
        self.ending = False
        self._task: asyncio.Task[None] | None = None
        self._started = False
        self._recent: deque[bool] = deque(maxlen=RECENT)  # which packets made sense
        self._nonsense: PacketError | None = None  # the last straw
        self._unwritten: list[Callable[[Recording], None]] = []
        self._found: list[Block | Gap] = []  # not recorded yet, so nobody has seen them
        self._busy_since: float | None = None
        self._clock_at = time.monotonic()

    def begin(self, record: Recording) -> None:
        """Open a session in the recording."""
        device = self.device
        signals = [device.named(source.signals[name]) for source, names in self.chosen.items() for name in names]
        facts = {"address": device.address, "label": device.label, **device.information.facts}
        for source in self.chosen:
            facts |= source.facts
        self.session = record.begin(device.name, signals, **{key: value for key, value in facts.items() if value})

    def begun(self) -> asyncio.Task[None]:
        """Begin to pump, and return the task that does."""
        self._task = asyncio.create_task(self.go())
        self._task.add_done_callback(lambda _: self.live.bell.set())
        return self._task

    async def end(self) -> None:
        """Stop, and return when the device has been told; what the task raised, its consumer has got or does not want.

        It may be asked for twice, by the next stream and by the iterator that was left: a second cancellation would
        break off the first one's farewell.
        """
        if self._task is None or self._task.done():
            return
        if not self.ending:
            self.ending = True
            self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()

    async def go(self) -> None:
        """Pump until all is over; whatever happens, the device is told to stop and the recording is closed."""
        ended = "stopped"
        try:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._over_links(), self.seconds)
                ended = "stopped" if self.ending else "complete"
        except PulseletError as error:
            ended = error.reason if isinstance(error, DeviceError) else type(error).__name__
            raise
        finally:
            self.ending = True
            await self._finish(ended)

    async def _over_links(self) -> None:
        backoff = Backoff(self.device.policy or Reconnect())
        while not self.ending:
            try:
                if not self._started:
                    await self._start()
                await self._flow()
                return
            except DeviceError as error:
                if self.device.policy is None or error.reason not in LOST:
                    raise
                await self._recover(error, backoff)

    async def _start(self) -> None:
        device = self.device
        if device.link.lost:
            device.link = await device.open_link()
        device.enter(State.CONFIGURING)
        for source, names in self.chosen.items():
            await source.start(device.link, names)
        await device.information.follow(device.link)
        self._started = True
        self._event("started", ", ".join(name for names in self.chosen.values() for name in names))
        device.enter(State.STREAMING)

    async def _flow(self) -> None:
        """Take what arrives until the device says that all is over; DeviceError if the link is lost or silent."""
        link = self.device.link
        self.watchdog.begin()
        while not self.ending and not all(source.complete for source in self.chosen):
            while not link.arrived and not self.ending:
                await self.watchdog.wait(link)
                for source in self.watchdog.quiet():
                    self._event("quiet", source.title)
            self._drain(link)

    def _drain(self, link: Link) -> None:
        """Take all that has arrived, and record it in one transaction before anybody sees it."""
        if time.monotonic() - self._clock_at > CLOCK_S:
            self._note_clock()
        stopped: DeviceError | None = None
        while link.arrived:
            try:
                self._take(link.arrived.popleft())
            except DeviceError as error:  # the device has said that it stopped
                stopped = error
        if self._written():
            self.live.put(self._found)
            self._found = []
        if self._nonsense is not None:
            nonsense, self._nonsense = self._nonsense, None
            raise nonsense
        if stopped is not None:
            raise stopped

    def _take(self, packet: Notification) -> None:
        """Note what a notification adds, to be recorded with its raw bytes."""
        device, source = self.device, self.owner.get(packet.source)
        items: list[Block | Gap] = []
        try:
            if packet.source == BATTERY:
                self._event("battery", str(device.information.heard(packet.data)))
            if source is not None:
                self.watchdog.heard(source)
                items = source.feed(packet.source, packet.data, packet.arrival_ns)
                self._recent.append(True)
        except PacketError as error:
            self._refuse(error)
        finally:
            if device.label:
                items = [replace(item, signal=device.named(item.signal)) for item in items]
            self._found += items
            self._write(
                lambda record: record.add(
                    items,
                    data=packet.data,
                    arrival_ns=packet.arrival_ns,
                    source=f"{device.label or device.name}/{packet.source}",
                )
            )

    def _refuse(self, error: PacketError) -> None:
        self.device.refused += 1
        self._recent.append(False)
        self._event("refused", str(error))
        if self.device.refused > REFUSED and self._recent.count(False) > len(self._recent) / 2:
            self._nonsense = error

    def _write(self, what: Callable[[Recording], None]) -> None:
        if self.record is not None:
            self._unwritten.append(what)

    def _event(self, kind: str, text: str = "") -> None:
        text = text or self.device.name
        self._write(lambda record: record.event(kind, text))

    def _note_clock(self) -> None:
        """Write down what the wall clock says: it may be set, and a computer that sleeps stops its monotonic one."""
        self._clock_at = time.monotonic()
        self._event("wall clock", datetime.now(timezone.utc).isoformat())

    def _written(self) -> bool:
        """Record what waits, and return whether that went; another program that writes just now is waited for."""
        if self.record is None:
            return True
        try:
            with self.record.together():
                for what in self._unwritten:
                    what(self.record)
        except RecordingBusyError:
            self._busy_since = self._busy_since or time.monotonic()
            if time.monotonic() - self._busy_since > BUSY_S:
                raise
            return False
        self._unwritten.clear()
        self._busy_since = None
        return True

    async def _recover(self, lost: DeviceError, backoff: Backoff) -> None:
        """Reconnect and resume; raise the error that began it once it has taken too long."""
        device = self.device
        backoff.down()
        began = time.monotonic()
        why: DeviceError | PacketError = lost
        while not self.ending:
            self._event(why.reason if isinstance(why, DeviceError) else "refused", str(why))
            wait_s = backoff.next_s()
            if time.monotonic() + wait_s - began > backoff.policy.give_up_s:
                raise DeviceError(f"{lost}; gave up after {backoff.policy.give_up_s:g} s: {why}", lost.reason)
            device.enter(State.WAITING)
            await device.link.close()
            try:
                self._drain(device.link)  # what came while it was closed
                await asyncio.sleep(wait_s)
                await self._again()
                backoff.up()
                return
            except (DeviceError, PacketError) as error:
                if isinstance(error, DeviceError) and error.reason in FINAL:
                    raise
                why = error

    async def _again(self) -> None:
        """Make a new link and go on over it; a stream that has not begun yet is begun by whoever goes on."""
        device = self.device
        device.link = await device.open_link()
        if not self._started:
            return
        device.enter(State.CONFIGURING)
        for source in self.chosen:
            await source.resume(device.link)
        await device.information.follow(device.link)
        device.reconnects += 1
        self._event("reconnected")
        self._note_clock()
        device.enter(State.STREAMING)

    async def _finish(self, ended: str) -> None:
        """Tell the device to stop, and write down the rest; the error that ended the stream is the one to hear of."""
        link = self.device.link
        if not link.lost:
            farewell = asyncio.ensure_future(self._farewell(link))
            await asyncio.wait([farewell], timeout=FAREWELL_S)
            farewell.cancel()
        with contextlib.suppress(PulseletError):
            self._drain(link)
        self.device.refused += sum(source.malformed for source in self.chosen)
        if self.record is not None:
            with contextlib.suppress(RecordingError):
                self.record.end(self.session, ended)
        self.device.enter(State.IDLE)

    async def _farewell(self, link: Link) -> None:
        """A strap with a stream left on stays awake until its battery is empty."""
        for source in self.chosen:
            with contextlib.suppress(PulseletError):
                await source.stop(link)
