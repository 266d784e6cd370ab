"""The command line as a person or a script uses it: processes, exit statuses, Ctrl-C; a radio over HCI on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pulselet.cli.keys import labels_of
from pulselet.errors import RecordingError
from pulselet.stream.recording import Recording

PULSELET = [sys.executable, "-m", "pulselet"]
NO_BUS = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus"}


@contextmanager
def virtual(*words: str) -> Iterator[str]:
    """Give the name of the adapter of a wearable in another process."""
    with subprocess.Popen([*PULSELET, "virtual", *words, "--json"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["adapter"]
        finally:
            process.send_signal(signal.SIGINT)


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PULSELET, *words], capture_output=True, text=True, check=False, timeout=60, **options)


def json_of(*words: str) -> Any:
    done = run(*words, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def strap() -> Iterator[str]:
    with virtual("strap", "--name", "H10") as adapter:
        yield adapter


@pytest.fixture(scope="module")
def recorded(strap: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return four seconds of the strap, recorded with prompted labels."""
    path = tmp_path_factory.mktemp("cli") / "strap.pulse"
    words = ("record", "H10", str(path), "--adapter", strap, "--subject", "7", "--protocol", "rest:2,walk:2")
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert "now: rest, for 2 s" in done.stderr
    return path


def test_a_scan_finds_a_wearable_in_another_process(strap: str) -> None:
    (found,) = json_of("scan", "--seconds", "0.5", "--adapter", strap)
    assert (found["name"], found["kinds"]) == ("H10", ["heart rate"])
    assert "H10" in run("scan", "--seconds", "0.5", "--adapter", strap).stdout


def test_info_says_what_was_recorded(recorded: Path) -> None:
    found = json_of("info", str(recorded))
    signals = {one["name"]: one for one in found["signals"]}
    assert {"ecg", "acc", "heart_rate", "rr"} <= signals.keys()
    assert signals["ecg"]["samples"] > 300
    assert (signals["ecg"]["nominal_hz"], signals["ecg"]["lost"]) == (130.0, 0)
    assert signals["rr"]["lost"] is None
    assert found["meta"]["subject"] == "7"
    (session,) = found["sessions"]
    assert (session["device"], session["facts"]["model"]) == ("H10", "virtual strap")
    assert (session["ended"], session["facts"]["battery_percent"]) == ("stopped", "100")
    shown = run("info", str(recorded), env={**os.environ, "COLUMNS": "120"}).stdout
    assert "not detectable" in shown
    assert "battery 100 %" in shown


def test_prompted_labels_become_intervals_of_every_signal(recorded: Path) -> None:
    labels = json_of("info", str(recorded))["labels"]
    assert [one["label"] for one in labels if one["signal"] == "ecg"] == ["rest", "walk"]
    rest, walk = (one for one in labels if one["signal"] == "ecg")
    assert rest["end"] == pytest.approx(walk["first"], abs=2)
    assert walk["end"] > walk["first"] > rest["first"]


def test_info_draws(recorded: Path, tmp_path: Path) -> None:
    assert run("info", str(recorded), "--plot", str(tmp_path / "a.png")).returncode == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_replay_prints_every_block_and_its_values(recorded: Path) -> None:
    lines = [json.loads(line) for line in run("replay", str(recorded), "--speed", "1000", "--json").stdout.splitlines()]
    with Recording.open(recorded) as recording:
        assert [(one["signal"], one["first"]) for one in lines] == [(i.signal.name, i.first) for i in recording.items()]
        ((_, values),) = recording.segments("ecg")
    assert [row for one in lines if one["signal"] == "ecg" for row in one["values"]] == values.tolist()


