"""Heart rate: bytes drawn from Heart Rate Service 1.0, Nordic's examples, and bumble's own decoder beside ours."""

from __future__ import annotations

import pytest
from bumble.profiles.heart_rate_service import HeartRateService
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError
from pulselet.packets.heart_rate import BodySensorLocation, HeartRate


def test_a_measurement_is_drawn_as_the_standard_says() -> None:
    """16-bit rate, contact seen and supported, energy, two intervals: 300/min, 1000 kJ, 1024 and 512 of 1/1024 s."""
    data = bytes.fromhex("1f 2c01 e803 0004 0002")
    packet = HeartRate.from_bytes(data)
    assert packet == HeartRate(300, True, True, True, 1000, (1024, 512))
    assert packet.rr_s == (1.0, 0.5)
    assert packet.contact is True
    assert bytes(packet) == data


# HeartRateMeasurementDataCallbackTest of Nordic's Android-BLE-Common-Library.
@pytest.mark.parametrize(
    ("data", "bpm", "contact", "energy_kj", "rr"),
    [
        ("00 55", 85, None, None, ()),
        ("04 ff", 255, False, None, ()),
        ("1e 55 3200 2100", 85, True, 50, (33,)),
        ("1f 0101 3201 0100 0201 ffff", 257, True, 306, (1, 258, 65535)),
    ],
)
def test_nordics_examples_are_read(
    data: str, bpm: int, contact: bool | None, energy_kj: int | None, rr: tuple[int, ...]
) -> None:
    packet = HeartRate.from_bytes(bytes.fromhex(data))
    assert (packet.bpm, packet.contact, packet.energy_kj, packet.rr) == (bpm, contact, energy_kj, rr)
    assert bytes(packet) == bytes.fromhex(data)


def test_nordics_truncated_example_is_refused() -> None:
    with pytest.raises(PacketError, match="middle of a field"):
        HeartRate.from_bytes(bytes.fromhex("17 0101"))


def test_a_small_rate_sent_wide_stays_wide() -> None:
    assert bytes(HeartRate.from_bytes(bytes.fromhex("01 4800"))) == bytes.fromhex("01 4800")
    assert bytes(HeartRate(72)) == bytes.fromhex("00 48")


def test_a_contact_flag_without_support_says_nothing() -> None:
    packet = HeartRate.from_bytes(bytes.fromhex("02 48"))
    assert packet.contact is None
    assert bytes(packet) == bytes.fromhex("02 48")


def test_announced_intervals_that_are_absent_or_halved_are_refused() -> None:
    for data in ("10 3c", "10 3c 00", "10 3c 0004 00", "30 3c"):
        with pytest.raises(PacketError):
            HeartRate.from_bytes(bytes.fromhex(data))


@given(
    flags=st.integers(0, 0x1F),
    rate=st.integers(0, 65535),
    energy_kj=st.integers(0, 65535),
    rr=st.lists(st.integers(0, 65535), min_size=1, max_size=9),
)
def test_bumble_reads_the_same(flags: int, rate: int, energy_kj: int, rr: list[int]) -> None:
    data = bytes([flags]) + (rate.to_bytes(2, "little") if flags & 0x01 else bytes([rate % 256]))
    data += energy_kj.to_bytes(2, "little") if flags & 0x08 else b""
    data += b"".join(interval.to_bytes(2, "little") for interval in rr) if flags & 0x10 else b""
    ours, theirs = HeartRate.from_bytes(data), HeartRateService.HeartRateMeasurement.from_bytes(data)
    assert ours.bpm == theirs.heart_rate
    assert ours.energy_kj == theirs.energy_expended
    assert ours.rr_s == tuple(theirs.rr_intervals or ())
    assert ours.contact == theirs.sensor_contact_detected


def test_what_bumble_writes_is_read() -> None:
    theirs = HeartRateService.HeartRateMeasurement(
        heart_rate=61, sensor_contact_detected=True, energy_expended=7, rr_intervals=[1.0, 0.75]
    )
    ours = HeartRate(61, contact_detected=True, contact_supported=True, energy_kj=7, rr=(1024, 768))
    assert HeartRate.from_bytes(bytes(theirs)) == ours
    assert bytes(ours) == bytes(theirs)


@pytest.mark.parametrize("place", HeartRateService.BodySensorLocation)
def test_places_have_bumbles_names(place: HeartRateService.BodySensorLocation) -> None:
    packet = BodySensorLocation.from_bytes(bytes([place]))
    assert packet.name == place.name.lower().replace("_", " ")
    assert bytes(packet) == bytes([place])


def test_an_undefined_place_is_kept_without_a_name() -> None:
    packet = BodySensorLocation.from_bytes(b"\x07")
    assert (packet.place, packet.name, bytes(packet)) == (7, None, b"\x07")


@pytest.mark.parametrize("data", [b"", b"\x01\x01"])
def test_a_place_is_one_byte(data: bytes) -> None:
    with pytest.raises(PacketError):
        BodySensorLocation.from_bytes(data)
