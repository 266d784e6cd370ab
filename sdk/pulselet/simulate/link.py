"""A device clock that drifts and a radio link that scatters: device times, arrivals, and the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError
from pulselet.simulate.pages import Seed, positive, samples_in

HOST_START_NS = 1_000_000_000_000  # a host's monotonic clock begins at its own start, not at ours


@dataclass(frozen=True, eq=False)
class LinkedPackets:
    """Packets as a host gets them."""

    ticks: NDArray[np.int64]  # (n,) device clock, as the packet says
    arrivals_ns: NDArray[np.int64]  # (n,) host clock when it arrived
    taken_ns: NDArray[np.int64]  # (n,) host clock when its last sample was taken: what nobody but a simulation knows
    true_ticks: NDArray[np.float64]  # (n,) device clock at that moment, without granularity or jitter


def packets_over_link(
    duration_s: float,
    *,
    packet_hz: float,
    clock_hz: float,
    seed: Seed,
    drift_ppm: float = 40.0,
    swing_ppm: float = 0.0,
    swing_s: float = 3600.0,
    cadence_spread: float = 0.01,
    back_part: float = 0.0,
    back_s: float = 0.04,
    least_s: float = 0.005,
    scatter_s: float = 0.03,
    late_part: float = 0.02,
    late_s: float = 0.15,
    interval_s: float = 0.0,
    stall: tuple[float, float] | None = None,
    stall_loses: bool = False,
) -> LinkedPackets:
    """Return what a host sees of a device that sends a packet `packet_hz` times a second.

    A model of ours, with the figures measured on real captures: arrivals scatter by some 30 to 45 ms, now and then by
    150 ms, and the device's times step backwards in some packets. A packet waits `least_s`, plus an exponential time,
    for the next connection event (Bluetooth Core Specification 5.4, volume 6, part B, 4.5.1: events are `interval_s`
    apart by the central's clock); nothing overtakes.

    Parameters
    ----------
    duration_s, packet_hz, seed
        Length, packets per second of device time, and what to draw from.
    clock_hz
        Ticks per second of the device clock, by its own reckoning.
    drift_ppm, swing_ppm, swing_s
        How much the device clock runs fast; that changes with the temperature, as a sine of this height and period.
    cadence_spread
        Standard deviation of the time between packets, as a part of it. With 0, arrivals may beat against connection
        events.
    back_part, back_s
        Part of the packets whose device time is too small, and by how much at the most.
    least_s, scatter_s, late_part, late_s
        Least latency, mean of the exponential rest, and the part of the packets that are late by `late_s` in addition.
    interval_s
        Connection interval; 0 for a link without.
    stall
        When a silence begins and how long it lasts, in s.
    stall_loses
        Whether what is sent during the silence is lost, or arrives after it.

    Raises
    ------
    PulseletError
        If a duration or rate is not above 0, or one that may be 0 is below it.
    """
    positive(packet_hz=packet_hz, clock_hz=clock_hz, swing_s=swing_s)
    if min(cadence_spread, back_part, back_s, least_s, scatter_s, late_part, late_s, interval_s) < 0:
        raise PulseletError("a link wants spreads, parts, latencies and an interval of 0 or more")
    packets = samples_in(duration_s, packet_hz)
    rng = np.random.default_rng(seed)
    sent_s = np.cumsum(np.maximum(rng.normal(1, cadence_spread, packets), 0.1)) / packet_hz / (1 + drift_ppm * 1e-6)
    waited_s = least_s + rng.exponential(scatter_s, packets) + late_s * (rng.random(packets) < late_part)
    back_by_s = rng.uniform(0, back_s, packets) * (rng.random(packets) < back_part)
    swung_s = swing_ppm * 1e-6 * swing_s / (2 * np.pi) * (1 - np.cos(2 * np.pi * sent_s / swing_s))
    device_s = sent_s * (1 + drift_ppm * 1e-6) + swung_s
    start_s, length_s = stall or (0.0, 0.0)
    ready_s = np.maximum.accumulate(sent_s + waited_s)  # nothing overtakes
    stalled = (ready_s >= start_s) & (ready_s < start_s + length_s)
    arrivals_s = np.where(stalled, start_s + length_s, ready_s)
    if interval_s > 0:
        arrivals_s = np.ceil(arrivals_s / interval_s) * interval_s
    kept = ~(stalled & stall_loses)
    return LinkedPackets(
        ticks=np.floor((device_s - back_by_s) * clock_hz).astype(np.int64)[kept],
        arrivals_ns=_host_ns(arrivals_s)[kept],
        taken_ns=_host_ns(sent_s)[kept],
        true_ticks=(device_s * clock_hz)[kept],
    )


def _host_ns(times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    return HOST_START_NS + np.rint(times_s * 1e9).astype(np.int64)
