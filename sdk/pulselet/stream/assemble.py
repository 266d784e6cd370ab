"""From packets to blocks and gaps: every index once, nothing invented, nothing silently joined."""

from __future__ import annotations

import numpy as np

from pulselet.errors import PacketError
from pulselet.packets.profile import BYTES, END, PAUSE, Description, Packet, StreamInfo
from pulselet.stream.block import DISCONNECTED, JUMPED, LOST, PAUSED, RESTARTED, Block, Gap, Signal
from pulselet.stream.count import Count
from pulselet.stream.pace import Pace
from pulselet.stream.unwrap import WRAP, nearest, went_on

__all__ = ["Assembler", "Count"]


class Assembler:
    """Turns the notifications of one session into blocks and gaps.

    The 16-bit index is unwrapped with the help of the device clock, and the clock with the help of the arrivals, once
    the pace of the stream is known (see `Pace`). A clock that steps back, or ahead of what can have arrived, is not
    believed unless the index agrees with it to a second; else arrivals tell how often the index went round, and if
    more than one answer fits, the gap has no size. A computer that slept looks like a device whose clock has jumped.

    Where the pace is not known, a silence of any length up to half the clock's range is counted right, and a jump of
    the clock is taken for loss. In a simulation faster than real time the shortest silence is taken that fits.
    """

    def __init__(self, description: Description) -> None:
        self.description = description
        self.signals = {info.id: _signal(info, description.clock_hz) for info in description.streams}
        self.counts = {info.name: Count() for info in description.streams}
        self.ended: set[str] = set()
        self._info = {info.id: info for info in description.streams}
        self._clock: dict[str, tuple[int, int]] = {}  # index and unwrapped ticks of the last packet
        self._paces = {name: Pace() for name in self.counts}
        self._base = dict.fromkeys(self.counts, 0)  # index at which the device began to count
        self._why = dict.fromkeys(self.counts, LOST)  # reason of the next gap

    @property
    def complete(self) -> bool:
        """Whether every stream has said that it is over."""
        return len(self.ended) == len(self.counts)

    def resume(self) -> None:
        """Go on after the link was down, with a device that has counted meanwhile."""
        self._why = dict.fromkeys(self.counts, DISCONNECTED)

    def restart(self) -> None:
        """Go on with a device that counts from 0 again: what was lost before it did, nobody can tell."""
        self.ended.clear()
        self._clock.clear()
        self._paces = {name: Pace() for name in self.counts}
        self._base = {name: count.expected for name, count in self.counts.items()}
        self._why = dict.fromkeys(self.counts, RESTARTED)

    def unwrapped(self, ticks: int) -> int:
        """Return a time of the device clock, modulo 2**32, as one within half a round of the newest packet's."""
        newest = max((at for _, at in self._clock.values()), default=ticks)
        return newest + nearest(ticks - newest)

    def feed(self, data: bytes, arrival_ns: int) -> list[Block | Gap]:
        """Return what one notification adds: a gap, a block, both or nothing.

        Parameters
        ----------
        arrival_ns
            Host monotonic clock; always the same if it is not known.

        Raises
        ------
        PacketError
            If the bytes are not a packet of this session; the state is as before.
        """
        packet = Packet.from_bytes(data)
        if packet.stream not in self._info:
            raise PacketError(f"a packet of stream {packet.stream}; the device has {sorted(self._info)}", data)
        info, signal = self._info[packet.stream], self.signals[packet.stream]
        values = packet.samples(len(info.channels)) if packet.kind in BYTES else None
        count, why = self.counts[info.name], self._why[info.name]
        self._why[info.name] = LOST
        found: list[Block | Gap] = []
        if why == RESTARTED:
            found.append(Gap(signal, count.expected, None, why))
        index, ticks = self._unwrap(info, packet, arrival_ns)
        if index is None:
            found.append(Gap(signal, count.expected, None, JUMPED if why == LOST else why))
            index = self._rebase(info.name, packet, ticks, arrival_ns)
        self._skip(found, signal, _rest_from(packet, count.expected, index) if packet.kind == PAUSE else index, why)
        if packet.kind == PAUSE:
            self._skip(found, signal, index, PAUSED)
        if packet.kind == END:
            self.ended.add(info.name)
        if values is not None:
            repeated = min(max(count.expected - index, 0), len(values))
            fresh = values[repeated:]
            count.repeated += repeated
            if len(fresh):
                at = ticks + round(repeated * self.description.clock_hz * 1000 / info.rate_mhz)
                scaled = fresh.astype(np.float32) * np.float32(info.scale)
                found.append(Block(signal, scaled, count.expected, at, arrival_ns))
                count.received += len(fresh)
        return found

    def _skip(self, found: list[Block | Gap], signal: Signal, until: int, reason: str) -> None:
        count = self.counts[signal.name]
        missing = until - count.expected
        if missing > 0:
            found.append(Gap(signal, count.expected, missing, reason))
            if reason == PAUSED:
                count.paused += missing
            else:
                count.lost += missing

    def _unwrap(self, info: StreamInfo, packet: Packet, arrival_ns: int) -> tuple[int | None, int]:
        """Return the packet's index, None if nobody can tell, and ticks, counted from the start of the session."""
        name, pace = info.name, self._paces[info.name]
        if name not in self._clock:
            # nothing to compare with yet: less than a round of the index can have been lost
            index = self._base[name] + packet.index
            self._clock[name] = index, packet.ticks
            pace.follow(0.0, arrival_ns)
            return index, packet.ticks
        last_index, last_ticks = self._clock[name]
        rate_hz, clock_hz = info.rate_mhz / 1000, self.description.clock_hz
        step = (packet.index + self._base[name] - last_index) % WRAP
        near = nearest(packet.ticks - last_ticks)
        steps, elapsed = went_on(step, near, rate_hz, clock_hz, pace.window_s(arrival_ns))
        ticks = last_ticks + (near if elapsed is None else elapsed)
        if steps is None:
            return None, ticks
        if steps > 0:
            stepped_back = elapsed is not None and elapsed < 0
            kept = last_ticks + round(steps * clock_hz / rate_hz) if stepped_back else ticks
            self._clock[name] = last_index + steps, kept
            pace.follow((kept - last_ticks) / clock_hz if elapsed is not None else steps / rate_hz, arrival_ns)
        return last_index + steps, ticks

    def _rebase(self, name: str, packet: Packet, ticks: int, arrival_ns: int) -> int:
        """Go on with the next index at a packet whose own cannot be told, and return it."""
        index = self.counts[name].expected
        self._base[name] = index - packet.index
        self._clock[name] = index, ticks
        self._paces[name] = Pace()
        self._paces[name].follow(0.0, arrival_ns)
        return index


def _signal(info: StreamInfo, clock_hz: int) -> Signal:
    return Signal(info.name, info.unit, info.rate_mhz / 1000, info.channels, float(clock_hz))


def _rest_from(packet: Packet, expected: int, index: int) -> int:
    """Return where a rest begins of what is missing: what lies less than half a round behind was told before."""
    ahead = (packet.since - expected) % WRAP
    return expected + ahead if ahead < WRAP // 2 and expected + ahead <= index else expected
