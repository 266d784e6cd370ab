"""What every conversion promises: nothing overwritten, nothing half written, errors that say what to do."""

from __future__ import annotations

import json
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import MissingExtraError, RecordingError
from pulselet.stream.block import Block, Signal
from pulselet.stream.convert import TARGETS, convert, edf
from pulselet.stream.recording import Recording

ECG = Signal("ecg", "mV", 250.0, ("ecg",))
START = {"started": "2024-05-01T10:00:00+00:00", "started_ns": "0"}
FORMATS = [suffix for suffix in TARGETS if suffix != ".pulse"]


def record(path: Path, blocks: int = 3, size: int = 250) -> Path:
    with Recording.create(path, **START) as recording:
        for number in range(blocks):
            values = (np.arange(size)[:, None] % 200).astype(np.float32) * np.float32(0.25)
            recording.add([Block(ECG, values, number * size, None, number * size * 4_000_000)])
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_there_is_never_overwritten(tmp_path: Path, suffix: str) -> None:
    source = record(tmp_path / "a.pulse")
    (tmp_path / f"a{suffix}").write_text("precious")
    with pytest.raises(RecordingError, match="nothing is ever overwritten"):
        convert(source, tmp_path / f"a{suffix}")
    assert (tmp_path / f"a{suffix}").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("suffix", "beside"), [(".hea", "a.dat"), (".csv", "a.ecg.csv"), (".parquet", "a.meta.parquet")]
)
def test_a_file_beside_the_target_is_not_overwritten_either(tmp_path: Path, suffix: str, beside: str) -> None:
    source = record(tmp_path / "a.pulse")
    (tmp_path / beside).write_text("precious")
    with pytest.raises(RecordingError, match="nothing is ever overwritten"):
        convert(source, tmp_path / f"a{suffix}")
    assert {path.name for path in tmp_path.iterdir()} == {"a.pulse", beside}
    assert (tmp_path / beside).read_text() == "precious"


def test_a_conversion_that_fails_half_way_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = record(tmp_path / "a.pulse", blocks=100)

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(edf, "samples_to_bytes", full)
    with pytest.raises(RecordingError, match=r"no a\.edf was written: .*No space left"):
        convert(source, tmp_path / "a.edf")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pulse"]


