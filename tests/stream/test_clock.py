"""Device clock to host clock: against simulated links whose truth is known, and against lines drawn by hand."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PulseletError
from pulselet.simulate.link import LinkedPackets, packets_over_link
from pulselet.stream.clock import ClockMap, host_times

MS, S = 1_000_000, 1_000_000_000
CLOCK_HZ = 1000.0
STALL = (1800.0, 30.0)


def linked(duration_s: float = 3600.0, **options: Any) -> LinkedPackets:
    return packets_over_link(duration_s, **{"packet_hz": 1.0, "clock_hz": CLOCK_HZ, "seed": 1, **options})


def folded(clock: ClockMap, link: LinkedPackets) -> NDArray[np.float64]:
    """Return the error of the mapping in ms at each packet; that of the packet's own time stamp is taken out."""
    mapped = []
    for tick, arrival in zip(link.ticks.tolist(), link.arrivals_ns.tolist(), strict=True):
        clock.observe(tick, arrival)
        mapped.append(clock.host_ns(tick))
    stamp_ms = (link.true_ticks - link.ticks) * 1000 / CLOCK_HZ
    return (np.array(mapped) - link.taken_ns) / 1e6 + stamp_ms


def steady(clock: ClockMap, start_s: int, end_s: int, ahead_ms: int = 0, late_ms: int = 20) -> None:
    """Observe a packet a second that is always equally late; the device clock is ahead of the host's."""
    for second in range(start_s, end_s):
        clock.observe(second * 1000 + ahead_ms, second * S + late_ms * MS)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("packet_hz", "interval_s"), [(30.0, 0.0), (30.0, 0.03), (30.0, 0.045), (1.0, 0.0), (1.0, 0.015), (1.78, 0.03)]
)
def test_an_hour_with_drift_bursts_and_a_stall_is_mapped_within_2_ms(
    packet_hz: float, interval_s: float, seed: int
) -> None:
    clock = ClockMap(CLOCK_HZ)
    link = linked(packet_hz=packet_hz, interval_s=interval_s, stall=STALL, seed=seed, back_part=0.07)
    error_ms = folded(clock, link)
    settled = link.taken_ns > link.taken_ns[0] + 180 * S
    assert error_ms[settled].std() <= 2
    assert np.abs(np.diff(error_ms)).max() <= 10  # from the first packet on
    assert clock.segment == 0


@pytest.mark.parametrize("drift_ppm", [-100.0, -30.0, 0.0, 100.0])
@pytest.mark.parametrize(("packet_hz", "interval_s"), [(30.0, 0.045), (1.0, 0.0)])
def test_any_crystal_is_followed_through_a_change_of_temperature(
    packet_hz: float, interval_s: float, drift_ppm: float
) -> None:
    clock = ClockMap(CLOCK_HZ)
    link = linked(packet_hz=packet_hz, interval_s=interval_s, drift_ppm=drift_ppm, swing_ppm=10, stall=STALL)
    error_ms = folded(clock, link)
    assert error_ms[link.taken_ns > link.taken_ns[0] + 180 * S].std() <= 2
    assert np.abs(np.diff(error_ms)).max() <= 10
    assert clock.drift_ppm == pytest.approx(drift_ppm - 10 * 2 / np.pi, abs=5)  # mean of a sine over its last quarter


def test_what_is_left_is_the_least_latency_and_a_little_of_the_scatter() -> None:
    lowest, higher = (folded(ClockMap(CLOCK_HZ), linked(packet_hz=30, least_s=least_s)) for least_s in (0.005, 0.105))
    assert 5 < lowest[-1000:].mean() < 5 + 3
    assert higher[-1000:].mean() - lowest[-1000:].mean() == pytest.approx(100, abs=0.01)


def test_a_link_without_scatter_is_mapped_to_the_arrivals() -> None:
    clock = ClockMap(CLOCK_HZ)
    steady(clock, 0, 500)
    assert clock.host_ns(499_000) == 499 * S + 20 * MS
    assert clock.host_ns(499_500) == 499 * S + 520 * MS
    assert clock.drift_ppm == pytest.approx(0, abs=1e-6)


