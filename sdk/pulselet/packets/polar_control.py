"""Polar Measurement Data: what is written to the control point, and what it answers.

Subscribe to control point and data first, then start; always stop: a strap left streaming stays awake until its
battery is empty. Sources: Polar's published control point (Polar BLE SDK).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pulselet.errors import PacketError
from pulselet.packets.cursor import Cursor
from pulselet.packets.polar_layout import SDK_MODE
from pulselet.packets.polar_settings import NO_SETTINGS, Settings

__all__ = [
    "ALREADY_IN_STATE",
    "ERRORS",
    "FEATURES",
    "GET_SDK_SETTINGS",
    "GET_SDK_STATUS",
    "GET_SETTINGS",
    "GET_STATUS",
    "INVALID_STATE",
    "IN_CHARGER",
    "OFFLINE",
    "OFFLINE_RECORDING_FLAG",
    "ONLINE",
    "ONLINE_AND_OFFLINE",
    "RESPONSE",
    "SDK_STATUS",
    "START",
    "START_SDK_MODE",
    "STATUS",
    "STOP",
    "STOPPED",
    "STOP_SDK_MODE",
    "SUCCESS",
    "Command",
    "Features",
    "Response",
    "Settings",
    "Stopped",
    "get_settings",
    "joined",
    "parse",
    "start",
    "stop",
]

GET_SETTINGS, START, STOP, GET_SDK_SETTINGS, GET_STATUS, GET_SDK_STATUS = 1, 2, 3, 4, 5, 6
WITHOUT_TYPE = (GET_STATUS, GET_SDK_STATUS)
RESPONSE, FEATURES, STOPPED = 0xF0, 0x0F, 0x01
ONLINE, OFFLINE, ONLINE_AND_OFFLINE = 1, 2, 3  # what is active, in the top two bits of a status byte
OFFLINE_RECORDING_FLAG = 2  # in the top two bits of a command's type

ERRORS = {
    0: "success",
    1: "invalid operation",
    2: "invalid measurement type",
    3: "not supported",
    4: "invalid length",
    5: "invalid parameter",
    6: "already in this state",
    7: "invalid resolution",
    8: "invalid sample rate",
    9: "invalid range",
    10: "invalid MTU",
    11: "invalid number of channels",
    12: "invalid state",
    13: "device in charger",
    14: "disk full",
}
SUCCESS, ALREADY_IN_STATE, INVALID_STATE, IN_CHARGER = 0, 6, 12, 13


def _octets(what: str, *values: int) -> bytes:
    if not all(0 <= value <= 255 for value in values):
        raise PacketError(f"{what} holds bytes of 0 to 255, got {values}")
    return bytes(values)


@dataclass(frozen=True)
class Command:
    """What a client writes to the control point.

    Attributes
    ----------
    operation
        GET_SETTINGS, START, STOP, ...
    type
        Which measurement; None for the operations that concern none.
    settings
        What to start with.
    recording
        Top two bits of the type: 0 to stream, OFFLINE_RECORDING_FLAG to record in the device.
    """

    operation: int
    type: int | None = None
    settings: Settings = NO_SETTINGS
    recording: int = 0

    def __bytes__(self) -> bytes:
        kind = () if self.type is None else (self.recording << 6 | self.type,)
        return _octets("a Polar command", self.operation, *kind) + bytes(self.settings)

    @classmethod
    def from_bytes(cls, data: bytes) -> Command:
        """Return the command in `data`; PacketError if it is cut short or names a type where none belongs."""
        cursor = Cursor(data, "a Polar command")
        operation = cursor.u8()
        if operation in WITHOUT_TYPE:
            cursor.end()
            return cls(operation)
        kind = cursor.u8()
        return cls(operation, kind & 0x3F, Settings.from_bytes(cursor.rest()), kind >> 6)


def get_settings(kind: int, *, sdk_mode: bool = False) -> bytes:
    """Return the bytes that ask what a measurement offers: now, or in SDK mode."""
    return bytes(Command(GET_SDK_SETTINGS if sdk_mode else GET_SETTINGS, kind))


def start(kind: int, settings: Settings = NO_SETTINGS) -> bytes:
    """Return the bytes that start a measurement; a factor is the device's to say and is left out.

    >>> start(0, Settings(rate_hz=(130,), resolution_bits=(14,))).hex(" ")
    '02 00 00 01 82 00 01 01 0e 00'
    """
    return bytes(Command(START, kind, replace(settings, factor=())))


def stop(kind: int) -> bytes:
    """Return the bytes that stop a measurement."""
    return bytes(Command(STOP, kind))


START_SDK_MODE, STOP_SDK_MODE = start(SDK_MODE), stop(SDK_MODE)
STATUS, SDK_STATUS = bytes(Command(GET_STATUS)), bytes(Command(GET_SDK_STATUS))


@dataclass(frozen=True)
class Response:
    """What the control point answers.

    Attributes
    ----------
    operation, type
        Of the command; `recording` is the top two bits of the type.
    error
        0, or a number in ERRORS.
    more
        Other than 0 if another response continues the parameters; None if the response ends before.
    parameters
        Settings, or what is active.
    """

    operation: int
    type: int
    error: int = SUCCESS
    more: int | None = 0
    parameters: bytes = b""
    recording: int = 0

    def __bytes__(self) -> bytes:
        more = () if self.more is None else (self.more,)
        head = RESPONSE, self.operation, self.recording << 6 | self.type, self.error
        return _octets("a Polar response", *head, *more) + self.parameters

    @classmethod
    def from_bytes(cls, data: bytes) -> Response:
        """Return the response in `data`; PacketError if it is cut short or something else.

        >>> Response.from_bytes(bytes.fromhex("f0 02 00 06")).error_name
        'already in this state'
        """
        cursor = Cursor(data, "a Polar response")
        code, operation, kind, error = cursor.take(4)
        if code != RESPONSE:
            raise cursor.error(f"wanted {RESPONSE:#x} as its first byte, got {code:#x}")
        more = cursor.u8() if cursor.left else None
        return cls(operation, kind & 0x3F, error, more, cursor.rest(), kind >> 6)

    @property
    def error_name(self) -> str:
        """What the error means, in words."""
        return ERRORS.get(self.error, f"unknown error {self.error}")

    @property
    def settings(self) -> Settings:
        """The parameters, read as settings; PacketError if they are none."""
        return Settings.from_bytes(self.parameters)

    @property
    def active(self) -> dict[int, int]:
        """The parameters, read as the answer to GET_STATUS: which measurements run, ONLINE, OFFLINE or both."""
        return {byte & 0x3F: byte >> 6 for byte in self.parameters if byte >> 6}

    @property
    def sdk_mode(self) -> bool:
        """The parameters, read as the answer to GET_SDK_STATUS; PacketError if they are empty."""
        return Cursor(self.parameters, "the status of the SDK mode").u8() != 0


def joined(responses: Sequence[Response]) -> Response:
    """Return one response with the parameters of several that continue each other.

    Raises
    ------
    PacketError
        If there are none, they belong to different commands, or one is missing.
    """
    if not responses or responses[-1].more or not all(response.more for response in responses[:-1]):
        raise PacketError(f"{len(responses)} responses that are not one answer from its beginning to its end")
    first = responses[0]
    if any((one.operation, one.type) != (first.operation, first.type) for one in responses):
        raise PacketError("responses to different commands cannot be joined")
    return replace(responses[-1], parameters=b"".join(response.parameters for response in responses))


@dataclass(frozen=True)
class Features:
    """What reading the control point gives: a mask with one bit for each measurement type."""

    mask: bytes

    def __bytes__(self) -> bytes:
        return bytes([FEATURES]) + self.mask

    @classmethod
    def of(cls, *types: int) -> Features:
        """Return the mask of some measurement types, two bytes long as in the devices."""
        return cls(sum(1 << kind for kind in types).to_bytes(2, "little"))

    @classmethod
    def from_bytes(cls, data: bytes) -> Features:
        """Return the features in `data`; PacketError if it is something else, or the mask is missing.

        >>> Features.from_bytes(bytes.fromhex("0f 05 00")).types
        (0, 2)
        """
        cursor = Cursor(data, "Polar features")
        if cursor.u8() != FEATURES or not cursor.left:
            raise cursor.error(f"wanted {FEATURES:#x} and a mask")
        return cls(cursor.rest())

    @property
    def types(self) -> tuple[int, ...]:
        """The measurement types on offer, in rising order."""
        mask = int.from_bytes(self.mask, "little")
        return tuple(kind for kind in range(len(self.mask) * 8) if mask >> kind & 1)


@dataclass(frozen=True)
class Stopped:
    """What a device says unasked: it has stopped these measurements by itself."""

    types: tuple[int, ...]

    def __bytes__(self) -> bytes:
        return _octets("a Polar message", STOPPED, *self.types)

    @classmethod
    def from_bytes(cls, data: bytes) -> Stopped:
        """Return the message in `data`; PacketError if it is something else."""
        cursor = Cursor(data, "a Polar message")
        if cursor.u8() != STOPPED:
            raise cursor.error(f"wanted {STOPPED:#x} as its first byte")
        return cls(tuple(byte & 0x3F for byte in cursor.rest()))


Message = Response | Features | Stopped
READERS: dict[int, Callable[[bytes], Message]] = {
    RESPONSE: Response.from_bytes,
    FEATURES: Features.from_bytes,
    STOPPED: Stopped.from_bytes,
}


def parse(data: bytes) -> Message:
    """Return what the control point said; PacketError if it is none of the three.

    With BlueZ, reading the features while indications are on shows them as an indication too: so all three may come.
    """
    code = Cursor(data, "bytes of the Polar control point").u8()
    if code not in READERS:
        raise PacketError(
            f"the Polar control point said {code:#x}; known are {[hex(known) for known in READERS]}", data
        )
    return READERS[code](data)
