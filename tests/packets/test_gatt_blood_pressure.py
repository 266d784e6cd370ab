"""Blood pressure: bytes drawn from Blood Pressure Service 1.1, and Nordic's examples."""

from __future__ import annotations

import pytest

from pulselet.packets.blood_pressure import UNKNOWN_USER, BloodPressure, CuffPressure, CuffStatus
from pulselet.packets.date_time import DateTime
from pulselet.packets.medical_float import SFloat


def test_a_measurement_is_drawn_as_the_standard_says() -> None:
    """16.0, 10.7 and 12.4 kPa with everything that can be sent; the user is not known."""
    data = bytes.fromhex("1f a0f0 6bf0 7cf0 e807 02 1d 17 3b 05 3c00 ff 1400")
    packet = BloodPressure.from_bytes(data)
    assert packet == BloodPressure(
        SFloat(160, -1),
        SFloat(107, -1),
        SFloat(124, -1),
        kilopascal=True,
        time=DateTime(2024, 2, 29, 23, 59, 5),
        pulse_bpm=SFloat(60),
        user=UNKNOWN_USER,
        status=CuffStatus.IRREGULAR_PULSE | CuffStatus.PULSE_TOO_SLOW,
    )
    assert packet.unit == "kPa"
    assert packet.mmhg(packet.systolic) == pytest.approx(120.0, abs=0.02)  # 1 mmHg is 133.322 Pa
    assert bytes(packet) == data


def test_nordics_measurements_are_read() -> None:
    """BloodPressureMeasurementDataCallbackTest of Nordic's Android-BLE-Common-Library."""
    full = BloodPressure.from_bytes(bytes.fromhex("1e 8a00 5800 7800 0000 04 11 14 29 3b 3c00 01 2700"))
    assert [full.mmhg(part) for part in (full.systolic, full.diastolic, full.mean)] == [138, 88, 120]
    assert full.time == DateTime(0, 4, 17, 20, 41, 59)
    assert full.time.moment is None
    assert (full.pulse_bpm, full.user, full.unit) == (SFloat(60), 1, "mmHg")
    wrong = CuffStatus.BODY_MOVED | CuffStatus.CUFF_TOO_LOOSE | CuffStatus.IRREGULAR_PULSE | CuffStatus.WRONG_POSITION
    assert full.status == wrong
    some = BloodPressure.from_bytes(bytes.fromhex("15 bdf0 0b00 9ff0 3c00 1200"))
    assert [part.value for part in (some.systolic, some.diastolic, some.mean)] == [18.9, 11.0, 15.9]
    assert (some.unit, some.user, some.time) == ("kPa", None, None)
    assert some.status == CuffStatus.CUFF_TOO_LOOSE | CuffStatus.PULSE_TOO_SLOW


def test_a_cuff_pressure_is_not_a_blood_pressure() -> None:
    """Blood Pressure Service 1.1: the two unused fields are NaN."""
    packet = CuffPressure.from_bytes(bytes.fromhex("00 9600 ff07 ff07"))
    assert packet.cuff.value == 150
    assert [part.special for part in packet.unused] == ["NaN", "NaN"]
    assert not isinstance(packet, BloodPressure)


def test_nordics_cuff_pressures_are_read() -> None:
    """IntermediateCuffPressureDataCallbackTest; it sends 0 in the unused fields, and that comes out again."""
    data = bytes.fromhex("1e 0400 0000 0000 0000 04 11 14 29 3b 3c00 01 2700")
    full = CuffPressure.from_bytes(data)
    assert (full.cuff, full.unit, full.pulse_bpm, full.user) == (SFloat(4), "mmHg", SFloat(60), 1)
    assert bytes(full) == data
    some = CuffPressure.from_bytes(bytes.fromhex("15 6ff0 0000 0000 3c00 1200"))
    assert (some.cuff.value, some.unit) == (11.1, "kPa")


def test_reserved_status_bits_are_kept() -> None:
    data = bytes.fromhex("10 7800 5000 5d00 c0ff")
    packet = BloodPressure.from_bytes(data)
    assert packet.status == 0xFFC0
    assert bytes(packet) == data
