"""A run refuses in words what does not fit it, and its counters stay within what C holds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulselet.errors import PipelineError
from pulselet.signal import align
from pulselet.signal.ecg_beats import Beats
from pulselet.signal.pipeline import Branch, LowPass, Pipeline, Window

PIPELINE = Pipeline((Branch("acc", "g", 50.0, 3),), Window(1.0, 1.0))


@pytest.mark.parametrize("lost", [1.5, 2.0, True, "3", None, np.float64(2), np.nan, np.array([1, 2])])
def test_a_gap_that_is_no_whole_number_is_refused(lost: object) -> None:
    with pytest.raises(PipelineError, match="a gap wants a whole number"):
        PIPELINE.start().gap("acc", lost)  # type: ignore[arg-type]


def test_a_gap_may_be_an_integer_of_numpy() -> None:
    stream = PIPELINE.start()
    stream.gap("acc", np.int64(75))  # type: ignore[arg-type]
    assert stream.dropped == 2  # the windows that begin at 0 and at 50


@pytest.mark.parametrize("name", [["acc"], None, 3, "ecg"])
def test_a_branch_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(PipelineError, match="unknown branch"):
        PIPELINE.start().gap(name, 1)


@pytest.mark.parametrize("values", [None, [[1.0, 2.0, 3.0]], np.zeros((4, 2), np.float32), np.zeros((4, 3))])
def test_samples_to_clean_are_checked_like_those_to_push(values: object) -> None:
    for method in (PIPELINE.start().clean, PIPELINE.start().push):
        with pytest.raises(PipelineError, match=r"branch 'acc' wants .*float32"):
            method("acc", values)  # type: ignore[operator]


@pytest.mark.parametrize(("key", "value"), [("rate_hz", True), ("rate_hz", "50"), ("channels", True), ("unit", None)])
def test_json_of_wrong_types_is_refused(key: str, value: object) -> None:
    data = json.loads(PIPELINE.to_json())
    data["branches"][0][key] = value
    with pytest.raises(PipelineError, match=r"branch 'acc'.* wants"):
        Pipeline.from_json(json.dumps(data))


def test_windows_and_filters_of_events_or_windows_are_refused() -> None:
    ecg = Branch("ecg", "mV", 250.0, 1)
    for first in (Beats(0.2, 0.3), Window(1.0, 0.5)):
        for then in (Window(2.0, 1.0), LowPass(0.5)):
            with pytest.raises(PipelineError, match="samples at an even rate"):
                Pipeline((ecg,), (first, then))


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    branches=st.integers(2, 4),
    ahead=st.sampled_from([1, 3, 7]),
    share_lost=st.sampled_from([0.05, 0.5, 0.9]),
)
def test_positions_in_the_ring_stay_within_twice_the_longest_gap(
    seed: int, branches: int, ahead: int, share_lost: float
) -> None:
    """Whoever stops, whatever is lost: so C's 32 bits hold them. A row is given up only if it was declared lost, and
    what declares it is refused once it is a longest gap ahead (here 50 samples, not 2**29)."""
    rng = np.random.default_rng(seed)
    weights = rng.choice([0.0, 0.05, 1.0, 5.0], branches) + 1e-9
    aligner, row = align.Aligner((1,) * branches, ahead), np.zeros((1, 1), np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(align, "LONGEST_GAP", 50)
        for branch in rng.choice(branches, 400, p=weights / weights.sum()).tolist():
            before = [*aligner._position]
            try:
                if rng.random() < share_lost:
                    aligner.check(branch)
                    aligner.gap(branch, int(rng.choice([1, 1, 1, 50])))
                else:
                    aligner.push(branch, row)
            except PipelineError:
                assert aligner._position == before
            assert -100 - ahead <= min(aligner._position) <= 0
            assert max(aligner._position) <= 100 + ahead
