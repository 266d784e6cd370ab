"""Polar Sensor Logger text files: lines as public projects quote them, lost frames, and clocks that jump."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import RecordingError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.convert import convert
from pulselet.stream.recording import Recording

STEP_NS = 7_692_308  # of 130 Hz


def items(path: Path, name: str) -> list[tuple[int, object, int | None]]:
    """Return index, values or lost samples, and sensor time of blocks and gaps."""
    with Recording.open(path) as recording:
        return [
            (
                one.first,
                one.lost if isinstance(one, Gap) else one.values[:, 0].astype(float).round(6).tolist(),
                getattr(one, "device_ticks", None),
            )
            for one in recording.items(name)
        ]


def ecg(path: Path, rows: list[tuple[int, int]], phone_s: list[float] | None = None) -> Path:
    """Write an ECG file of (sensor time in ns, µV); the phone's clock goes with the sensor's if not given."""
    start = rows[0][0]
    lines = ["Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]"]
    for number, (at_ns, value) in enumerate(rows):
        after_s = (at_ns - start) / 1e9 if phone_s is None else phone_s[number]
        minutes, seconds = divmod(after_s, 60)
        lines.append(f"2026-04-24T14:{10 + int(minutes):02}:{seconds:06.3f};{at_ns};{(at_ns - start) / 1e6};{value}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_lines_as_they_are_quoted_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "Polar_H10_16E0A933_20260424_141011"
    folder.mkdir()
    head = "Polar_H10_16E0A933_20260424_141011"
    (folder / f"{head}_ECG.txt").write_text(
        "Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]\n"
        "2026-04-24T14:10:15.270;599616050941733632;0.0;8575\n"
        "2026-04-24T14:10:15.278;599616050949425920;7.692288;-12\n"
    )
    (folder / f"{head}_ACC.txt").write_text(
        "Phone timestamp;sensor timestamp [ns];X [mg];Y [mg];Z [mg] \n"
        "2026-04-24T14:10:20.058;599616065136175104;-953;63;425; \n"
        "2026-04-24T14:10:20.078;599616065156175104;-950;64;420; \n"
    )
    (folder / f"{head}_HR.txt").write_text(
        "Phone timestamp;HR [bpm];HRV [ms];Breathing interval [rpm];\n"
        "2026-04-24T14:10:16.752;64;;;\n2026-04-24T14:10:17.752;65;;;\n"
    )
    (folder / f"{head}_RR.txt").write_text(
        "Phone timestamp;RR-interval [ms]\n2026-04-24T14:10:16.752;937\n2026-04-24T14:10:16.752;940\n"
    )
    (folder / "MARKER_20260424_141011.txt").write_text("marker;start\n")
    report = convert(folder, tmp_path / "a.pulse")
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert recording.signals == {
            "ecg": Signal("ecg", "mV", 130.0, ("ecg",), 1e9),
            "acc": Signal("acc", "g", 50.0, ("x", "y", "z"), 1e9),
            "heart_rate": Signal("heart_rate", "bpm", None, ("heart_rate",), loss_detectable=False),
            "rr": Signal("rr", "s", None, ("rr",), loss_detectable=False),
        }
        assert recording.meta["started"] == "2026-04-24T14:10:15.270000+00:00"
        (block,) = recording.items("acc")
        assert isinstance(block, Block)
        assert np.array_equal(block.values, np.array([[-0.953, 0.063, 0.425], [-0.95, 0.064, 0.42]], np.float32))
        assert (block.device_ticks, block.arrival_ns) == (599616065136175104, 4_788_000_000)
        beats = [(one.first, one.arrival_ns) for one in recording.items("rr") if isinstance(one, Block)]
        assert beats == [(0, 1_482_000_000), (1, 1_482_000_000)]
    assert items(tmp_path / "a.pulse", "ecg") == [(0, [8.575, -0.012], 599616050941733632)]
    assert items(tmp_path / "a.pulse", "heart_rate") == [(0, [64], None), (1, [65], None)]
    assert report.notes == ("phone times state no time zone: they are taken as UTC",)


def test_a_lost_frame_that_the_logger_spread_is_one_gap_before_its_samples(tmp_path: Path) -> None:
    # frames of 5: the second is lost, and the third's samples are spread over both
    rows = [(number * STEP_NS, number) for number in range(5)]
    rows += [(4 * STEP_NS + 2 * STEP_NS * number, 100 + number) for number in range(1, 6)]
    rows += [(14 * STEP_NS + STEP_NS * number, 200 + number) for number in range(1, 4)]
    convert(ecg(tmp_path / "a.txt", rows), tmp_path / "a.pulse")
    assert items(tmp_path / "a.pulse", "ecg") == [
        (0, [0, 0.001, 0.002, 0.003, 0.004], 0),
        (5, 5, None),
        (10, [0.101, 0.102, 0.103, 0.104, 0.105], pytest.approx(10 * STEP_NS, abs=5)),
        (15, [0.201, 0.202, 0.203], 15 * STEP_NS),
    ]


def test_a_pause_is_a_gap_of_the_samples_that_fit_into_it(tmp_path: Path) -> None:
    rows = [(number * STEP_NS, 0) for number in range(3)] + [
        (1_302 * STEP_NS + number * STEP_NS, 1) for number in range(3)
    ]
    report = convert(ecg(tmp_path / "a.csv", rows), tmp_path / "a.pulse")
    assert items(tmp_path / "a.pulse", "ecg")[1] == (3, 1299, None)
    assert items(tmp_path / "a.pulse", "ecg")[2][0] == 1302
    assert [(one.samples, one.gaps, one.lost) for one in report.signals] == [(6, 1, 1299)]


def test_a_sensor_a_little_off_its_rate_loses_nothing(tmp_path: Path) -> None:
    # 130.061 Hz, as a strap has been measured to send: 20 minutes, the frames' arrival jitters
    rows = [
        (round(number * 1e9 / 130.061) + (number // 73 * 37 % 11) * 100_000, number % 100) for number in range(156_000)
    ]
    (carried,) = convert(ecg(tmp_path / "a.txt", rows), tmp_path / "a.pulse").signals
    assert (carried.samples, carried.gaps) == (156_000, 0)


@pytest.mark.parametrize("jump_ns", [-10 * STEP_NS, 150_000_000 * 10**9])
def test_a_clock_that_jumps_is_a_gap_of_unknown_size(tmp_path: Path, jump_ns: int) -> None:
    rows = [(10**18 + number * STEP_NS, 0) for number in range(3)] + [
        (10**18 + jump_ns + number * STEP_NS, 1) for number in (3, 4)
    ]
    phone_s = [number * STEP_NS / 1e9 for number in range(5)]
    convert(ecg(tmp_path / "a.txt", rows, phone_s), tmp_path / "a.pulse")
    with Recording.open(tmp_path / "a.pulse") as recording:
        _, gap, block = recording.items("ecg")
    assert gap == Gap(recording_signal(tmp_path), 3, None, "the sensor's clock jumped")
    assert (block.first, getattr(block, "device_ticks", None)) == (3, 10**18 + jump_ns + 3 * STEP_NS)


def recording_signal(tmp_path: Path) -> Signal:
    with Recording.open(tmp_path / "a.pulse") as recording:
        return recording.signal("ecg")


def test_a_cell_that_is_empty_is_no_event(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "Phone timestamp;sensor timestamp [ns];HR [bpm];PP-interval [ms];error estimate [ms];blocker\n"
        "2026-04-24T14:10:16.752;0;64;930;10;0\n2026-04-24T14:10:17.752;0;;940;12;0\n"
    )
    report = convert(tmp_path / "a.txt", tmp_path / "a.pulse")
    with Recording.open(tmp_path / "a.pulse") as recording:
        assert recording.signals["ppi"] == Signal("ppi", "ms", None, ("interval", "error"), loss_detectable=False)
        assert [run.tolist() for _, run in recording.segments("ppi")] == [[[930, 10], [940, 12]]]
        assert len(list(recording.items("heart_rate"))) == 1
    assert report.notes[0] == "a.txt: columns that are not read: blocker"


def test_gyroscope_and_magnetometer_have_the_units_in_which_they_stream(tmp_path: Path) -> None:
    for name, unit in (("gyr", "dps"), ("mag", "G")):
        (tmp_path / f"{name}.txt").write_text(
            f"Phone timestamp;sensor timestamp [ns];X [{unit}];Y [{unit}];Z [{unit}]\n"
            + "".join(f"2026-04-24T14:10:16.{20 * n:03};{n * 20_000_000};0.5;-1;0\n" for n in range(3))
        )
        convert(tmp_path / f"{name}.txt", tmp_path / f"{name}.pulse")
    with Recording.open(tmp_path / "mag.pulse") as recording:
        assert recording.signals["mag"].unit == "µT"
        assert recording.segments("mag")[0][1][0].tolist() == [50, -100, 0]  # 1 G is 100 µT
    with Recording.open(tmp_path / "gyr.pulse") as recording:
        assert (recording.signals["gyro"].unit, recording.signals["gyro"].rate_hz) == ("deg/s", 50)


BROKEN = {
    "no time": ("x;0;0;1", "line 2"),
    "a word": ("2026-04-24T14:10:16.752;0;0;one", "line 2"),
    "a cut line": ("2026-04-24T14:10:16.752", "line 2"),
    "no sample": ("", "holds no sample"),
    "an empty cell": ("2026-04-24T14:10:16.752;0;0;", "holds no sample"),
    "half a ns": ("2026-04-24T14:10:16.752;0.5;0;1", "line 2"),
    "ns without end": (
        f"2026-04-24T14:10:16.752;{10**30};0;1\n2026-04-24T14:10:16.752;{10**30 + 9};0;1",
        "does not fit into 64 bits",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_with_the_line(tmp_path: Path, what: str) -> None:
    line, reason = BROKEN[what]
    (tmp_path / "a.txt").write_text(f"Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]\n{line}\n")
    with pytest.raises(RecordingError, match=reason):
        convert(tmp_path / "a.txt", tmp_path / "a.pulse")
    assert not (tmp_path / "a.pulse").exists()


def test_other_text_and_the_same_signal_twice_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello\n")
    with pytest.raises(RecordingError, match="wanted a first line that begins with 'Phone timestamp;'"):
        convert(tmp_path / "a.txt", tmp_path / "a.pulse")
    (tmp_path / "two").mkdir()
    for name in ("1.txt", "2.txt"):
        ecg(tmp_path / "two" / name, [(0, 1), (STEP_NS, 2)])
    with pytest.raises(RecordingError, match=r"1\.txt and .*2\.txt both hold 'ecg'"):
        convert(tmp_path / "two", tmp_path / "a.pulse")
