"""Polar frames beside polar-python 1.1 and bleakheart 0.2: the same numbers, and where theirs are others.

The captured frame is the one in the docstring of bleakheart's own decoder: 229 bytes of a Verity Sense's PPG, of
2025-05-01. It is read from the installed package. It has a block of 8 bits, and one of 10, which tells which end of a
byte the differences begin at: only from the least significant bit on does the signal go on without a leap.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pulselet.packets.polar import ACC, ECG, GYRO, MAG, PPG, PPI, Frame
from pulselet.packets.polar_batch import decode_many

polar_python = pytest.importorskip("polar_python")
bleakheart = pytest.importorskip("bleakheart")

FACTOR = 2.44140625e-4  # 8 g in 15 bits, as a Verity Sense tells


def by_polar_python(frame: Frame, factor: float = 1.0) -> Any:
    from polar_python.parsers import parse_polar_data

    return parse_polar_data(bytearray(bytes(frame)), lambda _: factor)


def strap() -> Any:
    return bleakheart.PolarMeasurementData(None, callback=print)


@pytest.fixture(scope="module")
def captured() -> Frame:
    text = bleakheart.PolarMeasurementData._decode_ppg_data.__doc__
    dump = re.search(r"Sample dataframe:\s+((?:[0-9a-f]{2}\s+)+)", text)
    assert dump
    return Frame.from_bytes(bytes.fromhex(dump[1]))


def test_a_captured_frame_is_decoded(captured: Frame) -> None:
    assert (captured.type, captured.frame_type, captured.compressed) == (PPG, 0, True)
    when = datetime.fromtimestamp(captured.unix_ns / 1e9, timezone.utc)
    assert when.date().isoformat() == "2025-05-01"
    samples = captured.samples()
    assert samples.shape == (1 + 0x2A + 7, 4)  # a reference, and the counts of two blocks
    # bb1af8 7d9bf8 94b9f8 df20f6
    assert samples[0].tolist() == [value - (1 << 24) for value in (0xF81ABB, 0xF89B7D, 0xF8B994, 0xF620DF)]
    # first block: cb ea d5 e2 are differences of 8 bits
    assert (samples[1] - samples[0]).tolist() == [0xCB - 256, 0xEA - 256, 0xD5 - 256, 0xE2 - 256]
    # second block: 03 74 af 41 01 are four differences of 10 bits: 0x003, 0x3dd, 0x01a, 0x005, from the right
    assert (samples[43] - samples[42]).tolist() == [0x003, 0x3DD - 1024, 0x01A, 0x005]
    assert np.abs(np.diff(samples, axis=0)).max() < 128


def test_polar_python_decodes_the_captured_frame_alike(captured: Frame) -> None:
    assert by_polar_python(captured).samples == captured.samples().tolist()
    assert decode_many([bytes(captured)]).samples.tolist() == captured.samples().tolist()


def test_bleakheart_reads_packed_bits_from_the_wrong_end(captured: Frame) -> None:
    """03 74 af 41 01 read from the left are 0000001101 = 13, 0100101010... and the signal leaps."""
    theirs, ours = np.array(strap()._decode_ppg_data(bytes(captured))), captured.samples()
    assert np.array_equal(theirs[:43], ours[:43])  # whole bytes have no wrong end
    assert (theirs[43] - theirs[42])[0] == 0b0000001101
    assert (ours[43] - ours[42])[0] == 0b0000000011
    assert np.abs(np.diff(theirs[42:], axis=0)).max() > 4 * np.abs(np.diff(ours[42:], axis=0)).max()


def test_bleakheart_leaves_compressed_acceleration_undecoded() -> None:
    got: list[Any] = []
    peer = bleakheart.PolarMeasurementData(None, callback=got.append)
    frame = Frame.compress(ACC, 1, 0, [[1, 2, 3], [2, 3, 4]])
    asyncio.run(peer._pmd_data_handler(None, bytearray(bytes(frame))))
    assert got[0][2] == bytes(frame)  # the notification as it came
    assert frame.samples().tolist() == [[1, 2, 3], [2, 3, 4]]


def test_polar_python_gives_compressed_acceleration_in_whole_milli_g_and_wants_the_factor() -> None:
    """Frame type 0, times the factor, is in g. By hand: 4100 of 2**15 in 8 g are 1.0009765625 g."""
    frame = Frame.compress(ACC, 0, 0, [[4100, -4100, 3]])
    assert frame.values(FACTOR)[0].tolist() == np.array([1.0009765625, -1.0009765625, 0.000732421875], "f4").tolist()
    assert by_polar_python(frame, FACTOR).data == [(1000, -1000, 0)]  # cut towards 0: up to 1 milli-g is lost
    # no factor came with the answer to the start command: they multiply the integers by 1000 all the same
    assert frame.samples().tolist() == [[4100, -4100, 3]]
    assert by_polar_python(frame).data == [(4_100_000, -4_100_000, 3000)]


def test_polar_python_takes_a_difference_of_one_bit_for_plus_one() -> None:
    """Two's complement of one bit: 1 is -1. Our builder never writes it, as readers disagree."""
    frame = Frame(PPG, 0, 0, bytes(12) + bytes.fromhex("01 01 05"), compressed=True)
    assert frame.samples()[1].tolist() == [-1, 0, -1, 0]
    assert by_polar_python(frame).samples[1] == [1, 0, 1, 0]