@pytest.mark.parametrize("suffix", [".edf", ".csv", ".parquet", ".hea", ".bdf"])
def test_a_recording_goes_to_other_formats_and_back(recorded: Path, tmp_path: Path, suffix: str) -> None:
    report = json_of("convert", str(recorded), str(tmp_path / f"strap{suffix}"), "--signals", "ecg")
    assert report["signals"][0]["samples"] > 300
    json_of("convert", report["target"], str(tmp_path / "back.pulse"))
    with Recording.open(recorded) as one, Recording.open(tmp_path / "back.pulse") as other:
        ((_, wanted),) = one.segments("ecg")
        ((_, values),) = other.segments("ecg")
        step = max(report["signals"][0]["steps"] or [0.0])
        assert values == pytest.approx(wanted, abs=step)
        assert [label.label for label in other.intervals()] == ["rest", "walk"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_or_a_polite_kill_ends_a_recording_cleanly(strap: str, tmp_path: Path, how: signal.Signals) -> None:
    path = tmp_path / "a.pulse"
    command = [*PULSELET, "record", "H10", str(path), "--adapter", strap, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(1.0)
        process.send_signal(how)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out)["sessions"][0]["ended"] == "stopped"
    assert [one.name for one in tmp_path.iterdir()] == ["a.pulse"]  # one file, nothing beside it


def test_ctrl_c_before_anything_is_recorded_says_so_by_its_status(strap: str, tmp_path: Path) -> None:
    command = [*PULSELET, "record", "Nobody", str(tmp_path / "a.pulse"), "--adapter", strap, "--timeout", "30"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        time.sleep(2.5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert not (tmp_path / "a.pulse").exists()


def test_a_recording_that_was_killed_opens_and_says_so(strap: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pulse"
    with subprocess.Popen(
        [*PULSELET, "record", "H10", str(path), "--adapter", strap, "--protocol", "rest:60"], stderr=subprocess.PIPE
    ) as process:
        while not path.exists():
            time.sleep(0.05)
        time.sleep(2.5)
        process.kill()
    found = json_of("info", str(path))
    assert found["sessions"][0]["ended"] is None
    assert {one["label"] for one in found["labels"]} == {"rest"}  # the key that was pressed was written down at once
    assert "not ended" in run("info", str(path)).stdout


def test_keys_from_a_pipe_give_labels(strap: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pulse"
    command = [*PULSELET, "record", "H10", str(path), "--adapter", strap, "--labels", "rest,walk", "--seconds", "2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        while not path.exists():
            time.sleep(0.05)
        for key in ("2", "7", "x", "1"):  # there is no seventh label
            time.sleep(0.3)
            process.stdin.write(f"{key}\n")
            process.stdin.flush()
        process.communicate(timeout=30)
    assert process.returncode == 0
    events = json_of("info", str(path))["events"]
    assert [event["text"] for event in events if event["kind"] == "label"] == ["walk", "rest", ""]


def test_a_link_that_drops_is_made_anew_and_the_gap_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.pulse"
    with virtual("board", "--speed", "20", "--disconnect", "0.02", "--drop", "0.05", "--seed", "3") as adapter:
        found = json_of("record", "Virtual", str(path), "--adapter", adapter, "--seconds", "4")
    events = [event["kind"] for event in found["events"]]
    assert "disconnected" in events
    assert "reconnected" in events
    assert {one["name"] for one in found["signals"]} == {"ecg", "acc"}
    assert sum(one["lost"] for one in found["signals"]) > 0


def test_a_board_plays_a_recording(recorded: Path, tmp_path: Path) -> None:
    path = tmp_path / "again.pulse"
    with virtual("board", "--recording", str(recorded), "--speed", "50") as adapter:
        json_of("record", "Virtual", str(path), "--adapter", adapter)
    with Recording.open(recorded) as one, Recording.open(path) as other:
        assert other.sessions()[0].ended == "complete"
        for name in ("ecg", "acc"):
            ((_, wanted),) = one.segments(name)
            ((_, values),) = other.segments(name)
            assert values == pytest.approx(wanted, abs=2.0**-20)


def test_a_strap_plays_a_recording_too(recorded: Path, tmp_path: Path) -> None:
    path = tmp_path / "again.pulse"
    with virtual("strap", "--recording", str(recorded), "--name", "H10") as adapter:
        json_of("record", "H10", str(path), "--adapter", adapter, "--seconds", "2.5")
    with Recording.open(recorded) as one, Recording.open(path) as other:
        ((_, wanted),) = one.segments("ecg")
        ((_, values),) = other.segments("ecg")
        again = np.concatenate([wanted, wanted])
        at = next(at for at in range(len(wanted)) if np.array_equal(again[at : at + 50], values[:50]))
        assert np.array_equal(values, np.resize(again[at : at + len(wanted)], values.shape))
        assert other.signals.keys() == {"ecg", "acc", "heart_rate", "heart_rate_contact", "rr"}


def test_a_role_that_finds_nothing_to_play_says_what_it_wants(recorded: Path) -> None:
    done = run("virtual", "oximeter", "--recording", str(recorded))
    assert (done.returncode, "has no spo2 and pulse_rate" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "status", "reason", "says"),
    [
        (("record", "Nobody", "a.pulse", "--timeout", "0.3"), 4, "not-found", "is it on, charged"),
        (("record", "H10", "a.pulse", "--signals", "eeg"), 1, "no-signal", "it has"),
        (("record", "H10", "a.pulse", "--setting", "acc.rate=1"), 1, "bad-setting", "SIGNAL.rate_hz"),
        (("record", "H10", "a.pulse", "--setting", "acc.rate_hz=1"), 1, "", "not on offer"),
    ],
)
def test_what_goes_wrong_has_a_status_a_reason_and_a_next_step(
    strap: str, tmp_path: Path, words: tuple[str, ...], status: int, reason: str, says: str
) -> None:
    done = run(*words, "--adapter", strap, "--json", cwd=tmp_path)
    error = json.loads(done.stdout)
    assert (done.returncode, error["reason"]) == (status, reason)
    assert says in error["error"]
    assert not (tmp_path / "a.pulse").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the Bluetooth service is reached over D-Bus on Linux only")
@pytest.mark.parametrize("words", [("scan", "--seconds", "0.1"), ("record", "x", "a.pulse")])
def test_a_computer_without_bluetooth_is_told_so(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*words, cwd=tmp_path, env=NO_BUS)
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("pulselet: this computer's Bluetooth service does not answer")
    assert "plug in a Bluetooth adapter" in line


def test_a_radio_that_is_not_there_says_how_to_start_one(tmp_path: Path) -> None:
    done = run("scan", "--adapter", "hci:127.0.0.1:9", "--json")
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (3, "no-adapter")
    assert "pulselet virtual --listen" in done.stdout


def test_nothing_is_overwritten(strap: str, recorded: Path) -> None:
    before = recorded.read_bytes()
    done = run("record", "H10", str(recorded), "--adapter", strap)
    assert (done.returncode, "never overwritten" in done.stderr) == (1, True)
    assert recorded.read_bytes() == before


@pytest.mark.parametrize(
    ("keys", "protocol", "complaint"),
    [
        ("a,b", "a:1", "give one of"),
        ("", "a:1,b", "NAME:SECONDS"),
        ("", "a:0", "NAME:SECONDS"),
        ("", ":5", "NAME:SECONDS"),
        (",".join("abcdefghij"), "", "9 labels, got 10"),
    ],
)
def test_labels_that_make_no_sense_are_refused_before_anything_is_recorded(
    keys: str, protocol: str, complaint: str
) -> None:
    with pytest.raises(RecordingError, match=complaint):
        labels_of(keys, protocol)
