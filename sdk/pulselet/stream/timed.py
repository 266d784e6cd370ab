"""From frames that carry a device time, but no number, to blocks and gaps: loss is read off the device's clock."""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError
from pulselet.stream.block import DISCONNECTED, JUMPED, LOST, Block, Gap, Signal
from pulselet.stream.count import Count
from pulselet.stream.pace import Pace

NS = 1_000_000_000
BACK_S = 5.0  # further back is another clock
FORWARD_S, AWAY_S = 3600.0, 86400.0  # further forward is another clock: while streaming, and after a disconnection
REMEMBERED = 256  # frames and gaps in which a late one is looked for
FOLLOW, FOLLOW_RATE, DRIFT = 0.25, 0.03, 0.03  # shares of a deviation that are believed; largest error of the rate


@dataclass
class SampleClock:
    """When the device takes its samples: an alpha-beta filter on the times that it reports.

    Real devices are off their nominal rate by up to 2 %, and report times that scatter.
    """

    anchor_ns: int  # time of the last sample
    period_ns: float
    nominal_ns: float

    def steps(self, time_ns: int) -> float:
        """Return how many samples after the last one a time is."""
        return (time_ns - self.anchor_ns) / self.period_ns

    def advance(self, samples: int) -> None:
        """Go on by so many samples."""
        self.anchor_ns += round(samples * self.period_ns)

    def follow(self, time_ns: int, samples: int) -> None:
        """Go on by so many samples, and believe a share of how far `time_ns` is from where that leads."""
        self.advance(samples)
        error_ns = time_ns - self.anchor_ns
        self.anchor_ns += round(FOLLOW * error_ns)
        period = self.period_ns + FOLLOW_RATE * error_ns / samples
        self.period_ns = min(max(period, self.nominal_ns * (1 - DRIFT)), self.nominal_ns * (1 + DRIFT))


