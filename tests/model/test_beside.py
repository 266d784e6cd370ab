"""A device that runs a classifier, over a virtual radio: its results beside the host's, and other versions noticed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from pulselet import connect
from pulselet.device.faults import Faults
from pulselet.device.virtual import VirtualDevice
from pulselet.device.virtual_radio import VirtualRadio
from pulselet.device.virtual_roles.board import Board
from pulselet.errors import ParityError
from pulselet.model import nets, quantize, tflm
from pulselet.model.beside import Beside, Difference, require_same
from pulselet.model.classifier import Classifier
from pulselet.packets.profile import ABSTAINED, Identity, Result, StreamInfo
from pulselet.signal.pipeline import Branch, LowPass, Pipeline, Window
from pulselet.stream.block import Block, Gap, Signal

LABELS = ("rest", "walk", "run")
RESULT = Signal("result", "", None, ("start", "label", "confidence", "quality", "abstained"), 32768.0)
ACC = StreamInfo(1, "acc", "g", ("x", "y", "z"), 50_000, 1 / 4096)
SAMPLES = np.random.default_rng(3).integers(-4096, 4096, (1500, 3)).astype(np.int16)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    pipeline = Pipeline((Branch("acc", "g", 50.0, 3, (LowPass(cutoff_hz=10.0),)),), Window(length_s=2.0, hop_s=1.0))
    windows, _ = pipeline.batch({"acc": SAMPLES * np.float32(1 / 4096)})
    model = quantize.to_int8(nets.ds_cnn(*pipeline.shape, len(LABELS)), windows)
    return Classifier(pipeline, model, LABELS, abstain_below=0.34)


def results(classifier: Classifier) -> list[tuple[float, Result]]:
    """Return what a device says that runs this classifier over the samples, when each window is complete."""
    windows, starts = classifier.pipeline.batch({"acc": SAMPLES * np.float32(1 / 4096)})
    decisions = classifier.decide(starts, tflm.invoke(classifier.model, classifier.quantise(windows)))
    length = classifier.pipeline.shape[0]
    return [
        (
            (one.start + length) / 50,
            Result(n, 0, one.start, one.label, ABSTAINED * one.abstained, one.confidence, float("nan")),
        )
        for n, one in enumerate(decisions)
    ]


async def followed(
    classifier: Classifier, said: list[tuple[float, Result]], identity: Identity, faults: Faults | None = None
) -> tuple[Beside, list[Difference]]:
    board = Board([ACC], {"acc": [(0, SAMPLES)]}, identity=identity, results=said)
    radio, virtual = VirtualRadio(), VirtualDevice("Board", [board], speed=50.0, faults=faults)
    await virtual.start(radio)
    try:
        async with connect("Board", adapter=radio.adapter) as device:
            beside = Beside(classifier, device.identity)
            return beside, [one async for item in device.stream() for one in beside.push(item)]
    finally:
        await virtual.stop()


def test_device_and_host_agree_on_every_window_bit_for_bit(classifier: Classifier) -> None:
    said = results(classifier)
    beside, differences = asyncio.run(followed(classifier, said, classifier.identity))
    assert differences == []
    # the last window's result may come after the end of the stream
    assert len(said) - 1 <= beside.compared == beside.agreed
    assert beside.compared > 20


def test_a_result_that_differs_in_the_last_bit_of_its_confidence_is_shown(classifier: Classifier) -> None:
    said = results(classifier)
    at_s, wrong = said[5]
    nudged = float(np.nextafter(np.float32(wrong.confidence), np.float32(0)))
    said[5] = at_s, replace(wrong, confidence=nudged)
    beside, (difference,) = asyncio.run(followed(classifier, said, classifier.identity))
    assert difference.device.start == difference.host.start == wrong.start
    assert beside.compared - beside.agreed == 1


def test_windows_whose_samples_the_host_lost_are_not_compared(classifier: Classifier) -> None:
    said = results(classifier)
    beside, differences = asyncio.run(followed(classifier, said, classifier.identity, Faults(drop=frozenset({20, 21}))))
    assert differences == []
    assert beside.compared + beside.unsettled <= len(said) - 2
    assert beside.compared == beside.agreed > 10  # the filters have come to the same bits again


def test_another_version_on_the_device_is_noticed_before_anything_streams(classifier: Classifier) -> None:
    wanted = classifier.identity
    with pytest.raises(ParityError, match="the device runs another net: wanted"):
        asyncio.run(followed(classifier, [], replace(wanted, net=bytes(32))))
    with pytest.raises(ParityError, match="another pipeline"):
        require_same(wanted, replace(wanted, pipeline=bytes(32)))
    with pytest.raises(ParityError, match="another labels"):
        require_same(wanted, replace(wanted, labels=("rest",)))
    with pytest.raises(ParityError, match="does not say what it runs"):
        require_same(wanted, None)


SIGNAL = Signal("acc", "g", 50.0, ("x", "y", "z"), 32768.0)


def told(result: Result, start: int) -> Block:
    """Return the block that a result becomes: its numbers are float32, so that the start is modulo 2**24."""
    row = [start % 2**24, result.label, result.confidence, result.quality, result.abstained]
    return Block(RESULT, np.array([row], np.float32), 0, None, 0)


def test_windows_are_compared_after_more_samples_than_a_float32_can_count(classifier: Classifier) -> None:
    said, beside = results(classifier), Beside(classifier, classifier.identity)
    lost = 2**24 + 34  # a multiple of the hop, so that windows begin where the samples do
    beside.push(Gap(SIGNAL, 0, lost, "lost"))
    beside.push(Block(SIGNAL, SAMPLES * np.float32(1 / 4096), lost, None, 0))
    for _, result in said:
        assert beside.push(told(result, lost + result.start)) == []
    assert beside.compared == beside.agreed == len(said)


def test_a_device_that_counts_from_0_again_is_compared_again(classifier: Classifier) -> None:
    """The second time it has taken samples already, 10 of which never came, when the host hears of it."""
    said, beside = results(classifier), Beside(classifier, classifier.identity)
    samples, at = SAMPLES * np.float32(1 / 4096), 0
    for lost in (0, 0, 10):
        if at:
            beside.push(Gap(SIGNAL, at, None, "restarted"))
        if lost:
            beside.push(Gap(SIGNAL, at, lost, "restarted"))
        beside.push(Block(SIGNAL, samples[lost:777], at + lost, None, 0))
        at += 777
        whole = [result for _, result in said if result.start + 100 <= 777]
        for result in whole:
            beside.push(told(result, result.start))
        assert beside.compared == beside.agreed
    assert 2 * len(whole) < beside.compared + beside.unsettled < 3 * len(whole)
    assert beside.compared > 2 * len(whole) + 5


def test_a_restart_that_several_signals_tell_of_is_one(classifier: Classifier) -> None:
    pipeline = Pipeline(
        (Branch("acc", "g", 50.0, 2, ()), Branch("turn", "g", 50.0, 1, ())), Window(length_s=2.0, hop_s=1.0)
    )
    two = replace(classifier, pipeline=pipeline)  # the same net: the windows have the same shape
    beside = Beside(two, two.identity)
    acc, turn = Signal("acc", "g", 50.0, ("x", "y"), 1e3), Signal("turn", "g", 50.0, ("z",), 1e3)
    samples = SAMPLES[:300] * np.float32(1 / 4096)
    windows, starts = pipeline.batch({"acc": samples[:, :2], "turn": samples[:, 2:]})
    decisions = two.decide(starts, tflm.invoke(two.model, two.quantise(windows)))
    for session in range(3):
        for at in range(0, 300, 25):
            for signal, values in ((acc, samples[:, :2]), (turn, samples[:, 2:])):
                if session and not at:
                    beside.push(Gap(signal, 300 * session, None, "restarted"))
                beside.push(Block(signal, values[at : at + 25], 300 * session + at, None, 0))
        for one in decisions:
            result = Result(0, 0, one.start, one.label, ABSTAINED * one.abstained, one.confidence, 1.0)
            assert beside.push(told(result, one.start)) == []
    assert beside.compared == beside.agreed == 3 * len(decisions)
