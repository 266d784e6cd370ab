"""WFDB records: against the package wfdb both ways, real records, and round trips."""

from __future__ import annotations

import contextlib
import os
import struct
from datetime import date, time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import RecordingError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.convert import convert, wfdb_annotations
from pulselet.stream.convert.wfdb_library import library
from pulselet.stream.recording import Event, Interval, Recording

wfdb = library()
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # wfdb 4.3 with pandas 3

ECG = Signal("ecg", "mV", 130.0, ("ecg",), 1e9)
ACC = Signal("acc", "m/s²", 50.0, ("x", "y", "z"))
RR = Signal("rr", "s", None, ("rr",), loss_detectable=False)
START = {"started": "2024-05-01T10:00:00.250000+00:00", "started_ns": "0"}


def ramp(signal: Signal, first: int, count: int, at_ns: int, step: float) -> Block:
    rows = (np.arange(first, first + count)[:, None] * 7 + np.arange(len(signal.channels)) * 100) % 997 - 400
    return Block(signal, (rows * step).astype(np.float32), first, None, at_ns)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "walk.pulse"
    with Recording.create(path, **START, subject="S 1") as recording:
        recording.add([ramp(ECG, 0, 300, 0, 1e-3), ramp(ACC, 0, 100, 40_000_000, 1 / 64)])
        recording.add([Gap(ECG, 300, 70, "lost"), ramp(ECG, 370, 150, 0, 1e-3), Gap(ECG, 520, None, "restarted")])
        recording.add([ramp(ECG, 520, 11, 0, 1e-3), Gap(ACC, 100, 60, "disconnected"), ramp(ACC, 160, 30, 0, 1 / 64)])
        recording.add([Block(RR, np.array([[0.8125], [1]], np.float32), 0, None, 2_000_000_000)])
        recording.annotate([Interval("ecg", 5, 25, "gehe langsam: Übung"), Interval("acc", 12, 12, "tap [+3]")])
        recording.annotate([Interval("ecg", 7, 8, "")])
        recording.event("tag", at_ns=1_000_000_000)
    return path


def runs(path: Path, name: str) -> list[tuple[int, NDArray[np.float32]]]:
    with Recording.open(path) as recording:
        return recording.segments(name)


def gaps(path: Path, name: str) -> list[tuple[int, int | None, str]]:
    with Recording.open(path) as recording:
        return [(one.first, one.lost, one.reason) for one in recording.items(name) if isinstance(one, Gap)]


def test_wfdb_reads_what_was_recorded(source: Path, tmp_path: Path) -> None:
    report = convert(source, tmp_path / "walk.hea")
    record = wfdb.rdrecord(str(tmp_path / "walk"), smooth_frames=False)
    assert (record.fs, record.samps_per_frame) == (10, [13, 5, 5, 5])
    assert record.sig_name == ["ecg", "acc x", "acc y", "acc z"]
    assert record.units == ["mV", "m/s2", "m/s2", "m/s2"]
    assert (record.base_date, record.base_time) == (date(2024, 5, 1), time(10, 0, 0, 250_000))
    ecg = record.e_p_signal[0]
    assert np.array_equal(ecg[:300].astype(np.float32), ramp(ECG, 0, 300, 0, 1e-3).values[:, 0])
    assert np.array_equal(ecg[370:531].astype(np.float32), ramp(ECG, 370, 161, 0, 1e-3).values[:, 0])
    assert np.isnan(ecg[300:370]).all()
    assert np.isnan(ecg[531:]).all()
    for axis in range(3):
        found = record.e_p_signal[1 + axis]
        assert np.isnan(found[:2]).all()  # acceleration begins 40 ms later
        assert np.array_equal(found[2:102].astype(np.float32), ramp(ACC, 0, 100, 0, 1 / 64).values[:, axis])
    notes = wfdb.rdann(str(tmp_path / "walk"), "atr")
    assert notes.fs == 650  # of which 130 and 50 are parts
    found = dict(zip(notes.aux_note, zip(notes.sample.tolist(), notes.chan.tolist(), strict=True), strict=True))
    assert found["[gap] lost [+70]"] == (1500, 0)
    assert found["[gap] disconnected [+60]"] == (13 * 102, 1)
    assert found["[event] tag"] == (650, 0)
    assert set(notes.symbol) == {'"', "="}
    assert {file.name for file in report.files} == {"walk.hea", "walk.atr", "walk_ecg.dat", "walk_acc.dat"}


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_checksums_and_first_values_are_those_of_the_samples(source: Path, tmp_path: Path, bits: int) -> None:
    convert(source, tmp_path / "walk.hea", bits=bits)
    record = wfdb.rdrecord(str(tmp_path / "walk"), physical=False, smooth_frames=False)
    assert record.fmt == [str(bits)] * 4
    assert [value % 65536 for value in record.checksum] == [value % 65536 for value in record.calc_checksum(True)]
    assert record.init_value == [int(samples[0]) for samples in record.e_d_signal]
    assert record.e_d_signal[0][300] == -(2 ** (bits - 1))  # signal(5): the value that says invalid


