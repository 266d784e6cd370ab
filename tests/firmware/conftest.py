"""One small classifier and its bundle for all tests of this room."""

from __future__ import annotations

import numpy as np
import pytest

from pulselet.model import nets, quantize
from pulselet.model.classifier import Classifier
from pulselet.model.train import train
from pulselet.signal.pipeline import Branch, HighPass, LowPass, Pipeline, Scale, Window
from pulselet_firmware.bundle import Bundle, export

PIPELINE = Pipeline(
    (
        Branch("acc", "g", 50.0, 2, (LowPass(10.0, order=3), Scale((0.5, 0.25), (0.1,)))),
        Branch("ppg", "a.u.", 50.0, 1, (HighPass(0.5),)),
    ),
    Window(length_s=0.64, hop_s=0.16),
    ahead_s=0.4,
)


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """Return a net that tells four rhythms apart: trained, so that its channels are awake and its outputs spread."""
    rng = np.random.default_rng(0)
    y = np.arange(400) % 4
    time_s = np.arange(PIPELINE.shape[0]) / 50.0
    phase = rng.uniform(0, 2 * np.pi, (400, 1, PIPELINE.shape[1]))
    x = np.sin(2 * np.pi * (1 + 3 * y)[:, None, None] * time_s[None, :, None] + phase)
    x = (x * rng.uniform(0.5, 1.5, phase.shape) + rng.normal(0, 0.3, x.shape)).astype(np.float32)
    net = nets.ds_cnn(*PIPELINE.shape, 4, seed=1)
    history = train(net, x[:320], y[:320], x[320:], y[320:], epochs=20, seed=0, augment=None)
    assert history.val_accuracy[history.best_epoch] > 0.8
    return Classifier(PIPELINE, quantize.to_int8(net, x[:320]), ("rest", "walk", "run", "fall"), abstain_below=0.3)


@pytest.fixture(scope="session")
def bundle(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return export(classifier, tmp_path_factory.mktemp("bundles") / "motion", name="motion")
