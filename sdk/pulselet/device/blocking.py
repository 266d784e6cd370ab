"""Devices for code that does not know `async`: a notebook cell, a script, a laboratory's loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import wait
from types import TracebackType
from typing import Any, Protocol, TypeVar

from pulselet.device.state import State
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.count import Count
from pulselet.stream.recording import Recording

T = TypeVar("T")
LOOK_S = 0.2


class Streaming(Protocol):
    """What a live device and a replayed one have in common."""

    name: str
    address: str

    async def __aenter__(self) -> Any: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
    @property
    def state(self) -> State: ...
    @property
    def signals(self) -> dict[str, Signal]: ...
    @property
    def counts(self) -> dict[str, Count]: ...
    def stream(
        self, *names: str, record: Recording | None = None, seconds: float | None = None
    ) -> AsyncIterator[Block | Gap]: ...


def blocking(device: Streaming) -> Blocking:
    """Return a device to be used with plain `with` and `for`; its Bluetooth runs in a thread of its own.

    `with blocking(replay("walk.pulse")) as device:`, then `for item in device.stream("acc", seconds=10):`.
    """
    return Blocking(device)


class Blocking:
    """What `blocking` returns."""

    def __init__(self, device: Streaming) -> None:
        self.device = device
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pulselet", daemon=True)
        self._thread.start()

    def __enter__(self) -> Blocking:
        try:
            self.run(self.device.__aenter__())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.run(self.device.__aexit__(kind, error, trace))
        finally:
            self._end()

    @property
    def signals(self) -> dict[str, Signal]:
        """What the device can stream, by name."""
        return self.device.signals

    @property
    def counts(self) -> dict[str, Count]:
        """Where the samples of each signal of the last stream went."""
        return self.device.counts

    def stream(
        self, *names: str, record: Recording | None = None, seconds: float | None = None
    ) -> Iterator[Block | Gap]:
        """Yield blocks and gaps; parameters and errors are those of the device's own `stream`."""
        items = self.device.stream(*names, record=record, seconds=seconds)
        try:
            while True:
                try:
                    yield self.run(_next(items))
                except StopAsyncIteration:
                    return
        finally:
            self.run(_close(items))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine does, run where the device's Bluetooth runs; an interruption cancels it there."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while not future.done():
                wait([future], LOOK_S)  # not for ever: on Windows nothing would interrupt that
        except BaseException:
            future.cancel()
            wait([future])
            raise
        return future.result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(items: AsyncIterator[T]) -> T:
    return await items.__anext__()


async def _close(items: AsyncIterator[Any]) -> None:
    await items.aclose()  # type: ignore[attr-defined]  # an async generator, as `stream` is
