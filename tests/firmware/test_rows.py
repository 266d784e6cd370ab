"""Nets behind rows that are not windows of samples: features and heartbeats. All executions agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pulselet import simulate
from pulselet.errors import ExportError, PipelineError
from pulselet.model import quantize
from pulselet.model._backend import keras
from pulselet.model.classifier import Classifier
from pulselet.model.smoothing import Smoothing
from pulselet.signal.ecg_beats import Beats, Columns
from pulselet.signal.features import Features
from pulselet.signal.pipeline import Branch, LowPass, Pipeline, Window
from pulselet.signal.resampling import Resample
from pulselet.signal.scaling import Standardize
from pulselet.signal.stage import Samples
from pulselet_firmware.bundle import Bundle, export

LABELS = ("still", "slow", "fast")
FEATURES = ("mean", "std", "zero_crossings", "dominant_hz")


def perceptron(width: int) -> Any:
    """Return an untrained net with one hidden layer, its weights large enough for its outputs to spread."""
    k = keras()
    inputs = k.layers.Input((width,))
    net = k.Model(inputs, k.layers.Dense(3)(k.layers.Dense(8, activation="relu")(inputs)))
    rng = np.random.default_rng(2)
    net.set_weights([rng.normal(0, 0.7, w.shape) for w in net.get_weights()])
    return net


def classifier(pipeline: Pipeline, signals: dict[str, Samples], smoothing: Smoothing | None = None) -> Classifier:
    rows, _ = pipeline.batch(signals)
    return Classifier(pipeline, quantize.to_int8(perceptron(pipeline.output.width), rows), LABELS, smoothing=smoothing)


def movement(seconds: float) -> dict[str, Samples]:
    """Return acceleration that changes its rhythm every five seconds, and a light signal with one lost sample."""
    rng, t = np.random.default_rng(0), np.arange(round(seconds * 50)) / 50
    wave = np.sin(2 * np.pi * (0.5 + t // 5 % 4) * t)
    acc = wave[:, None] * (1.0, 0.5, -0.3) + rng.normal(0, 0.2, (len(t), 3))
    ppg = np.sin(2 * np.pi * 1.3 * t)[:, None] + rng.normal(0, 0.1, (len(t), 1))
    ppg[len(t) // 2] = np.nan
    return {"acc": acc.astype(np.float32), "ppg": ppg.astype(np.float32)}


@pytest.mark.parametrize("smoothing", [None, Smoothing(3, "mean", debounce=2, hold=1)])
def test_a_net_behind_features_agrees_with_its_c(tmp_path: Path, smoothing: Smoothing | None) -> None:
    signals = movement(40)
    branches = (Branch("acc", "g", 50.0, 3, (LowPass(10.0),)), Branch("ppg", "a.u.", 50.0, 1))
    cut = Pipeline(branches, (Window(1.28, 0.32), Features(FEATURES)))
    scale = Standardize.fit([cut.batch(signals)[0]])
    source = classifier(Pipeline(branches, (*cut.joint_stages, scale)), signals, smoothing)
    bundle = export(source, tmp_path / "out", name="motion")
    proof = bundle.verify(signals)
    proof.require()
    lost = 4  # windows of 64 samples every 16 that touch the lost sample
    assert proof.windows == (2000 - 64) // 16 + 1 - lost
    assert [d.start % 16 for d in proof.decisions] == [0] * proof.windows
    assert len({d.scores for d in proof.decisions}) > proof.windows // 2
    assert Bundle.load(bundle.folder).source == source


def heart(lost: int = 3) -> dict[str, Samples]:
    x = simulate.ecg(60.0, rate_hz=250.0, seed=1).values_mv.astype(np.float32)[:, None].copy()
    x[1000 : 1000 + lost] = np.nan
    return {"ecg": x}


BEATS = Beats(0.2, 0.3, every=5, high_hz=20.0)
WAVEFORM = Columns(4, 26)


@pytest.mark.parametrize("placed", [True, False])
def test_a_net_behind_heartbeats_agrees_with_its_c(tmp_path: Path, placed: bool) -> None:
    """A row for each beat, with `since` or the waveform alone: a result says its sample, or its number."""
    signals = heart()
    branch = Branch("ecg", "mV", 250.0, 1)
    stages = (BEATS,) if placed else (BEATS, WAVEFORM)
    source = classifier(Pipeline((branch,), stages), signals)
    bundle = export(source, tmp_path / "out", name="beat", golden_signals=heart(lost=0))
    proof = bundle.verify(signals)
    proof.require()
    assert proof.windows > 50
    starts = [d.start for d in proof.decisions]
    truth = np.round(simulate.ecg(60.0, rate_hz=250.0, seed=1).r_times_s * 250)
    if placed:
        assert max(np.abs(truth - start).min() for start in starts) <= 2
    else:
        assert starts == list(range(proof.windows))
    text = (bundle.folder / "beat.h").read_text()
    assert ("sample of the event" if placed else "events before this one") in text


def test_each_of_several_results_of_one_sample_is_handed_out(tmp_path: Path) -> None:
    """From 10 to 25 samples a second: a sample gives two rows or three, and a net names each."""
    x = np.random.default_rng(0).normal(0, 1, (300, 3)).astype(np.float32)
    x[100] = np.nan
    branch = Branch("acc", "g", 10.0, 3, (Resample(25.0),))
    source = classifier(Pipeline((branch,)), {"acc": x}, Smoothing(3, "mean", debounce=2, hold=1))
    bundle = export(source, tmp_path / "out", name="quick")
    assert "up to 3 results" in (bundle.folder / "quick.h").read_text()
    proof = bundle.verify({"acc": x})
    proof.require()
    assert proof.windows == len(source.pipeline.batch({"acc": x})[0]) > 600


def test_smoothing_of_events_is_refused() -> None:
    with pytest.raises(PipelineError, match="even rate"):
        classifier(Pipeline((Branch("ecg", "mV", 250.0, 1),), (BEATS, WAVEFORM)), heart(), Smoothing())


def test_golden_signals_that_do_not_do_say_why(tmp_path: Path) -> None:
    source = classifier(Pipeline((Branch("ecg", "mV", 250.0, 1),), (BEATS, WAVEFORM)), heart())
    with pytest.raises(ExportError, match="golden signals of 'ecg' hold values that are not finite"):
        export(source, tmp_path / "out", name="beat", golden_signals=heart())
    flat = {"ecg": np.zeros((20_000, 1), np.float32)}
    with pytest.raises(ExportError, match=r"golden signals .* give no row"):
        export(source, tmp_path / "out", name="beat", golden_signals=flat)
