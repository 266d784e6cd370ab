"""Who made a device, and how full its battery is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from pulselet.device.link import Link
from pulselet.errors import DeviceError, PacketError
from pulselet.packets.battery import BatteryLevel
from pulselet.packets.device_information import (
    FirmwareRevision,
    HardwareRevision,
    ManufacturerName,
    ModelNumber,
    SerialNumber,
    SoftwareRevision,
)

BATTERY = BatteryLevel.UUID
TEXTS = {
    "manufacturer": ManufacturerName.UUID,
    "model": ModelNumber.UUID,
    "serial": SerialNumber.UUID,
    "firmware": FirmwareRevision.UUID,
    "hardware": HardwareRevision.UUID,
    "software": SoftwareRevision.UUID,
}


@dataclass
class Information:
    """What a device says of itself in the standard services; "" or None where it does not."""

    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    hardware: str = ""
    software: str = ""
    battery_percent: int | None = None

    @classmethod
    def of(cls, facts: Mapping[str, str]) -> Information:
        """Return what a recording's session knows of its device."""
        battery = facts.get("battery_percent")
        texts = {name: facts[name] for name in TEXTS if name in facts}
        return cls(**texts, battery_percent=None if battery is None else int(battery))

    async def read(self, link: Link) -> None:
        """Ask the device; since no stream needs it, the first question that it does not answer is the last."""
        offered = {uuid for uuid, can in link.characteristics.items() if "read" in can}
        with contextlib.suppress(DeviceError, PacketError):
            for name, uuid in TEXTS.items():
                if uuid in offered:
                    setattr(self, name, (await link.read(uuid)).rstrip(b"\0").decode(errors="replace"))
            if BATTERY in offered:
                self.heard(await link.read(BATTERY))

    async def follow(self, link: Link) -> None:
        """Ask to be told of the battery, if the device can do that."""
        if "notify" in link.characteristics.get(BATTERY, []):
            with contextlib.suppress(DeviceError):
                await link.subscribe(BATTERY)

    def heard(self, data: bytes) -> int:
        """Take what the device says of its battery, and return it in percent; PacketError if it makes no sense."""
        self.battery_percent = BatteryLevel.from_bytes(data).percent
        return self.battery_percent

    @property
    def facts(self) -> dict[str, str]:
        """All that is known, by name."""
        battery = {} if self.battery_percent is None else {"battery_percent": str(self.battery_percent)}
        return {name: text for name in TEXTS if (text := getattr(self, name))} | battery
