"""Device Information Service 1.1: who made a device, and what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from pulselet.packets.cursor import Cursor
from pulselet.packets.gatt import full_uuid, whole

_Text = TypeVar("_Text", bound="DeviceText")


@dataclass(frozen=True)
class DeviceText:
    """A text; `padding` counts the NUL bytes at its end, which the standard does not want but devices send."""

    text: str
    padding: int = 0

    def __bytes__(self) -> bytes:
        return self.text.encode() + b"\0" * self.padding

    @classmethod
    def from_bytes(cls: type[_Text], data: bytes) -> _Text:
        """Return the text in `data`; PacketError if it is not UTF-8.

        >>> ModelNumber.from_bytes(b"H10\\0")
        ModelNumber(text='H10', padding=1)
        """
        cursor = Cursor(data, "a text about a device")
        text = cursor.text(len(cursor.data.rstrip(b"\0")))
        return cls(text, cursor.left)


@dataclass(frozen=True)
class ManufacturerName(DeviceText):
    """Who made the device."""

    UUID: ClassVar[str] = full_uuid(0x2A29)


@dataclass(frozen=True)
class ModelNumber(DeviceText):
    """Which model it is."""

    UUID: ClassVar[str] = full_uuid(0x2A24)


@dataclass(frozen=True)
class SerialNumber(DeviceText):
    """Which piece of that model it is."""

    UUID: ClassVar[str] = full_uuid(0x2A25)


@dataclass(frozen=True)
class FirmwareRevision(DeviceText):
    """Version of its firmware."""

    UUID: ClassVar[str] = full_uuid(0x2A26)


@dataclass(frozen=True)
class HardwareRevision(DeviceText):
    """Version of its hardware."""

    UUID: ClassVar[str] = full_uuid(0x2A27)


@dataclass(frozen=True)
class SoftwareRevision(DeviceText):
    """Version of its software."""

    UUID: ClassVar[str] = full_uuid(0x2A28)


@dataclass(frozen=True)
class SystemId:
    """An EUI-64: 40 bits that the manufacturer chooses, below 24 bits that say who that is."""

    manufacturer: int
    organisation: int
    UUID: ClassVar[str] = full_uuid(0x2A23)

    def __bytes__(self) -> bytes:
        return whole(self.manufacturer, 5, "a manufacturer's number") + whole(self.organisation, 3, "an organisation")

    @classmethod
    def from_bytes(cls, data: bytes) -> SystemId:
        """Return the system ID in `data`; PacketError if it is not 8 bytes."""
        cursor = Cursor(data, "a system ID")
        found = cls(cursor.unsigned(5), cursor.u24())
        cursor.end()
        return found


@dataclass(frozen=True)
class PnpId:
    """Numbers of vendor, product and version; `source` says whose vendor numbers: 1 Bluetooth SIG, 2 USB forum."""

    source: int
    vendor: int
    product: int
    version: int
    UUID: ClassVar[str] = full_uuid(0x2A50)

    def __bytes__(self) -> bytes:
        numbers = self.vendor, self.product, self.version
        return whole(self.source, 1, "a source") + b"".join(whole(number, 2, "a PnP number") for number in numbers)

    @classmethod
    def from_bytes(cls, data: bytes) -> PnpId:
        """Return the PnP ID in `data`; PacketError if it is not 7 bytes."""
        cursor = Cursor(data, "a PnP ID")
        found = cls(*cursor.unpack("<BHHH"))
        cursor.end()
        return found
