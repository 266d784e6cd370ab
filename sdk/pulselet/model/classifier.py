"""Pipeline, int8 net and rule in one: what runs on a live stream, and what an export must equal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ModelError
from pulselet.model.decide import Decision, Rule
from pulselet.model.quantize import io_parameters, quantise
from pulselet.model.smoothing import Smoothing, confidences
from pulselet.model.tflm import Net
from pulselet.packets.profile import Identity
from pulselet.signal.device_time import DeviceTime
from pulselet.signal.pipeline import Pipeline
from pulselet.signal.run import Event
from pulselet.signal.stage import Format, Kernel, Samples, State
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
    smoothing: Smoothing | None = None

    def __post_init__(self) -> None:
        threshold = float(np.float32(self.abstain_below))  # C compares in float32
        if not 0 <= threshold <= 1:
            raise ModelError(f"abstain_below wants a confidence from 0 to 1, got {self.abstain_below}")
        object.__setattr__(self, "abstain_below", threshold)
        self._check_smoothing()
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

    def _check_smoothing(self) -> None:
        if self.smoothing is None:
            return
        if self.abstain_below > 0 or self.smoothing.with_quality:
            raise ModelError(
                "with smoothing, its enter and leave say when to abstain: wanted abstain_below 0 and no quality, "
                f"got {self.abstain_below} and with_quality={self.smoothing.with_quality}"
            )
        self.smoothing.design(self.confidence_format)

    @property
    def confidence_format(self) -> Format:
        """Rows of class confidences, one for each window."""
        return Format(self.pipeline.output.rate_hz, len(self.labels))

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
        """Return the decisions for the net's outputs `(n, classes)` of one run's windows, from its first."""
        return Decider(self).decide(starts, scores)

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


class Decider:
    """From the net's outputs to decisions, window after window of one run."""

    def __init__(self, classifier: Classifier) -> None:
        self._source = classifier
        self._kernel = classifier.smoothing.design(classifier.confidence_format) if classifier.smoothing else None
        self._state: State = self._kernel.start() if self._kernel else None
        rate_hz = classifier.pipeline.output.rate_hz
        self._step = round(classifier.pipeline.rate_hz / rate_hz) if rate_hz else 0  # samples from window to window
        self._next = 0  # where the next window would begin if none were lost

    def decide(self, starts: Iterable[int], scores: NDArray[np.int8]) -> list[Decision]:
        """Return the decisions of the next windows, for their net's outputs `(n, classes)`."""
        source = self._source
        best, confidence = source.rule.confidence(scores)
        plain = [
            Decision(int(start), tuple(int(s) for s in row), int(label), float(sure), bool(sure < source.abstain_below))
            for start, row, label, sure in zip(starts, scores, best, confidence, strict=True)
        ]
        if self._kernel is None:
            return plain
        shares = confidences(scores, source.rule.scale)
        return [self._smoothed(self._kernel, one, row) for one, row in zip(plain, shares, strict=True)]

    def _smoothed(self, kernel: Kernel, one: Decision, row: Samples) -> Decision:
        lost = (one.start - self._next) // self._step
        if lost > 0:
            _, self._state = kernel.gap(self._state, lost)
        self._next = one.start + self._step
        found, self._state = kernel.step(self._state, row[None])
        label, confidence, abstained = found[0].tolist()
        return replace(one, label=int(label), confidence=confidence, abstained=bool(abstained))


class Live:
    """One run of a classifier over what arrives: events, or blocks and gaps, lined up by the device's time."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._stream = classifier.pipeline.start()
        self._time = DeviceTime({branch.name: branch.rate_hz for branch in classifier.pipeline.branches})
        self._net = Net(classifier.model)
        self._decider = Decider(classifier)

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
            for decision in self._decider.decide([start], self._net.invoke(source.quantise(window)[None]))
        ]
