"""One way in which a device streams: which characteristics it uses, how it is started, what becomes of its bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from typing import ClassVar

from pulselet.device.link import Link
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.count import Count


class Source(ABC):
    """The base of all sources; a session asks each of them the same.

    Attributes
    ----------
    title
        What a person would call it.
    signals
        What can be streamed, by name; known once `prepare` has run.
    counts
        Where the samples of each signal went, in this run.
    malformed
        Parts of good notifications, such as lines of text, that made no sense and were passed over, in this run.
    """

    title: ClassVar[str]

    def __init__(self) -> None:
        self.signals: dict[str, Signal] = {}
        self.counts: dict[str, Count] = {}
        self.malformed = 0

    @classmethod
    @abstractmethod
    def fits(cls, link: Link) -> bool:
        """Whether the device offers this."""

    @property
    def default(self) -> tuple[str, ...]:
        """Names of what is streamed if nobody says what."""
        return tuple(self.signals)

    @property
    @abstractmethod
    def characteristics(self) -> Collection[str]:
        """UUIDs whose notifications are for this source."""

    @property
    def facts(self) -> dict[str, str]:
        """What a recording should know, such as settings."""
        return {}

    @property
    def complete(self) -> bool:
        """Whether the device has said that all is over; most never do."""
        return False

    @property
    def interval_s(self) -> float | None:
        """The usual time between two notifications of what was started; None if there is no such time."""
        return None

    @abstractmethod
    async def prepare(self, link: Link) -> None:
        """Ask the device what it can do."""

    @abstractmethod
    async def start(self, link: Link, names: Collection[str]) -> None:
        """Begin a new run with these signals."""

    @abstractmethod
    async def resume(self, link: Link) -> None:
        """Go on with the run over a new link."""

    async def stop(self, link: Link) -> None:
        """Have the device stop, so that it can sleep."""
        await link.unsubscribe(self.characteristics)

    @abstractmethod
    def feed(self, uuid: str, data: bytes, arrival_ns: int) -> list[Block | Gap]:
        """Return what one notification adds.

        Raises
        ------
        PacketError
            If the bytes make no sense; the state is as before.
        DeviceError
            "stopped" if the device says that it has stopped by itself.
        """


def usual_interval_s(signals: Iterable[Signal], samples: int) -> float | None:
    """Return how often a notification comes of the fastest of these signals, if it holds so many samples.

    A second at least; None if none of them has a rate.
    """
    rates = [signal.rate_hz for signal in signals if signal.rate_hz is not None]
    return max(1.0, samples / max(rates)) if rates else None
