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
from pulselet.errors import DeviceError, PacketError, RecordingError
from pulselet.packets import profile
from pulselet.packets.profile import Description
from pulselet.stream.assemble import Assembler
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.recording import Recording

WATCHDOG_S = 3.0
WATCHDOG_INTERVALS = 5
SECOND_LOOK_S = 0.05
REFUSED = 10  # bad packets that are passed over in any case
SERVICE_ABSENT = frozenset(
    f"org.freedesktop.DBus.Error.{name}" for name in ("ServiceUnknown", "NameHasNoOwner", "NoServer", "UnknownObject")
)
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
        self._lost = False
        self._bell = asyncio.Event()  # something has arrived, or the link is lost
        self._longest_s = 0.0  # the longest silence that ended well
        self._streaming: asyncio.Task[None] | None = None
        self.name = self.address = ""
        self.description: Description
        self.assembler: Assembler
        self.refused = 0  # packets of the last stream that made no sense

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
                self._dropped,
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
        try:
            await self._stop()
        finally:
            with contextlib.suppress(BleakError):
                await self._client.disconnect()

    async def _stop(self) -> None:
        """End a stream that its consumer has left, so that the device is told before the link goes."""
        if self._streaming is not None:
            await _ended(self._streaming)

    def _dropped(self, client: BleakClient) -> None:
        self._lost = True
        self._bell.set()

    @property
    def signals(self) -> dict[str, Signal]:
        """What the device streams, by name."""
        return {signal.name: signal for signal in self.assembler.signals.values()}

    async def stream(self, *, record: Recording | None = None) -> AsyncIterator[Block | Gap]:
        """Yield blocks and gaps as they arrive, until the device says that all streams are over.

        Parameters
        ----------
        record
            A new recording. It gets every notification and all that comes of it, however slow the consumer of this
            iterator is.

        Raises
        ------
        DeviceError
            If the device disconnects ("disconnected") or says nothing for too long ("silent"). What has arrived is
            recorded and has been yielded before.
        PacketError
            If most of what arrives makes no sense. A few bad packets are recorded, counted in `refused` and
            passed over.
        RecordingError
            If the recording holds a session already, or cannot be written to.
        """
        await self._stop()
        self.assembler, self.refused = Assembler(self.description), 0
        if record is not None:
            if next(record.packets(), None) is not None:
                raise RecordingError(f"{record.path} holds a session already: record each in a file of its own")
            record.note(device=self.name, address=self.address, description=bytes(self.description).hex())
        live = _Live(LIVE_BLOCKS)
        self._streaming = pump = asyncio.create_task(self._pump(live, record))
        pump.add_done_callback(lambda _: live.bell.set())
        try:
            while not pump.done() or live.waiting:
                live.bell.clear()
                for item in live.take():
                    yield item
                if not pump.done() and not live.waiting:
                    await live.bell.wait()
            for gap in live.missed():
                yield gap
            await pump
        finally:
            await _ended(pump)  # its own: by the time an abandoned iterator is closed, another may be at work

    async def _pump(self, live: _Live, record: Recording | None) -> None:
        arrived: deque[tuple[int, bytes]] = deque()

        def stamp(_: object, data: bytearray) -> None:
            arrived.append((time.monotonic_ns(), bytes(data)))
            self._bell.set()

        ended = "stopped"
        try:
            with _own_errors(self.name):
                await self._client.start_notify(profile.DATA, stamp)
                await self._client.write_gatt_char(profile.CONTROL, profile.START, response=True)
                while not self.assembler.complete:
                    await self._wait(arrived)
                    while arrived:
                        live.put(self._take(*arrived.popleft(), record))
            ended = "complete"
        except DeviceError as error:
            ended = error.reason
            raise
        finally:
            with contextlib.suppress(BleakError):
                if self._client.is_connected:  # a strap with a stream left on stays awake until its battery is empty
                    await self._client.write_gatt_char(profile.CONTROL, profile.STOP, response=True)
                    await self._client.stop_notify(profile.DATA)
            with contextlib.suppress(RecordingError, PacketError):  # the first error is the one to hear of
                while arrived:
                    self._take(*arrived.popleft(), record)
                if record is not None:
                    record.note(ended=ended)

    def _take(self, arrival_ns: int, data: bytes, record: Recording | None) -> list[Block | Gap]:
        """Return what a notification adds, recorded with its raw bytes."""
        try:
            items = self.assembler.feed(data, arrival_ns)
        except PacketError:
            if record is not None:
                record.add([], data=data, arrival_ns=arrival_ns)
            self.refused += 1
            received = sum(count.received for count in self.assembler.counts.values())
            if self.refused > REFUSED and self.refused > received:
                raise
            return []
        if record is not None:
            record.add(items, data=data, arrival_ns=arrival_ns)
        return items

    async def _wait(self, arrived: deque[tuple[int, bytes]]) -> None:
        """Return when something has arrived; a link that is silent for too long is not waited for."""
        waited_from = time.monotonic()
        while not arrived:
            self._bell.clear()
            if self._lost:
                counts = ", ".join(f"{name} {count.received}" for name, count in self.assembler.counts.items())
                raise DeviceError(f"{self.name or self._wanted} disconnected; samples so far: {counts}", "disconnected")
            left = self._patience_s() - (time.monotonic() - waited_from)
            if left > 0:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._bell.wait(), left)
                continue
            await asyncio.sleep(SECOND_LOOK_S)  # a consumer that held up the event loop has held up arrivals too
            if not arrived:
                with contextlib.suppress(BleakError):
                    await self._client.disconnect()
                raise DeviceError(
                    f"{self.name or self._wanted} has said nothing for {self._patience_s():.1f} s", "silent"
                )
        self._longest_s = max(self._longest_s, time.monotonic() - waited_from)

    def _patience_s(self) -> float:
        """Return how long a silence may be: from the slowest stream, and from the longest wait that ended well."""
        slowest_s = max(1000 / info.rate_mhz for info in self.description.streams)
        return max(WATCHDOG_S, WATCHDOG_INTERVALS * max(slowest_s, self._longest_s))


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task and return when it is over; what it raised, its consumer has got or does not want."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


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
            before = self._shed.get(old.signal.name)
            first = before.first if before else old.first
            self._shed[old.signal.name] = Gap(old.signal, first, old.end - first, "consumer too slow")
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


@contextlib.contextmanager
def _own_errors(device: str = "Bluetooth") -> Iterator[None]:
    try:
        yield
    except (BleakDeviceNotFoundError, asyncio.TimeoutError) as error:
        raise DeviceError(
            f"{device} was heard but does not answer ({error or 'timed out'}): come nearer", "not-found"
        ) from error
    except BleakBluetoothNotAvailableError as error:
        raise DeviceError(
            f"this computer has no usable Bluetooth ({error}): switch it on, or plug one in", "no-adapter"
        ) from error
    except OSError as error:
        raise _no_service(error) from error
    except BleakDBusError as error:
        if error.dbus_error in SERVICE_ABSENT:
            raise _no_service(error) from error
        raise DeviceError(f"{device} refuses: {error}", "refused") from error
    except BleakError as error:
        raise DeviceError(f"{device}: {error}", "refused") from error


def _no_service(error: Exception) -> DeviceError:
    return DeviceError(f"this computer's Bluetooth service does not answer ({error}): is it running?", "no-adapter")
