"""Every parser of bytes from a radio, for the fuzzers: each takes any bytes and may raise PacketError only."""

from __future__ import annotations

from collections.abc import Callable

from pulselet import packets
from pulselet.packets import movesense, polar_control, uart
from pulselet.packets.movesense_data import HeartRate, Stream
from pulselet.packets.polar import Frame
from pulselet.packets.polar_batch import decode_many
from pulselet.packets.polar_settings import Settings
from pulselet.packets.profile import Description, Packet, StreamInfo
from pulselet.packets.uart import StructFormat, TextLines, UartFormat
from pulselet.stream.assemble import Assembler

Parser = Callable[[bytes], object]
RECORDS = StructFormat(layout="<Hhf", fields=("seq", "x", "y"), counter="seq")
LINES = TextLines(fields=("x", "y"))
BOARD = Description(1, 1000, (StreamInfo(1, "acc", "g", ("x", "y"), 50_000, 0.5),))


def _decoder(uuid: str) -> Parser:
    return lambda data: packets.decode(uuid, data)


def _halves(data: bytes) -> object:
    """Two notifications to a format that remembers lines, and to an assembler that remembers indices."""
    middle = len(data) // 2
    text, board = UartFormat(LINES), Assembler(BOARD)
    for part in (data[:middle], data[middle:]):
        for feed in (text.feed, lambda one: board.feed(one, 0)):
            try:
                feed(part)
            except packets.PacketError:
                continue
    return None


PARSERS: dict[str, Parser] = {
    **{uuid: _decoder(uuid) for uuid in packets.known()},
    "polar samples": lambda data: Frame.from_bytes(data).samples(),
    "polar values": lambda data: Frame.from_bytes(data).values(0.5, 3, 16),
    "polar batch": lambda data: decode_many([data, data]),
    "polar settings": Settings.from_bytes,
    "polar control": polar_control.parse,
    "movesense imu": Stream.of("/Meas/IMU9/104").read,
    "movesense ecg": Stream.of("/Meas/ECG/125").read,
    "movesense heart rate": HeartRate.from_bytes,
    "movesense hello": lambda data: movesense.Reply.from_bytes(data).hello,
    "movesense status": lambda data: movesense.Reply.from_bytes(data).status,
    "movesense log": movesense.LogPiece.from_bytes,
    "profile samples": lambda data: Packet.from_bytes(data).samples(3),
    "uart records": lambda data: uart.UartFormat(RECORDS).feed(data),
    "uart lines": lambda data: uart.UartFormat(LINES).feed(data),
    "two notifications": _halves,
}
