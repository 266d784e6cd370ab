"""What a virtual device needs to know of a role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class Timed(NamedTuple):
    """A notification, and the device time in s at which it is sent: when its last sample has been taken."""

    at_s: float
    uuid: str
    data: bytes


class Host(Protocol):
    """What a role may ask of the device that it is played by."""

    @property
    def now_s(self) -> float:
        """Device time, in s since power on."""

    @property
    def payload_bytes(self) -> int:
        """What one notification can hold."""

    def play(self, what: str, schedule: Iterator[Timed]) -> None:
        """Send what is scheduled, each at its time; what was played under this name ends."""

    def rest(self, what: str) -> None:
        """Play this no more."""

    def indicate(self, uuid: str, data: bytes) -> None:
        """Send an indication."""


class Role:
    """One thing that a device can be.

    Attributes
    ----------
    services
        By UUID: the characteristics of a service, each with what can be done with it.
    advertised
        UUIDs of the services that are advertised.
    """

    services: Mapping[str, Mapping[str, Sequence[str]]]
    advertised: Sequence[str]

    def read(self, uuid: str) -> bytes:
        """Return the value of a characteristic."""
        return b""

    def write(self, host: Host, uuid: str, value: bytes) -> None:
        """Take a command."""

    def subscribed(self, host: Host, uuid: str, on: bool) -> None:
        """Note that a client wants, or no longer wants, notifications."""

    def disconnected(self, host: Host) -> None:
        """Note that the link is down."""

    def power_cycled(self) -> None:
        """Forget everything, as when the battery has been out."""

    def set_back(self, data: bytes, seconds: float) -> bytes:
        """Return a notification whose device time is so much earlier; as it is, if it bears none."""
        return data
