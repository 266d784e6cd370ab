"""Continuous glucose: bytes drawn from CGM Service 1.0.2, published checksums, and Nordic's examples."""

from __future__ import annotations

import pytest

from pulselet.errors import PacketError
from pulselet.packets.glucose import Annunciation, ContinuousGlucose, GlucoseRecord, e2e_crc
from pulselet.packets.medical_float import SFloat

PLAIN = bytes.fromhex("06 00 0c10 0600")
SECURED = bytes.fromhex("08 00 0c10 0600 596f")


# The example of CGMS 1.0.1, 3.11; the check value of CRC-16/MCRF4XX in the RevEng catalogue; Microchip's AN752.
@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (bytes.fromhex("3e 01 02 03 04 05 06 07 08 09"), 0x2F01),
        (b"123456789", 0x6F91),
        (bytes.fromhex("58251f98"), 0x07F1),
        (b"", 0xFFFF),
    ],
)
def test_the_checksum_is_the_published_one(data: bytes, crc: int) -> None:
    assert e2e_crc(data) == crc


def test_a_record_is_drawn_as_the_standard_says() -> None:
    """112 mg/dL after 5 min, only the warning octet, falling by 2.5 mg/dL a minute, quality 97 %."""
    data = bytes.fromhex("0b 23 7000 0500 14 e7ff 6100")
    record = GlucoseRecord(SFloat(112), 5, warning=0x14, trend_mg_dl_min=SFloat(-25, -1), quality_percent=SFloat(97))
    assert ContinuousGlucose.from_bytes(data) == ContinuousGlucose((record,))
    assert record.annunciation == Annunciation.BELOW_HYPO | Annunciation.FALLING_FAST
    assert bytes(record) == data


@pytest.mark.parametrize(
    ("flags", "octet", "said"),
    [
        (0x80, 0x02, Annunciation.BATTERY_LOW),
        (0x40, 0x02, Annunciation.CALIBRATION_NOT_ALLOWED),
        (0x20, 0x02, Annunciation.ABOVE_PATIENT_HIGH),
    ],
)
def test_a_lone_octet_means_what_its_flag_says(flags: int, octet: int, said: Annunciation) -> None:
    """GATT Specification Supplement: flag 7 is the status octet, bits 0 to 7; 6 the next; 5 the warnings."""
    assert GlucoseRecord.from_bytes(bytes([7, flags, 0x70, 0, 5, 0, octet])).annunciation == said


def test_nordics_full_example_is_read() -> None:
    """ContinuousGlucoseMeasurementDataCallbackTest of Nordic's Android-BLE-Common-Library, its checksum included."""
    data = bytes.fromhex("0f e3 d2e4 0500 02 14 ff 02f0 e5f3 8e3f")
    (record,) = ContinuousGlucose.from_bytes(data).records
    assert (record.glucose_mg_dl.value, record.offset_min, record.secured) == (12.34, 5, True)
    assert (record.trend_mg_dl_min, record.quality_percent) == (SFloat(2, -1), SFloat(997, -1))
    assert (record.status, record.calibration, record.warning) == (0x02, 0x14, 0xFF)
    low = Annunciation.BATTERY_LOW | Annunciation.CALIBRATION_RECOMMENDED | Annunciation.TOO_HOT
    assert record.annunciation == low | 0xFF0000
    assert bytes(record) == data


def test_nordics_two_records_in_one_notification_are_read() -> None:
    packet = ContinuousGlucose.from_bytes(bytes.fromhex("06 00 0c10 0500  06 00 0c10 0600"))
    assert [(record.glucose_mg_dl.value, record.offset_min) for record in packet.records] == [(120, 5), (120, 6)]
    assert not any(record.secured for record in packet.records)


def test_nordics_wrong_checksum_is_refused() -> None:
    assert ContinuousGlucose.from_bytes(SECURED).records[0].secured
    with pytest.raises(PacketError, match="the checksum is 0x6f58; wanted 0x6f59"):
        ContinuousGlucose.from_bytes(bytes.fromhex("08 00 0c10 0600 586f"))


