"""Endless signals: the same values whatever the block, in memory that does not grow."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet import simulate
from pulselet.errors import PulseletError

RATE_HZ, SECONDS = 130.0, 40.0
SAMPLES = round(RATE_HZ * SECONDS)
OPTIONS: dict[str, dict[str, Any]] = {
    "acceleration": {"activity": "walking"},
    "baseline_wander": {},
    "ecg": {"heart_rate_bpm": 80.0},
    "mains_hum": {"mains_hz": 50.0},
    "motion_bursts": {"bursts_per_min": 10.0},
    "ppg": {"transit_s": 0.3},
    "respiration": {},
    "white_noise": {},
}
WHOLE: dict[str, Callable[..., NDArray[np.float64]]] = {
    "acceleration": lambda *a, **k: simulate.acceleration(*a, **k).values_g,
    "baseline_wander": simulate.baseline_wander,
    "ecg": lambda *a, **k: simulate.ecg(*a, **k).values_mv,
    "mains_hum": simulate.mains_hum,
    "motion_bursts": simulate.motion_bursts,
    "ppg": lambda *a, **k: simulate.ppg(*a, **k).values,
    "respiration": simulate.respiration,
    "white_noise": simulate.white_noise,
}


def played(kind: str, block_s: float, seed: int = 3) -> NDArray[np.float64]:
    blocks = simulate.stream(kind, rate_hz=RATE_HZ, seed=seed, block_s=block_s, **OPTIONS[kind])
    length = round(block_s * RATE_HZ)
    return np.concatenate(list(islice(blocks, -(-SAMPLES // length))))[:SAMPLES]


@pytest.mark.parametrize("kind", sorted(OPTIONS))
@pytest.mark.parametrize("block_s", [1 / RATE_HZ, 0.5, 30.0])
def test_a_stream_gives_the_values_of_its_function_whatever_the_block(kind: str, block_s: float) -> None:
    whole = WHOLE[kind](SECONDS, rate_hz=RATE_HZ, seed=3, **OPTIONS[kind])
    np.testing.assert_array_equal(played(kind, block_s), whole.reshape(SAMPLES, -1))


@pytest.mark.parametrize("kind", sorted(OPTIONS))
def test_a_longer_signal_begins_as_a_shorter_one(kind: str) -> None:
    short, long = (WHOLE[kind](length, rate_hz=RATE_HZ, seed=3, **OPTIONS[kind]) for length in (7.0, SECONDS))
    np.testing.assert_array_equal(long[: len(short)], short)


@pytest.mark.parametrize("kind", sorted(OPTIONS))
def test_a_seed_gives_the_same_signal_and_another_gives_another(kind: str) -> None:
    np.testing.assert_array_equal(played(kind, 1.0), played(kind, 1.0))
    assert (played(kind, 1.0) != played(kind, 1.0, seed=4)).any()


@pytest.mark.parametrize("kind", sorted(OPTIONS))
def test_a_generator_may_stand_for_a_seed(kind: str) -> None:
    found = WHOLE[kind](1.0, rate_hz=RATE_HZ, seed=np.random.default_rng(3), **OPTIONS[kind])
    if kind != "ppg":  # which asks it for children twice: for the heart and for the breath
        np.testing.assert_array_equal(found, WHOLE[kind](1.0, rate_hz=RATE_HZ, seed=3, **OPTIONS[kind]))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", ["acceleration", "ecg", "ppg"])
def test_memory_does_not_grow_over_hours(kind: str) -> None:
    blocks = simulate.stream(kind, rate_hz=RATE_HZ, seed=3, block_s=60.0, **OPTIONS[kind])
    next(blocks)
    tracemalloc.start()
    try:
        for _ in islice(blocks, 30):
            pass
        early, _ = tracemalloc.get_traced_memory()
        for _ in islice(blocks, 180):
            pass
        late, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert late - early < 50_000


@pytest.mark.parametrize(
    ("kind", "options", "complaint"),
    [
        ("eeg", {}, "one of .*'ecg'.*, got 'eeg'"),
        ("ecg", {"block_s": 0.0}, "block_s above 0"),
        ("ecg", {"block_s": 0.001}, "hold no sample"),
        ("ecg", {"rate_hz": -1.0}, "rate_hz above 0"),
        ("acceleration", {"activity": "swimming"}, "an activity is one of"),
    ],
)
def test_streams_without_sense_are_refused_before_the_first_block(
    kind: str, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(PulseletError, match=complaint):
        simulate.stream(kind, **{"rate_hz": RATE_HZ, "seed": 0, "block_s": 1.0, **options})
