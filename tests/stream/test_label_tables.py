"""Labels of annotation files as wfdb and the EDF+ specification have them; tables and `.pulse` files give them back."""

from __future__ import annotations

import contextlib
import os
import random
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from wfdb_records import ramp, write_annotations, write_record

from pulselet.errors import DatasetError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.convert import convert
from pulselet.stream.convert.wfdb_annotations import Columns
from pulselet.stream.convert.wfdb_library import guarded, library
from pulselet.stream.corpus import Labels
from pulselet.stream.label_imports import from_atr, from_edf, of_annotations
from pulselet.stream.label_intervals import from_intervals, to_intervals
from pulselet.stream.label_tables import from_csv, to_csv
from pulselet.stream.pulse_files import annotate, as_recording
from pulselet.stream.recording import Recording
from pulselet.stream.rows import Interval
from pulselet_datasets import mitdb

MITDB = Path(os.environ.get("PULSELET_DATA", "nowhere")) / "mitdb"
MARKS = [
    (18, "+", 0, "(N"),
    (18, "~", 1, ""),
    (77, "N", 0, ""),
    (200, "V", 0, ""),
    (250, "|", 1, ""),
    (300, "+", 0, "(AFIB"),
    (301, "~", 0, ""),
    (350, "A", 0, ""),
    (360, "~", -1, ""),
    (370, '"', 0, "MISSB"),
    (400, "e", 0, ""),
]
ECG = Signal("ecg", "mV", 100.0, ("ecg",))
ACC = Signal("acc", "g", 25.0, ("x", "y", "z"))
BEATS = Labels.of("beat", ["N", "V", "N"], [10, 110, 205], rate_hz=100.0, vocabulary=("N", "V"), rater="me")
WALKS = Labels.of("activity", ["rest", "walking"], [0, 150], [150, 300], rate_hz=100.0)


def same(one: Labels, other: Labels) -> bool:
    ends = (one.end is None and other.end is None) or np.array_equal(one.end, other.end)  # type: ignore[arg-type]
    facts = (one.kind, one.words, one.rate_hz) == (other.kind, other.words, other.rate_hz)
    return facts and bool(ends) and np.array_equal(one.begin, other.begin)


def pulse_file(path: Path, *, subject: str = "P1") -> Path:
    with Recording.create(path, subject=subject, started_ns="1000000000") as recording:
        values = np.arange(100, dtype=np.float32)[:, None]
        recording.add([Block(ECG, values, 0, None, 1_000_000_000), Block(ECG, values, 100, None, 2_000_000_000)])
        recording.add([Gap(ECG, 200, 50, "lost"), Block(ECG, values[:50], 250, None, 3_500_000_000)])
        recording.add([Block(ACC, np.ones((75, 3), np.float32), 0, None, 1_500_000_000)])
    return path


def test_an_annotation_file_becomes_labels_by_kind(tmp_path: Path) -> None:
    pytest.importorskip("wfdb")
    write_record(tmp_path, "100", ramp(500, 2))
    write_annotations(tmp_path, "100", "atr", MARKS)
    found = from_atr(tmp_path / "100.atr")
    assert set(found) == {"beat", "rhythm", "quality", "mark", "note"}
    assert (found["beat"].words, found["beat"].begin.tolist()) == (["N", "V", "A", "e"], [77, 200, 350, 400])
    assert found["beat"].end is None
    assert found["beat"].rate_hz == 360.0
    rhythm, quality = found["rhythm"], found["quality"]
    assert rhythm.end is not None
    assert (rhythm.words, rhythm.begin.tolist(), rhythm.end.tolist()) == (["N", "AFIB"], [18, 300], [300, 500])
    assert quality.words == ["noisy", "clean", "unreadable"]
    assert found["mark"].words == ["|"]
    assert found["note"].words == ["MISSB"]


