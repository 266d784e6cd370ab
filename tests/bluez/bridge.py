"""`org.bluez` without bluetoothd: what bleak asks of BlueZ, carried out by bumble over a virtual radio.

Objects, properties, signals and errors are those of BlueZ's manual pages org.bluez.Adapter(5), org.bluez.Device(5) and
org.bluez.GattCharacteristic(5). It serves one client, and does not pair.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

from bumble.att import ATT_Error
from bumble.core import AdvertisingData, BaseBumbleError
from bumble.device import Peer
from bumble.hci import Address
from dbus_fast import BusType, DBusError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from pulselet.device.virtual_radio import VirtualRadio

HCI0 = "/org/bluez/hci0"
ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
SERVICE, CHARACTERISTIC = "org.bluez.GattService1", "org.bluez.GattCharacteristic1"
OBJECTS, PROPERTIES = "org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Properties"
UNKNOWN_OBJECT = "org.freedesktop.DBus.Error.UnknownObject"
TYPES = {"MTU": "q", "RSSI": "n", "Value": "ay"}
TYPES |= dict.fromkeys(("Adapter", "Device", "Service"), "o") | dict.fromkeys(("Flags", "Roles", "UUIDs"), "as")
UUID_LISTS = (
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)
ATT_ERRORS = {
    0x02: ("NotPermitted", "Read not permitted"),
    0x03: ("NotPermitted", "Write not permitted"),
    0x06: ("NotSupported", "Operation is not supported"),
    0x08: ("NotAuthorized", "Operation Not Authorized"),
    **dict.fromkeys((0x05, 0x0C, 0x0F), ("NotPermitted", "Not paired")),  # BlueZ does not say which it was
}
MTU = 517
CONNECT_S = 5.0


class Reply(NamedTuple):
    """What a method returns; `fds` are closed once they are sent."""

    signature: str = ""
    body: tuple[Any, ...] = ()
    fds: tuple[int, ...] = ()


class Bridge:
    """A Bluetooth service with one adapter, on the bus that `DBUS_SYSTEM_BUS_ADDRESS` names.

    A method of BlueZ's, such as ReadValue, is a method here that is named `do_read_value`, and is given the path of
    the object and the arguments.

    Parameters
    ----------
    adapter, powered
        Whether there is an adapter, and whether it is on.

    Attributes
    ----------
    errors
        By method of BlueZ's: name and text of the D-Bus error that is given instead of an answer.
    calls
        Every method that was called.
    """

    def __init__(self, radio: VirtualRadio, *, adapter: bool = True, powered: bool = True) -> None:
        self.errors: dict[str, tuple[str, str]] = {}
        self.calls: list[str] = []
        self._radio = radio
        self._bus: MessageBus
        self._central: Any
        self._scanning = False
        self._objects: dict[str, dict[str, dict[str, Variant]]] = {}
        self._links: dict[str, tuple[Any, asyncio.Future[None]]] = {}  # and what is done when one is lost; by device
        self._attributes: dict[str, Any] = {}  # bumble's characteristics
        self._acquired: dict[str, socket.socket] = {}  # our ends, by characteristic
        self._tasks: set[asyncio.Task[None]] = set()
        if adapter:
            self._objects[HCI0] = {ADAPTER: _variants(Address="F0:00:00:00:00:01", Powered=powered, Roles=["central"])}

    async def __aenter__(self) -> Bridge:
        self._central = await self._radio.central()
        self._central.on("advertisement", self._heard)
        self._bus = await MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True).connect()
        self._bus.add_message_handler(self._called)
        await self._bus.request_name("org.bluez")
        return self

    async def __aexit__(self, *_: object) -> None:
        for device in list(self._links):
            await self.do_disconnect(device)
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._bus.disconnect()
        await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    async def switch_off(self) -> None:
        """Switch the adapter off, which ends every connection."""
        for device in list(self._links):
            await self.do_disconnect(device)
        self._change(HCI0, ADAPTER, Powered=False)

    def _called(self, message: Message) -> bool:
        method = str(message.member)
        handler = getattr(self, "do" + re.sub("(?=[A-Z])", "_", method).lower(), None)
        if message.message_type is not MessageType.METHOD_CALL or handler is None:
            return False
        self.calls.append(method)
        self._later(self._answer(message, handler))
        return True

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Message, handler: Callable[..., Awaitable[Reply | None]]) -> None:
        try:
            if str(message.member) in self.errors:
                raise DBusError(*self.errors[str(message.member)])
            if message.path not in ("/", *self._objects):
                raise DBusError(UNKNOWN_OBJECT, f"no object {message.path}")
            reply = await handler(message.path, *message.body) or Reply()
            answer = Message.new_method_return(message, reply.signature, list(reply.body), list(reply.fds))
        except DBusError as error:
            answer = Message.new_error(message, error.type, error.text)
        except ATT_Error as error:
            other = "Failed", f"Operation failed with ATT error: 0x{error.error_code:02x}"
            answer = Message.new_error(message, *_error(*ATT_ERRORS.get(error.error_code, other)))
        except (asyncio.CancelledError, BaseBumbleError):  # bumble cancels what is under way when a link drops
            answer = Message.new_error(message, *_error("Failed", "Operation failed"))
        await self._bus.send(answer)
        for fd in answer.unix_fds:
            os.close(fd)

    # Objects

    def _signal(self, path: str, interface: str, member: str, signature: str, *body: Any) -> None:
        self._bus.send(Message.new_signal(path, interface, member, signature, list(body)))

    def _add(self, path: str, interface: str, **properties: Any) -> None:
        self._objects[path] = {interface: _variants(**properties)}
        self._signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", path, self._objects[path])

    def _remove(self, under: str) -> None:
        for path in [path for path in self._objects if path.startswith(under)]:
            self._signal("/", OBJECTS, "InterfacesRemoved", "oas", path, list(self._objects.pop(path)))

    def _change(self, path: str, interface: str, **properties: Any) -> None:
        changed = _variants(**properties)
        self._objects[path][interface].update(changed)
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", interface, changed, [])

    async def do_get_managed_objects(self, path: str) -> Reply:
        return Reply("a{oa{sa{sv}}}", (self._objects,))

    # The adapter

    async def do_set_discovery_filter(self, path: str, options: dict[str, Variant]) -> None:
        """Take any filter; bleak looks once more itself."""

    async def do_start_discovery(self, path: str) -> None:
        if self._scanning:  # BlueZ gives each client one session
            raise DBusError(*_error("InProgress", "Operation already in progress"))
        self._scanning = True
        await self._central.start_scanning(active=True, filter_duplicates=False)

    async def do_stop_discovery(self, path: str) -> None:
        self._scanning = False
        await self._central.stop_scanning()

    async def do_remove_device(self, path: str, device: str) -> None:
        if device in self._links:
            await self.do_disconnect(device)
        self._remove(device)

    def _heard(self, advertisement: Any) -> None:
        data, address = advertisement.data, advertisement.address.to_string(with_type_qualifier=False)
        path = f"{HCI0}/dev_{address.replace(':', '_')}"
        name = data.get(AdvertisingData.COMPLETE_LOCAL_NAME)
        seen: dict[str, Any] = {"Name": name} if name else {}
        seen |= {"Alias": name or address.replace(":", "-"), "RSSI": advertisement.rssi}
        seen["UUIDs"] = [_uuid(uuid) for kind in UUID_LISTS for uuid in data.get(kind) or []]
        if path in self._objects:
            self._change(path, DEVICE, **seen)
        else:
            states = dict.fromkeys(("Paired", "Bonded", "Trusted", "Blocked", "Connected", "ServicesResolved"), False)
            self._add(path, DEVICE, Adapter=HCI0, Address=address, AddressType="random", **states, **seen)

    # Devices

    async def do_connect(self, device: str) -> None:
        address = Address(self._objects[device][DEVICE]["Address"].value)
        connection = await self._central.connect(address, timeout=CONNECT_S)
        self._links[device] = connection, asyncio.get_running_loop().create_future()
        connection.on("disconnection", lambda _: self._lost(device))
        self._change(device, DEVICE, Connected=True)
        peer = Peer(connection)
        await self._over_link(device, peer.request_mtu(MTU))
        await self._over_link(device, peer.discover_all())
        for service in peer.services:
            self._add_service(device, service, connection.att_mtu)
        self._change(device, DEVICE, ServicesResolved=True)

    def _add_service(self, device: str, service: Any, mtu: int) -> None:
        """Add a service and its characteristics; bleak reads handles from the last four digits of their paths."""
        at = f"{device}/service{service.handle:04x}"
        self._add(at, SERVICE, UUID=_uuid(service.uuid), Primary=True, Device=device)
        for one in service.characteristics:
            flags = [flag.name.lower().replace("_", "-") for flag in type(one.properties) if flag & one.properties]
            states = {"NotifyAcquired": False} if "notify" in flags else {}
            path = f"{at}/char{one.handle - 1:04x}"  # BlueZ counts the declaration, bumble the value behind it
            self._attributes[path] = one
            self._add(path, CHARACTERISTIC, UUID=_uuid(one.uuid), Service=at, Flags=flags, MTU=mtu, **states)

    async def do_disconnect(self, device: str) -> None:
        if device not in self._links:
            raise DBusError(*_error("NotConnected", "Not Connected"))
        await self._links[device][0].disconnect()

    def _lost(self, device: str) -> None:
        self._links.pop(device)[1].set_result(None)
        for path in [path for path in self._acquired if path.startswith(device)]:
            self._release(path)
        self._remove(f"{device}/")
        self._change(device, DEVICE, Connected=False, ServicesResolved=False)

    async def _over_link(self, path: str, work: Awaitable[Any]) -> Any:
        """Do what takes a link, and give up with the link: bumble lets what is queued then wait for long."""
        request, (_, lost) = asyncio.ensure_future(work), self._links[path.split("/service")[0]]
        await asyncio.wait([request, lost], return_when=asyncio.FIRST_COMPLETED)
        if not request.done():
            request.cancel()
            raise DBusError(*_error("Failed", "Operation failed"))
        return request.result()

    # Characteristics

    async def do_read_value(self, path: str, options: dict[str, Variant]) -> Reply:
        value = bytes(await self._over_link(path, self._attributes[path].read_value()))
        self._change(path, CHARACTERISTIC, Value=value)  # so that who is notified hears of it too
        return Reply("ay", (value,))

    async def do_write_value(self, path: str, value: bytes, options: dict[str, Variant]) -> None:
        request = options["type"].value == "request"
        await self._over_link(path, self._attributes[path].write_value(value, with_response=request))

    async def do_start_notify(self, path: str) -> None:
        def emit(value: bytes) -> None:
            self._change(path, CHARACTERISTIC, Value=bytes(value))

        await self._over_link(path, self._attributes[path].subscribe(emit))

    async def do_stop_notify(self, path: str) -> None:
        await self._over_link(path, self._attributes[path].unsubscribe())

    async def do_acquire_notify(self, path: str, options: dict[str, Variant]) -> Reply:
        """Give notifications through a socket, one packet each; a reader that is too slow loses some, as with BlueZ."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._acquired[path] = ours
        with theirs:
            await self._over_link(path, self._attributes[path].subscribe(lambda value: ours.send(bytes(value))))
            asyncio.get_running_loop().add_reader(ours, partial(self._hung_up, path))
            return Reply("hq", (0, self._objects[path][CHARACTERISTIC]["MTU"].value), (os.dup(theirs.fileno()),))

    def _hung_up(self, path: str) -> None:
        """Note that the reader has closed its end, which is how it says that it wants no more."""
        self._release(path)
        self._later(self.do_stop_notify(path))

    def _release(self, path: str) -> None:
        ours = self._acquired.pop(path)
        asyncio.get_running_loop().remove_reader(ours)
        ours.close()


def _error(name: str, text: str) -> tuple[str, str]:
    """Return name and text of an error of BlueZ's own."""
    return f"org.bluez.Error.{name}", text


def _variants(**properties: Any) -> dict[str, Variant]:
    """Return properties in the types that BlueZ gives them."""
    return {
        name: Variant(TYPES.get(name, "b" if isinstance(value, bool) else "s"), value)
        for name, value in properties.items()
    }


def _uuid(uuid: Any) -> str:
    """Return a bumble UUID as BlueZ writes it: 128 bits, lower case."""
    text = str(uuid.to_hex_str("-")).lower()
    return text if len(text) > 8 else f"{text:0>8}-0000-1000-8000-00805f9b34fb"
