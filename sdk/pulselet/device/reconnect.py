"""How long to wait before the next attempt."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reconnect:
    """What to do when the link is lost.

    Attributes
    ----------
    first_s, longest_s
        The wait before the first attempt; it doubles from attempt to attempt, up to the longest.
    jitter
        Share by which each wait is drawn longer or shorter, so that two hosts do not go on in step.
    healthy_s
        After so long with data, the next wait is the first one again.
    give_up_s
        How long to try before the error that began it is raised.
    """

    first_s: float = 0.25
    longest_s: float = 30.0
    jitter: float = 0.2
    healthy_s: float = 60.0
    give_up_s: float = 600.0


@dataclass
class Backoff:
    """The waits of one session."""

    policy: Reconnect
    draw: random.Random = field(default_factory=random.Random)
    _attempts: int = 0
    _up_since: float = field(default_factory=time.monotonic)

    def up(self) -> None:
        """Note that data flow again."""
        self._up_since = time.monotonic()

    def down(self) -> None:
        """Note that the link is lost: after a healthy time the waits begin anew."""
        if time.monotonic() - self._up_since >= self.policy.healthy_s:
            self._attempts = 0

    def next_s(self) -> float:
        """Return how long to wait before the next attempt, in s."""
        wait = min(self.policy.first_s * 2.0**self._attempts, self.policy.longest_s)
        self._attempts = min(self._attempts + 1, 32)
        return wait * (1 + self.policy.jitter * self.draw.uniform(-1, 1))
