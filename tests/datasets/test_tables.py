"""What the loaders of text tables share: numbers, names, and times that are not even."""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Labels
from pulselet_datasets import _tables as tables
from pulselet_datasets import geotec, hapt, wesad, wisdm


def write(path: Path, text: str, packed: bool = False) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_numbers_are_read_from_text_and_from_gzip(tmp_path: Path, packed: bool) -> None:
    path = write(tmp_path / ("a.txt.gz" if packed else "a.txt"), "1 2\n\n3 4\n", packed)
    assert tables.numbers(path, 2).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert tables.found(tmp_path, "a.txt") == path


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("1 2\n3\n", "columns changed"),
        ("1 2\n3 x\n", "could not convert"),
        ("1 2 3\n", "wanted 2 columns, found 3"),
        ("1 2\n3 nan\n", "row 2 first"),
        ("1 2\ninf 4\n", "row 2 first"),
    ],
)
def test_a_table_that_is_none_names_its_file(tmp_path: Path, text: str, wanted: str) -> None:
    path = write(tmp_path / "bad.txt", text)
    with pytest.raises(DatasetError, match=wanted) as caught:
        tables.numbers(path, 2)
    assert "bad.txt" in str(caught.value)


def test_a_file_under_gzip_raises_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = gzip.compress(b"1 2\n3 4\n")
    for length in range(len(whole)):
        path = tmp_path / "cut.txt.gz"
        path.write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=r"cut\.txt\.gz"):
            tables.numbers(path, 2)


def test_a_header_without_rows_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no row after 2 lines"):
        tables.numbers(write(tmp_path / "a.csv", "0\n1\n"), 1, skip=2)


def test_rows_want_their_columns_and_whole_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a, b\n1, 2\n3\n")
    with pytest.raises(DatasetError, match=r"lacks the columns \['c'\]"):
        tables.rows(path, ("a", "c"))
    with pytest.raises(DatasetError, match="line 3"):
        tables.rows(path, ("a", "b"))


def test_folders_come_by_their_numbers(tmp_path: Path) -> None:
    for name in ("S10", "S2", "S1", "other"):
        (tmp_path / name).mkdir()
    assert [name for name, _ in tables.folders(tmp_path, r"S\d+")] == ["S1", "S2", "S10"]


def even(times_s: list[float], values: list[float] | None = None, longest_s: float = 1.5) -> tables.Even:
    column = np.array(times_s if values is None else values)[:, None]
    return tables.evenly(np.array(times_s), column, rate_hz=1.0, longest_s=longest_s, name="x")


def test_a_line_stays_a_line_when_it_is_made_even() -> None:
    found = even([0.0, 0.7, 1.9, 2.4, 3.1])
    assert [run.first for run in found.runs] == [0]
    np.testing.assert_allclose(found.runs[0].values[:, 0], [0, 1, 2, 3], atol=1e-6)
    assert found.nearest[0].tolist() == [0, 1, 2, 3]  # the sample before 2 s is that of 1.9 s
    assert found.repairs == ("x: 5 samples at uneven times are interpolated linearly to 1 Hz",)


def test_nothing_is_made_where_samples_are_too_far_apart() -> None:
    found = even([0.0, 1.0, 2.2, 5.0, 6.0])
    assert [(run.first, run.values[:, 0].tolist()) for run in found.runs] == [(0, [0, 1, 2]), (5, [5, 6])]
    assert "x: 1 gaps longer than 1.5 s stay gaps" in found.repairs


def test_times_that_come_twice_are_left_out_and_counted() -> None:
    found = even([0.0, 1.0, 1.0, 2.0], [0.0, 1.0, 99.0, 2.0])
    assert found.runs[0].values[:, 0].tolist() == [0, 1, 2]
    assert "x: 1 samples are left out, at or before a time already there" in found.repairs


def test_pieces_after_a_time_that_goes_back_are_put_in_order() -> None:
    found = even([3.0, 4.0, 0.0, 1.0, 2.0])
    assert found.runs[0].values[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert "x: time goes back; 2 pieces are put in order" in found.repairs


def test_a_piece_that_is_there_twice_counts_once() -> None:
    found = even([0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 3.0], [0, 1, 2, 50, 51, 52, 3])
    assert found.runs[0].values[:, 0].tolist() == [0, 1, 2, 3]
    assert "x: 3 samples are left out, at or before a time already there" in found.repairs


def test_one_time_has_no_rate() -> None:
    with pytest.raises(DatasetError, match="two or more"):
        even([1.0, 1.0])


def test_labels_follow_their_samples_and_end_at_gaps() -> None:
    found = even([0.0, 1.0, 2.0, 5.0, 6.0])
    labels = tables.labelled("activity", ("a", "b"), np.array([0, 0, 1, 1, 1]), found, 1.0)
    assert list(zip(labels.words, labels.begin.tolist(), labels.end.tolist(), strict=True)) == [  # type: ignore[union-attr]
        ("a", 0, 2),
        ("b", 2, 3),
        ("b", 5, 7),
    ]


def test_labels_that_come_later_are_read_when_asked_for_and_once() -> None:
    calls: list[int] = []

    def read() -> dict[str, Labels]:
        calls.append(1)
        return {"beat": Labels.of("beat", ["N"], [0], rate_hz=1.0)}

    later = tables.Later(("beat",), read)
    assert "beat" in later
    assert "other" not in later
    assert list(later) == ["beat"]
    assert not calls
    assert later["beat"].words == later["beat"].words == ["N"]
    assert len(calls) == 1
    with pytest.raises(KeyError):
        later["other"]


CELLS = st.text(alphabet="0123456789.,;-+eEnaif \n\r\t\"'AWx\x00é", max_size=80)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=CELLS)
def test_whatever_a_text_holds_no_other_error_leaks(tmp_path: Path, text: str) -> None:
    raw = tmp_path / "raw" / "watch" / "accel"
    raw.mkdir(parents=True, exist_ok=True)
    write(raw / "data_1600_accel_watch.txt", text)
    (tmp_path / "s01").mkdir(exist_ok=True)
    write(tmp_path / "s01" / "s01_01_sw.csv", ",".join(geotec.COLUMNS) + "\n" + text)
    write(tmp_path / "labels.txt", text)
    export = tmp_path / "S2" / "S2_E4_Data"
    export.mkdir(parents=True, exist_ok=True)
    write(export / "TEMP.csv", text)
    for recordings in (wisdm.recordings, geotec.recordings, hapt.recordings, wesad.recordings):
        with suppress(DatasetError):
            for one in recordings(tmp_path):
                for name in one.signals:
                    one.segments(name)
