"""Skin temperature: smoothed, its slope, and whether it can be a skin's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.electrodermal import passed_over, runs
from pulselet.signal.filters import SosKernel
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, check_unit, even_rate

NAMES = ("temperature", "slope", "usable")
HIGHEST_HZ = 32.0


class _State(NamedTuple):
    blocked: int  # samples still to be passed over
    previous: np.float32 | None
    held: np.float32  # the last smoothed temperature
    smooth: Samples | None
    slow: Samples | None


class SkinTemperatureKernel(Kernel):
    """Samples of temperature to rows of `NAMES`."""

    def __init__(self, stage: SkinTemperature, source: Format, rate_hz: float) -> None:
        self.source = source
        self.output = source.but(channels=len(NAMES), unit="", names=NAMES)
        follow, drift = (1 - float(np.exp(-1 / (rate_hz * s))) for s in (stage.smoothing_s, stage.slope_s))
        self.smooth = SosKernel(np.array([[follow, 0, 0, 1, follow - 1, 0]] * 2), source)
        self.slow = SosKernel(np.array([[drift, 0, 0, 1, drift - 1, 0]]), source)
        self.per_min = np.float32(60 * rate_hz * drift / (1 - drift))
        self.limits = tuple(np.float32(v) for v in (stage.lowest_c, stage.highest_c, stage.steepest_c_per_s / rate_hz))
        self.hold = round(stage.settle_s * rate_hz)
        self.latency_s = 2 * (1 - follow) / follow / rate_hz
        self.operations = 36.0

    def start(self) -> _State:
        return _State(0, None, np.float32(0), None, None)

    def step(self, state: _State, x: Samples) -> tuple[Samples, _State]:
        y = np.zeros((len(x), len(NAMES)), np.float32)
        if len(x) == 0:
            return y, state
        usable, blocked = self._usable(state, x[:, 0])
        held, smooth, slow = state.held, state.smooth, state.slow
        for begin, end in runs(usable):
            if usable[begin]:
                smoothed, smooth = self.smooth.step(smooth, x[begin:end])
                average, slow = self.slow.step(slow, smoothed)
                held = smoothed[-1, 0]
                y[begin:end, 0], y[begin:end, 2] = smoothed[:, 0], 1
                y[begin:end, 1] = (smoothed[:, 0] - average[:, 0]) * self.per_min
            else:
                y[begin:end, 0], smooth, slow = held, None, None
        return y, _State(blocked, x[-1, 0], held, smooth, slow)

    def _usable(self, state: _State, x: Samples) -> tuple[NDArray[np.bool_], int]:
        lowest, highest, steepest = self.limits
        before = np.concatenate([x[:1] if state.previous is None else np.array([state.previous]), x[:-1]])
        bad = (x < lowest) | (x > highest) | (np.abs(x - before) > steepest)
        return passed_over(bad, state.blocked, self.hold)

    def c_form(self) -> CForm:
        smooth, slow = self.smooth.c_form(), self.slow.c_form()
        return CForm(
            kind="skin_temperature",
            header="pl_temperature.h",
            fields=(
                *(("smooth", smooth), ("slow", slow)),
                *zip(("lowest_c", "highest_c", "steepest"), self.limits, strict=True),
                *(("per_min", self.per_min), ("hold", self.hold)),
            ),
            state_words=4 + smooth.state_words + slow.state_words,
        )


@dataclass(frozen=True)
class SkinTemperature(Stage):
    """Skin temperature in degC, up to 32 Hz: ("temperature", "slope", "usable").

    temperature, degC: two first-order low-passes one after the other. slope, degC per min: of that, over the last
    `slope_s` (the difference from its exponential average, which for a steady rise is the rise). usable: 0 for a sample
    out of range, or that jumps, and for `settle_s` after it; then the temperature holds, the slope is 0, and all starts
    anew afterwards. A gap starts anew. After a start the slope takes some `slope_s` to be right.

    Parameters
    ----------
    smoothing_s, slope_s
        Time constants.
    lowest_c, highest_c, steepest_c_per_s
        What skin can be. Kleckner et al. take 30 to 40 degC for worn; wrists in cool rooms are worn below 30.
    settle_s
        The time to settle (Kleckner et al.: 5 s).

    References
    ----------
    Kleckner et al., "Simple, transparent, and flexible automated quality assessment procedures for ambulatory
    electrodermal activity data", IEEE Trans. Biomed. Eng. 65 (2018).
    """

    smoothing_s: float = 4.0
    slope_s: float = 60.0
    lowest_c: float = 20.0
    highest_c: float = 43.0
    steepest_c_per_s: float = 1.0
    settle_s: float = 5.0

    def design(self, source: Format) -> SkinTemperatureKernel:
        rate_hz = even_rate(self, source)
        check(source.channels == 1, self, "one channel", source)
        check_unit(self, source, "degC")
        check(rate_hz <= HIGHEST_HZ, self, f"at most {HIGHEST_HZ:g} Hz: decimate first", f"{rate_hz:g} Hz")
        for name in ("smoothing_s", "slope_s"):
            seconds = getattr(self, name)
            check(1 / rate_hz <= seconds <= 600, self, f"{name} from a sample to 600 s", seconds)
        check(-50 <= self.lowest_c < self.highest_c <= 100, self, "-50 <= lowest < highest <= 100 degC", self)
        check(0 < self.steepest_c_per_s <= 1e6, self, "steepest_c_per_s above 0, at most 1e6", self.steepest_c_per_s)
        check(0 <= self.settle_s <= 3600, self, "settle_s from 0 to 3600", self.settle_s)
        return SkinTemperatureKernel(self, source, rate_hz)
