"""The whole path on a real recording: train, export, stream over Bluetooth, and prove that all executions agree."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pulselet._extras import require_all
from pulselet.device.session import connect
from pulselet.device.virtual import Faults, Segment, VirtualWearable
from pulselet.device.virtual_radio import VirtualRadio
from pulselet.errors import DeviceError, ParityError
from pulselet.model.classifier import Classifier, event
from pulselet.model.decide import Decision
from pulselet.packets.profile import StreamInfo
from pulselet.recipes import rehab
from pulselet.recipes.page import page, picture
from pulselet.stream.recording import Interval, Recording
from pulselet.windows.labelled import leave_one_out
from pulselet_datasets.seglearn_watch import (
    ACCELERATION_LSB_G,
    EXERCISES,
    RATE_HZ,
    ROTATION_LSB_RAD_S,
    WatchSeries,
    series,
)
from pulselet_firmware.bundle import Bundle, export, require_empty
from pulselet_firmware.proof import Proof

SUBJECT = 10  # left out of training; fixed before any net was trained
SPLIT = next(s for s in leave_one_out(range(1, 11), rehab.VALIDATION_PEOPLE) if s.test == (SUBJECT,))
NEEDED = (
    "seglearn",
    "tensorflow",
    "tflite_micro",
    "tflite",
    "jinja2",
    "ziglang",
    "unicorn",
    "elftools",
    "bumble",
    "matplotlib",
)
NAME = "Watch"
RATE_MHZ = round(RATE_HZ * 1000)
STREAMS = (
    StreamInfo(1, "acc", "g", ("x", "y", "z"), RATE_MHZ, ACCELERATION_LSB_G),
    StreamInfo(2, "gyro", "rad/s", ("x", "y", "z"), RATE_MHZ, ROTATION_LSB_RAD_S),
)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What a demo shows."""

    proof: Proof
    accuracy: float
    bundle: Bundle
    recording: Path
    page: Path

    def to_dict(self) -> dict[str, object]:
        """Return the figures under the names that scripts rely on."""
        cost = self.bundle.report()
        return {
            "subject": SUBJECT,
            "windows": self.proof.windows,
            "agree": min(self.proof.agree.values()),
            "agreement": self.proof.share,
            "accuracy": self.accuracy,
            "core": cost.core,
            "flash_bytes": cost.flash_bytes,
            "ram_bytes": cost.ram_bytes,
            "stack_bytes": cost.stack_bytes,
            "instructions_per_window": self.proof.instructions_per_window,
            "bundle": str(self.bundle.folder),
            "recording": str(self.recording),
            "page": str(self.page),
        }


