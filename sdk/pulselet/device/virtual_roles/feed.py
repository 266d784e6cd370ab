"""Where a virtual sensor gets its samples from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Feed = Callable[[int, int], NDArray[np.int32]]
"""Returns the samples `(n, channels)` from one index up to, but without, another; fewer where there are no more."""


def of_array(values: NDArray[np.integer], *, again: bool = False) -> Feed:
    """Return a feed of samples `(n, channels)`; with `again` they begin anew after the last."""
    whole = np.asarray(values, np.int32)
    whole = whole.reshape(len(whole), -1)

    def feed(first: int, end: int) -> NDArray[np.int32]:
        return whole[np.arange(first, end) % len(whole)] if again else whole[first:end]

    return feed
