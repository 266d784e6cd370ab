"""Steps: peaks of the filtered norm of the acceleration, counted once they come regularly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.filters import SosKernel
from pulselet.signal.motion import LONGEST_SINCE, NOTHING, magnitude, three_axes
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check

BAND_HZ = (0.7, 3.5)
TYPICAL_HZ = 1.8
RUN = 4
"""Steps that have to follow each other regularly before the first of them counts."""
FARTHEST = 2**30
"""Places are kept no further away than this, far beyond what `since` says."""
LEAST_OF_LAST = np.float32(4.0)
"""A peak so many times lower than the last step is the ringing of the filter after it."""


@dataclass(frozen=True)
class _Gait:
    """Places are of samples, counted from the next one: 0 or less. None of them is further away than it matters."""

    filtered: Any
    last: Samples  # (0..2,) filtered values
    origin: int = 0  # of the last event, or the start
    peak: int | None = None  # that may still give way to a higher one
    height: np.float32 = NOTHING
    waiting: tuple[int, ...] = ()  # steps of a run that is too short yet
    run: int = 0
    step: int = 0  # the last one of the run
    tall: np.float32 = NOTHING  # its height
    interval: int = 0  # before it

    def moved(self, n: int) -> _Gait:
        """Return the state as seen `n` samples later."""
        return replace(
            self,
            origin=max(self.origin - n, -FARTHEST),
            peak=None if self.peak is None else self.peak - n,
            waiting=tuple(place - n for place in self.waiting),
            step=max(self.step - n, -FARTHEST),
        )


class StepsKernel(Kernel):
    """Rows `(3,)` to events `(since, interval)`."""

    def __init__(self, stage: Steps, sos: NDArray[np.float64], delay_s: float, rate_hz: float, source: Format) -> None:
        self.smooth = SosKernel(sos, source.but(channels=1))
        self.least_g = np.float32(stage.least_g)
        self.period_s = np.float32(1 / rate_hz)
        self.shortest, self.longest = (round(v * rate_hz) for v in (stage.shortest_s, stage.longest_s))
        self.source = source
        self.output = Format(None, 2, "", names=("since", "interval"), clock_hz=rate_hz)
        self.latency_s = delay_s + (RUN - 1) * stage.longest_s + stage.shortest_s
        self.operations = self.smooth.operations + 10.0

    def start(self) -> _Gait:
        return _Gait(self.smooth.start(), np.empty(0, np.float32))

    def step(self, state: _Gait, x: Samples) -> tuple[Samples, _Gait]:
        filtered, after = self.smooth.step(state.filtered, magnitude(x)[:, None])
        rows: list[list[np.float32]] = []
        values = np.concatenate([state.last, filtered[:, 0]])
        known, middle = len(state.last), values[1:-1]
        tops = (values[:-2] < middle) & (middle >= values[2:]) & (middle >= self.least_g)
        for at in np.flatnonzero(tops) + 1:
            place = int(at) - known
            state = self._confirmed(state, place, rows)
            if state.peak is None or values[at] > state.height:
                state = replace(state, peak=place, height=values[at])
        state = self._confirmed(state, len(x) - 1, rows)
        state = replace(state, filtered=after, last=values[-2:].copy()).moved(len(x))
        return np.array(rows, np.float32).reshape(-1, 2), state

    def _confirmed(self, state: _Gait, now: int, rows: list[list[np.float32]]) -> _Gait:
        """Return the state in which the last peak is a step, if it is old enough `now`, and add rows for its events."""
        if state.peak is None or now - state.peak < self.shortest:
            return state
        place, interval = state.peak, state.peak - state.step
        follows = state.run > 0 and interval <= self.longest
        if follows and LEAST_OF_LAST * state.height < state.tall:
            return replace(state, peak=None)
        steady = state.run == 1 or 5 * abs(interval - state.interval) <= 2 * state.interval
        state = replace(state, peak=None, tall=state.height)
        if not (follows and steady):
            return replace(state, run=1, waiting=(place,), step=place, interval=0)
        run, origin, before = min(state.run + 1, RUN), state.origin, state.step
        waiting = (*state.waiting, place)
        if run == RUN:
            for i, one in enumerate(waiting):
                first = i == 0 and len(waiting) > 1
                took = np.float32(0 if first else one - before) * self.period_s
                rows.append([np.float32(min(one - origin, LONGEST_SINCE)), took])
                origin = before = one
            waiting = ()
        return replace(state, run=run, waiting=waiting, step=place, interval=interval, origin=origin)

    def gap(self, state: _Gait, lost: int) -> tuple[int, _Gait]:
        return 0, replace(self.start(), origin=max(state.origin - lost, -FARTHEST))

    def c_form(self) -> CForm:
        form = self.smooth.c_form()
        fields = (
            ("smooth", form),
            ("least_g", self.least_g),
            ("period_s", self.period_s),
            ("shortest", self.shortest),
            ("longest", self.longest),
        )
        return CForm("steps", "pl_steps.h", fields, state_words=14 + form.state_words, rows=RUN, has_gap=True)


@dataclass(frozen=True)
class Steps(Stage):
    """An event for each step of a walk, from acceleration in g at the trunk, the pocket or the wrist.

    The norm of the acceleration goes through a band-pass of 0.7 to 3.5 Hz. Its peaks of `least_g` or more, of those
    closer than `shortest_s` the highest, are steps once four of them follow each other in intervals of `longest_s` at
    most, each within 40 % of the one before, each peak at least a quarter as high as the last. Peaks as in Brajdic and
    Harle (UbiComp 2013); continuity and similarity as in Gu et al., "Robust and accurate smartphone-based step counting
    for indoor localization" (IEEE Sensors Journal 17(11), 2017). The first four of a walk go out together.

    An event says the samples since the last one and the time since the last step in s, 0 for the first of a walk. A gap
    ends the walk, the count of samples goes on.
    """

    least_g: float = 0.05
    shortest_s: float = 0.25
    longest_s: float = 1.5

    def design(self, source: Format) -> StepsKernel:
        from scipy.signal import butter, sosfreqz

        rate_hz = three_axes(self, source)
        check(rate_hz >= 4 * BAND_HZ[1], self, f"a rate of {4 * BAND_HZ[1]:g} Hz or more", f"{rate_hz:g} Hz")
        check(rate_hz <= 400, self, "a rate of 400 Hz or less (decimate before)", f"{rate_hz:g} Hz")
        check(0 < self.least_g < 1e6, self, "least_g above 0", self.least_g)
        ordered = 2 / rate_hz <= self.shortest_s < self.longest_s <= 60
        check(ordered, self, "two samples <= shortest_s < longest_s <= 60 s", (self.shortest_s, self.longest_s))
        sos = cast("NDArray[np.float64]", butter(2, BAND_HZ, "bandpass", fs=rate_hz, output="sos"))
        near = np.array([0.99, 1.01]) * TYPICAL_HZ
        turn = np.angle(np.divide(*sosfreqz(sos, near, fs=rate_hz)[1]))
        delay_s = float(turn / (2 * np.pi * (near[1] - near[0])))
        return StepsKernel(self, sos, delay_s, rate_hz, source)
