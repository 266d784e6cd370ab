"""Times of samples on the host's clock, labels by them, and the summary of a recording: against hand calculations."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.simulate.link import LinkedPackets, packets_over_link
from pulselet.stream import labels
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.labels import LABEL, Span, label_intervals, spans
from pulselet.stream.plot import envelope, picture
from pulselet.stream.recording import Interval, Recording
from pulselet.stream.summary import summarise
from pulselet.stream.timeline import Place, timeline

NS = 10**9
ACC = Signal("acc", "g", 50.0, ("x",), 1000.0)
ECG = Signal("ecg", "mV", 130.0, ("I",), 1e9)
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


def recorded(recording: Recording, link: LinkedPackets, count: int, ticks_apart: float) -> list[Place]:
    """Return the places of packets of `count` samples that are `ticks_apart` by the device's clock."""
    with recording.together():
        for n, (last, arrival_ns) in enumerate(zip(link.ticks.tolist(), link.arrivals_ns.tolist(), strict=True)):
            recording.add([zeros(ECG, count * n, count, last - round((count - 1) * ticks_apart), arrival_ns)])
    return list(timeline(recording, "ecg"))


def apart(places: list[Place]) -> NDArray[np.float64]:
    """Return the times in ns from the last sample of each block to the first of the next."""
    return np.array([b.first_ns - a.last_ns for a, b in itertools.pairwise(places)], np.float64)


@pytest.mark.parametrize("off", [0.0, 0.02, -0.01])
def test_samples_lie_by_index_and_rate_though_the_device_clock_steps_back(recording: Recording, off: float) -> None:
    rate_hz = 130 * (1 + off)
    options = {"back_part": 0.07, "back_s": 0.15, "cadence_spread": 0.0}
    link = packets_over_link(600, packet_hz=rate_hz / 73, clock_hz=1e9, seed=4, **options)
    raw_ns = link.ticks[1:] - 72 * NS / rate_hz - link.ticks[:-1]
    assert (raw_ns < 0).sum() > 40  # as the device says it, blocks begin before the one before has ended
    places = recorded(recording, link, 73, NS / rate_hz)
    np.testing.assert_allclose(apart(places), NS / rate_hz, rtol=0.05)
    error_ms = (np.array([place.last_ns for place in places]) - link.taken_ns) / 1e6
    settled = link.taken_ns > link.taken_ns[0] + 180 * NS
    assert error_ms[settled].std() <= 4  # a single device time is off by up to 150
    assert 0 < error_ms[settled].mean() < 15  # what no one-way method sees: the least latency, and the low quantile


def test_times_that_scatter_to_both_sides_do_not_shake_the_samples(recording: Recording) -> None:
    link = packets_over_link(600, packet_hz=130 / 36, clock_hz=1e9, seed=4, cadence_spread=0.0)
    scatter = np.random.default_rng(1).normal(0, 0.03 * NS, len(link.ticks)).astype(np.int64)
    places = recorded(recording, replace(link, ticks=link.ticks + scatter), 36, NS / 130)
    np.testing.assert_allclose(apart(places), NS / 130, rtol=0.1)
    error_ms = (np.array([place.last_ns for place in places]) - link.taken_ns) / 1e6
    assert error_ms[link.taken_ns > link.taken_ns[0] + 180 * NS].std() <= 10


def test_what_a_lost_packet_leaves_out_takes_its_time(recording: Recording) -> None:
    recording.add([zeros(ACC, 0, 50, 0, NS), Gap(ACC, 50, 50, "lost"), zeros(ACC, 100, 50, 2000, 3 * NS)])
    before, after = timeline(recording, "acc")
    assert after.first_ns - before.last_ns == pytest.approx(51 * NS / 50, abs=1e6)
    assert after.segment == before.segment


