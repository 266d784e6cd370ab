"""A folder of one's own: every format gives the samples and the labels that were put in; what is wrong is told."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfdb_records import ramp, write_annotations, write_record

import pulselet_datasets
from pulselet.errors import DatasetError
from pulselet.stream.block import LOST, Block, Gap, Signal
from pulselet.stream.convert import convert
from pulselet.stream.recording import Recording
from pulselet.stream.rows import Interval
from pulselet_datasets import folder
from pulselet_datasets.card import Card, OfficialSplit

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # wfdb 4.3 with pandas 3
ECG = Signal("ecg", "mV", 100.0, ("I",))
ACC = Signal("acc", "g", 50.0, ("x", "y", "z"))
BEFORE, AFTER = np.arange(300, dtype=np.float32), np.arange(500, 700, dtype=np.float32)  # 200 samples are lost between
WALK = np.arange(450, dtype=np.float32).reshape(150, 3) / 8


def pulse(path: Path) -> Path:
    """Write a recording of 7 s of ECG with a gap, and 3 s of acceleration that begin 1 s later."""
    with Recording.create(path) as recording:
        zero_ns = int(recording.meta["started_ns"])
        recording.add([Block(ECG, BEFORE[:, None], 0, None, zero_ns)])
        recording.add([Block(ACC, WALK, 0, None, zero_ns + 10**9)])
        recording.add([Gap(ECG, 300, 200, LOST), Block(ECG, AFTER[:, None], 500, None, zero_ns + 5 * 10**9)])
        recording.annotate([Interval("ecg", 100, 200, "walk")])
    return path


def table(base: Path, *lines: str, header: str = "file,subject,begin_s,end_s,label") -> None:
    (base / "labels.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def plain(path: Path, times: Any, values: Any, header: str = "time_s,ecg [mV]") -> None:
    rows = "\n".join(f"{t:.6g},{v:g}" for t, v in zip(times, values, strict=True))
    path.write_text(f"{header}\n{rows}\n", encoding="utf-8")


EVEN = np.arange(200) / 50


@pytest.mark.parametrize("suffix", [".pulse", ".hea", ".edf", ".bdf", ".csv", ".parquet"])
def test_every_format_gives_back_what_was_recorded(tmp_path: Path, suffix: str) -> None:
    source = pulse(tmp_path / "source.pulse")
    base = tmp_path / "set"
    base.mkdir()
    if suffix == ".pulse":
        source.rename(base / "walk.pulse")
    else:
        convert(source, base / f"walk{suffix}")
    table(base, f"walk{suffix},anna,0.5,2.5,stand", f"walk{suffix},anna,2.5,7,walk")
    dataset = folder(base)
    (one,) = dataset
    assert (one.subject, one.name, dataset.subjects, dataset.unlisted) == ("anna", f"walk{suffix}", ("anna",), ())
    assert (one.signal("ecg").unit, one.signal("ecg").rate_hz, one.signal("acc").channels) == (
        "mV",
        100.0,
        ("x", "y", "z"),
    )
    (first, before), (second, after) = one.segments("ecg")
    (_, walk), *others = one.segments("acc")
    assert (first, second, others) == (0, 500, [])
    np.testing.assert_allclose(before[:, 0], BEFORE, atol=0.02)
    np.testing.assert_allclose(after[:, 0], AFTER, atol=0.02)
    np.testing.assert_allclose(walk, WALK, atol=0.02)
    assert one.start_s.get("acc", 0.0) - one.start_s.get("ecg", 0.0) == pytest.approx(1.0, abs=1e-6)
    activity = one.label("activity")
    assert (activity.words, activity.rate_hz) == (["stand", "walk"], 100.0)
    assert (activity.begin.tolist(), activity.end_s.tolist()) == ([50, 250], [2.5, 7.0])
    assert one.label("annotation").words == ["walk"]
    assert one.label("annotation").begin_s.tolist() == [1.0]


@pytest.mark.parametrize("suffix", [".pulse", ".hea", ".edf", ".bdf", ".csv", ".parquet"])
def test_labels_that_a_file_holds_keep_their_kinds_and_count_once(tmp_path: Path, suffix: str) -> None:
    """By hand: the acceleration begins at 1 s, so that its samples 50 to 100 are the ECG's 200 to 300."""
    source = pulse(tmp_path / "source.pulse")
    base = tmp_path / "set"
    base.mkdir()
    with Recording.open(source, write=True) as recording:
        on_both = [Interval("ecg", 200, 300, "[activity] run"), Interval("acc", 50, 100, "[activity] run")]
        beats = [Interval("ecg", at, at, f"[beat] {word}") for at, word in ((20, "N"), (110, "V"))]
        recording.annotate([*on_both, *beats])
    if suffix == ".pulse":
        source.rename(base / "walk.pulse")
    else:
        convert(source, base / f"walk{suffix}")
    table(base, f"walk{suffix},anna,,,")
    (one,) = folder(base)
    zero = round(one.start_s.get("ecg", 0.0) * 100)
    assert set(one.labels) == {"annotation", "activity", "beat"}
    activity, beat = one.label("activity"), one.label("beat")
    assert (activity.words, (activity.begin - zero).tolist()) == (["run"], [200])
    assert activity.end is not None
    assert (activity.end - zero).tolist() == [300]
    assert (beat.words, (beat.begin - zero).tolist(), beat.end) == (["N", "V"], [20, 110], None)
    assert "1 labels of 'activity' are on another signal, too, and count once" in one.repairs
    assert [(run.first, len(run.values)) for run in one.segments("ecg")] == [(0, 300), (500, 200)]