class TimedAssembler:
    """Turns the frames of one stream into blocks and gaps.

    A frame is expected where the clock puts the sample after the last one. Later than that by more than half a frame
    means that samples are lost. Earlier by less than 5 s means that the frame came before, that it was overtaken by
    another, or that the device's clock stepped back, which real ones do and which loses nothing.

    Later than can have arrived by now, or after a disconnection much sooner than by the host's clock, means that the
    device's clock was set: a gap of unknown size. So does, before the pace of the stream is known (see `Pace`), a step
    of more than an hour. What the host's clock missed, because the computer slept, looks the same.

    What cannot be seen: the loss of fewer samples than half of the smallest frame of late. A clock that is set ahead by
    less than 2 s and 3 % of the time since the last frame, or before the pace is known, is taken for loss.

    Parameters
    ----------
    signal
        What the samples are; it has a rate and a device clock.
    """

    def __init__(self, signal: Signal) -> None:
        if signal.rate_hz is None or signal.clock_hz is None:
            raise PulseletError(f"signal {signal.name!r}: loss by the clock wants a rate and a device clock")
        self.signal = signal
        self.count = Count()
        self._clock = SampleClock(0, NS / signal.rate_hz, NS / signal.rate_hz)
        self._clock_hz = Fraction(signal.clock_hz)
        self._pace = Pace()
        self._begun = self._resumed = False
        self._begin = 0  # index at which the device's present clock began
        self._stepped: float | None = None  # deviation of the last frame, if it stepped back
        self._sizes: deque[int] = deque(maxlen=8)
        self._scatter: deque[float] = deque(maxlen=8)  # deviations of late, but for gaps
        self._frames: deque[tuple[int, int, int]] = deque(maxlen=REMEMBERED)
        self._gaps: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)

    @property
    def rate_hz(self) -> float:
        """The rate by the device's own clock, as far as it is known."""
        return NS / self._clock.period_ns

    def resume(self) -> None:
        """Go on after the link was down: what is missing was lost to that, and no older frame can come."""
        self._resumed = self._begun
        self._frames.clear()
        self._gaps.clear()

    def feed(self, values: NDArray[np.float32], time_ns: int, arrival_ns: int) -> list[Block | Gap]:
        """Return what one frame adds: a gap, a block, both or nothing.

        Parameters
        ----------
        values
            float32 `(n, channels)`, n above 0.
        time_ns
            Device clock at the *last* sample.
        arrival_ns
            Host monotonic clock; always the same if it is not known.

        Raises
        ------
        PulseletError
            If the values do not fit the signal; the state is as before.
        """
        Block(self.signal, values, 0, None, arrival_ns)  # checks the values
        size = len(values)
        if not size:
            raise PulseletError(f"signal {self.signal.name!r}: wanted a frame with samples, got none")
        frame = time_ns, size, zlib.crc32(values.tobytes())
        deviation = self._clock.steps(time_ns) - size
        if self._begun and self._came_before(frame, deviation):
            self.count.repeated += size
            return []
        before_ns = self._clock.anchor_ns
        found: list[Block | Gap] = list(self._place(time_ns, size, deviation, self._pace.window_s(arrival_ns)))
        found.append(Block(self.signal, values, self.count.expected, self._ticks(time_ns, size), arrival_ns))
        self.count.received += size
        self._pace.follow((self._clock.anchor_ns - before_ns) / NS, arrival_ns)
        self._frames.append(frame)
        self._sizes.append(size)
        self._resumed = False
        return found

    def _came_before(self, frame: tuple[int, int, int], deviation: float) -> bool:
        """Whether a frame is a repetition, or was overtaken and declared lost, or is older than the stream."""
        if frame in self._frames:
            return True
        size = frame[1]
        if self._resumed or deviation > -self._tolerance(size):
            return False
        first = self.count.expected + deviation
        slack = max(1.5, size / 4)
        older = first + size <= self._begin + slack and self._seconds(deviation) > -BACK_S
        return older or any(a - slack <= first and first + size <= b + slack for a, b in self._gaps)

    def _place(self, time_ns: int, size: int, deviation: float, window_s: tuple[float, float] | None) -> list[Gap]:
        """Move the clock on to a fresh frame, and return the gap before it, if there is one."""
        if not self._begun:
            self._begun = True
            self._start(time_ns)
            return []
        tolerance = self._tolerance(size)
        if self._jumped(deviation, tolerance) or self._is_set(size + deviation, deviation > tolerance, window_s):
            self._start(time_ns)
            return [Gap(self.signal, self.count.expected, None, DISCONNECTED if self._resumed else JUMPED)]
        if deviation <= tolerance:
            self._scatter.append(abs(deviation))
        if deviation < -tolerance:
            self._step_back(time_ns, size, deviation, tolerance)
            return []
        self._stepped = None
        lost = self._missing(deviation) if deviation > tolerance else 0
        self._clock.follow(time_ns, size + lost)
        return [self._lose(lost)] if lost else []

    def _missing(self, deviation: float) -> int:
        """Return how many samples are missing.

        Where the clock scatters by more than a sample, these are whole frames, if all of late were of one length.
        """
        if len(set(self._sizes)) == 1 and max(self._scatter, default=0.0) > 1.0 and not self._resumed:
            return max(1, round(deviation / self._sizes[0])) * self._sizes[0]
        return round(deviation)

    def _lose(self, lost: int) -> Gap:
        first = self.count.expected
        self.count.lost += lost
        self._gaps.append((first, first + lost))
        return Gap(self.signal, first, lost, DISCONNECTED if self._resumed else LOST)

    def _step_back(self, time_ns: int, size: int, deviation: float, tolerance: float) -> None:
        """A clock that stepped back once is not believed; if the next frame agrees with it, it is."""
        stays = self._stepped is not None and abs(self._stepped - deviation) <= tolerance
        self._clock.advance(size)
        if stays:
            self._clock.anchor_ns = time_ns
        self._stepped = None if stays else deviation

    def _start(self, time_ns: int) -> None:
        self._clock.anchor_ns = time_ns
        self._begin = self.count.expected
        self._pace = Pace()
        self._stepped = None
        self._frames.clear()
        self._gaps.clear()

    def _jumped(self, deviation: float, tolerance: float) -> bool:
        seconds = self._seconds(deviation)
        if self._resumed:
            return seconds > AWAY_S or deviation < -tolerance
        return seconds > FORWARD_S or seconds < -BACK_S

    def _is_set(self, steps: float, late: bool, window_s: tuple[float, float] | None) -> bool:
        """Whether a device's clock has gone on by what the arrivals do not allow."""
        if window_s is None:
            return False
        least_s, most_s = window_s
        return self._seconds(steps) > most_s or (self._resumed and late and self._seconds(steps) < least_s)

    def _tolerance(self, size: int) -> float:
        """How many samples a frame may be late before some are missing; right after a disconnection, hardly any."""
        smallest = min(size, *self._sizes) if self._sizes else size
        least = min(1.5, 0.75 * smallest)
        return least if self._resumed else max(smallest / 2, least)

    def _seconds(self, samples: float) -> float:
        return samples * self._clock.period_ns / NS

    def _ticks(self, time_ns: int, size: int) -> int:
        """Return the device clock at the first sample of a frame, in ticks."""
        first_ns = time_ns - round((size - 1) * self._clock.period_ns)
        return round(self._clock_hz * first_ns / NS)
