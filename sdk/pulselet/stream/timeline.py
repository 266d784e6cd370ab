"""When the samples of a recording were taken, on the one time base of all its devices: the host's monotonic clock."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from pulselet.stream.block import DISCONNECTED, JUMPED, RESTARTED, Signal
from pulselet.stream.clock import ClockMap
from pulselet.stream.reader import Reader
from pulselet.stream.rows import Stamp

NEW_SEGMENT = frozenset({DISCONNECTED, RESTARTED, JUMPED})
"""Reasons of gaps after which the device's clock, or the link's latency, may be another."""
NEW_LINK = frozenset({"disconnected", "reconnected"})
"""Kinds of events after which the link's latency may be another, though no sample was lost."""

DATES_HZ = 1.0
SCATTER_S, RATE_OFF = 0.02, 0.01  # of a device time; of a device's rate about the nominal one: standard deviations
WANDER_S, RATE_WANDER = 0.003, 2e-5  # in one second, of the time and of the rate: temperature, and a bad oscillator
HUBER = 1.345  # a deviation counts up to so many standard deviations: 95 % of what least squares uses of normal ones
LEAP_S, LASTING = 0.1, 8  # so many times in a row, all so far on one side, are no scatter
SET_S = 0.5  # no wrong guess of how much was lost makes so large a step, so the device's clock has been set


class Place(NamedTuple):
    """Where a block stands in time: index of its first sample, how many, and when the first and the last were taken.

    `segment` is another after each gap of unknown size, reconnection and jump of the device's clock: only within one
    do index and time go together.
    """

    first: int
    samples: int
    first_ns: int
    last_ns: int
    segment: int = 0


def timeline(recording: Reader, name: str, clock: ClockMap | None = None) -> Iterator[Place]:
    """Yield the place of every block of a signal, in ns of the host's monotonic clock.

    Samples lie where their index and the rate put them; the rate is the device's own, followed as the stream went,
    since single device times scatter and step back. A block begins where the one before ends, if their indices do;
    no sample lies before another that came before it, and none more than 0.1 s after its own arrival. Where a stream
    runs faster than its clock, as a simulation does, that bound is all there is. What the device said stands in the
    recording.

    The device's clock is mapped to the host's as the stream went (see `ClockMap` for what cannot be known). Where there
    is no device clock, the last sample of a block is taken to be as old as the arrival of its notification, but for
    the scatter. A sample without a rate is an event: it lies where its own time is, or, if that only dates a stored
    reading, at its arrival.

    Parameters
    ----------
    clock
        The map to use, to be looked at afterwards; a new one if not given.

    Raises
    ------
    RecordingError
        If there is no such signal.
    """
    signal = recording.signal(name)
    if clock is None:
        clock = clock_map(signal)
    follower = _Follower(signal, clock)
    links_ns = sorted(event.at_ns for event in recording.events() if event.kind in NEW_LINK)
    at = 0
    for stamp in recording.stamps(name):
        if stamp.samples is None or stamp.arrival_ns is None:
            follower.gap(stamp)
            continue
        while at < len(links_ns) and links_ns[at] <= stamp.arrival_ns:
            follower.relink()
            at += 1
        yield follower.place(stamp, stamp.samples, stamp.arrival_ns)


def clock_map(signal: Signal) -> ClockMap | None:
    """Return a map for the device's clock; None if there is none, or it only dates what was stored by the second."""
    if signal.clock_hz is None or (signal.rate_hz is None and signal.clock_hz <= DATES_HZ):
        return None
    return ClockMap(signal.clock_hz)


class Line:
    """Time of the samples of one signal by their index: a line that single times bend but little.

    A Kalman filter of time and rate (Kalman, "A new approach to linear filtering and prediction problems", 1960), which
    follows a rate that is off by some percent within seconds. Deviations are cut off as Huber does ("Robust
    estimation of a location parameter", 1964), for one time in ten may be wrong by a hundred milliseconds.
    """

    def __init__(self, rate_hz: float) -> None:
        self._nominal_s = 1 / rate_hz
        self._pace = 1.0  # period by the clock that is followed, as a part of the nominal one
        self._index, self._time_s = 0, 0.0
        self._time_var, self._both_var, self._pace_var = SCATTER_S**2, 0.0, RATE_OFF**2
        self._astray = 0  # how many times of late were far ahead (above 0) or far behind

    @property
    def period_s(self) -> float:
        """Time from one sample to the next."""
        return self._nominal_s * self._pace

    def at(self, index: int) -> float:
        """Return the time of a sample, in s."""
        return self._time_s + (index - self._index) * self.period_s

    def begin(self, index: int, time_s: float) -> None:
        """Begin anew at a sample; the rate is kept."""
        self._index, self._time_s = index, time_s
        self._time_var, self._both_var = SCATTER_S**2, 0.0
        self._astray = 0

    def follow(self, index: int, time_s: float) -> bool:
        """Take note of the time of a sample; False if the line must have broken off before it."""
        if index < self._index:
            return False
        self._predict(index)
        error_s = time_s - self._time_s
        side = (error_s > LEAP_S) - (error_s < -LEAP_S)
        self._astray = side + (self._astray if side * self._astray > 0 else 0)
        variance = self._time_var + SCATTER_S**2
        limit_s = HUBER * math.sqrt(variance)
        error_s = min(max(error_s, -limit_s), limit_s)
        to_time, to_pace = self._time_var / variance, self._both_var / variance
        self._time_s += to_time * error_s
        self._pace += to_pace * error_s
        self._pace_var -= to_pace * self._both_var
        self._both_var -= to_time * self._both_var
        self._time_var -= to_time * self._time_var
        return abs(self._astray) < LASTING

    def _predict(self, index: int) -> None:
        step_s = (index - self._index) * self._nominal_s
        self._index, self._time_s = index, self.at(index)
        self._time_var += step_s * (2 * self._both_var + step_s * self._pace_var + WANDER_S**2)
        self._both_var += step_s * self._pace_var
        self._pace_var += step_s * RATE_WANDER**2


