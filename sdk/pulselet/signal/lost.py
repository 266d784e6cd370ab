"""Which samples count as lost."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.stage import Samples

LIMIT = np.float32(1e12)
"""A sample that is not below this in magnitude, NaN and infinities included, counts as lost."""


def stretches(values: Samples) -> Iterator[tuple[bool, Samples]]:
    """Yield the stretches of usable and of lost samples of `(n, channels)` in turn, and whether they are usable."""
    if not len(values):
        return
    if values.min() > -LIMIT and values.max() < LIMIT:  # false if there is a NaN
        yield True, values
        return
    with np.errstate(invalid="ignore"):
        usable: NDArray[np.bool_] = np.all(np.abs(values) < LIMIT, axis=1)
    edges = np.flatnonzero(np.diff(usable)) + 1
    for run, first in zip(np.split(values, edges), [0, *edges], strict=True):
        yield bool(usable[first]), run
