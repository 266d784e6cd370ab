"""A radio without hardware: bleak's own client and scanner over bumble's virtual controllers.

Give `radio.adapter` to `scan` or `connect`, or `backend=` and `radio=` to bleak itself; HCI, L2CAP and ATT are real.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError
from bleak.uuids import normalize_uuid_str

from pulselet._extras import require
from pulselet.device.adapter import Adapter
from pulselet.errors import DeviceError

T = TypeVar("T")

LL_PAYLOAD = 251  # bytes in one link-layer packet with the data length extension
MTU = 517  # what the central asks for; the peripheral may agree to less
ATT_OVERHEAD = 3
CENTRAL = "F0:00:00:00:00:01"
CONNECTION_TIMEOUT = 0x08  # HCI error code


class VirtualRadio:
    """A room in which virtual devices hear each other.

    Parameters
    ----------
    hci
        "host:port" at which another process serves a controller of its own radio with `serve`: then this one's
        central scans and connects there, and HCI goes through a socket.

    Raises
    ------
    MissingExtraError
        If bumble is not installed.
    """

    def __init__(self, hci: str | None = None) -> None:
        self._link: Any = require("bumble.link", "virtual").LocalLink()
        self._hci = hci
        self._central: Any = None
        self._making = asyncio.Lock()
        self._scanners: set[VirtualScanner] = set()
        self.connecting = asyncio.Lock()  # a controller makes one connection at a time

    @property
    def adapter(self) -> Adapter:
        """This radio, for `scan` and `connect`."""
        return Adapter(VirtualScanner, VirtualClient, {"radio": self})

    async def device(self, name: str, address: str) -> Any:
        """Return a powered bumble device with a controller on this link."""
        controller = self.controller(name)
        return await _powered(name, address, controller, controller)

    async def central(self) -> Any:
        """Return the device that scans and connects."""
        async with self._making:
            if self._central is None and self._hci is None:
                self._central = await self.device("central", CENTRAL)
            elif self._central is None:
                transport = await self._transport(str(self._hci))
                transport.source.terminated.add_done_callback(self._hung_up)
                self._central = await _powered("central", CENTRAL, transport.source, transport.sink)
        return self._central

    def _hung_up(self, _: object) -> None:
        """The process with the controller is gone: the next attempt looks for it anew."""
        self._central = None
        self._scanners.clear()

    async def scan(self, scanner: VirtualScanner, *, on: bool) -> None:
        """Have a scanner hear advertisements, or no longer; the radio scans while there is one."""
        central = await self.central()
        with bleak_errors("the virtual radio"):
            await self._scan(central, scanner, on)

    async def _scan(self, central: Any, scanner: VirtualScanner, on: bool) -> None:
        async with self._making:
            before = bool(self._scanners)
            (self._scanners.add if on else self._scanners.discard)(scanner)
            if on and not before:
                central.on("advertisement", self._heard)
                await central.start_scanning(active=True, filter_duplicates=False)
            elif before and not self._scanners:
                await central.stop_scanning()
                central.remove_listener("advertisement", self._heard)

    def _heard(self, advertisement: Any) -> None:
        for scanner in list(self._scanners):
            scanner.heard(advertisement)

    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Serve a controller on this link to a host in another process, and return the port.

        A host that goes away without a word, such as one that was killed, loses its connections.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Served(self), host, port)
        return int(self._server.sockets[0].getsockname()[1])

    def controller(self, name: str, *ends: Any) -> Any:
        """Return a controller on this link; `ends` are the source and the sink of a host elsewhere."""
        controller = require("bumble.controller", "virtual").Controller(name, *ends, link=self._link)
        controller.le_acl_data_packet_length = LL_PAYLOAD
        return controller

    def remove(self, controller: Any) -> None:
        """Take a controller off the link, as if it had gone out of range."""
        for connection in list(controller.le_connections.values()):
            connection.send_ll_control_pdu(require("bumble.ll", "virtual").TerminateInd(CONNECTION_TIMEOUT))
        self._link.remove_controller(controller)

    @staticmethod
    async def _transport(hci: str) -> Any:
        client = require("bumble.transport.tcp_client", "virtual")
        try:
            return await client.open_tcp_client_transport(hci)
        except (OSError, ValueError) as error:
            raise DeviceError(
                f"no virtual radio at {hci!r} ({error}): start `pulselet virtual --listen HOST:PORT` there",
                "no-adapter",
            ) from error


class _Served(asyncio.Protocol):
    """A host in another process, and the controller that it gets."""

    def __init__(self, radio: VirtualRadio) -> None:
        self._radio = radio

    def connection_made(self, transport: Any) -> None:
        common = require("bumble.transport.common", "virtual")
        self._source = common.StreamPacketSource()
        self._controller = self._radio.controller("served", self._source, common.StreamPacketSink(transport))

    def data_received(self, data: bytes) -> None:
        self._source.data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._radio.remove(self._controller)


async def _powered(name: str, address: str, source: Any, sink: Any) -> Any:
    host = require("bumble.host", "virtual").Host(source, sink)
    at = require("bumble.hci", "virtual").Address(address)
    device = require("bumble.device", "virtual").Device(name=name, address=at, host=host)
    await device.power_on()
    return device


@contextlib.contextmanager
def bleak_errors(subject: str) -> Iterator[None]:
    """Turn what bumble raises in the block into a BleakError."""
    try:
        yield
    except require("bumble.core", "virtual").BaseBumbleError as error:
        raise BleakError(f"{subject}: {error or type(error).__name__}") from error


class VirtualScanner(BaseBleakScanner):
    """What `BleakScanner(backend=VirtualScanner, radio=...)` uses."""

    def __init__(self, detection_callback: Any, service_uuids: Any, scanning_mode: str, **kwargs: Any) -> None:
        super().__init__(detection_callback, service_uuids)
        self._radio: VirtualRadio = kwargs["radio"]

    async def start(self) -> None:
        self.seen_devices = {}
        await self._radio.scan(self, on=True)

    async def stop(self) -> None:
        await self._radio.scan(self, on=False)

    def heard(self, advertisement: Any) -> None:
        """Pass an advertisement on to bleak."""
        kinds = require("bumble.core", "virtual").AdvertisingData
        data = advertisement.data
        uuids = [
            _uuid(uuid)
            for kind in (
                kinds.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
                kinds.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
            )
            for uuid in data.get(kind) or []
        ]
        name = data.get(kinds.COMPLETE_LOCAL_NAME)
        if not self.is_allowed_uuid(uuids):
            return
        address = advertisement.address.to_string(with_type_qualifier=False)
        heard = AdvertisementData(name, {}, {}, uuids, None, advertisement.rssi, ())
        device = self.create_or_update_device(address, address, name, advertisement.address, heard)
        self.call_detection_callbacks(device, heard)


class VirtualClient(BaseBleakClient):
    """What `BleakClient(device, backend=VirtualClient, radio=...)` uses."""

    def __init__(self, address_or_ble_device: BLEDevice | str, **kwargs: Any) -> None:
        super().__init__(address_or_ble_device, **kwargs)
        self._radio: VirtualRadio = kwargs["radio"]
        self._connection: Any = None
        self._peer: Any = None
        self._name = getattr(address_or_ble_device, "name", None) or self.address
        self._subscribers: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        return str(self._name)

    @property
    def mtu_size(self) -> int:
        return int(self._connection.att_mtu) if self._connection is not None else 23

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        central = await self._radio.central()
        address = require("bumble.hci", "virtual").Address(self.address)
        core = require("bumble.core", "virtual")
        try:
            async with self._radio.connecting:
                self._connection = await central.connect(address, timeout=self._timeout)
        except (core.BaseBumbleError, asyncio.TimeoutError) as error:
            raise BleakDeviceNotFoundError(self.address, f"{self.address} does not answer: {error}") from error
        self._down: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connection.on("disconnection", self._lost)
        self._peer = require("bumble.device", "virtual").Peer(self._connection)
        await self._do(self._peer.request_mtu, MTU)
        await self._do(self._peer.discover_all)
        self.services = self._collect()

    def _lost(self, reason: int) -> None:
        self._connection = None
        self._down.set_result(None)
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        connection = self._connection
        if connection is None:
            return
        self._disconnected_callback = None
        with contextlib.suppress(require("bumble.core", "virtual").BaseBumbleError):
            await connection.disconnect()
        self._connection = None

    def _collect(self) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        for service in self._peer.services:
            known = BleakGATTService(service, service.handle, _uuid(service.uuid))
            found.add_service(known)
            for one in service.characteristics:
                names: Any = [
                    flag.name.lower().replace("_", "-") for flag in type(one.properties) if flag & one.properties
                ]
                characteristic = BleakGATTCharacteristic(
                    one, one.handle, _uuid(one.uuid), names, lambda: self.mtu_size - ATT_OVERHEAD, known
                )
                found.add_characteristic(characteristic)
                for each in one.descriptors:
                    found.add_descriptor(BleakGATTDescriptor(each, each.handle, _uuid(each.type), characteristic))
        return found

    async def _do(self, request: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> T:
        """Return what a request gives; a link that drops meanwhile is bleak's error, not a cancellation."""
        if self._connection is None:
            raise BleakError(f"{self.address} is not connected")
        asked: asyncio.Future[T] = asyncio.ensure_future(request(*args, **options))
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())  # somebody has looked at it
        try:
            waiting: list[asyncio.Future[Any]] = [asked, self._down]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not asked.done():  # a request that was queued behind another would wait for its time-out
                asked.cancel()
        if self._down.done():
            raise BleakError(f"{self.address} disconnected during a request")
        with bleak_errors(self.address):
            return asked.result()

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        return bytearray(await self._do(self._peer.read_value, characteristic.obj))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        return bytearray(await self._do(self._peer.read_value, descriptor.obj))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        await self._do(self._peer.write_value, characteristic.obj, bytes(data), with_response=response)

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        await self._do(self._peer.write_value, descriptor.obj, bytes(data), with_response=True)

    async def start_notify(self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kw: Any) -> None:
        def received(value: bytes) -> None:
            callback(bytearray(value))

        self._subscribers[characteristic.handle] = received
        await self._do(characteristic.obj.subscribe, received)

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        await self._do(characteristic.obj.unsubscribe, self._subscribers.pop(characteristic.handle, None))

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        raise BleakError("the virtual radio does not pair")

    async def unpair(self) -> None:
        raise BleakError("the virtual radio does not pair")


def _uuid(uuid: Any) -> str:
    """Return a bumble UUID in bleak's 128-bit form."""
    return normalize_uuid_str(uuid.to_hex_str("-").lower())
