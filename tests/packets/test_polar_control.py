"""The Polar control point: bytes that straps and public clients exchange, round trips, every truncation."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError
from pulselet.packets import polar_control
from pulselet.packets.polar import ACC, ECG, PPG, PPI, SDK_MODE
from pulselet.packets.polar_control import Command, Features, Response, Stopped, joined, parse, start
from pulselet.packets.polar_settings import Settings

ECG_OFFERED = bytes.fromhex("f0 01 00 00 00  00 01 8200  01 01 0e00")  # an H10: 130 Hz, 14 bits
ACC_OFFERED = bytes.fromhex("f0 01 02 00 00  00 04 1900 3200 6400 c800  01 01 1000  02 03 0200 0400 0800")
ACC_STARTED = bytes.fromhex("f0 02 02 00 00  05 01 00008039")  # factor 2**-12


def test_an_ecg_is_started_as_public_clients_do() -> None:
    """The ten bytes that clients for the H10 have in common, bleakheart among them."""
    settings = Settings(rate_hz=(130,), resolution_bits=(14,))
    assert start(ECG, settings) == bytes.fromhex("02 00 00 01 82 00 01 01 0e 00")


@pytest.mark.parametrize(
    ("data", "drawn"),
    [
        (polar_control.get_settings(ACC), "01 02"),
        (polar_control.get_settings(PPG, sdk_mode=True), "04 01"),
        (start(PPI), "02 03"),
        (polar_control.stop(ACC), "03 02"),
        (polar_control.START_SDK_MODE, "02 09"),
        (polar_control.STOP_SDK_MODE, "03 09"),
        (polar_control.STATUS, "05"),
        (polar_control.SDK_STATUS, "06"),
        (start(ACC, Settings((52,), (16,), (8,), (), (3,))), "02 02 00 01 3400 01 01 1000 02 01 0800 04 01 03"),
        (start(ACC, Settings(rate_hz=(52,), factor=(0.5,))), "02 02 00 01 3400"),
        (bytes(Settings(range_milliunit=(70_000,))), "03 01 70110100"),
    ],
)
def test_commands_are_drawn_as_published(data: bytes, drawn: str) -> None:
    assert data == bytes.fromhex(drawn)


def test_a_strap_offers_its_settings() -> None:
    assert Response.from_bytes(ECG_OFFERED).settings == Settings(rate_hz=(130,), resolution_bits=(14,))
    acc = Response.from_bytes(ACC_OFFERED)
    assert (acc.operation, acc.type, acc.error_name, acc.more) == (1, ACC, "success", 0)
    assert acc.settings == Settings(rate_hz=(25, 50, 100, 200), resolution_bits=(16,), range=(2, 4, 8))


def test_the_answer_to_the_start_command_has_the_factor() -> None:
    assert Response.from_bytes(ACC_STARTED).settings.single_factor == 2**-12
    assert Response.from_bytes(bytes.fromhex("f0 02 00 00 00")).settings.single_factor == 1.0


def test_a_refusal_says_why() -> None:
    found = Response.from_bytes(bytes.fromhex("f0 02 01 0d"))
    assert (found.error, found.error_name, found.more) == (polar_control.IN_CHARGER, "device in charger", None)
    assert Response.from_bytes(bytes.fromhex("f0 02 01 63")).error_name == "unknown error 99"


def test_one_of_each_is_chosen_the_largest_where_nobody_says() -> None:
    offered = Response.from_bytes(ACC_OFFERED).settings
    assert offered.choose(rate_hz=50) == Settings(rate_hz=(50,), resolution_bits=(16,), range=(8,))


def test_what_is_not_on_offer_cannot_be_chosen() -> None:
    with pytest.raises(PacketError, match=r"rate_hz 130 is not on offer; the device has \[25, 50, 100, 200\]"):
        Response.from_bytes(ACC_OFFERED).settings.choose(rate_hz=130)


def test_settings_of_an_unknown_type_are_kept() -> None:
    data = bytes.fromhex("00 01 8200 06 01 0203040506")
    found = Settings.from_bytes(data)
    assert (found.rate_hz, found.unknown) == ((130,), bytes.fromhex("06 01 0203040506"))
    assert bytes(found) == data


def test_a_single_byte_is_no_setting() -> None:
    assert Settings.from_bytes(b"\0") == Settings(unknown=b"\0")


def test_what_runs_is_told() -> None:
    found = Response.from_bytes(bytes.fromhex("f0 05 00 00 00 40 82 c1 05"))
    assert found.active == {
        ECG: polar_control.ONLINE,
        ACC: polar_control.OFFLINE,
        PPG: polar_control.ONLINE_AND_OFFLINE,
    }


@pytest.mark.parametrize(("byte", "on"), [("00", False), ("01", True)])
def test_the_sdk_mode_is_told(byte: str, on: bool) -> None:
    assert Response.from_bytes(bytes.fromhex(f"f0 06 00 00 00 {byte}")).sdk_mode is on


def test_features_are_a_mask() -> None:
    """An H10 has ECG and acceleration; its answer is 17 bytes long."""
    data = bytes.fromhex("0f 05") + bytes(15)
    assert Features.from_bytes(data).types == (ECG, ACC)
    assert bytes(Features.from_bytes(data)) == data
    assert bytes(Features.of(PPG, ACC, SDK_MODE)) == bytes.fromhex("0f 06 02")


def test_whatever_the_control_point_says_is_told_apart() -> None:
    assert isinstance(parse(ECG_OFFERED), Response)
    assert isinstance(parse(bytes.fromhex("0f 05 00")), Features)
    assert parse(bytes.fromhex("01 00 02")) == Stopped((ECG, ACC))
    with pytest.raises(PacketError, match="said 0x42"):
        parse(b"\x42\0\0\0\0")
    with pytest.raises(PacketError):
        parse(b"")


def test_an_answer_in_two_pieces_is_joined() -> None:
    first = Response.from_bytes(ACC_OFFERED[:4] + b"\x01" + ACC_OFFERED[5:12])
    second = Response.from_bytes(ACC_OFFERED[:5] + ACC_OFFERED[12:])
    assert joined([first, second]) == Response.from_bytes(ACC_OFFERED)


def test_pieces_that_are_no_answer_are_refused() -> None:
    more, other = Response(1, ACC, more=1), Response(1, ECG)
    for pieces in ([], [more], [other, other], [more, other]):
        with pytest.raises(PacketError):
            joined(pieces)


def test_a_recording_in_the_device_is_a_bit_in_the_type() -> None:
    command = Command.from_bytes(bytes.fromhex("02 82 00 01 3400"))
    assert command == Command(polar_control.START, ACC, Settings(rate_hz=(52,)), polar_control.OFFLINE_RECORDING_FLAG)
    assert bytes(command) == bytes.fromhex("02 82 00 01 3400")


@pytest.mark.parametrize("length", range(len(ACC_OFFERED)))
def test_a_response_cut_anywhere_is_refused_or_ends_after_a_setting(length: int) -> None:
    cut = ACC_OFFERED[:length]
    if length in (4, 5, 6, 15, 19):  # after the error, after more, after a lone byte, after a setting
        assert bytes(Response.from_bytes(cut)) == cut
        assert Settings.from_bytes(bytes(Response.from_bytes(cut).settings)) == Response.from_bytes(cut).settings
        return
    with pytest.raises(PacketError):
        assert Response.from_bytes(cut).settings


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_factor_that_is_no_number_is_refused(factor: float) -> None:
    with pytest.raises(PacketError, match="a factor of"):
        Settings.from_bytes(b"\x05\x01" + struct.pack("<f", factor))


@pytest.mark.parametrize(
    "packet",
    [
        Settings(rate_hz=(65536,)),
        Settings(channels=(-1,)),
        Settings(factor=(1e300,)),
        Settings(rate_hz=(1,) * 256),
        Command(256),
        Command(1, 300),
        Response(1, 0, 256),
        Stopped((256,)),
    ],
)
def test_what_does_not_fit_its_bytes_is_refused(packet: Settings | Command | Response | Stopped) -> None:
    with pytest.raises(PacketError):
        bytes(packet)


@pytest.mark.parametrize(
    "data", ["05 00", "06 00", "01", ""], ids=["status of a type", "sdk status of a type", "no type", "nothing"]
)
def test_a_command_that_makes_no_sense_is_refused(data: str) -> None:
    with pytest.raises(PacketError):
        Command.from_bytes(bytes.fromhex(data))


words = st.lists(st.integers(0, 2**16 - 1), max_size=5).map(tuple)
every_setting = st.builds(
    Settings,
    words,
    words,
    words,
    st.lists(st.integers(0, 2**32 - 1), max_size=3).map(tuple),
    st.lists(st.integers(0, 255), max_size=3).map(tuple),
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=2).map(tuple),
    st.sampled_from([b"", b"\x06\x01abc", b"\xff\0"]),
)
kinds, tops = st.integers(0, 63), st.integers(0, 3)


@given(st.builds(Command, st.sampled_from([1, 2, 3, 4, 9]), kinds, every_setting, tops))
def test_a_command_survives_the_round_trip(command: Command) -> None:
    assert Command.from_bytes(bytes(command)) == command


@given(st.builds(Response, st.integers(0, 255), kinds, st.integers(0, 255), st.integers(0, 255), st.binary(), tops))
def test_a_response_survives_the_round_trip(response: Response) -> None:
    assert parse(bytes(response)) == response


@given(st.binary(max_size=40), st.sampled_from([b"", b"\xf0", b"\x0f", b"\x01", b"\xf0\x01\x02\0\0"]))
def test_no_bytes_lead_to_anything_but_our_error(data: bytes, head: bytes) -> None:
    for read in (Command.from_bytes, Settings.from_bytes, Response.from_bytes, Features.from_bytes, parse):
        with contextlib.suppress(PacketError):
            found = read(head + data)
            bytes(found)
            if isinstance(found, Response):
                assert bytes(found) == head + data
                _ = found.active, found.settings, found.sdk_mode
