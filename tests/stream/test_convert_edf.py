"""EDF+ and BDF+: against edfio both ways, bytes drawn by hand from the standard, and round trips."""

from __future__ import annotations

import os
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pulselet.errors import PulseletError, RecordingError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.convert import convert
from pulselet.stream.convert.ascii_text import to_ascii
from pulselet.stream.convert.edf_file import Channel, Header, bytes_to_samples, samples_to_bytes, tals
from pulselet.stream.recording import Event, Interval, Recording

ECG = Signal("ecg", "µV", 130.0, ("ecg",), 1e9)
ACC = Signal("acc", "g", 50.0, ("x", "y", "z"))
RR = Signal("rr", "s", None, ("rr",), loss_detectable=False)
START = {"started": "2024-05-01T10:00:00.250000+00:00", "started_ns": "1000000000"}
READ = {".edf": edfio.read_edf, ".bdf": edfio.read_bdf}
SUFFIXES = pytest.mark.parametrize("suffix", [".edf", ".bdf"])


def counts(signal: Signal, first: int, count: int, at_ns: int, step: float = 1.0) -> Block:
    """Whole multiples of a step, different in every channel."""
    ramp = (np.arange(first, first + count)[:, None] * 7 + np.arange(len(signal.channels)) * 100) % 997 - 400
    return Block(signal, (ramp * step).astype(np.float32), first, None, at_ns)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """ECG with a gap of 70 samples and one of unknown size; acceleration with one of 500; beats; labels; an event."""
    path = tmp_path / "walk.pulse"
    with Recording.create(path, **START, subject="S 1") as recording:
        recording.add([counts(ECG, 0, 300, 1_500_000_000), counts(ACC, 0, 100, 1_540_000_000, 1 / 64)])
        recording.add([Block(RR, np.array([[0.8125]], np.float32), 0, None, 2_000_000_000)])
        recording.add([Gap(ECG, 300, 70, "lost"), counts(ECG, 370, 400, 4_000_000_000)])
        recording.add([Gap(ECG, 770, None, "restarted"), counts(ECG, 770, 10, 9_000_000_000)])
        recording.add([Gap(ACC, 100, 500, "disconnected"), counts(ACC, 600, 30, 20_000_000_000, 1 / 64)])
        recording.add(
            [Gap(RR, 1, None, "disconnected"), Block(RR, np.ones((2, 1), np.float32), 1, None, 13_500_000_000)]
        )
        recording.annotate(
            [Interval("ecg", 5, 25, "walk"), Interval("acc", 12, 12, "[x] tap"), Interval("rr", 0, 2, "ok")]
        )
        recording.event("tag", "button", at_ns=3_000_000_000)
    return path


def items(path: Path, name: str) -> tuple[list[tuple[int, int | None, str]], list[tuple[int, NDArray[np.float32]]]]:
    """Return gaps and runs of a signal."""
    with Recording.open(path) as recording:
        gaps = [(one.first, one.lost, one.reason) for one in recording.items(name) if isinstance(one, Gap)]
        return gaps, recording.segments(name)


def same(one: Path, other: Path, name: str) -> bool:
    """Whether a signal has the same gaps, and the same samples at the same indexes."""
    (gaps, runs), (gaps_too, runs_too) = items(one, name), items(other, name)
    pairs = zip(runs, runs_too, strict=True)
    return gaps == gaps_too and all(a[0] == b[0] and np.array_equal(a[1], b[1]) for a, b in pairs)


