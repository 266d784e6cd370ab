"""Oximeters: bytes drawn from Pulse Oximeter Service 1.0.1, bytes of a real device, and Stanford's examples."""

from __future__ import annotations

import pytest

from pulselet.packets.date_time import DateTime
from pulselet.packets.medical_float import SFloat
from pulselet.packets.pulse_oximeter import MeasurementStatus, Oximetry, PlxContinuous, PlxSpot, SensorStatus


def test_a_continuous_measurement_is_drawn_as_the_standard_says() -> None:
    """Normal, fast and slow pair, both status fields, amplitude 3.5 %."""
    data = bytes.fromhex("1f 6200 4e00 6100 5000 6300 4c00 2041 100000 23f0")
    packet = PlxContinuous.from_bytes(data)
    assert packet == PlxContinuous(
        normal=Oximetry(SFloat(98), SFloat(78)),
        fast=Oximetry(SFloat(97), SFloat(80)),
        slow=Oximetry(SFloat(99), SFloat(76)),
        measurement_status=MeasurementStatus.ONGOING
        | MeasurementStatus.FULLY_QUALIFIED
        | MeasurementStatus.QUESTIONABLE,
        sensor_status=SensorStatus.POOR_SIGNAL,
        amplitude_percent=SFloat(35, -1),
    )
    assert bytes(packet) == data


def test_a_lone_second_pair_is_fast_or_slow_as_its_flag_says() -> None:
    pair = Oximetry(SFloat(97), SFloat(80))
    fast = PlxContinuous.from_bytes(bytes.fromhex("01 6200 4e00 6100 5000"))
    slow = PlxContinuous.from_bytes(bytes.fromhex("02 6200 4e00 6100 5000"))
    assert (fast.fast, fast.slow, slow.fast, slow.slow) == (pair, None, None, pair)


def test_a_spot_check_is_drawn_as_the_standard_says() -> None:
    """Time, both status fields, amplitude, and a clock that was never set."""
    data = bytes.fromhex("1f 6200 4e00 e807 02 1d 17 3b 05 0080 008000 23f0")
    packet = PlxSpot.from_bytes(data)
    assert packet == PlxSpot(
        normal=Oximetry(SFloat(98), SFloat(78)),
        time=DateTime(2024, 2, 29, 23, 59, 5),
        measurement_status=MeasurementStatus.INVALID,
        sensor_status=SensorStatus.SENSOR_DISCONNECTED,
        amplitude_percent=SFloat(35, -1),
        clock_not_set=True,
    )
    assert bytes(packet) == data


def test_a_choicemmed_oximeter_is_read() -> None:
    """Seen with nRF Connect: Stack Overflow, question 71264072."""
    spot = PlxSpot.from_bytes(bytes.fromhex("17 6100 6000 e10701 01 01 22 13 2000 200000".replace(" ", "")))
    assert (spot.normal.spo2_percent.value, spot.normal.pulse_bpm.value) == (97, 96)
    assert spot.time == DateTime(2017, 1, 1, 1, 34, 19)
    assert spot.clock_not_set
    assert (spot.measurement_status, spot.sensor_status) == (MeasurementStatus.ONGOING, SensorStatus.LOW_PERFUSION)
    ongoing = PlxContinuous.from_bytes(bytes.fromhex("0c 6200 4e00 2000 000000"))
    assert (ongoing.normal.spo2_percent.value, ongoing.normal.pulse_bpm.value) == (98, 78)
    assert (ongoing.measurement_status, ongoing.sensor_status) == (MeasurementStatus.ONGOING, 0)


def test_stanfords_examples_are_read() -> None:
    """PLXTests of StanfordSpezi/SpeziBluetooth; one byte string per example, as there."""
    simple = PlxContinuous.from_bytes(bytes([28, 95, 0, 90, 0, 32, 0, 0, 0, 0, 87, 240]))
    assert (simple.normal.spo2_percent.value, simple.normal.pulse_bpm.value) == (95, 90)
    assert simple.measurement_status == MeasurementStatus.ONGOING
    assert simple.amplitude_percent is not None
    assert simple.amplitude_percent.value == 8.7
    full = PlxContinuous.from_bytes(
        bytes([31, 222, 243, 202, 243, 202, 243, 90, 245, 212, 243, 178, 242, 32, 1, 0, 0, 0, 122, 227])
    )
    assert full.fast is not None
    assert full.slow is not None
    pairs = [(pair.spo2_percent.value, pair.pulse_bpm.value) for pair in (full.normal, full.fast, full.slow)]
    assert pairs == [(99, 97), (97, 137), (98, 69)]
    assert full.measurement_status == MeasurementStatus.ONGOING | MeasurementStatus.FULLY_QUALIFIED
    assert full.amplitude_percent == SFloat(890, -2)
    spot = PlxSpot.from_bytes(bytes([15, 172, 243, 190, 245, 232, 7, 11, 29, 23, 8, 57, 32, 64, 34, 0, 0, 102, 227]))
    assert (spot.normal.spo2_percent.value, spot.normal.pulse_bpm.value) == (94, 147)
    assert spot.time == DateTime(2024, 11, 29, 23, 8, 57)
    assert spot.measurement_status == MeasurementStatus.ONGOING | MeasurementStatus.QUESTIONABLE
    assert spot.sensor_status == SensorStatus.EQUIPMENT_MALFUNCTION | SensorStatus.LOW_PERFUSION


def test_a_finger_that_is_not_there_is_nan() -> None:
    packet = PlxContinuous.from_bytes(bytes.fromhex("00 ff07 ff07"))
    assert packet.normal.spo2_percent.special == packet.normal.pulse_bpm.special == "NaN"


@pytest.mark.parametrize("status", [0x001F, 0xFFFF, 0x8001])
def test_reserved_status_bits_are_kept(status: int) -> None:
    data = bytes.fromhex("04 6200 4e00") + status.to_bytes(2, "little")
    packet = PlxContinuous.from_bytes(data)
    assert packet.measurement_status == status
    assert bytes(packet) == data
