"""Movesense sensors: resources that are subscribed to by path, with the time of their first sample in ms."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping

import numpy as np

from pulselet.device.link import Link
from pulselet.device.sources.source import Source, usual_interval_s
from pulselet.errors import DeviceError, PacketError
from pulselet.packets import movesense
from pulselet.packets.movesense import DATA, OK, RESULT, Joiner, Reply
from pulselet.packets.movesense_data import HeartRate, Stream
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.readings import ReadingAssembler
from pulselet.stream.timed import TimedAssembler

USUAL = {"ecg": "/Meas/ECG/125/mV", "acc": "/Meas/Acc/52", "hr": "/Meas/HR"}
HEART_RATE, RR = "/Meas/HR", "_rr"
CLOCK_HZ = 1000.0
NS_PER_MS, ROUND_MS = 1_000_000, 2**32
FIRST_REFERENCE = 10
SAMPLES = 16  # about what a notification holds


class MovesenseSource(Source):
    """The GATT SensorData Protocol.

    Parameters
    ----------
    paths
        By name of the signal, the resource to subscribe to; what a sensor has depends on its application, and cannot
        be asked for. ECG at 125 Hz, acceleration at 52 Hz and heart rate if not given. Heart rate gives two signals:
        "hr" in beats a minute and "hr_rr", RR intervals in s.

    Raises
    ------
    PacketError
        If a path is not known.
    DeviceError
        If a name is taken by the intervals of a heart rate.
    """

    title = "Movesense GATT SensorData Protocol"

    def __init__(self, paths: Mapping[str, str] = USUAL) -> None:
        super().__init__()
        self._paths = dict(paths)
        self._streams = {name: Stream.of(path) for name, path in paths.items() if path != HEART_RATE}
        self._references = {name: FIRST_REFERENCE + at for at, name in enumerate(paths)}
        self._names = {reference: name for name, reference in self._references.items()}
        self.signals = {name: _signal(name, self._streams.get(name)) for name in paths}
        for name in (name for name in paths if name not in self._streams):
            if name + RR in paths:
                raise DeviceError(f"{name + RR!r} is the name of the RR intervals beside {name!r}", "bad-setting")
            self.signals[name + RR] = Signal(name + RR, "s", None, ("rr",), loss_detectable=False)
        self._wanted: Collection[str] = ()
        self._used: list[str] = []  # names of the paths that carry something wanted
        self._anew(self.signals)

    def _anew(self, names: Collection[str]) -> None:
        self._joiner = Joiner()
        self._latest_ms = dict.fromkeys(names, 0)
        rated = [name for name in names if self.signals[name].rate_hz is not None]
        self._timed = {name: TimedAssembler(self.signals[name]) for name in rated}
        self._readings = {name: ReadingAssembler(self.signals[name]) for name in names if name not in rated}
        self.counts.update({name: one.count for name, one in (self._timed | self._readings).items()})

    @classmethod
    def fits(cls, link: Link) -> bool:
        return movesense.SERVICE in link.services

    @property
    def characteristics(self) -> Collection[str]:
        return (movesense.NOTIFY,)

    @property
    def facts(self) -> dict[str, str]:
        return {f"{name} path": path for name, path in self._paths.items()}

    @property
    def interval_s(self) -> float | None:
        return usual_interval_s((self.signals[name] for name in self._wanted), SAMPLES)

    async def prepare(self, link: Link) -> None:
        await link.subscribe(movesense.NOTIFY)

    async def start(self, link: Link, names: Collection[str]) -> None:
        self._wanted = names
        beside = {name: name + RR for name in self._paths if name not in self._streams}
        self._used = [name for name in self._paths if name in names or beside.get(name) in names]
        self._anew(names)
        await self._begin(link)

    async def resume(self, link: Link) -> None:
        for timed in self._timed.values():
            timed.resume()
        for reading in self._readings.values():
            reading.resume()
        self._joiner = Joiner()
        await self._begin(link)

    async def _begin(self, link: Link) -> None:
        for name in self._used:
            reference, path = self._references[name], self._paths[name]
            status = await _ask(link, movesense.subscribe(reference, path), reference)
            if status not in (OK, OK + 1):
                raise DeviceError(f"{link.name} has no {path} ({name}): status {status}", "refused")

    async def stop(self, link: Link) -> None:
        for name in self._used:
            with contextlib.suppress(DeviceError, PacketError):
                await _ask(link, movesense.unsubscribe(self._references[name]), self._references[name])
        await super().stop(link)

    def feed(self, uuid: str, data: bytes, arrival_ns: int) -> list[Block | Gap]:
        found: list[Block | Gap] = []
        for reply in self._joiner.feed(Reply.from_bytes(data)):
            name = self._names.get(reply.reference, "")
            if reply.code == DATA and name in self._used:
                found += self._items(name, reply.payload, arrival_ns)
        return found

    def _items(self, name: str, payload: bytes, arrival_ns: int) -> list[Block | Gap]:
        stream = self._streams.get(name)
        if stream is None:
            return self._beats(name, HeartRate.from_bytes(payload), arrival_ns)
        measured = stream.read(payload)
        if stream.rate_hz is None:
            return self._readings[name].feed(measured.values, arrival_ns, self._unwrapped(name, measured.time_ms))
        first_ns = self._unwrapped(name, measured.time_ms) * NS_PER_MS
        last_ns = first_ns + round((len(measured.values) - 1) * 1e9 / stream.rate_hz)
        return self._timed[name].feed(measured.values, last_ns, arrival_ns)

    def _beats(self, name: str, heart: HeartRate, arrival_ns: int) -> list[Block | Gap]:
        rows = {name: [heart.average_bpm], name + RR: [interval / 1000 for interval in heart.rr_ms]}
        found: list[Block | Gap] = []
        for one in (one for one in rows if one in self._wanted):
            found += self._readings[one].feed(np.array(rows[one], np.float32).reshape(-1, 1), arrival_ns)
        return found

    def _unwrapped(self, name: str, time_ms: int) -> int:
        """Return the sensor's clock without its wrap at 32 bits, which comes after 50 days."""
        latest = self._latest_ms[name]
        step = (time_ms - latest + ROUND_MS // 2) % ROUND_MS - ROUND_MS // 2
        self._latest_ms[name] = latest + step
        return latest + step


def _signal(name: str, stream: Stream | None) -> Signal:
    if stream is None:
        return Signal(name, "bpm", None, ("average",), loss_detectable=False)
    units = set(stream.units)
    unit = units.pop() if len(units) == 1 else ", ".join(dict.fromkeys(stream.units))
    if stream.rate_hz is None:
        return Signal(name, unit, None, stream.channels, CLOCK_HZ, loss_detectable=False)
    return Signal(name, unit, float(stream.rate_hz), stream.channels, CLOCK_HZ)


async def _ask(link: Link, command: bytes, reference: int) -> int:
    """Return the status with which the sensor answers a command."""

    def fits(data: bytes) -> bool:
        return data[:2] == bytes([RESULT, reference])

    answer = await link.ask(movesense.WRITE, command, answer=movesense.NOTIFY, fits=fits)
    return Reply.from_bytes(answer).status
