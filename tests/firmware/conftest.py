"""One small classifier and its bundle for all tests of this room."""

from __future__ import annotations

import numpy as np
import pytest

from pulselet.model import nets, quantize
from pulselet.model.classifier import Classifier
from pulselet.signal.pipeline import Branch, HighPass, LowPass, Pipeline, Scale, Window
from pulselet_firmware.bundle import Bundle, export

PIPELINE = Pipeline(
    (
        Branch("acc", "g", 50.0, 2, (LowPass(10.0, order=3), Scale((0.5, 0.25), (0.1,)))),
        Branch("ppg", "a.u.", 50.0, 1, (HighPass(0.5),)),
    ),
    Window(length_s=0.64, hop_s=0.16, ahead_s=0.4),
)


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """Return an untrained net behind a pipeline: only its arithmetic counts here."""
    windows = np.random.default_rng(0).normal(0, 1, (64, *PIPELINE.shape)).astype(np.float32)
    net = nets.ds_cnn(*PIPELINE.shape, 4, seed=1)
    return Classifier(PIPELINE, quantize.to_int8(net, windows), ("rest", "walk", "run", "fall"), abstain_below=0.3)


@pytest.fixture(scope="session")
def bundle(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return export(classifier, tmp_path_factory.mktemp("bundles") / "motion", name="motion")
