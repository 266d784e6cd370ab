"""What the functions on whole arrays share: numbers in, gaps kept in their places, stages folded over them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PipelineError
from pulselet.signal.chain import Chain
from pulselet.signal.lost import stretches
from pulselet.signal.stage import Kernel, Samples

BLOCK = 2**16
"""Samples that are worked on at once, so that they stay in a processor's cache."""

Numbers: TypeAlias = NDArray[Any]


def numbers(function: str, wanted: str, values: ArrayLike, *, dimensions: tuple[int, ...] = (1,)) -> Numbers:
    """Return `values` as an array of numbers, in one of so many dimensions; they are not copied if they are one.

    Raises
    ------
    PipelineError
        Saying what `function` wanted and got.
    """
    try:
        given = np.asarray(values)
    except ValueError as error:  # a list of lists of different lengths
        raise PipelineError(f"{function}: wanted {wanted}, got rows of different lengths") from error
    if given.dtype.kind not in "iuf" or given.ndim not in dimensions:
        raise PipelineError(f"{function}: wanted {wanted}, got {given.dtype} {given.shape}")
    return given


def rate(function: str, rate_hz: float) -> float:
    """Return the rate as a number above 0; PipelineError if it is none."""
    number = isinstance(rate_hz, (int, float, np.integer, np.floating)) and not isinstance(rate_hz, bool)
    if not (number and math.isfinite(rate_hz) and rate_hz > 0):
        raise PipelineError(f"{function}: wanted a rate above 0 Hz, got {rate_hz!r}")
    return float(rate_hz)


def runs(x: Numbers) -> Iterator[Samples | int]:
    """Yield runs of usable samples of `(n, channels)` as float32, and the lengths of the gaps between them.

    No run is longer than a block, so that an array larger than memory can be read through it.
    """
    lost = 0
    for at in range(0, len(x), BLOCK):
        with np.errstate(invalid="ignore", over="ignore"):
            block = x[at : at + BLOCK].astype(np.float32, copy=False)
        for usable, run in stretches(block):
            if not usable:
                lost += len(run)
                continue
            if lost:
                yield lost
            lost = 0
            yield run
    if lost:
        yield lost


def fold(kernels: list[Kernel], x: Numbers) -> tuple[Samples, NDArray[np.int64]]:
    """Return the rows that kernels make of samples `(n, channels)` from their start, and their numbers.

    Numbers count the rows that were lost in gaps, so they tell the time of each row.
    """
    chain, at = Chain(kernels), 0
    parts, places = [np.empty((0, kernels[-1].output.width), np.float32)], [np.empty(0, np.int64)]
    for run in runs(x):
        if isinstance(run, int):
            at += chain.gap(run)
            continue
        parts.append(chain.step(run))
        places.append(np.arange(at, at + len(parts[-1])))
        at += len(parts[-1])
    return np.concatenate(parts), np.concatenate(places)
