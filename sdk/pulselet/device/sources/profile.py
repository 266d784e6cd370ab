"""Devices that speak the Pulselet Stream Profile: home-made boards, and our virtual watch."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from pulselet.device.link import Link
from pulselet.device.sources.source import Source
from pulselet.packets import profile
from pulselet.packets.profile import Description, Identity, Result
from pulselet.stream.assemble import Assembler
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.count import Count

RESULT = "result"
RESULT_CHANNELS = ("start", "label", "confidence", "quality", "abstained")
START_MODULUS = 2**24  # up to which float32 holds every whole number


class ProfileSource(Source):
    """A device that numbers its samples and has a clock: every loss is counted, also across reconnects.

    Attributes
    ----------
    identity
        What the device runs; None if it does not say.
    """

    title = "Pulselet Stream Profile"

    def __init__(self) -> None:
        super().__init__()
        self.identity: Identity | None = None
        self._wanted: Collection[str] = ()
        self._description: Description
        self._assembler: Assembler
        self._results = False

    @classmethod
    def fits(cls, link: Link) -> bool:
        return profile.SERVICE in link.services

    @property
    def characteristics(self) -> Collection[str]:
        return (profile.DATA, profile.RESULT)

    @property
    def default(self) -> tuple[str, ...]:
        return tuple(self.signals)

    @property
    def facts(self) -> dict[str, str]:
        facts = {"description": bytes(self._description).hex()}
        if self.identity is not None:
            facts["identity"] = bytes(self.identity).hex()
        return facts

    @property
    def complete(self) -> bool:
        return self._assembler.complete

    @property
    def interval_s(self) -> float:
        return max(1000 / info.rate_mhz for info in self._description.streams)

    async def prepare(self, link: Link) -> None:
        offered = link.characteristics
        if profile.IDENTITY in offered:
            self.identity = Identity.from_bytes(await link.read(profile.IDENTITY))
        self._results = profile.RESULT in offered
        self._describe(Description.from_bytes(await link.read(profile.DESCRIPTION)))

    def _describe(self, description: Description) -> None:
        self._description = description
        self._assembler = Assembler(description)
        self.signals = {signal.name: signal for signal in self._assembler.signals.values()}
        self.counts = dict(self._assembler.counts)
        if self._results:
            self.signals[RESULT] = Signal(RESULT, "", None, RESULT_CHANNELS, float(description.clock_hz))
            self.counts[RESULT] = Count()

    async def start(self, link: Link, names: Collection[str]) -> None:
        self._wanted = names
        await self._begin(link)
        self._describe(Description.from_bytes(await link.read(profile.DESCRIPTION)))

    async def _begin(self, link: Link) -> None:
        await self._subscribe(link)
        await link.write(profile.CONTROL, profile.START)

    async def _subscribe(self, link: Link) -> None:
        await link.subscribe(profile.DATA)
        if RESULT in self._wanted:
            await link.subscribe(profile.RESULT)

    async def resume(self, link: Link) -> None:
        """Go on: a device that still counts is told so; one that was off meanwhile is started anew."""
        if Description.from_bytes(await link.read(profile.DESCRIPTION)).session == self._description.session:
            self._assembler.resume()
            await self._subscribe(link)
            await link.write(profile.CONTROL, profile.CONTINUE)
            return
        self._assembler.restart()
        await self._begin(link)
        self._description = Description.from_bytes(await link.read(profile.DESCRIPTION))

    async def stop(self, link: Link) -> None:
        await link.write(profile.CONTROL, profile.STOP)
        await super().stop(link)

    def feed(self, uuid: str, data: bytes, arrival_ns: int) -> list[Block | Gap]:
        if uuid == profile.RESULT:
            return self._result(Result.from_bytes(data), arrival_ns)
        items = self._assembler.feed(data, arrival_ns)
        return [item for item in items if item.signal.name in self._wanted]

    def _result(self, result: Result, arrival_ns: int) -> list[Block | Gap]:
        signal, count = self.signals[RESULT], self.counts[RESULT]
        lost = (result.number - count.expected) % 2**16
        if lost >= 2**15:  # it came again, or too late
            count.repeated += 1
            return []
        found: list[Block | Gap] = [Gap(signal, count.expected, lost, "lost")] if lost else []
        count.lost += lost
        values = [[result.start % START_MODULUS, result.label, result.confidence, result.quality, result.abstained]]
        found.append(Block(signal, np.array(values, np.float32), count.expected, result.ticks, arrival_ns))
        count.received += 1
        return found
