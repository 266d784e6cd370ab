"""Nordic UART: records and lines that a user declares, split, malformed, counted."""

from __future__ import annotations

import contextlib
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError, PulseletError
from pulselet.packets import uart
from pulselet.packets.uart import Row, StructFormat, TextLines, UartFormat

MOTION = StructFormat(layout="<Hhhh", fields=("seq", "x", "y", "z"), unit="g", scale=0.5, counter="seq")
PLAIN = StructFormat(layout="<hh", fields=("x", "y"))
TEXT = TextLines(fields=("t", "x"), counter="t", wraps_at=1000)


def indices(board: UartFormat, *counters: int) -> list[int | None]:
    return [row.index for counter in counters for row in board.feed(MOTION.encode((counter, 0, 0, 0)))]


def lines(declaration: TextLines) -> UartFormat:
    """Return a format that has seen the end of a line."""
    board = UartFormat(declaration)
    assert board.feed(b"\n") == []
    return board


def test_a_notification_holds_one_record_or_several() -> None:
    board = UartFormat(MOTION)
    assert board.feed(bytes.fromhex("ffff 0200 feff 0000")) == [Row(0, (1.0, -1.0, 0.0))]
    both = board.feed(bytes.fromhex("0000 0400 0000 0000  0100 0000 0600 0000"))
    assert both == [Row(1, (2.0, 0.0, 0.0)), Row(2, (0.0, 3.0, 0.0))]


def test_a_record_may_begin_with_its_most_significant_byte_and_have_padding() -> None:
    board = UartFormat(StructFormat(layout=">2hxf", fields=("a", "b", "c"), scale=(1.0, 10.0, 1.0)))
    assert board.feed(bytes.fromhex("0102 fffe ee 3fc00000")) == [Row(None, (258.0, -20.0, 1.5))]


def test_a_counter_shows_what_is_lost_over_its_wrap() -> None:
    assert indices(UartFormat(MOTION), 65533, 65535, 2) == [0, 2, 5]


def test_a_row_that_comes_again_or_late_has_an_old_index() -> None:
    assert indices(UartFormat(MOTION), 10, 12, 12, 11, 13) == [0, 2, 2, 1, 3]


@pytest.mark.parametrize(("code", "wrap"), [("B", 1 << 8), ("h", 1 << 16), ("I", 1 << 32), ("q", 1 << 64)])
def test_a_counter_wraps_at_its_width(code: str, wrap: int) -> None:
    declaration = StructFormat(layout=f"<{code}f", fields=("n", "v"), counter="n")
    assert declaration.modulus == wrap
    board = UartFormat(declaration)
    ends = (1 << 8 * struct.calcsize(code)) - 1
    last = struct.pack("<Q", ends)[: struct.calcsize(code)]
    found = board.feed(last + bytes(4) + bytes(struct.calcsize(code)) + bytes(4))
    assert [row.index for row in found] == [0, 1]


def test_without_a_counter_loss_does_not_show() -> None:
    assert MOTION.loss_detectable
    assert not PLAIN.loss_detectable
    assert PLAIN.modulus is None
    assert UartFormat(PLAIN).feed(bytes.fromhex("0100 ffff")) == [Row(None, (1.0, -1.0))]


def test_a_counter_that_goes_on_after_a_disconnection_tells_the_loss() -> None:
    board = UartFormat(MOTION)
    assert indices(board, 5) == [0]
    board.resume()
    assert indices(board, 15) == [10]


def test_a_counter_that_begins_anew_after_a_disconnection_says_so() -> None:
    board = UartFormat(MOTION)
    assert indices(board, 500) == [0]
    board.resume()
    assert board.feed(MOTION.encode((0, 0, 0, 0))) == [Row(1, (0.0, 0.0, 0.0), torn=True)]
    assert indices(board, 1, 3) == [2, 4]


BYTE = StructFormat(layout="<Bh", fields=("n", "x"), counter="n")


def byte_rows(begin: int, end: int) -> bytes:
    return b"".join(struct.pack("<Bh", at % 256, 0) for at in range(begin, end))


@pytest.mark.parametrize("lost", [1, 127, 128, 140, 234])
def test_on_a_live_link_a_small_counter_goes_forward(lost: int) -> None:
    board = UartFormat(BYTE)
    board.feed(byte_rows(0, 10))
    assert [row.index for row in board.feed(byte_rows(10 + lost, 12 + lost))] == [10 + lost, 11 + lost]


