"""From readings that bear no number to blocks: nobody can tell what is missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pulselet.stream.block import DISCONNECTED, Block, Gap, Signal
from pulselet.stream.count import Count


class ReadingAssembler:
    """Turns the readings of one signal into blocks; where the link was down stands a gap of unknown size.

    Parameters
    ----------
    signal
        What the readings are; `loss_detectable` is False.
    """

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        self.count = Count()
        self._resumed = False

    def resume(self) -> None:
        """Go on after the link was down."""
        self._resumed = True

    def feed(self, values: NDArray[np.float32], arrival_ns: int, device_ticks: int | None = None) -> list[Block | Gap]:
        """Return what some readings add; nothing if there are none.

        Parameters
        ----------
        values
            float32 `(n, channels)`.
        arrival_ns
            Host monotonic clock.
        device_ticks
            When the first of them was taken, by the device's clock, if it says so.
        """
        if not len(values):
            return []
        found: list[Block | Gap] = []
        if self._resumed:
            self._resumed = False
            found.append(Gap(self.signal, self.count.expected, None, DISCONNECTED))
        found.append(Block(self.signal, values, self.count.expected, device_ticks, arrival_ns))
        self.count.received += len(values)
        return found
