"""Medical floats: the special values of IEEE 11073-20601, HL7's published examples, and every SFLOAT there is."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError
from pulselet.packets.medical_float import Float, MedicalFloat, SFloat

FORMATS = [SFloat, Float]
TYPES = pytest.mark.parametrize("form", FORMATS)


def test_an_oximeters_62_00_is_98() -> None:
    assert SFloat.from_bytes(b"\x62\x00").value == 98.0


# HL7 Personal Health Device implementation guide, "Mder FLOATs and SFLOATs": number as sent, exponent, mantissa.
@pytest.mark.parametrize(
    ("sfloat", "medfloat", "exponent", "mantissa", "value"),
    [
        (0x0002, 0x00000002, 0, 2, 2.0),
        (0xF014, 0xFF000014, -1, 20, 2.0),
        (0xE0C8, 0xFE0000C8, -2, 200, 2.0),
        (0x1002, 0x01000002, 1, 2, 20.0),
        (0x2002, 0x02000002, 2, 2, 200.0),
        (0x00C8, 0x000000C8, 0, 200, 200.0),
        (0x04D2, 0x000004D2, 0, 1234, 1234.0),
        (0x0B2E, 0x00FFFB2E, 0, -1234, -1234.0),
    ],
)
def test_the_examples_of_hl7_are_read_and_written(
    sfloat: int, medfloat: int, exponent: int, mantissa: int, value: float
) -> None:
    for form, word, size in ((SFloat, sfloat, 2), (Float, medfloat, 4)):
        found = form.from_bytes(word.to_bytes(size, "little"))
        assert (found.exponent, found.mantissa, found.value, found.special) == (exponent, mantissa, value, None)
        assert bytes(form(mantissa, exponent)) == word.to_bytes(size, "little")


# IEEE 11073-20601, annex F; HL7's guide repeats them.
@pytest.mark.parametrize(
    ("sfloat", "medfloat", "name", "value"),
    [
        (0x07FF, 0x007FFFFF, "NaN", math.nan),
        (0x0800, 0x00800000, "NRes", math.nan),
        (0x07FE, 0x007FFFFE, "+INF", math.inf),
        (0x0802, 0x00800002, "-INF", -math.inf),
        (0x0801, 0x00800001, "reserved", math.nan),
    ],
)
def test_special_values_are_no_numbers(sfloat: int, medfloat: int, name: str, value: float) -> None:
    for form, word, size in ((SFloat, sfloat, 2), (Float, medfloat, 4)):
        found = form.from_bytes(word.to_bytes(size, "little"))
        assert found.special == name
        assert float(found) == pytest.approx(value, nan_ok=True)
        assert bytes(found) == word.to_bytes(size, "little")


def test_a_special_mantissa_with_an_exponent_is_a_number() -> None:
    assert SFloat.from_bytes(bytes.fromhex("fff7")).value == 204.7
    assert Float.from_bytes(bytes.fromhex("ffff7fff")).value == 838860.7


def test_98_in_two_precisions_stays_what_it_was() -> None:
    coarse, fine = SFloat.from_bytes(bytes.fromhex("6200")), SFloat.from_bytes(bytes.fromhex("d4f3"))
    assert (coarse.value, fine.value) == (98.0, 98.0)
    assert coarse != fine
    assert (bytes(coarse).hex(), bytes(fine).hex()) == ("6200", "d4f3")


def test_every_sfloat_survives_and_is_the_nearest_float() -> None:
    for word in range(1 << 16):
        data = word.to_bytes(2, "little")
        found = SFloat.from_bytes(data)
        assert bytes(found) == data
        mantissa = (word & 0xFFF) - (word & 0x800) * 2
        exponent = (word >> 12) - (word >> 15) * 16
        if not found.special:
            assert found.value == float(Decimal(mantissa).scaleb(exponent))


@given(st.binary(min_size=4, max_size=4))
def test_every_float_survives_and_is_the_nearest_float(data: bytes) -> None:
    found = Float.from_bytes(data)
    assert bytes(found) == data
    if not found.special:
        mantissa = int.from_bytes(data[:3], "little", signed=True)
        exponent = int.from_bytes(data[3:], "little", signed=True)
        assert found.value == float(Decimal(mantissa).scaleb(exponent))


@TYPES
@given(size=st.integers(0, 6).filter(lambda size: size not in (2, 4)))
def test_another_number_of_bytes_is_refused(form: type[MedicalFloat], size: int) -> None:
    with pytest.raises(PacketError, match=f"got {size}"):
        form.from_bytes(bytes(size))


@pytest.mark.parametrize(
    ("value", "exponent", "data"),
    [(36.4, -1, "6cf1"), (98.0, 0, "6200"), (-0.5, -1, "fbff"), (0.0, 0, "0000"), (204.7, -1, "fff7")],
)
def test_a_value_is_put_into_the_wanted_precision(value: float, exponent: int, data: str) -> None:
    assert bytes(SFloat.from_value(value, exponent=exponent)).hex() == data


def test_a_thermometers_36_4_is_6c_01_00_ff() -> None:
    """The example in blessed-android-coroutines' BluetoothBytesParserTest, there with the high byte first."""
    assert bytes(Float.from_value(36.4, exponent=-1)).hex() == "6c0100ff"


@TYPES
@pytest.mark.parametrize(("value", "name"), [(math.nan, "NaN"), (math.inf, "+INF"), (-math.inf, "-INF")])
def test_what_is_no_number_becomes_its_special_value(form: type[MedicalFloat], value: float, name: str) -> None:
    assert form.from_value(value, exponent=-1).special == name


@pytest.mark.parametrize(
    ("value", "exponent", "complaint"),
    [
        (2048, 0, "mantissa of 2048"),
        (-2049, 0, "mantissa of -2049"),
        (36.4, -3, "mantissa of 36400"),
        (1.0, 8, "exponent of 8"),
        (2047, 0, "the code of NaN"),
        (2046, 0, "the code of [+]INF"),
        (-2046, 0, "the code of -INF"),
        (-2047, 0, "the code of reserved"),
        (-2048, 0, "the code of NRes"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(value: float, exponent: int, complaint: str) -> None:
    with pytest.raises(PacketError, match=complaint):
        SFloat.from_value(value, exponent=exponent)


@TYPES
@given(mantissa=st.integers(-2045, 2045), exponent=st.integers(-8, 7))
def test_a_number_is_found_again_from_its_value(form: type[MedicalFloat], mantissa: int, exponent: int) -> None:
    number = form(mantissa, exponent)
    assert form.from_value(number.value, exponent=exponent) == number