@pytest.mark.parametrize("bits", [None, 16, 24, 32])
def test_gaps_labels_and_beats_come_back(source: Path, tmp_path: Path, bits: int | None) -> None:
    convert(source, tmp_path / "walk.hea", bits=bits)
    convert(tmp_path / "walk.hea", back := tmp_path / "back.pulse")
    for name in ("ecg", "acc", "rr"):
        assert gaps(back, name) == gaps(source, name)
        for (first, values), (first_too, values_too) in zip(runs(back, name), runs(source, name), strict=True):
            assert first == first_too
            assert np.array_equal(values, values_too)
    with Recording.open(source) as before, Recording.open(back) as after:
        assert sorted(after.intervals(), key=str) == sorted(before.intervals(), key=str)
        assert after.events() == [Event(1_000_000_000, "tag", "")]
        assert after.signals == {
            "ecg": Signal("ecg", "mV", 130.0, ("ecg",)),
            "acc": ACC,
            "rr": RR,
        }
        assert after.meta == {**START, "subject": "S 1"}


def test_a_record_of_one_rate_is_annotated_at_that_rate(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([ramp(ECG, 0, 300, 0, 1e-3)])
        recording.annotate([Interval("ecg", 17, 18, "N")])
    convert(tmp_path / "a.pulse", tmp_path / "a.hea")
    record = wfdb.rdrecord(str(tmp_path / "a"))
    found = wfdb.rdann(str(tmp_path / "a"), "atr")
    assert (record.fs, found.fs) == (130, 130)
    assert found.sample.tolist() == [17]
    assert found.aux_note == ["N [+1]"]
    assert record.file_name == ["a.dat"]


def test_the_narrowest_exact_format_is_chosen(tmp_path: Path) -> None:
    made = {"narrow": [1.0, 30000], "wide": [1.0, 4_000_000], "none": [np.pi, np.e], "finest": [2**-16, 500.0]}
    for number, (name, values) in enumerate(made.items()):
        signal = Signal(name, "count", 10.0, ("v",))
        with Recording.create(tmp_path / f"{name}.pulse", **START) as recording:
            recording.add([Block(signal, np.array(values, np.float32)[:, None], 0, None, 0)])
        (carried,) = convert(tmp_path / f"{name}.pulse", tmp_path / f"{name}.hea").signals
        record = wfdb.rdrecord(str(tmp_path / name), smooth_frames=False)
        assert record.fmt == [["16"], ["24"], ["16"], ["32"]][number]
        assert carried.exact == (name != "none")
        found = record.e_p_signal[0][:2]
        assert carried.steps is not None
        assert np.abs(found - np.array(values, np.float32)).max() <= (
            0 if carried.exact else carried.steps[0] / 2 + 1e-12
        )


def test_values_off_any_step_are_within_half_a_step(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(1e5, 3.0, (500, 1)).astype(np.float32)
    values[0] += np.float32(np.pi)
    for bits in (16, 24):
        with Recording.create(tmp_path / f"a{bits}.pulse", **START) as recording:
            recording.add([Block(Signal("p", "Pa", 10.0, ("p",)), values * np.float32(1e-3), 0, None, 0)])
        (carried,) = convert(tmp_path / f"a{bits}.pulse", tmp_path / f"a{bits}.hea", bits=bits).signals
        found = wfdb.rdrecord(str(tmp_path / f"a{bits}")).p_signal[:500, 0]
        assert carried.steps is not None
        assert np.abs(found - values[:, 0] * np.float32(1e-3)).max() <= carried.steps[0] / 2 * 1.001


def test_what_wfdb_writes_is_read_as_wfdb_reads_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5000, 2))
    values[1000:1100, 0] = np.nan
    values[4990:, 1] = np.nan
    wfdb.wrsamp(
        *("made", 250), units=["mV", "NU"], sig_name=["II", "II-2"], p_signal=values, fmt=["16", "16"],
        comments=["age: 70"], base_time=time(1, 2, 3), base_date=date(2001, 2, 3), write_dir=str(tmp_path),
    )  # fmt: skip
    wfdb.wrann("made", "atr", np.array([10, 20, 4000]), ["N", "V", '"'], chan=np.array([0, 1, 0]),
               aux_note=["", "(VT", "noise"], write_dir=str(tmp_path))  # fmt: skip
    report = convert(tmp_path / "made.hea", tmp_path / "made.pulse")
    truth = wfdb.rdrecord(str(tmp_path / "made")).p_signal.astype(np.float32)
    (first, one), (later, two) = runs(tmp_path / "made.pulse", "II")
    assert (first, later) == (0, 1100)
    assert np.array_equal(one[:, 0], truth[:1000, 0])
    assert np.array_equal(two[:, 0], truth[1100:, 0])
    ((_, three),) = runs(tmp_path / "made.pulse", "II-2")
    assert np.array_equal(three[:, 0], truth[:4990, 1])
    assert gaps(tmp_path / "made.pulse", "II") == [(1000, 100, "not recorded")]
    assert gaps(tmp_path / "made.pulse", "II-2") == [(4990, 10, "not recorded")]
    with Recording.open(tmp_path / "made.pulse") as recording:
        assert recording.meta["started"] == "2001-02-03T01:02:03+00:00"
        assert recording.meta["comments"] == "age: 70"
        assert recording.intervals() == [
            *(Interval("II", 10, 11, "N"), Interval("II", 4000, 4001, "noise")),
            Interval("II-2", 20, 21, "V (VT"),
        ]
    assert report.notes == ("WFDB states no time zone: its start is taken as UTC",)


