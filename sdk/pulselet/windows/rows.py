"""Windows that stay on disk until they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Part = Path | NDArray[np.float32]
"""A `.npy` file, or an array in memory."""


class Rows:
    """The rows of several `.npy` files as if they were one array `(n, ...)`, chosen and ordered by an index.

    Indexing reads, and gives an array; `take` does not read. A file is mapped only while its rows are copied out, so
    that neither the process's own memory nor its share of the page cache grows with the set.

    Parameters
    ----------
    parts
        Files of float32, or arrays, all with rows of one shape.
    lengths
        Rows in each.
    row
        The shape of a row.
    index
        Int64 `(n,)`: which rows of all parts together, in which order; all of them if it is not given.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self,
        parts: Sequence[Part],
        lengths: Sequence[int],
        row: tuple[int, ...],
        index: NDArray[np.int64] | None = None,
    ) -> None:
        self._parts = tuple(parts)
        self._bounds = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self._row = row
        self._index = np.arange(self._bounds[-1]) if index is None else index

    def __len__(self) -> int:
        return len(self._index)

    @property
    def shape(self) -> tuple[int, ...]:
        """Windows, then the shape of one."""
        return (len(self), *self._row)

    @property
    def ndim(self) -> int:
        """Axes."""
        return len(self.shape)

    def take(self, chosen: NDArray[np.int64]) -> Rows:
        """Return these rows, unread."""
        lengths = np.diff(self._bounds)
        return Rows(self._parts, lengths.tolist(), self._row, self._index[chosen])

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        if isinstance(key, tuple) and key[0] is Ellipsis:
            return np.asarray(self)[key]
        if isinstance(key, tuple):
            rest = key[1:] if np.ndim(self._index[key[0]]) == 0 else (slice(None), *key[1:])
            part: NDArray[np.float32] = self[key[0]][rest]
            return part
        wanted = self._index[key]
        read = self._read(np.atleast_1d(wanted))
        return read if np.ndim(wanted) else read[0]

    def _read(self, wanted: NDArray[np.int64]) -> NDArray[np.float32]:
        out = np.empty((len(wanted), *self._row), np.float32)
        order = np.argsort(wanted, kind="stable")
        edges = np.searchsorted(wanted[order], self._bounds)
        for part, first, low, high in zip(self._parts, self._bounds, edges, edges[1:], strict=False):
            if low < high:
                places = order[low:high]
                values = part if isinstance(part, np.ndarray) else np.load(part, mmap_mode="r", allow_pickle=False)
                out[places] = values[wanted[places] - first]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("windows on disk cannot be had without a copy")
        return self[:] if dtype is None else self[:].astype(dtype)

    @classmethod
    def join(cls, arrays: Sequence[Rows | NDArray[np.float32]]) -> Rows:
        """Return several one after another, unread."""
        parts: list[Part] = []
        lengths: list[int] = []
        index: list[NDArray[np.int64]] = []
        for one in arrays:
            before = sum(lengths)
            if isinstance(one, Rows):
                parts += one._parts
                lengths += np.diff(one._bounds).tolist()
                index.append(one._index + before)
            else:
                parts.append(one)
                lengths.append(len(one))
                index.append(np.arange(before, before + len(one)))
        return cls(parts, lengths, tuple(arrays[0].shape[1:]), np.concatenate(index))