def test_annotations_of_another_program_are_instants(tmp_path: Path) -> None:
    pytest.importorskip("wfdb")
    write_record(tmp_path, "r", ramp(500, 1))
    write_annotations(tmp_path, "r", "atr", [(77, "N", 0, ""), (200, "V", 0, "")])
    table(tmp_path, "r.hea,7,,,")
    (one,) = folder(tmp_path)
    found = one.label("annotation")
    assert (found.words, found.begin.tolist(), found.end, found.rater) == (["N", "V"], [77, 200], None, "r.hea")


def test_plain_table_gives_signals_gaps_and_rates(tmp_path: Path) -> None:
    times = np.delete(EVEN, slice(100, 120))
    rows = "\n".join(f"{t:.3f},{i},{-i},{i if i % 2 == 0 else ''}" for i, t in enumerate(times))
    (tmp_path / "a.csv").write_text(f"time_s,acc.x [g],acc.y [g],temp [°C]\n{rows}\n")
    table(tmp_path, "a.csv,7,,,")
    (one,) = folder(tmp_path)
    assert [(s.name, s.unit, s.rate_hz, s.channels) for s in one.signals.values()] == [
        ("acc", "g", 50.0, ("x", "y")),
        ("temp", "°C", 25.0, ("temp",)),
    ]
    assert [(run.first, len(run.values)) for run in one.segments("acc")] == [(0, 100), (120, 80)]
    assert [(run.first, len(run.values)) for run in one.segments("temp")] == [(0, 50), (60, 40)]
    assert one.segments("acc")[1].values[0].tolist() == [100.0, -100.0]


def test_plain_parquet_is_read_alike(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"time_s": EVEN + 3, "ecg [mV]": np.arange(200)}), tmp_path / "a.parquet")
    table(tmp_path, "a.parquet,7,3,4,rest")
    (one,) = folder(tmp_path)
    assert one.values("ecg")[:, 0].tolist() == list(range(200))
    assert one.start_s == {"ecg": 3.0}


def test_times_rounded_to_milliseconds_are_even(tmp_path: Path) -> None:
    index = np.delete(np.arange(3600), slice(1000, 2000))
    plain(tmp_path / "a.csv", np.round(index / 360, 3), index)
    table(tmp_path, "a.csv,7,,,")
    (one,) = folder(tmp_path)
    assert one.signal("ecg").rate_hz == pytest.approx(360, rel=1e-3)
    assert [(run.first, len(run.values)) for run in one.segments("ecg")] == [(0, 1000), (2000, 1600)]


