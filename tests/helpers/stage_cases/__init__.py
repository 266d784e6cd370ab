"""One file for each family of stages, with `CASES`: one line puts a stage through the whole battery."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pulselet.signal.stage import Format, Kernel, Samples, Stage

Signal = Callable[[Format, int, int], Samples]
"""From the format, a number of rows and a seed, rows that wake the stage."""


def noise(source: Format, rows: int, seed: int) -> Samples:
    """Return white noise with a slow walk and jumps."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, source.width)) + np.cumsum(rng.normal(0, 0.1, (rows, source.width)), axis=0)
    x += 5 * (rng.random((rows, source.width)) < 0.01)
    return x.astype(np.float32)


@dataclass(frozen=True)
class Case:
    """A stage, what comes into it, and how to wake it.

    Attributes
    ----------
    rows
        Rows that the battery pushes: enough that the stage gives something.
    probe_hz
        A frequency in the pass band at which the declared latency is measured; None for what is not a linear filter.
    """

    stage: Stage
    source: Format
    signal: Signal = noise
    rows: int = 400
    probe_hz: float | None = None

    @property
    def kernel(self) -> Kernel:
        return self.stage.design(self.source)

    def __repr__(self) -> str:
        return f"{self.stage!r} on {self.source}"


def all_cases() -> list[Case]:
    """Return the cases of every file in this folder."""
    found: list[Case] = []
    for module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        found += importlib.import_module(f"{__name__}.{module}").CASES
    return found
