"""Nordic UART: bytes whose meaning is the board's own, and so is declared by its user.

Most home-made boards speak it. A payload is either records of a `struct` layout, whole in each notification, or lines
of text, which may be split over notifications. Without a counter among the fields, nothing shows that some are missing.
Source: Nordic Semiconductor, nRF Connect SDK, "Nordic UART Service".
"""

from __future__ import annotations

import math
import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pulselet.errors import PacketError, PulseletError

SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
WRITE = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"  # to the board
NOTIFY = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"  # from the board

LARGEST = 3.4028234663852886e38  # of a float32
COUNTERS = "bBhHiIlLqQ"
LARGE = 2**16  # a counter of so many rows or more is trusted for half a round
FEW = 8  # rows that may be late, if two notifications do not hold more
CODES = re.compile(r"(\d*)([xbBhHiIlLqQefd?])")


@dataclass(frozen=True)
class Row:
    """One record or line.

    Attributes
    ----------
    index
        By the board's counter, from 0 at the first row of all; one that is missing counts, and one that is not larger
        than an earlier one has come again, or late. None without a counter.
    values
        The fields without the counter, scaled; NaN and infinity pass.
    torn
        While the link was down the counter began anew, or may have gone round: how many rows are missing before this
        one, nobody can tell.
    """

    index: int | None
    values: tuple[float, ...]
    torn: bool = False


