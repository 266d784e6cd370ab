"""When the samples of a recording were taken, on the one time base of all its devices: the host's monotonic clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pulselet.stream.block import Signal
from pulselet.stream.clock import ClockMap
from pulselet.stream.reader import Reader
from pulselet.stream.rows import Stamp

NEW_SEGMENT = frozenset({"disconnected", "restarted", "clock jumped"})
"""Reasons of gaps after which the device's clock, or the link's latency, may be another."""


class Place(NamedTuple):
    """Where a block stands in time: index of its first sample, how many, and when the first and the last were taken."""

    first: int
    samples: int
    first_ns: int
    last_ns: int


def timeline(recording: Reader, name: str, clock: ClockMap | None = None) -> Iterator[Place]:
    """Yield the place of every block of a signal, in ns of the host's monotonic clock.

    The device's clock is mapped to the host's as the stream went (see `ClockMap` for what cannot be known). Where there
    is no device clock, the last sample is taken to be as old as the arrival of its notification.

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
    if clock is None and signal.clock_hz is not None:
        clock = ClockMap(signal.clock_hz)
    for stamp in recording.stamps(name):
        if stamp.reason in NEW_SEGMENT and clock is not None:
            clock.restart()
        if stamp.samples is None or stamp.arrival_ns is None:  # a gap
            continue
        yield _place(signal, stamp, stamp.samples, stamp.arrival_ns, clock)


def _place(signal: Signal, stamp: Stamp, samples: int, arrival_ns: int, clock: ClockMap | None) -> Place:
    length_s = (samples - 1) / signal.rate_hz if signal.rate_hz is not None else 0.0
    if clock is None or stamp.device_ticks is None or signal.clock_hz is None:
        return Place(stamp.first, samples, arrival_ns - round(length_s * 1e9), arrival_ns)
    last_ticks = stamp.device_ticks + round(length_s * signal.clock_hz)
    clock.observe(last_ticks, arrival_ns)
    return Place(stamp.first, samples, clock.host_ns(stamp.device_ticks), clock.host_ns(last_ticks))