def test_a_clock_that_runs_fast_has_a_positive_drift() -> None:
    clock = ClockMap(1e6)
    for second in range(1000):
        clock.observe(second * 1_000_100, second * S)  # 100 us more than a second, every second
    assert clock.drift_ppm == pytest.approx(100, abs=1e-6)


def test_the_drift_is_not_told_before_it_is_known() -> None:
    clock = ClockMap(CLOCK_HZ)
    steady(clock, 0, 100)
    assert not clock.settled
    assert clock.drift_ppm is None
    steady(clock, 100, 125)
    assert clock.settled


def test_ticks_beyond_the_precision_of_a_float_are_kept() -> None:
    clock = ClockMap(1e9)  # nanoseconds since 2000, as some straps count
    start = 800_000_000_000_000_001
    clock.observe(start, 5)
    assert clock.host_ns(start + 3) == 8


def test_backward_steps_and_late_packets_begin_no_segment() -> None:
    clock = ClockMap(CLOCK_HZ)
    link = linked(packet_hz=30.0, back_part=0.1, back_s=0.1, late_part=0.05, late_s=0.3)
    assert (np.diff(link.ticks) < 0).mean() > 0.04
    folded(clock, link)
    assert clock.segment == 0


@pytest.mark.parametrize("step_ms", [-3_000, -3_600_000, 3_000, 3_600_000])
def test_a_clock_that_jumps_begins_a_segment_at_once(step_ms: int) -> None:
    clock = ClockMap(CLOCK_HZ)
    steady(clock, 0, 300)
    steady(clock, 300, 301, ahead_ms=step_ms)
    assert clock.segment == 1
    assert not clock.settled
    assert clock.host_ns(300_000 + step_ms) == 300 * S + 20 * MS


