"""Branches meet in C as they do in Python: any turns, any gaps, the same rows, losses and refusals."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulselet.errors import ExportError, PipelineError
from pulselet.signal.averages import MovingAverage
from pulselet.signal.pipeline import Branch, LowPass, Pipeline, Window
from pulselet.signal.resampling import Resample
from pulselet.signal.run import Event
from pulselet_firmware.bundle import FORMAT, Bundle
from pulselet_firmware.pipelines import CorePipeline, HostPipeline, footprint

PIPELINE = Pipeline(
    (
        Branch("a", "g", 20.0, 1, (Resample(10.0),)),
        Branch("b", "g", 10.0, 2),
        Branch("c", "g", 5.0, 1, (Resample(10.0),)),
    ),
    (MovingAverage(0.3), Window(1.0, 0.3)),
    ahead_s=1.2,
)


@cache
def host() -> HostPipeline:
    return HostPipeline(PIPELINE)


turns = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abc"), st.integers(1, 12)),
        st.tuples(st.sampled_from("abc"), st.sampled_from([-1, -2, -7, -40, -(2**29)])),
    ),
    max_size=60,
)


def outcome(events: list[Event], machine: HostPipeline | CorePipeline | None) -> tuple[object, int]:
    """Return the rows and losses, or None for the rows if a branch ran too far ahead."""
    if machine is not None:
        try:
            return machine.run(events).tobytes(), machine.dropped
        except PipelineError:
            return None, 0
    stream, rows = PIPELINE.start(), []
    try:
        for name, what in events:
            if isinstance(what, int):
                stream.gap(name, what)
            else:
                rows.append(stream.advance(name, what)[0].tobytes())
    except PipelineError:
        return None, 0
    return b"".join(rows), stream.dropped % 2**32


@settings(max_examples=300, deadline=None)
@given(turns, st.integers(0, 2**32 - 1))
def test_any_turns_and_gaps_give_the_same_rows(turns: list[tuple[str, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    channels = {branch.name: branch.channels for branch in PIPELINE.branches}
    events: list[Event] = []
    for name, count in turns:
        values = rng.standard_normal((max(0, count), channels[name])).astype(np.float32)
        values[rng.random(len(values)) < 0.05] = np.nan
        events.append((name, values) if count > 0 else (name, -count))
    in_python, in_c = outcome(events, None), outcome(events, host())
    if in_c[0] is not None:  # C refuses before it has folded a sample, and so perhaps a sample earlier
        assert in_c == in_python


def test_one_stage_may_be_used_again_in_a_row_and_together() -> None:
    """Each use has its own state: twice in a row is once after the other."""
    smooth = LowPass(5.0)
    x = np.random.default_rng(0).standard_normal((400, 1)).astype(np.float32)
    twice = Pipeline((Branch("a", "g", 50.0, 1, (smooth, smooth)), Branch("b", "g", 50.0, 1)), (smooth,))
    once = Pipeline((Branch("a", "g", 50.0, 1, (smooth,)),))
    wanted = x
    for _ in range(3):
        wanted = once.batch({"a": wanted})[0]
    events: list[Event] = [(name, x[at : at + 20]) for at in range(0, 400, 20) for name in "ab"]
    rows, _ = twice.batch({"a": x, "b": x})
    assert np.array_equal(rows[:, :1], wanted)
    assert np.array_equal(HostPipeline(twice).run(events), rows)


def test_a_footprint_holds_code_and_tables_and_every_word_of_state() -> None:
    flash, ram = footprint(PIPELINE)
    small, less = footprint(Pipeline((Branch("a", "g", 20.0, 1, (LowPass(5.0),)),)))
    assert 1000 < flash < 8000
    assert 100 < small < flash
    assert ram >= PIPELINE.describe().state_bytes > less


def test_a_pipeline_too_wide_for_the_driver_is_refused() -> None:
    with pytest.raises(ExportError, match="too many"):
        HostPipeline(Pipeline((Branch("a", "g", 100.0, 200),), Window(1.0, 1.0)))


def test_a_bundle_with_a_stage_that_is_gone_says_to_export_again(tmp_path: Path) -> None:
    branch = {"name": "x", "unit": "g", "rate_hz": 50.0, "channels": 1, "stages": [{"stage": "Gone"}]}
    pipeline = {"branches": [branch], "stages": [], "ahead_s": 1.0}
    manifest = {"format": FORMAT, "files": {}, "name": "old", "pipeline": pipeline}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ExportError, match=r"unknown stage 'Gone'.*export again"):
        Bundle.load(tmp_path)
