"""Movesense GSP: bytes drawn by hand from the specification and the API's files, round trips, random bytes."""

from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError
from pulselet.packets import movesense
from pulselet.packets.movesense import CONTINUED, DATA, RESULT, Command, Hello, Joiner, LogPiece, Reply
from pulselet.packets.movesense_data import HeartRate, Measurement, Stream


@pytest.mark.parametrize(
    ("data", "drawn"),
    [
        (movesense.hello(1), "00 01"),
        (movesense.subscribe(99, "/Meas/ECG/200"), "01 63 2f4d6561732f4543472f323030"),
        (movesense.unsubscribe(99), "02 63"),
        (movesense.fetch_log(100, 7), "03 64 07000000"),
        (movesense.get(5, "/Info"), "04 05 2f496e666f 00"),
    ],
)
def test_commands_are_drawn_as_published(data: bytes, drawn: str) -> None:
    assert data == bytes.fromhex(drawn)
    assert bytes(Command.from_bytes(data)) == data


def test_a_result_has_a_status() -> None:
    found = Reply.from_bytes(bytes.fromhex("01 63 c800 0102"))
    assert (found.code, found.reference, found.status, found.content) == (RESULT, 99, movesense.OK, b"\1\2")
    assert Reply.from_bytes(bytes.fromhex("01 63 9401")).status == 404


def test_a_sensor_says_who_it_is() -> None:
    texts = b"210330000123\0Movesense\x000C:8C:DC:3E:57:6B\0gatt_sensordata_app\x001.0.0\0"
    found = Reply.from_bytes(b"\x01\x05\x01" + texts).hello
    assert found == Hello(1, "210330000123", "Movesense", "0C:8C:DC:3E:57:6B", "gatt_sensordata_app", "1.0.0")


@pytest.mark.parametrize("texts", [b"", b"\x01a\0b\0c\0d", b"\x01\xff\0b\0c\0d\0e\0"])
def test_a_greeting_that_makes_no_sense_is_refused(texts: bytes) -> None:
    with pytest.raises(PacketError):
        _ = Reply(RESULT, 5, texts).hello