def test_a_subtype_stays_with_its_annotation_whatever_the_file_says_of_itself(tmp_path: Path) -> None:
    """Words by hand (annot(5)): a noisy first channel at tick 0, then a note on the resolution at tick 0."""
    note = b"## time resolution: 250"
    words = struct.pack("<2H", 14 << 10, 61 << 10 | 1) + struct.pack("<2H", 22 << 10, 63 << 10 | len(note))
    data = words + note + b"\0" * (len(note) % 2) + struct.pack("<3H", 61 << 10, 1 << 10 | 50, 0)
    (tmp_path / "a.atr").write_bytes(data)
    found = from_atr(tmp_path / "a.atr")
    assert found["quality"].words == ["noisy"]
    assert found["quality"].end is not None
    assert found["quality"].end.tolist() == [51]
    assert found["beat"].begin_s.tolist() == [0.2]


def test_codes_that_have_no_symbol_or_one_of_the_files_own_are_marks(tmp_path: Path) -> None:
    """Words by hand (annot(5)): the file calls code 42 "W", and says nothing of code 45."""
    said = [b"## time resolution: 250", b"## annotation type definitions", b"42 W wobble", b"## end of definitions"]
    notes = (struct.pack("<2H", 22 << 10, 63 << 10 | len(text)) + text + b"\0" * (len(text) % 2) for text in said)
    codes = struct.pack("<4H", 42 << 10 | 10, 45 << 10 | 10, 1 << 10 | 10, 0)
    (tmp_path / "a.atr").write_bytes(b"".join(notes) + codes)
    found = from_atr(tmp_path / "a.atr")
    assert set(found) == {"beat", "mark"}
    assert (found["mark"].words, found["mark"].begin_s.tolist()) == (["W", "code 45"], [0.04, 0.08])
    assert (found["beat"].words, found["beat"].begin_s.tolist()) == (["N"], [0.12])


def test_the_loader_mends_and_counts_what_an_import_refuses(tmp_path: Path) -> None:
    """One annotation goes back and one is beyond the end of the record; without them, both give the same labels."""
    pytest.importorskip("wfdb")
    write_record(tmp_path, "100", ramp(500, 2))
    write_annotations(tmp_path, "100", "atr", MARKS)
    (one,) = mitdb.recordings(tmp_path)
    for kind, labels in from_atr(tmp_path / "100.atr").items():
        theirs = one.label(kind)
        ends = [None if end is None else end.tolist() for end in (labels.end, theirs.end)]
        assert (labels.begin.tolist(), ends[0]) == (theirs.begin.tolist(), ends[1])
        assert kind == "quality" or labels.words == theirs.words
    assert one.label("quality").words == ["first channel noisy", "clean", "unreadable"]
    back = struct.pack("<H", 59 << 10) + struct.pack("<hH", -1, 65536 - 30) + struct.pack("<H", 1 << 10)
    (tmp_path / "100.atr").write_bytes(struct.pack("<H", 1 << 10 | 50) + back + struct.pack("<2H", 5 << 10 | 600, 0))
    with pytest.raises(DatasetError, match="beyond the end"):
        from_atr(tmp_path / "100.atr")
    (one,) = mitdb.recordings(tmp_path)
    assert one.label("beat").begin.tolist() == [20, 50]
    assert [text.partition(": ")[2] for text in one.repairs] == [
        "1 annotations beyond the last sample are left out",
        "time goes back 1 times; the annotations are put in order",
    ]


def test_a_channel_that_cannot_be_read_is_unreadable() -> None:
    """By the high bits of the subtype, as PhysioNet's list of codes has it: 16 is the first channel, 33 the second."""
    subtype = np.array([0, 1, 2, 3, 16, 33, -1], np.int64)
    row = np.arange(len(subtype), dtype=np.int64)
    read = Columns(row, np.full(len(subtype), 14), row * 0, subtype, {})
    noisy = ["first channel noisy", "second channel noisy", "both channels noisy"]
    of_two = of_annotations(read, 7, rate_hz=1.0, two_channels=True)["quality"]
    assert of_two.words == ["clean", *noisy, *["unreadable"] * 3]
    assert of_annotations(read, 7, rate_hz=1.0)["quality"].words == ["clean", *["noisy"] * 3, *["unreadable"] * 3]