def test_a_queue_that_empties_after_a_stall_begins_none() -> None:
    clock = ClockMap(CLOCK_HZ)
    steady(clock, 0, 300)
    for second in range(300, 420):  # what waited for a minute comes at twice the rate
        clock.observe(second * 1000, (360 + (second - 300) // 2) * S)
    steady(clock, 420, 700)
    assert clock.segment == 0
    assert clock.host_ns(699_000) == 699 * S + 20 * MS


def test_a_silence_of_an_hour_begins_none() -> None:
    clock = ClockMap(CLOCK_HZ)
    steady(clock, 0, 300)
    steady(clock, 3900, 4200)
    assert clock.segment == 0
    assert clock.host_ns(4_199_000) == 4199 * S + 20 * MS


@pytest.mark.parametrize("step_ms", [300, -5_000])
def test_a_jump_that_hides_is_found_after_a_minute(step_ms: int) -> None:
    """300 ms ahead are too few to be sure at once; 5 s back do not show behind a silence of 10 s."""
    clock = ClockMap(CLOCK_HZ)
    steady(clock, 0, 300)
    steady(clock, 310, 350, ahead_ms=step_ms)
    assert clock.segment == 0
    steady(clock, 350, 400, ahead_ms=step_ms)
    assert clock.segment == 1
    assert clock.host_ns(399_000 + step_ms) == 399 * S + 20 * MS


def test_a_reconnect_begins_a_segment_and_keeps_the_drift_in_mind() -> None:
    clock = ClockMap(1e6)
    for second in range(1000):
        clock.observe(second * 1_000_100, second * S)
    clock.restart()
    assert (clock.segment, clock.drift_ppm) == (1, None)
    clock.observe(0, 2000 * S)
    assert clock.host_ns(50 * 1_000_100) == pytest.approx(2050 * S, abs=1000)


def test_two_devices_come_out_on_one_time_base() -> None:
    """The same moments, by two clocks with drifts and starts of their own, and over two links of one kind."""
    left, right = linked(packet_hz=30.0, drift_ppm=60), linked(packet_hz=30.0, drift_ppm=-60, seed=2)
    seconds = np.arange(600, 3500)
    moments_ns = seconds * 1e9 + left.taken_ns[0]
    moments = np.array([np.interp(moments_ns, one.taken_ns, one.true_ticks) for one in (left, right)])
    mapped = []
    for link, ticks, start in zip((left, right), moments, (0, 10**9), strict=True):
        clock = ClockMap(CLOCK_HZ, window_s=3600)
        for tick, arrival in zip(link.ticks.tolist(), link.arrivals_ns.tolist(), strict=True):
            clock.observe(tick + start, arrival)
        mapped.append([clock.host_ns(round(tick) + start) for tick in ticks.tolist()])
    apart_ms = np.diff(mapped, axis=0) / 1e6
    assert np.abs(apart_ms).max() < 4
    assert np.abs(np.diff(moments, axis=0)).max() > 300  # the bare clocks, in ms


def test_what_was_mapped_stays_so() -> None:
    clock = ClockMap(CLOCK_HZ)
    link = linked(800, packet_hz=4.0)
    ticks, arrivals = link.ticks.tolist(), link.arrivals_ns.tolist()
    then = []
    for tick, arrival in zip(ticks, arrivals, strict=True):
        clock.observe(tick, arrival)
        then.append(clock.host_ns(tick))
    assert [clock.host_ns(tick) for tick in ticks] == then


def test_the_mapping_slews_no_more_than_asked() -> None:
    clock = ClockMap(CLOCK_HZ, max_slew_ppm=20)
    link = linked(1200, packet_hz=1.0, seed=3)
    slews_ppm = []
    for tick, arrival in zip(link.ticks.tolist(), link.arrivals_ns.tolist(), strict=True):
        clock.observe(tick, arrival)
        if clock.drift_ppm is not None:
            rate_ppm = clock.host_ns(tick + 1000) - clock.host_ns(tick) - 1e9  # in ns a second
            slews_ppm.append(abs(rate_ppm / 1000 + clock.drift_ppm))
    assert len(slews_ppm) > 1000
    assert 10 < max(slews_ppm) < 20.1


def test_memory_does_not_grow() -> None:
    clock = ClockMap(CLOCK_HZ, window_s=120)
    link = linked(3600, packet_hz=20.0)
    half = len(link.ticks) // 2
    sizes = []
    for part in (slice(0, half), slice(half, None)):
        for tick, arrival in zip(link.ticks[part].tolist(), link.arrivals_ns[part].tolist(), strict=True):
            clock.observe(tick, arrival)
        sizes.append(len(pickle.dumps(clock)))
    assert clock.settled  # in the shortest window, too
    assert sizes[1] < 1.5 * sizes[0]


def test_arrays_fold_the_same_code() -> None:
    link = linked(600, packet_hz=3.0)
    clock = ClockMap(CLOCK_HZ)
    one_by_one = []
    for tick, arrival in zip(link.ticks.tolist(), link.arrivals_ns.tolist(), strict=True):
        clock.observe(tick, arrival)
        one_by_one.append(clock.host_ns(tick))
    assert host_times(link.ticks, link.arrivals_ns, CLOCK_HZ).tolist() == one_by_one
    assert host_times(link.ticks[:0], link.arrivals_ns[:0], CLOCK_HZ).shape == (0,)


def test_a_device_clock_that_stands_still_does_no_harm() -> None:
    clock = ClockMap(CLOCK_HZ)
    for second in range(1000):
        clock.observe(7, second * S)
    assert isinstance(clock.host_ns(7), int)


@pytest.mark.parametrize(
    "options", [{"clock_hz": 0}, {"clock_hz": 1, "window_s": 119}, {"clock_hz": 1, "max_slew_ppm": float("nan")}]
)
def test_parameters_without_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(PulseletError, match="a clock map wants"):
        ClockMap(**options)


def test_a_question_before_the_first_packet_is_refused() -> None:
    with pytest.raises(PulseletError, match="call observe first"):
        ClockMap(CLOCK_HZ).host_ns(0)


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(PulseletError, match="got 2 and 1"):
        host_times(np.arange(2), np.arange(1), CLOCK_HZ)
