"""Polar frames: bytes drawn by hand from the published layouts, round trips, every truncation, random bytes."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError
from pulselet.packets import polar
from pulselet.packets.polar import ACC, ECG, GYRO, MAG, PPG, PPI, PRESSURE, SKIN_TEMPERATURE, TEMPERATURE, Frame
from pulselet.packets.polar_layout import LAYOUTS, Layout


def frame(kind: int, frame_type: int, payload: str) -> Frame:
    return Frame.from_bytes(bytes.fromhex(f"{kind:02x} 0094357700000000 {frame_type:02x} {payload}"))


def test_the_header_is_drawn_as_published() -> None:
    found = Frame.from_bytes(bytes.fromhex("c2 0094357700000000 81 0a0b"))
    assert found == Frame(ACC, 2_000_000_000, 1, b"\x0a\x0b", compressed=True, reserved=3)
    assert bytes(found) == bytes.fromhex("c2 0094357700000000 81 0a0b")
    assert found.unix_ns == 946_684_802_000_000_000  # two seconds after 2000-01-01 00:00 UTC


@pytest.mark.parametrize(
    ("kind", "frame_type", "payload", "samples"),
    [
        (ECG, 0, "fbfdff 010000 ffff7f", [[-517], [1], [8388607]]),
        (ECG, 1, "ff7f 0d", [[0x3FFF, 1, 2, 1]]),  # 14 bits; then oversampling 1 bit, contact 2, impedance 2
        (ECG, 2, "010002 ffff ff", [[0x20001, 0, 0], [0x3FFFF, 7, 7]]),
        (ECG, 3, "ffffff 010000 80", [[-1, 1, 128]]),
        (PPG, 0, "010000 ffffff 00007f 000080", [[1, -1, 0x7F0000, -0x800000]]),
        (ACC, 0, "01 ff 80", [[1, -1, -128]]),
        (ACC, 1, "f7ff ffff e703 f8ff feff e503", [[-9, -1, 999], [-8, -2, 997]]),
        (ACC, 2, "e80300 18fcff 000080", [[1000, -1000, -8388608]]),
        (PPI, 0, "3c e803 0a00 06 ff ffff 0000 01", [[60, 1000, 10, 6], [255, 65535, 0, 1]]),
    ],
)
def test_raw_samples_are_drawn_as_published(kind: int, frame_type: int, payload: str, samples: list[list[int]]) -> None:
    found = frame(kind, frame_type, payload)
    assert found.samples().tolist() == samples
    assert found.samples().dtype == np.int32
    assert len(found.layout().names) == len(samples[0])


# reference (100, -2, 0); 3 bits, 2 samples: 1 -1 2 -4 3 0 = 001 111 010 100 011 000 from the right; 8 bits, 1 sample
BY_HAND = "6400 feff 0000  03 02 b93800  08 01 ff017f"
BY_HAND_SAMPLES = [[100, -2, 0], [101, -3, 2], [97, 0, 2], [96, 1, 129]]


def test_compressed_samples_are_drawn_as_published() -> None:
    assert frame(ACC, 0x80, BY_HAND).samples().tolist() == BY_HAND_SAMPLES


def test_a_compressed_frame_may_hold_its_reference_only() -> None:
    assert frame(ACC, 0x80, "6400 feff 0000").samples().tolist() == [[100, -2, 0]]


def test_differences_of_one_bit_are_two_s_complement() -> None:
    found = frame(SKIN_TEMPERATURE, 0x80, "05000000 01 03 05")  # 1 0 1 from the right: -1, 0, -1
    assert found.samples()[:, 0].tolist() == [5, 4, 4, 3]


def test_sums_wrap_at_32_bits() -> None:
    found = frame(SKIN_TEMPERATURE, 0x80, "ffffff7f 20 02 01000000 ffffffff")
    assert found.samples()[:, 0].tolist() == [2**31 - 1, -(2**31), 2**31 - 1]


def bits(*numbers: float) -> str:
    return struct.pack(f"<{len(numbers)}f", *numbers).hex()


@pytest.mark.parametrize(
    ("kind", "frame_type", "payload", "factor", "values", "units"),
    [
        (ECG, 0, "fbfdff", 1.0, [-0.517], ("mV",)),
        (ACC, 1, "e803 18fc 0100", 1.0, [1.0, -1.0, 0.001], ("g",) * 3),
        (ACC, 0x80, "0010 00f0 0100", 2.44140625e-4, [1.0, -1.0, 2.44140625e-4], ("g",) * 3),  # 8 g in 15 bits
        (ACC, 0x81, "e803 18fc 0100", 1.0, [1.0, -1.0, 0.001], ("g",) * 3),
        (GYRO, 0x80, "0a00 f6ff 0000", 0.07, [0.7, -0.7, 0.0], ("deg/s",) * 3),
        (GYRO, 0x81, bits(1.5, -2.0, 0.25), 2.0, [3.0, -4.0, 0.5], ("deg/s",) * 3),
        (MAG, 0x80, "e803 18fc 0000", 0.0015, [150.0, -150.0, 0.0], ("µT",) * 3),  # 1.5 gauss
        (MAG, 0x81, "f401 0cfe 0000 0300", 1.0, [50.0, -50.0, 0.0, 3.0], ("µT", "µT", "µT", "")),  # 500 milligauss
        (MAG, 0x81, "f401 0cfe 0000 0300", 2.0, [100.0, -100.0, 0.0, 3.0], ("µT", "µT", "µT", "")),
        (PPG, 0x80, "010000 ffffff 000100 0a0000", 1.0, [1, -1, 256, 10], ("count",) * 4),
        (PPI, 0, "3c e803 0a00 06", 5.0, [60, 1000, 10, 6], ("bpm", "ms", "ms", "")),
        (SKIN_TEMPERATURE, 0, bits(36.5), 1.0, [36.5], ("°C",)),
        (TEMPERATURE, 0x80, bits(36.5), 1.0, [36.5], ("°C",)),
        (PRESSURE, 0, bits(1.01325), 1.0, [1.01325], ("bar",)),
    ],
)
def test_values_come_in_the_stated_units(
    kind: int, frame_type: int, payload: str, factor: float, values: list[float], units: tuple[str, ...]
) -> None:
    found = frame(kind, frame_type, payload)
    assert found.values(factor).dtype == np.float32
    assert found.values(factor)[0].tolist() == np.array(values, np.float32).tolist()
    assert found.layout().units == units


def test_what_the_frame_does_not_say_the_device_did() -> None:
    two = frame(ACC, 0x80, "05 fb 04 01 f2")  # 2 channels of 7 bits: 5, -5; then +2, -1 in 4 bits
    assert two.samples(channels=2, resolution_bits=7).tolist() == [[5, -5], [7, -6]]
    assert two.layout(2, 7).units == ("g", "g")
    unknown = frame(GYRO, 3, "0100 ffff")
    assert unknown.samples(channels=2, resolution_bits=16).tolist() == [[1, -1]]


def test_a_raw_layout_stands_whatever_resolution_was_announced() -> None:
    assert frame(ECG, 0, "fbfdff").samples(resolution_bits=14).tolist() == [[-517]]  # a strap says 14 and sends 24


def test_the_resolution_of_a_watch_s_ppg_takes_the_published_bytes() -> None:
    layout = Layout.of(PPG, 0, True, channels=4, resolution_bits=22)
    assert layout.names == ("ppg0", "ppg1", "ppg2", "ambient")
    assert layout.size == 12


@pytest.mark.parametrize(
    ("kind", "frame_type", "payload", "complaint"),
    [
        (ACC, 1, "", "0 bytes are not whole samples of 6"),
        (ACC, 1, "0100 0200 03", "5 bytes are not whole samples of 6"),
        (ACC, 0x80, "0100 0200 03", "end in the middle of a field"),
        (ACC, 0x80, "0100 0200 0300 03", "end in the middle of a field"),
        (ACC, 0x80, "0100 0200 0300 00 01", "differences of 0 bits"),
        (ACC, 0x80, "0100 0200 0300 21 01" + "00" * 13, "differences of 33 bits"),
        (ACC, 0x80, "0100 0200 0300 08 02 010203 0405", "end in the middle of a field"),
        (ECG, 9, "010000", "no layout is published for raw frames of type 9 of measurement 0 .ecg."),
        (ECG, 0x80, "010000", "no layout is published for compressed frames of type 0"),
        (33, 0, "010000", "measurement 33 .unknown."),
    ],
)
def test_malformed_samples_are_refused(kind: int, frame_type: int, payload: str, complaint: str) -> None:
    with pytest.raises(PacketError, match=complaint):
        frame(kind, frame_type, payload).samples()


@pytest.mark.parametrize(("channels", "resolution_bits"), [(0, 16), (3, 0), (3, 33), (-1, 8)])
def test_impossible_channels_are_refused(channels: int, resolution_bits: int) -> None:
    with pytest.raises(PacketError, match="wanted 1 or more of 1 to 32 bits"):
        frame(ACC, 0x80, BY_HAND).samples(channels, resolution_bits)


@pytest.mark.parametrize("length", range(26))
def test_a_frame_cut_anywhere_is_refused_or_ends_at_a_block(length: int) -> None:
    whole = bytes(frame(ACC, 0x80, BY_HAND))
    assert len(whole) == 26
    if length in (16, 21):  # after the reference, after the first block
        assert Frame.from_bytes(whole[:length]).samples().tolist() == BY_HAND_SAMPLES[: (length - 11) // 5 * 2 - 1]
        return
    with pytest.raises(PacketError):
        Frame.from_bytes(whole[:length]).samples()


@pytest.mark.parametrize("change", [{"type": 64}, {"timestamp_ns": 2**64}, {"timestamp_ns": -1}, {"frame_type": 128}])
def test_a_frame_that_has_no_bytes_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(PacketError, match="bits for its"):
        replace(Frame(ECG, 0, 0, b""), **change)


def test_an_ecg_frame_is_built_as_a_strap_sends_it() -> None:
    built = Frame.ecg(2_000_000_000, [-517, 1, 8388607])
    assert bytes(built) == bytes.fromhex("00 0094357700000000 00 fbfdff 010000 ffff7f")


def test_a_frame_with_flags_is_built() -> None:
    built = Frame.raw(PPI, 0, 0, [[60, 1000, 10, 6], [255, 65535, 0, 1]])
    assert built.payload == bytes.fromhex("3c e803 0a00 06 ff ffff 0000 01")


@pytest.mark.parametrize(
    ("kind", "frame_type", "samples", "complaint"),
    [
        (ECG, 0, [[1 << 23]], "ecg holds -8388608 to 8388607, got 8388608"),
        (PPI, 0, [[-1, 0, 0, 0]], "heart_rate holds 0 to 255, got -1"),
        (ACC, 1, [[1, 2]], r"wanted samples \(n, 3\)"),
        (ACC, 1, [], r"wanted samples \(n, 3\)"),
        (GYRO, 0, [[1, 2, 3]], "no layout is published"),
    ],
)
def test_samples_that_do_not_fit_are_refused(
    kind: int, frame_type: int, samples: list[list[int]], complaint: str
) -> None:
    with pytest.raises(PacketError, match=complaint):
        Frame.raw(kind, frame_type, 0, samples)


@pytest.mark.parametrize("block", [0, 256])
def test_a_block_that_cannot_be_counted_is_refused(block: int) -> None:
    with pytest.raises(PacketError, match="a block holds 1 to 255 samples"):
        Frame.compress(ACC, 1, 0, [[1, 2, 3]], block)


three = st.tuples(*[st.integers(-32768, 32767)] * 3)


@given(st.lists(three, min_size=1, max_size=80), st.integers(1, 60), st.integers(0, 2**64 - 1))
def test_compressed_samples_survive_the_round_trip(
    samples: list[tuple[int, int, int]], block: int, timestamp_ns: int
) -> None:
    built = Frame.compress(ACC, 1, timestamp_ns, samples, block)
    found = Frame.from_bytes(bytes(built))
    assert found == built
    assert found.samples().tolist() == [list(sample) for sample in samples]


def by_definition(payload: bytes, channels: int, size: int) -> list[list[int]]:
    """Read a compressed payload bit by bit, as the layout is told: one big little-endian number a block."""

    def signed(value: int, width: int) -> int:
        return value - (1 << width) if value >> (width - 1) else value

    last = [signed(int.from_bytes(payload[c * size : (c + 1) * size], "little"), 8 * size) for c in range(channels)]
    found, at = [last], channels * size
    while at < len(payload):
        width, count = payload[at], payload[at + 1]
        length = (width * count * channels + 7) // 8
        number = int.from_bytes(payload[at + 2 : at + 2 + length], "little")
        for _ in range(count):
            steps = [signed(number >> (c * width) & ((1 << width) - 1), width) for c in range(channels)]
            number >>= width * channels
            last = [signed((a + b) & 0xFFFFFFFF, 32) for a, b in zip(last, steps, strict=True)]
            found.append(last)
        at += 2 + length
    return found


@st.composite
def compressed(draw: st.DrawFn, kind: int, frame_type: int) -> Frame:
    """Any frame that a device could send: blocks of any width and length, whatever bits."""
    layout = Layout.of(kind, frame_type, True)
    payload = draw(st.binary(min_size=layout.size, max_size=layout.size))
    for width, count in draw(st.lists(st.tuples(st.integers(1, 32), st.integers(0, 12)), max_size=5)):
        length = (width * count * len(layout.fields) + 7) // 8
        payload += bytes([width, count]) + draw(st.binary(min_size=length, max_size=length))
    return Frame(kind, draw(st.integers(0, 2**64 - 1)), frame_type, payload, compressed=True)


@given(compressed(ACC, 0) | compressed(PPG, 0) | compressed(GYRO, 1) | compressed(MAG, 1) | compressed(PRESSURE, 0))
def test_blocks_of_any_width_are_read_as_defined(found: Frame) -> None:
    layout = found.layout()
    channels = len(layout.fields)
    assert found.samples().tolist() == by_definition(found.payload, channels, layout.size // channels)


@pytest.mark.parametrize("key", [key for key in LAYOUTS if not key[2]])
@given(data=st.data())
def test_raw_samples_survive_the_round_trip(key: tuple[int, int, bool], data: st.DataObject) -> None:
    kind, frame_type, _ = key
    spans = [(1 << field.bits, (1 << (field.bits - 1)) if field.signed else 0) for field in LAYOUTS[key].fields]
    row = st.tuples(*[st.integers(-below, span - below - 1) for span, below in spans])
    samples = data.draw(st.lists(row, min_size=1, max_size=30))
    built = Frame.raw(kind, frame_type, 7, samples)
    assert Frame.from_bytes(bytes(built)).samples().tolist() == [list(sample) for sample in samples]


@given(st.binary(max_size=60), st.integers(0, 15), st.integers(0, 15), st.booleans())
def test_no_bytes_lead_to_anything_but_our_error(data: bytes, kind: int, frame_type: int, squeezed: bool) -> None:
    with contextlib.suppress(PacketError):
        Frame.from_bytes(data).values()
    with contextlib.suppress(PacketError):
        found = Frame(kind, 0, frame_type, data, squeezed)
        assert Frame.from_bytes(bytes(found)) == found
        found.values(2.0)


def test_uuids_are_those_of_the_service() -> None:
    assert polar.SERVICE[:8] + polar.CONTROL[:8] + polar.DATA[:8] == "fb005c80fb005c81fb005c82"
    assert {uuid[8:] for uuid in (polar.SERVICE, polar.CONTROL, polar.DATA)} == {"-02e7-f387-1cad-8acd2d8df0c8"}
