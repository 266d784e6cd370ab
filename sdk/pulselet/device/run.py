"""One stream, from its start to its end: pump, record, reconnect, resume."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pulselet.device.information import BATTERY
from pulselet.device.link import Link
from pulselet.device.reconnect import Backoff, Reconnect
from pulselet.device.sources.source import Source
from pulselet.device.state import State
from pulselet.device.watchdog import Watchdog
from pulselet.errors import DeviceError, PacketError, RecordingError
from pulselet.stream.block import Block, Gap
from pulselet.stream.live import LiveQueue
from pulselet.stream.recording import Recording
from pulselet.stream.rows import Notification

if TYPE_CHECKING:
    from pulselet.device.session import Device

REFUSED = 10  # bad packets that are passed over in any case
FINAL = frozenset({"pairing", "permission", "changed"})  # trying again does not help


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
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self.nonsense: PacketError | None = None  # the last straw
        self.owner = {uuid: source for source in chosen for uuid in source.characteristics}

    def begin(self, record: Recording) -> None:
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
        if self._task is None:
            return
        if not self._ending:
            self._ending = True
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
                ended = "complete"
        except DeviceError as error:
            ended = error.reason
            raise
        finally:
            await self._finish(ended)

    async def _over_links(self) -> None:
        await self._start()
        backoff = Backoff(self.device.policy or Reconnect())
        while True:
            try:
                await self._flow()
                return
            except DeviceError as error:
                if self.device.policy is None or error.reason in FINAL:
                    raise
                await self._recover(error, backoff)

    async def _start(self) -> None:
        self.device.enter(State.CONFIGURING)
        for source, names in self.chosen.items():
            await source.start(self.device.link, names)
        await self.device.information.follow(self.device.link)
        self._event("started", ", ".join(name for names in self.chosen.values() for name in names))
        self.device.enter(State.STREAMING)

    async def _flow(self) -> None:
        """Take what arrives until the device says that all is over; DeviceError if the link is lost or silent."""
        link = self.device.link
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
        if self.nonsense is not None:
            raise self.nonsense

    def _take(self, packet: Notification) -> list[Block | Gap]:
        """Return what a notification adds, recorded with its raw bytes."""
        source = self.owner.get(packet.source)
        items: list[Block | Gap] = []
        try:
            if packet.source == BATTERY:
                self._event("battery", str(self.device.information.heard(packet.data)))
            if source is not None:
                items = source.feed(packet.source, packet.data, packet.arrival_ns)
                self.watchdog.heard(source)
        except PacketError as error:
            self._refuse(error)
        if self.device.label:
            items = [replace(item, signal=self.device.named(item.signal)) for item in items]
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
            self.nonsense = error

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
            device.enter(State.WAITING)
            await device.link.close()
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
        device.link = await device.open_link()
        device.enter(State.CONFIGURING)
        for source in self.chosen:
            await source.resume(device.link)
        await device.information.follow(device.link)
        device.reconnects += 1
        self._event("reconnected")
        device.enter(State.STREAMING)

    def _event(self, kind: str, text: str = "") -> None:
        if self.record is not None:
            self.record.event(kind, text or self.device.name)

    async def _finish(self, ended: str) -> None:
        link = self.device.link
        for source in self.chosen:
            if not link.lost:  # a strap with a stream left on stays awake until its battery is empty
                with contextlib.suppress(DeviceError):
                    await source.stop(link)
        with contextlib.suppress(RecordingError, PacketError):  # the first error is the one to hear of
            self._drain(link)
            if self.record is not None:
                self.record.end(self.session, ended)
        self.device.enter(State.IDLE)
