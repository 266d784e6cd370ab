"""Thermometers: bytes drawn from Health Thermometer Service 1.0, and Nordic's example."""

from __future__ import annotations

import pytest

from pulselet.errors import PacketError
from pulselet.packets.date_time import DateTime
from pulselet.packets.medical_float import Float
from pulselet.packets.thermometer import Temperature, TemperatureType


def test_a_measurement_is_drawn_as_the_standard_says() -> None:
    """98.6 degrees Fahrenheit under the tongue on 29 February 2024, 23:59:05."""
    data = bytes.fromhex("07 da0300ff e807 02 1d 17 3b 05 06")
    packet = Temperature.from_bytes(data)
    assert packet == Temperature(Float(986, -1), True, DateTime(2024, 2, 29, 23, 59, 5), 6)
    assert packet.place_name == "mouth"
    assert packet.celsius == pytest.approx(37)
    assert bytes(packet) == data


def test_nordics_example_is_read() -> None:
    """TemperatureMeasurementDataCallbackTest of Nordic's Android-BLE-Common-Library."""
    packet = Temperature.from_bytes(bytes.fromhex("06 b00e00fe dc07 0c 05 0b 32 1b 04"))
    assert packet.temperature == Float(3760, -2)
    assert packet.celsius == 37.6
    assert packet.time == DateTime(2012, 12, 5, 11, 50, 27)
    assert packet.place_name == "finger"


def test_no_reading_is_nan_in_both_units() -> None:
    for flags in ("00", "01"):
        packet = Temperature.from_bytes(bytes.fromhex(flags + "ffff7f00"))
        assert packet.temperature.special == "NaN"
        assert packet.celsius != packet.celsius


# Health Thermometer Service and GATT Specification Supplement, Temperature Type.
@pytest.mark.parametrize(
    ("place", "name"),
    [(0, None), (1, "armpit"), (2, "body"), (3, "ear"), (7, "rectum"), (9, "tympanum"), (10, None), (255, None)],
)
def test_places_are_named_as_the_standard_does(place: int, name: str | None) -> None:
    assert TemperatureType.from_bytes(bytes([place])).name == name
    assert bytes(TemperatureType(place)) == bytes([place])
    assert Temperature(Float(366, -1), place=place).place_name == name


def test_a_measurement_without_a_place_names_none() -> None:
    assert Temperature(Float(366, -1)).place_name is None


@pytest.mark.parametrize("data", [b"", b"\x01\x01"])
def test_a_type_is_one_byte(data: bytes) -> None:
    with pytest.raises(PacketError):
        TemperatureType.from_bytes(data)