def test_rate_that_is_no_round_number_fits_to_the_last_sample(tmp_path: Path) -> None:
    times = 1.7e9 + np.arange(20_000) / 103.5987654  # seconds since 1970
    rows = "".join(f"{t:.6f},{i}\n" for i, t in enumerate(times))
    (tmp_path / "a.csv").write_text("time_s,ecg [mV]\n" + rows)
    table(tmp_path, "a.csv,7,,,")
    for (one,) in (folder(tmp_path), folder(tmp_path, even_hz=100)):
        assert one.start_s["ecg"] == 1.7e9
        assert [run.first for run in one.segments("ecg")] == [0]
    (one,) = folder(tmp_path)
    assert one.signal("ecg").rate_hz == pytest.approx(103.5987654, rel=4e-6)
    assert len(one.values("ecg")) == 20_000


def test_uneven_samples_are_refused_or_a_counted_repair(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(3).uniform(0.01, 0.03, 200))
    plain(tmp_path / "a.csv", times, 2 * times)
    table(tmp_path, "a.csv,7,,,")
    with pytest.raises(DatasetError, match=r"is sampled unevenly: .* give even_hz"):
        list(folder(tmp_path))
    (one,) = folder(tmp_path, even_hz=50)
    assert "200 samples at uneven times are interpolated linearly to 50 Hz" in one.repairs[0]
    (run,) = one.segments("ecg")
    at_s = one.start_s["ecg"] + np.arange(run.first, run.first + len(run.values)) / 50
    np.testing.assert_allclose(run.values[:, 0], 2 * at_s, rtol=1e-4)  # a straight line stays one


def test_times_that_go_back_are_out_of_order(tmp_path: Path) -> None:
    plain(tmp_path / "a.csv", [0, 0.02, 0.01, 0.03], range(4))
    table(tmp_path, "a.csv,7,,,")
    with pytest.raises(DatasetError, match=r"out of order: sample 3 is 0\.01 s before"):
        list(folder(tmp_path))


