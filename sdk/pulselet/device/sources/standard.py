"""Devices of the Bluetooth SIG's health services: each notification is a reading, an event of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pulselet.device.link import Link
from pulselet.device.sources.source import Source
from pulselet.packets.blood_pressure import BloodPressure
from pulselet.packets.gatt import full_uuid
from pulselet.packets.glucose import ContinuousGlucose
from pulselet.packets.heart_rate import HeartRate
from pulselet.packets.pulse_oximeter import PlxContinuous, PlxSpot
from pulselet.packets.running import Running
from pulselet.packets.thermometer import Temperature
from pulselet.packets.weight import Weight
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.count import Count
from pulselet.stream.readings import ReadingAssembler

Rows = list[tuple[float, ...]]


class Packet(Protocol):
    """What all packets of these services have in common."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Any: ...


@dataclass(frozen=True)
class Reading:
    """One signal that a characteristic carries: what it is, and how its rows are got from a packet."""

    signal: Signal
    rows: Callable[[Any], Rows]


def _event(name: str, unit: str, *channels: str) -> Signal:
    return Signal(name, unit, None, channels or (name,), loss_detectable=False)


def _oximetry(packet: PlxSpot | PlxContinuous, channel: str) -> Rows:
    return [(float(getattr(packet.normal, channel)),)]


@dataclass(frozen=True)
class Service:
    """A characteristic that is notified or indicated.

    Attributes
    ----------
    packet
        What its bytes are.
    readings
        The signals that it carries.
    interval_s
        How often it usually comes; None if it comes when somebody steps on the scales.
    """

    packet: type[Packet]
    readings: tuple[Reading, ...]
    interval_s: float | None = None


SERVICES: Mapping[str, Service] = {
    full_uuid(0x2A37): Service(
        HeartRate,
        (
            Reading(_event("heart_rate", "bpm"), lambda p: [(p.bpm,)]),
            Reading(_event("rr", "s"), lambda p: [(interval,) for interval in p.rr_s]),
        ),
        interval_s=1.0,
    ),
    full_uuid(0x2A5F): Service(
        PlxContinuous,
        (
            Reading(_event("spo2", "%"), lambda p: _oximetry(p, "spo2_percent")),
            Reading(_event("pulse_rate", "bpm"), lambda p: _oximetry(p, "pulse_bpm")),
        ),
        interval_s=1.0,
    ),
    full_uuid(0x2A5E): Service(
        PlxSpot,
        (
            Reading(_event("spot_spo2", "%"), lambda p: _oximetry(p, "spo2_percent")),
            Reading(_event("spot_pulse_rate", "bpm"), lambda p: _oximetry(p, "pulse_bpm")),
        ),
    ),
    full_uuid(0x2A1C): Service(Temperature, (Reading(_event("temperature", "°C"), lambda p: [(p.celsius,)]),)),
    full_uuid(0x2A35): Service(
        BloodPressure,
        (
            Reading(
                _event("blood_pressure", "mmHg", "systolic", "diastolic", "mean"),
                lambda p: [(p.mmhg(p.systolic), p.mmhg(p.diastolic), p.mmhg(p.mean))],
            ),
        ),
    ),
    full_uuid(0x2A9D): Service(Weight, (Reading(_event("weight", "kg"), lambda p: [(p.weight_kg,)]),)),
    full_uuid(0x2AA7): Service(
        ContinuousGlucose,
        (Reading(_event("glucose", "mg/dL"), lambda p: [(float(one.glucose_mg_dl),) for one in p.records]),),
    ),
    full_uuid(0x2A53): Service(
        Running,
        (
            Reading(_event("running_speed", "m/s"), lambda p: [(p.speed_m_s,)]),
            Reading(_event("cadence", "1/min"), lambda p: [(p.cadence_per_min,)]),
        ),
        interval_s=1.0,
    ),
}


class StandardSource(Source):
    """Heart rate, oximetry, temperature, blood pressure, weight, glucose, running: whatever of it the device offers.

    These protocols have neither sequence numbers nor a device clock: loss cannot be detected. A reconnect is a gap of
    unknown size.
    """

    title = "standard health services"

    def __init__(self) -> None:
        super().__init__()
        self._offered: list[str] = []
        self._wanted: Collection[str] = ()
        self._assemblers: dict[str, ReadingAssembler] = {}

    @classmethod
    def fits(cls, link: Link) -> bool:
        return not SERVICES.keys().isdisjoint(link.characteristics)

    @property
    def characteristics(self) -> Collection[str]:
        return tuple(SERVICES)

    @property
    def interval_s(self) -> float | None:
        known = [SERVICES[uuid].interval_s for uuid in self._used]
        return max((one for one in known if one is not None), default=None)

    @property
    def _used(self) -> list[str]:
        """The characteristics that carry something wanted."""
        return [
            uuid for uuid in self._offered if any(one.signal.name in self._wanted for one in SERVICES[uuid].readings)
        ]

    async def prepare(self, link: Link) -> None:
        self._offered = [uuid for uuid in SERVICES if uuid in link.characteristics]
        self.signals = {one.signal.name: one.signal for uuid in self._offered for one in SERVICES[uuid].readings}
        self.counts = {name: Count() for name in self.signals}

    async def start(self, link: Link, names: Collection[str]) -> None:
        self._wanted = names
        self._assemblers = {name: ReadingAssembler(self.signals[name]) for name in names}
        self.counts.update({name: one.count for name, one in self._assemblers.items()})
        await self._subscribe(link)

    async def _subscribe(self, link: Link) -> None:
        for uuid in self._used:
            await link.subscribe(uuid)

    async def resume(self, link: Link) -> None:
        for assembler in self._assemblers.values():
            assembler.resume()
        await self._subscribe(link)

    def feed(self, uuid: str, data: bytes, arrival_ns: int) -> list[Block | Gap]:
        service = SERVICES[uuid]
        packet = service.packet.from_bytes(data)
        found: list[Block | Gap] = []
        for one in service.readings:
            if one.signal.name in self._wanted:
                rows = np.array(one.rows(packet), np.float32).reshape(-1, len(one.signal.channels))
                found += self._assemblers[one.signal.name].feed(rows, arrival_ns)
        return found
