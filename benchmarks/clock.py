"""Device clock to host clock: the error of the mapping over a simulated hour, beside methods that suggest themselves.

python benchmarks/clock.py [--json clock.json] [--seeds 3]

The device clock runs 40 ppm fast and has steps of 1 ms. Packets scatter by an exponential time, one in fifty comes 150
ms late, most wait for connection events, and after half an hour nothing arrives for 30 s; what was sent meanwhile comes
after it, or is lost. An error is a mapped time minus the true one. Its mean is the constant that no one-way method can
remove; its standard deviation and its worst step from one packet to the next are what counts. They are taken after the
mapping has settled.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.simulate.link import LinkedPackets, packets_over_link
from pulselet.stream.clock import SETTLE_S, host_times

HOUR_S, CLOCK_HZ = 3600.0, 1000.0
STALL = (1800.0, 30.0)
REGRESSION_S = 30.0
AFTER_S = SETTLE_S + 60  # when all methods have settled
STEADY = {"packet_hz": 30.0, "interval_s": 0.045}
LINKS: dict[str, dict[str, Any]] = {
    "30 Hz": STEADY,
    "30 Hz, stall loses": {**STEADY, "stall_loses": True},
    "30 Hz, no intervals": {"packet_hz": 30.0},
    "1 Hz": {"packet_hz": 1.0, "interval_s": 0.03},
    "30 Hz, 100 ppm, swing of 10": {**STEADY, "drift_ppm": 100.0, "swing_ppm": 10.0},
    "1 Hz, -100 ppm, swing of 10": {"packet_hz": 1.0, "drift_ppm": -100.0, "swing_ppm": 10.0},
    "30 Hz, 7 % backwards": {**STEADY, "back_part": 0.07},
    "beat: 30 Hz exactly, 50 ms": {"packet_hz": 30.0, "interval_s": 0.05, "cadence_spread": 0.0},
}

Mapping = Callable[[LinkedPackets], NDArray[np.float64]]  # host time in ns of each packet's device time


def clock_map(link: LinkedPackets) -> NDArray[np.float64]:
    """Return what `ClockMap` says."""
    return host_times(link.ticks, link.arrivals_ns, CLOCK_HZ).astype(np.float64)


def first_packet(link: LinkedPackets) -> NDArray[np.float64]:
    """Return device time plus the offset of the first packet."""
    device_ns: NDArray[np.float64] = (link.ticks - link.ticks[0]) * (1e9 / CLOCK_HZ)
    device_ns += link.arrivals_ns[0]
    return device_ns


def regression(link: LinkedPackets) -> NDArray[np.float64]:
    """Return the value at its end of a least-squares line through the last 30 s of arrival minus device time."""
    ticks = link.ticks - link.ticks[0]
    late_us = np.rint((link.arrivals_ns - first_packet(link)) / 1e3).astype(np.int64)
    start = np.searchsorted(link.arrivals_ns, link.arrivals_ns - round(REGRESSION_S * 1e9))
    n = np.arange(1, len(start) + 1) - start
    t, tt, y, ty = (_since(start, part) for part in (ticks, ticks**2, late_us, ticks * late_us))
    # about the end of the window; in integers, because differences of long sums of floats lose what matters
    t, tt, ty = t - n * ticks, tt - 2 * ticks * t + n * ticks**2, ty - ticks * y
    spread = n * tt - t**2
    slope = np.divide(n * ty - t * y, spread, out=np.zeros(len(n)), where=spread > 0)
    fitted_ns: NDArray[np.float64] = (y - slope * t) / n * 1e3
    return first_packet(link) + fitted_ns


def _since(start: NDArray[np.int64], part: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each packet the sum over those from `start` up to it; exact, even if the whole sum wraps."""
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(part)])
    found: NDArray[np.int64] = sums[1:] - sums[start]
    return found


METHODS: dict[str, Mapping] = {"clock map": clock_map, "first packet": first_packet, "30 s regression": regression}


def errors_ms(link: LinkedPackets, mapped_ns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the error of a mapping at each packet once settled, without that of the device's own time stamp."""
    stamped_ns = (link.true_ticks - link.ticks) * (1e9 / CLOCK_HZ)
    late = link.taken_ns > link.taken_ns[0] + AFTER_S * 1e9
    found: NDArray[np.float64] = ((mapped_ns + stamped_ns - link.taken_ns) / 1e6)[late]
    return found


def figures(errors: NDArray[np.float64]) -> dict[str, float]:
    """Return standard deviation, worst step, mean and the furthest from it, in ms."""
    return {
        "sd_ms": float(errors.std()),
        "worst_step_ms": float(np.abs(np.diff(errors)).max()),
        "mean_ms": float(errors.mean()),
        "worst_ms": float(np.abs(errors - errors.mean()).max()),
    }


def measure(seeds: int = 3) -> dict[str, Any]:
    """Return the worst of each figure over the seeds, for every link and method; at the top, ours at 30 Hz."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for name, options in LINKS.items():
        links = [
            packets_over_link(HOUR_S, clock_hz=CLOCK_HZ, stall=STALL, seed=seed, **options) for seed in range(seeds)
        ]
        table[name] = {method: _worst(links, mapping) for method, mapping in METHODS.items()}
    ours = table["30 Hz"]["clock map"]
    return {"clock_sd_ms": ours["sd_ms"], "clock_worst_step_ms": ours["worst_step_ms"], "links": table}


def _worst(links: list[LinkedPackets], mapping: Mapping) -> dict[str, float]:
    found = [figures(errors_ms(link, mapping(link))) for link in links]
    return {key: max(one[key] for one in found) for key in found[0]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    found = measure(args.seeds)
    print(f"{'link':28} {'method':16} {'sd':>8} {'step':>8} {'worst':>8} {'constant':>9}  (ms)")
    for link, methods in found["links"].items():
        for method, one in methods.items():
            print(
                f"{link:28} {method:16} {one['sd_ms']:8.2f} {one['worst_step_ms']:8.2f} "
                f"{one['worst_ms']:8.2f} {one['mean_ms']:9.2f}"
            )
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
