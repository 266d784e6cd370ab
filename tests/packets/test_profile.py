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
from pulselet.packets.profile import END, INT16, PAUSE, Description, Packet, StreamInfo

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
    with pytest.raises(PacketError, match="4 values are not whole samples of 3 channels"):
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