def test_texts_too_long_for_an_annotation_are_cut_and_that_is_said(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse", **START, story="x" * 300) as recording:
        recording.add([ramp(ECG, 0, 300, 0, 1e-3)])
        recording.annotate([Interval("ecg", 1, 3, "ä" * 200)])
    notes = convert(tmp_path / "a.pulse", tmp_path / "a.hea").notes
    assert "1 texts are cut to 255 bytes" in notes
    assert "'story' of the facts about the recording is too long for WFDB and is left out" in notes
    convert(tmp_path / "a.hea", tmp_path / "b.pulse")
    with Recording.open(tmp_path / "b.pulse") as recording:
        assert recording.intervals() == [Interval("ecg", 1, 3, "ä" * 125)]


def test_a_unit_that_a_header_cannot_hold_is_rewritten(tmp_path: Path) -> None:
    made = {"µS": "uS", "": "NU", "kg·m²": "kg_m2", "%": "%", "1/min": "1/min", "m/s (x)": "m/s__x_"}
    for number, (unit, wanted) in enumerate(made.items()):
        signal = Signal("a", unit, 10.0, ("v",))
        with Recording.create(tmp_path / f"a{number}.pulse", **START) as recording:
            recording.add([ramp(signal, 0, 30, 0, 1.0)])
        notes = convert(tmp_path / f"a{number}.pulse", tmp_path / f"a{number}.hea").notes
        assert wfdb.rdheader(str(tmp_path / f"a{number}")).units == [wanted]
        assert (f"the unit {unit!r} is written as {wanted!r}" in notes) == (unit not in ("", wanted))
        convert(tmp_path / f"a{number}.hea", tmp_path / f"b{number}.pulse")
        with Recording.open(tmp_path / f"b{number}.pulse") as recording:
            assert recording.signals["a"].unit == unit


def test_events_before_the_record_stand_at_its_start(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([ramp(ECG, 0, 300, 5_000_000_000, 1e-3)])
        recording.event("connecting", at_ns=1_000_000_000)
    notes = convert(tmp_path / "a.pulse", tmp_path / "a.hea").notes
    assert "1 annotations lie before the record; they are put at its start" in notes
    assert wfdb.rdann(str(tmp_path / "a"), "atr").sample.tolist() == [0]


def test_without_its_annotations_a_record_still_shows_its_gaps(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "walk.hea")
    (tmp_path / "walk.atr").unlink()
    convert(tmp_path / "walk.hea", tmp_path / "back.pulse")
    assert gaps(tmp_path / "back.pulse", "ecg")[0] == (300, 70, "not recorded")


def test_signals_of_one_file_name_do_not_write_over_each_other(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add(
            [ramp(Signal(name, "V", 10.0, ("v",)), 0, 20, 0, step) for name, step in (("a/b", 1.0), ("a.b", 2.0))]
        )
    convert(tmp_path / "a.pulse", tmp_path / "a.hea")
    record = wfdb.rdrecord(str(tmp_path / "a"))
    assert record.p_signal[0].tolist() == [-400, -800]


@pytest.mark.parametrize("name", ["wal.k.hea", "w alk.hea", "wälk.hea"])
def test_a_name_that_is_none_for_a_record_is_refused(source: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="letters, digits"):
        convert(source, tmp_path / name)


def test_records_that_are_broken_give_our_error(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "walk.hea")
    header, data = (tmp_path / "walk.hea").read_text(), (tmp_path / "walk_ecg.dat").read_bytes()
    (tmp_path / "walk_ecg.dat").write_bytes(data[:100])
    with pytest.raises(RecordingError, match=r"walk\.hea, a WFDB record"):
        convert(tmp_path / "walk.hea", tmp_path / "b.pulse")
    (tmp_path / "walk_ecg.dat").unlink()
    with pytest.raises(RecordingError, match=r"walk\.hea, a WFDB record"):
        convert(tmp_path / "walk.hea", tmp_path / "b.pulse")
    (tmp_path / "walk_ecg.dat").write_bytes(data)
    for broken in ("", "hello\n", header.replace("16x13", "99x13"), header.replace('"channels"', '"canals"')):
        (tmp_path / "walk.hea").write_text(broken)
        with pytest.raises(RecordingError):
            convert(tmp_path / "walk.hea", tmp_path / "b.pulse")
    assert not (tmp_path / "b.pulse").exists()


def test_channels_of_one_signal_at_two_rates_are_refused(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "walk.hea")
    text = (tmp_path / "walk.hea").read_text()
    (tmp_path / "walk.hea").write_text(text.replace("16x5", "16x4", 1))
    with pytest.raises(RecordingError, match="the channels of 'acc' have different rates"):
        convert(tmp_path / "walk.hea", tmp_path / "b.pulse")


def test_annotations_drawn_by_hand_are_read(tmp_path: Path) -> None:
    # annot(5): time resolution, a symbol of its own, a jump, a channel, and a text of odd length
    comments = ("## time resolution: 500.", wfdb_annotations.BEGIN, "42 X mine", wfdb_annotations.END)
    drawn = [pair for text in comments for pair in ((22 << 10, b""), (63 << 10 | len(text), text.encode()))]
    drawn += [(1 << 10 | 5, b""), (62 << 10 | 3, b""), (59 << 10, bytes.fromhex("0100 0200")), (42 << 10 | 1, b"")]
    drawn += [(22 << 10, b""), (60 << 10 | 1, b""), (63 << 10 | 3, "ä!".encode()), (0, b"")]
    data = b"".join(struct.pack("<H", word) + text + b"\0" * (len(text) % 2) for word, text in drawn)
    (tmp_path / "a.atr").write_bytes(data)
    found = wfdb_annotations.read(tmp_path / "a.atr")
    assert found.ticks_hz == 500
    at = 5 + 65536 + 2 + 1
    assert found.found == [(5, 1, 3, ""), (at, 42, 3, ""), (at, 22, 3, "ä!")]
    assert found.symbols == {42: "X"}
    for length in range(len(data) - 4, 2, -1):
        (tmp_path / "a.atr").write_bytes(data[:length])
        with contextlib.suppress(RecordingError):
            wfdb_annotations.read(tmp_path / "a.atr")


def test_an_annotation_file_that_makes_wfdb_hang_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.atr").write_bytes(bytes.fromhex("0058 06fc 2323 2078 7878 0000"))  # a comment at 0: "## xxx"
    assert wfdb_annotations.read(tmp_path / "a.atr").found == [(0, 22, 0, "## xxx")]


@pytest.mark.parametrize("data", ["00fc", "0000", "00ec ffff ffff 0004 0000", "0104 05fc 41"])
def test_a_damaged_annotation_file_gives_our_error(tmp_path: Path, data: str) -> None:
    (tmp_path / "a.atr").write_bytes(bytes.fromhex(data))
    if data == "0000":
        assert wfdb_annotations.read(tmp_path / "a.atr").found == []
        return
    with pytest.raises(RecordingError, match="is damaged"):
        wfdb_annotations.read(tmp_path / "a.atr")


def test_a_record_of_several_segments_is_refused(tmp_path: Path) -> None:
    (tmp_path / "multi.hea").write_text("multi/2 1 100 200\none 100\ntwo 100\n")
    with pytest.raises(RecordingError, match="one segment"):
        convert(tmp_path / "multi.hea", tmp_path / "b.pulse")


def test_rates_that_share_no_frame_are_refused(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([ramp(Signal(f"s{rate}", "V", 1 / rate, ("v",)), 0, 2, 0, 1.0) for rate in (997, 991)])
    with pytest.raises(RecordingError, match="write fewer signals into one record"):
        convert(tmp_path / "a.pulse", tmp_path / "a.hea")


@pytest.mark.parametrize("record", ["100", "203"])
def test_a_real_record_is_read_as_wfdb_reads_it(tmp_path: Path, record: str) -> None:
    path = Path(os.environ.get("PULSELET_DATA", "")) / "mitdb" / record
    if not path.with_suffix(".hea").is_file():
        pytest.skip(f"PULSELET_DATA names no folder with mitdb/{record}.hea")
    convert(path.with_suffix(".hea"), tmp_path / "a.pulse")
    truth, beats = wfdb.rdrecord(str(path)), wfdb.rdann(str(path), "atr")
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert list(recording.signals) == truth.sig_name
        for number, name in enumerate(truth.sig_name):
            ((first, values),) = recording.segments(name)
            assert first == 0
            assert np.array_equal(values[:, 0], truth.p_signal[:, number].astype(np.float32))
            assert (recording.signals[name].rate_hz, recording.signals[name].unit) == (360, "mV")
        labels = recording.intervals()
        assert [label.first for label in labels] == beats.sample.tolist()
        assert [label.label.split(" ")[0] for label in labels] == beats.symbol
        assert recording.meta["started"].startswith("1970-01-01")
