"""Skin conductance taken apart: its slow level, and the sympathetic drive behind its responses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.filters import LowPass, SosKernel
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, check_unit, even_rate

RISE_S, RECOVERY_S = 0.75, 2.0
"""Time constants of a skin conductance response (Benedek and Kaernbach 2010)."""
TOP_S = math.log(RECOVERY_S / RISE_S) * RISE_S * RECOVERY_S / (RECOVERY_S - RISE_S)
"""From the onset of a response to its peak."""
SMOOTHING_HZ = 0.5
FOLLOW_S = 2.0
"""How quickly the level follows the drive where its speed is not limited."""
SLOPE_S = 10.0
LOWEST_HZ, HIGHEST_HZ = 3.0, 32.0

NAMES = ("tonic", "phasic", "drive", "slope", "usable")
UNIT = 2**20
"""Parts of 1 uS in which the level is tracked: integers, so that its loop is quick and exact."""
LARGEST_US = np.float32(511.0)
LEVEL_FLOOR_US = np.float32(0.5)


def response(t_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a skin conductance response of amplitude 1 at times after its onset, s (Benedek and Kaernbach 2010)."""
    after = np.maximum(np.append(t_s, TOP_S), 0)
    shape = np.exp(-after / RECOVERY_S) - np.exp(-after / RISE_S)
    return np.asarray(shape[:-1] / shape[-1])


class _Following(NamedTuple):
    """State while the signal is usable."""

    smooth: Samples | None
    before: np.float32  # the smoothed sample before
    step: np.float32  # and the step that led to it
    level: int
    response: Samples | None
    slope: Samples | None
    tonic: np.float32


class _State(NamedTuple):
    blocked: int  # samples still to be passed over
    previous: np.float32 | None
    tonic: np.float32
    following: _Following | None


def passed_over(bad: NDArray[np.bool_], blocked: int, hold: int) -> tuple[NDArray[np.bool_], int]:
    """Return which samples are neither bad nor among the `hold` after one, and how many of the next will be.

    The first `blocked` of them are not, whatever they are.
    """
    n = len(bad)
    at = np.arange(n)
    last = np.maximum.accumulate(np.where(bad, at, -hold - 1))
    usable = (at - last > hold) & (at >= blocked)
    return usable, max(blocked - n, int(last[-1]) + hold + 1 - n, 0)


