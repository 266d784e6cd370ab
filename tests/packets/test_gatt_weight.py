"""Scales: bytes drawn from Weight Scale Service 1.0, and one that a real scale sent."""

from __future__ import annotations

import pytest

from pulselet.errors import PacketError
from pulselet.packets.date_time import DateTime
from pulselet.packets.weight import UNKNOWN_USER, UNSUCCESSFUL, Weight


def test_a_measurement_is_drawn_as_the_standard_says() -> None:
    """72.5 kg in steps of 5 g, user 3, body mass index 23.4, height 1.76 m."""
    data = bytes.fromhex("0e a438 e807 02 1d 17 3b 05 03 ea00 e006")
    packet = Weight.from_bytes(data)
    assert packet == Weight(14500, False, DateTime(2024, 2, 29, 23, 59, 5), 3, 234, 1760)
    assert (packet.weight_kg, packet.bmi_kg_m2, packet.height_m) == (72.5, 23.4, 1.76)
    assert bytes(packet) == data


def test_pounds_and_inches_are_drawn_as_the_standard_says() -> None:
    """160.00 lb, 70.0 inch, by someone whom the scale does not know."""
    data = bytes.fromhex("0d 803e ff ea00 bc02")
    packet = Weight.from_bytes(data)
    assert packet == Weight(16000, True, None, UNKNOWN_USER, 234, 700)
    assert packet.weight_kg == pytest.approx(72.5747792)  # 160 x 0.45359237, the international pound
    assert packet.height_m == pytest.approx(1.778)  # 70 x 0.0254, the international inch
    assert bytes(packet) == data


def test_a_real_scales_1100_steps_are_5_5_kg() -> None:
    """Stack Overflow, question 68571845."""
    assert Weight.from_bytes(bytes.fromhex("00 4c04")).weight_kg == 5.5


def test_a_failed_measurement_has_no_weight() -> None:
    packet = Weight.from_bytes(bytes.fromhex("00 ffff"))
    assert packet.weight == UNSUCCESSFUL
    assert packet.weight_kg != packet.weight_kg
    assert (packet.height_m, packet.bmi_kg_m2) == (None, None)


def test_a_scales_own_use_of_a_reserved_flag_is_kept() -> None:
    """Detecto's scales say "below zero" with flag 4 (manual of the 7550), and nothing follows it."""
    packet = Weight.from_bytes(bytes.fromhex("10 0000"))
    assert (packet.reserved, packet.extra, bytes(packet)) == (0x10, b"", bytes.fromhex("10 0000"))


@pytest.mark.parametrize("half", [{"bmi": 234}, {"height": 1760}])
def test_height_and_body_mass_index_go_together(half: dict[str, int]) -> None:
    with pytest.raises(PacketError, match="both or neither"):
        Weight(14500, bmi=half.get("bmi"), height=half.get("height"))
