"""Blocks on their way to a consumer that may be slow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator

from pulselet.stream.block import Block, Gap


class LiveQueue:
    """A bounded queue: when its consumer is too slow the oldest go, are counted, and a gap says so.

    Parameters
    ----------
    limit
        How many blocks and gaps may wait.
    """

    def __init__(self, limit: int) -> None:
        self.bell = asyncio.Event()
        self.dropped = 0  # blocks and gaps
        self._items: deque[Block | Gap] = deque()
        self._limit = limit
        self._shed: dict[str, Gap] = {}

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._items)

    def put(self, items: Iterable[Block | Gap]) -> None:
        """Add items, shedding the oldest beyond the limit."""
        self._items.extend(items)
        while len(self._items) > self._limit:
            old = self._items.popleft()
            before = self._shed.get(old.signal.name)
            first = before.first if before else old.first
            self._shed[old.signal.name] = Gap(old.signal, first, old.end - first, "consumer too slow")
            self.dropped += 1
        self.bell.set()

    def take(self) -> Iterator[Block | Gap]:
        """Yield what is there, each gap of shed blocks before what follows it."""
        while self._items:
            item = self._items.popleft()
            shed = self._shed.pop(item.signal.name, None)
            if shed is not None:
                yield shed
            yield item

    def missed(self) -> Iterator[Gap]:
        """Yield the gaps of shed blocks that nothing follows."""
        yield from self._shed.values()
