"""Line the streams of a device up by its own time, not by when their packets arrived."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from pulselet.signal.run import Event
from pulselet.stream.block import Block, Gap

TOLERANCE_S = 0.1
"""A stream that is this far from where its index says is moved back into place, s."""

LONGEST_S = 3600.0
"""After a gap of unknown size, a device clock that went on by more than this, or backwards, is another clock, s."""


def device_s(block: Block) -> float | None:
    """Return the device's time of a block's first sample, s."""
    return block.device_s


class DeviceTime:
    """Turns blocks and gaps of several signals into events of a pipeline whose branches begin at one moment.

    The first block of any signal is that moment. A signal that begins later has lost what came before, as far as the
    pipeline is concerned; of one that began earlier, what came before is left out. From then on each stream goes by
    its index, and its device time is watched: a stream that is more than `tolerance_s` late has a gap; of one that is
    early, the samples that are too many are left out, with a gap of one, so that nothing is joined silently. A gap of
    unknown size becomes as long as the device's clock says at the next block; if the device has started anew, as short
    as can be, and the other signals that started anew with it are lined up with this one again. A signal without a
    clock goes by its index alone. A clock that is set back by more than an hour is another clock, gap or not.

    A signal that stops and is never declared lost is awaited: the pipeline refuses the others once they are `ahead_s`
    further. Whoever knows that it has stopped says so with a `Gap` of the samples that are missing, as often as it
    takes; rows that need them are lost, and the signal finds its place when it comes back.

    Parameters
    ----------
    rates
        Nominal rate of each signal of the pipeline, Hz; items of other signals are passed over.
    time_s
        Gives the time of a block's first sample on a clock that all signals share; the device's own, if not given.
    """

    def __init__(
        self,
        rates: Mapping[str, float],
        *,
        time_s: Callable[[Block], float | None] = device_s,
        tolerance_s: float = TOLERANCE_S,
    ) -> None:
        self._rates = dict(rates)
        self._time_s = time_s
        self._tolerance_s = tolerance_s
        self._zero_s: float | None = None  # the clock's time at which the pipeline's is 0
        self._count = dict.fromkeys(rates, 0)  # samples given and lost
        self._skip = dict.fromkeys(rates, 0)  # samples still to be left out
        self._begun: set[str] = set()
        self._unknown: set[str] = set()  # signals after a gap of unknown size

    def events(self, item: Block | Gap) -> list[Event]:
        """Return what the item is to the pipeline."""
        name = item.signal.name
        if name not in self._rates:
            return []
        if isinstance(item, Gap):
            if item.lost is None:
                self._unknown.add(name)
                return []
            return self._lose(name, item.lost) if name in self._begun else []
        now_s = self._time_s(item)
        found = self._place(name, now_s) if now_s is not None and math.isfinite(now_s) else self._follow(name)
        values = item.values[self._skip[name] :]
        self._skip[name] -= len(item.values) - len(values)
        self._count[name] += len(values)
        return [*found, (name, values)] if len(values) else found

    def _follow(self, name: str) -> list[Event]:
        """A block without a clock: after a gap of unknown size the least that starts the stages anew."""
        self._begun.add(name)
        if name in self._unknown:
            self._unknown.discard(name)
            return self._lose(name, 1)
        return []

    def _place(self, name: str, now_s: float) -> list[Event]:
        rate_hz = self._rates[name]
        if self._zero_s is None:
            self._zero_s = now_s
        late_s = now_s - self._zero_s - (self._count[name] - self._skip[name]) / rate_hz
        unknown = name in self._unknown
        self._unknown.discard(name)
        if name not in self._begun:
            self._begun.add(name)
            return self._move(name, round(late_s * rate_hz))
        if late_s < -LONGEST_S:  # set back: waiting until it has caught up would leave out everything
            unknown = True
        if unknown and not -self._tolerance_s < late_s < LONGEST_S:  # another clock
            self._skip[name] = 0
            self._zero_s = now_s - (self._count[name] + 1) / rate_hz
            late_s = 0.0
        if unknown:
            return self._lose(name, max(1, round(late_s * rate_hz)))
        if late_s > self._tolerance_s:
            return self._move(name, round(late_s * rate_hz))
        if late_s < -self._tolerance_s:
            return [*self._lose(name, 1), *self._move(name, round(late_s * rate_hz) - 1)]
        return []

    def _move(self, name: str, samples: int) -> list[Event]:
        """Let a stream go on later by losing samples, or earlier by leaving samples out."""
        if samples < 0:
            self._skip[name] -= samples
            return []
        return self._lose(name, samples)

    def _lose(self, name: str, samples: int) -> list[Event]:
        self._count[name] += samples
        return [(name, samples)] if samples else []
