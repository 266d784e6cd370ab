"""Steps against simulated walks, whose steps are known; real recordings only for what walking looks like."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.signal.stage import Format, Samples
from pulselet.signal.steps import Steps
from pulselet.simulate import acceleration

DATA = os.environ.get("PULSELET_DATA")


def run(x: Samples, rate_hz: float = 50.0) -> Samples:
    kernel = Steps().design(Format(rate_hz, 3, "g"))
    return kernel.step(kernel.start(), x)[0]


def walk(seconds: float, *, rate_hz: float = 50.0, step_hz: float = 1.8, seed: int = 0) -> tuple[Samples, Samples]:
    motion = acceleration(seconds, rate_hz=rate_hz, seed=seed, activity="walking", step_hz=step_hz)
    return motion.values_g.astype(np.float32), motion.step_times_s.astype(np.float32)


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 100.0])
@pytest.mark.parametrize("step_hz", [1.2, 1.8, 2.6, 3.0])
def test_simulated_steps_are_all_counted(rate_hz: float, step_hz: float) -> None:
    x, true_s = walk(120, rate_hz=rate_hz, step_hz=step_hz)
    found = run(x, rate_hz)
    assert abs(len(found) - len(true_s)) <= 3
    assert 60 / np.mean(found[1:, 1]) == pytest.approx(60 * step_hz, rel=0.02)


def test_steps_are_where_the_simulated_ones_are() -> None:
    x, true_s = walk(60)
    at_s = np.cumsum(run(x)[:, 0]) / 50
    late = at_s - true_s[np.abs(at_s[:, None] - true_s).argmin(axis=1)]
    assert 0 <= np.median(late) < 0.144  # no later than the group delay of the band-pass
    assert np.abs(late - np.median(late)).max() < 0.1


@pytest.mark.parametrize("activity", ["rest", "turning"])
def test_rest_and_turning_over_are_no_steps(activity: str) -> None:
    x = acceleration(300, rate_hz=50.0, seed=0, activity=activity).values_g.astype(np.float32)  # type: ignore[arg-type]
    assert len(run(x)) == 0


def test_three_steps_are_no_walk_and_four_are() -> None:
    t = np.arange(0, 12, 0.02)
    for steps, wanted in ((3, 0), (4, 4), (9, 9)):
        x = np.zeros((len(t), 3), np.float32)
        x[:, 2] = 1
        for i in range(steps):
            x[:, 2] += 0.6 * np.exp(-(((t - 2 - 0.55 * i) / 0.1) ** 2)).astype(np.float32)
        found = run(x)
        assert len(found) == wanted
        if wanted:
            assert found[0, 1] == 0.0
            assert found[1:, 1] == pytest.approx(np.full(steps - 1, 0.55), abs=0.041)


def test_a_gap_ends_the_walk_and_the_count_of_samples_goes_on() -> None:
    x, _ = walk(60)
    kernel = Steps().design(Format(50.0, 3, "g"))
    first, state = kernel.step(kernel.start(), x[:1500])
    lost, state = kernel.gap(state, 500)
    second, _ = kernel.step(state, x[2000:])
    whole = np.cumsum(run(x)[:, 0])
    places = np.cumsum(np.concatenate([first, second])[:, 0])
    assert lost == 0
    assert second[0, 1] == 0.0
    after = whole[whole > 2100]
    assert np.abs(places[-len(after) :] - after).max() <= 1


def test_since_stops_where_float32_stops_counting_whatever_the_chunks() -> None:
    x, _ = walk(6)
    kernel = Steps().design(Format(50.0, 3, "g"))
    _, state = kernel.gap(kernel.start(), 2**29)
    whole, _ = kernel.step(state, x)
    rows = []
    for row in x:
        y, state = kernel.step(state, row[None])
        rows.append(y)
    assert whole[0, 0] == 2**24
    assert np.array_equal(np.concatenate(rows), whole)


@pytest.mark.parametrize("rate_hz", [10.0, 500.0])
def test_a_rate_that_does_not_fit_is_refused(rate_hz: float) -> None:
    with pytest.raises(PipelineError, match="wanted a rate"):
        Steps().design(Format(rate_hz, 3, "g"))


@pytest.mark.skipif(DATA is None, reason="PULSELET_DATA names no recordings")
def test_people_who_walk_make_90_to_140_steps_a_minute_and_those_who_do_not_none() -> None:
    """HAPT, four people, sensor at the waist; nobody counted their steps, so this is no accuracy."""
    folder = Path(DATA or "") / "hapt" / "RawData"
    labels = np.loadtxt(folder / "labels.txt", dtype=int)
    walking, still, steps, others = 0, 0, 0, 0
    for experiment in (1, 11, 21, 31):
        file = next(folder.glob(f"acc_exp{experiment:02}_*"))
        with gzip.open(file, "rt") as text:
            at = np.cumsum(run(np.loadtxt(text).astype(np.float32))[:, 0])
        for _, _, activity, begin, end in labels[labels[:, 0] == experiment]:
            within = int(np.count_nonzero((at >= begin) & (at <= end)))
            if activity == 1:
                walking, steps = walking + end - begin, steps + within
            elif activity in (4, 5, 6):
                still, others = still + end - begin, others + within
    assert 90 < steps / (walking / 3000) < 140
    assert others / (still / 3000) < 3
