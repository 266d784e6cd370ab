"""Bytes to frozen dataclasses and back, one file per format; `decode` finds the format by the characteristic's UUID."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from pulselet.errors import PacketError
from pulselet.packets import device_information, movesense, polar, polar_control, profile
from pulselet.packets.battery import BatteryLevel
from pulselet.packets.blood_pressure import BloodPressure, CuffPressure
from pulselet.packets.date_time import DateTime
from pulselet.packets.gatt import BASE, full_uuid
from pulselet.packets.glucose import ContinuousGlucose
from pulselet.packets.heart_rate import BodySensorLocation, HeartRate
from pulselet.packets.pulse_oximeter import PlxContinuous, PlxSpot
from pulselet.packets.running import Running
from pulselet.packets.thermometer import Temperature, TemperatureType
from pulselet.packets.weight import Weight


class AnyPacket(Protocol):
    """What all packets can do."""

    @classmethod
    def from_bytes(cls, data: bytes) -> AnyPacket:
        """Return the packet in `data`; PacketError if it is none."""

    def __bytes__(self) -> bytes: ...


# One line per format: a new one is known once it stands here.
_FORMATS: dict[str, type[AnyPacket]] = {
    HeartRate.UUID: HeartRate,
    BodySensorLocation.UUID: BodySensorLocation,
    PlxSpot.UUID: PlxSpot,
    PlxContinuous.UUID: PlxContinuous,
    **dict.fromkeys(Temperature.UUID, Temperature),
    TemperatureType.UUID: TemperatureType,
    BloodPressure.UUID: BloodPressure,
    CuffPressure.UUID: CuffPressure,
    Weight.UUID: Weight,
    ContinuousGlucose.UUID: ContinuousGlucose,
    Running.UUID: Running,
    BatteryLevel.UUID: BatteryLevel,
    DateTime.UUID: DateTime,
    device_information.ManufacturerName.UUID: device_information.ManufacturerName,
    device_information.ModelNumber.UUID: device_information.ModelNumber,
    device_information.SerialNumber.UUID: device_information.SerialNumber,
    device_information.FirmwareRevision.UUID: device_information.FirmwareRevision,
    device_information.HardwareRevision.UUID: device_information.HardwareRevision,
    device_information.SoftwareRevision.UUID: device_information.SoftwareRevision,
    device_information.SystemId.UUID: device_information.SystemId,
    device_information.PnpId.UUID: device_information.PnpId,
    profile.DATA: profile.Packet,
    profile.DESCRIPTION: profile.Description,
    profile.IDENTITY: profile.Identity,
    profile.RESULT: profile.Result,
    polar.DATA: polar.Frame,
    polar.CONTROL: polar_control.Response,
    movesense.NOTIFY: movesense.Reply,
    movesense.WRITE: movesense.Command,
}
# Where one characteristic carries several kinds of packet: what tells them apart. The class above is the usual one.
_SEVERAL: dict[str, Callable[[bytes], AnyPacket]] = {polar.CONTROL: polar_control.parse}


def known() -> Mapping[str, type[AnyPacket]]:
    """Return the class of each format that `decode` knows, by the full UUID in lower case."""
    return MappingProxyType(_FORMATS)


def decode(uuid: str | int, payload: bytes) -> AnyPacket:
    """Return the packet that a characteristic sent.

    Parameters
    ----------
    uuid
        The characteristic, in full or in short: "00002a37-0000-1000-8000-00805f9b34fb", "2A37", "0x2A37" or 0x2A37.
    payload
        What it sent.

    Raises
    ------
    PacketError
        If the characteristic is not among `known`, or the payload is not of its format.

    >>> decode("2A19", b"\\x55")
    BatteryLevel(percent=85)
    """
    full = _full(uuid)
    form = _FORMATS.get(full)
    if form is None:
        names = ", ".join(sorted(name.removesuffix(BASE).removeprefix("0000") for name in _FORMATS))
        raise PacketError(f"no format is known for characteristic {full}; known are {names}", bytes(payload))
    return _SEVERAL.get(full, form.from_bytes)(bytes(payload))


def _full(uuid: str | int) -> str:
    if isinstance(uuid, int):
        return full_uuid(uuid)
    text = uuid.strip().lower()
    short = re.fullmatch(r"(?:0x)?([0-9a-f]{4}|[0-9a-f]{8})", text)
    return full_uuid(int(short[1], 16)) if short else text
