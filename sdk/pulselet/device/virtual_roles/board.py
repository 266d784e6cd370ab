"""A board that speaks the Pulselet Stream Profile."""

from __future__ import annotations

import heapq
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
from pulselet.stream.reader import Reader

CLOCK_HZ = 32768
PACKET_S = 0.5
KEEP_ALIVE_S = 2.0
PAYLOAD_BYTES = 244
Samples = NDArray[np.int16] | NDArray[np.int32]
"""`(n, channels)`: int16 or, for 24-bit sensors, int32."""
Run = tuple[int, Samples]
"""Index of the first sample, and samples that follow each other."""
Segment = Mapping[str, Samples]
"""By name of the stream: samples that were taken together."""


class Board(Role):
    """Plays runs of samples; between two runs of a stream its sensor rests, and the count goes on.

    Parameters
    ----------
    runs
        By name of the stream.
    delta
        Send differences where they are shorter.
    identity, results
        What it says that it runs, and what its net says, each with the device time at which it says so.

    Raises
    ------
    DeviceError
        If a stream has no runs, or one of the wrong shape or type.
    """

    advertised = (profile.SERVICE,)

    def __init__(
        self,
        streams: Sequence[StreamInfo],
        runs: Mapping[str, Sequence[Run]],
        *,
        delta: bool = False,
        identity: Identity | None = None,
        results: Sequence[tuple[float, Result]] = (),
    ) -> None:
        self.streams, self.runs, self.delta = streams, runs, delta
        self.identity, self.results = identity, results
        offered = {profile.DATA: ("notify",), profile.CONTROL: ("write",), profile.DESCRIPTION: ("read",)}
        if identity is not None:
            offered |= {profile.IDENTITY: ("read",), profile.RESULT: ("notify",)}
        self.services = {profile.SERVICE: offered}
        for info in streams:
            _require_runs(info, runs.get(info.name, ()))
        self._session = random.randrange(2**32)
        self._ended: list[Timed] = []

    @classmethod
    def of_segments(cls, streams: Sequence[StreamInfo], segments: Sequence[Segment], pause_s: float = 2.0) -> Board:
        """Return a board that plays segments one after the other, with a rest of `pause_s` between them."""
        runs: dict[str, list[Run]] = {info.name: [] for info in streams}
        first_s = 0.0
        for i, segment in enumerate(segments):
            for info in streams:
                if info.name not in segment:
                    raise DeviceError(f"segment {i}: there is no stream {info.name!r}", "bad-samples")
                runs[info.name].append((round(first_s * info.rate_mhz / 1000), segment[info.name]))
            first_s += max(len(segment[info.name]) * 1000 / info.rate_mhz for info in streams) + pause_s
        return cls(streams, runs)

    @classmethod
    def of_recording(cls, recording: Reader) -> Board:
        """Return a board that plays what was recorded, as 24-bit integers; a gap becomes a rest.

        Signals without a rate are left out. Steps are a power of two, 2**23 of which hold the largest value.
        """
        found = {
            signal: (signal.rate_hz, recording.segments(signal.name))
            for signal in recording.signals.values()
            if signal.rate_hz is not None
        }
        played = {signal: (rate_hz, runs) for signal, (rate_hz, runs) in found.items() if runs}
        start_s = min((runs[0][0] / rate_hz for rate_hz, runs in played.values()), default=0.0)
        streams, all_runs = [], {}
        for number, (signal, (rate_hz, runs)) in enumerate(played.items()):
            largest = max(float(np.abs(values).max()) for _, values in runs)
            scale = 2.0 ** np.ceil(np.log2(max(largest, 1e-9) / (2**23 - 1)))
            info = StreamInfo(number, signal.name, signal.unit, signal.channels, round(rate_hz * 1000), float(scale))
            streams.append(info)
            all_runs[info.name] = [
                (first - round(start_s * rate_hz), np.round(values / scale).astype(np.int32)) for first, values in runs
            ]
        if not streams:
            raise DeviceError(f"{recording.path} has no signal with a rate that could be played", "bad-samples")
        return cls(streams, all_runs)

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

    def packets(self, payload_bytes: int = PAYLOAD_BYTES) -> Iterator[tuple[float, Packet]]:
        """Yield every packet with the time, in s from the start, at which it is sent: when its last sample is taken."""
        streams = [self._of_stream(info, payload_bytes) for info in self.streams]
        yield from heapq.merge(*streams, key=lambda timed: timed[0])
        ends = {info: first + len(values) for info in self.streams for first, values in self.runs[info.name][-1:]}
        last_s = max(end * 1000 / info.rate_mhz for info, end in ends.items())
        for info, end in ends.items():
            yield last_s, Packet(info.id, profile.END, end % 2**16, _ticks(info, end))

    def _of_stream(self, info: StreamInfo, payload_bytes: int) -> Iterator[tuple[float, Packet]]:
        rate_hz, at = info.rate_mhz / 1000, 0
        for first, values in self.runs[info.name]:
            for since, until in pairwise([*np.arange(at, first, KEEP_ALIVE_S * rate_hz), first]):
                yield until / rate_hz, Packet.pause(info.id, int(until), _ticks(info, until), int(since))
            at = first
            while at < first + len(values):
                packet, count = self._packet(info, values[at - first :], at, payload_bytes)
                at += count
                yield at / rate_hz, packet

    def _packet(self, info: StreamInfo, values: Samples, index: int, payload_bytes: int) -> tuple[Packet, int]:
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


def _ticks(info: StreamInfo, index: float) -> int:
    return round(index * CLOCK_HZ * 1000 / info.rate_mhz) % 2**32


def _require_runs(info: StreamInfo, runs: Sequence[Run]) -> None:
    if not runs:
        raise DeviceError(f"stream {info.name!r} has no samples", "bad-samples")
    for i, (_, values) in enumerate(runs):
        if values.dtype not in (np.int16, np.int32) or values.shape[1:] != (len(info.channels),) or not len(values):
            wanted = f"int16 or int32 (n, {len(info.channels)})"
            raise DeviceError(
                f"run {i} of stream {info.name!r} wants {wanted}, got {values.dtype} {values.shape}", "bad-samples"
            )