def test_a_device_clock_that_is_set_back_for_good_does_not_take_the_samples_back(recording: Recording) -> None:
    for n in range(60):
        set_back = 1500 if n >= 30 else 0  # ms; no gap, for no sample is missing
        recording.add([zeros(ACC, 50 * n, 50, 1000 * n - set_back, (n + 1) * NS)])
    places = list(timeline(recording, "acc"))
    assert apart(places).min() > 0.49 * NS / 50
    assert places[-1].segment == 1
    assert places[-1].last_ns == pytest.approx(60 * NS, abs=NS / 50)


def test_without_a_device_clock_arrivals_that_scatter_do_not_shake_the_samples(recording: Recording) -> None:
    late_ns = np.random.default_rng(2).exponential(0.03 * NS, 400).astype(int).tolist()
    with recording.together():
        for n, late in enumerate(late_ns):
            recording.add([zeros(PPG, 5 * n, 5, None, n * NS // 5 + late)])
    places = list(timeline(recording, "ppg"))
    np.testing.assert_allclose(apart(places), NS / 25, rtol=0.25)
    error_ms = np.array([place.last_ns - n * NS // 5 for n, place in enumerate(places)]) / 1e6
    assert error_ms[50:].std() <= 10


def test_a_simulation_faster_than_its_clock_lies_where_it_arrives(recording: Recording) -> None:
    with recording.together():
        for n in range(300):  # 100 times as fast: a second of each signal every 10 ms
            arrival_ns = NS + 10_000_000 * n
            recording.add([zeros(ACC, 50 * n, 50, 1000 * n, arrival_ns), zeros(PPG, 25 * n, 25, None, arrival_ns)])
    for name in ("acc", "ppg"):
        places = list(timeline(recording, name))
        late_ns = [place.last_ns - NS - 10_000_000 * n for n, place in enumerate(places)]
        assert min(late_ns) >= -0.1 * NS
        assert max(late_ns) <= 0.1 * NS
        assert apart(places).min() >= 0


@pytest.mark.parametrize("kind", ["disconnected", "reconnected"])
def test_a_new_link_begins_a_segment_though_nothing_was_lost(recording: Recording, kind: str) -> None:
    for n in range(4):
        late_ns = 300_000_000 if n >= 2 else 0  # the new link's latency
        recording.add([zeros(ACC, 50 * n, 50, 1000 * n, (n + 1) * NS + late_ns)])
    recording.event(kind, "Strap", at_ns=2 * NS + 1)
    places = list(timeline(recording, "acc"))
    assert [place.segment for place in places] == [0, 0, 1, 1]
    assert places[2].last_ns == 3 * NS + 300_000_000  # as the first packet of a recording sets the clock


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
    recording.event("disconnected", at_ns=5 * NS)
    assert spans(recording) == [Span(NS, 5 * NS, "rest")]
    assert list(label_intervals(recording)) == [Interval("ppg", 24, 100, "rest")]


def test_a_label_given_before_a_kill_lasts_until_the_last_arrival(recording: Recording) -> None:
    recording.add([zeros(PPG, 0, 50, None, 2 * NS)])
    recording.event(LABEL, "rest", at_ns=NS)
    recording.add([zeros(PPG, 50, 50, None, 4 * NS), zeros(RR, 0, 1, None, 3 * NS)])
    assert spans(recording) == [Span(NS, 4 * NS, "rest")]
    assert list(label_intervals(recording)) == [Interval("ppg", 24, 99, "rest"), Interval("rr", 0, 1, "rest")]


def test_labels_that_were_written_down_late_stand_in_the_order_of_time(recording: Recording) -> None:
    recording.event(LABEL, "walk", at_ns=2 * NS)
    recording.event(LABEL, "rest", at_ns=NS)
    recording.event(LABEL, at_ns=3 * NS)
    assert spans(recording) == [Span(NS, 2 * NS, "rest"), Span(2 * NS, 3 * NS, "walk")]


def test_labels_are_found_in_one_pass_over_blocks_and_labels(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Span] = []
    find = labels.inside

    def counted(place: Place, span: Span) -> tuple[int, int] | None:
        looked.append(span)
        return find(place, span)

    monkeypatch.setattr(labels, "inside", counted)
    with recording.together():
        for n in range(100):  # a label in the middle of each block
            recording.add([zeros(PPG, 25 * n, 25, None, (n + 1) * NS)])
            recording.event(LABEL, f"{n}", at_ns=n * NS + NS // 2)
    found = list(label_intervals(recording))
    assert [(one.first, one.end) for one in found[:2]] == [(12, 37), (37, 62)]  # 0.5 s is between samples 11 and 12
    assert len(found) == 100
    assert len(looked) <= 200  # not 10,000


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


def test_the_rate_leaves_out_a_gap_of_unknown_size(recording: Recording) -> None:
    with recording.together():
        for n in range(120):
            away_ns = 600 * NS if n >= 60 else 0
            if n == 60:
                recording.add([Gap(ECG, 65 * n, None, "disconnected")])
            taken_ns = (n + 1) * NS // 2 + away_ns
            recording.add([zeros(ECG, 65 * n, 65, taken_ns - round(64 * NS / 130), taken_ns)])
    (found,) = summarise(recording)
    assert found.rate_hz == pytest.approx(130, rel=1e-4)


def test_seconds_are_from_the_first_to_the_last_arrival(recording: Recording) -> None:
    recording.add([zeros(ACC, 0, 50, 0, NS), zeros(ACC, 50, 50, 1000, 2 * NS + 123_000_000)])
    recording.add([Gap(ACC, 100, None, "lost")])
    (found,) = summarise(recording)
    assert found.seconds == 1.123


def test_a_picture_of_a_recording_is_a_png(recording: Recording) -> None:
    recording.add([zeros(ACC, 0, 50, 0, NS), Gap(ACC, 50, 10, "lost"), zeros(ACC, 60, 40, 1200, 2 * NS)])
    recording.add([zeros(RR, 0, 2, None, NS)])
    recording.event(LABEL, "rest", at_ns=NS)
    assert picture(recording).startswith(b"\x89PNG")


def test_a_picture_shows_a_peak_of_one_sample_however_many_there_are(tmp_path: Path) -> None:
    drawn = []
    for peak in (0, 1):
        values = np.zeros((100_000, 1), np.float32)
        values[51_234:51_236] = peak  # two, of which every 25th, or 50th, is none
        with Recording.create(tmp_path / f"{peak}.pulse") as recording:
            recording.add([Block(PPG, values, 0, None, 4000 * NS)])
            drawn.append(picture(recording))
    assert drawn[0] != drawn[1]


def test_an_envelope_is_the_least_and_the_greatest_of_each_bucket() -> None:
    values = np.array([[1, 5], [3, 4], [2, np.nan], [9, 0], [7, 1]], np.float32)
    at_s, found = envelope(np.arange(5.0), values, 3)
    assert at_s.tolist() == [0, 0, 3, 3]
    assert found.tolist() == [[1, 4], [3, 5], [7, 0], [9, 1]]


def test_few_samples_are_drawn_one_by_one() -> None:
    values = np.array([[1], [3], [2]], np.float32)
    at_s, found = envelope(np.arange(3.0), values, 1)
    assert (at_s.tolist(), found.tolist()) == ([0, 1, 2], [[1], [3], [2]])


def test_a_stored_reading_lies_at_its_arrival_and_not_where_its_date_would_put_it(recording: Recording) -> None:
    cuff = Signal("blood_pressure", "mmHg", None, ("systolic",), 1.0, loss_detectable=False)
    for n, ticks in enumerate((1_700_000_000, 1_700_086_400, 1_700_090_000)):  # yesterday's, and two of today
        recording.add([zeros(cuff, n, 1, ticks, (100 + n) * NS)])
    assert [place.last_ns for place in timeline(recording, "blood_pressure")] == [100 * NS, 101 * NS, 102 * NS]
    (found,) = summarise(recording)
    assert found.drift_ppm is None