@pytest.fixture
def numbers() -> np.random.Generator:
    return np.random.default_rng(7)


def test_both_peers_agree_on_ecg(numbers: np.random.Generator) -> None:
    frame = Frame.ecg(5, numbers.integers(-3000, 3000, 73))
    assert by_polar_python(frame).data == frame.samples()[:, 0].tolist()
    assert strap()._decode_ecg_data(bytes(frame)) == frame.samples()[:, 0].tolist()
    assert by_polar_python(frame).timestamp == frame.unix_ns


def test_both_peers_agree_on_raw_acceleration(numbers: np.random.Generator) -> None:
    frame = Frame.raw(ACC, 1, 0, numbers.integers(-8000, 8000, (36, 3)))
    rows = [tuple(row) for row in frame.samples().tolist()]
    assert by_polar_python(frame).data == rows
    assert strap()._decode_acc_data(bytes(frame)) == rows


@pytest.mark.parametrize("width", range(2, 17))
def test_polar_python_agrees_on_differences_of_any_width(numbers: np.random.Generator, width: int) -> None:
    data = numbers.integers(0, 256, (width * 20 * 3 + 7) // 8, np.uint8).tobytes()
    acc = Frame(ACC, 0, 1, bytes(6) + bytes([width, 20]) + data, compressed=True)
    assert by_polar_python(acc).data == [tuple(row) for row in acc.samples().tolist()]


def test_polar_python_agrees_on_rotation_field_and_intervals(numbers: np.random.Generator) -> None:
    walk = numbers.integers(-50, 50, (40, 3)).cumsum(axis=0)
    gyro = Frame.compress(GYRO, 0, 0, walk)
    assert np.allclose(by_polar_python(gyro, 0.07).data, gyro.values(0.07), rtol=1e-6)
    mag = Frame.compress(MAG, 1, 0, np.c_[walk, np.full(40, 3)])
    theirs = by_polar_python(mag).data
    assert np.allclose([[s.x * 100, s.y * 100, s.z * 100] for s in theirs], mag.values()[:, :3], rtol=1e-6, atol=1e-6)
    assert [s.calibration_status for s in theirs] == mag.values()[:, 3].tolist()
    ppi = Frame.raw(PPI, 0, 0, [[60, 1000, 10, 6], [61, 990, 12, 3]])
    theirs = by_polar_python(ppi).samples
    assert [[s.hr, s.ppi, s.error_estimate] for s in theirs] == ppi.samples()[:, :3].tolist()


def test_the_bytes_of_a_start_command_are_polar_python_s() -> None:
    from polar_python.constants import PmdMeasurementType, PmdSettingType
    from polar_python.models import MeasurementSettings

    from pulselet.packets.polar_control import Response, Settings, start

    chosen = {PmdSettingType.SAMPLE_RATE: 52, PmdSettingType.RESOLUTION: 16, PmdSettingType.RANGE: 8}
    entries = [MeasurementSettings.SettingType(type=kind, values=[value]) for kind, value in chosen.items()]
    theirs = MeasurementSettings(measurement_type=PmdMeasurementType.ACC, settings=entries)
    assert start(ACC, Settings((52,), (16,), (8,))) == bytes(theirs.to_bytes())
    answer = bytes.fromhex("f0 01 02 00 00  00 04 1900 3200 6400 c800  01 01 1000  02 03 0200 0400 0800")
    found = MeasurementSettings.from_bytes(bytearray(answer))
    ours = Response.from_bytes(answer).settings
    assert [tuple(entry.values) for entry in found.settings] == [ours.rate_hz, ours.resolution_bits, ours.range]


def test_the_types_of_measurement_are_polar_python_s() -> None:
    from polar_python.constants import PmdMeasurementType as Theirs

    assert (Theirs.ECG, Theirs.PPG, Theirs.ACC, Theirs.PPI, Theirs.GYRO, Theirs.MAG) == (ECG, PPG, ACC, PPI, GYRO, MAG)


def test_the_benchmark_says_where_the_values_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "decode.py"
    spec = importlib.util.spec_from_file_location("decode_benchmark", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    result = module.measure(frames=8, rounds=1)
    others = {
        (name, peer): one["note"]
        for name, one in result["types"].items()
        for peer, same in one["values_agree"].items()
        if not same
    }
    assert set(others) == {
        ("ppg compressed, Verity Sense", "bleakheart"),
        ("acc compressed, Verity Sense", "polar_python"),
    }
    assert all(others.values())
    assert {"decode_speedup_polar_python", "decode_speedup_bleakheart"} <= set(result)
