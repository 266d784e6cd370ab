"""Stages one after another: what one gives, the next takes, rows and gaps alike."""

from __future__ import annotations

from collections.abc import Iterable

from pulselet.signal.stage import Format, Kernel, Samples, Stage, State


def design(stages: Iterable[Stage], source: Format) -> list[Kernel]:
    """Return the kernels of stages in a row, each for what reaches it.

    Raises
    ------
    PipelineError
        If a stage does not fit what reaches it.
    """
    kernels: list[Kernel] = []
    for stage in stages:
        kernels.append(stage.design(source))
        source = kernels[-1].output
    return kernels


class Chain:
    """One run of kernels in a row."""

    def __init__(self, kernels: list[Kernel]) -> None:
        self.kernels = kernels
        self._states: list[State] = [kernel.start() for kernel in kernels]

    def step(self, x: Samples) -> Samples:
        """Return what the last kernel makes of the next rows."""
        for i, kernel in enumerate(self.kernels):
            x, self._states[i] = kernel.step(self._states[i], x)
        return x

    def gap(self, lost: int) -> int:
        """Tell the kernels that rows are lost; return how many are lost at the end."""
        for i, kernel in enumerate(self.kernels):
            if lost == 0:
                break
            lost, self._states[i] = kernel.gap(self._states[i], lost)
        return lost