@SUFFIXES
def test_edfio_reads_what_was_recorded(source: Path, tmp_path: Path, suffix: str) -> None:
    report = convert(source, target := tmp_path / f"walk{suffix}")
    edf: Any = READ[suffix](target)
    assert edf.reserved == f"{suffix[1:].upper()}+C"
    assert edf.startdatetime == datetime(2024, 5, 1, 10, 0, 0, 750_000)
    assert edf.labels == ("ecg", "acc x", "acc y", "acc z")
    assert [signal.physical_dimension for signal in edf.signals] == ["uV", "g", "g", "g"]
    assert edf.patient.code == "S_1"
    ecg, first, fourth = edf.signals[0].data, counts(ECG, 0, 300, 0), counts(ECG, 370, 400, 0)
    assert np.array_equal(ecg[:300].astype(np.float32), first.values[:, 0])
    assert np.array_equal(ecg[370:770].astype(np.float32), fourth.values[:, 0])
    assert (ecg[300:370] == ecg.min()).all()
    assert ecg.min() < -400
    for axis in range(3):
        found = edf.signals[1 + axis].data[2:102].astype(np.float32)  # 40 ms after the ECG
        assert np.array_equal(found, counts(ACC, 0, 100, 0, 1 / 64).values[:, axis])
    annotations = {text: (onset, duration) for onset, duration, text in edf.annotations}
    assert annotations["walk@@ecg"] == pytest.approx((5 / 130, 20 / 130), abs=1e-9)
    assert annotations["[gap] lost@@ecg"] == pytest.approx((300 / 130, 70 / 130), abs=1e-9)
    assert annotations["[gap ?] restarted@@ecg"] == (pytest.approx(770 / 130), None)
    assert annotations["[event] tag: button"] == (1.5, None)
    assert report.files == (target,)
    assert [(one.name, one.samples, one.gaps, one.lost, one.exact) for one in report.signals] == [
        ("ecg", 710, 2, 70, True),
        ("acc", 130, 1, 500, True),
        ("rr", 3, 1, 0, True),
    ]
    assert report.labels == 3


@SUFFIXES
@pytest.mark.parametrize("discontinuous", [False, True])
def test_gaps_labels_and_beats_come_back(source: Path, tmp_path: Path, suffix: str, discontinuous: bool) -> None:
    convert(source, tmp_path / f"walk{suffix}", discontinuous=discontinuous)
    convert(tmp_path / f"walk{suffix}", back := tmp_path / "back.pulse")
    assert same(source, back, "ecg")
    assert same(source, back, "acc")
    assert same(source, back, "rr")
    with Recording.open(source) as before, Recording.open(back) as after:
        assert sorted(after.intervals(), key=str) == sorted(before.intervals(), key=str)
        assert after.meta["started"] == "2024-05-01T10:00:00.750000+00:00"
        assert after.meta["subject"] == "S_1"
        assert after.events() == [Event(1_500_000_000, "tag", "button")]
        assert after.signals["acc"] == ACC
        assert after.signals["ecg"] == Signal("ecg", "µV", 130.0, ("ecg",))
        beats = [one.arrival_ns for one in after.items("rr") if isinstance(one, Block)]
        assert beats == [500_000_000, 12_000_000_000, 12_000_000_000]


def test_what_edf_cannot_hold_is_said(source: Path, tmp_path: Path) -> None:
    notes = "\n".join(convert(source, tmp_path / "walk.edf").notes)
    assert "ecg: 1 gaps of unknown size take no time" in notes
    assert "device ticks are not carried" in notes
    assert "the subject 'S 1' is written as 'S_1'" in notes
    assert "the unit 'µV' is written as 'uV'" in notes
    assert "UTC" in notes
    assert "raw packets" not in notes
    with Recording.create(tmp_path / "raw.pulse", **START, place="Jena") as recording:
        recording.add([counts(ECG, 1000, 10, 1_000_000_000)], data=b"\1")
    notes = "\n".join(convert(tmp_path / "raw.pulse", tmp_path / "raw.edf").notes)
    assert "raw packets are not carried" in notes
    assert "facts about the recording are not carried: place" in notes
    assert "ecg begins at sample 1000; read back, it is counted from 0" in notes


def test_a_discontinuous_file_leaves_out_what_no_signal_has(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "c.edf")
    convert(source, tmp_path / "d.edf", discontinuous=True)
    header = Header.read(tmp_path / "d.edf")
    assert header.kind == "EDF+D"
    # ECG ends at 6 s; acceleration has 0.04 to 2.04 s and 12.04 to 12.64 s
    assert header.records == 7
    assert Header.read(tmp_path / "c.edf").records == 13
    data = (tmp_path / "d.edf").read_bytes()[header.size :]
    last = data[6 * header.record_bytes :]
    assert b"+12.75\x14\x14\0" in last


