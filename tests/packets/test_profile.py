"""The stream profile: bytes drawn by hand from docs/stream-profile.md, round trips, and every truncation."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError
from pulselet.packets.profile import (
    ABSTAINED,
    DELTA16,
    DELTA24,
    END,
    INT16,
    INT24,
    PAUSE,
    Description,
    Identity,
    Packet,
    Result,
    StreamInfo,
)

DESCRIPTION = Description(
    session=7,
    clock_hz=32768,
    streams=(
        StreamInfo(1, "acc", "g", ("x", "y", "z"), 50_000, 1 / 4096),
        StreamInfo(2, "ppg", "°", ("green",), 25_500, 0.5),
    ),
)


def test_a_data_packet_is_drawn_as_the_document_says() -> None:
    data = bytes.fromhex("01 00 3412 78563412 0100 ffff 0080")
    packet = Packet.from_bytes(data)
    assert packet == Packet(stream=1, kind=INT16, index=0x1234, ticks=0x12345678, payload=data[8:])
    assert packet.samples(3).tolist() == [[1, -1, -32768]]
    assert bytes(packet) == data


def test_a_pause_says_since_when() -> None:
    data = bytes.fromhex("02 fe 6400 00000100 3200")
    assert Packet.from_bytes(data).since == 50
    assert bytes(Packet.pause(2, 100, 65536, 50)) == data


def test_a_description_is_drawn_as_the_document_says() -> None:
    drawn = "01 07000000 00800000 02"
    drawn += "01 03 50c30000 00008039 03616363 0167 0178 0179 017a"
    drawn += "02 01 9c630000 0000003f 03707067 02c2b0 05677265656e"
    assert bytes(DESCRIPTION) == bytes.fromhex(drawn)
    assert Description.from_bytes(bytes.fromhex(drawn)) == DESCRIPTION


packets = st.builds(
    Packet,
    st.integers(0, 255),
    st.just(INT16),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=100).map(lambda v: np.array(v, "<i2").tobytes()),
)


@given(packets)
def test_a_packet_survives_the_round_trip(packet: Packet) -> None:
    assert Packet.from_bytes(bytes(packet)) == packet


@pytest.mark.parametrize("length", range(len(bytes(DESCRIPTION))))
def test_a_description_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(PacketError):
        Description.from_bytes(bytes(DESCRIPTION)[:length])


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9])
def test_a_data_packet_cut_before_its_first_value_is_refused(length: int) -> None:
    with pytest.raises(PacketError) as caught:
        Packet.from_bytes(bytes.fromhex("01 00 0000 00000000 0100")[:length])
    assert len(caught.value.payload) == length


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("01 07 0000 00000000 0100", "unknown kind of packet 7"),
        (f"01 {PAUSE:02x} 0000 00000000", "does not carry 0 bytes"),
        (f"01 {END:02x} 0000 00000000 00", "does not carry 1 bytes"),
    ],
)
def test_a_packet_that_makes_no_sense_is_refused(data: str, complaint: str) -> None:
    with pytest.raises(PacketError, match=complaint):
        Packet.from_bytes(bytes.fromhex(data))


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(PacketError, match="8 bytes are not whole samples of 3 channels"):
        Packet(1, INT16, 0, 0, bytes(8)).samples(3)


@pytest.mark.parametrize(
    ("at", "value", "complaint"),
    [
        (0, b"\2", "version 2"),
        (5, bytes(4), "2 streams with a clock of 0 Hz"),
        (12, bytes(4), "0 mHz"),
        (16, bytes(4), "steps of 0.0"),
    ],
)
def test_a_description_without_sense_is_refused(at: int, value: bytes, complaint: str) -> None:
    data = bytearray(bytes(DESCRIPTION))
    data[at : at + len(value)] = value
    with pytest.raises(PacketError, match=complaint):
        Description.from_bytes(bytes(data))


@pytest.mark.parametrize("change", [{"id": 1}, {"name": "acc"}])
def test_two_streams_of_one_number_or_name_are_refused(change: dict[str, Any]) -> None:
    acc, ppg = DESCRIPTION.streams
    with pytest.raises(PacketError, match="one number or one name"):
        Description.from_bytes(bytes(replace(DESCRIPTION, streams=(acc, replace(ppg, **change)))))


def test_a_device_without_streams_is_refused() -> None:
    with pytest.raises(PacketError, match="0 streams"):
        Description.from_bytes(bytes(replace(DESCRIPTION, streams=())))


@given(st.binary(max_size=80))
def test_no_bytes_lead_to_anything_but_our_error(data: bytes) -> None:
    for parse in (Packet.from_bytes, Description.from_bytes):
        with contextlib.suppress(PacketError):
            parse(data)


def test_24_bit_samples_are_drawn_as_the_document_says() -> None:
    data = bytes.fromhex("03 01 0000 00000000 010000 ffffff 000080")
    assert Packet.from_bytes(data).samples(1).tolist() == [[1], [-1], [-(2**23)]]
    assert bytes(Packet.of(3, INT24, 0, 0, np.array([[1], [-1], [-(2**23)]]))) == data


def test_differences_are_drawn_as_the_document_says() -> None:
    # by hand: +1 -2 +3 -4 in 3 bits are 001 110 011 100, the first one lowest: 100 011 110 001 is 0x8f1
    data = bytes.fromhex("01 02 0a00 00000000 03 03 6400 fbff f108")
    values = [[100, -5], [101, -7], [104, -11]]
    assert Packet.from_bytes(data).samples(2).tolist() == values
    wider = bytes.fromhex("01 02 0a00 00000000 03 04 6400 fbff e1 c3")  # in 4 bits, a byte holds two
    assert Packet.from_bytes(wider).samples(2).tolist() == values
    assert bytes(Packet.of(1, DELTA16, 10, 0, np.array(values))) == data


def test_samples_that_do_not_change_take_no_bits() -> None:
    packet = Packet.of(1, DELTA24, 0, 0, np.full((200, 2), -(2**23)))
    assert len(packet.payload) == 2 + 6
    assert (packet.samples(2) == -(2**23)).all()


def walks(bits: int) -> st.SearchStrategy[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    limit = 2 ** (bits - 1)
    rows = st.lists(st.tuples(*[st.integers(-limit, limit - 1)] * 3), min_size=1, max_size=60)
    return rows.map(np.array)


@given(walks(16), walks(24))
def test_samples_of_every_kind_survive_the_round_trip(narrow: Any, wide: Any) -> None:
    for kind, values in ((INT16, narrow), (DELTA16, narrow), (INT24, wide), (DELTA24, wide)):
        packet = Packet.from_bytes(bytes(Packet.of(1, kind, 0, 0, values)))
        assert np.array_equal(packet.samples(3), values)


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ("00 04 0000", "0 samples of 1 channels"),
        ("02 04 0000", "want 5 bytes, got 4"),
        ("02 04 0000 0000", "want 5 bytes, got 6"),
        ("02 12 0000 000000", "deltas of 18 bits"),
        ("03 11 ff7f 0100000000", "lead out of 16 bits"),
    ],
)
def test_differences_that_make_no_sense_are_refused(payload: str, complaint: str) -> None:
    packet = Packet(1, DELTA16, 0, 0, bytes.fromhex(payload))
    with pytest.raises(PacketError, match=complaint):
        packet.samples(1)


def test_values_that_do_not_fit_are_refused() -> None:
    for kind, value in ((INT16, 2**15), (DELTA16, -(2**15) - 1), (INT24, 2**23)):
        with pytest.raises(PacketError, match="bits"):
            Packet.of(1, kind, 0, 0, np.array([[value]]))
    with pytest.raises(PacketError, match="255 samples at the most, got 256"):
        Packet.of(1, DELTA16, 0, 0, np.zeros((256, 1), np.int64))


def test_an_identity_is_drawn_as_the_document_says() -> None:
    drawn = bytes.fromhex("01" + "aa" * 32 + "bb" * 32 + "02 0472657374 0477616c6b")
    identity = Identity(b"\xaa" * 32, b"\xbb" * 32, ("rest", "walk"))
    assert Identity.from_bytes(drawn) == identity
    assert bytes(identity) == drawn
    for length in range(len(drawn)):
        with pytest.raises(PacketError):
            Identity.from_bytes(drawn[:length])


def test_a_result_is_drawn_as_the_document_says() -> None:
    drawn = bytes.fromhex("0700 00800000 c8000000 02 01 0000403f 0000803f")
    result = Result.from_bytes(drawn)
    assert result == Result(7, 32768, 200, 2, ABSTAINED, 0.75, 1.0)
    assert result.abstained
    assert bytes(result) == drawn
    for length in range(20):
        with pytest.raises(PacketError):
            Result.from_bytes(drawn[:length])
    with pytest.raises(PacketError, match="from 0 to 1"):
        Result.from_bytes(drawn[:12] + bytes.fromhex("0000803f 00000040"))


@given(st.binary(max_size=80), st.integers(1, 4))
def test_no_payload_leads_to_anything_but_our_error(data: bytes, channels: int) -> None:
    for kind in (INT16, INT24, DELTA16, DELTA24):
        with contextlib.suppress(PacketError):
            Packet(1, kind, 0, 0, data or b"\0").samples(channels)
    for parse in (Identity.from_bytes, Result.from_bytes):
        with contextlib.suppress(PacketError):
            parse(data)


@pytest.mark.parametrize(
    "packet",
    [
        Packet(1, INT16, 2**16, 0, bytes(2)),
        replace(DESCRIPTION, clock_hz=2**32),
        replace(DESCRIPTION, streams=(replace(DESCRIPTION.streams[0], name="n" * 256),)),
        replace(DESCRIPTION, streams=(replace(DESCRIPTION.streams[0], scale=1e39),)),
        Identity(bytes(31), bytes(32), ()),
        Result(0, 2**32, 0, 0, 0, 0.5, 0.5),
    ],
)
def test_what_does_not_fit_its_field_is_refused_with_our_error(packet: Any) -> None:
    with pytest.raises(PacketError):
        bytes(packet)
