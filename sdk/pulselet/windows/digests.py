"""Marks of a window's content, so that copies are found under another name, scale, offset or shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pulselet.windows.labelled import Windows

Hashes = NDArray[np.uint64]

STEPS = 256
"""Parts of its range that a value is rounded to before it is digested without scale and offset."""
SAMPLED = 64
"""Values of a window, about, that the digest without scale and offset looks at."""
DISTINCT = 8
"""A window with fewer different values among the sampled ones says too little, and is not digested; of the values that
are left without scale and offset twice as many must differ, or one large column would hide all others."""
REACH = 24
"""Samples to each side of a peak or trough that an anchor digests, in windows that are long enough."""
SHORTEST = 32
"""Samples of a window in which anchors are sought."""
ANCHORS = 4
"""Anchors kept of each window: those with the smallest digests, as in min-wise hashing (Broder 1997)."""
CHUNK_VALUES = 1 << 18
"""Values that are digested at once."""


@dataclass(frozen=True, eq=False)
class Marks:
    """Digests of `n` windows; 0 where a window says too little.

    Attributes
    ----------
    exact
        Uint64 `(n,)`, of the values as they are.
    scaled
        Uint64 `(n,)`, of the values of each channel in 256ths of its range: the same for a copy with another gain,
        sign or offset, but for values that rounding moves over an edge.
    anchors
        Uint64 `(n, ANCHORS)`, of the surroundings of peaks and troughs, scaled likewise: a copy that is shifted by
        whole samples has those that both windows hold.
    """

    exact: Hashes
    scaled: Hashes
    anchors: Hashes

    def take(self, chosen: NDArray[Any]) -> Marks:
        """Return the marks of some windows."""
        return Marks(self.exact[chosen], self.scaled[chosen], self.anchors[chosen])

    @classmethod
    def of(cls, windows: Windows) -> Marks:
        """Return the marks of windows, read in parts."""
        size = max(1, CHUNK_VALUES // max(1, int(np.prod(windows.x.shape[1:]))))
        parts = [_marks(np.asarray(windows.x[at : at + size])) for at in range(0, len(windows), size)]
        empty = np.empty(0, np.uint64)
        found = [(empty, empty, np.empty((0, ANCHORS), np.uint64)), *parts]
        return cls(*(np.concatenate(one) for one in zip(*found, strict=True)))


def _marks(x: NDArray[np.float32]) -> tuple[Hashes, Hashes, Hashes]:
    values = np.ascontiguousarray(x, np.float32).reshape(len(x), x.shape[1], -1)
    if values.shape[1] == 1:  # features, all of one moment: their order is all the shape that there is
        values = values.transpose(0, 2, 1)
    length, channels = values.shape[1:]
    places = np.unique(np.linspace(0, length - 1, min(length, -(-SAMPLED // channels))).astype(int))
    sampled = values[:, places]
    telling = _different(sampled.reshape(len(x), -1)) >= DISTINCT
    exact = _hashed(values.reshape(len(x), -1).view(np.uint32))
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    steps = _steps(sampled, low, high)
    steps = np.where(steps[:, :1] > STEPS // 2, STEPS - steps, steps)  # a copy turned upside down is a copy
    scaled = _hashed(steps.reshape(len(x), -1))
    many = telling & (_different(steps.reshape(len(x), -1)) >= min(2 * DISTINCT, steps[:1].size // 2))
    zero = np.uint64(0)
    return np.where(telling, exact, zero), np.where(many, scaled, zero), _anchors(values)


def _different(rows: NDArray[Any]) -> NDArray[np.int64]:
    """Return how many different values each row has."""
    found: NDArray[np.int64] = 1 + (np.diff(np.sort(rows, axis=1), axis=1) != 0).sum(axis=1)
    return found


def _steps(values: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.int64]:
    span = np.where(high > low, high - low, 1).astype(np.float64)
    return np.rint((values.astype(np.float64) - low) / span * STEPS).astype(np.int64)


def _hashed(rows: NDArray[Any]) -> Hashes:
    """Return a 64-bit hash of each row of integers, never 0: a sum with random odd weights, mixed by SplitMix64."""
    weights = np.random.default_rng(rows.shape[1]).integers(0, 2**63, rows.shape[1], np.uint64) * np.uint64(2)
    h: Hashes = (rows.astype(np.uint64) * (weights + np.uint64(1))).sum(axis=1, dtype=np.uint64)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    h ^= h >> np.uint64(31)
    return np.maximum(h, np.uint64(1))


def _anchors(values: NDArray[np.float32]) -> Hashes:
    """Return the smallest digests of the surroundings of each window's peaks and troughs, `(n, ANCHORS)`."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    n, length, _ = values.shape
    kept = np.zeros((n, ANCHORS), np.uint64)
    if length < SHORTEST:
        return kept
    reach = min(REACH, length // 4)
    inside = values[:, reach : length - reach]
    size = 2 * reach + 1
    peaks, troughs = (
        inside == found(values, size, axis=1)[:, reach : length - reach]
        for found in (maximum_filter1d, minimum_filter1d)
    )
    plateau = inside == values[:, reach - 1 : length - reach - 1]
    window, place, channel = np.nonzero((peaks != troughs) & ~plateau)
    around = values[window[:, None], place[:, None] + np.arange(size), channel[:, None]]
    turned = np.where(peaks[window, place, channel], 1, -1)[:, None].astype(np.float32)
    around = around * turned
    steps = _steps(around, around.min(axis=1, keepdims=True), around.max(axis=1, keepdims=True))
    alone = (around == around[:, reach : reach + 1]).sum(axis=1) == 1
    telling = alone & (_different(steps) >= reach)
    window, hashes = window[telling], _hashed(steps[telling])
    order = np.lexsort((hashes, window))
    window, hashes = window[order], hashes[order]
    again = (np.diff(window, prepend=-1) == 0) & (np.diff(hashes, prepend=np.uint64(0)) == 0)
    window, hashes = window[~again], hashes[~again]
    rank = np.arange(len(window)) - np.searchsorted(window, window)
    few = rank < ANCHORS
    kept[window[few], rank[few]] = hashes[few]
    return kept
