"""How much and which way a wearer moves: ENMO, posture angles, and impacts after free fall."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pulselet.signal import maths
from pulselet.signal.filters import LowPass, SosKernel
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, check_unit, even_rate
from pulselet.signal.window import whole_samples

AXES = 3
NOTHING = np.float32(0.0)
ENMO_LIMIT_G, ENMO_STEPS = np.float32(2048.0), np.float32(65536.0)
LONGEST_SINCE = 2**24
"""`since` stops here: the largest count below which float32 holds every whole number."""


def three_axes(stage: Stage, source: Format) -> float:
    """Return the rate; PipelineError unless what comes in is acceleration in g along three axes at an even rate."""
    rate_hz = even_rate(stage, source)
    check_unit(stage, source, "g")
    check(source.channels == AXES, stage, "three axes", source.channels)
    return rate_hz


def magnitude(x: Samples) -> Samples:
    """Return the Euclidean norm `(n,)` of rows `(n, 3)`."""
    return np.asarray(np.sqrt((x[:, 0] * x[:, 0] + x[:, 1] * x[:, 1]) + x[:, 2] * x[:, 2]))


def after_gap(position: int, lost: int, length: int) -> tuple[int, int]:
    """Return the epochs that a gap touches, and the position from the beginning of the next one: 0 or less."""
    end = position + lost
    dropped = 0 if end <= 0 else (end - 1) // length + 1
    return dropped, end - dropped * length


def _norm_minus_one(x: Samples) -> Samples:
    return np.asarray(np.maximum(magnitude(x) - np.float32(1.0), NOTHING))


class EnmoKernel(Kernel):
    """Rows `(3,)` to rows `(1,)`; no state."""

    def __init__(self, source: Format) -> None:
        self.source = source
        self.output = source.but(channels=1)
        self.operations = 8.0

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        return _norm_minus_one(x)[:, None], None

    def c_form(self) -> CForm:
        return CForm("enmo", "pl_motion.h", (("axes", AXES),), state_words=0)


class EnmoEpochKernel(Kernel):
    """The mean over epochs, of whole steps of 2**-16 g, so that no order of summing matters.

    The state is the position in the epoch (negative: samples until it begins) and the sum of steps.
    """

    def __init__(self, length: int, rate_hz: float, source: Format) -> None:
        self.length = length
        self.scale = np.float32(1.0 / (length * float(ENMO_STEPS)))
        self.source = source
        self.output = Format(rate_hz / length, 1, "g")
        self.latency_s = (length - 1) / rate_hz
        self.operations = 11.0

    def start(self) -> tuple[int, int]:
        return 0, 0

    def step(self, state: tuple[int, int], x: Samples) -> tuple[Samples, tuple[int, int]]:
        position, total = state
        begin = min(len(x), max(0, -position))
        value = np.minimum(_norm_minus_one(x[begin:]), ENMO_LIMIT_G)
        steps = (value * ENMO_STEPS + np.float32(0.5)).astype(np.int64)
        sums = np.concatenate([[0], np.cumsum(steps)])
        end = position + len(x)
        complete = max(0, end // self.length)
        edges = np.arange(1, complete + 1) * self.length - (position + begin)
        totals = np.diff(np.concatenate([[-total], sums[edges]]))
        left = int(sums[-1] - sums[edges[-1]]) if complete else total + int(sums[-1])
        high, low = (totals >> 32).astype(np.float32), (totals & 0xFFFFFFFF).astype(np.float32)
        mean = (high * np.float32(2.0**32) + low) * self.scale
        return mean[:, None], (end - complete * self.length, left)

    def gap(self, state: tuple[int, int], lost: int) -> tuple[int, tuple[int, int]]:
        dropped, position = after_gap(state[0], lost, self.length)
        return dropped, (position, 0)

    def c_form(self) -> CForm:
        fields = (("length", self.length), ("scale", self.scale))
        return CForm("enmo_epoch", "pl_motion.h", fields, state_words=3, has_gap=True)


@dataclass(frozen=True)
class Enmo(Stage):
    """Euclidean norm of the acceleration minus one, negative values to 0, in g (van Hees et al., PLoS ONE 8(4), 2013).

    Of each sample, or with `epoch_s` above 0 the mean over epochs; multiply by 1000 for the mg of the paper. A gap
    loses the epochs that it touches, the others keep their places. A sample counts as 2048 g at most in a mean.
    """

    epoch_s: float = 0.0

    def design(self, source: Format) -> EnmoKernel | EnmoEpochKernel:
        rate_hz = three_axes(self, source)
        if self.epoch_s == 0.0:
            return EnmoKernel(source)
        return EnmoEpochKernel(whole_samples(self, "epoch", self.epoch_s, rate_hz), rate_hz, source)


class PostureKernel(Kernel):
    """Rows `(x, y, z)` to rows `(pitch, roll, inclination)` in degrees; the state is that of the low-pass."""

    degrees = np.float32(180 / np.pi)

    def __init__(self, smooth: SosKernel, latency_s: float, source: Format) -> None:
        self.smooth = smooth
        self.source = source
        self.output = source.but(unit="deg", names=("pitch", "roll", "inclination"))
        self.latency_s = latency_s
        self.operations = smooth.operations + 75.0

    def start(self) -> Any:
        return self.smooth.start()

    def step(self, state: Any, x: Samples) -> tuple[Samples, Any]:
        still, state = self.smooth.step(state, x)
        a, b, c = still.T
        aa, bb, cc = a * a, b * b, c * c
        angles = (maths.atan2(-a, np.sqrt(bb + cc)), maths.atan2(b, c), maths.atan2(np.sqrt(aa + bb), c))
        return np.stack([angle * self.degrees for angle in angles], axis=1), state

    def c_form(self) -> CForm:
        form = self.smooth.c_form()
        fields = (("smooth", form), ("degrees", self.degrees))
        return CForm("posture", "pl_motion.h", fields, state_words=form.state_words)


@dataclass(frozen=True)
class PostureAngles(Stage):
    """Pitch, roll and inclination in degrees, of what a low-pass leaves of the acceleration: mostly gravity.

    Axes as x forward, y to the left, z up, so that z shows 1 g at rest. Pitch (-90 to 90) is the turn about y, positive
    with x downward; roll (-180 to 180) the turn about x, positive with y upward; inclination (0 to 180) the angle
    between z and the vertical. Formulas of Pedley, "Tilt sensing using a three-axis accelerometer", NXP AN3461, 2013.
    At 0 g all angles are 0.
    """

    cutoff_hz: float = 0.5

    def design(self, source: Format) -> PostureKernel:
        three_axes(self, source)
        smooth = LowPass(self.cutoff_hz, order=2).design(source)
        return PostureKernel(smooth, float(np.sqrt(2) / (2 * np.pi * self.cutoff_hz)), source)


@dataclass(frozen=True)
class _Watch:
    """State of `ImpactKernel`; counts are of samples."""

    since: int = 0  # of the next sample, since the last impact or the start
    whole: bool = True  # nothing lost since then
    run: int = 0  # below the free-fall threshold, up to now
    fall: int = 0  # length of the last long enough run
    left: int = 0  # during which an impact belongs to it
    settle: int = 0  # still to look at after the impact
    before: int = 0  # `since` of the impact looked at
    peak: np.float32 = NOTHING
    moved: int = 0  # after the impact, up to the last one out of rest


class ImpactKernel(Kernel):
    """Rows `(3,)` to events `(since, peak, free_fall, rest, whole)`."""

    def __init__(self, stage: Impact, lengths: tuple[int, int, int], rate_hz: float, source: Format) -> None:
        self.free_fall_g, self.impact_g = np.float32(stage.free_fall_g), np.float32(stage.impact_g)
        self.rest_g, self.period_s = np.float32(stage.rest_g), np.float32(1 / rate_hz)
        self.shortest, self.within, self.settle = lengths
        self.source = source
        names = ("since", "peak", "free_fall", "rest", "whole")
        self.output = Format(None, len(names), names=names, clock_hz=rate_hz)
        self.latency_s = (self.settle - 1) / rate_hz
        self.operations = 9.0

    def start(self) -> _Watch:
        return _Watch()

    def step(self, state: _Watch, x: Samples) -> tuple[Samples, _Watch]:
        size, rows, at = magnitude(x), [], 0
        while at < len(size):
            if state.settle:
                taken, state, row = self._settling(state, size[at:])
                rows += row
            else:
                taken, state = self._watching(state, size[at:])
            at += taken
        return np.array(rows, np.float32).reshape(-1, self.output.width), state

    def _watching(self, state: _Watch, size: Samples) -> tuple[int, _Watch]:
        """Return how many samples were looked at before an impact, and the state."""
        up = np.flatnonzero(size >= self.free_fall_g)
        runs = np.diff(np.concatenate([[-1 - state.run], up])) - 1
        ends = up[runs >= self.shortest]
        falls = np.concatenate([[state.fall], runs[runs >= self.shortest]])
        until = np.concatenate([[state.left], ends + self.within])  # an impact from here on is too late
        hits = np.flatnonzero(size >= self.impact_g)
        last = np.searchsorted(ends, hits, side="right")
        hits, last = hits[hits < until[last]], last[hits < until[last]]
        if len(hits):
            hit = int(hits[0])
            since = min(state.since + hit, LONGEST_SINCE)
            return hit, _Watch(0, state.whole, fall=int(falls[last[0]]), settle=self.settle, before=since)
        n = len(size)
        run = n - 1 - int(up[-1]) if len(up) else state.run + n
        return n, replace(
            state,
            since=min(state.since + n, LONGEST_SINCE),
            run=min(run, LONGEST_SINCE),
            fall=int(falls[-1]),
            left=max(0, int(until[-1]) - n),
        )

    def _settling(self, state: _Watch, size: Samples) -> tuple[int, _Watch, list[list[np.float32]]]:
        size = size[: state.settle]
        n, gone = len(size), self.settle - state.settle
        moving = np.flatnonzero(np.abs(size - np.float32(1.0)) > self.rest_g)
        moved = gone + int(moving[-1]) + 1 if len(moving) else state.moved
        peak = max(state.peak, np.float32(size.max()))
        if n < state.settle:
            return n, replace(state, since=state.since + n, settle=state.settle - n, peak=peak, moved=moved), []
        fall_s, rest_s = (np.float32(v) * self.period_s for v in (state.fall, moved))
        row = [np.float32(state.before), peak, fall_s, rest_s, np.float32(state.whole)]
        return n, _Watch(since=min(state.since + n, LONGEST_SINCE)), [row]

    def gap(self, state: _Watch, lost: int) -> tuple[int, _Watch]:
        since = state.since + lost + (state.before if state.settle else 0)
        return 0, _Watch(since=min(since, LONGEST_SINCE), whole=False)

    def c_form(self) -> CForm:
        fields = (
            ("free_fall_g", self.free_fall_g),
            ("impact_g", self.impact_g),
            ("rest_g", self.rest_g),
            ("period_s", self.period_s),
            ("shortest", self.shortest),
            ("within", self.within),
            ("settle", self.settle),
        )
        return CForm("impact", "pl_motion.h", fields, state_words=9, has_gap=True)


@dataclass(frozen=True)
class Impact(Stage):
    """An event for each impact that follows a free fall, `settle_s` after it.

    The norm of the acceleration stays below `free_fall_g` for `shortest_s` at least, and within `within_s` of its end
    reaches `impact_g`. The event says the samples since the last one, the highest norm in the `settle_s` from the
    impact on (g), how long the fall was (s), how long after the impact the norm last was more than `rest_g` away from
    1 g (s), and whether nothing was lost since the last event (1 or 0). A gap ends what was being looked at.

    The thresholds are those that later work quotes from Bourke, O'Brien and Lyons (Gait & Posture 26, 2007) for a
    sensor at the thigh, 0.60 and 2.74 g; 0.41 and 3.52 g at the trunk, where their upper one alone told all their falls
    (not compared with the full text). The times are our own. It tells features of impacts, and is no validated fall
    detector.
    """

    free_fall_g: float = 0.6
    impact_g: float = 2.74
    rest_g: float = 0.2
    shortest_s: float = 0.08
    within_s: float = 1.0
    settle_s: float = 2.0

    def design(self, source: Format) -> ImpactKernel:
        rate_hz = three_axes(self, source)
        ordered = 0 < self.free_fall_g < 1 < self.impact_g < 1e6
        check(ordered, self, "0 < free_fall_g < 1 < impact_g", (self.free_fall_g, self.impact_g))
        check(0 < self.rest_g < 1e6, self, "rest_g above 0", self.rest_g)
        lengths: list[int] = []
        for name in ("shortest_s", "within_s", "settle_s"):
            seconds = getattr(self, name)
            check(1 <= seconds * rate_hz <= 1e6, self, f"{name} from a sample to a million", seconds)
            lengths.append(round(seconds * rate_hz))
        return ImpactKernel(self, (lengths[0], lengths[1], lengths[2]), rate_hz, source)
