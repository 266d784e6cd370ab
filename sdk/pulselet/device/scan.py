"""Which devices are near."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from bleak import BleakScanner

from pulselet.device.adapter import Adapter
from pulselet.device.explain import own_errors
from pulselet.device.link import one_scan
from pulselet.packets import movesense, polar, profile, uart
from pulselet.packets.gatt import full_uuid

POLAR = 0x006B  # Bluetooth SIG company identifier
KINDS = {
    profile.SERVICE: "Pulselet",
    polar.SERVICE: "Polar",
    movesense.SERVICE: "Movesense",
    uart.SERVICE: "UART",
    full_uuid(0x180D): "heart rate",
    full_uuid(0x1822): "oximeter",
    full_uuid(0x1809): "thermometer",
    full_uuid(0x1810): "blood pressure",
    full_uuid(0x181D): "weight",
    full_uuid(0x181F): "glucose",
    full_uuid(0x1814): "running",
}
"""By service that is advertised. A Polar strap advertises its heart rate, and its maker."""


@dataclass(frozen=True)
class Found:
    """A device that was heard, and what it seems to be."""

    name: str
    address: str  # on macOS a UUID
    rssi_dbm: int
    kinds: tuple[str, ...]


async def scan(seconds: float = 5.0, *, adapter: Adapter | None = None, everything: bool = False) -> list[Found]:
    """Return the devices that Pulselet can stream from, the nearest first; with `everything`, the others too.

    Raises
    ------
    DeviceError
        If this computer has no usable Bluetooth, and why.
    """
    adapter = adapter or Adapter()
    async with one_scan():
        with own_errors():
            heard = await BleakScanner.discover(seconds, return_adv=True, **adapter.scanning)
    found = [
        Found(
            adv.local_name or device.name or "",
            device.address,
            adv.rssi,
            _kinds(adv.service_uuids, adv.manufacturer_data),
        )
        for device, adv in heard.values()
    ]
    return sorted((one for one in found if one.kinds or everything), key=lambda one: -one.rssi_dbm)


def _kinds(services: Iterable[str], makers: Container[int]) -> tuple[str, ...]:
    kinds = [KINDS[uuid] for uuid in services if uuid in KINDS]
    return tuple(kinds + ["Polar"] * (POLAR in makers and "Polar" not in kinds))
