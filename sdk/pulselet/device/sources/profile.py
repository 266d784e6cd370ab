"""Devices that speak the Pulselet Stream Profile: home-made boards, and our virtual watch."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from pulselet.device.link import Link
from pulselet.device.sources.source import Source, usual_interval_s
from pulselet.errors import DeviceError, PacketError
from pulselet.packets import profile
from pulselet.packets.profile import RESULT_SIGNAL, START_MODULUS, Description, Identity, Result
from pulselet.stream.assemble import Assembler
from pulselet.stream.block import DISCONNECTED, LOST, RESTARTED, Block, Gap, Signal
from pulselet.stream.count import Count

RESULT_CHANNELS = ("start", "label", "confidence", "quality", "abstained")
NUMBERS = 2**16  # of results, before they begin anew


class Results:
    """What the net on the device says, as a signal of its own; a missing result is a gap.

    `start` stays as the device counts it, from 0 at each of its starts, modulo 2**24: at what rate, and so which sample
    it stands for, the protocol does not say.
    """

    def __init__(self, clock_hz: float) -> None:
        self.signal = Signal(RESULT_SIGNAL, "", None, RESULT_CHANNELS, clock_hz)
        self.count = Count()
        self._base = 0  # index of the result at which the device began to count
        self._why = LOST  # reason of the next gap

    def resume(self) -> None:
        """Go on after the link was down, with a device that has counted meanwhile."""
        self._why = DISCONNECTED

    def restart(self) -> None:
        """Go on with a device that counts from 0 again."""
        self._base, self._why = self.count.expected, RESTARTED

    def take(self, result: Result, ticks: int, arrival_ns: int) -> list[Block | Gap]:
        """Return what a result adds; `ticks`: its time, unwrapped."""
        signal, count, why = self.signal, self.count, self._why
        lost = (result.number + self._base - count.expected) % NUMBERS
        if why == LOST and lost >= NUMBERS // 2:  # it came again, or too late; not over a new link
            count.repeated += 1
            return []
        self._why = LOST
        found: list[Block | Gap] = [Gap(signal, count.expected, None, why)] if why == RESTARTED else []
        if lost:
            found.append(Gap(signal, count.expected, lost, why))
        count.lost += lost
        values = [[result.start % START_MODULUS, result.label, result.confidence, result.quality, result.abstained]]
        found.append(Block(signal, np.array(values, np.float32), count.expected, ticks, arrival_ns))
        count.received += 1
        return found


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
        self._results: Results | None = None

    @classmethod
    def fits(cls, link: Link) -> bool:
        return profile.SERVICE in link.services

    @property
    def characteristics(self) -> Collection[str]:
        return (profile.DATA, profile.RESULT)

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
    def interval_s(self) -> float | None:
        return usual_interval_s((self.signals[name] for name in self._wanted), samples=1)

    async def prepare(self, link: Link) -> None:
        self.identity = await _identity(link)
        self._describe(
            Description.from_bytes(await link.read(profile.DESCRIPTION)), profile.RESULT in link.characteristics
        )

    def _describe(self, description: Description, results: bool) -> None:
        self._description = description
        self._assembler = Assembler(description)
        self.signals = {signal.name: signal for signal in self._assembler.signals.values()}
        self.counts = dict(self._assembler.counts)
        self._results = Results(float(description.clock_hz)) if results else None
        if self._results is not None:
            if RESULT_SIGNAL in self.signals:
                raise PacketError(
                    f"the device calls a stream {RESULT_SIGNAL!r}, as the results of its net are called: "
                    "give it another name",
                    bytes(description),
                )
            self.signals[RESULT_SIGNAL], self.counts[RESULT_SIGNAL] = self._results.signal, self._results.count

    async def start(self, link: Link, names: Collection[str]) -> None:
        self._wanted = names
        await self._begin(link)
        described = Description.from_bytes(await link.read(profile.DESCRIPTION))
        self._describe(described, self._results is not None)

    async def _begin(self, link: Link) -> None:
        await self._subscribe(link)
        await link.write(profile.CONTROL, profile.START)

    async def _subscribe(self, link: Link) -> None:
        await link.subscribe(profile.DATA)
        if RESULT_SIGNAL in self._wanted:
            await link.subscribe(profile.RESULT)

    async def resume(self, link: Link) -> None:
        """Go on: a device that still counts is told so; one that was off meanwhile is started anew.

        Raises
        ------
        DeviceError
            "changed", if it does not stream or run what it did: what it sends would be taken for something else.
        """
        session = (await self._described(link)).session
        if session == self._description.session:
            self._assembler.resume()
            if self._results is not None:
                self._results.resume()
            await self._subscribe(link)
            await link.write(profile.CONTROL, profile.CONTINUE)
            return
        self._require_same(link, "net or pipeline", self.identity, await _identity(link))
        self._assembler.restart()
        if self._results is not None:
            self._results.restart()
        await self._begin(link)
        self._description = await self._described(link)

    async def _described(self, link: Link) -> Description:
        now, before = Description.from_bytes(await link.read(profile.DESCRIPTION)), self._description
        self._require_same(link, "streams", (before.clock_hz, before.streams), (now.clock_hz, now.streams))
        return now

    @staticmethod
    def _require_same(link: Link, what: str, before: object, now: object) -> None:
        if before != now:
            raise DeviceError(
                f"{link.name} came back with other {what} than it began with: it runs another firmware, or was set up "
                "anew. End this recording and start a new one",
                "changed",
            )

    async def stop(self, link: Link) -> None:
        await link.write(profile.CONTROL, profile.STOP)
        await super().stop(link)

    def feed(self, uuid: str, data: bytes, arrival_ns: int) -> list[Block | Gap]:
        if uuid == profile.RESULT and self._results is not None:
            result = Result.from_bytes(data)
            return self._results.take(result, self._assembler.unwrapped(result.ticks), arrival_ns)
        items = self._assembler.feed(data, arrival_ns)
        return [item for item in items if item.signal.name in self._wanted]


async def _identity(link: Link) -> Identity | None:
    """Return what a device says that it runs; None if it does not say."""
    if profile.IDENTITY not in link.characteristics:
        return None
    return Identity.from_bytes(await link.read(profile.IDENTITY))
