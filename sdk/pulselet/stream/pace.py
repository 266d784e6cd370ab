"""How fast a device's time goes by the host's."""

from __future__ import annotations

from collections import deque

NS = 1_000_000_000
LEARNT_S, LEARNT_PACKETS = 3.0, 4  # of the host's, over which a pace is known
MARK_S = 300.0
EARLY_S, LATE_S = 2.0, 60.0  # how much earlier a packet may seem to come than it can, and how much later than it should
UNEVEN = 4.0  # how unevenly a simulation may run
OFF = 0.03  # largest error of a rate


class Pace:
    """How fast a device's time goes by the host's, learnt from the stream: 1 live, more in a simulation.

    No packet arrives before it was measured, so that there is a most of device time that can have passed since the last
    one. How late it may be depends on the link: the least is a guess.
    """

    def __init__(self) -> None:
        self._packets = 0
        self._host_ns, self._device_s = 0, 0.0  # of the last packet
        self._marks: deque[tuple[int, float]] = deque(maxlen=2)  # earlier ones: the first is 5 to 10 minutes old
        self._leads: deque[float] = deque(maxlen=2)  # the most, since each, of device time less the host's

    def follow(self, elapsed_s: float, arrival_ns: int) -> None:
        """Take note of a packet, so much device time after the last one."""
        self._packets += 1
        self._host_ns = arrival_ns
        self._device_s += elapsed_s
        lead_s = self._device_s - arrival_ns / NS
        if not self._marks or arrival_ns - self._marks[-1][0] > MARK_S * NS:
            self._marks.append((arrival_ns, self._device_s))
            self._leads.append(lead_s)
        self._leads[-1] = max(self._leads[-1], lead_s)

    def window_s(self, arrival_ns: int, late_s: float = LATE_S) -> tuple[float, float] | None:
        """Return the least and the most device time, in s, between the last packet and one that arrives now.

        None if nobody can tell: there are fewer than 4 packets or 3 s to learn from, or arrivals are not stamped.
        """
        if self._packets < LEARNT_PACKETS or arrival_ns < self._host_ns:
            return None
        mark_ns, mark_s = self._marks[0]
        learnt_s = (self._host_ns - mark_ns) / NS
        if learnt_s < LEARNT_S:
            return None
        since_s = (arrival_ns - self._host_ns) / NS
        pace = (self._device_s - mark_s) / learnt_s
        fastest = max(1.0, 1 + UNEVEN * (pace - 1))
        least_s = min(1.0, pace) * (1 - OFF) * since_s - late_s
        simulated_s = mark_s + fastest * ((arrival_ns - mark_ns) / NS + EARLY_S)
        live_s = max(self._leads) + arrival_ns / NS + OFF * since_s + EARLY_S  # as early as the earliest
        return least_s, max(simulated_s, live_s) - self._device_s
