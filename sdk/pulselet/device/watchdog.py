"""A silent link is not a disconnect: nothing says that it is dead, so the silence is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from pulselet.device.link import Link
from pulselet.device.sources.source import Source
from pulselet.errors import DeviceError

LEAST_S = 3.0
INTERVALS = 5
SECOND_LOOK_S = 0.05


class Watchdog:
    """Waits for a link, but not for ever.

    A source may be silent for 3 s, or for five times its usual interval or the longest silence that ended well,
    whichever is the longest. A source without a usual interval, such as a pair of scales, may be silent for ever.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._heard = dict.fromkeys(sources, 0.0)
        self._longest_s = dict.fromkeys(self._heard, 0.0)

    def begin(self) -> None:
        """Start to measure, on a new link."""
        self._heard = dict.fromkeys(self._heard, time.monotonic())

    def heard(self, source: Source) -> None:
        """Note that a source has said something."""
        now = time.monotonic()
        self._longest_s[source] = max(self._longest_s[source], now - self._heard[source])
        self._heard[source] = now

    def patience_s(self, source: Source) -> float | None:
        """Return how long this source may be silent."""
        if source.interval_s is None or source.complete:
            return None
        return max(LEAST_S, INTERVALS * max(source.interval_s, self._longest_s[source]))

    async def wait(self, link: Link) -> None:
        """Return when something may have arrived.

        Raises
        ------
        DeviceError
            If the link is lost ("disconnected"), or has been silent for too long ("silent"): then it is closed.
        """
        link.bell.clear()
        if link.arrived:
            return
        if link.lost:
            raise link.gone()
        until = [(self._heard[one] + s, s, one) for one in self._heard if (s := self.patience_s(one)) is not None]
        if not until:
            await link.bell.wait()
            return
        at, patience_s, source = min(until, key=lambda one: one[0])
        left = at - time.monotonic()
        if left > 0:
            # not wait_for: before Python 3.12 it swallows a cancellation that comes together with the bell
            alarm = asyncio.get_running_loop().call_later(left, link.bell.set)
            try:
                await link.bell.wait()
            finally:
                alarm.cancel()
            return
        await asyncio.sleep(SECOND_LOOK_S)  # a consumer that held up the event loop has held up arrivals too
        if not link.arrived:
            await link.close()
            raise DeviceError(f"{link.name} has said nothing for {patience_s:.1f} s ({source.title})", "silent")
