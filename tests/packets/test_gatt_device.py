"""Battery, device information, date and time: the standard's bytes, and those of bumble's own services."""

from __future__ import annotations

import datetime

import pytest
from bumble.profiles.battery_service import BatteryService
from bumble.profiles.device_information_service import DeviceInformationService

from pulselet.errors import PacketError
from pulselet.packets import decode
from pulselet.packets import device_information as di
from pulselet.packets.battery import BatteryLevel
from pulselet.packets.date_time import DateTime


def test_a_battery_level_is_what_bumbles_battery_service_sends() -> None:
    level = BatteryService(lambda _: 0).battery_level_characteristic
    for percent in range(101):
        assert BatteryLevel.from_bytes(level.encode_value(percent)) == BatteryLevel(percent)
        assert bytes(BatteryLevel(percent)) == level.encode_value(percent)


@pytest.mark.parametrize("data", [b"", b"\x65", b"\xff", b"\x32\x00"])
def test_what_is_no_percentage_is_refused(data: bytes) -> None:
    with pytest.raises(PacketError):
        BatteryLevel.from_bytes(data)


def test_what_bumbles_device_information_service_says_is_read() -> None:
    theirs = DeviceInformationService("Müller", "H10", "0042", "1.0", "5.0.1", "2.7", (0x123456, 0xFEFF987654))
    said = [decode(one.uuid.to_hex_str(), one.value) for one in theirs.characteristics]
    assert said == [
        di.ManufacturerName("Müller"),
        di.ModelNumber("H10"),
        di.SerialNumber("0042"),
        di.HardwareRevision("1.0"),
        di.FirmwareRevision("5.0.1"),
        di.SoftwareRevision("2.7"),
        di.SystemId(manufacturer=0xFEFF987654, organisation=0x123456),
    ]
    assert [bytes(one) for one in said] == [one.value for one in theirs.characteristics]


def test_a_system_id_is_drawn_as_the_standard_says() -> None:
    """Device Information Service: 40 bits of the manufacturer, lowest byte first, then the organisation's 24."""
    data = bytes.fromhex("efcdab fffe 563412".replace(" ", ""))
    assert di.SystemId.from_bytes(data) == di.SystemId(manufacturer=0xFEFFABCDEF, organisation=0x123456)


def test_a_pnp_id_is_drawn_as_the_standard_says() -> None:
    """Company 0x006B of the Bluetooth SIG's list, product 0x1234, version 1.0.2."""
    data = bytes.fromhex("01 6b00 3412 0201")
    assert di.PnpId.from_bytes(data) == di.PnpId(source=1, vendor=0x006B, product=0x1234, version=0x0102)
    assert bytes(di.PnpId.from_bytes(data)) == data


@pytest.mark.parametrize(("form", "size"), [(di.SystemId, 8), (di.PnpId, 7), (DateTime, 7)])
def test_another_length_is_refused(form: type[di.SystemId | di.PnpId | DateTime], size: int) -> None:
    for length in {*range(size + 3)} - {size}:
        with pytest.raises(PacketError):
            form.from_bytes(bytes(length))


def test_padding_is_no_part_of_a_text() -> None:
    packet = di.SerialNumber.from_bytes(b"A\0B\0\0")
    assert (packet.text, packet.padding, bytes(packet)) == ("A\0B", 2, b"A\0B\0\0")


def test_a_text_may_be_empty_but_not_latin_1() -> None:
    assert di.ModelNumber.from_bytes(b"") == di.ModelNumber("")
    with pytest.raises(PacketError, match="UTF-8"):
        di.ModelNumber.from_bytes("Müller".encode("latin-1"))


def test_texts_of_two_kinds_are_not_equal() -> None:
    assert len({di.ModelNumber("1"), di.SerialNumber("1"), di.ModelNumber("1")}) == 2


def test_a_date_is_drawn_as_the_standard_says() -> None:
    data = bytes.fromhex("e807 02 1d 17 3b 05")
    packet = DateTime.from_bytes(data)
    assert packet == DateTime(2024, 2, 29, 23, 59, 5)
    assert packet.moment == datetime.datetime(2024, 2, 29, 23, 59, 5)
    assert bytes(packet) == data


@pytest.mark.parametrize(
    "data",
    ["0000 02 1d 17 3b 05", "e807 00 1d 17 3b 05", "e807 02 00 17 3b 05", "e707 02 1d 17 3b 05", "ffff ff ff ff ff ff"],
    ids=["year not known", "month not known", "day not known", "no such day", "nothing right"],
)
def test_what_is_no_full_date_is_kept_without_a_moment(data: str) -> None:
    packet = DateTime.from_bytes(bytes.fromhex(data))
    assert packet.moment is None
    assert bytes(packet) == bytes.fromhex(data)
