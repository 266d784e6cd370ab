"""WISDM 2019: records as documented, and every repair declared and counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Recording
from pulselet_datasets import wisdm

START_NS = 252207666810782  # of the first record of the published set: a clock of the device, in ns
G = 9.80665


def record(at: float, letter: str = "A", x: float = G, subject: int = 1600) -> str:
    return f"{subject},{letter},{START_NS + round(at * 50_000_000)},{x},0.0,-{G};\n"


def made(folder: Path, text: str, sensor: str = "accel", device: str = "watch") -> list[Recording]:
    path = folder / "raw" / device / sensor / f"data_1600_{sensor}_{device}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return list(wisdm.recordings(folder))


def records(n: int, letter: str = "A") -> str:
    return "".join(record(at, letter) for at in range(n))


def test_records_become_signals_in_g_and_labels(tmp_path: Path) -> None:
    (one,) = made(tmp_path, records(5) + "".join(record(at, "B") for at in range(5, 10)))
    np.testing.assert_allclose(one.values("acc"), np.tile([1, 0, -1], (10, 1)), atol=1e-6)
    labels = one.label("activity")
    assert labels.words == ["walking", "jogging"]
    assert labels.begin_s.tolist() == [0, 0.25]
    assert labels.end_s.tolist() == [0.25, 0.5]
    assert (one.name, one.subject, one.facts["device"]) == ("1600_watch", "1600", "watch")
    assert one.repairs == (
        "watch has no gyro",
        "acc: 10 samples at uneven times are interpolated linearly to 20 Hz",
    )


def test_both_sensors_of_a_device_share_a_zero(tmp_path: Path) -> None:
    made(tmp_path, records(10))
    (one,) = made(tmp_path, "".join(record(at, x=0.5) for at in range(3, 12)), sensor="gyro")
    assert one.segments("acc")[0].first == 0
    (run,) = one.segments("gyro")
    assert run.first == 3
    assert run.values[0].tolist() == pytest.approx([0.5, 0, -G])  # rad/s, as it is


def test_phone_and_watch_are_two_recordings_of_one_person(tmp_path: Path) -> None:
    made(tmp_path, records(3))
    assert [one.name for one in made(tmp_path, records(3), device="phone")] == ["1600_phone", "1600_watch"]


def test_records_without_a_terminator_are_counted(tmp_path: Path) -> None:
    text = records(4).replace(";\n", "\n", 1)
    (one,) = made(tmp_path, text)
    assert len(one.values("acc")) == 4
    assert "acc: 1 records have no terminator" in one.repairs


def test_records_without_a_line_of_their_own_are_read(tmp_path: Path) -> None:
    (one,) = made(tmp_path, records(4).replace("\n", ""))
    assert len(one.values("acc")) == 4


def test_records_that_are_not_whole_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = records(300).splitlines(keepends=True)
    lines[7] = lines[7][:12] + "\n"
    lines[9] = lines[9].replace(str(G), "x", 1)
    lines[11] = lines[11].replace(str(G), "inf", 1)
    (one,) = made(tmp_path, "".join(lines))
    assert "acc: 3 records are left out, not whole" in one.repairs
    assert len(one.values("acc")) == 300  # interpolated: each hole is one sample wide


def test_times_that_come_twice_or_go_back_are_counted(tmp_path: Path) -> None:
    text = "".join(record(at) for at in (5, 6, 7, 0, 1, 1, 2, 3, 4))
    (one,) = made(tmp_path, text)
    assert len(one.values("acc")) == 8
    assert "acc: time goes back; 2 pieces are put in order" in one.repairs
    assert "acc: 1 samples are left out, at or before a time already there" in one.repairs


def test_a_pause_is_a_gap_and_is_not_filled(tmp_path: Path) -> None:
    (one,) = made(tmp_path, records(5) + "".join(record(at) for at in range(100, 105)))
    assert [run.first for run in one.segments("acc")] == [0, 100]
    assert "acc: 1 gaps longer than 0.25 s stay gaps" in one.repairs


def test_sensors_that_share_no_time_are_not_put_on_one_clock(tmp_path: Path) -> None:
    made(tmp_path, records(5))
    (one,) = made(tmp_path, records(5).replace("1600,A,25", "1600,A,95"), sensor="gyro")
    assert list(one.signals) == ["acc"]
    assert one.repairs[0] == "gyro is left out: its clock is another, no time is in both"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "is empty"),
        (records(3).replace(",A,", ",N,"), r"\['N'\] are no activities"),
        (records(3).replace("1600,", "1601,"), r"should be of subject 1600 alone, names \['1601'\]"),
        ("x_acc,y_acc\n1,2\n3,4\n", "3 of 3 records are not like"),
        (records(3)[:-30], "1 of 3 records are not like"),
        (records(1), "two or more"),
    ],
)
def test_a_file_that_is_none_raises(tmp_path: Path, text: str, wanted: str) -> None:
    with pytest.raises(DatasetError, match=wanted):
        made(tmp_path, text)


def test_a_file_cut_anywhere_is_an_error_or_a_counted_repair(tmp_path: Path) -> None:
    whole = records(200)
    for length in range(len(whole) - 80, len(whole)):
        try:
            (one,) = made(tmp_path, whole[:length])
        except DatasetError:
            continue
        assert len(one.values("acc")) in (198, 199, 200)
        np.testing.assert_allclose(one.values("acc")[-1], [1, 0, -1], atol=1e-6)  # no number that was cut


def test_the_card_has_the_people_of_the_documentation() -> None:
    assert len(wisdm.CARD.subjects) == 51
    assert len(wisdm.ACTIVITIES) == 18
    assert "N" not in wisdm.ACTIVITIES
