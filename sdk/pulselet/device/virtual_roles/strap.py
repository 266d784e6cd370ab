"""A chest strap: heart rate service and Polar Measurement Data, as a Polar H10 has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pulselet.device.virtual_roles.feed import Feed
from pulselet.device.virtual_roles.role import Host, Role, Timed
from pulselet.packets import polar, polar_control
from pulselet.packets.gatt import full_uuid
from pulselet.packets.heart_rate import HeartRate
from pulselet.packets.polar import Frame
from pulselet.packets.polar_control import Command, Features, Response
from pulselet.packets.polar_settings import Settings

POWERED_ON_NS = 820_000_000 * 10**9  # device clock at power on: the end of 2025
INVALID_OPERATION, INVALID_TYPE = 1, 2  # errors of the control point
FRAME_S = 0.6
HEART_RATE, HEART_RATE_SERVICE = full_uuid(0x2A37), full_uuid(0x180D)


@dataclass(frozen=True)
class Measurement:
    """One measurement of the strap: what it offers, and where its samples come from.

    Attributes
    ----------
    frame_type, compressed
        Which layout its frames have.
    resolution_bits, range, factor
        What the control point says of it.
    """

    rate_hz: int
    feed: Feed
    frame_type: int = 0
    compressed: bool = False
    resolution_bits: int = 16
    range: int | None = None
    factor: float | None = None

    @property
    def settings(self) -> Settings:
        """What is on offer."""
        full_scale = () if self.range is None else (self.range,)
        return Settings(rate_hz=(self.rate_hz,), resolution_bits=(self.resolution_bits,), range=full_scale)


def ecg(feed: Feed, rate_hz: int = 130) -> Measurement:
    """Return the ECG of a strap; samples in microvolts."""
    return Measurement(rate_hz, feed, resolution_bits=14)


def acceleration(feed: Feed, rate_hz: int = 50, *, compressed: bool = False) -> Measurement:
    """Return the acceleration of a strap; samples `(n, 3)` in milli-g."""
    return Measurement(rate_hz, feed, frame_type=1, compressed=compressed, range=8)


class Strap(Role):
    """Streams what it is asked for, and heart rate with RR intervals.

    Parameters
    ----------
    measurements
        By measurement type: `{polar.ECG: ecg(feed)}`.
    rr_s
        RR intervals, which are repeated; none without a heart.
    """

    advertised = (HEART_RATE_SERVICE,)

    def __init__(self, measurements: Mapping[int, Measurement], rr_s: NDArray[np.float64] | None = None) -> None:
        self.measurements = dict(measurements)
        self._rr_s = rr_s
        self.streaming: set[int] = set()
        self.services = {
            HEART_RATE_SERVICE: {HEART_RATE: ("notify",)},
            polar.SERVICE: {polar.CONTROL: ("read", "write", "indicate"), polar.DATA: ("notify",)},
        }

    def read(self, uuid: str) -> bytes:
        return bytes(Features.of(*self.measurements)) if uuid == polar.CONTROL else b""

    def subscribed(self, host: Host, uuid: str, on: bool) -> None:
        if uuid == HEART_RATE and on and self._rr_s is not None:
            host.play("heart rate", self._heart(self._rr_s, host.now_s))
        elif uuid == HEART_RATE:
            host.rest("heart rate")

    def write(self, host: Host, uuid: str, value: bytes) -> None:
        command = Command.from_bytes(value)
        host.indicate(polar.CONTROL, bytes(self._answer(host, command)))

    def _answer(self, host: Host, command: Command) -> Response:
        if command.operation == polar_control.GET_STATUS:
            return Response(command.operation, 0, parameters=self._status())
        kind = -1 if command.type is None else command.type
        answer = Response(command.operation, max(kind, 0))
        measurement = self.measurements.get(kind)
        if measurement is None:
            return replace(answer, error=INVALID_TYPE)
        if command.operation == polar_control.GET_SETTINGS:
            return replace(answer, parameters=bytes(measurement.settings))
        if command.operation == polar_control.START:
            return self._start(host, kind, measurement, answer)
        if command.operation == polar_control.STOP:
            self.streaming.discard(kind)
            host.rest(polar.NAMES[kind])
            return answer
        return replace(answer, error=INVALID_OPERATION)

    def _status(self) -> bytes:
        """Return a byte for each measurement that there is: its type, and in the top two bits whether it streams."""
        return bytes(kind | polar_control.ONLINE * (kind in self.streaming) << 6 for kind in sorted(self.measurements))

    def _start(self, host: Host, kind: int, measurement: Measurement, answer: Response) -> Response:
        if kind in self.streaming:
            return replace(answer, error=polar_control.ALREADY_IN_STATE)
        self.streaming.add(kind)
        host.play(polar.NAMES[kind], self._frames(kind, measurement, host.now_s, host.payload_bytes))
        factor = () if measurement.factor is None else (measurement.factor,)
        return replace(answer, parameters=bytes(Settings(factor=factor)))

    def disconnected(self, host: Host) -> None:
        for kind in list(self.streaming):
            self.streaming.discard(kind)
            host.rest(polar.NAMES[kind])
        host.rest("heart rate")

    def set_back(self, data: bytes, seconds: float) -> bytes:
        if not data or data[0] not in self.measurements:
            return data
        frame = Frame.from_bytes(data)
        return bytes(replace(frame, timestamp_ns=frame.timestamp_ns - round(seconds * 1e9)))

    def _frames(self, kind: int, measurement: Measurement, from_s: float, payload_bytes: int) -> Iterator[Timed]:
        """Yield frames from the next sample on; the strap samples all the time, whether it streams or not."""
        rate_hz = measurement.rate_hz
        at = int(np.ceil(from_s * rate_hz))
        while True:
            frame, count = self._frame(kind, measurement, at, payload_bytes)
            if frame is None:
                return
            at += count
            yield Timed((at - 1) / rate_hz, polar.DATA, bytes(frame))

    def _frame(self, kind: int, of: Measurement, at: int, payload_bytes: int) -> tuple[Frame | None, int]:
        """Return a frame of the next samples, and how many it holds: as many as the link allows, or 0.6 s."""
        values = of.feed(at, at + max(1, round(FRAME_S * of.rate_hz)))
        count = len(values)
        while count:
            last_ns = POWERED_ON_NS + round((at + count - 1) * 1e9 / of.rate_hz)
            build = Frame.compress if of.compressed else Frame.raw
            frame = build(kind, of.frame_type, last_ns, values[:count])
            size = len(bytes(frame))
            if size <= payload_bytes or count == 1:
                return frame, count
            count = max(1, min(count - 1, count * payload_bytes // size))
        return None, 0

    def _heart(self, rr_s: NDArray[np.float64], from_s: float) -> Iterator[Timed]:
        """Yield, every second, the mean rate and the RR intervals that have ended in it."""
        beat_s, n, at_s = from_s, 0, from_s
        while True:
            at_s += 1.0
            ended = []
            while beat_s + rr_s[n % len(rr_s)] <= at_s:
                beat_s += float(rr_s[n % len(rr_s)])
                ended.append(round(float(rr_s[n % len(rr_s)]) * 1024))
                n += 1
            bpm = round(60 / float(rr_s[max(n - 1, 0) % len(rr_s)]))
            yield Timed(
                at_s, HEART_RATE, bytes(HeartRate(bpm, contact_detected=True, contact_supported=True, rr=tuple(ended)))
            )
