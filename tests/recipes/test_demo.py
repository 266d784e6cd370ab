"""The whole path, from a real recording over Bluetooth to C that agrees; and everything that can go wrong on it."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pulselet import cli
from pulselet.cli.demo import next_folder
from pulselet.device.virtual import Faults
from pulselet.errors import MissingExtraError, ParityError, PipelineError
from pulselet.model import nets, quantize
from pulselet.model.classifier import Classifier
from pulselet.recipes import demo, rehab
from pulselet.signal.pipeline import Branch
from pulselet.stream.recording import Recording
from pulselet_datasets.seglearn_watch import EXERCISES, WatchSeries, series

if TYPE_CHECKING:
    from conftest import DemoRun


@pytest.fixture(scope="module")
def recordings() -> list[WatchSeries]:
    return series()


@pytest.fixture(scope="module")
def untrained(recordings: list[WatchSeries]) -> Classifier:
    """Return a classifier that has learnt nothing, for what does not depend on it."""
    data = rehab.windows(recordings[:4])
    model = quantize.to_int8(nets.ds_cnn(*rehab.PIPELINE.shape, len(EXERCISES)), rehab.saturated(data.x[::4]))
    return Classifier(rehab.PIPELINE, model, EXERCISES)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, untrained: Classifier) -> None:
    """Leave training out."""
    monkeypatch.setattr(demo, "trained", lambda recordings, epochs, progress: untrained)


def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["pulselet", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_the_demo_prints_the_figures_that_scripts_rely_on(demo_run: DemoRun) -> None:
    figures = demo_run.figures
    assert figures["windows"] == figures["agree"] > 400
    assert figures["agreement"] == 1.0
    assert 1 / 7 < figures["accuracy"] <= 1
    assert 5_000 < figures["flash_bytes"] < 30_000
    assert 3_000 < figures["ram_bytes"] < 10_000
    assert figures["instructions_per_window"] > 1_000_000
    assert (demo_run.folder / figures["bundle"] / "rehab_selftest.c").is_file()


def test_the_demo_leaves_a_page_that_needs_nothing_else(demo_run: DemoRun) -> None:
    page = (demo_run.folder / demo_run.figures["page"]).read_text()
    assert page.count('src="data:image/png;base64,') == 1
    assert "http" not in page


def test_the_demo_is_not_drowned_in_the_talk_of_libraries(demo_run: DemoRun) -> None:
    assert len(demo_run.stderr.splitlines()) < 12, demo_run.stderr
    assert "cuda" not in demo_run.stderr.lower()


def test_the_unseen_person_is_in_no_set_but_the_test(recordings: list[WatchSeries]) -> None:
    assert demo.SPLIT.test == (demo.SUBJECT,)
    assert sorted(demo.SPLIT.train + demo.SPLIT.validation) == [s for s in range(1, 11) if s != demo.SUBJECT]


def streamed(recordings: list[WatchSeries], path: Path, classifier: Classifier, faults: Faults) -> Recording:
    asyncio.run(demo.streamed(recordings, path, classifier, 400.0, faults))
    return Recording.open(path)


def test_live_decisions_are_those_of_the_batch(
    recordings: list[WatchSeries], untrained: Classifier, tmp_path: Path
) -> None:
    one = recordings[126]
    live = asyncio.run(demo.streamed([one], tmp_path / "r.pulse", untrained, 400.0, Faults()))
    windows, starts = rehab.PIPELINE.batch({"acc": one.acceleration, "gyro": one.rotation})
    scores = rehab.tflm.invoke(untrained.model, untrained.quantise(windows))
    assert live == untrained.decide(starts, scores)
    assert len(live) > 10


def test_one_packet_less_and_the_recording_is_not_the_source(
    recordings: list[WatchSeries], untrained: Classifier, tmp_path: Path
) -> None:
    some = recordings[:2]
    with streamed(some, tmp_path / "whole.pulse", untrained, Faults()) as whole:
        demo.require_source(whole, some)
    wanted = pytest.raises(ParityError, match="the recording is not the source")
    with streamed(some, tmp_path / "short.pulse", untrained, Faults(drop=frozenset({7}))) as short, wanted:
        demo.require_source(short, some)


def test_one_sample_changed_by_one_step_and_the_recording_is_not_the_source(
    recordings: list[WatchSeries], untrained: Classifier, tmp_path: Path
) -> None:
    one = recordings[0]
    changed = one.rotation.copy()
    changed[100, 1] += np.float32(1 / 1024)
    wanted = pytest.raises(ParityError, match="the recording is not the source")
    with streamed([one], tmp_path / "r.pulse", untrained, Faults()) as recording, wanted:
        demo.require_source(recording, [replace(one, rotation=changed)])


@pytest.mark.usefixtures("quick")
def test_a_watch_that_drops_ends_the_demo_in_one_line_and_keeps_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("demo", "--out", str(tmp_path / "demo"), "--disconnect-after", "40", "--speed", "400")
    status, _, err = command(monkeypatch, capsys, *words)
    assert status == 5
    (line,) = [line for line in err.splitlines() if line]
    assert line.startswith("pulselet: Watch disconnected")
    assert line.endswith(f"kept in {tmp_path / 'demo' / 'recording.pulse'}")
    with Recording.open(tmp_path / "demo" / "recording.pulse") as recording:
        assert len(list(recording.packets())) == 40


def test_a_folder_that_is_not_empty_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    status, _, err = command(monkeypatch, capsys, "demo", "--out", str(tmp_path))
    assert (status, err.count("\n")) == (1, 1)
    assert "is not an empty folder" in err


@pytest.mark.parametrize("package", ["bumble", "tensorflow", "unicorn", "seglearn"])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else found(name, *rest)
    )
    status, _, err = command(monkeypatch, capsys, "demo", "--out", str(tmp_path / "demo"))
    assert status == 1
    assert (
        err == f"pulselet: this needs the package '{package}', which is not installed: pip install 'pulselet[demo]'\n"
    )
    with pytest.raises(MissingExtraError):
        demo.run(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize(
    ("branch", "complaint"),
    [
        (Branch("acc", "g", 100.0, 3), "'acc' wants 3 channels at 100 Hz in g, the stream has 3 at 50 Hz in g"),
        (Branch("acc", "m/s2", 50.0, 3), "in m/s2, the stream has 3 at 50 Hz in g"),
        (Branch("acc", "g", 50.0, 1), "wants 1 channels at 50 Hz"),
        (Branch("ecg", "mV", 50.0, 1), r"wants a signal 'ecg', the stream has \['acc', 'gyro'\]"),
    ],
)
def test_a_pipeline_that_does_not_fit_the_stream_is_told_apart(
    branch: Branch, complaint: str, recordings: list[WatchSeries], tmp_path: Path
) -> None:
    class Misfit:
        pipeline = replace(rehab.PIPELINE, branches=(branch,))

    with pytest.raises(PipelineError, match=complaint):
        asyncio.run(demo.streamed(recordings[:1], tmp_path / "r.pulse", Misfit(), 400.0, Faults()))  # type: ignore[arg-type]


def test_demos_are_numbered_so_that_none_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    assert next_folder(tmp_path) == tmp_path / "2"