def floats(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def test_acceleration_is_three_floats_a_sample() -> None:
    stream = Stream.of("/Meas/Acc/52")
    found = stream.read(bytes.fromhex("39300000") + floats(1.0, 2.0, 3.0, -1.5, -2.5, 9.80665))
    assert found.time_ms == 12345
    assert found.values.tolist() == np.array([[1.0, 2.0, 3.0], [-1.5, -2.5, 9.80665]], np.float32).tolist()
    assert (stream.channels, stream.units, stream.rate_hz) == (("acc_x", "acc_y", "acc_z"), ("m/s²",) * 3, 52)


def test_the_arrays_of_nine_axes_lie_one_behind_another() -> None:
    stream = Stream.of("Meas/IMU9/104")
    acc, gyro, magn = (1, 2, 3, 4, 5, 6), (11, 12, 13, 14, 15, 16), (21, 22, 23, 24, 25, 26)
    found = stream.read(bytes(4) + floats(*acc, *gyro, *magn))
    assert found.values.tolist() == [[1, 2, 3, 11, 12, 13, 21, 22, 23], [4, 5, 6, 14, 15, 16, 24, 25, 26]]
    assert stream.units == ("m/s²",) * 3 + ("deg/s",) * 3 + ("µT",) * 3


def test_a_raw_ecg_is_whole_numbers_of_0_381_microvolt() -> None:
    """By hand: 1 V / (gain 20 * 2**17) = 0.38147 µV, which clients know as 0.381."""
    stream = Stream.of("/Meas/ECG/128")
    found = stream.read(bytes.fromhex("2a000000 40420f00 38ffffff"))
    assert found.values[:, 0].tolist() == pytest.approx([381.4697265625, -0.0762939453125])
    assert stream.units == ("mV",)


def test_an_ecg_in_millivolt_is_floats() -> None:
    assert Stream.of("/Meas/ECG/250/mV").read(bytes(4) + floats(0.5, -1.25)).values.tolist() == [[0.5], [-1.25]]


def test_a_temperature_is_one_float() -> None:
    found = Stream.of("/Meas/Temp").read(bytes.fromhex("07000000") + floats(310.15))
    assert (found.time_ms, found.values.tolist()) == (7, [[np.float32(310.15)]])


@pytest.mark.parametrize(
    "path", ["/Meas/Acc", "/Meas/HR", "/Meas/Temp/5", "/Meas/Acc/52/mV", "/Info", "/Meas/Foo/9", ""]
)
def test_an_unknown_path_is_refused(path: str) -> None:
    with pytest.raises(PacketError, match="no stream is known"):
        Stream.of(path)


@pytest.mark.parametrize("length", range(4 + 36))
def test_a_measurement_cut_before_its_last_sample_is_refused(length: int) -> None:
    whole = bytes(4) + floats(*range(9))
    assert len(whole) == 40
    with pytest.raises(PacketError):
        Stream.of("/Meas/IMU9/52").read(whole[:length])


def test_a_heart_rate_has_an_average_and_intervals() -> None:
    """The eight bytes that clients unpack as `<BBfH`, after their first two."""
    found = HeartRate.from_bytes(floats(72.5) + bytes.fromhex("2003"))
    assert found == HeartRate(72.5, (800,))
    assert bytes(found) == floats(72.5) + bytes.fromhex("2003")


@pytest.mark.parametrize("length", [0, 3, 5])
def test_a_heart_rate_cut_short_is_refused(length: int) -> None:
    with pytest.raises(PacketError):
        HeartRate.from_bytes(bytes(6)[:length])


@pytest.mark.parametrize("rate", [HeartRate(1e300, ()), HeartRate(60.0, (65536,))])
def test_a_heart_rate_that_does_not_fit_is_refused(rate: HeartRate) -> None:
    with pytest.raises(PacketError, match="do not fit"):
        bytes(rate)


def test_a_long_measurement_is_joined() -> None:
    """Eight samples of nine axes are 292 bytes, and a notification holds 150 of them."""
    stream = Stream.of("/Meas/IMU9/104")
    sent = stream.write(Measurement(5, np.arange(72, dtype=np.float32).reshape(8, 9)))
    joiner = Joiner()
    assert joiner.feed(Reply(DATA, 9, sent[:150])) == []
    assert joiner.feed(Reply(DATA, 8, b"abc")) == [Reply(DATA, 8, b"abc")]  # of another subscription
    (whole,) = joiner.feed(Reply(CONTINUED, 9, sent[150:]))
    assert stream.read(whole.payload).values.tolist() == np.arange(72).reshape(8, 9).tolist()


def test_a_full_notification_that_is_not_continued_comes_out_with_the_next() -> None:
    joiner = Joiner(full_bytes=10)
    first, second = Reply(DATA, 9, bytes(8)), Reply(DATA, 9, b"short")
    assert joiner.feed(first) == []
    assert joiner.feed(second) == [first, second]


def test_a_continuation_of_nothing_is_counted() -> None:
    joiner = Joiner()
    assert joiner.feed(Reply(CONTINUED, 9, bytes(8))) == []
    assert joiner.orphans == 1


def test_a_result_passes_through() -> None:
    assert Joiner().feed(Reply(RESULT, 9, bytes(200))) == [Reply(RESULT, 9, bytes(200))]


def test_a_piece_of_a_log_has_an_offset() -> None:
    assert LogPiece.from_bytes(bytes.fromhex("00010000 5342")) == LogPiece(256, b"SB")
    assert bytes(LogPiece(256, b"SB")) == bytes.fromhex("00010000 5342")


@pytest.mark.parametrize("data", ["", "01", "01 00", "04 05", "00 01"])
def test_a_notification_that_makes_no_sense_is_refused(data: str) -> None:
    read = Command.from_bytes if data in ("01 00",) else Reply.from_bytes
    with pytest.raises(PacketError):
        read(bytes.fromhex(data))


@pytest.mark.parametrize(("operation", "reference"), [(1, 0), (1, 256), (256, 1), (-1, 1)])
def test_a_command_without_a_reference_is_refused(operation: int, reference: int) -> None:
    with pytest.raises(PacketError, match="wanted 1 to 255, never 0"):
        Command(operation, reference)
    with pytest.raises(PacketError):
        movesense.fetch_log(1, 2**32)


def test_an_ecg_beyond_its_bits_is_refused() -> None:
    with pytest.raises(PacketError, match="do not fit"):
        Stream.of("/Meas/ECG/128").write(Measurement(0, np.array([[1e6]], np.float32)))


@given(st.sampled_from(["/Meas/Acc/52", "/Meas/IMU6/104", "/Meas/IMU6m/52", "/Meas/ECG/500"]), st.data())
def test_measurements_survive_the_round_trip(path: str, data: st.DataObject) -> None:
    stream = Stream.of(path)
    numbers = st.integers(-(2**20), 2**20).map(lambda value: np.float32(value * stream.scale))
    row = st.lists(numbers, min_size=len(stream.channels), max_size=len(stream.channels))
    values = np.array(data.draw(st.lists(row, min_size=1, max_size=20)), np.float32)
    found = stream.read(stream.write(Measurement(2**32 - 1, values)))
    assert found.time_ms == 2**32 - 1
    assert found.values.tolist() == values.tolist()


@given(st.binary(max_size=80))
def test_no_bytes_lead_to_anything_but_our_error(data: bytes) -> None:
    paths = ("/Meas/Acc/52", "/Meas/IMU9/52", "/Meas/ECG/125", "/Meas/ECG/125/mV", "/Meas/Temp")
    for read in (
        Command.from_bytes,
        HeartRate.from_bytes,
        LogPiece.from_bytes,
        *(Stream.of(path).read for path in paths),
    ):
        with contextlib.suppress(PacketError):
            read(data)
    with contextlib.suppress(PacketError):
        reply = Reply.from_bytes(data)
        assert bytes(reply) == data
        _ = reply.status, reply.hello
