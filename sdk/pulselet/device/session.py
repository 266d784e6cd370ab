"""Scan, connect, stream: every notification is stamped, recorded and accounted for, across reconnects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from types import TracebackType

from pulselet.device.adapter import Adapter
from pulselet.device.explain import require_signals
from pulselet.device.information import Information
from pulselet.device.link import Link, find
from pulselet.device.reconnect import Reconnect
from pulselet.device.run import Run
from pulselet.device.scan import Found, scan
from pulselet.device.sources import source_types
from pulselet.device.sources.profile import ProfileSource
from pulselet.device.sources.source import Source
from pulselet.device.state import State
from pulselet.errors import DeviceError
from pulselet.packets.profile import Identity
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.count import Count
from pulselet.stream.live import LiveQueue
from pulselet.stream.recording import Recording

__all__ = ["Device", "Found", "Reconnect", "State", "connect", "scan"]

TRIES = 3  # a link that drops at once is common, and the next one often holds
LIVE_BLOCKS = 1024  # a consumer this far behind loses the oldest, and is told


def connect(
    device: str,
    *,
    adapter: Adapter | None = None,
    timeout_s: float = 10.0,
    reconnect: Reconnect | None = Reconnect(),  # noqa: B008 - it is frozen
    label: str = "",
    sources: Sequence[Source] = (),
    on_state: Callable[[State], None] | None = None,
) -> Device:
    """Return the device with this name or address, to be used with `async with`.

    Parameters
    ----------
    device
        Names are not unique: where two devices may bear the same, give the address that `scan` shows.
    timeout_s
        How long to look for it, and to wait for its answer.
    reconnect
        What to do when the link is lost during a stream; None raises the error at once.
    label
        Put before the name of every signal, so that two devices can share a recording: "left" makes "left.acc".
    sources
        What it speaks, with settings of your own; found out by its services if not given.
    on_state
        Called whenever its state changes.
    """
    return Device(device, adapter or Adapter(), timeout_s, reconnect, label, sources, on_state)


class Device:
    """A device; entering it connects, leaving it stops what streams and disconnects.

    Raises
    ------
    DeviceError
        On entering: `reason` is "no-adapter", "off", "permission", "not-found", "busy", "pairing", "disconnected",
        "refused" or "no-streams".
    PacketError
        On entering, if what the device says of itself makes no sense.
    """

    def __init__(
        self,
        wanted: str,
        adapter: Adapter,
        timeout_s: float,
        reconnect: Reconnect | None,
        label: str,
        sources: Sequence[Source],
        on_state: Callable[[State], None] | None,
    ) -> None:
        self._wanted, self._adapter, self._timeout_s = wanted, adapter, timeout_s
        self.policy, self.label = reconnect, label
        self._given = list(sources)
        self._on_state = on_state
        self._run: Run | None = None
        self._entered = False
        self._state = State.IDLE
        self.link: Link
        self.name = self.address = ""
        self.sources: list[Source] = []
        self.information = Information()
        self.refused = 0  # packets, or lines of text, of the last stream that made no sense
        self.reconnects = 0  # of the last stream
        self.dropped = 0  # blocks of the last stream that its consumer was too slow for

    async def __aenter__(self) -> Device:
        try:
            for left in reversed(range(TRIES)):
                try:
                    await self._get_acquainted()
                    break
                except DeviceError as error:
                    if error.reason != "disconnected" or not left:
                        raise
        except BaseException:
            self.enter(State.CLOSED)
            raise
        self._entered = True
        self.enter(State.IDLE)
        return self

    async def _get_acquainted(self) -> None:
        self.link = await self.open_link()
        try:
            await self._ask()
        except BaseException:
            await self.link.close()
            raise

    async def _ask(self) -> None:
        """Ask the device who it is and what it can do."""
        self.name, self.address = self.link.name, self.link.address
        self.enter(State.CONFIGURING)
        self.sources = self._given or [kind() for kind in source_types() if kind.fits(self.link)]
        if not self.sources:
            raise DeviceError(
                f"{self.name} offers none of the services that Pulselet knows; it has "
                f"{', '.join(sorted(self.link.services))}. A board of your own: say what it sends with `sources=`, "
                "or with --uart or --movesense on the command line",
                "no-streams",
            )
        await self.information.read(self.link)
        for source in self.sources:
            await source.prepare(self.link)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._stop()
        finally:
            await self.link.close()
            self.enter(State.CLOSED)

    @property
    def state(self) -> State:
        """What the device is doing."""
        return self._state

    @property
    def signals(self) -> dict[str, Signal]:
        """What the device can stream, by name."""
        return {self.named(signal).name: self.named(signal) for s in self.sources for signal in s.signals.values()}

    @property
    def counts(self) -> dict[str, Count]:
        """Where the samples of each signal of the last stream went."""
        chosen = self._run.chosen if self._run is not None else {one: list(one.signals) for one in self.sources}
        return {self._prefix + name: source.counts[name] for source, names in chosen.items() for name in names}

    @property
    def identity(self) -> Identity | None:
        """What pipeline and net the device says that it runs; None if it does not say."""
        return next((source.identity for source in self.sources if isinstance(source, ProfileSource)), None)

    @property
    def _prefix(self) -> str:
        return f"{self.label}." if self.label else ""

    def named(self, signal: Signal) -> Signal:
        """Return a source's signal under the name that it has here."""
        return replace(signal, name=self._prefix + signal.name) if self.label else signal

    def enter(self, state: State) -> None:
        """Change the state, and tell whoever wants to know."""
        self._state = state
        if self._on_state is not None:
            self._on_state(state)

    async def open_link(self) -> Link:
        """Return a new link: scan, then connect; once it is known, only the very device will do, whatever its name."""
        self.enter(State.SCANNING)
        heard = await find(self.address or self._wanted, self._adapter, self._timeout_s)
        self.enter(State.CONNECTING)
        return await Link.open(heard, self._adapter, self._timeout_s)

    async def _stop(self) -> None:
        """End a stream that its consumer has left, so that the device is told before the link goes."""
        if self._run is not None:
            await self._run.end()

    async def stream(
        self, *names: str, record: Recording | None = None, seconds: float | None = None
    ) -> AsyncIterator[Block | Gap]:
        """Yield blocks and gaps as they arrive, until the device says that all streams are over.

        Parameters
        ----------
        names
            Which signals; the usual ones of the device if none is named.
        record
            It gets every notification and all that comes of it, however slow the consumer of this iterator is.
        seconds
            End after so long, if the device does not end before.

        Raises
        ------
        DeviceError
            If the device disconnects ("disconnected") or says nothing for too long ("silent"), and it is not to be, or
            can't be, reconnected. What has arrived is recorded and has been yielded before. "no-signal" if a name is
            not the device's.
        PacketError
            If most of what arrives makes no sense. A few bad packets are recorded, counted in `refused` and
            passed over.
        RecordingError
            If the recording holds these signals already, or cannot be written to.
        """
        if not self._entered:
            raise DeviceError("the device is not connected: use `async with connect(...) as device`", "not-connected")
        chosen = self._chosen(names)
        await self._stop()
        live = LiveQueue(LIVE_BLOCKS)
        run = Run(self, chosen, record, live, seconds)
        self.refused = self.reconnects = self.dropped = 0
        if record is not None:
            run.begin(record)
        self._run = run
        pump = run.begun()
        try:
            while not pump.done() or live.waiting:
                live.bell.clear()
                for item in live.take():
                    yield item
                if not pump.done() and not live.waiting:
                    await live.bell.wait()
            for gap in live.missed():
                yield gap
            if not (pump.cancelled() and run.ending):  # another stream has taken over, or the device was left
                await pump
        finally:
            self.dropped = live.dropped
            await run.end()  # its own: by the time an abandoned iterator is closed, another may be at work

    def require(self, *names: str) -> None:
        """Raise DeviceError ("no-signal") if the device cannot stream one of these."""
        require_signals(self.name, self.signals, names)

    def _chosen(self, names: Sequence[str]) -> dict[Source, list[str]]:
        """Return which of the signals each source is to stream."""
        self.require(*names)
        wanted = {
            source: [own for own in source.signals if self._prefix + own in names] if names else list(source.default)
            for source in self.sources
        }
        return {source: own for source, own in wanted.items() if own}
