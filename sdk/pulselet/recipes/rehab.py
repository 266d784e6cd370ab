"""Which of seven shoulder-rehabilitation exercises is a wearer doing? A wrist watch's accelerometer and gyroscope.

Data and the accuracy to beat (87.3 % on unseen people): Burns et al., arXiv 1802.01489.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.model import nets, quantize, tflm
from pulselet.model import train as training
from pulselet.model.train import History, augment_motion, predict
from pulselet.signal.pipeline import Branch, LowPass, Pipeline, Scale, Window
from pulselet.windows.labelled import Windows
from pulselet.windows.leaks import Role, Seen
from pulselet.windows.splitting import Split
from pulselet_datasets.seglearn_watch import EXERCISES, RATE_HZ, WatchSeries, series

PIPELINE = Pipeline(
    branches=(
        Branch("acc", "g", RATE_HZ, 3, (LowPass(cutoff_hz=10.0),)),
        Branch("gyro", "rad/s", RATE_HZ, 3, (LowPass(cutoff_hz=10.0), Scale(gain=(0.5,)))),
    ),
    stages=Window(length_s=4.0, hop_s=1.0),
)
LIMIT = 3.0  # the net's input saturates here: 3 g, 6 rad/s
EPOCHS = 45
VALIDATION_PEOPLE = 2
REPRESENTATIVE = 500  # training windows on which the ranges of the activations are measured
CARD = {
    "Intended use": "To name one of seven shoulder-rehabilitation exercises that a person does with a watch on either "
    "wrist. It knows no other movement: it names one of the seven for whatever it is given.",
    "Training": "Ten healthy people, 7 exercises, both sides (Burns et al., arXiv 1802.01489), split by person: two "
    "choose the epoch, the others train. Windows are mirrored to the other wrist, turned, stretched and scaled.",
    "Evaluation": "Leave-one-person-out figures, with their spread over people: `python benchmarks/rehab_loso.py`.",
}


@dataclass(frozen=True, eq=False)
class Trained:
    """A float net, the int8 net made of it, how training went, and what it has looked at."""

    net: Any  # a Keras model
    model: bytes  # int8 .tflite
    history: History
    seen: Seen = field(default_factory=Seen)

    def logits(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the float net's outputs `(n, classes)` for windows `(n, length, channels)`."""
        return predict(self.net, saturated(x))

    def int8_outputs(self, x: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return TFLite Micro's outputs `(n, classes)` for windows `(n, length, channels)`."""
        scale, zero_point, _, _ = quantize.io_parameters(self.model)
        return tflm.invoke(self.model, quantize.quantise(x[:, None], scale, zero_point))


def saturated(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return windows as the int8 net sees them, but for the rounding."""
    return np.clip(x, -LIMIT, LIMIT)


def windows(recordings: list[WatchSeries] | None = None) -> Windows:
    """Return the labelled windows of these series, or of all 140."""
    parts = []
    for one in series() if recordings is None else recordings:
        x, starts = PIPELINE.batch({"acc": one.acceleration, "gyro": one.rotation})
        count = len(starts)
        begin_s = starts / PIPELINE.rate_hz
        name = f"seglearn/{one.subject}-{one.side}-{one.exercise}"
        parts.append(
            Windows(
                x,
                np.full(count, EXERCISES.index(one.exercise), np.int64),
                np.full(count, one.subject, np.int64),
                EXERCISES,
                np.full(count, name),
                begin_s,
                begin_s + PIPELINE.window.length_s,
                rule="exercise of the whole series",
            )
        )
    return Windows.join(parts)


def fit(data: Windows, split: Split, *, epochs: int = EPOCHS, seed: int = 0, progress: Any = None) -> Trained:
    """Return a net trained on `split.train`, its epoch chosen on `split.validation`; `split.test` is not looked at.

    Parameters
    ----------
    progress
        Called with each finished epoch's number, if given.

    Raises
    ------
    LeakError
        If the sides of the split share people, recordings, samples or values.
    """
    own, validation = split.side(data, "train"), split.side(data, "validation")
    net = nets.ds_cnn(*PIPELINE.shape, len(data.labels), seed=seed)
    history, seen = training.fit(
        net,
        own,
        validation,
        epochs=epochs,
        seed=seed,
        augment=augment_motion,
        prepare=saturated,
        progress=progress,
        seen=Seen(declared=split.declared),
    )
    chosen = np.random.default_rng(seed).choice(len(own), min(REPRESENTATIVE, len(own)), replace=False)
    representative = own.take(chosen)
    seen.add(representative, Role.REPRESENTATIVE)
    return Trained(net, quantize.to_int8(net, saturated(np.asarray(representative.x))), history, seen)