@pytest.mark.parametrize("rows", [1, 4, 10, 40])
def test_a_notification_of_a_small_counter_may_come_twice_or_after_the_next(rows: int) -> None:
    board = UartFormat(BYTE)
    for number in (0, 1, 1, 3, 2, 4):
        found = board.feed(byte_rows(number * rows, (number + 1) * rows))
        assert [row.index for row in found] == list(range(number * rows, (number + 1) * rows))


@pytest.mark.parametrize(
    ("away", "index"),
    [
        (None, None),  # 54 rows, or 310, or 566, ...: nobody knows
        ((40.0, 200.0), 54),
        ((250.0, 400.0), 310),
        ((100.0, 300.0), None),  # neither 54 nor 310
        ((20.0, 400.0), None),  # 54 or 310
    ],
)
def test_how_often_a_small_counter_went_round_while_away_is_told_by_the_time(
    away: tuple[float, float] | None, index: int | None
) -> None:
    board = UartFormat(BYTE)
    board.feed(byte_rows(0, 1))
    board.resume()
    first, second = board.feed(byte_rows(310, 312), None if away is None else (away[0] + 1, away[1] + 1))
    assert (first.index, first.torn) == ((1, True) if index is None else (index, False))
    assert (second.index, second.torn) == ((first.index or 0) + 1, False)


def test_a_large_counter_is_believed_where_the_time_does_not_fit() -> None:
    """As when the computer slept, and its clock with it; but not if it went back."""
    for counter, expected in ((3005, Row(3000, (0.0, 0.0, 0.0))), (0, Row(1, (0.0, 0.0, 0.0), torn=True))):
        board = UartFormat(MOTION)
        board.feed(MOTION.encode((5, 0, 0, 0)))
        board.resume()
        assert board.feed(MOTION.encode((counter, 0, 0, 0)), (0.0, 250.0)) == [expected]


def test_the_first_line_may_be_cut_and_is_no_line() -> None:
    """Subscribed in the middle of 1023,456, a board would seem to say 23 and 456."""
    board = UartFormat(TextLines(fields=("x", "y")))
    assert board.feed(b"23,4") == []
    assert board.feed(b"56\r\n1,2\n") == [Row(None, (1.0, 2.0))]
    assert board.malformed == 0


def test_lines_may_be_split_anywhere() -> None:
    text = b"5, 1.5\r\n 6 ,-2e1\n\n8,nan\n"
    whole = lines(TEXT).feed(text)
    assert whole[:2] == [Row(0, (1.5,)), Row(1, (-20.0,))]
    assert whole[2].index == 3
    assert math.isnan(whole[2].values[0])
    for cut in range(len(text)):
        board = lines(TEXT)
        assert repr(board.feed(text[:cut]) + board.feed(text[cut:])) == repr(whole)


def test_a_counter_in_text_wraps_where_it_is_declared() -> None:
    found = lines(TEXT).feed(b"998,0\n1,0\n")
    assert [row.index for row in found] == [0, 3]


@pytest.mark.parametrize(("separator", "line"), [(";", b"1;2\n"), ("", b"  1 \t 2\n"), (" | ", b"1 | 2\n")])
def test_numbers_may_be_separated_by_anything(separator: str, line: bytes) -> None:
    assert lines(TextLines(fields=("a", "b"), separator=separator)).feed(line) == [Row(None, (1.0, 2.0))]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"1,two\n", r"x is no number: 'two' in the line b'1,two'"),
        (b"1.5,2\n", "t is no number: '1.5'"),
        (b"1,2_0\n", "x is no number: '2_0'"),
        (b"1,\xff2\n", "x is no number"),
        (b"1,\n", "x is no number: ''"),
        (b"1\n", r"a line of 1 numbers, wanted \('t', 'x'\)"),
        (b"1,2,3\n", "a line of 3 numbers"),
        (b"1,1e39\n", "does not fit a float32"),
    ],
)
def test_a_line_that_is_no_number_is_refused(line: bytes, complaint: str) -> None:
    board = lines(TEXT)
    with pytest.raises(PacketError, match=complaint):
        board.feed(line)
    assert board.malformed == 1
    assert board.feed(b"7,1\n") == [Row(0, (1.0,))]


def test_a_bad_line_among_good_ones_costs_itself_only() -> None:
    board = lines(TEXT)
    assert [row.index for row in board.feed(b"1,0\nhello\n3,0\n")] == [0, 2]
    assert board.malformed == 1


def test_a_line_without_an_end_is_refused_and_forgotten() -> None:
    board = UartFormat(TextLines(fields=("x",), longest=10))
    assert board.feed(b"1" * 10) == []
    with pytest.raises(PacketError, match="more than 10 bytes without an end of line"):
        board.feed(b"1")
    assert board.feed(b"11\n2\n") == [Row(None, (2.0,))]  # 11 is the end of the line that was too long


