"""One run of a pipeline over samples as they arrive."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.align import Aligner, Segment
from pulselet.signal.chain import Chain
from pulselet.signal.lost import stretches
from pulselet.signal.stage import Samples
from pulselet.signal.window import LONGEST_GAP

if TYPE_CHECKING:
    from pulselet.signal.pipeline import Branch, Pipeline

Event: TypeAlias = "tuple[str, Samples | int]"
"""A branch's name, and its next samples `(n, channels)` or how many are lost."""


class PipelineStream:
    """The state of one run.

    Parameters
    ----------
    ahead_s
        How far one branch may run ahead of another, if not what the pipeline says: this changes what is refused, and
        nothing that comes out.
    """

    def __init__(self, pipeline: Pipeline, *, ahead_s: float | None = None) -> None:
        self.pipeline = pipeline if ahead_s is None else replace(pipeline, ahead_s=ahead_s)
        self._index = {branch.name: i for i, branch in enumerate(pipeline.branches)}
        self._branches = [Chain(kernels) for kernels in self.pipeline.branch_kernels]
        self._joint = Chain(self.pipeline.joint_kernels)
        widths = tuple(out.width for out in self.pipeline.branch_outputs)
        self._aligner = Aligner(widths, self.pipeline.ahead) if len(widths) > 1 else None
        self._at = 0  # rows given and lost so far; of events, where the last one was
        self.dropped = 0
        """Rows (windows, if the pipeline ends in them) left out so far because samples in them were lost."""

    def push(self, name: str, values: Samples) -> list[tuple[int, Samples]]:
        """Return `(start, row)` for each row, such as a window, that `values` `(n, channels)` complete.

        `start` is the index of the row's first aligned sample; of an event, its own, or the number of events before it
        if the column `since` is not in the row. A sample that is not finite, or
        not below 1e12 in magnitude, counts as lost.

        Raises
        ------
        PipelineError
            If the branch is unknown or the array does not fit it: nothing has changed. If the branch is too far
            ahead of another: this run is spoilt, start anew.
        """
        rows, starts = self.advance(name, values)
        return list(zip(starts.tolist(), rows, strict=True))

    def advance(self, name: str, values: Samples) -> tuple[Samples, NDArray[np.int64]]:
        """Return what `push` does as two arrays: rows `(n, *shape)`, or `(n, channels)` without length, and starts."""
        branch = self._branch(name)
        _require_samples(self.pipeline.branches[branch], values)
        rows, starts = [], []
        for usable, run in stretches(values):
            for segment in self._one_branch(branch, run) if usable else self._lost(branch, len(run)):
                found = self._together(segment)
                if found is not None:
                    starts.append(self._starts(found))
                    rows.append(found)
        return self._shaped(rows), np.concatenate([np.empty(0, np.int64), *starts])

    def gap(self, name: str, lost: int) -> None:
        """Declare `lost` raw samples: each stage does what it declares, windows that needed the samples are dropped.

        Raises
        ------
        PipelineError
            If the gap is not from 1 to 2**29 samples, or the branch is as far ahead of another already.
        """
        branch = self._branch(name)
        if isinstance(lost, bool) or not isinstance(lost, Integral):
            raise PipelineError(f"a gap wants a whole number of lost samples, got {lost!r}")
        if not 1 <= lost <= LONGEST_GAP:
            raise PipelineError(f"a gap wants 1 to {LONGEST_GAP} lost samples, got {lost}: after more, start anew")
        for segment in self._lost(branch, int(lost)):
            self._together(segment)

    def clean(self, name: str, values: Samples) -> Samples:
        """Return what the branch's stages make of the next `values`, without what comes after.

        Raises
        ------
        PipelineError
            If the branch is unknown or the array does not fit it.
        """
        branch = self._branch(name)
        _require_samples(self.pipeline.branches[branch], values)
        return self._branches[branch].step(values)

    def _one_branch(self, branch: int, run: Samples) -> list[Segment]:
        rows = self._branches[branch].step(run)
        return [rows] if self._aligner is None else self._aligner.push(branch, rows)

    def _lost(self, branch: int, lost: int) -> list[Segment]:
        if self._aligner is not None:
            self._aligner.check(branch)
        left = self._branches[branch].gap(lost)
        if not left:
            return []
        return [left] if self._aligner is None else self._aligner.gap(branch, left)

    def _together(self, segment: Segment) -> Samples | None:
        if isinstance(segment, int):
            lost = self._joint.gap(segment)
            self.dropped += lost
            self._at += lost
            return None
        rows = self._joint.step(segment)
        return rows if len(rows) else None

    def _starts(self, rows: Samples) -> NDArray[np.int64]:
        output = self.pipeline.output
        if output.placed:
            places = self._at + np.cumsum(rows[:, 0].astype(np.int64))
            self._at = int(places[-1])
            return places
        step = round(self.pipeline.rate_hz / output.rate_hz) if output.rate_hz else 1
        numbers = np.arange(self._at, self._at + len(rows), dtype=np.int64)
        self._at += len(rows)
        return numbers * step

    def _shaped(self, rows: list[Samples]) -> Samples:
        length, channels = self.pipeline.shape
        shape = (-1, length, channels) if length > 1 else (-1, channels)
        return np.concatenate([np.empty((0, length * channels), np.float32), *rows]).reshape(shape)

    def _branch(self, name: str) -> int:
        if not isinstance(name, str) or name not in self._index:
            raise PipelineError(f"unknown branch {name!r}; the pipeline has {sorted(self._index)}")
        return self._index[name]


def _require_samples(branch: Branch, values: object) -> None:
    wanted = f"(n, {branch.channels})"
    if not isinstance(values, np.ndarray):
        raise PipelineError(f"branch {branch.name!r} wants a float32 array {wanted}, got {type(values).__name__}")
    if values.ndim != 2 or values.shape[1] != branch.channels or values.dtype != np.float32:
        got = f"{values.dtype} {values.shape}"
        raise PipelineError(f"branch {branch.name!r} wants float32 {wanted} in {branch.unit}, got {got}")