def test_a_header_is_drawn_as_the_standard_says(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse", started="2021-03-07T01:02:03+00:00", started_ns="0") as recording:
        values = np.array([[1.0], [-2.0], [300.0]], np.float32)
        recording.add([Block(Signal("eda", "µS", 4.0, ("eda",)), values, 0, None, 0)])
    convert(tmp_path / "a.pulse", tmp_path / "a.edf")
    data = (tmp_path / "a.edf").read_bytes()
    assert data[:8] == b"0       "
    assert data[8:88] == b"X X X X".ljust(80)
    assert data[88:168] == b"Startdate 07-MAR-2021 X X Pulselet".ljust(80)
    assert data[168:184] == b"07.03.2101.02.03"
    assert data[184:192] == b"768     "
    assert data[192:236] == b"EDF+C".ljust(44)
    assert data[236:256] == b"1       1       2   "
    assert data[256:288] == b"eda             EDF Annotations "
    assert data[288 + 160 : 288 + 176] == b"uS              "
    samples = data[768:]
    assert samples[:8] == bytes.fromhex("0100 feff 2c01 0180")  # 1, -2, 300, and -32767 for the one that is missing
    assert samples[8:].startswith(b"+0\x14\x14\0")
    assert b"+0.75\x150.25\x14[pad]@@eda\x14\0" in samples


@SUFFIXES
def test_values_off_any_step_are_within_half_a_step(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(1).normal(1000.0, 3.0, (500, 1)).astype(np.float32)
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([Block(ECG, values, 0, None, 1_000_000_000)])
    (carried,) = convert(tmp_path / "a.pulse", tmp_path / f"a{suffix}").signals
    assert carried.steps is not None
    found = READ[suffix](tmp_path / f"a{suffix}").signals[0].data[:500]
    assert np.abs(found - values[:, 0]).max() <= carried.steps[0] / 2 * (1 + 1e-6)
    assert not carried.exact
    assert carried.steps[0] < (values.max() - values.min()) / 2 ** (14 if suffix == ".edf" else 21)


@pytest.mark.parametrize(
    ("values", "step"), [([1, -7, 32000], 1.0), ([0.5, -0.015625], 2**-6), ([0.37, 21.5], 1e-2), ([0.001, 3.3], 1e-3)]
)
def test_whole_multiples_of_a_step_are_exact(tmp_path: Path, values: list[float], step: float) -> None:
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([Block(ECG, np.array(values, np.float32)[:, None], 0, None, 1_000_000_000)])
    (carried,) = convert(tmp_path / "a.pulse", tmp_path / "a.edf").signals
    assert carried.steps == pytest.approx((step,))
    assert carried.exact
    found = edfio.read_edf(tmp_path / "a.edf").signals[0].data[: len(values)]
    assert found.astype(np.float32).tolist() == np.array(values, np.float32).tolist()


def test_nan_and_infinity_are_missing_and_counted(tmp_path: Path) -> None:
    values = np.array([[1], [np.nan], [np.inf], [4]], np.float32)
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([Block(ECG, values, 0, None, 1_000_000_000)])
    notes = convert(tmp_path / "a.pulse", tmp_path / "a.edf").notes
    assert "ecg: 2 values are NaN or infinite; they are written as missing" in notes
    convert(tmp_path / "a.edf", tmp_path / "b.pulse")
    ((first, found),) = items(tmp_path / "b.pulse", "ecg")[1]
    assert first == 0
    assert np.array_equal(found[:, 0], np.array([1, np.nan, np.nan, 4], np.float32), equal_nan=True)


@SUFFIXES
def test_what_edfio_writes_is_read_as_edfio_reads_it(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(2)
    made: Any = edfio.EdfSignal if suffix == ".edf" else edfio.BdfSignal
    signals = [
        made(rng.normal(size=2560), 256, label="EEG Fpz-Cz", physical_dimension="uV", physical_range=(-8, 8)),
        made(rng.normal(size=10), 1, label="Temp rectal", physical_dimension="degC"),
        made(rng.normal(size=2560), 256, label="EEG Fpz-Cz", physical_dimension="uV"),
    ]
    annotations = [
        edfio.EdfAnnotation(1.5, 0.25, "Limb movement@@Temp rectal"),
        edfio.EdfAnnotation(3, None, "Lichter aus ä"),
    ]
    file: Any = (edfio.Edf if suffix == ".edf" else edfio.Bdf)(
        signals,
        annotations=annotations,
        recording=edfio.Recording(startdate=date(2003, 2, 1)),
        starttime=time(22, 5, 7, 125_000),
        patient=edfio.Patient(code="MCH-0234567"),
    )
    file.write(tmp_path / f"a{suffix}")
    report = convert(tmp_path / f"a{suffix}", tmp_path / "a.pulse")
    truth: Any = READ[suffix](tmp_path / f"a{suffix}")
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert list(recording.signals) == ["EEG Fpz-Cz", "Temp rectal", "EEG Fpz-Cz'"]
        for signal, name in zip(truth.signals, recording.signals, strict=True):
            ((first, values),) = recording.segments(name)
            assert first == 0
            assert np.array_equal(values[:, 0], signal.data.astype(np.float32))
            assert recording.signals[name].rate_hz == signal.sampling_frequency
            assert recording.signals[name].unit == signal.physical_dimension
            assert not recording.signals[name].loss_detectable
        assert recording.meta["started"] == "2003-02-01T22:05:07.125000+00:00"
        assert recording.meta["subject"] == "MCH-0234567"
        assert recording.intervals() == [
            Interval("EEG Fpz-Cz", 768, 768, "Lichter aus ä"),
            Interval("Temp rectal", 2, 2, "Limb movement"),
        ]
    assert report.notes == ("EDF states no time zone: its start is taken as UTC",)


def foreign(path: Path, kind: str, onsets: list[float], record_s: str = "1") -> None:
    """Draw a file of another program by hand: 4 samples a record, counting on, of gain 0.5."""
    fields = [
        *(
            ("EMG", 16),
            ("EDF Annotations", 16),
            ("", 160),
            ("mV", 8),
            ("", 8),
            ("-100", 8),
            ("-1", 8),
            ("100", 8),
            ("1", 8),
        ),
        *(("-200", 8), ("-32768", 8), ("200", 8), ("32767", 8), ("", 160), ("4", 8), ("10", 8), ("", 64)),
    ]
    head = "0".ljust(8) + "X X X X".ljust(80) + "Startdate X X X X".ljust(80) + "01.01.9900.00.00" + "768".ljust(8)
    head += kind.ljust(44) + str(len(onsets)).ljust(8) + record_s.ljust(8) + "2".ljust(4)
    head += "".join(text.ljust(size) for text, size in fields)
    body = b""
    for number, onset in enumerate(onsets):
        body += np.arange(4 * number, 4 * number + 4, dtype="<i2").tobytes()
        body += f"+{onset}\x14\x14\0".encode().ljust(20, b"\0")
    path.write_bytes(head.encode() + body)


def test_time_left_out_between_records_becomes_a_gap(tmp_path: Path) -> None:
    foreign(tmp_path / "a.edf", "EDF+D", [0.5, 1.5, 10.5, 11.5])
    convert(tmp_path / "a.edf", tmp_path / "a.pulse")
    gaps, runs = items(tmp_path / "a.pulse", "EMG")
    assert gaps == [(8, 32, "not recorded")]
    assert [(first, values[:, 0].tolist()) for first, values in runs] == [
        (0, [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]),
        (40, [4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5]),
    ]
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert recording.meta["started"] == "1999-01-01T00:00:00.500000+00:00"


def test_records_that_overlap_are_refused(tmp_path: Path) -> None:
    foreign(tmp_path / "a.edf", "EDF+D", [0, 1, 1.5])
    with pytest.raises(RecordingError, match="overlap"):
        convert(tmp_path / "a.edf", tmp_path / "a.pulse")


def test_a_first_record_at_no_time_is_refused(tmp_path: Path) -> None:
    foreign(tmp_path / "a.edf", "EDF+C", [10**14, 1])
    with pytest.raises(RecordingError, match="the first record begins"):
        convert(tmp_path / "a.edf", tmp_path / "a.pulse")


def test_a_continuous_file_is_read_as_continuous_whatever_its_onsets(tmp_path: Path) -> None:
    foreign(tmp_path / "a.edf", "EDF+C", [0, 5, 10])
    convert(tmp_path / "a.edf", tmp_path / "a.pulse")
    gaps, ((first, values),) = items(tmp_path / "a.pulse", "EMG")
    assert (gaps, first, len(values)) == ([], 0, 12)


def test_names_too_long_are_shortened_and_that_is_said(tmp_path: Path) -> None:
    long = Signal("acceleration of the left wrist", "metres per second", 50.0, ("x", "y"))
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([counts(long, 0, 50, 1_000_000_000)])
    notes = convert(tmp_path / "a.pulse", tmp_path / "a.edf").notes
    edf = edfio.read_edf(tmp_path / "a.edf")
    assert edf.labels == ("acceleration of", "acceleration o~2")
    assert edf.signals[0].physical_dimension == "metres p"
    assert "the label 'acceleration of the left wrist x' is written as 'acceleration of'" in notes
    assert "the unit 'metres per second' is written as 'metres p'" in notes
    convert(tmp_path / "a.edf", tmp_path / "b.pulse")
    with Recording.open(tmp_path / "b.pulse") as recording:
        assert recording.signals == {long.name: long}


def test_names_that_leave_no_room_are_read_back_as_channels(tmp_path: Path) -> None:
    long = Signal("a" * 60, "V" * 30, 50.0, ("x", "y"))
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([counts(long, 0, 50, 1_000_000_000)])
    report = convert(tmp_path / "a.pulse", tmp_path / "a.edf")
    assert any("read back as separate channels" in note for note in report.notes)
    convert(tmp_path / "a.edf", tmp_path / "b.pulse")
    with Recording.open(tmp_path / "b.pulse") as recording:
        assert list(recording.signals) == ["a" * 16, "a" * 14 + "~2"]


@pytest.mark.parametrize(("low", "high"), [(0.3, 3e9 / 7), (1e-9 / 3, 2e-9 / 3)])
def test_a_range_that_eight_characters_cannot_say_is_refused(tmp_path: Path, low: float, high: float) -> None:
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([Block(ECG, np.array([[low], [high]], np.float32), 0, None, 1_000_000_000)])
    with pytest.raises(RecordingError, match="8 characters"):
        convert(tmp_path / "a.pulse", tmp_path / "a.edf")
    assert not (tmp_path / "a.edf").exists()


def test_rates_that_share_no_record_are_refused_and_fit_apart(tmp_path: Path) -> None:
    odd = [Signal(f"s{rate}", "V", 1 / rate, ("v",)) for rate in (997, 991)]
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([counts(signal, 0, 2, 1_000_000_000) for signal in odd])
    with pytest.raises(RecordingError, match="write fewer signals into one file"):
        convert(tmp_path / "a.pulse", tmp_path / "a.edf")
    convert(tmp_path / "a.pulse", tmp_path / "a.edf", signals=["s991"])
    assert Header.read(tmp_path / "a.edf").record_s == 991


def test_a_signal_without_samples_is_left_out_and_events_alone_are_refused(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([counts(ECG, 0, 20, 1_000_000_000), Gap(ACC, 0, 5, "lost")])
        recording.annotate([Interval("acc", 0, 1, "walk")])
    report = convert(tmp_path / "a.pulse", tmp_path / "a.edf")
    assert "acc has no samples and is left out" in report.notes
    assert "1 labels of signals that are not written are left out" in report.notes
    assert report.labels == 0
    with Recording.create(tmp_path / "b.pulse", **START) as recording:
        recording.add([Block(RR, np.ones((1, 1), np.float32), 0, None, 0)])
    with pytest.raises(RecordingError, match="no samples of a signal with a rate; its signals: rr"):
        convert(tmp_path / "b.pulse", tmp_path / "b.edf")


def small(tmp_path: Path) -> bytes:
    """Return the bytes of a small file of ours."""
    with Recording.create(tmp_path / "small.pulse", **START) as recording:
        recording.add([counts(Signal("s", "V", 4.0, ("a", "b")), 0, 10, 1_000_000_000)])
        recording.annotate([Interval("s", 1, 3, "walk")])
    convert(tmp_path / "small.pulse", tmp_path / "small.edf")
    return (tmp_path / "small.edf").read_bytes()


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    data = small(tmp_path)
    for length in range(len(data)):
        (tmp_path / "cut.edf").write_bytes(data[:length])
        with pytest.raises(RecordingError, match=r"cut short|no EDF|no whole number"):
            Header.read(tmp_path / "cut.edf")


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    folder = tmp_path_factory.mktemp("victim")
    return folder, small(folder)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 1400), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_damaged_files_give_our_error_or_none(victim: tuple[Path, bytes], damage: list[tuple[int, bytes]]) -> None:
    folder, data = victim
    broken = bytearray(data)
    for place, piece in damage:
        broken[place : place + len(piece)] = piece
    (folder / "broken.edf").write_bytes(broken[: len(data)])
    (folder / "broken.pulse").unlink(missing_ok=True)
    try:
        convert(folder / "broken.edf", folder / "broken.pulse")
    except PulseletError:
        assert not (folder / "broken.pulse").exists()


@pytest.mark.parametrize("text", ["nan", "1e999", "", "zwei", "-5", "9e9"])
def test_a_record_of_no_length_is_refused(tmp_path: Path, text: str) -> None:
    foreign(tmp_path / "a.edf", "EDF+C", [0, 1], record_s=text)
    if text == "9e9":  # strange, and possible
        convert(tmp_path / "a.edf", tmp_path / "a.pulse")
        return
    with pytest.raises(RecordingError):
        convert(tmp_path / "a.edf", tmp_path / "a.pulse")


def test_a_file_that_was_never_closed_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    foreign(tmp_path / "a.edf", "EDF+C", [0, 1, 2])
    data = (tmp_path / "a.edf").read_bytes()
    (tmp_path / "a.edf").write_bytes(data[:236] + b"-1      " + data[244:])
    convert(tmp_path / "a.edf", tmp_path / "a.pulse")
    assert len(items(tmp_path / "a.pulse", "EMG")[1][0][1]) == 12


@given(st.lists(st.integers(-(2**23), 2**23 - 1), min_size=1))
def test_samples_of_24_bits_are_little_endian_twos_complement(values: list[int]) -> None:
    drawn = b"".join(value.to_bytes(3, "little", signed=True) for value in values)
    rows = np.array([values], np.int32)
    assert samples_to_bytes(rows, 3).tobytes() == drawn
    assert bytes_to_samples(np.frombuffer(drawn, np.uint8)[None], 3).tolist() == rows.tolist()


def test_annotations_of_the_standards_example_are_read() -> None:
    # EDF+ specification, 2.2.3
    data = b"+180\x14Lights off\x14Close door\x14\0+1800.2\x1525.5\x14Apnea\x14\0"
    assert [(float(at), float(length), text) for at, length, text in tals(data)] == [
        (180, 0, "Lights off"),
        (180, 0, "Close door"),
        (1800.2, 25.5, "Apnea"),
    ]


def test_the_offset_of_a_scale_is_not_a_rounding_error() -> None:
    assert Channel("a", "V", "-327", "327", -32700, 32700, 1).offset == 0
    assert Channel("a", "V", "0", "100", 0, 1000, 1).offset == 0
    assert Channel("a", "V", "10", "110", 0, 1000, 1).offset == 10


def test_ohm_is_spelt_whichever_sign_it_has() -> None:
    assert (to_ascii("kΩ"), to_ascii("k\u2126"), to_ascii("心")) == ("kOhm", "kOhm", "?")


def mitdb() -> Path:
    folder = Path(os.environ.get("PULSELET_DATA", "")) / "mitdb"
    if not (folder / "100.hea").is_file():
        pytest.skip("PULSELET_DATA names no folder with mitdb/100.hea")
    return folder


def test_a_real_ecg_goes_from_wfdb_to_edf_without_a_change(tmp_path: Path) -> None:
    report = convert(mitdb() / "100.hea", tmp_path / "100.edf")
    raw = np.frombuffer((mitdb() / "100.dat").read_bytes(), np.uint8).reshape(-1, 3).astype(np.int32)  # format 212
    first = ((raw[:, 0] | ((raw[:, 1] & 15) << 8)) ^ 2048) - 2048
    edf = edfio.read_edf(tmp_path / "100.edf")
    # 100.hea: 200 steps a mV, 1024 is 0 mV
    steps = [one.steps for one in report.signals]
    assert [one.exact for one in report.signals] == [True, True], steps
    found = edf.signals[0].data[: len(first)].astype(np.float32)
    assert np.array_equal(found, ((first - 1024) / 200).astype(np.float32))
    assert sum(text == "N@@MLII" for _, _, text in edf.annotations) == 2239  # beats marked N in 100.atr
