"""A silent link is not a disconnect: nothing says that it is dead, so the silence is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from pulselet.device.explain import told
from pulselet.device.link import Link
from pulselet.device.sources.source import Source

LEAST_S = 3.0
MOST_S = 60.0
INTERVALS = 5
FADE = 0.9  # what is left of the longest silence with each notification
SECOND_LOOK_S = 0.05


class Watchdog:
    """Waits for a link, but not for ever.

    A source may be silent for 3 s, or for five times its usual interval or the longest silence of late that ended well,
    whichever is longest, up to a minute. A source without a usual interval, such as a pair of scales, may be silent
    for ever. The link is dead when none of its sources has said anything for as long as one of them may be silent; one
    that is quiet while others speak is only noted: a heart rate without skin under its sensor costs no ECG.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._heard = dict.fromkeys(sources, 0.0)
        self._longest_s = dict.fromkeys(self._heard, 0.0)
        self._quiet: set[Source] = set()

    def begin(self) -> None:
        """Start to measure, on a new link."""
        self._heard = dict.fromkeys(self._heard, time.monotonic())
        self._quiet.clear()

    def heard(self, source: Source) -> None:
        """Note that a source has said something."""
        now = time.monotonic()
        self._longest_s[source] = max(FADE * self._longest_s[source], now - self._heard[source])
        self._heard[source] = now
        self._quiet.discard(source)

    def patience_s(self, source: Source) -> float | None:
        """Return how long this source may be silent."""
        if source.interval_s is None or source.complete:
            return None
        usual_s = INTERVALS * max(source.interval_s, self._longest_s[source])
        return max(LEAST_S, INTERVALS * source.interval_s, min(usual_s, MOST_S))

    def quiet(self) -> list[Source]:
        """Return the sources that have just become quieter than they may be, while others spoke."""
        latest = max(self._heard.values())
        found = [
            one
            for one, at in self._heard.items()
            if one not in self._quiet and (s := self.patience_s(one)) is not None and latest - at > s
        ]
        self._quiet.update(found)
        return found

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
        patience_s = min((s for one in self._heard if (s := self.patience_s(one)) is not None), default=None)
        if patience_s is None:
            await link.bell.wait()
            return
        left = max(self._heard.values()) + patience_s - time.monotonic()
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
            raise told(f"{link.name} has said nothing for {patience_s:.1f} s", "silent")
