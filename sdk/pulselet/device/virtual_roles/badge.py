"""Who made a device, and how full its battery is: what every role can be joined with."""

from __future__ import annotations

from pulselet.device.information import BATTERY, TEXTS
from pulselet.device.virtual_roles.role import Role
from pulselet.packets.battery import BatteryLevel
from pulselet.packets.gatt import full_uuid


class Badge(Role):
    """Device information and battery service.

    Parameters
    ----------
    texts
        By name, as in `pulselet.device.information.TEXTS`: manufacturer, model, serial, ...
    """

    advertised = ()

    def __init__(self, battery_percent: int = 100, **texts: str) -> None:
        self._values = {BATTERY: bytes(BatteryLevel(battery_percent))}
        self._values |= {TEXTS[name]: text.encode() for name, text in texts.items()}
        self.services = {
            full_uuid(0x180F): {BATTERY: ("read", "notify")},
            full_uuid(0x180A): {TEXTS[name]: ("read",) for name in texts},
        }

    def read(self, uuid: str) -> bytes:
        return self._values[uuid]
