"""Device clock to host clock, from one-way traffic alone.

A notification never arrives before its last sample was taken, and is late by the link's scatter: tens of milliseconds,
now and then a hundred or more. So the truth lies along the *lower edge* of arrival time minus device time. A mean or a
regression follows the scatter; the lower edge does not. The idea is that of Moon, Skelly and Towsley, "Estimation and
removal of clock skew from network delay measurements" (INFOCOM 1999); in place of their hull, which a single wrong
device time bends, a low quantile is fitted (quantile regression: Koenker and Bassett, Econometrica 46, 1978).

What no one-way method can see is the least latency of the link: it is the same in every packet, and looks like an
offset of the clock. Mapped times are late by it, and by the low quantile of the scatter that stands for the edge. Over
the least latency that is 1 to 3 ms where packets scatter by an exponential time of 30 ms, and 5 to 14 ms where they
wait for connection events 30 to 45 ms apart as well (`benchmarks/clock.py` measures it). It is a constant, and links of
one kind share most of it.

Nor can it see a latency that changes as slowly as the clock drifts. Where the time between packets is a multiple of the
connection interval and little else scatters them, arrivals beat against the interval, once in `interval / drift`
(50 ms at 40 ppm: 21 minutes). A beat that is not much shorter than the window goes into the mapping, with up to an
interval of error; a window of several beats suppresses it, at the price of following the temperature more slowly.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heappush, heapreplace
from math import inf

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError

SHORTEST_WINDOW_S = 120.0
BIN_S = 10.0
LOWEST = 64  # delays kept of one bin
BIN_QUANTILE, WINDOW_QUANTILE = 0.05, 0.1  # of the delays in a bin; of the bins in the window
SLOPE_S, SETTLE_S = 60.0, 100.0  # span from which on a slope is fitted, and is trusted; less than any window
FIRST_SLEW = 0.005  # while settling: the first packet may have been late by a few hundred ms
JUMP_S = 1.0  # no device steps so far back by itself, no packet comes so much too early
EARLY_S = 0.05  # a whole bin that comes so much too early is no scatter
FLAT_S = 0.15  # a queue that empties changes by more than this from bin to bin, a clock that has jumped does not
LASTING_BINS = 6
ENDS = 15  # points of either end that are joined to lines; more gain nothing


@dataclass(frozen=True)
class _Piece:
    """Arrival minus device time, on from device time `start_ns`: a line, and an excess over it that fades."""

    start_ns: float
    level_ns: float
    slope: float
    excess_ns: float
    slew: float

    def line(self, device_ns: float) -> float:
        return self.level_ns + self.slope * device_ns

    def at(self, device_ns: float) -> float:
        faded = self.slew * max(device_ns - self.start_ns, 0.0)
        if self.excess_ns > 0:
            return self.line(device_ns) + max(self.excess_ns - faded, 0.0)
        return self.line(device_ns) + min(self.excess_ns + faded, 0.0)


class ClockMap:
    """Maps the clock of one device to the host's monotonic clock, packet by packet, in fixed memory.

    All devices of a session share one time base, because each is mapped to the same host clock. The mapping is
    continuous within a segment. A new segment begins at `restart`; where a device clock steps back, or ahead of what
    can have arrived, by more than 1 s; and where it turns out after a minute to have jumped by less, or during a
    silence. Smaller backward steps, late packets, stalls and queues that empty after them begin none.

    Mapped times are late by the least latency of the link and the low quantile of its scatter: see the module.

    Parameters
    ----------
    clock_hz
        Nominal rate of the device clock.
    window_s
        Over how long the lower edge is taken; 120 s or more. A short one follows the temperature, a long one is
        steadier.
    max_slew_ppm
        The most by which the mapping departs from the fitted line's rate, to reach the line, once settled.

    Raises
    ------
    PulseletError
        If a parameter makes no sense.
    """

    def __init__(self, clock_hz: float, window_s: float = 900.0, max_slew_ppm: float = 100.0) -> None:
        if not (0 < clock_hz < inf and SHORTEST_WINDOW_S <= window_s < inf and 0 < max_slew_ppm < inf):
            raise PulseletError(
                f"a clock map wants clock_hz > 0, window_s >= {SHORTEST_WINDOW_S:g} and max_slew_ppm > 0, "
                f"got {clock_hz}, {window_s} and {max_slew_ppm}"
            )
        self.segment = 0
        self.settled = False
        self._tick_ns = 1e9 / clock_hz
        self._window_ns = window_s * 1e9
        self._slew = max_slew_ppm * 1e-6
        self._slope = 0.0  # the last that was trusted; a crystal keeps it over a reconnect
        self._bins: deque[tuple[float, float]] = deque(maxlen=int(window_s / BIN_S) + 1)  # device time and delay, ns
        self._pieces: deque[_Piece] = deque(maxlen=self._bins.maxlen)
        self._lowest: list[tuple[float, float]] = []  # heap of (-delay, device time): the lowest of the bin
        self._count = 0  # packets in the bin
        self._close_ns = 0  # host time at which the bin ends
        self._latest_ns = 0.0  # latest device time
        self._aside: list[float] = []  # how late the last bins were, if they did not fit
        self._first_ticks = self._first_ns = 0

    @property
    def drift_ppm(self) -> float | None:
        """How much the device clock runs fast, in parts per million of host time; None until settled."""
        return -1e6 * self._slope / (1 + self._slope) if self.settled else None

    def restart(self) -> None:
        """Begin a new segment with the next packet; to be called after a reconnect."""
        self.segment += 1
        self.settled = False
        self._latest_ns = 0.0
        self._count = 0
        for kept in (self._lowest, self._aside, self._bins, self._pieces):
            kept.clear()

    def observe(self, device_ticks: int, arrival_ns: int) -> None:
        """Take note of a packet.

        Parameters
        ----------
        device_ticks
            Device clock, unwrapped, at the last sample that the packet carries.
        arrival_ns
            Host monotonic clock when the packet arrived.
        """
        device_ns = delay_ns = 0.0
        if self._pieces:
            device_ns = (device_ticks - self._first_ticks) * self._tick_ns
            delay_ns = arrival_ns - self._first_ns - device_ns
            early_ns = self._pieces[-1].line(device_ns) - delay_ns
            if early_ns > JUMP_S * 1e9 or device_ns < self._latest_ns - JUMP_S * 1e9:
                self.restart()
            elif arrival_ns >= self._close_ns:
                self._close(arrival_ns)
        if not self._pieces:
            self._begin(device_ticks, arrival_ns)
            device_ns = delay_ns = 0.0
        self._count += 1
        self._latest_ns = max(self._latest_ns, device_ns)
        if len(self._lowest) < LOWEST:
            heappush(self._lowest, (-delay_ns, device_ns))
        elif -delay_ns > self._lowest[0][0]:
            heapreplace(self._lowest, (-delay_ns, device_ns))

    def host_ns(self, device_ticks: int) -> int:
        """Return the host monotonic time of a device time, in ns, by the mapping that held at that device time.

        Device times of an earlier segment are mapped as if they were of this one.

        Raises
        ------
        PulseletError
            If no packet of the segment has been observed.
        """
        if not self._pieces:
            raise PulseletError("the clock map has no packet to go by yet: call observe first")
        device_ns = (device_ticks - self._first_ticks) * self._tick_ns
        piece = next((one for one in reversed(self._pieces) if one.start_ns <= device_ns), self._pieces[0])
        return self._first_ns + round(device_ns + piece.at(device_ns))

    def _begin(self, device_ticks: int, arrival_ns: int) -> None:
        self._first_ticks, self._first_ns = device_ticks, arrival_ns
        self._close_ns = arrival_ns + round(BIN_S * 1e9)
        self._pieces.append(_Piece(0.0, 0.0, self._slope, 0.0, FIRST_SLEW))

    def _close(self, arrival_ns: int) -> None:
        """Close the bin before the packet that arrived now."""
        rank = min(int(BIN_QUANTILE * self._count), len(self._lowest) - 1)
        minus_delay_ns, device_ns = sorted(self._lowest, reverse=True)[rank]
        self._lowest.clear()
        self._count = 0
        self._close_ns = arrival_ns + round(BIN_S * 1e9)
        late_ns = -minus_delay_ns - self._pieces[-1].line(device_ns)
        if self.settled and not -EARLY_S * 1e9 <= late_ns <= JUMP_S * 1e9:
            self._set_aside(late_ns)
            return
        self._aside.clear()
        self._bins.append((device_ns, -minus_delay_ns))
        while self._latest_ns - self._bins[0][0] > self._window_ns and len(self._bins) > 1:
            self._bins.popleft()
        self._refit()

    def _set_aside(self, late_ns: float) -> None:
        if self._aside and abs(late_ns - self._aside[-1]) > FLAT_S * 1e9:
            self._aside.clear()
        self._aside.append(late_ns)
        if len(self._aside) == LASTING_BINS:
            self.restart()

    def _refit(self) -> None:
        device_ns, delay_ns = np.array(sorted(self._bins)).T
        span_s = (device_ns[-1] - device_ns[0]) / 1e9
        slope = self._slope if span_s < SLOPE_S else _low_slope(device_ns, delay_ns)
        level_ns = float(_low(delay_ns - slope * device_ns))
        self.settled = bool(span_s >= SETTLE_S)
        if self.settled:
            self._slope = slope
        start_ns = self._latest_ns
        excess_ns = self._pieces[-1].at(start_ns) - (level_ns + slope * start_ns)
        self._pieces.append(_Piece(start_ns, level_ns, slope, excess_ns, self._slew if self.settled else FIRST_SLEW))


def host_times(ticks: NDArray[np.integer], arrivals: NDArray[np.integer], clock_hz: float) -> NDArray[np.int64]:
    """Return the host monotonic time in ns `(n,)` of each packet, as `ClockMap` gives it when the packet arrives.

    Parameters
    ----------
    ticks
        Device clock, unwrapped, at the last sample of each packet, `(n,)`.
    arrivals
        Host monotonic arrival of each packet in ns, `(n,)`.
    clock_hz
        Nominal rate of the device clock.

    Raises
    ------
    PulseletError
        If the arrays differ in length, or the rate is not above 0.
    """
    if len(ticks) != len(arrivals):
        raise PulseletError(f"each packet wants one device time and one arrival, got {len(ticks)} and {len(arrivals)}")
    clock = ClockMap(clock_hz)
    found = np.empty(len(ticks), np.int64)
    for at, (tick, arrival) in enumerate(zip(ticks.tolist(), arrivals.tolist(), strict=True)):
        clock.observe(tick, arrival)
        found[at] = clock.host_ns(tick)
    return found


def _low(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the low quantile over the last axis, as one of the values."""
    rank = int(WINDOW_QUANTILE * (values.shape[-1] - 1))
    low: NDArray[np.float64] = np.partition(values, rank, axis=-1)[..., rank]
    return low


def _low_slope(device_ns: NDArray[np.float64], delay_ns: NDArray[np.float64]) -> float:
    """Return the slope of the line that is the low quantile of the delays: the one of least pinball loss.

    An optimal line passes through two of the points. Tried are those that join the first third to the last: a slope
    over less than that is all noise.
    """
    third = max(len(device_ns) // 3, 1)
    step = -(-third // ENDS)
    first, last = slice(0, third, step), slice(-third, None, step)
    run = device_ns[None, last] - device_ns[first, None]
    rise = delay_ns[None, last] - delay_ns[first, None]
    apart = run >= SLOPE_S / 2 * 1e9
    slopes = rise[apart] / run[apart]
    rest = delay_ns - slopes[:, None] * device_ns
    rest -= _low(rest)[:, None]
    loss = np.maximum(WINDOW_QUANTILE * rest, (WINDOW_QUANTILE - 1) * rest).sum(axis=1)
    return float(slopes[loss.argmin()])
