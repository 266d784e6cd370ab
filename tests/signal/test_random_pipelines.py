"""Pipelines drawn at random from every registered stage: batch, stream and C agree bit for bit, gaps and all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st
from stage_cases import all_cases

from pulselet.errors import PipelineError
from pulselet.signal.chain import design
from pulselet.signal.pipeline import Branch, Pipeline, Window
from pulselet.signal.resampling import Resample
from pulselet.signal.run import Event
from pulselet.signal.stage import Format, Samples, Stage
from pulselet_firmware.pipelines import CorePipeline, HostPipeline

POOL: list[Stage] = [case.stage for case in all_cases()] + [Window(1.0, 0.5), Window(2.0, 2.0)]
RATES_HZ = (25.0, 32.0, 50.0, 64.0, 100.0, 125.0, 250.0)
UNITS = ("g", "mV", "a.u.", "uS", "degC")
SECONDS = 12
WIDEST = 2000  # floats in a row: the drivers hold no more
COMPILER = ["gcc"] if shutil.which("gcc") else None  # the quicker one


def fitting(source: Format, choices: Sequence[int], most: int) -> tuple[tuple[Stage, ...], Format]:
    """Return those of the chosen stages that fit one after another, and what they give."""
    stages: list[Stage] = []
    for choice in choices:
        try:
            output = design([POOL[choice % len(POOL)]], source)[-1].output
        except PipelineError:
            continue
        if output.width <= WIDEST and len(stages) < most:
            stages.append(POOL[choice % len(POOL)])
            source = output
    return tuple(stages), source


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    choices = st.lists(st.integers(0, 10_000), max_size=40)
    branches = []
    count = draw(st.integers(1, 3))
    for i in range(count):
        rate_hz, unit = draw(st.sampled_from(RATES_HZ)), draw(st.sampled_from(UNITS))
        channels = draw(st.integers(1, 3))
        source = Format(rate_hz, channels, unit)
        stages, out = fitting(source, draw(choices), 4)
        if count > 1:
            if out.rate_hz is None or out.length > 1:
                stages, out = (), source
            if out.rate_hz != 25.0:
                stages = (*stages, Resample(25.0))
        branches.append(Branch("abc"[i], unit, rate_hz, channels, stages))
    try:
        aligned = Pipeline(tuple(branches)).aligned
    except PipelineError:  # a rate from which there is no way to the common one
        reject()
    joint, _ = fitting(aligned, draw(choices), 3)
    return Pipeline(tuple(branches), joint, ahead_s=10.0)


def signal(branch: Branch, rng: np.random.Generator) -> Samples:
    """Return beats, waves, noise, and a few samples that no sensor should give."""
    t = np.arange(round(SECONDS * branch.rate_hz)) / branch.rate_hz
    beats = np.exp(-0.5 * (((t % 0.8) - 0.3) / 0.012) ** 2) + np.sin(2 * np.pi * 1.25 * t) * rng.uniform(0, 0.5)
    x = beats[:, None] * rng.uniform(0.2, 2, branch.channels) + rng.normal(0, 0.05, (len(t), branch.channels))
    x[rng.integers(0, len(t), 3)] = rng.choice([np.nan, 1e6, -1e11, np.inf])
    x[len(t) // 2 : len(t) // 2 + 40] = x[len(t) // 2]
    return (x + (branch.unit == "uS") * 5).astype(np.float32)


def events(pipeline: Pipeline, seed: int) -> list[Event]:
    rng, found = np.random.default_rng(seed), []
    signals = {branch.name: signal(branch, rng) for branch in pipeline.branches}
    gap_at, lost_s = rng.integers(1, SECONDS), float(rng.choice([0.02, 0.5, 3.0]))
    for second in range(SECONDS):
        for branch in rng.permutation(np.array(pipeline.branches, object)):
            a, b = (round((second + k) * branch.rate_hz) for k in (0, 1))
            if second == gap_at:
                found.append((branch.name, max(1, round(lost_s * branch.rate_hz))))
            cut = int(rng.integers(a, b + 1))
            found += [(branch.name, signals[branch.name][a:cut]), (branch.name, signals[branch.name][cut:b])]
    return found


def streamed(pipeline: Pipeline, what: Sequence[Event], *, one_by_one: bool = False) -> tuple[Samples, int]:
    stream, rows = pipeline.start(), [np.empty((0, pipeline.output.width), np.float32)]
    for name, values in what:
        if isinstance(values, int):
            stream.gap(name, values)
            continue
        for part in np.split(values, len(values)) if one_by_one and len(values) else [values]:
            rows.append(stream.advance(name, part)[0].reshape(-1, pipeline.output.width))
    return np.concatenate(rows), stream.dropped


def same(a: Samples, b: Samples) -> bool:
    return a.shape == b.shape and np.array_equal(a.view(np.int32), b.view(np.int32))


FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(pipelines(), st.integers(0, 2**32 - 1))
def test_two_hundred_pipelines_in_c_are_python_bit_for_bit(pipeline: Pipeline, seed: int) -> None:
    what = events(pipeline, seed)
    wanted, dropped = streamed(pipeline, what)
    assert np.isfinite(wanted).all()
    machine = HostPipeline(pipeline, compiler=COMPILER, optimise="-O1")
    assert same(machine.run(what), wanted)
    assert machine.dropped == dropped
    assert Pipeline.from_json(pipeline.to_json()) == pipeline
    assert str(pipeline)


@FEW
@given(pipelines(), st.integers(0, 2**32 - 1))
def test_pipelines_give_the_same_sample_by_sample(pipeline: Pipeline, seed: int) -> None:
    what = events(pipeline, seed)
    whole, dropped = streamed(pipeline, what)
    single, again = streamed(pipeline, what, one_by_one=True)
    assert same(whole, single)
    assert dropped == again


@FEW
@given(pipelines(), st.integers(0, 2**32 - 1))
def test_pipelines_on_an_emulated_cortex_m4_are_python_bit_for_bit(pipeline: Pipeline, seed: int) -> None:
    assume(pipeline.describe().state_bytes < 100_000)
    what = events(pipeline, seed)[: 8 * len(pipeline.branches)]
    wanted, dropped = streamed(pipeline, what)
    machine = CorePipeline(pipeline)
    assert same(machine.run(what), wanted)
    assert machine.dropped == dropped


@pytest.mark.parametrize("seed", range(4))
def test_batch_is_the_stream(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pipeline = Pipeline(
        (Branch("a", "g", 64.0, 2, (Resample(25.0),)), Branch("b", "g", 32.0, 1, (Resample(25.0),))), Window(2.0, 0.4)
    )
    signals = {"a": signal(pipeline.branches[0], rng), "b": signal(pipeline.branches[1], rng)}
    windows, starts = pipeline.batch(signals)
    stream, found = pipeline.start(), []
    for second in range(SECONDS):
        for name, rate in (("b", 32), ("a", 64)):
            found += stream.push(name, signals[name][second * rate : (second + 1) * rate])
    assert [start for start, _ in found] == list(starts)
    assert same(np.stack([window for _, window in found]).reshape(len(starts), -1), windows.reshape(len(starts), -1))