@dataclass(frozen=True, kw_only=True)
class Declaration(ABC):
    """What a board sends.

    Attributes
    ----------
    fields
        Names of all numbers of a row, in order.
    unit
        Of all of them, after scaling.
    scale
        What to multiply numbers by: one for all, or one for each field, where the counter's is not used.
    counter
        Name of the field that counts rows; None if there is none.
    """

    fields: tuple[str, ...]
    unit: str = ""
    scale: float | tuple[float, ...] = 1.0
    counter: str | None = None

    def __post_init__(self) -> None:
        if not self.channels or len(set(self.fields)) < len(self.fields):
            raise PulseletError(f"wanted names of fields, all different, one besides the counter; got {self.fields}")
        if self.counter is not None and self.counter not in self.fields:
            raise PulseletError(f"the counter {self.counter!r} is not among the fields {self.fields}")
        if isinstance(self.scale, tuple) and len(self.scale) != len(self.fields):
            raise PulseletError(f"{len(self.scale)} scales for {len(self.fields)} fields")

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the fields without the counter."""
        return tuple(name for name in self.fields if name != self.counter)

    @property
    def loss_detectable(self) -> bool:
        """Whether a counter shows what is missing."""
        return self.counter is not None

    @property
    @abstractmethod
    def modulus(self) -> int | None:
        """Where the counter begins anew; None if it does not, or there is none."""

    @abstractmethod
    def numbers(self, piece: bytes) -> tuple[float, ...]:
        """Return the numbers of one record or line, unscaled; PacketError if it is none."""

    @abstractmethod
    def encode(self, *rows: Sequence[float]) -> bytes:
        """Return what a board sends for rows of unscaled numbers; PacketError if one does not fit."""

    @cached_property
    def scales(self) -> tuple[float, ...]:
        """A scale for each channel."""
        every = self.scale if isinstance(self.scale, tuple) else (self.scale,) * len(self.fields)
        return tuple(scale for name, scale in zip(self.fields, every, strict=True) if name != self.counter)


@dataclass(frozen=True, kw_only=True)
class StructFormat(Declaration):
    """Records of a layout of the module `struct`, one or several in a notification.

    >>> motion = StructFormat(layout="<Hhh", fields=("seq", "x", "y"), unit="g", scale=0.001, counter="seq")
    >>> board = UartFormat(motion)
    >>> board.feed(bytes.fromhex("0500 e803 18fc  0700 0000 f401"))
    [Row(index=0, values=(1.0, -1.0), torn=False), Row(index=2, values=(0.0, 0.5), torn=False)]
    """

    layout: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layout[:1] not in tuple("<>!=") or CODES.sub("", self.layout[1:]):
            raise PulseletError(f"layout {self.layout!r}: wanted '<' or '>' and then codes of numbers, as in '<Hhhh'")
        if len(self.codes) != len(self.fields):
            raise PulseletError(f"layout {self.layout!r} has {len(self.codes)} numbers, for {len(self.fields)} fields")
        if self.counter is not None and self.codes[self.fields.index(self.counter)] not in COUNTERS:
            raise PulseletError(f"layout {self.layout!r}: the counter {self.counter!r} is no integer")

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """The code of each number."""
        found = CODES.findall(self.layout[1:])
        return tuple(code for times, code in found if code != "x" for _ in range(int(times or 1)))

    @property
    def size(self) -> int:
        """Bytes of a record."""
        return struct.calcsize(self.layout)

    @property
    def modulus(self) -> int | None:
        if self.counter is None:
            return None
        return 1 << 8 * struct.calcsize(self.layout[0] + self.codes[self.fields.index(self.counter)])

    def numbers(self, piece: bytes) -> tuple[float, ...]:
        return struct.unpack(self.layout, piece)

    def encode(self, *rows: Sequence[float]) -> bytes:
        try:
            return b"".join(struct.pack(self.layout, *row) for row in rows)
        except (struct.error, OverflowError) as error:
            raise PacketError(f"a row does not fit layout {self.layout!r}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class TextLines(Declaration):
    """Lines of numbers, each ended by a line feed, a carriage return or both.

    Attributes
    ----------
    separator
        Between the numbers; spaces around them do not matter. Empty for any run of spaces and tabs.
    wraps_at
        Where the counter begins anew; None if it never does.
    longest
        Bytes of the longest line that is waited for.
    """

    separator: str = ","
    wraps_at: int | None = None
    longest: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.longest < 1 or (self.wraps_at is not None and self.wraps_at < 2):
            raise PulseletError(f"wanted lines of 1 byte or more and a wrap at 2 or more, got {self}")

    @property
    def modulus(self) -> int | None:
        return self.wraps_at

    def numbers(self, piece: bytes) -> tuple[float, ...]:
        texts = [text.strip() for text in piece.decode("ascii", "replace").split(self.separator or None)]
        if len(texts) != len(self.fields):
            raise PacketError(f"a line of {len(texts)} numbers, wanted {self.fields}: {piece!r}", piece)
        return tuple(self._number(name, text, piece) for name, text in zip(self.fields, texts, strict=True))

    def _number(self, name: str, text: str, line: bytes) -> float:
        try:
            if "_" in text:  # Python takes 1_000 for a number
                raise ValueError(text)
            return int(text) if name == self.counter else float(text)
        except ValueError as error:
            raise PacketError(f"{name} is no number: {text!r} in the line {line!r}", line) from error

    def encode(self, *rows: Sequence[float]) -> bytes:
        return b"".join((self.separator or " ").join(map(str, row)).encode() + b"\n" for row in rows)


class UartFormat:
    """Reads what a board sends, notification by notification.

    Of text nothing counts before the first end of a line, which may end a line whose beginning was sent to nobody: a
    board that begins when it is connected loses its first line.

    A counter that goes round after fewer than 65,536 rows goes forward only, but for the rows of two notifications,
    which may come again or late; on a live link the loss of a whole round does not show. A larger one goes less than
    half a round either way.

    Attributes
    ----------
    malformed
        Lines that were no numbers, so far.
    """

    def __init__(self, declaration: StructFormat | TextLines) -> None:
        self.declaration = declaration
        self.malformed = 0
        self._line = b""
        self._skip = True  # what comes before the next end of a line
        self._counter: tuple[int, int] | None = None  # the newest, and its index
        self._resumed = False
        self._widest = 1  # the most rows in a notification

    def resume(self) -> None:
        """Go on after the link was down: the line that was cut is no line, nor is what comes of the next."""
        self._line, self._skip, self._resumed = b"", True, True

    def feed(self, data: bytes, away: tuple[float, float] | None = None) -> list[Row]:
        """Return the rows that are complete now.

        Parameters
        ----------
        away
            The least and the most rows that the board can have counted since the newest one, by the time that has gone
            by; asked for only after `resume`. None if nobody knows: then a small counter does not tell what is missing.

        Raises
        ------
        PacketError
            If the data are no whole records, or a number does not fit a float32; if a line grows too long, or there are
            lines, and none is of numbers. A bad line among good ones is counted in `malformed` only.
        """
        if isinstance(self.declaration, TextLines):
            found = self._lines(self.declaration, data)
        else:
            found = self._records(self.declaration, data)
        self._widest = max(self._widest, len(found))
        if away is not None:  # until the last of these rows; wanted is until the first
            away = away[0] - len(found) + 1, away[1] - len(found) + 1
        return [self._row(numbers, away) for numbers in found]

    def _records(self, declaration: StructFormat, data: bytes) -> list[tuple[float, ...]]:
        size = declaration.size
        if not data or len(data) % size:
            raise PacketError(f"{len(data)} bytes are no records of {size} bytes ({declaration.layout!r})", data)
        return [self._checked(bytes(data[at : at + size])) for at in range(0, len(data), size)]

    def _lines(self, declaration: TextLines, data: bytes) -> list[tuple[float, ...]]:
        *lines, self._line = re.split(rb"[\r\n]", self._line + data)
        if self._skip and lines:
            del lines[0]
            self._skip = False
        found, complaints = [], []
        for line in filter(bytes.strip, lines):
            try:
                found.append(self._checked(line))
            except PacketError as error:
                complaints.append(error)
        if len(self._line) > declaration.longest:
            complaints.append(PacketError(f"more than {declaration.longest} bytes without an end of line", self._line))
            self._line, self._skip = b"", True
        self.malformed += len(complaints)
        if complaints and not found:
            raise complaints[0]
        return found

    def _checked(self, piece: bytes) -> tuple[float, ...]:
        numbers = self.declaration.numbers(piece)
        if any(math.isfinite(value) and abs(value) > LARGEST for value in self._values(numbers)):
            raise PacketError(f"a number does not fit a float32: {numbers}", piece)
        return numbers

    def _values(self, numbers: tuple[float, ...]) -> tuple[float, ...]:
        declaration = self.declaration
        kept = [number for name, number in zip(declaration.fields, numbers, strict=True) if name != declaration.counter]
        return tuple(number * scale for number, scale in zip(kept, declaration.scales, strict=True))

    def _row(self, numbers: tuple[float, ...], away: tuple[float, float] | None) -> Row:
        resumed, self._resumed = self._resumed, False
        values, declaration = self._values(numbers), self.declaration
        if declaration.counter is None:
            return Row(None, values)
        counter = int(numbers[declaration.fields.index(declaration.counter)])
        newest, index = self._counter or (counter - 1, -1)
        step = self._back(counter - newest, away) if resumed and self._counter else self._step(counter - newest)
        went_on = 1 if step is None else step
        if went_on > 0:
            self._counter = counter, index + went_on
        return Row(index + went_on, values, torn=step is None)

    def _step(self, step: int) -> int:
        """Return by how many rows a counter has gone on, or back."""
        modulus = self.declaration.modulus
        if modulus is None:
            return step
        late = modulus // 2 if modulus >= LARGE else min(modulus // 2, max(FEW, 2 * self._widest))
        return (step + late) % modulus - late

    def _back(self, step: int, away: tuple[float, float] | None) -> int | None:
        """Return by how many rows a counter has gone on while the link was down; None if nobody can tell."""
        modulus = self.declaration.modulus
        if modulus is not None and away is not None:
            least, most = math.floor(away[0]), math.ceil(away[1])
            first = 1 if most <= modulus else max(least, 1)  # the least is a guess: only if several may fit
            fitting = range(first + (step - first) % modulus, most + 1, modulus)
            if fitting or most > modulus:
                return fitting[0] if len(fitting) == 1 else None
        if modulus is not None and modulus < LARGE:
            return None
        step = self._step(step)
        return step if step > 0 else None
