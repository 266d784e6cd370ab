"""Where the samples of one signal went."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Count:
    """`received + lost + paused` is the index of the next sample."""

    received: int = 0
    lost: int = 0
    paused: int = 0
    repeated: int = 0  # samples that came again, or too late; dropped

    @property
    def expected(self) -> int:
        """Index of the next sample."""
        return self.received + self.lost + self.paused
