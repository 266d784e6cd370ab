"""Devices of the Bluetooth SIG's health services: each notification is a reading, an event of its own."""

from __future__ import annotations

import calendar
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, SupportsFloat

import numpy as np

from pulselet.device.link import Link
from pulselet.device.sources.source import Source
from pulselet.packets.blood_pressure import BloodPressure
from pulselet.packets.date_time import DateTime
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

LOCAL_CLOCK_HZ = 1.0


class Packet(Protocol):
    """What all packets of these services have in common."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Any: ...


@dataclass(frozen=True)
class Reading:
    """One signal that a characteristic carries: what it is, and how its rows are got from a measurement."""

    signal: Signal
    rows: Callable[[Any], Rows]


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
    measurements
        Gives the measurements in a packet, each with a time of its own.
    ticks
        Gives the time of a measurement, in s by the device's clock; None if it does not say.
    """

    packet: type[Packet]
    readings: tuple[Reading, ...]
    interval_s: float | None = None
    measurements: Callable[[Any], Sequence[Any]] = lambda packet: (packet,)
    ticks: Callable[[Any], int | None] = lambda _: None


def _event(name: str, unit: str, *channels: str) -> Signal:
    return Signal(name, unit, None, channels or (name,), loss_detectable=False)


def _timed(name: str, unit: str, *channels: str) -> Signal:
    return replace(_event(name, unit, *channels), clock_hz=LOCAL_CLOCK_HZ)


def _number(value: SupportsFloat | None) -> float:
    return math.nan if value is None else float(value)


def _local_s(time: DateTime | None) -> int | None:
    """Return a local time as s since 1970, as if it were UTC; None if there is none or no such date."""
    moment = None if time is None else time.moment
    return None if moment is None else calendar.timegm(moment.timetuple())


def _status(packet: PlxSpot | PlxContinuous) -> Rows:
    return [(_number(packet.measurement_status), _number(packet.sensor_status))]


SERVICES: Mapping[str, Service] = {
    full_uuid(0x2A37): Service(
        HeartRate,
        (
            Reading(_event("heart_rate", "bpm"), lambda p: [(p.bpm,)]),
            Reading(_event("rr", "s"), lambda p: [(interval,) for interval in p.rr_s]),
            Reading(_event("heart_rate_contact", ""), lambda p: [(_number(p.contact),)]),
        ),
        interval_s=1.0,
    ),
    full_uuid(0x2A5F): Service(
        PlxContinuous,
        (
            Reading(_event("spo2", "%"), lambda p: [(float(p.normal.spo2_percent),)]),
            Reading(_event("pulse_rate", "bpm"), lambda p: [(float(p.normal.pulse_bpm),)]),
            Reading(_event("spo2_status", "", "measurement", "sensor"), _status),
        ),
        interval_s=1.0,
    ),
    full_uuid(0x2A5E): Service(
        PlxSpot,
        (
            Reading(_timed("spot_spo2", "%"), lambda p: [(float(p.normal.spo2_percent),)]),
            Reading(_timed("spot_pulse_rate", "bpm"), lambda p: [(float(p.normal.pulse_bpm),)]),
            Reading(_timed("spot_spo2_status", "", "measurement", "sensor"), _status),
        ),
        ticks=lambda p: None if p.clock_not_set else _local_s(p.time),
    ),
    full_uuid(0x2A1C): Service(
        Temperature,
        (
            Reading(_timed("temperature", "°C"), lambda p: [(p.celsius,)]),
            Reading(_timed("temperature_place", ""), lambda p: [(_number(p.place),)]),
        ),
        ticks=lambda p: _local_s(p.time),
    ),
    full_uuid(0x2A35): Service(
        BloodPressure,
        (
            Reading(
                _timed("blood_pressure", "mmHg", "systolic", "diastolic", "mean"),
                lambda p: [(p.mmhg(p.systolic), p.mmhg(p.diastolic), p.mmhg(p.mean))],
            ),
            Reading(_timed("blood_pressure_pulse_rate", "bpm"), lambda p: [(_number(p.pulse_bpm),)]),
            Reading(_timed("blood_pressure_status", ""), lambda p: [(_number(p.status),)]),
        ),
        ticks=lambda p: _local_s(p.time),
    ),
    full_uuid(0x2A9D): Service(
        Weight, (Reading(_timed("weight", "kg"), lambda p: [(p.weight_kg,)]),), ticks=lambda p: _local_s(p.time)
    ),
    full_uuid(0x2AA7): Service(
        ContinuousGlucose,
        (Reading(_timed("glucose", "mg/dL"), lambda one: [(float(one.glucose_mg_dl),)]),),
        measurements=lambda p: p.records,
        ticks=lambda one: 60 * one.offset_min,
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

    These protocols have neither sequence numbers nor a running device clock: loss cannot be detected. A reconnect is a
    gap of unknown size.

    A cuff, a thermometer, scales or an oximeter's spot check may send what they have stored, with its date and time.
    Then `device_ticks` of the block are that time in s since 1970, as if the device's local time were UTC, because it
    does not say its time zone; None if it sends no time, or no such date. Continuous glucose counts minutes from the
    start of its own session: `device_ticks` are these minutes in s. The arrival is always the host's.

    Beside the values come `heart_rate_contact` (1 on skin, 0 not), `spo2_status` and `spot_spo2_status`,
    `blood_pressure_pulse_rate`, `blood_pressure_status` and `temperature_place`, one row for each row of the value, NaN
    where the device does not say. Flags and places are the standards' numbers; `MeasurementStatus` and `SensorStatus`
    of `packets.pulse_oximeter`, `CuffStatus` of `packets.blood_pressure` and `PLACES` of `packets.thermometer` put
    them into words.
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
        return min((one for one in known if one is not None), default=None)

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
        found: list[Block | Gap] = []
        for measured in service.measurements(service.packet.from_bytes(data)):
            for one in service.readings:
                if one.signal.name in self._wanted:
                    rows = np.array(one.rows(measured), np.float32).reshape(-1, len(one.signal.channels))
                    found += self._assemblers[one.signal.name].feed(rows, arrival_ns, service.ticks(measured))
        return found