class _Follower:
    """Places the blocks of one signal, one after the other."""

    def __init__(self, signal: Signal, clock: ClockMap | None) -> None:
        self._clock, self._clock_hz = clock, signal.clock_hz or 1e9
        self._line = None if signal.rate_hz is None else Line(signal.rate_hz)
        self._by_clock = False
        self._origin = 0  # in ticks, or in ns where there is no clock: where the line has its 0
        self._relinked = False  # whether the clock, or the link, may be another from the next block on
        self._torn = True  # whether nobody knows how many samples are missing before the next block
        self._latest: Place | None = None

    def relink(self) -> None:
        """Take note of a new link."""
        self._relinked = self._latest is not None

    def gap(self, gap: Stamp) -> None:
        """Take note of a gap."""
        self._relinked |= gap.reason in NEW_SEGMENT and self._latest is not None
        self._torn |= gap.samples is None

    def place(self, block: Stamp, samples: int, arrival_ns: int) -> Place:
        """Return the place of a block."""
        last = block.first + max(samples, 1) - 1
        by_clock = self._clock is not None and block.device_ticks is not None
        self._torn |= by_clock != self._by_clock
        self._by_clock = by_clock
        if self._clock is not None and block.device_ticks is not None:
            said_s, last_s = self._follow(block.first, last, block.device_ticks, self._clock_hz)
            last_ns = self._mapped(self._clock, said_s, last_s, arrival_ns)
        else:
            _, last_s = self._follow(last, last, arrival_ns, 1e9)
            last_ns = self._origin + round(last_s * 1e9)
        self._latest = self._put(block.first, samples, last_ns, arrival_ns, fresh=self._relinked or self._torn)
        self._relinked = self._torn = False
        return self._latest

    def _follow(self, index: int, last: int, ticks: int, hz: float) -> tuple[float, float]:
        """Return when a block's last sample was taken by what its stamp says, and by the line; in s from the origin."""
        if self._line is None:
            self._origin = ticks
            return 0.0, 0.0
        time_s = (ticks - self._origin) / hz
        if not self._torn and not self._line.follow(index, time_s):
            self._torn = True
            self._relinked |= abs(time_s - self._line.at(index)) > SET_S
        if self._torn:
            self._origin = ticks
            self._line.begin(index, 0.0)
        return (ticks - self._origin) / hz + (last - index) * self._line.period_s, self._line.at(last)

    def _mapped(self, clock: ClockMap, said_s: float, last_s: float, arrival_ns: int) -> int:
        """Return a time by the line on the host's clock.

        The map learns from what the stamp says, within limits: behind the line is harmless, since it looks like a late
        packet, but to be ahead of it would look like one that came too early.
        """
        if self._relinked:
            clock.restart()
        segment = clock.segment
        said_s = min(max(said_s, last_s - LEAP_S), last_s)
        clock.observe(self._origin + round(said_s * self._clock_hz), arrival_ns)
        self._relinked |= clock.segment != segment
        ticks = round(last_s * self._clock_hz)
        return clock.host_ns(self._origin + ticks) + round((last_s - ticks / self._clock_hz) * 1e9)

    def _put(self, first: int, samples: int, last_ns: int, arrival_ns: int, *, fresh: bool) -> Place:
        """Return where a block stands: after the latest one, and not after its own arrival, but for the scatter."""
        latest, count = self._latest, max(samples, 1)
        step_ns = 0.0 if self._line is None else self._line.period_s * 1e9
        length_ns = round((count - 1) * step_ns)
        bound_ns = arrival_ns + round(LEAP_S * 1e9)
        if latest is None:
            return Place(first, samples, min(last_ns, bound_ns) - length_ns, min(last_ns, bound_ns))
        last_ns = min(max(last_ns, latest.last_ns + round(count * step_ns / 2)), bound_ns)
        last_ns = max(last_ns, latest.last_ns)
        first_ns = last_ns - length_ns
        abuts = first == latest.first + latest.samples and not fresh
        if self._line is not None and (abuts or first_ns < latest.last_ns + step_ns / 2):
            first_ns = latest.last_ns + round((last_ns - latest.last_ns) / count)
        return Place(first, samples, first_ns, last_ns, latest.segment + fresh)
