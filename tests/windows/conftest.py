"""Recordings and windows that the tests of this room make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from pulselet.stream.block import Signal
from pulselet.stream.corpus import Labels, Recording, Run
from pulselet.windows import Windows

RATE_HZ = 10.0


def ramp(count: int, first: int = 0) -> np.ndarray:
    """Return samples whose value is their index, `(count, 1)`."""
    return np.arange(first, first + count, dtype=np.float32)[:, None]


@pytest.fixture
def make() -> Callable[..., Recording]:
    """Return a maker of recordings with a signal "s" at 10 Hz; by default a ramp of 100 samples."""

    def recording(
        name: str = "a",
        runs: Sequence[tuple[int, np.ndarray]] = ((0, ramp(100)),),
        labels: Sequence[Labels] = (),
        *,
        subject: str = "",
        **more: Any,
    ) -> Recording:
        channels = tuple(f"c{i}" for i in range(runs[0][1].shape[1]))
        given: dict[str, Any] = {
            "signals": {"s": Signal("s", "g", RATE_HZ, channels)},
            "read": lambda _: [Run(first, values) for first, values in runs],
            "labels": {one.kind: one for one in labels},
        }
        return Recording("made", name, subject or name, **{**given, **more})

    return recording


@pytest.fixture
def people() -> Callable[..., Windows]:
    """Return a maker of windows: `each` of every person, three classes in turn, random walks that never repeat."""

    def windows(who: Sequence[Any], each: int = 12, *, seed: int = 0, length: int = 128) -> Windows:
        rng = np.random.default_rng(seed)
        n = len(who) * each
        x = rng.normal(size=(n, length, 3)).cumsum(axis=1).astype(np.float32)
        start = np.tile(np.arange(each) * 2.0, len(who))
        return Windows(
            x,
            np.arange(n) % 3,
            np.repeat(np.array(who), each),
            ("rest", "walk", "run"),
            np.repeat(np.array([f"made/rec{one}" for one in who]), each),
            start,
            start + 2.0,
            files={f"made/rec{one}": f"content of {one} {seed}" for one in who},
        )

    return windows