def runs(usable: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return begin and end of each run of samples that are alike."""
    edges = [0, *(int(i) for i in np.flatnonzero(usable[1:] != usable[:-1]) + 1), len(usable)]
    return list(pairwise(edges))


class ElectrodermalKernel(Kernel):
    """Samples of conductance to rows of `NAMES`."""

    def __init__(self, stage: Electrodermal, source: Format, rate_hz: float) -> None:
        self.stage, self.source, self.rate_hz = stage, source, rate_hz
        self.output = source.but(channels=len(NAMES), unit="", names=NAMES)
        self.smooth = LowPass(SMOOTHING_HZ).design(source)
        rise, recovery = (float(np.exp(-1 / (rate_hz * s))) for s in (RISE_S, RECOVERY_S))
        gain = (1 - rise) * (1 - recovery)
        self.response = SosKernel(np.array([[gain, 0, 0, 1, -rise - recovery, rise * recovery]]), source)
        slow = 1 - float(np.exp(-1 / (rate_hz * SLOPE_S)))
        self.slope = SosKernel(np.array([[slow, 0, 0, 1, slow - 1, 0]]), source)
        of_rise, of_recovery = rise / (1 - rise), recovery / (1 - recovery)
        self.step_gain = np.float32(of_rise + of_recovery)
        self.bend_gain = np.float32(of_rise * of_recovery)
        self.shift = max(0, round(np.log2(FOLLOW_S * rate_hz)))
        parts = UNIT * 2**self.shift / rate_hz
        self.up, self.down = round(stage.rise_us_per_s * parts), round(stage.fall_us_per_s * parts)
        self.hold = round(stage.settle_s * rate_hz)
        self.limits = tuple(
            np.float32(v)
            for v in (
                stage.lowest_us,
                stage.highest_us,
                stage.steepest_us_per_s / rate_hz,
                stage.steepest_fall_per_s / rate_hz,
            )
        )
        impulse = np.zeros((int(8 * rate_hz), 1), np.float32)
        impulse[1] = 1
        h = self.smooth.step(self.smooth.start(), impulse)[0][1:, 0].astype(float)
        self.latency_s = float(np.dot(np.arange(len(h)), h) / h.sum() / rate_hz)
        self.operations = 60.0

    def start(self) -> _State:
        return _State(0, None, np.float32(0), None)

    def step(self, state: _State, x: Samples) -> tuple[Samples, _State]:
        y = np.zeros((len(x), len(NAMES)), np.float32)
        if len(x) == 0:
            return y, state
        usable, blocked = self._usable(state, x[:, 0])
        following, tonic = state.following, state.tonic
        for begin, end in runs(usable):
            if usable[begin]:
                y[begin:end], following = self._follow(following, x[begin:end])
                tonic = following.tonic
            else:
                y[begin:end, 0], following = tonic, None
        return y, _State(blocked, x[-1, 0], tonic, following)

    def _usable(self, state: _State, x: Samples) -> tuple[NDArray[np.bool_], int]:
        """Return which samples are neither bad nor too soon after one, and how many of the next will be."""
        lowest, highest, steepest, steepest_fall = self.limits
        before = np.concatenate([x[:1] if state.previous is None else np.array([state.previous]), x[:-1]])
        change = x - before
        bad = (x < lowest) | (x > highest) | (np.abs(change) > steepest)
        bad |= change < -(steepest_fall * np.maximum(before, LEVEL_FLOOR_US))
        return passed_over(bad, state.blocked, self.hold)

    def _follow(self, state: _Following | None, x: Samples) -> tuple[Samples, _Following]:
        s, smooth = self.smooth.step(state.smooth if state else self.smooth.start(), x)
        smoothed = s[:, 0]
        before = state.before if state else smoothed[0]
        steps = smoothed - np.concatenate([[before], smoothed[:-1]])
        bends = steps - np.concatenate([[state.step if state else np.float32(0)], steps[:-1]])
        drive = (smoothed + self.step_gain * steps) + self.bend_gain * bends
        drive = np.minimum(np.maximum(drive, -LARGEST_US), LARGEST_US)
        whole = (drive * np.float32(UNIT)).astype(np.int32)
        level, above = self._track(state.level if state else int(whole[0]), whole)
        phasic_drive = above.astype(np.float32) * np.float32(1 / UNIT)
        phasic, response = self.response.step(state.response if state else self.response.start(), phasic_drive[:, None])
        tonic = smoothed - phasic[:, 0]
        change = tonic - np.concatenate([[state.tonic if state else tonic[0]], tonic[:-1]])
        per_min = change * np.float32(60 * self.rate_hz)
        slope, drift = self.slope.step(state.slope if state else self.slope.start(), per_min[:, None])
        y = np.stack([tonic, phasic[:, 0], phasic_drive, slope[:, 0], np.ones_like(tonic)], axis=1)
        return y, _Following(smooth, smoothed[-1], steps[-1], level, response, drift, tonic[-1])

    def _track(self, level: int, drive: NDArray[np.int32]) -> tuple[int, NDArray[np.int32]]:
        """Return the level after following the drive, and how far the drive is above it at each sample."""
        up, down, shift, above = self.up, -self.down, self.shift, []
        for value in drive.tolist():
            error = value - level
            above.append(error)
            level += (up if error > up else down if error < down else error) >> shift
        return level, np.array(above, np.int32)

    def c_form(self) -> CForm:
        kernels = (self.smooth, self.response, self.slope)
        names = ("lowest_us", "highest_us", "steepest", "steepest_fall")
        return CForm(
            kind="electrodermal",
            header="pl_electrodermal.h",
            fields=(
                *((name, k.c_form()) for name, k in zip(("smooth", "response", "slope"), kernels, strict=True)),
                *zip(names, self.limits, strict=True),
                ("step_gain", self.step_gain),
                ("bend_gain", self.bend_gain),
                ("per_min", np.float32(60 * self.rate_hz)),
                *(("up", self.up), ("down", self.down), ("shift", self.shift), ("hold", self.hold)),
            ),
            state_words=8 + sum(k.c_form().state_words for k in kernels),
        )


@dataclass(frozen=True)
class Electrodermal(Stage):
    """Skin conductance in uS, 3 to 32 Hz, taken apart: ("tonic", "phasic", "drive", "slope", "usable").

    The conductance is smoothed and passed through the inverse of a response's shape, which turns each response back
    into the short burst of sympathetic drive that made it, and leaves a steady level as it is (the idea of Benedek and
    Kaernbach, who do it over a whole recording). A tracker whose speed is limited follows the level beneath the bursts;
    what is above it is the `drive`, uS; the drive passed through the shape of a response again is `phasic`, uS; the
    rest is `tonic`, uS, and `slope` is its smoothed change in uS per min. So all of it is causal, and overlapping
    responses do not lift the level. Everything is late by the smoothing (`latency_s`).

    `usable` is 0 for a sample out of range (contact lost, or the sensor's limit), or that changes too fast, and for
    `settle_s` after it; then tonic holds, the others are 0, and all starts anew afterwards. A gap starts anew.

    Parameters
    ----------
    rise_us_per_s, fall_us_per_s
        How fast the level may rise and fall. A level that rises faster counts as phasic in part.
    lowest_us, highest_us, steepest_us_per_s, settle_s
        What is out of range and too fast, and the time to settle: the limits of Kleckner et al.
    steepest_fall_per_s
        A fall by more than this part of the level (at least 0.5 uS) in 1 s is too fast: skin recovers slowly, and only
        lost contact is quicker. A limit of ours.

    References
    ----------
    Benedek and Kaernbach, "A continuous measure of phasic electrodermal activity", J. Neurosci. Methods 190 (2010);
    Kleckner et al., "Simple, transparent, and flexible automated quality assessment procedures for ambulatory
    electrodermal activity data", IEEE Trans. Biomed. Eng. 65 (2018).
    """

    rise_us_per_s: float = 0.02
    fall_us_per_s: float = 0.1
    lowest_us: float = 0.05
    highest_us: float = 60.0
    steepest_us_per_s: float = 10.0
    steepest_fall_per_s: float = 0.5
    settle_s: float = 5.0

    def design(self, source: Format) -> ElectrodermalKernel:
        rate_hz = even_rate(self, source)
        check(source.channels == 1, self, "one channel", source)
        check_unit(self, source, "uS")
        check(LOWEST_HZ <= rate_hz <= HIGHEST_HZ, self, f"{LOWEST_HZ:g} to {HIGHEST_HZ:g} Hz", f"{rate_hz:g} Hz")
        for name in ("rise_us_per_s", "fall_us_per_s"):
            check(0.001 <= getattr(self, name) <= 10, self, f"{name} from 0.001 to 10", getattr(self, name))
        for name in ("steepest_us_per_s", "steepest_fall_per_s"):
            check(0 < getattr(self, name) <= 1e6, self, f"{name} above 0, at most 1e6", getattr(self, name))
        check(0 <= self.lowest_us < self.highest_us <= 100, self, "0 <= lowest < highest <= 100 uS", self)
        check(0 <= self.settle_s <= 3600, self, "settle_s from 0 to 3600", self.settle_s)
        return ElectrodermalKernel(self, source, rate_hz)
