"""Pipeline, int8 net and rule in one: what runs on a live stream, and what an export must equal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ModelError
from pulselet.model.decide import Decision, Rule
from pulselet.model.quantize import io_parameters, quantise
from pulselet.model.tflm import Net
from pulselet.packets.profile import Identity
from pulselet.signal.device_time import DeviceTime
from pulselet.signal.pipeline import Pipeline
from pulselet.signal.run import Event
from pulselet.stream.block import Block, Gap


def event(item: Block | Gap) -> Event:
    """Return what a block or a gap is to a classifier; a loss of unknown size is the least that starts it anew."""
    return item.signal.name, (item.lost or 1) if isinstance(item, Gap) else item.values


@dataclass(frozen=True)
class Classifier:
    """From raw samples to classes.

    Raises
    ------
    ModelError
        When built, if the net's input is not the pipeline's window, or its outputs are not as many as the labels.
    """

    pipeline: Pipeline
    model: bytes
    labels: tuple[str, ...]
    abstain_below: float = 0.0

    def __post_init__(self) -> None:
        threshold = float(np.float32(self.abstain_below))  # C compares in float32
        if not 0 <= threshold <= 1:
            raise ModelError(f"abstain_below wants a confidence from 0 to 1, got {self.abstain_below}")
        object.__setattr__(self, "abstain_below", threshold)
        net = Net(self.model)
        if net.input_size != int(np.prod(self.pipeline.shape)):
            raise ModelError(
                f"the pipeline makes windows of {self.pipeline.shape} (samples, channels), "
                f"the net takes {net.input_shape}: change the window or train again"
            )
        if net.outputs != len(self.labels):
            raise ModelError(
                f"the net has {net.outputs} outputs, but there are {len(self.labels)} labels: {self.labels}"
            )

    @cached_property
    def _parameters(self) -> tuple[float, int, float, int]:
        return io_parameters(self.model)

    @property
    def identity(self) -> Identity:
        """What a device that runs this says of itself."""
        return Identity(bytes.fromhex(self.pipeline.hash), hashlib.sha256(self.model).digest(), self.labels)

    @property
    def rule(self) -> Rule:
        """How the net's outputs become a class."""
        return Rule(self._parameters[2])

    def quantise(self, windows: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return cleaned windows as the net's int8 input."""
        scale, zero_point, _, _ = self._parameters
        return quantise(windows, scale, zero_point)

    def decide(self, starts: Iterable[int], scores: NDArray[np.int8]) -> list[Decision]:
        """Return the decisions for the net's outputs `(n, classes)`."""
        best, confidence = self.rule.confidence(scores)
        return [
            Decision(int(start), tuple(int(s) for s in row), int(label), float(sure), bool(sure < self.abstain_below))
            for start, row, label, sure in zip(starts, scores, best, confidence, strict=True)
        ]

    def run(self, events: Iterable[Event]) -> Iterator[Decision]:
        """Yield the decision of each window as the events complete it, through TFLite Micro.

        Raises
        ------
        PipelineError
            If an event does not fit the pipeline.
        """
        live = self.start()
        for one in events:
            yield from live.push(one)

    def start(self) -> Live:
        """Return a run at rest, to push events into."""
        return Live(self)


class Live:
    """One run of a classifier over what arrives: events, or blocks and gaps, lined up by the device's time."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._stream = classifier.pipeline.start()
        self._time = DeviceTime({branch.name: branch.rate_hz for branch in classifier.pipeline.branches})
        self._net = Net(classifier.model)

    @property
    def dropped(self) -> int:
        """Windows left out so far because samples in them were lost."""
        return self._stream.dropped

    def push(self, one: Event | Block | Gap) -> list[Decision]:
        """Return the decisions of the windows that an event, or a block or gap of a stream, completes."""
        if isinstance(one, (Block, Gap)):
            return [decision for event in self._time.events(one) for decision in self.push(event)]
        name, what = one
        if isinstance(what, int):
            self._stream.gap(name, what)
            return []
        source = self._classifier
        return [
            decision
            for start, window in self._stream.push(name, what)
            for decision in source.decide([start], self._net.invoke(source.quantise(window)[None]))
        ]
