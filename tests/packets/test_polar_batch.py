"""Many Polar frames at once: the numbers of one frame at a time, whatever the frames."""

from __future__ import annotations

import contextlib
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulselet.errors import PacketError
from pulselet.packets import polar_batch
from pulselet.packets.polar import ACC, ECG, GYRO, MAG, PPG, PPI, PRESSURE, Frame
from pulselet.packets.polar_batch import decode_many
from pulselet.packets.polar_layout import Layout


def test_counts_and_times_are_those_of_the_frames() -> None:
    frames = [bytes(Frame.ecg(2**63 + number, range(number, 3 * number))) for number in (3, 1, 5)]
    found = decode_many(frames)
    assert found.counts.tolist() == [6, 2, 10]
    assert found.timestamps_ns.tolist() == [2**63 + 3, 2**63 + 1, 2**63 + 5]
    assert found.timestamps_ns.dtype == np.uint64
    assert found.samples[:, 0].tolist() == [3, 4, 5, 6, 7, 8, 1, 2, *range(5, 15)]
    assert found.samples.dtype == np.int32
    assert found.layout.units == ("mV",)


def test_compressed_frames_begin_anew_at_their_reference() -> None:
    first = bytes.fromhex("02 0000000000000000 80  6400 feff 0000  03 02 b93800  08 01 ff017f")  # as in test_polar.py
    second = bytes.fromhex("02 0000000000000000 80  0500 0600 0700")
    found = decode_many([first, second, first])
    once = [[100, -2, 0], [101, -3, 2], [97, 0, 2], [96, 1, 129]]
    assert found.samples.tolist() == [*once, [5, 6, 7], *once]
    assert found.counts.tolist() == [4, 1, 4]


KEYS = [(ECG, 0, False), (ECG, 1, False), (PPI, 0, False), (ACC, 1, False), (ACC, 2, False)]
KEYS += [(ACC, 0, True), (PPG, 0, True), (PPG, 7, True), (MAG, 1, True), (GYRO, 1, True), (PRESSURE, 0, True)]


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Frames of one measurement; where compressed, blocks of any width and length with whatever bits."""
    kind, frame_type, squeezed = draw(st.sampled_from(KEYS))
    layout = Layout.of(kind, frame_type, squeezed)
    frames = []
    for count in draw(st.lists(st.integers(1, 12), min_size=1, max_size=12)):
        size = layout.size * (1 if squeezed else count)
        payload = draw(st.binary(min_size=size, max_size=size))
        for width, length in draw(st.lists(st.tuples(st.integers(1, 32), st.integers(0, 9)), max_size=4 * squeezed)):
            bytes_ = (width * length * len(layout.fields) + 7) // 8
            payload += bytes([width, length]) + draw(st.binary(min_size=bytes_, max_size=bytes_))
        frames.append(bytes(Frame(kind, draw(st.integers(0, 2**64 - 1)), frame_type, payload, squeezed)))
    return frames


@given(streams(), st.integers(1, 5))
def test_the_numbers_are_those_of_one_frame_at_a_time(frames: list[bytes], together: int) -> None:
    singly = [Frame.from_bytes(frame) for frame in frames]
    with mock.patch.object(polar_batch, "TOGETHER", together):
        found = decode_many(frames)
    assert found.samples.tolist() == [row for frame in singly for row in frame.samples().tolist()]
    assert found.counts.tolist() == [len(frame.samples()) for frame in singly]
    assert found.timestamps_ns.tolist() == [frame.timestamp_ns for frame in singly]


def test_channels_and_resolution_are_taken_from_the_device() -> None:
    data = bytes.fromhex("02 0000000000000000 80  05 fb 04 01 f2")
    assert decode_many([data, data], channels=2, resolution_bits=7).samples.tolist() == [[5, -5], [7, -6]] * 2


@given(streams(), st.data())
def test_a_malformed_frame_is_named(frames: list[bytes], data: st.DataObject) -> None:
    """Cut one frame anywhere: the batch refuses exactly what one frame at a time refuses, and says which."""
    at = data.draw(st.integers(0, len(frames) - 1))
    frames[at] = frames[at][: data.draw(st.integers(0, len(frames[at]) - 1))]
    try:
        samples = [row for frame in frames for row in Frame.from_bytes(frame).samples().tolist()]
    except PacketError:
        with pytest.raises(PacketError) as caught:
            decode_many(frames)
        assert caught.value.payload == frames[at]
    else:
        assert decode_many(frames).samples.tolist() == samples


@pytest.mark.parametrize("width", [0, 33, 255])
def test_an_impossible_width_is_refused(width: int) -> None:
    good = bytes.fromhex("02 0000000000000000 80  0500 0600 0700")
    with pytest.raises(PacketError, match=f"differences of {width} bits"):
        decode_many([good, good + bytes([width, 1]) + bytes(100), good])


def test_frames_of_two_kinds_are_refused() -> None:
    ecg, acc = bytes(Frame.ecg(0, [1])), bytes(Frame.raw(ACC, 1, 0, [[1, 2, 3]]))
    with pytest.raises(PacketError, match="frame 2 is of another measurement") as caught:
        decode_many([ecg, ecg, acc])
    assert caught.value.payload == acc


def test_no_frames_are_refused() -> None:
    with pytest.raises(PacketError, match="wanted one Polar frame or more"):
        decode_many([])


@given(
    st.lists(st.binary(max_size=40), max_size=4),
    st.sampled_from(["", "00 0000000000000000 00", "02" + "00" * 8 + "80"]),
)
def test_no_bytes_lead_to_anything_but_our_error(tails: list[bytes], head: str) -> None:
    with contextlib.suppress(PacketError):
        decode_many([bytes.fromhex(head) + tail for tail in tails])
