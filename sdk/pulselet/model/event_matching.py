"""Which events were found by which alarms, in one recording."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ModelError

Floats = NDArray[np.float64]


class Matched(NamedTuple):
    """One recording: which events were hit, which alarms were right, delays, and seconds of events, alarms and both."""

    hit: NDArray[np.bool_]
    right: NDArray[np.bool_]
    delay_s: Floats  # of the events hit
    true_s: float
    found_s: float
    both_s: float


def intervals_of(name: str, intervals: Any, duration_s: float, recording: int) -> Floats:
    """Return begins and ends `(k, 2)` in seconds, checked.

    Raises
    ------
    ModelError
        If one is not a pair, ends before it begins, lies outside the recording, or begins before the last has ended.
    """
    found = np.asarray(intervals, np.float64).reshape(len(intervals), -1) if len(intervals) else np.zeros((0, 2))
    where = f"recording {recording}"
    if found.shape[1] != 2 or not np.isfinite(found).all():
        raise ModelError(f"{where}: wanted begin and end of each {name} in seconds, got an array {found.shape}")
    if not (np.isfinite(duration_s) and duration_s > 0):
        raise ModelError(f"{where}: wanted a duration above 0 s, got {duration_s}")
    checks = (
        (found[:, 1] < found[:, 0], "ends before it begins"),
        ((found[:, 0] < 0) | (found[:, 1] > duration_s), f"lies outside the recording of {duration_s:g} s"),
        (np.concatenate([[False], found[1:, 0] < found[:-1, 1]])[: len(found)], "begins before the last has ended"),
    )
    for bad, what in checks:
        if bad.any():
            i = int(bad.argmax())
            raise ModelError(f"{where}: {name} {i}, {found[i, 0]:g} to {found[i, 1]:g} s, {what}")
    return found


def match(true: Floats, found: Floats, overlap: float, early_s: float, late_s: float) -> Matched:
    """Return which of the events `true` `(k, 2)` and alarms `found` `(m, 2)` meet; see `event_figures` for the rule."""
    wide = np.stack([true[:, 0] - early_s, true[:, 1] + late_s], axis=1)
    shared = np.minimum(wide[:, None, 1], found[None, :, 1]) - np.maximum(wide[:, None, 0], found[None, :, 0])
    instant = (wide[:, 1] == wide[:, 0])[:, None] | (found[:, 1] == found[:, 0])[None]
    touch = (shared > 0) | (instant & (shared == 0))
    covered = np.where(touch, shared, 0.0)
    hit = _covered(covered.sum(axis=1), wide, touch.any(axis=1), overlap)
    right = _covered(covered.sum(axis=0), found, touch.any(axis=0), overlap)
    first = np.where(touch, found[None, :, 0], np.inf).min(axis=1, initial=np.inf)
    exact = np.minimum(true[:, None, 1], found[None, :, 1]) - np.maximum(true[:, None, 0], found[None, :, 0])
    true_s, found_s = (float((part[:, 1] - part[:, 0]).sum()) for part in (true, found))
    return Matched(hit, right, (first - true[:, 0])[hit], true_s, found_s, float(np.maximum(exact, 0).sum()))


def _covered(seconds: Floats, what: Floats, touched: NDArray[np.bool_], overlap: float) -> NDArray[np.bool_]:
    """Return which intervals the others cover by more than the share `overlap`; an instant, if they touch it."""
    length = what[:, 1] - what[:, 0]
    enough: NDArray[np.bool_] = touched & ((length == 0) | (overlap == 0) | (seconds > overlap * length))
    return enough


def shifted(intervals: Floats, duration_s: float, place: float) -> Floats:
    """Return intervals moved round a recording; its new begin is at `place`, 0 to below 1, of the time between them."""
    free_from, free_to = np.append(0.0, intervals[:, 1]), np.append(intervals[:, 0], duration_s)
    until = np.cumsum(free_to - free_from)
    if until[-1] <= 0:
        return intervals
    gap = int(np.searchsorted(until, place * until[-1], side="right"))
    origin = free_to[gap] - (until[gap] - place * until[-1])
    length = intervals[:, 1] - intervals[:, 0]
    begin = (intervals[:, 0] - origin) % duration_s
    moved = np.stack([begin, np.minimum(begin + length, duration_s)], axis=1)
    return moved[np.argsort(begin, kind="stable")]
