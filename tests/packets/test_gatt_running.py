"""Foot pods: bytes drawn from Running Speed and Cadence Service 1.0, and Nordic's example."""

from __future__ import annotations

from pulselet.packets.running import Running


def test_a_measurement_is_drawn_as_the_standard_says() -> None:
    """3.5 m/s, 85/min, running, strides of 1.24 m, 1234.5 m so far."""
    data = bytes.fromhex("07 8003 55 7c00 39300000")
    packet = Running.from_bytes(data)
    assert packet == Running(896, 85, True, 124, 12345)
    assert (packet.speed_m_s, packet.stride_m, packet.distance_m) == (3.5, 1.24, 1234.5)
    assert bytes(packet) == data


def test_nordics_example_is_read() -> None:
    """RunningSpeedAndCadenceMeasurementDataCallbackTest of Nordic's Android-BLE-Common-Library."""
    packet = Running.from_bytes(bytes.fromhex("07 0003 12 5600 010000f0"))
    assert (packet.speed_m_s, packet.cadence_per_min, packet.running) == (3.0, 18, True)
    assert (packet.stride_cm, packet.distance_dm) == (86, 0xF0000001)


def test_a_walk_without_stride_and_distance_has_none() -> None:
    packet = Running.from_bytes(bytes.fromhex("00 0001 3c"))
    assert (packet.speed_m_s, packet.running, packet.stride_m, packet.distance_m) == (1.0, False, None, None)
