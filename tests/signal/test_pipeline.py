"""The pipeline's own promises: chunking, causality, gaps, windows, and refusals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, freqz_sos

from pulselet.errors import PipelineError
from pulselet.signal.pipeline import Branch, HighPass, LowPass, Pipeline, Scale, Window
from pulselet.signal.stage import Format, Samples, Stage


def noise(n: int, channels: int = 3, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).standard_normal((n, channels)).astype(np.float32)


def two_branches() -> Pipeline:
    return Pipeline(
        (Branch("acc", "g", 50.0, 3, (LowPass(10.0),)), Branch("gyro", "rad/s", 50.0, 3, (Scale((0.25,)),))),
        Window(length_s=0.64, hop_s=0.16),
    )


def test_a_constant_passes_a_low_pass_from_its_first_sample() -> None:
    x = np.full((50, 1), 0.98, np.float32)
    kernel = LowPass(5.0, order=4).design(Format(50.0, 1))
    assert np.allclose(kernel.step(kernel.start(), x)[0], 0.98, atol=1e-5)


def test_low_pass_is_3_db_down_at_its_cut_off() -> None:
    kernel = LowPass(10.0).design(Format(50.0, 1))
    _, response = freqz_sos(kernel.sos.astype(float), worN=[10.0], fs=50.0)
    assert 20 * np.log10(abs(response[0])) == pytest.approx(-3.0103, abs=1e-3)


def test_windows_hold_the_samples_of_their_grid() -> None:
    pipeline = Pipeline((Branch("x", "mV", 10.0, 1),), Window(1.0, 0.5))
    x = np.arange(25, dtype=np.float32)[:, None]
    windows, starts = pipeline.batch({"x": x})
    assert list(starts) == [0, 5, 10, 15]
    assert [list(w[:, 0]) for w in windows] == [list(range(s, s + 10)) for s in starts]


def test_stream_equals_batch_for_uneven_packets() -> None:
    pipeline, acc, gyro = two_branches(), noise(300), noise(300, seed=1)
    batch, starts = pipeline.batch({"acc": acc, "gyro": gyro})
    stream, found = pipeline.start(), []
    for at in range(0, 300, 20):
        found += stream.push("gyro", gyro[at : at + 20])
        for small in range(at, at + 20, 7):
            found += stream.push("acc", acc[small : min(small + 7, at + 20)])
    assert [s for s, _ in found] == list(starts)
    assert np.array_equal(np.stack([w for _, w in found]), batch)


@given(before=st.integers(0, 80), lost=st.integers(1, 200))
def test_no_window_touches_a_gap_and_each_dropped_one_is_counted(before: int, lost: int) -> None:
    pipeline = Pipeline((Branch("x", "mV", 10.0, 1),), Window(1.0, 0.3))
    stream = pipeline.start()
    x = np.arange(400, dtype=np.float32)[:, None]
    found = stream.push("x", x[:before])
    stream.gap("x", lost)
    found += stream.push("x", x[before + lost :])
    starts = [s for s, _ in found]
    clean = [s for s in range(0, 391, 3) if s + 10 <= before or s >= before + lost]
    assert starts == clean
    assert all(np.array_equal(w[:, 0], np.arange(s, s + 10)) for s, w in found)
    assert stream.dropped + len(starts) == 131


turns = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), max_size=60)
holes = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 119), st.integers(1, 15)), max_size=4)


@given(turns, holes)
def test_windows_do_not_depend_on_the_order_of_the_branches(
    turns: list[tuple[int, int]], holes: list[tuple[int, int, int]]
) -> None:
    """The truth: a window is there if all of its rows are, whoever came first, at most `ahead` (12 samples) ahead."""
    pipeline = Pipeline((Branch("a", "g", 10.0, 1), Branch("b", "g", 10.0, 1)), Window(1.0, 0.3), ahead_s=1.2)
    signals = [np.arange(120, dtype=np.float32)[:, None].copy() for _ in "ab"]
    for branch, at, count in holes:
        signals[branch][at : at + count] = np.nan
    stream, found, position = pipeline.start(), [], [0, 0]
    for branch, count in [*turns, *([(0, 9), (1, 9)] * 30)]:
        until = min(120, position[branch] + count, position[1 - branch] + 12)
        found += stream.push("ab"[branch], signals[branch][position[branch] : until])
        position[branch] = until
    whole = np.isfinite(np.concatenate(signals, axis=1)).all(axis=1)
    wanted = [start for start in range(0, 111, 3) if whole[start : start + 10].all()]
    assert [start for start, _ in found] == wanted
    assert all((window[:, 0] == np.arange(start, start + 10)).all() for start, window in found)
    touched = [start for start in range(0, 120, 3) if not whole[start : start + 10].all()]
    assert stream.dropped == len(touched)  # also those that the end cuts short


def test_two_streams_that_lose_the_same_stretch_go_on_after_it() -> None:
    """The radio was away for longer than the ring holds: one branch's gap and samples come before the other's gap."""
    stream, found = two_branches().start(), []
    acc, gyro = noise(2000), noise(2000, seed=1)
    for name, values in (("acc", acc), ("gyro", gyro)):
        found += stream.push(name, values[:40])
    for name, values in (("acc", acc), ("gyro", gyro)):
        stream.gap(name, 1000)
        for at in range(1040, 1080, 20):
            found += stream.push(name, values[at : at + 20])
    assert [start for start, _ in found] == [0, 8, 1040, 1048]


def test_a_branch_that_runs_away_is_refused_also_after_a_gap() -> None:
    pipeline = Pipeline((Branch("a", "g", 10.0, 1), Branch("b", "g", 10.0, 1)), Window(2.0, 0.1), ahead_s=3.0)
    stream, values = pipeline.start(), noise(90, 1)
    values[5] = np.nan
    with pytest.raises(PipelineError, match="push the others first"):
        stream.push("a", values)


@pytest.mark.parametrize("lost", [0, -1, 2**29 + 1])
def test_a_gap_that_makes_no_sense_is_refused_and_changes_nothing(lost: int) -> None:
    stream, acc = two_branches().start(), noise(40)
    stream.push("acc", acc[:20])
    with pytest.raises(PipelineError, match="gap"):
        stream.gap("acc", lost)
    kernel = LowPass(10.0).design(Format(50.0, 3))
    assert np.array_equal(stream.clean("acc", acc[20:]), kernel.step(kernel.start(), acc)[0][20:])


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: Branch("a", "g", float("nan"), 1), "rate above 0"),
        (lambda: Branch("a", "g", 50.0, 0), "1 to 255 channels"),
        (lambda: Pipeline((Branch("a", "g", 50.0, 1),), Window(float("nan"), 1.0)), "length_s to be a finite number"),
        (lambda: Pipeline(tuple(Branch(n, "g", 50.0, 1) for n in "abcdefghi"), Window(1.0, 1.0)), "at most 8 branches"),
        (lambda: Pipeline((), Window(1.0, 1.0)), "one or more branches"),
    ],
)
def test_a_pipeline_that_cannot_be_is_refused(build: Callable[[], object], complaint: str) -> None:
    with pytest.raises(PipelineError, match=complaint):
        build()


def test_one_gain_may_be_a_plain_number() -> None:
    assert Scale(2.0) == Scale((2.0,))


def test_a_nan_is_a_lost_sample() -> None:
    pipeline, acc, gyro = two_branches(), noise(200), noise(200, seed=1)
    acc[100, 1] = np.nan
    windows, starts = pipeline.batch({"acc": acc, "gyro": gyro})
    assert np.isfinite(windows).all()
    assert not any(s <= 100 < s + 32 for s in starts)


def test_a_branch_that_runs_away_is_refused() -> None:
    with pytest.raises(PipelineError, match="ahead"):
        two_branches().start().push("acc", noise(1000))


def test_json_round_trip_keeps_pipeline_and_hash() -> None:
    pipeline = two_branches()
    again = Pipeline.from_json(pipeline.to_json())
    assert again == pipeline
    assert again.hash == pipeline.hash


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"branches": [{"stages": [{"stage": "Nope"}]}], "window": {}}'])
def test_json_that_is_no_pipeline_is_refused(text: str) -> None:
    with pytest.raises(PipelineError):
        Pipeline.from_json(text)


def test_a_filter_too_low_for_float32_is_refused() -> None:
    with pytest.raises(PipelineError, match="decimate first"):
        HighPass(0.05).design(Format(5000.0, 1))


@pytest.mark.parametrize(
    ("stage", "words"),
    [(LowPass(30.0), "half the rate"), (LowPass(5.0, order=0), "order"), (Scale((1.0, 2.0)), "1 or 3 gains")],
)
def test_parameters_that_do_not_fit_are_refused(stage: Stage, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        stage.design(Format(50.0, 3))


def test_wrong_channels_unit_or_name_say_what_was_wanted() -> None:
    stream = two_branches().start()
    with pytest.raises(PipelineError, match=r"float32 \(n, 3\) in g"):
        stream.push("acc", noise(5, 2))
    with pytest.raises(PipelineError, match="unknown branch"):
        stream.push("ecg", noise(5))


def test_sections_are_scipys_butterworth() -> None:
    expected = butter(2, 10.0, fs=50.0, output="sos")
    assert np.allclose(LowPass(10.0).design(Format(50.0, 1)).sos, expected, rtol=1e-6)


def test_every_stage_can_be_had_from_the_room_and_read_from_json() -> None:
    """`STAGES` is the one table: what is not in it could be written to JSON and not be read back."""
    import pulselet.signal as room

    room.load_stages()
    here = {name: stage for name, stage in Stage.registry.items() if stage.__module__.startswith("pulselet.signal.")}
    assert {name for names in room.STAGES.values() for name in names} == set(here)
    assert all(getattr(room, name) is stage for name, stage in here.items())


def test_a_description_adds_up() -> None:
    """Counted by hand: a second-order section is nine operations, the ring one word for each branch and row more."""
    pipeline = Pipeline(
        (Branch("acc", "g", 50.0, 3, (LowPass(10.0),)), Branch("gyro", "rad/s", 50.0, 3)), Window(4.0, 1.0), ahead_s=0.5
    )
    whole = pipeline.describe()
    assert [stage.where for stage in whole.stages] == ["acc", "together"]
    assert whole.stages[0].operations_per_s == 9 * 3 * 50
    assert whole.state_bytes == 4 * ((1 + 2 * 3) + (2 + 200 * 6) + (1 + 2 + pipeline.ahead * 7))
    assert 25 < pipeline.ahead <= 25 + 1 + 2  # half a second, a row for a sample, the filter's 19 ms twice
    assert whole.stages[1].output == Format(
        1.0, 6, "", ("acc_0", "acc_1", "acc_2", "gyro_0", "gyro_1", "gyro_2"), 200, 50.0
    )
    assert "3980 ms" in str(pipeline)
    assert len(whole.draw().axes[0].texts) > 4


def test_branches_that_do_not_meet_are_told_to_resample() -> None:
    with pytest.raises(PipelineError, match=r"one rate .* resample"):
        Pipeline((Branch("ppg", "a.u.", 64.0, 1), Branch("acc", "g", 32.0, 3)))
    with pytest.raises(PipelineError, match="branch 'acc': LowPass: wanted a cut-off between 0 and 25 Hz"):
        Pipeline((Branch("acc", "g", 50.0, 3, (LowPass(30.0),)),), Window(1.0, 1.0))


def test_a_pipeline_without_stages_gives_its_aligned_rows() -> None:
    pipeline = Pipeline((Branch("a", "g", 10.0, 1), Branch("b", "g", 10.0, 2)), ahead_s=2.0)
    a, b = noise(15, 1), noise(12, 2)
    rows, starts = pipeline.batch({"a": a, "b": b})
    assert np.array_equal(rows, np.hstack([a[:12], b]))
    assert list(starts) == list(range(12))


@pytest.mark.parametrize("stages", [HighPass(0.5), [HighPass(0.5)], (HighPass(0.5),)])
def test_stages_of_a_branch_may_be_one_a_list_or_a_tuple(stages: object) -> None:
    pipeline = Pipeline([Branch("acc", "g", 50.0, 3, stages)], [Window(1.0, 1.0)])  # type: ignore[arg-type]
    assert Pipeline.from_json(pipeline.to_json()) == pipeline
    assert isinstance(hash(pipeline), int)
    assert "HighPass" in str(pipeline)


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": 1.5},
        {"channels": "3"},
        {"channels": True},
        {"rate_hz": None},
        {"rate_hz": "50"},
        {"name": 3},
        {"unit": None},
        {"stages": (3,)},
        {"stages": (HighPass,)},
    ],
)
def test_a_branch_of_wrong_types_is_refused_when_built(changes: dict[str, object]) -> None:
    good: dict[str, object] = {"name": "acc", "unit": "g", "rate_hz": 50.0, "channels": 3}
    with pytest.raises(PipelineError, match=r"branch .* wants"):
        Branch(**{**good, **changes})  # type: ignore[arg-type]


def test_a_pipeline_of_wrong_types_is_refused_when_built() -> None:
    branch = Branch("acc", "g", 50.0, 3)
    with pytest.raises(PipelineError, match="ahead_s wants a number"):
        Pipeline((branch,), ahead_s="x")  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match="tuple of branches"):
        Pipeline((3,))  # type: ignore[arg-type]


def test_a_list_of_samples_is_refused_with_what_is_wanted() -> None:
    pipeline = Pipeline((Branch("acc", "g", 50.0, 1),))
    with pytest.raises(PipelineError, match="float32 array"):
        pipeline.start().push("acc", [[1.0]])  # type: ignore[arg-type]
