"""The simulated link has the figures that were measured on real captures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pulselet.errors import PulseletError
from pulselet.simulate.link import LinkedPackets, packets_over_link


def linked(**options: Any) -> LinkedPackets:
    return packets_over_link(1200, **{"packet_hz": 30.0, "clock_hz": 1e6, "seed": 4, **options})


@pytest.mark.parametrize("interval_s", [0.0, 0.03])
def test_arrivals_scatter_as_on_real_captures(interval_s: float) -> None:
    link = linked(interval_s=interval_s)
    late_ms = (link.arrivals_ns - link.taken_ns) / 1e6
    assert late_ms.min() >= 5
    assert 31 <= late_ms.std() <= 44
    assert late_ms.max() > 150
    assert (np.diff(link.arrivals_ns) >= 0).all()


def test_device_times_step_back_as_on_real_captures() -> None:
    assert (np.diff(linked().ticks) < 0).sum() == 0
    assert 0.04 <= (np.diff(linked(back_part=0.1, back_s=0.1).ticks) < 0).mean() <= 0.1


@pytest.mark.parametrize("drift_ppm", [-100.0, 40.0])
def test_the_clock_drifts_as_asked(drift_ppm: float) -> None:
    link = linked(drift_ppm=drift_ppm)
    device_s, host_s = np.ptp(link.true_ticks) / 1e6, np.ptp(link.taken_ns) / 1e9
    assert (device_s / host_s - 1) * 1e6 == pytest.approx(drift_ppm, abs=0.1)


def test_the_temperature_swings_the_drift_as_a_sine() -> None:
    link = linked(drift_ppm=0, swing_ppm=20, swing_s=1200)
    ahead_us = link.true_ticks - (link.taken_ns - link.taken_ns[0]) / 1e3 - link.true_ticks[0]
    assert ahead_us.max() == pytest.approx(20 * 1200 / np.pi, rel=0.01)  # area under half a sine
    assert abs(ahead_us[-1]) < 200


def test_arrivals_lie_on_connection_events() -> None:
    link = linked(interval_s=0.05)
    assert ((link.arrivals_ns % 50_000_000) == 0).all()


@pytest.mark.parametrize(("loses", "packets"), [(True, 0), (False, 900)])
def test_a_stall_loses_or_keeps(loses: bool, packets: int) -> None:
    link = linked(stall=(600.0, 30.0), stall_loses=loses)
    since_s = (link.arrivals_ns - link.arrivals_ns[0]) / 1e9
    assert np.diff(since_s).max() > 29.9
    assert np.abs((since_s == since_s[np.diff(since_s).argmax() + 1]).sum() - packets) <= 30


def test_a_seed_gives_the_same_link_and_another_gives_another() -> None:
    assert (linked().arrivals_ns == linked().arrivals_ns).all()
    assert (linked().arrivals_ns != linked(seed=5).arrivals_ns).any()


@pytest.mark.parametrize("options", [{"packet_hz": 0}, {"clock_hz": -1}, {"interval_s": -0.1}])
def test_links_without_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(PulseletError, match=r"above 0|0 or more"):
        linked(**options)