def test_files_that_cannot_all_be_moved_are_all_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(path: Path, target: Path) -> Path:
        if path.name == "a.ecg.csv":
            raise PermissionError("busy")
        path.rename(target)
        return target

    monkeypatch.setattr(Path, "replace", busy)
    source = record(tmp_path / "a.pulse")
    with pytest.raises(RecordingError, match="busy"):
        convert(source, tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_report_goes_into_json_and_names_every_file(tmp_path: Path, suffix: str) -> None:
    report = convert(record(tmp_path / "a.pulse"), tmp_path / f"a{suffix}")
    found = json.loads(json.dumps(report.to_dict()))
    assert {tmp_path / "a.pulse", *(Path(file) for file in found["files"])} == set(tmp_path.iterdir())
    assert found["signals"][0]["samples"] == 750
    assert "ecg: 750 samples, exact" in str(report)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_recording_survives_every_format_and_back(tmp_path: Path, suffix: str) -> None:
    source = record(tmp_path / "a.pulse")
    convert(source, tmp_path / f"a{suffix}")
    convert(tmp_path / f"a{suffix}", tmp_path / "b.pulse")
    with Recording.open(source) as before, Recording.open(tmp_path / "b.pulse") as after:
        ((first, values),), ((first_too, values_too),) = before.segments("ecg"), after.segments("ecg")
        assert first == first_too
        assert np.array_equal(values, values_too)
        assert after.signals == before.signals
        assert after.meta == before.meta


@pytest.mark.parametrize("suffix", FORMATS)
def test_memory_does_not_grow_with_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    for module in ("tables", "csv_text", "parquet"):  # so that a short recording fills a batch, too
        monkeypatch.setattr(f"pulselet.stream.convert.{module}.ROWS", 4096)
    peaks = []
    for name, blocks in (("warm", 8), ("short", 40), ("long", 160)):
        source = record(tmp_path / f"{name}.pulse", blocks, 1000)
        tracemalloc.start()
        convert(source, tmp_path / f"{name}{suffix}")
        convert(tmp_path / f"{name}{suffix}", tmp_path / f"{name}-back.pulse")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 240_000  # the long one holds 480,000 bytes of samples more


def test_suffixes_and_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    source = record(tmp_path / "a.pulse")
    with pytest.raises(RecordingError, match=r"no format has the suffix '\.xlsx'; there are \.pulse, \.edf"):
        convert(source, tmp_path / "a.xlsx")
    (tmp_path / "a.mp3").write_bytes(b"ID3")
    with pytest.raises(RecordingError, match=r"no format has the suffix '\.mp3'"):
        convert(tmp_path / "a.mp3", tmp_path / "b.pulse")
    with pytest.raises(RecordingError, match="is not there"):
        convert(tmp_path / "absent.edf", tmp_path / "b.pulse")
    with pytest.raises(RecordingError, match="copy the file"):
        convert(source, tmp_path / "b.pulse")
    with pytest.raises(RecordingError, match="there is no folder"):
        convert(source, tmp_path / "nowhere" / "b.edf")
    with pytest.raises(RecordingError, match="signals are chosen when"):
        convert(tmp_path / "a.mp3", tmp_path / "b.pulse", signals=["ecg"])
    with pytest.raises(RecordingError, match="no signal was chosen"):
        convert(source, tmp_path / "b.edf", signals=[])
    with pytest.raises(RecordingError, match=r"only \.edf and \.bdf can be discontinuous"):
        convert(source, tmp_path / "b.csv", discontinuous=True)
    for suffix, bits in ((".edf", 16), (".hea", 8)):
        with pytest.raises(RecordingError, match=r"bits are 16, 24 or 32, and for \.hea only"):
            convert(source, tmp_path / f"b{suffix}", bits=bits)
    assert {path.name for path in tmp_path.iterdir()} == {"a.pulse", "a.mp3"}


def test_a_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    source = record(tmp_path / "a.pulse")
    convert(source, tmp_path / "A.EDF")
    convert(tmp_path / "A.EDF", tmp_path / "b.PULSE")
    with Recording.open(tmp_path / "b.PULSE") as recording:
        assert len(recording.segments("ecg")[0][1]) == 750


def test_a_source_that_is_no_recording_gives_our_error(tmp_path: Path) -> None:
    (tmp_path / "a.pulse").write_text("hello, this is no database at all, " * 40)
    with pytest.raises(RecordingError, match="not a database"):
        convert(tmp_path / "a.pulse", tmp_path / "a.csv")
    for suffix in (".edf", ".bdf", ".hea", ".csv", ".parquet"):
        (tmp_path / f"b{suffix}").write_text("hello")
        with pytest.raises(RecordingError):
            convert(tmp_path / f"b{suffix}", tmp_path / "b.pulse")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_recording_without_signals_is_refused(tmp_path: Path, suffix: str) -> None:
    Recording.create(tmp_path / "a.pulse").close()
    with pytest.raises(RecordingError, match="there is nothing to convert"):
        convert(tmp_path / "a.pulse", tmp_path / f"a{suffix}")


@pytest.mark.parametrize("meta", [{"started": "yesterday"}, {"started_ns": "soon"}])
def test_a_recording_that_does_not_say_when_it_started_is_refused(tmp_path: Path, meta: dict[str, str]) -> None:
    source = record(tmp_path / "a.pulse")
    with Recording.open(source, write=True) as recording:
        recording.note(**meta)
    for suffix in (".edf", ".csv"):
        with pytest.raises(RecordingError, match="does not say when it started"):
            convert(source, tmp_path / f"a{suffix}")


@pytest.mark.parametrize(("suffix", "package"), [(".hea", "wfdb"), (".parquet", "pyarrow")])
def test_a_package_that_is_missing_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, package: str
) -> None:
    source = record(tmp_path / "a.pulse")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pulselet\[formats\]"):
        convert(source, tmp_path / f"a{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pulse"]


def test_a_recording_from_before_its_start_is_put_at_the_start(tmp_path: Path) -> None:
    with Recording.create(tmp_path / "a.pulse", started="2024-05-01T10:00:00Z", started_ns="5000") as recording:
        recording.add([Block(ECG, np.ones((5, 1), np.float32), 0, None, 0)])
    notes = convert(tmp_path / "a.pulse", tmp_path / "a.edf").notes
    assert "ecg: it arrived before the recording started; it is put at the start" in notes
