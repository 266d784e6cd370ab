"""One connection, from scan to drop: the thinnest layer over bleak."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar
from weakref import WeakKeyDictionary

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError

from pulselet.device.adapter import Adapter
from pulselet.device.explain import own_errors, told
from pulselet.errors import DeviceError
from pulselet.stream.host import now_ns
from pulselet.stream.rows import Notification

T = TypeVar("T")

ANSWER_S = 5.0  # how long a device may think about a command
REQUEST_S = 30.0  # how long ATT lets one request take (Bluetooth Core 5.4, volume 3, part F, 3.3.3)


class Link:
    """A connected device; a new one is made for every attempt.

    The callback of a notification only stamps and enqueues.

    Attributes
    ----------
    arrived
        Notifications that nobody has taken yet, oldest first; it has no bound, because the recorder gets everything.
    bell
        Rings when something has arrived, or the link is lost.
    lost
        Whether the link is down.
    """

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self.arrived: deque[Notification] = deque()
        self.bell = asyncio.Event()
        self.lost = False
        self._client: BleakClient
        self._subscribed: set[str] = set()
        self._asked: dict[str, tuple[asyncio.Future[bytes], Callable[[bytes], bool]]] = {}

    @classmethod
    async def open(cls, heard: BLEDevice, adapter: Adapter, timeout_s: float) -> Link:
        """Return a link to a device that was heard; DeviceError if it does not answer or refuses."""
        link = cls(heard.name or heard.address, heard.address)
        with own_errors(link.name):
            link._client = BleakClient(
                heard, link._dropped, timeout=timeout_s, backend=adapter.client, **adapter.options
            )
            try:
                await link._client.connect()
            except BaseException:
                await link.close()
                raise
        return link

    def _dropped(self, client: BleakClient) -> None:
        self.lost = True
        self.bell.set()
        for waiting, _ in self._asked.values():
            if not waiting.done():
                waiting.set_exception(self.gone())

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what bleak raises into our errors; whatever fails once the link is down fails because of that."""
        try:
            with own_errors(self.name):
                yield
        except DeviceError as error:
            if self.lost:
                raise self.gone() from error
            raise

    def gone(self) -> DeviceError:
        """Return the error that says that the link is down."""
        return told(f"{self.name} disconnected", "disconnected")

    @property
    def services(self) -> set[str]:
        """UUIDs of the services that the device offers."""
        with self._errors():
            return {service.uuid for service in self._client.services}

    @property
    def characteristics(self) -> dict[str, list[str]]:
        """UUID of every characteristic, and what can be done with it: "read", "notify" and so on."""
        with self._errors():
            return {one.uuid: list(one.properties) for one in self._client.services.characteristics.values()}

    async def read(self, uuid: str) -> bytes:
        """Return the value of a characteristic."""
        with self._errors():
            return bytes(await within(REQUEST_S, self._client.read_gatt_char(uuid)))

    async def write(self, uuid: str, data: bytes) -> None:
        """Write a characteristic, and wait until the device has it."""
        with self._errors():
            await within(REQUEST_S, self._client.write_gatt_char(uuid, data, response=True))

    async def ask(
        self, command: str, data: bytes, *, answer: str | None = None, fits: Callable[[bytes], bool] = lambda _: True
    ) -> bytes:
        """Write a command and return the notification that answers it.

        Parameters
        ----------
        answer
            The characteristic that the answer comes on, if it is another one.
        fits
            Tells the answer from what else comes there.

        Raises
        ------
        DeviceError
            If there is no answer in time, or the link is lost meanwhile.
        """
        answer = answer or command
        await self.subscribe(answer)
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())  # somebody has looked at it
        self._asked[answer] = waiting, fits
        try:
            await self.write(command, data)
            return await within(ANSWER_S, waiting)
        except asyncio.TimeoutError as error:
            raise told(self.name, "refused", f"did not answer the command {data.hex(' ')}") from error
        finally:
            del self._asked[answer]
            waiting.cancel()

    async def subscribe(self, uuid: str) -> None:
        """Have every notification of a characteristic stamped and put into `arrived`."""
        if uuid in self._subscribed:
            return

        def stamp(_: object, data: bytearray) -> None:
            self._arrive(Notification(now_ns(), uuid, bytes(data)))

        with self._errors():
            await within(REQUEST_S, self._client.start_notify(uuid, stamp))
        self._subscribed.add(uuid)

    def _arrive(self, notification: Notification) -> None:
        waiting, fits = self._asked.get(notification.source, (None, None))
        if waiting is not None and fits is not None and not waiting.done() and fits(notification.data):
            waiting.set_result(notification.data)
        self.arrived.append(notification)
        self.bell.set()

    async def unsubscribe(self, uuids: Iterable[str]) -> None:
        """Have no more notifications of these characteristics."""
        for uuid in self._subscribed.intersection(uuids):
            self._subscribed.discard(uuid)
            with self._errors():
                await within(REQUEST_S, self._client.stop_notify(uuid))

    async def close(self) -> None:
        """Disconnect; a link that is down already is left alone."""
        self.lost = True
        with contextlib.suppress(BleakError, OSError, EOFError, asyncio.TimeoutError):
            await self._client.disconnect()


async def find(wanted: str, adapter: Adapter, timeout_s: float) -> BLEDevice:
    """Return the device with this name or address, the first that is heard; DeviceError if none is in `timeout_s`."""
    async with one_scan():
        with own_errors(wanted):
            heard = await BleakScanner.find_device_by_filter(
                lambda device, adv: (
                    wanted in (device.name, adv.local_name) or wanted.casefold() == device.address.casefold()
                ),
                timeout=timeout_s,
                **adapter.scanning,
            )
    if heard is None:
        raise told(f"no device {wanted!r} in range within {timeout_s:g} s", "not-found")
    return heard


async def within(seconds: float, work: Awaitable[T]) -> T:
    """Return what some work returns; asyncio.TimeoutError if it takes longer.

    As `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that comes together with the result.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=seconds)
        if not task.done():
            raise asyncio.TimeoutError
        return task.result()
    finally:
        task.cancel()


_scanning: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def one_scan() -> asyncio.Lock:
    """Return the lock that keeps scans apart: BlueZ allows a program one at a time."""
    return _scanning.setdefault(asyncio.get_running_loop(), asyncio.Lock())