def test_an_annotation_file_without_a_rate_wants_one(tmp_path: Path) -> None:
    (tmp_path / "a.atr").write_bytes(struct.pack("<2H", 1 << 10 | 50, 0))
    with pytest.raises(DatasetError, match="give rate_hz"):
        from_atr(tmp_path / "a.atr")
    assert from_atr(tmp_path / "a.atr", rate_hz=100.0)["beat"].begin_s.tolist() == [0.5]
    with pytest.raises(DatasetError, match="beyond the end"):
        from_atr(tmp_path / "a.atr", rate_hz=100.0, end=50)


def test_annotations_out_of_order_are_refused(tmp_path: Path) -> None:
    back = struct.pack("<H", 59 << 10) + struct.pack("<hH", -1, 65536 - 30)
    (tmp_path / "a.atr").write_bytes(struct.pack("<H", 1 << 10 | 50) + back + struct.pack("<2H", 1 << 10, 0))
    with pytest.raises(DatasetError, match="out of order"):
        from_atr(tmp_path / "a.atr", rate_hz=100.0)


@pytest.mark.parametrize("reader", [from_atr, from_edf, from_csv])
def test_a_file_that_is_not_there_or_is_noise_is_a_dataset_error(tmp_path: Path, reader: object) -> None:
    assert callable(reader)
    with pytest.raises(DatasetError):
        reader(tmp_path / "none")
    rng = random.Random(5)
    for length in (0, 1, 7, 256, 600):
        for _ in range(20):
            (tmp_path / "noise").write_bytes(rng.randbytes(length))
            with contextlib.suppress(DatasetError):
                reader(tmp_path / "noise")


@pytest.mark.skipif(not MITDB.is_dir(), reason="PULSELET_DATA holds no mitdb")
@pytest.mark.parametrize("name", ["100", "207"])
def test_the_labels_of_mit_bih_are_those_that_wfdb_reads(name: str) -> None:
    pytest.importorskip("wfdb")
    with guarded(MITDB / name):
        read = library().rdann(str(MITDB / name), "atr")
    found = from_atr(MITDB / f"{name}.atr")
    symbols = Counter(read.symbol)
    assert Counter(found["beat"].words) == {
        one: count for one, count in symbols.items() if one in "NLRAaJSVFejnE/fQ?Br"
    }
    assert len(found["rhythm"]) == symbols["+"]
    assert len(found["quality"]) == symbols["~"] if "~" in symbols else "quality" not in found
    assert found["beat"].rate_hz == 360.0
    assert found["rhythm"].end is not None
    assert found["rhythm"].end[-1] == 650000


