"""The flagged characteristics together: all 256 flag bytes, all truncations, bytes of any kind.

The tables say, in the standard's order, how many bytes each field has with its flag set and with it clear.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError
from pulselet.packets.battery import BatteryLevel
from pulselet.packets.blood_pressure import BloodPressure, CuffPressure
from pulselet.packets.date_time import DateTime
from pulselet.packets.device_information import ManufacturerName, PnpId, SystemId
from pulselet.packets.glucose import ContinuousGlucose, GlucoseRecord
from pulselet.packets.heart_rate import BodySensorLocation, HeartRate
from pulselet.packets.pulse_oximeter import Oximetry, PlxContinuous, PlxSpot
from pulselet.packets.running import Running
from pulselet.packets.thermometer import Temperature, TemperatureType
from pulselet.packets.weight import Weight

Fields = tuple[tuple[int, int, int], ...]  # flag, bytes if it is set, bytes if it is not

PRESSURES: Fields = ((0, 0, 6), (0x02, 7, 0), (0x04, 2, 0), (0x08, 1, 0), (0x10, 2, 0))
LAYOUTS: dict[Any, tuple[int, Fields]] = {  # all flags that the standard defines, and the fields
    HeartRate: (0x1F, ((0x01, 2, 1), (0x08, 2, 0), (0x10, 2, 0))),
    PlxSpot: (0x1F, ((0, 0, 4), (0x01, 7, 0), (0x02, 2, 0), (0x04, 3, 0), (0x08, 2, 0))),
    PlxContinuous: (0x1F, ((0, 0, 4), (0x01, 4, 0), (0x02, 4, 0), (0x04, 2, 0), (0x08, 3, 0), (0x10, 2, 0))),
    Temperature: (0x07, ((0, 0, 4), (0x02, 7, 0), (0x04, 1, 0))),
    BloodPressure: (0x1F, PRESSURES),
    CuffPressure: (0x1F, PRESSURES),
    Weight: (0x0F, ((0, 0, 2), (0x02, 7, 0), (0x04, 1, 0), (0x08, 4, 0))),
    Running: (0x07, ((0, 0, 3), (0x01, 2, 0), (0x02, 4, 0))),
}
FORMS = pytest.mark.parametrize("form", LAYOUTS)
EVERYTHING: tuple[Any, ...] = (
    *LAYOUTS,
    BatteryLevel,
    BodySensorLocation,
    ContinuousGlucose,
    DateTime,
    GlucoseRecord,
    ManufacturerName,
    Oximetry,
    PnpId,
    SystemId,
    TemperatureType,
)


def drawn(fields: Iterable[tuple[int, int, int]], flags: int) -> bytes:
    """Return a packet as the table says, no two bytes of its fields alike."""
    size = sum(with_flag if flags & bit else without for bit, with_flag, without in fields)
    return bytes([flags, *range(1, size + 1)])


def all_flags(form: Any) -> Iterator[tuple[int, int, bytes]]:
    """Yield each flags byte, the unknown ones in it, and a packet with it."""
    known, fields = LAYOUTS[form]
    for flags in range(256):
        yield flags, flags & ~known, drawn(fields, flags)


@FORMS
def test_all_combinations_of_flags_survive_the_round_trip(form: Any) -> None:
    for flags, reserved, data in all_flags(form):
        packet = form.from_bytes(data)
        assert bytes(packet) == data, f"flags {flags:#x}"
        assert (packet.reserved, packet.extra) == (reserved, b"")


@FORMS
def test_a_packet_cut_anywhere_is_refused(form: Any) -> None:
    for _, _, data in all_flags(form):
        for length in range(len(data)):
            with pytest.raises(PacketError) as caught:
                form.from_bytes(data[:length])
            assert caught.value.payload == data[:length]


@FORMS
def test_what_no_flag_announces_is_refused(form: Any) -> None:
    for _, reserved, data in all_flags(form):
        if not reserved:
            with pytest.raises(PacketError, match="1 bytes too many"):
                form.from_bytes(data + b"\x01")


@FORMS
def test_what_an_unknown_flag_announces_is_kept(form: Any) -> None:
    for flags, reserved, data in all_flags(form):
        if not reserved or (form is HeartRate and flags & 0x10):
            continue
        packet = form.from_bytes(data + b"\xaa\xbb\xcc")
        assert packet.extra == b"\xaa\xbb\xcc"
        assert bytes(packet) == data + b"\xaa\xbb\xcc"


def test_after_intervals_only_an_odd_byte_can_be_told_apart() -> None:
    packet = HeartRate.from_bytes(bytes.fromhex("30 3c 0004 0005 aa"))
    assert (packet.rr, packet.reserved, packet.extra) == ((1024, 1280), 0x20, b"\xaa")
    assert bytes(packet) == bytes.fromhex("30 3c 0004 0005 aa")


@FORMS
def test_a_packet_that_would_be_read_otherwise_is_not_written(form: Any) -> None:
    known, fields = LAYOUTS[form]
    packet = form.from_bytes(drawn(fields, 0))
    for wrong in ({"reserved": 0x01}, {"reserved": known}, {"reserved": 0x100}, {"reserved": -1}, {"extra": b"\0"}):
        with pytest.raises(PacketError, match="reserved flag"):
            bytes(replace(packet, **wrong))


def test_a_number_that_does_not_fit_is_not_written() -> None:
    for packet, complaint in (
        (HeartRate(256), "a heart rate is 256; wanted a whole number from 0 to 255"),
        (HeartRate(-1), "a heart rate is -1"),
        (HeartRate(60, rr=(65536,)), "an interval is 65536"),
        (Running(65536, 0), "a speed is 65536"),
        (DateTime(2024, 1, 1, 256, 0, 0), "a part of a date is 256"),
        (PnpId(1, 2, 3, 65536), "a PnP number is 65536"),
    ):
        with pytest.raises(PacketError, match=complaint):
            bytes(packet)


@pytest.mark.parametrize("form", EVERYTHING)
@given(data=st.binary(max_size=40))
def test_any_bytes_are_refused_by_our_error_or_come_out_again(form: Any, data: bytes) -> None:
    with contextlib.suppress(PacketError):
        assert bytes(form.from_bytes(data)) == data


@FORMS
@given(flags=st.integers(0, 255), noise=st.binary(min_size=40, max_size=40), cut=st.integers(0, 3))
def test_any_field_values_come_out_again(form: Any, flags: int, noise: bytes, cut: int) -> None:
    """The bytes of `drawn` are small numbers; these are any, and the length is right more often than by chance."""
    _, fields = LAYOUTS[form]
    size = len(drawn(fields, flags))
    data = bytes([flags]) + noise[: size - 1 + cut]
    with contextlib.suppress(PacketError):
        assert bytes(form.from_bytes(data)) == data
    full = bytes([flags]) + noise[: size - 1]
    assert bytes(form.from_bytes(full)) == full


# One record of continuous glucose: size, flags, concentration and time offset, then these.
GLUCOSE: Fields = ((0, 0, 4), (0x80, 1, 0), (0x40, 1, 0), (0x20, 1, 0), (0x01, 2, 0), (0x02, 2, 0))


def test_all_flags_of_a_glucose_record_survive_the_round_trip() -> None:
    for flags in range(256):
        body = drawn(GLUCOSE, flags)
        data = bytes([1 + len(body)]) + body
        packet = ContinuousGlucose.from_bytes(data + data)
        assert bytes(packet) == data + data
        assert [record.reserved for record in packet.records] == [flags & 0x1C] * 2


def test_a_glucose_record_cut_anywhere_is_refused() -> None:
    for flags in range(256):
        body = drawn(GLUCOSE, flags)
        data = bytes([1 + len(body)]) + body
        for length in range(len(data)):
            with pytest.raises(PacketError):
                ContinuousGlucose.from_bytes(data[:length])
            if length:
                with pytest.raises(PacketError):
                    ContinuousGlucose.from_bytes(bytes([length]) + data[1:length])
