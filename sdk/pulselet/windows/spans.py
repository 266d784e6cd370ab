"""Intervals of time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def union(spans: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the union of intervals `(n, 2)`, one or more, as intervals in order that do not touch.

    >>> union(np.array([[5.0, 6.0], [0.0, 2.0], [1.0, 3.0]])).tolist()
    [[0.0, 3.0], [5.0, 6.0]]
    """
    ordered = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ordered[:, 1])
    new = np.flatnonzero(np.concatenate([[True], ordered[1:, 0] > reach[:-1]]))
    last = np.concatenate([new[1:], [len(ordered)]]) - 1
    return np.stack([ordered[new, 0], reach[last]], axis=1)
