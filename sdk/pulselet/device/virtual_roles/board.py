"""A board that speaks the Pulselet Stream Profile."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pulselet.device.virtual_roles.role import Host, Role, Timed
from pulselet.errors import DeviceError
from pulselet.packets import profile
from pulselet.packets.profile import Description, Identity, Packet, Result, StreamInfo

CLOCK_HZ = 32768
PACKET_S = 0.5
KEEP_ALIVE_S = 2.0
Segment = Mapping[str, NDArray[np.int16] | NDArray[np.int32]]
"""By name of the stream: samples `(n, channels)` that belong together, int16 or, for 24-bit sensors, int32."""


class Board(Role):
    """Replays `segments`, one after the other, with a rest between them.

    Parameters
    ----------
    pause_s
        Length of the rest; the sample counter goes on meanwhile.
    delta
        Send differences where they are shorter.
    identity, results
        What it says that it runs, and what its net says, each with the device time at which it says so.
    """

    advertised = (profile.SERVICE,)

    def __init__(
        self,
        streams: Sequence[StreamInfo],
        segments: Sequence[Segment],
        *,
        pause_s: float = 2.0,
        delta: bool = False,
        identity: Identity | None = None,
        results: Sequence[tuple[float, Result]] = (),
    ) -> None:
        self.streams, self.segments, self.pause_s, self.delta = streams, segments, pause_s, delta
        self.identity, self.results = identity, results
        offered = {profile.DATA: ("notify",), profile.CONTROL: ("write",), profile.DESCRIPTION: ("read",)}
        if identity is not None:
            offered |= {profile.IDENTITY: ("read",), profile.RESULT: ("notify",)}
        self.services = {profile.SERVICE: offered}
        for i, segment in enumerate(segments):
            for info in streams:
                _require_samples(i, info, segment.get(info.name))
        self._session = random.randrange(2**32)
        self._ended: list[Timed] = []

    @property
    def description(self) -> Description:
        """What the device says of itself in this session."""
        return Description(self._session, CLOCK_HZ, tuple(self.streams))

    def read(self, uuid: str) -> bytes:
        return bytes(self.identity if uuid == profile.IDENTITY and self.identity else self.description)

    def write(self, host: Host, uuid: str, value: bytes) -> None:
        if value == profile.START:
            self._session = (self._session + 1) % 2**32
            self._ended = []
            host.play("data", self._schedule(host.now_s, host.payload_bytes))
            host.play("results", self._result_schedule(host.now_s))
        elif value == profile.CONTINUE:  # the schedule has gone on meanwhile; only what came last is said again
            if self._ended:
                host.play("data", iter(self._ended))
        elif value == profile.STOP:
            host.rest("data")
            host.rest("results")

    def power_cycled(self) -> None:
        self._session = (self._session + 1) % 2**32
        self._ended = []

    def set_back(self, data: bytes, seconds: float) -> bytes:
        packet = Packet.from_bytes(data)
        return bytes(replace(packet, ticks=(packet.ticks - round(seconds * CLOCK_HZ)) % 2**32))

    def _schedule(self, from_s: float, payload_bytes: int) -> Iterator[Timed]:
        for at_s, packet in self.packets(payload_bytes):
            timed = Timed(from_s + at_s, profile.DATA, bytes(packet))
            if packet.kind == profile.END:
                self._ended.append(timed)
            yield timed

    def _result_schedule(self, from_s: float) -> Iterator[Timed]:
        for at_s, result in self.results:
            yield Timed(from_s + at_s, profile.RESULT, bytes(result))

    def packets(self, payload_bytes: int = 244) -> Iterator[tuple[float, Packet]]:
        """Yield every packet with the time, in s from the start, at which it is sent."""
        first_s = 0.0
        for i, segment in enumerate(self.segments):
            if i:
                yield from self._rest_packets(first_s - self.pause_s, first_s)
            yield from sorted(self._of_segment(segment, first_s, payload_bytes), key=lambda timed: timed[0])
            length_s = max(len(segment[info.name]) * 1000 / info.rate_mhz for info in self.streams)
            first_s += length_s + (self.pause_s if i + 1 < len(self.segments) else 0.0)
        for info in self.streams:
            index = round(first_s * info.rate_mhz / 1000)
            yield first_s, Packet(info.id, profile.END, index % 2**16, _ticks(info, index))

    def _rest_packets(self, from_s: float, until_s: float) -> Iterator[tuple[float, Packet]]:
        """Yield a sign of life every so often, and one at the end."""
        marks = [*np.arange(from_s, until_s, KEEP_ALIVE_S), until_s]
        for before_s, at_s in pairwise(marks):
            for info in self.streams:
                since, index = (round(s * info.rate_mhz / 1000) for s in (before_s, at_s))
                yield at_s, Packet.pause(info.id, index, _ticks(info, index), since)

    def _of_segment(self, segment: Segment, first_s: float, payload_bytes: int) -> Iterator[tuple[float, Packet]]:
        for info in self.streams:
            values, rate_hz = segment[info.name], info.rate_mhz / 1000
            first, at = round(first_s * rate_hz), 0
            while at < len(values):
                packet, count = self._packet(info, values[at:], first + at, payload_bytes)
                at += count
                yield (first + at) / rate_hz, packet

    def _packet(
        self, info: StreamInfo, values: NDArray[np.integer], index: int, payload_bytes: int
    ) -> tuple[Packet, int]:
        """Return a packet of the next samples, and how many it holds: as many as half a second and the link allow."""
        short = values.dtype == np.int16
        kinds = [profile.INT16 if short else profile.INT24]
        if self.delta:
            kinds.append(profile.DELTA16 if short else profile.DELTA24)
        count = min(max(1, round(PACKET_S * info.rate_mhz / 1000)), len(values), 255)
        while True:
            tried = [Packet.of(info.id, kind, index, _ticks(info, index), values[:count]) for kind in kinds]
            packet = min(tried, key=lambda one: len(one.payload))
            if len(bytes(packet)) <= payload_bytes or count == 1:
                return packet, count
            count = max(1, min(count - 1, count * payload_bytes // len(bytes(packet))))


def _ticks(info: StreamInfo, index: int) -> int:
    return round(index * CLOCK_HZ * 1000 / info.rate_mhz) % 2**32


def _require_samples(i: int, info: StreamInfo, values: NDArray[np.integer] | None) -> None:
    if values is None or values.dtype not in (np.int16, np.int32) or values.shape[1:] != (len(info.channels),):
        got = "nothing" if values is None else f"{values.dtype} {values.shape}"
        wanted = f"int16 or int32 (n, {len(info.channels)})"
        raise DeviceError(f"segment {i}: stream {info.name!r} wants {wanted}, got {got}", "bad-segment")
