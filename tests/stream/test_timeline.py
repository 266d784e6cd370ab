"""Times of samples on the host's clock, labels by them, and the summary of a recording: against hand calculations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.labels import LABEL, label_intervals
from pulselet.stream.plot import picture
from pulselet.stream.recording import Interval, Recording
from pulselet.stream.summary import summarise
from pulselet.stream.timeline import timeline

NS = 10**9
ACC = Signal("acc", "g", 50.0, ("x",), 1000.0)
PPG = Signal("ppg", "a.u.", 25.0, ("green",), None, loss_detectable=False)
RR = Signal("rr", "s", None, ("rr",), None, loss_detectable=False)


def zeros(signal: Signal, first: int, count: int, ticks: int | None, arrival_ns: int) -> Block:
    return Block(signal, np.zeros((count, 1), np.float32), first, ticks, arrival_ns)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording.create(tmp_path / "a.pulse")


def test_without_a_device_clock_the_last_sample_is_as_old_as_its_arrival(recording: Recording) -> None:
    recording.add([zeros(PPG, 0, 6, None, 10 * NS)])
    (place,) = timeline(recording, "ppg")
    assert (place.first_ns, place.last_ns) == (10 * NS - 5 * NS // 25, 10 * NS)


def test_with_one_the_first_packet_sets_the_clock_by_its_last_sample(recording: Recording) -> None:
    recording.add([zeros(ACC, 0, 25, 0, 10 * NS)])
    (place,) = timeline(recording, "acc")
    assert place.last_ns == pytest.approx(10 * NS, abs=1e6)
    assert place.last_ns - place.first_ns == pytest.approx(24 * NS / 50, abs=1e6)


def test_a_label_holds_for_the_samples_taken_between_two_keys(recording: Recording) -> None:
    for n in range(10):  # 25 samples at 25 Hz a second, the last one taken at the arrival
        recording.add([zeros(PPG, 25 * n, 25, None, (n + 1) * NS)])
    recording.event(LABEL, "rest", at_ns=2 * NS)
    recording.event(LABEL, "walk", at_ns=4 * NS + NS // 25)
    recording.event(LABEL, at_ns=6 * NS)
    # sample i is taken at (i + 1) / 25 s: 2 s is sample 49, 4.04 s is sample 100, 6 s is sample 149
    assert list(label_intervals(recording)) == [Interval("ppg", 49, 100, "rest"), Interval("ppg", 100, 149, "walk")]


def test_a_label_that_nobody_ended_lasts_until_the_last_event(recording: Recording) -> None:
    recording.add([zeros(PPG, 0, 100, None, 4 * NS)])
    recording.event(LABEL, "rest", at_ns=NS)
    recording.event("disconnected", at_ns=3 * NS)
    assert list(label_intervals(recording)) == [Interval("ppg", 24, 74, "rest")]


def test_a_label_over_a_gap_spans_it(recording: Recording) -> None:
    recording.add([zeros(PPG, 0, 25, None, NS), Gap(PPG, 25, 25, "lost"), zeros(PPG, 50, 25, None, 3 * NS)])
    recording.event(LABEL, "rest", at_ns=0)
    recording.event(LABEL, at_ns=9 * NS)
    assert list(label_intervals(recording)) == [Interval("ppg", 0, 75, "rest")]


def test_a_summary_counts_samples_gaps_and_loss(recording: Recording) -> None:
    recording.add([zeros(ACC, 0, 50, 0, NS), Gap(ACC, 50, 10, "lost"), zeros(ACC, 60, 40, 1200, 2 * NS)])
    recording.add([Gap(ACC, 100, 50, "paused"), Gap(ACC, 150, None, "restarted"), zeros(ACC, 150, 50, 0, 4 * NS)])
    (found,) = summarise(recording)
    assert (found.samples, found.gaps, found.lost, found.paused, found.gaps_of_unknown_size) == (140, 3, 10, 50, 1)
    assert found.nominal_hz == 50.0


def test_a_summary_of_a_protocol_without_numbers_says_that_loss_cannot_be_told(recording: Recording) -> None:
    recording.add([zeros(RR, 0, 2, None, NS), Gap(RR, 2, None, "disconnected"), zeros(RR, 2, 1, None, 3 * NS)])
    (found,) = summarise(recording)
    assert (found.samples, found.lost, found.gaps_of_unknown_size, found.rate_hz) == (3, None, 1, None)


def test_a_summary_measures_rate_and_drift_of_the_device_clock(recording: Recording) -> None:
    fast = 1 + 50e-6  # the device's second is so much shorter: its clock gains 50 ppm
    with recording.together():
        for n in range(3600):
            taken_ns = round((n + 1) * NS / fast)
            recording.add([zeros(ACC, 50 * n, 50, 1000 * n, taken_ns + 5_000_000)])
    (found,) = summarise(recording)
    assert found.drift_ppm == pytest.approx(50, abs=2)
    assert found.rate_hz == pytest.approx(50 * fast, rel=5e-6)


def test_a_picture_of_a_recording_is_a_png(recording: Recording) -> None:
    recording.add([zeros(ACC, 0, 50, 0, NS), Gap(ACC, 50, 10, "lost"), zeros(ACC, 60, 40, 1200, 2 * NS)])
    recording.add([zeros(RR, 0, 2, None, NS)])
    recording.event(LABEL, "rest", at_ns=NS)
    assert picture(recording).startswith(b"\x89PNG")