def test_every_flipped_bit_is_noticed_where_a_checksum_is_known_to_be() -> None:
    assert ContinuousGlucose.from_bytes(SECURED, secured=True) == ContinuousGlucose.from_bytes(SECURED)
    for bit in range(len(SECURED) * 8):
        damaged = int.from_bytes(SECURED, "little") ^ 1 << bit
        with pytest.raises(PacketError):
            ContinuousGlucose.from_bytes(damaged.to_bytes(len(SECURED), "little"), secured=True)


def test_a_flipped_flag_can_hide_a_checksum_that_is_not_known_to_be() -> None:
    """Trend and checksum have two bytes each, and no flag tells them apart: the standard's own weakness."""
    damaged = bytes.fromhex("08 01 0c10 0600 596f")
    assert not ContinuousGlucose.from_bytes(damaged).records[0].secured
    with pytest.raises(PacketError, match="no checksum"):
        ContinuousGlucose.from_bytes(damaged, secured=True)


def test_a_checksum_from_a_device_that_sends_none_is_refused() -> None:
    with pytest.raises(PacketError, match="2 bytes too many"):
        ContinuousGlucose.from_bytes(SECURED, secured=False)


def test_the_second_of_two_records_is_checked_too() -> None:
    with pytest.raises(PacketError, match="checksum"):
        ContinuousGlucose.from_bytes(SECURED + SECURED[:-1] + b"\0")


@pytest.mark.parametrize("data", [PLAIN, SECURED, PLAIN + SECURED])
def test_a_notification_cut_within_a_record_is_refused(data: bytes) -> None:
    """Cut between two records it is a shorter notification, which nobody can tell from a whole one."""
    for length in set(range(len(data))) - {len(PLAIN) if len(data) > len(SECURED) else 0}:
        with pytest.raises(PacketError):
            ContinuousGlucose.from_bytes(data[:length])


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("05 00 0c10 06", "a record of 5 bytes; wanted 6 or more"),
        ("00", "a record of 0 bytes"),
        ("07 00 0c10 0600 00", "1 bytes too many"),
        ("09 00 0c10 0600 000000", "3 bytes too many"),
        ("09 00 0c10 0600 00 596f", "3 bytes too many"),
        ("06 80 0c10 0600", "middle of a field"),
    ],
)
def test_a_size_that_does_not_fit_the_flags_is_refused(data: str, complaint: str) -> None:
    with pytest.raises(PacketError, match=complaint):
        ContinuousGlucose.from_bytes(bytes.fromhex(data))


def test_a_lone_record_must_have_the_length_it_says() -> None:
    with pytest.raises(PacketError, match="7 bytes that call themselves 6"):
        GlucoseRecord.from_bytes(PLAIN + b"\0")


def test_an_unknown_field_before_a_checksum_is_kept() -> None:
    body = bytes.fromhex("09 04 0c10 0600 aa")
    data = body + e2e_crc(body).to_bytes(2, "little")
    (record,) = ContinuousGlucose.from_bytes(data).records
    assert (record.reserved, record.extra, record.secured) == (0x04, b"\xaa", True)
    assert bytes(record) == data
    assert ContinuousGlucose.from_bytes(data, secured=True).records == (record,)


def test_an_unknown_field_that_is_no_checksum_is_kept_unless_there_must_be_one() -> None:
    data = bytes.fromhex("09 04 0c10 0600 aabbcc")
    (record,) = ContinuousGlucose.from_bytes(data).records
    assert (record.extra, record.secured, bytes(record)) == (b"\xaa\xbb\xcc", False, data)
    with pytest.raises(PacketError, match="the checksum is 0xccbb"):
        ContinuousGlucose.from_bytes(data, secured=True)


def test_a_record_longer_than_its_size_can_say_is_not_written() -> None:
    with pytest.raises(PacketError, match="the size of a record is 256"):
        bytes(GlucoseRecord(SFloat(112), 5, reserved=0x04, extra=bytes(250)))