def test_a_line_cut_by_a_disconnection_is_no_line() -> None:
    """Joined, the halves would be 12345; and 345 alone would be a number that nobody has sent."""
    board = lines(TextLines(fields=("x",)))
    assert board.feed(b"1\n12") == [Row(None, (1.0,))]
    board.resume()
    assert board.feed(b"345\n6\n") == [Row(None, (6.0,))]


@pytest.mark.parametrize("length", [0, *range(1, 8), *range(9, 16)])
def test_half_a_record_is_refused(length: int) -> None:
    with pytest.raises(PacketError, match=f"{length} bytes are no records of 8 bytes"):
        UartFormat(MOTION).feed(bytes(length))


def test_a_number_too_large_for_a_float32_is_refused_and_changes_nothing() -> None:
    board = UartFormat(StructFormat(layout="<Bd", fields=("n", "v"), counter="n"))
    with pytest.raises(PacketError, match="does not fit a float32"):
        board.feed(struct.pack("<BdBd", 1, 0.0, 2, 1e39))
    assert board.feed(struct.pack("<Bd", 9, math.inf)) == [Row(0, (math.inf,))]


@pytest.mark.parametrize(
    ("kind", "parts", "complaint"),
    [
        (StructFormat, {"layout": "hh", "fields": ("x", "y")}, "wanted '<' or '>'"),
        (StructFormat, {"layout": "<h4s", "fields": ("x", "y")}, "codes of numbers"),
        (StructFormat, {"layout": "<hhh", "fields": ("x", "y")}, "has 3 numbers, for 2 fields"),
        (StructFormat, {"layout": "<fh", "fields": ("n", "y"), "counter": "n"}, "the counter 'n' is no integer"),
        (StructFormat, {"layout": "<hh", "fields": ("x", "y"), "counter": "n"}, "'n' is not among the fields"),
        (StructFormat, {"layout": "<hh", "fields": ("x", "x")}, "all different"),
        (StructFormat, {"layout": "<h", "fields": ("n",), "counter": "n"}, "one besides the counter"),
        (StructFormat, {"layout": "<hh", "fields": ("x", "y"), "scale": (1.0,)}, "1 scales for 2 fields"),
        (TextLines, {"fields": ()}, "one besides the counter"),
        (TextLines, {"fields": ("x",), "longest": 0}, "1 byte or more"),
        (TextLines, {"fields": ("n", "x"), "counter": "n", "wraps_at": 1}, "a wrap at 2 or more"),
    ],
)
def test_a_declaration_without_sense_is_refused(kind: Any, parts: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PulseletError, match=complaint):
        kind(**parts)


def test_a_row_that_does_not_fit_cannot_be_sent() -> None:
    with pytest.raises(PacketError, match="does not fit layout '<Hhhh'"):
        MOTION.encode((65536, 0, 0, 0))


words = st.integers(-32768, 32767)


@given(st.lists(st.tuples(st.integers(0, 65535), words, words, words), min_size=1, max_size=20))
def test_records_survive_the_round_trip(rows: list[tuple[int, int, int, int]]) -> None:
    found = UartFormat(MOTION).feed(MOTION.encode(*rows))
    assert [row.values for row in found] == [(x / 2, y / 2, z / 2) for _, x, y, z in rows]


@given(st.lists(st.tuples(st.floats(width=32), st.floats(width=32)), max_size=20), st.integers(1, 30))
def test_lines_survive_the_round_trip_however_they_are_cut(rows: list[tuple[float, float]], size: int) -> None:
    declaration = TextLines(fields=("a", "b"), separator="\t")
    data, board = declaration.encode(*rows), lines(declaration)
    found = [row.values for at in range(0, len(data), size) for row in board.feed(data[at : at + size])]
    assert repr(found) == repr(rows)


@given(st.lists(st.binary(max_size=40) | st.text("0123456789.,e-\n\r x_", max_size=40).map(str.encode), max_size=8))
def test_no_bytes_lead_to_anything_but_our_error(pieces: list[bytes]) -> None:
    short = TextLines(fields=("t", "x"), counter="t", longest=30)
    for declaration in (MOTION, PLAIN, short, StructFormat(layout="<Qd", fields=("n", "v"), counter="n")):
        board = UartFormat(declaration)
        for data in pieces:
            with contextlib.suppress(PacketError):
                for row in board.feed(data):
                    assert len(row.values) == len(declaration.channels)


def test_uuids_are_those_of_the_service() -> None:
    assert uart.SERVICE == "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
    assert (uart.WRITE[:8], uart.NOTIFY[:8]) == ("6e400002", "6e400003")