def run(
    out: Path,
    *,
    speed: float = 100.0,
    epochs: int = rehab.EPOCHS,
    faults: Faults | None = None,
    say: Say = lambda line: None,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Run the demo into the folder `out`, which must be empty or absent, and return what it shows.

    Parameters
    ----------
    speed
        Device seconds per second of ours; 1 is real time.
    faults
        What goes wrong with the watch.
    say
        Gets one line as each step begins.
    progress
        Called with the number of each finished epoch.

    Raises
    ------
    DeviceError
        If the watch is lost; what has arrived is kept, and the message says where.
    ParityError
        If the recording is not the source, or an execution disagrees.
    """
    require_all(NEEDED, "demo")
    require_empty(out)
    out.mkdir(parents=True, exist_ok=True)  # now, not after minutes of training
    everything = series()
    unseen = [one for one in everything if one.subject == SUBJECT]
    say(f"Training on people {SPLIT.train}, choosing the epoch on {SPLIT.validation}; {SUBJECT} is unseen")
    classifier = trained([one for one in everything if one.subject != SUBJECT], epochs, progress)
    say("Exporting C, proving it on golden vectors")
    teaching = everything[0]
    bundle = export(
        classifier,
        out / "bundle",
        name="rehab",
        golden_signals={"acc": teaching.acceleration, "gyro": teaching.rotation},
        card=rehab.CARD,
    )
    say(f"Streaming person {SUBJECT} from a virtual watch over Bluetooth LE, {speed:g} times real time")
    path = out / "recording.pulse"
    live = asyncio.run(streamed(unseen, path, classifier, speed, faults or Faults()))
    say("Proving: Python with TFLite Micro = C on this computer = C on an emulated Cortex-M4")
    with Recording.open(path, write=True) as recording:
        require_source(recording, unseen)
        recording.annotate(intervals(recording, unseen))
        proof = bundle.verify([event(item) for item in recording.items()])
        if list(proof.decisions) != live:
            raise ParityError("the live stream and its recording give different decisions")
        proof.require()
        truth = true_classes(recording, proof.decisions)
        accuracy = float(np.mean([d.label == y for d, y in zip(proof.decisions, truth, strict=True)]))
        result = Result(proof, accuracy, bundle, path, out / "index.html")
        png = picture(recording, classifier, proof.decisions, truth)
        (out / "signals.png").write_bytes(png)
        result.page.write_text(page(result.to_dict(), png), encoding="utf-8")
    return result


def trained(recordings: list[WatchSeries], epochs: int, progress: Callable[[int], None] | None) -> Classifier:
    """Return a classifier trained on these recordings, none of them of the unseen person."""
    fitted = rehab.fit(rehab.windows(recordings), SPLIT, epochs=epochs, progress=progress)
    return Classifier(rehab.PIPELINE, fitted.model, EXERCISES)


def watch(recordings: Sequence[WatchSeries], speed: float, faults: Faults) -> VirtualWearable:
    """Return a watch that replays the recordings, resting between them."""
    return VirtualWearable(NAME, STREAMS, [segment(one) for one in recordings], speed=speed, faults=faults)


def segment(one: WatchSeries) -> Segment:
    """Return a series as the int16 samples that the watch's sensors gave."""
    return {
        "acc": np.round(one.acceleration / ACCELERATION_LSB_G).astype(np.int16),
        "gyro": np.round(one.rotation / ROTATION_LSB_RAD_S).astype(np.int16),
    }


async def streamed(
    recordings: Sequence[WatchSeries], path: Path, classifier: Classifier, speed: float, faults: Faults
) -> list[Decision]:
    """Stream the recordings over a virtual radio into a recording at `path`; return the live decisions.

    Raises
    ------
    DeviceError
        If the watch is lost; the recording holds what came before.
    PipelineError
        If the watch does not stream what the pipeline wants.
    """
    radio = VirtualRadio()
    wearable = watch(recordings, speed, faults)
    await wearable.start(radio)
    decisions: list[Decision] = []
    try:
        with Recording.create(path, subject=str(SUBJECT)) as recording:
            async with connect(NAME, adapter=radio.adapter, reconnect=None) as device:
                classifier.pipeline.require(device.signals)
                live = classifier.start()
                async for item in device.stream(record=recording):
                    decisions += live.push(event(item))
    except DeviceError as error:
        raise DeviceError(f"{error}; what had arrived is kept in {path}", error.reason) from error
    finally:
        await wearable.stop()
    return decisions


def require_source(recording: Recording, recordings: Sequence[WatchSeries]) -> None:
    """Raise ParityError unless the recording holds exactly the samples of the source."""
    for name, wanted in (("acc", [s.acceleration for s in recordings]), ("gyro", [s.rotation for s in recordings])):
        got = [values for _, values in recording.segments(name)]
        if len(got) != len(wanted) or not all(np.array_equal(a, b) for a, b in zip(got, wanted, strict=False)):
            counts = [sum(map(len, parts)) for parts in (wanted, got)]
            raise ParityError(
                f"the recording is not the source: {name} has {counts[1]} samples in {len(got)} runs, "
                f"wanted the {counts[0]} in {len(wanted)} that were sent"
            )


def intervals(recording: Recording, recordings: Sequence[WatchSeries]) -> list[Interval]:
    """Return which exercise was done when."""
    runs = zip(recording.segments("acc"), recordings, strict=True)
    return [Interval("acc", first, first + len(values), one.exercise) for (first, values), one in runs]


def true_classes(recording: Recording, decisions: Sequence[Decision]) -> NDArray[np.int64]:
    """Return the class that was going on in each window; no window spans two."""
    length = rehab.PIPELINE.shape[0]
    labelled = recording.intervals()
    return np.array(
        [
            next(EXERCISES.index(i.label) for i in labelled if i.first <= d.start and d.start + length <= i.end)
            for d in decisions
        ],
        np.int64,
    )
