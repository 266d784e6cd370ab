"""CSV and Parquet: read by csv and pyarrow, written and read back exactly, and refused where they are not ours."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulselet.errors import PulseletError, RecordingError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.convert import convert
from pulselet.stream.convert.csv_text import Csv
from pulselet.stream.convert.parquet import Parquet
from pulselet.stream.convert.tables import FLOAT32, INT, ROWS, TEXT, Column
from pulselet.stream.recording import Event, Interval, Recording

ACC = Signal("acc", "m/s²", 50.0, ("x", "y"), 1000.0)
RR = Signal("rr", "s", None, ("rr",), loss_detectable=False)
START = {"started": "2024-05-01T10:00:00.250000+00:00", "started_ns": "1000000000"}
SUFFIXES = pytest.mark.parametrize("suffix", [".csv", ".parquet"])


def noise(first: int, count: int, seed: int, of: Signal = ACC) -> Block:
    values = np.random.default_rng(seed).normal(size=(count, len(of.channels))).astype(np.float32)
    return Block(of, values, first, 10 * first + seed, 1_500_000_000 + first * 20_000_000 + seed)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "walk.pulse"
    with Recording.create(path, **START, subject='said "S, 1"', note="two\nlines") as recording:
        recording.add([noise(100, 5, 0), Gap(ACC, 105, 3, "lost"), Gap(ACC, 108, None, "restarted"), noise(108, 4, 1)])
        recording.add([Block(RR, np.array([[0.8], [0.9]], np.float32), 0, None, 2_000_000_000), noise(112, 1, 2)])
        recording.add([Gap(ACC, 113, 0, "reconnected")])
        recording.annotate([Interval("acc", 101, 103, "gehe, schnell"), Interval("rr", 0, 1, "")])
        recording.event("tag", "button", at_ns=3_000_000_000)
    return path


def everything(path: Path) -> tuple[Any, ...]:
    """Return all that a recording holds, with values as bytes."""
    with Recording.open(path) as recording:
        items = {
            name: [
                (one.first, one.lost, one.reason)
                if isinstance(one, Gap)
                else (one.first, one.values.tobytes(), one.device_ticks, one.arrival_ns)
                for one in recording.items(name)
            ]
            for name in recording.signals
        }
        return items, recording.signals, recording.intervals(), recording.events(), recording.meta


@SUFFIXES
def test_everything_but_packets_and_sessions_comes_back(source: Path, tmp_path: Path, suffix: str) -> None:
    report = convert(source, tmp_path / f"walk{suffix}")
    convert(tmp_path / f"walk{suffix}", tmp_path / "back.pulse")
    assert everything(tmp_path / "back.pulse") == everything(source)
    assert report.notes == ()
    assert [(one.name, one.samples, one.gaps, one.lost) for one in report.signals] == [
        ("acc", 10, 3, 3),
        ("rr", 2, 0, 0),
    ]
    assert all(one.exact and one.steps is None for one in report.signals)
    names = ["walk", "walk.acc", "walk.events", "walk.gaps", "walk.labels", "walk.meta", "walk.rr"]
    assert sorted(file.name for file in report.files) == sorted(name + suffix for name in names)


def test_csv_is_what_csv_reads(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "walk.csv")
    with (tmp_path / "walk.acc.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["index", "time_s", "arrival_ns", "device_ticks", "x", "y"]
    assert [int(row["index"]) for row in rows] == [100, 101, 102, 103, 104, 108, 109, 110, 111, 112]
    # the first block, index 100, arrived at 3.5 s of the host's clock; the recording started at 1 s
    assert [float(row["time_s"]) for row in rows][:6] == pytest.approx([2.5, 2.52, 2.54, 2.56, 2.58, 2.66])
    assert [row["arrival_ns"] for row in rows][:6] == ["3500000000", "", "", "", "", "3660000001"]
    assert [row["device_ticks"] for row in rows][4:6] == ["", "1081"]
    found = np.array([[float(row["x"]), float(row["y"])] for row in rows], np.float32)
    assert np.array_equal(found[:5], noise(100, 5, 0).values)
    assert rows[0]["x"] == str(noise(100, 5, 0).values[0, 0])
    with (tmp_path / "walk.gaps.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["signal", "first", "lost", "reason"],
            ["acc", "105", "3", "lost"],
            ["acc", "108", "", "restarted"],
            ["acc", "113", "0", "reconnected"],
        ]
    with (tmp_path / "walk.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1:] == [
            ["acc", "walk.acc.csv", "m/s²", "50.0", '["x", "y"]', "1000.0", "1"],
            ["rr", "walk.rr.csv", "s", "", '["rr"]', "", "0"],
        ]


def test_parquet_is_what_pyarrow_reads(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "walk.parquet")
    table = pq.read_table(tmp_path / "walk.acc.parquet")
    assert table.schema.names == ["index", "time_s", "arrival_ns", "device_ticks", "x", "y"]
    assert [str(kind) for kind in table.schema.types] == ["int64", "double", "int64", "int64", "float", "float"]
    assert table.schema.field("x").metadata == {b"unit": "m/s²".encode()}
    assert table["index"].to_pylist() == [100, 101, 102, 103, 104, 108, 109, 110, 111, 112]
    assert np.array_equal(table["y"].to_numpy()[:5], noise(100, 5, 0).values[:, 1])
    assert table["device_ticks"].to_pylist()[:6] == [1000, None, None, None, None, 1081]
    assert pq.read_table(tmp_path / "walk.gaps.parquet")["lost"].to_pylist() == [3, None, 0]
    assert (
        dict(
            zip(
                *(pq.read_table(tmp_path / "walk.meta.parquet")[key].to_pylist() for key in ("key", "value")),
                strict=True,
            )
        )["subject"]
        == 'said "S, 1"'
    )


@SUFFIXES
def test_blocks_come_back_whole_where_batches_and_row_groups_end(tmp_path: Path, suffix: str) -> None:
    sizes = [ROWS - 1, 2, 1, ROWS, 3, 2 * ROWS + 5, 1]
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        first = 0
        for seed, size in enumerate(sizes):
            recording.add([noise(first, size, seed)])
            first += size
    convert(tmp_path / "a.pulse", tmp_path / f"a{suffix}")
    if suffix == ".parquet":
        assert pq.ParquetFile(tmp_path / "a.acc.parquet").num_row_groups == 4
    convert(tmp_path / f"a{suffix}", tmp_path / "b.pulse")
    assert everything(tmp_path / "b.pulse") == everything(tmp_path / "a.pulse")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50))
def test_every_float32_survives_csv(tmp_path: Path, bits: list[int]) -> None:
    values = np.array(bits, np.uint32).view(np.float32)
    columns = [Column("v", FLOAT32, optional=True)]
    Csv().write(tmp_path / "a.csv", columns, [[list(values)]])
    ((found,),) = Csv().read(tmp_path / "a.csv", columns)
    assert np.array_equal(np.array(found).astype(np.float32), values, equal_nan=True)
    assert np.array_equal(np.signbit(np.array(found)[values == 0]), np.signbit(values[values == 0]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63) + 1, 2**63 - 1) | st.none(),
            st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        )
    )
)
def test_every_text_and_whole_number_survives(tmp_path: Path, rows: list[tuple[int | None, str]]) -> None:
    columns = [Column("n", INT, optional=True), Column("t", TEXT)]
    for form in (Csv(), Parquet()):
        form.write(tmp_path / "a", columns, [[[row[0] for row in rows], [row[1] for row in rows]]])
        assert [row for batch in form.read(tmp_path / "a", columns) for row in zip(*batch, strict=True)] == rows


@SUFFIXES
def test_names_that_would_clash_are_told_apart(tmp_path: Path, suffix: str) -> None:
    names = ["gaps", "a/b", "a.b", "A_b", "../up", ""]
    signals = [Signal(name, "V", 10.0, ("index", "x", "x_")) for name in names]
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([noise(0, 3, number, signal) for number, signal in enumerate(signals)])
        recording.add([Gap(signals[0], 3, 2, "lost")])
    report = convert(tmp_path / "a.pulse", tmp_path / f"a{suffix}")
    assert len({file.name.lower() for file in report.files}) == len(names) + 3
    assert all(file.parent == tmp_path for file in report.files)
    convert(tmp_path / f"a{suffix}", tmp_path / "b.pulse")
    assert everything(tmp_path / "b.pulse") == everything(tmp_path / "a.pulse")


@SUFFIXES
def test_chosen_signals_are_written_and_labels_of_others_are_said_to_be_left(
    source: Path, tmp_path: Path, suffix: str
) -> None:
    report = convert(source, tmp_path / f"walk{suffix}", signals=["rr", "rr"])
    assert [one.name for one in report.signals] == ["rr"]
    assert report.labels == 1
    assert report.notes == ("1 labels of signals that are not written are left out",)
    with pytest.raises(RecordingError, match="no signal 'ppg'"):
        convert(source, tmp_path / f"other{suffix}", signals=["ppg"])


@SUFFIXES
def test_indexes_left_out_without_a_word_become_a_gap(tmp_path: Path, suffix: str) -> None:
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([noise(0, 5, 0), noise(9, 5, 0)])
    convert(tmp_path / "a.pulse", tmp_path / f"a{suffix}")
    convert(tmp_path / f"a{suffix}", tmp_path / "b.pulse")
    assert everything(tmp_path / "b.pulse")[0]["acc"][1] == (5, 4, "not recorded")


@SUFFIXES
def test_packets_are_said_to_stay_behind(tmp_path: Path, suffix: str) -> None:
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.begin("strap", [ACC])
        recording.add([noise(0, 5, 0)], data=b"\1")
    assert convert(tmp_path / "a.pulse", tmp_path / f"a{suffix}").notes == (
        "raw packets are not carried",
        "what the devices said of themselves (sessions) is not carried",
    )


def test_an_index_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([noise(0, 5, 0), noise(3, 5, 0)])
    for suffix in (".csv", ".edf"):
        with pytest.raises(RecordingError, match="goes back from sample 5 to 3"):
            convert(tmp_path / "a.pulse", tmp_path / f"a{suffix}")
        assert not (tmp_path / f"a{suffix}").exists()


EDITS = {
    "another column": ("acc", "index,", "number,", "wanted the columns index"),
    "a word for a number": ("acc", "100,", "hundred,", "line 11, column index"),
    "a cell too many": ("acc", "100,", "100,7,", "has not 6 cells"),
    "an index twice": ("acc", "101,", "100,", "count on by one"),
    "no index": ("acc", "101,", ",", "count on by one"),
    "no arrival": ("acc", "3500000000", "", "no arrival_ns"),
    "64 bits and one": ("acc", "3500000000", str(2**63), "64 bits"),
    "a gap of nothing we know": ("gaps", "acc", "ppg", "names a signal 'ppg'"),
    "a gap at no place": ("gaps", "105,", ",", "column first is empty"),
    "a label of no signal": ("labels", "acc", "ppg", "label for 'ppg'"),
    "no channels": ("", '"[""x"", ""y""]"', "[]", "what the signal 'acc' is"),
    "channels that are no list": ("", '"[""x"", ""y""]"', "x y", "what the signal 'acc' is"),
    "no rate above 0": ("", "50.0", "-1", "what the signal 'acc' is"),
    "a file without a name": ("", "walk.acc.csv", "", "stand beside it"),
    "a file elsewhere": ("", "walk.acc.csv", "/etc/passwd", "stand beside it"),
    "a file that is not there": ("", "walk.acc.csv", "walk.abb.csv", "cannot be read as CSV"),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_csv_is_refused_with_the_reason(source: Path, tmp_path: Path, what: str) -> None:
    table, old, new, reason = EDITS[what]
    convert(source, tmp_path / "walk.csv")
    path = tmp_path / f"walk.{table}.csv".replace("..", ".")
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(PulseletError, match=reason):
        convert(tmp_path / "walk.csv", tmp_path / "back.pulse")
    assert not (tmp_path / "back.pulse").exists()


@SUFFIXES
def test_without_its_facts_a_recording_has_no_start_and_is_refused(source: Path, tmp_path: Path, suffix: str) -> None:
    convert(source, tmp_path / f"walk{suffix}")
    (tmp_path / f"walk.meta{suffix}").unlink()
    with pytest.raises(RecordingError, match=r"walk\.meta"):
        convert(tmp_path / f"walk{suffix}", tmp_path / "back.pulse")


def test_tables_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(RecordingError, match="wanted the columns signal, file"):
        convert(tmp_path / "a.csv", tmp_path / "a.pulse")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\0")
    with pytest.raises(RecordingError, match="cannot be read as CSV"):
        convert(tmp_path / "b.csv", tmp_path / "b.pulse")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(RecordingError, match=r"wanted the columns signal \(string\)"):
        convert(tmp_path / "a.parquet", tmp_path / "a.pulse")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(RecordingError, match="cannot be read as Parquet"):
        convert(tmp_path / "b.parquet", tmp_path / "b.pulse")


def test_a_cut_parquet_file_is_refused(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "walk.parquet")
    path = tmp_path / "walk.acc.parquet"
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(RecordingError, match="cannot be read as Parquet"):
            convert(tmp_path / "walk.parquet", tmp_path / "back.pulse")


@SUFFIXES
def test_an_event_signal_with_nothing_but_gaps_is_written(tmp_path: Path, suffix: str) -> None:
    with Recording.create(tmp_path / "a.pulse", **START) as recording:
        recording.add([noise(0, 2, 0), Gap(RR, 0, None, "disconnected")])
        recording.event("ended", at_ns=5)
    convert(tmp_path / "a.pulse", tmp_path / f"a{suffix}")
    convert(tmp_path / f"a{suffix}", tmp_path / "b.pulse")
    assert everything(tmp_path / "b.pulse") == everything(tmp_path / "a.pulse")
    assert everything(tmp_path / "b.pulse")[3] == [Event(5, "ended", "")]
