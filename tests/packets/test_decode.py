"""`decode`: which UUIDs it takes, what it refuses, and that nothing but our error comes out of any format."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError
from pulselet.packets import decode, known, polar, profile
from pulselet.packets.blood_pressure import BloodPressure, CuffPressure
from pulselet.packets.heart_rate import HeartRate
from pulselet.packets.thermometer import Temperature


@pytest.mark.parametrize(
    "uuid",
    [
        "00002a37-0000-1000-8000-00805f9b34fb",
        "00002A37-0000-1000-8000-00805F9B34FB",
        " 00002a37-0000-1000-8000-00805f9b34fb\n",
        "2A37",
        "2a37",
        "0x2A37",
        "00002A37",
        0x2A37,
    ],
)
def test_a_characteristic_is_known_by_all_its_names(uuid: str | int) -> None:
    assert decode(uuid, b"\x00\x48") == HeartRate(72)


# The 16-bit numbers of Bluetooth's Assigned Numbers, 3.8.
ASSIGNED = {
    "2a08": "DateTime",
    "2a19": "BatteryLevel",
    "2a1c": "Temperature",
    "2a1d": "TemperatureType",
    "2a1e": "Temperature",
    "2a23": "SystemId",
    "2a24": "ModelNumber",
    "2a25": "SerialNumber",
    "2a26": "FirmwareRevision",
    "2a27": "HardwareRevision",
    "2a28": "SoftwareRevision",
    "2a29": "ManufacturerName",
    "2a35": "BloodPressure",
    "2a36": "CuffPressure",
    "2a37": "HeartRate",
    "2a38": "BodySensorLocation",
    "2a50": "PnpId",
    "2a53": "Running",
    "2a5e": "PlxSpot",
    "2a5f": "PlxContinuous",
    "2a9d": "Weight",
    "2aa7": "ContinuousGlucose",
}


def test_the_standard_characteristics_have_their_assigned_numbers() -> None:
    base = "-0000-1000-8000-00805f9b34fb"
    found = {uuid[4:8]: form.__name__ for uuid, form in known().items() if uuid.endswith(base)}
    assert found == ASSIGNED


def test_two_characteristics_may_share_a_layout_and_two_layouts_a_shape() -> None:
    warm, pressures = bytes.fromhex("00 6c0100ff"), bytes.fromhex("00 7800 ff07 ff07")
    assert type(decode(0x2A1C, warm)) is type(decode(0x2A1E, warm)) is Temperature
    assert type(decode(0x2A35, pressures)) is BloodPressure
    assert type(decode(0x2A36, pressures)) is CuffPressure


def test_our_own_profile_is_known() -> None:
    sent = profile.Packet(1, profile.END, 500, 7)
    assert decode(profile.DATA.upper(), bytes(sent)) == sent
    assert known()[profile.DESCRIPTION] is profile.Description


def test_polars_data_and_all_that_its_control_point_says_are_known() -> None:
    """An ECG frame of one sample, 1 microvolt; a command carried out; a bit mask of features; a stream that ended."""
    assert type(decode(polar.DATA.upper(), bytes.fromhex("00 0000000000000000 00 010000"))) is polar.Frame
    answers = {"f0 02 00 00 00": "Response", "0f 01 00": "Features", "01 00": "Stopped"}
    for data, name in answers.items():
        assert type(decode(polar.CONTROL, bytes.fromhex(data))).__name__ == name


def test_a_bytearray_becomes_bytes() -> None:
    """bleak hands over bytearrays; a packet must not change when the buffer does."""
    buffer = bytearray(bytes(profile.Packet(1, profile.INT16, 0, 0, b"\1\0")))
    packet = decode(profile.DATA, cast(bytes, buffer))
    assert isinstance(packet, profile.Packet)
    assert type(packet.payload) is bytes


@pytest.mark.parametrize("uuid", ["2AFF", "heart rate", "", "0x", "2a3", 0x2AFF, -1, 2**200, "2a37-0000"])
def test_an_unknown_characteristic_is_named_with_those_that_are_known(uuid: str | int) -> None:
    with pytest.raises(PacketError) as caught:
        decode(uuid, b"\1\2")
    assert (f"{uuid:08x}" if isinstance(uuid, int) else uuid.lower()) in str(caught.value)
    assert "2a37" in str(caught.value)
    assert profile.DATA in str(caught.value)
    assert caught.value.payload == b"\1\2"


def test_what_is_known_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        known()["2a37"] = HeartRate  # type: ignore[index]


@pytest.mark.parametrize("uuid", known())
@given(data=st.binary(max_size=64))
def test_no_bytes_lead_to_anything_but_our_error(uuid: str, data: bytes) -> None:
    with contextlib.suppress(PacketError):
        decode(uuid, data)


def test_decoding_needs_no_heavy_package() -> None:
    code = "import sys, pulselet.packets; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded: set[Any] = set(done.stdout.split())
    assert not loaded & {"scipy", "bleak", "bumble", "tensorflow", "rich", "typer", "pandas"}
    assert "numpy" in loaded