@pytest.mark.parametrize(("column", "words"), [("ecg", "states no unit"), ("ecg [furlong]", "in 'furlong', a unit")])
def test_unknown_unit_is_refused_or_said(tmp_path: Path, column: str, words: str) -> None:
    plain(tmp_path / "a.csv", EVEN, EVEN, header=f"time_s,{column}")
    table(tmp_path, "a.csv,7,,,")
    with pytest.raises(DatasetError, match=words + r".*units=\{'ecg': '\.\.\.'\}"):
        list(folder(tmp_path))
    (one,) = folder(tmp_path, units={"ecg": "mV"})
    assert one.signal("ecg").unit == "mV"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("time_s,ecg [mV]\n0,1\n0.02\n", "line 3: wanted 2 cells, found 1"),
        ("time_s,ecg [mV]\n0,1\n0.02,x\n", "line 3: could not convert"),
        ("time_s,ecg [mV]\n0,1\n", "wanted two samples or more, found 1"),
        ("time_s,ecg [mV]\n,1\n0.02,1\n", "row 1 has no time_s"),
        ("time_s\n0\n", "one or more of samples"),
        ("time_s,a.x [g],a.y [mV]\n0,1,1\n1,1,1\n", "in several units"),
        ("time_s,a.x [g],a.x [g]\n0,1,1\n1,1,1\n", "two columns of 'a' have one name"),
        ("time_s,[g]\n0,1\n1,1\n", "should be named like"),
        ("one,two\n1,2\n", "wanted the columns"),
        ("", "wanted the columns"),
    ],
)
def test_table_of_samples_that_cannot_be_read_is_named(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    table(tmp_path, "a.csv,7,,,")
    with pytest.raises(DatasetError, match=words) as caught:
        list(folder(tmp_path))
    assert "a.csv" in str(caught.value)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return a folder with 4 s of one signal."""
    plain(tmp_path / "a.csv", EVEN, np.arange(200))
    return tmp_path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a.csv,7,3,5,rest", r"line 2: 'rest' is from 3 to 5 s, out of the range of a\.csv, which is from 0 to 4 s"),
        ("a.csv,7,-1,2,rest", "line 2: 'rest' is from -1 to 2 s, out of the range"),
        ("a.csv,7,2,1,rest", "ends at 1 s, before it begins"),
        ("a.csv,7,one,2,rest", "begin_s should be a number, is 'one'"),
        ("a.csv,7,nan,2,rest", "begin_s should be a finite number"),
        ("a.csv,7,1,2,", "a begin_s its label"),
        ("a.csv,7,,,rest", "a label wants its begin_s"),
        ("a.csv,,1,2,rest", "has no subject"),
        ("a.csv,7,1,2", "wanted 5 cells"),
        ("a.csv,7,1,2,rest,?", "wanted 5 cells"),
        ("../a.csv,7,1,2,rest", "inside the folder"),
        ("gone.csv,7,1,2,rest", r"names 1 files that are not in .*: gone\.csv"),
    ],
)
def test_line_that_cannot_be_is_named(base: Path, line: str, words: str) -> None:
    table(base, line)
    with pytest.raises(DatasetError, match=words) as caught:
        list(folder(base))
    assert "labels.csv" in str(caught.value)


def test_labels_out_of_order_are_named(base: Path) -> None:
    table(base, "a.csv,7,2,3,walk", "a.csv,7,1,2,rest")
    with pytest.raises(DatasetError, match="line 3: labels are out of order"):
        list(folder(base))


def test_word_outside_the_vocabulary_is_named(base: Path) -> None:
    table(base, "a.csv,7,2,3,wolk")
    with pytest.raises(DatasetError, match=r"a\.csv: .*\['wolk'\] are not in the vocabulary"):
        list(folder(base, vocabulary=("rest", "walk")))


@given(st.sampled_from([".pulse", ".hea", ".edf", ".bdf", ".parquet", ".csv"]), st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_refused_with_our_own_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes
) -> None:
    base = tmp_path_factory.mktemp("any")
    (base / f"a{suffix}").write_bytes(content)
    table(base, f"a{suffix},7,,,")
    with pytest.raises(DatasetError):
        list(folder(base))


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_table_of_labels_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    base = tmp_path_factory.mktemp("any")
    (base / "labels.csv").write_bytes(b"file,subject,begin_s,end_s,label\n" + content)
    with contextlib.suppress(DatasetError):
        folder(base)


NUMBERS = st.one_of(st.floats(), st.floats(0, 100), st.integers(-5, 5).map(float), st.just(""))


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12))
@settings(max_examples=150, deadline=None)
def test_any_numbers_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, Any]]) -> None:
    base = tmp_path_factory.mktemp("any")
    (base / "a.csv").write_text("time_s,ecg [mV]\n" + "".join(f"{t},{v}\n" for t, v in rows))
    table(base, "a.csv,7,,,")
    with contextlib.suppress(DatasetError):
        (one,) = folder(base)
        assert sum(len(run.values) for run in one.segments("ecg")) == sum(v == v and v != "" for _, v in rows)


def test_two_subjects_of_one_file_are_refused(base: Path) -> None:
    table(base, "a.csv,7,1,2,rest", "a.csv,8,2,3,walk")
    with pytest.raises(DatasetError, match=r"a\.csv is of \['7', '8'\]"):
        folder(base)


@pytest.mark.parametrize("content", ["", "file,label\na.csv,x\n", "file,subject\n"])
def test_table_of_labels_that_is_none(base: Path, content: str) -> None:
    (base / "labels.csv").write_text(content)
    with pytest.raises(DatasetError, match=r"labels\.csv"):
        folder(base)


def test_table_or_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no table"):
        folder(tmp_path)
    with pytest.raises(DatasetError, match="is no folder"):
        folder(tmp_path / "nowhere")


def test_file_without_a_line_is_counted_and_listed(base: Path) -> None:
    for name in ("b.csv", "c.csv"):
        plain(base / name, EVEN, EVEN)
    table(base, "a.csv,7,,,")
    dataset = folder(base)
    assert dataset.unlisted == ("b.csv", "c.csv")
    assert "without a line in the table, 2 (b.csv, c.csv)" in str(dataset)


def test_file_that_is_not_there_is_missing_if_errors_are_skipped(base: Path) -> None:
    table(base, "a.csv,7,,,", "gone.csv,8,,,")
    dataset = folder(base, on_error="skip")
    assert len(dataset) == 1
    assert dataset.missing == (("8",), ("gone.csv",))


def test_damaged_file_is_skipped_if_asked_and_the_rest_is_read(base: Path) -> None:
    (base / "b.edf").write_bytes(b"0       cut short")
    plain(base / "c.csv", EVEN, EVEN)
    table(base, "a.csv,7,,,", "b.edf,8,,,", "c.csv,9,,,")
    dataset = folder(base, on_error="skip")
    assert [one.subject for one in dataset] == ["7", "9"]
    assert len(dataset.failures) == 1
    assert "b.edf" in dataset.failures[0]


def test_instants_kinds_and_facts(base: Path) -> None:
    header = "file,subject,kind,begin_s,end_s,label,age"
    table(base, "a.csv,7,beat,0.5,,N,61", "a.csv,7,beat,1.5,,V,61", "a.csv,7,rhythm,0,4,AFIB,61", header=header)
    (one,) = folder(base)
    assert one.label("beat").end is None
    assert one.label("beat").begin.tolist() == [25, 75]
    assert one.label("rhythm").words == ["AFIB"]
    assert one.facts["age"] == "61"


def test_seconds_of_a_named_signal_count_from_its_first_sample(tmp_path: Path) -> None:
    pulse(tmp_path / "a.pulse")
    table(tmp_path, "a.pulse,7,acc,0.5,1,step", header="file,subject,signal,begin_s,end_s,label")
    (one,) = folder(tmp_path)
    assert one.label("activity").rate_hz == 50.0
    assert one.label("activity").begin_s.tolist() == [1.5]  # the acceleration begins at 1 s


def test_card_is_made_given_or_filled_in(base: Path) -> None:
    table(base, "a.csv,7,1,2,rest")
    made = folder(base).card
    assert (made.subjects, made.licence, made.files) == (("7",), "not stated", ("a.csv",))
    split = OfficialSplit({"train": ("7",), "test": ("8",)})
    filled = folder(base, card={"title": "Rests", "licence": "CC0", "subjects": ("7", "8"), "splits": {"ours": split}})
    assert filled.card.title == "Rests"
    assert filled.missing.subjects == ("8",)
    assert [len(side) for side in filled.sides("ours").values()] == [1, 0]
    with pytest.raises(DatasetError, match=r"a card has no \['licens'\]"):
        folder(base, card={"licens": "CC0"})
    stranger = Card("x", "x", "x", "x", "x", (), {}, {}, ("1",), "CC0", "-")
    with pytest.raises(DatasetError, match=r"does not know the subjects \['7'\]"):
        folder(base, card=stranger)


def test_empatica_export_is_one_recording(tmp_path: Path) -> None:
    export = tmp_path / "S1" / "E4"
    export.mkdir(parents=True)
    (export / "EDA.csv").write_text("1500000000.0\n4.0\n" + "0.5\n" * 40)
    (export / "TEMP.csv").write_text("1500000000.0\n4.0\n" + "33.5\n" * 40)
    table(tmp_path, "S1/E4,S1,0,10,rest")
    dataset = folder(tmp_path)
    (one,) = dataset
    assert sorted(one.signals) == ["eda", "temp"]
    assert dataset.unlisted == ()
    assert len(one.values("eda")) == 40


def test_recording_can_be_pickled_and_read_elsewhere(base: Path) -> None:
    table(base, "a.csv,7,1,2,rest")
    (one,) = folder(base)
    again = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(again.values("ecg"), one.values("ecg"))
    assert again.sha256 == one.sha256


def test_hash_of_a_recording_covers_all_its_files(tmp_path: Path) -> None:
    convert(pulse(tmp_path / "source.pulse"), tmp_path / "walk.csv")
    (tmp_path / "source.pulse").unlink()
    table(tmp_path, "walk.csv,7,,,")
    (one,) = pulselet_datasets.folder(tmp_path)
    assert {path.name for path in one.files} >= {"walk.csv", "walk.ecg.csv", "walk.acc.csv", "walk.gaps.csv"}
