"""How far a packet is after the last one, when its index has 16 bits and its clock 32."""

from __future__ import annotations

import math

WRAP, CLOCK_WRAP = 2**16, 2**32


def nearest(ticks: int) -> int:
    """Return a difference of ticks modulo 2**32 as the one nearest to 0."""
    return (ticks + CLOCK_WRAP // 2) % CLOCK_WRAP - CLOCK_WRAP // 2


def went_on(
    step: int, near: int, rate_hz: float, clock_hz: int, window_s: tuple[float, float] | None
) -> tuple[int | None, int | None]:
    """Return samples and ticks since the last packet, None where nobody can tell; `step`, `near`: but for rounds."""
    if window_s is None:
        return _by_clock(step, near * rate_hz / clock_hz), near
    ticks = _believed(step, near, rate_hz, clock_hz, window_s)
    if ticks is None:
        return _by_arrival(step, rate_hz, window_s), None
    return _by_clock(step, ticks * rate_hz / clock_hz), ticks


def _believed(step: int, near: int, rate_hz: float, clock_hz: int, window_s: tuple[float, float]) -> int | None:
    """Return the ticks since the last packet; None if the clock has jumped."""
    least, most = (round(one_s * clock_hz) for one_s in window_s)
    off = (near * rate_hz / clock_hz - step + WRAP / 2) % WRAP - WRAP / 2
    if near >= 0 and abs(off) <= max(rate_hz, 1.5):  # to a second the index says the same, whenever it arrives
        return near
    fitting = range(least + (near - least) % CLOCK_WRAP, most + 1, CLOCK_WRAP)
    return fitting[0] if fitting else None


def _by_clock(step: int, estimate: float) -> int:
    """Return how many samples a packet is after the last one, by the index and how many there should be."""
    rounds = round((estimate - step) / WRAP)
    if rounds < 0:  # a late packet, or a clock that stepped back: less than half a round either way
        rounds = -1 if step >= WRAP // 2 else 0
    return step + WRAP * rounds


def _by_arrival(step: int, rate_hz: float, window_s: tuple[float, float]) -> int | None:
    """Return how many samples a packet is after the last one, by the index and the arrival; None if several fit."""
    least, most = math.floor(window_s[0] * rate_hz), math.ceil(window_s[1] * rate_hz)
    first = max(least, 0)
    fitting = range(first + (step - first) % WRAP, most + 1, WRAP)
    if len(fitting) == 1:
        return fitting[0]
    return None if fitting or least > 0 else _by_clock(step, 0.0)