def edf_plus(path: Path, records: list[bytes], *, label: str = "EDF Annotations", width: int = 120) -> Path:
    """Write an EDF+ file of annotations alone (EDF+ 2.2: no signal, records of 0 s)."""

    def fields(*pairs: tuple[str, int]) -> bytes:
        return b"".join(text.encode().ljust(size) for text, size in pairs)

    fixed = fields(
        *(("0", 8), ("X X X X", 80), ("Startdate 24-APR-1989 X X X", 80), ("24.04.89", 8), ("16.13.00", 8)),
        *(("512", 8), ("EDF+C", 44), (str(len(records)), 8), ("0", 8), ("1", 4)),
    )
    channel = fields(
        *((label, 16), ("", 80), ("", 8), ("-1", 8), ("1", 8), ("-32768", 8), ("32767", 8), ("", 80)),
        *((str(width // 2), 8), ("", 32)),
    )
    path.write_bytes(fixed + channel + b"".join(record.ljust(width, b"\0") for record in records))
    return path


STAGES = (
    b"+0\x14\x14\0+0\x15300\x14Sleep stage W\x14\0+300\x1590\x14Sleep stage 4\x14\0+390\x1530\x14Sleep stage ?\x14\0"
)


def test_a_hypnogram_of_edf_plus_becomes_stages(tmp_path: Path) -> None:
    """The text of a time-stamped annotation list is that of EDF+ 2.2.4 and of the Sleep-EDF hypnograms."""
    path = edf_plus(tmp_path / "Hypnogram.edf", [STAGES])
    raw = from_edf(path, rate_hz=1.0)
    assert raw.words == ["Sleep stage W", "Sleep stage 4", "Sleep stage ?"]
    words = {"Sleep stage W": "W", "Sleep stage 4": "N3", "Sleep stage ?": None}
    found = from_edf(path, rate_hz=1.0, kind="stage", words=words, vocabulary=("W", "N1", "N2", "N3", "R"))
    assert found.end is not None
    assert (found.words, found.begin.tolist(), found.end.tolist()) == (["W", "N3"], [0, 300], [300, 390])
    with pytest.raises(DatasetError, match="Sleep stage 4"):
        from_edf(path, words={"Sleep stage W": "W"})


def test_annotations_without_a_length_are_instants_and_count_from_the_first_record(tmp_path: Path) -> None:
    record = b"+0.5\x14\x14\0+1.5\x14R@@ECG\x14\0+3.25\x14R\x14\0"
    found = from_edf(edf_plus(tmp_path / "a.edf", [record]))
    assert found.end is None
    assert (found.words, found.begin_s.tolist()) == (["R", "R"], [1.0, 2.75])


def test_an_edf_without_annotations_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no channel of annotations"):
        from_edf(edf_plus(tmp_path / "a.edf", [STAGES], label="EEG"))


def test_a_table_gives_back_the_labels(tmp_path: Path) -> None:
    odd = Labels.of("odd, kind", ['say "it"', "ü\nx"], [1, 7], rate_hz=1000 / 3)
    path = to_csv(tmp_path / "labels.csv", [BEATS, WALKS, odd], file="walk.pulse", subject="P1")
    found = from_csv(path, vocabulary={"beat": ("N", "V")})
    assert list(found) == ["beat", "activity", "odd, kind"]
    assert all(same(found[one.kind], one) for one in (BEATS, WALKS, odd))
    assert found["beat"].rater == "me"
    assert [one.name for one in tmp_path.iterdir()] == ["labels.csv"]


def test_every_time_comes_back_to_its_sample(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for rate_hz in (360.0, 103.6, 1e5 / 7):
        begin = np.sort(rng.integers(0, 2**31, 500))
        many = Labels.of("beat", ["N"] * 500, begin, rate_hz=rate_hz)
        assert same(from_csv(to_csv(tmp_path / "t.csv", [many], file="a", subject="s"))["beat"], many)


def test_a_table_is_one_that_a_folder_of_recordings_takes(tmp_path: Path) -> None:
    folder = pytest.importorskip("pulselet_datasets.folder_set").folder
    pulse_file(tmp_path / "walk.pulse")
    to_csv(tmp_path / "labels.csv", [BEATS, WALKS], file="walk.pulse", subject="P1")
    (found,) = folder(tmp_path)
    assert found.subject == "P1"
    assert same(found.label("beat"), BEATS)
    assert same(found.label("activity"), WALKS)


def test_a_table_without_a_label_still_says_who_it_was(tmp_path: Path) -> None:
    path = to_csv(tmp_path / "labels.csv", [], file="walk.pulse", subject="P1")
    assert path.read_text().splitlines()[1] == "walk.pulse,P1,,,,,,"
    assert from_csv(path) == {}
    with pytest.raises(DatasetError, match="no subject"):
        to_csv(path, [], file="walk.pulse", subject=" ")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("label\nx", "wanted the columns"),
        ("label,begin_s,rate_hz\nx,1", "cells"),
        ("label,begin_s,rate_hz\nx,soon,10", "line 2: begin_s should be a finite number, is 'soon'"),
        ("label,begin_s,rate_hz\nx,nan,10", "finite"),
        ("label,begin_s,rate_hz\nx,1e300,10", "beyond what can be counted"),
        ("label,begin_s\nx,1", "give rate_hz"),
        ("label,begin_s,rate_hz\nx,1,0", "above 0 Hz"),
        ("label,begin_s,rate_hz\n,1,10", "no label"),
        ("label,begin_s,rate_hz\nx,2,10\ny,1,10", "line 3: labels are out of order"),
        ("label,begin_s,end_s,rate_hz\nx,2,3,10\ny,4,,10", "give two kinds"),
        ("label,begin_s,end_s,rate_hz\nx,2,1,10", "ends before it begins"),
        ("label,begin_s,rate_hz\nx,1,10\nx,2,20", "2 rates"),
        ("file,label,begin_s,rate_hz\na,x,1,10\nb,x,1,10", "say which"),
    ],
)
def test_a_table_that_is_not_right_says_why(tmp_path: Path, lines: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(lines)
    with pytest.raises(DatasetError, match=message):
        from_csv(tmp_path / "labels.csv")


def test_lines_of_one_file_are_taken_from_a_table_of_several(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,label,begin_s\na,x,1\nb,y,2\n")
    assert from_csv(tmp_path / "t.csv", file="b", rate_hz=10.0)["annotation"].words == ["y"]
    with pytest.raises(DatasetError, match="not in the vocabulary"):
        from_csv(tmp_path / "t.csv", file="b", rate_hz=10.0, vocabulary={"annotation": ("x",)})


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no labels were written"):
        to_csv(tmp_path / "nowhere" / "labels.csv", [BEATS], file="a", subject="s")


def test_a_pulse_file_is_a_recording_of_a_data_set(tmp_path: Path) -> None:
    recording = as_recording(pulse_file(tmp_path / "walk.pulse"), dataset="walks")
    assert (recording.name, recording.subject, recording.labels) == ("walk", "P1", {})
    assert [(run.first, len(run.values)) for run in recording.segments("ecg")] == [(0, 200), (250, 50)]
    assert np.isnan(recording.values("ecg")[200:250]).all()
    assert dict(recording.start_s) == {"acc": 0.5}
    assert len(recording.sha256) == 64


def test_labels_go_into_a_pulse_file_and_come_back(tmp_path: Path) -> None:
    path = pulse_file(tmp_path / "walk.pulse")
    assert annotate(path, [BEATS, WALKS], "ecg") == 5
    found = as_recording(path).labels
    assert same(found["beat"], BEATS)
    assert same(found["activity"], WALKS)
    with Recording.open(path) as recording:
        assert recording.intervals()[1] == Interval("ecg", 110, 110, "[beat] V")


def test_labels_are_on_the_clock_of_the_recording_whichever_signal_holds_them(tmp_path: Path) -> None:
    path = pulse_file(tmp_path / "walk.pulse")
    late = Labels.of("activity", ["walking"], [100], [200], rate_hz=100.0)
    annotate(path, [late], "acc")
    with Recording.open(path) as recording:
        (interval,) = recording.intervals()
        assert (interval.first, interval.end) == (12, 38)  # (1.0 - 0.5) s and (2.0 - 0.5) s at 25 Hz, rounded to even
    found = as_recording(path).label("activity")
    assert found.end_s.tolist() == pytest.approx([2.0], abs=0.02)


def test_labels_survive_edf(tmp_path: Path) -> None:
    path = pulse_file(tmp_path / "walk.pulse")
    annotate(path, [BEATS, WALKS], "ecg")
    convert(path, tmp_path / "walk.edf")
    convert(tmp_path / "walk.edf", tmp_path / "again.pulse")
    found = as_recording(tmp_path / "again.pulse", subject="P1").labels
    assert same(found["beat"], BEATS)
    assert same(found["activity"], WALKS)


def test_a_label_on_two_signals_counts_once() -> None:
    signals = {"ecg": ECG, "acc": ACC}
    rows = [Interval("acc", 0, 50, "walk"), Interval("ecg", 49, 250, "walk"), Interval("acc", 60, 62, "walk")]
    found, repairs = from_intervals(rows, signals, {"acc": 0.5})
    assert found["annotation"].begin.tolist() == [49, 290]
    assert repairs == ("1 labels of 'annotation' are on another signal, too, and count once",)


def test_labels_of_signals_without_a_rate_are_counted_out() -> None:
    rr = Signal("rr", "ms", None, ("rr",))
    assert from_intervals([Interval("rr", 0, 5, "x")], {"rr": rr}, {})[1] == (
        "1 labels on signals without a rate are left out",
    )
    with pytest.raises(DatasetError, match="no rate"):
        to_intervals(BEATS, rr)


def test_what_a_pulse_file_cannot_take_is_said(tmp_path: Path) -> None:
    path = pulse_file(tmp_path / "walk.pulse")
    with pytest.raises(DatasetError, match="beyond the last sample"):
        annotate(path, [Labels.of("beat", ["N"], [300], rate_hz=100.0)], "ecg")
    with pytest.raises(DatasetError, match="before sample 0"):
        annotate(path, [Labels.of("beat", ["N"], [10], rate_hz=100.0)], "acc")
    with pytest.raises(DatasetError, match="no signal 'ppg'"):
        annotate(path, [BEATS], "ppg")
    assert as_recording(path).labels == {}


def test_a_pulse_file_without_a_subject_wants_one(tmp_path: Path) -> None:
    path = pulse_file(tmp_path / "walk.pulse", subject="")
    with pytest.raises(DatasetError, match="give subject="):
        as_recording(path)
    assert as_recording(path, subject="P2").subject == "P2"


def test_what_is_no_recording_is_a_dataset_error(tmp_path: Path) -> None:
    (tmp_path / "a.pulse").write_bytes(b"no")
    with pytest.raises(DatasetError):
        as_recording(tmp_path / "a.pulse", subject="P1")
    with Recording.create(tmp_path / "empty.pulse", subject="P1"):
        pass
    with pytest.raises(DatasetError, match="no sample"):
        as_recording(tmp_path / "empty.pulse")


def test_labels_given_while_it_ran_are_annotations(tmp_path: Path) -> None:
    path = pulse_file(tmp_path / "walk.pulse")
    with Recording.open(path, write=True) as recording:
        recording.event("label", "walking", at_ns=1_500_000_000)
        recording.event("label", "", at_ns=2_500_000_000)
        recording.event("label", "late", at_ns=9_000_000_000)
        recording.event("label", "", at_ns=9_500_000_000)
    found = as_recording(path)
    assert found.label("annotation").words == ["walking"]
    assert found.label("annotation").rate_hz == 100.0
    assert found.repairs == ("1 labels given while it ran are on no sample of 'ecg', and are left out",)


def test_words_that_a_table_would_change_are_refused(tmp_path: Path) -> None:
    for word in ("", " N"):
        with pytest.raises(DatasetError, match="not empty"):
            to_csv(tmp_path / "t.csv", [Labels.of("note", [word], [1], rate_hz=10.0)], file="a", subject="s")
    assert not list(tmp_path.iterdir())


def test_no_word_is_taken_for_a_kind() -> None:
    words = ["", "[beat] V", "[", "x]", "plain"]
    for kind in ("annotation", "note"):
        given = Labels.of(kind, words, range(5), rate_hz=100.0)
        assert same(from_intervals(to_intervals(given, ECG), {"ecg": ECG}, {})[0][kind], given)
    with pytest.raises(DatasetError, match="without brackets"):
        to_intervals(Labels.of("a]b", ["x"], [1], rate_hz=100.0), ECG)


def test_an_annotation_beyond_all_counting_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="beyond what can be counted"):
        from_edf(edf_plus(tmp_path / "a.edf", [b"+0\x14\x14\0+999999999\x14R\x14\0"]), rate_hz=1e9)
    for rate_hz in (0.0, float("nan"), float("inf")):
        with pytest.raises(DatasetError, match="above 0 Hz"):
            from_edf(edf_plus(tmp_path / "a.edf", [STAGES]), rate_hz=rate_hz)
