"""Scan, connect, stream: every notification is stamped, recorded and accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from types import TracebackType

from bleak import BleakClient, BleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakDeviceNotFoundError, BleakError

from pulselet.device.adapter import Adapter
from pulselet.errors import DeviceError
from pulselet.packets import profile
from pulselet.packets.profile import Description
from pulselet.stream.assemble import Assembler
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.recording import Recording

WATCHDOG_S = 3.0
WATCHDOG_INTERVALS = 5
LIVE_BLOCKS = 1024  # a consumer this far behind loses the oldest, and is told


@dataclass(frozen=True)
class Found:
    """A device that was heard."""

    name: str
    address: str  # on macOS a UUID
    rssi_dbm: int


async def scan(seconds: float = 5.0, *, adapter: Adapter | None = None) -> list[Found]:
    """Return the devices that offer the Pulselet Stream Profile, the nearest first.

    Raises
    ------
    DeviceError
        If this computer has no usable Bluetooth.
    """
    adapter = adapter or Adapter()
    with _own_errors():
        heard = await BleakScanner.discover(
            seconds, return_adv=True, service_uuids=[profile.SERVICE], **adapter.scanning
        )
    found = [Found(adv.local_name or device.name or "", device.address, adv.rssi) for device, adv in heard.values()]
    return sorted(found, key=lambda one: -one.rssi_dbm)


def connect(device: str, *, adapter: Adapter | None = None, timeout_s: float = 10.0) -> Device:
    """Return the device with this name or address, to be used with `async with`.

    Parameters
    ----------
    timeout_s
        How long to look for it.
    """
    return Device(device, adapter or Adapter(), timeout_s)


class Device:
    """A connection; entering it connects, leaving it disconnects.

    Raises
    ------
    DeviceError
        On entering: `reason` is "no-adapter", "not-found", "disconnected" or "refused".
    PacketError
        On entering, if the device's description makes no sense.
    """

    def __init__(self, wanted: str, adapter: Adapter, timeout_s: float) -> None:
        self._wanted, self._adapter, self._timeout_s = wanted, adapter, timeout_s
        self._lost = asyncio.Event()
        self._streaming: asyncio.Task[None] | None = None
        self.name = self.address = ""
        self.description: Description
        self.assembler: Assembler

    async def __aenter__(self) -> Device:
        with _own_errors(self._wanted):
            heard = await BleakScanner.find_device_by_filter(
                lambda device, adv: self._wanted in (device.address, device.name, adv.local_name),
                timeout=self._timeout_s,
                **self._adapter.scanning,
            )
            if heard is None:
                raise DeviceError(
                    f"no device {self._wanted!r} in range within {self._timeout_s:g} s: "
                    "is it on, charged and not connected to something else?",
                    "not-found",
                )
            self.name, self.address = heard.name or "", heard.address
            self._client = BleakClient(
                heard,
                lambda client: self._lost.set(),
                timeout=self._timeout_s,
                backend=self._adapter.client,
                **self._adapter.options,
            )
            await self._client.connect()
            try:
                self.description = Description.from_bytes(bytes(await self._client.read_gatt_char(profile.DESCRIPTION)))
            except BaseException:
                await self._client.disconnect()
                raise
        self.assembler = Assembler(self.description)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()
        with contextlib.suppress(BleakError):
            await self._client.disconnect()

    async def _stop(self) -> None:
        """End a stream that its consumer has left, so that the device is told before the link goes."""
        task, self._streaming = self._streaming, None
        if task is not None and not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, DeviceError):
                await task

    @property
    def signals(self) -> dict[str, Signal]:
        """What the device streams, by name."""
        return {signal.name: signal for signal in self.assembler.signals.values()}

    async def stream(self, *, record: Recording | None = None) -> AsyncIterator[Block | Gap]:
        """Yield blocks and gaps as they arrive, until the device says that all streams are over.

        Parameters
        ----------
        record
            Gets every notification and all that comes of it, however slow the consumer of this iterator is.

        Raises
        ------
        DeviceError
            If the device disconnects ("disconnected") or says nothing for too long ("silent"). What has arrived is
            recorded and has been yielded before.
        """
        if record is not None:
            record.note(device=self.name, address=self.address, description=bytes(self.description).hex())
        live = _Live(LIVE_BLOCKS)
        await self._stop()
        self._streaming = pump = asyncio.create_task(self._pump(live, record))
        try:
            while True:
                for item in live.take():
                    yield item
                if pump.done() and not live.waiting:
                    break
                await live.more(pump)
            await pump
        finally:
            await self._stop()

    async def _pump(self, live: _Live, record: Recording | None) -> None:
        arrived: deque[tuple[int, bytes]] = deque()
        bell = asyncio.Event()

        def stamp(_: object, data: bytearray) -> None:
            arrived.append((time.monotonic_ns(), bytes(data)))
            bell.set()

        ended = "stopped"
        try:
            with _own_errors(self.name):
                await self._client.start_notify(profile.DATA, stamp)
                await self._client.write_gatt_char(profile.CONTROL, profile.START, response=True)
                while not self.assembler.complete:
                    await self._wait(bell, arrived)
                    while arrived:
                        at, data = arrived.popleft()
                        items = self.assembler.feed(data, at)
                        if record is not None:
                            record.add(items, data=data, arrival_ns=at)
                        live.put(items)
            ended = "complete"
        except DeviceError as error:
            ended = error.reason
            raise
        finally:
            if record is not None:
                record.note(ended=ended)
            live.bell.set()
            with contextlib.suppress(BleakError):
                if self._client.is_connected:  # a strap with a stream left on stays awake until its battery is empty
                    await self._client.write_gatt_char(profile.CONTROL, profile.STOP, response=True)
                    await self._client.stop_notify(profile.DATA)

    async def _wait(self, bell: asyncio.Event, arrived: deque[tuple[int, bytes]]) -> None:
        """Return when something has arrived; a link that is silent for too long is not waited for."""
        waited_from = time.monotonic()
        while not arrived:
            bell.clear()
            if self._lost.is_set():
                counts = ", ".join(f"{name}: {count.received}" for name, count in self.assembler.counts.items())
                raise DeviceError(f"{self.name or self._wanted} disconnected; samples so far: {counts}", "disconnected")
            left = self._patience_s() - (time.monotonic() - waited_from)
            if left <= 0:
                with contextlib.suppress(BleakError):
                    await self._client.disconnect()
                raise DeviceError(
                    f"{self.name or self._wanted} has said nothing for {self._patience_s():.1f} s", "silent"
                )
            waits = [asyncio.create_task(bell.wait()), asyncio.create_task(self._lost.wait())]
            _, pending = await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
        self._interval_s = max(self._interval_s, time.monotonic() - waited_from)

    _interval_s = 0.0  # the longest wait so far that ended well

    def _patience_s(self) -> float:
        return max(WATCHDOG_S, WATCHDOG_INTERVALS * self._interval_s)


class _Live:
    """Blocks on their way to a consumer; when it is too slow the oldest go, and a gap says so."""

    def __init__(self, limit: int) -> None:
        self.bell = asyncio.Event()
        self._items: deque[Block | Gap] = deque()
        self._limit = limit
        self._shed: dict[str, Gap] = {}

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._items)

    def put(self, items: list[Block | Gap]) -> None:
        """Add items, shedding the oldest beyond the limit."""
        self._items.extend(items)
        while len(self._items) > self._limit:
            old = self._items.popleft()
            lost = old.end - old.first
            before = self._shed.get(old.signal.name)
            first, lost = (before.first, before.lost + lost) if before else (old.first, lost)
            self._shed[old.signal.name] = Gap(old.signal, first, lost, "consumer too slow")
        self.bell.set()

    def take(self) -> Iterator[Block | Gap]:
        """Yield what is there, each gap of shed blocks before what follows it."""
        while self._items:
            item = self._items.popleft()
            shed = self._shed.pop(item.signal.name, None)
            if shed is not None:
                yield shed
            yield item

    async def more(self, pump: asyncio.Task[None]) -> None:
        """Return when there is something to take, or there will be no more."""
        while not self._items and not pump.done():
            self.bell.clear()
            waits = {asyncio.create_task(self.bell.wait()), pump}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in waits - {pump}:
                task.cancel()


@contextlib.contextmanager
def _own_errors(device: str = "Bluetooth") -> Iterator[None]:
    try:
        yield
    except BleakDeviceNotFoundError as error:
        raise DeviceError(f"{device} was heard but does not answer: {error}", "not-found") from error
    except BleakBluetoothNotAvailableError as error:
        raise DeviceError(
            f"this computer has no usable Bluetooth ({error}): switch it on, or plug one in", "no-adapter"
        ) from error
    except (BleakDBusError, OSError) as error:
        raise DeviceError(
            f"this computer's Bluetooth service does not answer ({error}): is it running?", "no-adapter"
        ) from error
    except BleakError as error:
        raise DeviceError(f"{device}: {error}", "refused") from error
