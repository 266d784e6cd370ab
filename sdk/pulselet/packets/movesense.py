"""Movesense sensors over the GATT SensorData Protocol (GSP), version 1.

A command is: command u8, reference u8, what the command wants. A notification is: reply u8, the command's reference u8,
the rest. Source: Movesense, "GATT SensorData Protocol specification" (GD-77 1.0, movesense.com/docs/esw). What
subscriptions hold is in `movesense_data`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pulselet.errors import PacketError
from pulselet.packets.cursor import Cursor

SERVICE = "34802252-7185-4d5d-b431-630e7050e8f0"
WRITE = "34800001-7185-4d5d-b431-630e7050e8f0"
NOTIFY = "34800002-7185-4d5d-b431-630e7050e8f0"

HELLO, SUBSCRIBE, UNSUBSCRIBE, FETCH_LOG, GET = 0, 1, 2, 3, 4
RESULT, DATA, CONTINUED = 1, 2, 3
OK = 200


@dataclass(frozen=True)
class Command:
    """What a client writes.

    Attributes
    ----------
    operation
        HELLO, SUBSCRIBE, UNSUBSCRIBE, FETCH_LOG, GET.
    reference
        The client's own number, 1 to 255; replies carry it, and so do all data of a subscription.
    payload
        The path of a resource, or what else the operation wants.
    """

    operation: int
    reference: int
    payload: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.operation <= 255 or not 0 < self.reference <= 255:
            raise PacketError(f"a command {self.operation} with reference {self.reference}; wanted 1 to 255, never 0")

    def __bytes__(self) -> bytes:
        return bytes([self.operation, self.reference]) + self.payload

    @classmethod
    def from_bytes(cls, data: bytes) -> Command:
        """Return the command in `data`; PacketError if it is cut short or its reference is 0."""
        cursor = Cursor(data, "a Movesense command")
        return cls(cursor.u8(), cursor.u8(), cursor.rest())


def hello(reference: int) -> bytes:
    """Return the bytes that ask who the sensor is."""
    return bytes(Command(HELLO, reference))


def subscribe(reference: int, path: str) -> bytes:
    """Return the bytes that start a stream.

    >>> subscribe(9, "/Meas/Acc/52")
    b'\\x01\\t/Meas/Acc/52'
    """
    return bytes(Command(SUBSCRIBE, reference, path.encode()))


def unsubscribe(reference: int) -> bytes:
    """Return the bytes that end the stream with this reference."""
    return bytes(Command(UNSUBSCRIBE, reference))


def get(reference: int, path: str) -> bytes:
    """Return the bytes that ask for a resource once; its path ends with a zero byte."""
    return bytes(Command(GET, reference, path.encode() + b"\0"))


def fetch_log(reference: int, log: int) -> bytes:
    """Return the bytes that ask for a recording in the sensor's memory; PacketError if its number is not of 32 bits."""
    if not 0 <= log < 1 << 32:
        raise PacketError(f"the number of a log has 32 bits, got {log}")
    return bytes(Command(FETCH_LOG, reference, struct.pack("<I", log)))


@dataclass(frozen=True)
class Hello:
    """Who a sensor is."""

    protocol: int
    serial: str
    product: str
    address: str
    application: str
    version: str


@dataclass(frozen=True)
class Reply:
    """One notification.

    Attributes
    ----------
    code
        RESULT: the answer to a command. DATA: of a subscription or a log. CONTINUED: the rest of the DATA before.
    reference
        Of the command.
    payload
        What follows.
    """

    code: int
    reference: int
    payload: bytes = b""

    def __post_init__(self) -> None:
        if self.code not in (RESULT, DATA, CONTINUED) or not 0 <= self.reference <= 255:
            known = RESULT, DATA, CONTINUED
            raise PacketError(f"a reply of code {self.code} to {self.reference}; known are {known}, to 0 to 255")

    def __bytes__(self) -> bytes:
        return bytes([self.code, self.reference]) + self.payload

    @classmethod
    def from_bytes(cls, data: bytes) -> Reply:
        """Return the reply in `data`; PacketError if it is cut short or its code is not known."""
        cursor = Cursor(data, "a Movesense notification")
        return cls(cursor.u8(), cursor.u8(), cursor.rest())

    @property
    def status(self) -> int:
        """Status of a RESULT, as in HTTP: 200 is good, 404 no such path; PacketError if it is too short.

        The answer to HELLO has none. An older sample application sends 507, no free place, with its bytes swapped.
        """
        return Cursor(self.payload, "a Movesense result").u16()

    @property
    def content(self) -> bytes:
        """What a RESULT has after its status."""
        return self.payload[2:]

    @property
    def hello(self) -> Hello:
        """The answer to HELLO; PacketError if it is not a version and five texts, each with a zero byte at its end."""
        cursor = Cursor(self.payload, "a Movesense hello")
        protocol, texts = cursor.u8(), cursor.rest().split(b"\0")
        if len(texts) < 5:
            raise cursor.error(f"wanted five texts, got {len(texts)}")
        return Hello(protocol, *(Cursor(text, cursor.what).text(len(text)) for text in texts[:5]))


@dataclass(frozen=True)
class LogPiece:
    """A piece of a recording, in the payload of DATA and CONTINUED alike; one without bytes is the last."""

    offset: int
    data: bytes

    def __bytes__(self) -> bytes:
        return struct.pack("<I", self.offset % 2**32) + self.data

    @classmethod
    def from_bytes(cls, payload: bytes) -> LogPiece:
        """Return the piece in a payload; PacketError if it is cut short."""
        cursor = Cursor(payload, "a piece of a Movesense log")
        return cls(cursor.u32(), cursor.rest())


class Joiner:
    """Joins DATA with the CONTINUED that follows it, for each reference of a subscription.

    Nothing in DATA says that it is continued: one that fills its notification is kept until the next reply to the same
    reference shows whether it was.

    Parameters
    ----------
    full_bytes
        Length of a notification that may be continued; the firmware's buffer.
    """

    def __init__(self, full_bytes: int = 152) -> None:
        self.full_bytes = full_bytes
        self.orphans = 0  # CONTINUED whose DATA was lost
        self._kept: dict[int, Reply] = {}

    def feed(self, reply: Reply) -> list[Reply]:
        """Return the DATA that are complete now, as DATA replies; a RESULT passes through."""
        if reply.code == RESULT:
            return [reply]
        kept = self._kept.pop(reply.reference, None)
        if reply.code == CONTINUED:
            if kept is None:
                self.orphans += 1
                return []
            return [Reply(DATA, reply.reference, kept.payload + reply.payload)]
        before = [] if kept is None else [kept]
        if len(reply.payload) + 2 >= self.full_bytes:
            self._kept[reply.reference] = reply
            return before
        return [*before, reply]
