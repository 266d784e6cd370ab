"""From packets to blocks and gaps: every index once, nothing invented, nothing silently joined."""

from __future__ import annotations

import numpy as np

from pulselet.errors import PacketError
from pulselet.packets.profile import BYTES, END, PAUSE, Description, Packet, StreamInfo
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.count import Count

__all__ = ["Assembler", "Count"]

WRAP = 2**16
LOST, RESTARTED = "lost", "restarted"


class Assembler:
    """Turns the notifications of one session into blocks and gaps.

    The 16-bit index is unwrapped with the help of the device clock, so that a silence of any length up to half the
    clock's range is counted right. A clock that steps back is not believed.
    """

    def __init__(self, description: Description) -> None:
        self.description = description
        self.signals = {info.id: _signal(info, description.clock_hz) for info in description.streams}
        self.counts = {info.name: Count() for info in description.streams}
        self.ended: set[str] = set()
        self._info = {info.id: info for info in description.streams}
        self._clock: dict[str, tuple[int, int]] = {}  # index and unwrapped ticks of the last packet
        self._base = dict.fromkeys(self.counts, 0)  # index at which the device began to count
        self._why = dict.fromkeys(self.counts, LOST)  # reason of the next gap

    @property
    def complete(self) -> bool:
        """Whether every stream has said that it is over."""
        return len(self.ended) == len(self.counts)

    def resume(self) -> None:
        """Go on after the link was down, with a device that has counted meanwhile."""
        self._why = dict.fromkeys(self.counts, "disconnected")

    def restart(self) -> None:
        """Go on with a device that counts from 0 again: what was lost before it did, nobody can tell."""
        self._clock.clear()
        self._base = {name: count.expected for name, count in self.counts.items()}
        self._why = dict.fromkeys(self.counts, RESTARTED)

    def feed(self, data: bytes, arrival_ns: int) -> list[Block | Gap]:
        """Return what one notification adds: a gap, a block, both or nothing.

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
        index, ticks = self._unwrap(info, packet)
        found: list[Block | Gap] = []
        count = self.counts[info.name]
        why = self._why[info.name]
        self._why[info.name] = LOST
        if why == RESTARTED:
            found.append(Gap(signal, count.expected, None, why))
        lost_until = index
        if packet.kind == PAUSE:  # the rest may be long; what was lost before it is less than a round of the index
            lost_until = min(index, count.expected + (packet.since - count.expected) % WRAP)
        self._skip(found, signal, lost_until, why)
        if packet.kind == PAUSE:
            self._skip(found, signal, index, "paused")
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
            if reason == "paused":
                count.paused += missing
            else:
                count.lost += missing

    def _unwrap(self, info: StreamInfo, packet: Packet) -> tuple[int, int]:
        """Return the packet's index and ticks, counted from the start of the session."""
        if info.name not in self._clock:
            # nothing to compare with yet: less than a round of the index can have been lost
            index = self._base[info.name] + packet.index
            self._clock[info.name] = index, packet.ticks
            return index, packet.ticks
        last_index, last_ticks = self._clock[info.name]
        elapsed = (packet.ticks - last_ticks + 2**31) % 2**32 - 2**31
        estimate = elapsed * info.rate_mhz / 1000 / self.description.clock_hz
        step = (packet.index + self._base[info.name] - last_index) % WRAP
        rounds = round((estimate - step) / WRAP)
        if rounds < 0:  # a late packet, or a clock that stepped back: less than half a round either way
            rounds = -1 if step >= WRAP // 2 else 0
        index = last_index + step + WRAP * rounds
        if index > last_index:
            went_on = round((index - last_index) * self.description.clock_hz * 1000 / info.rate_mhz)
            self._clock[info.name] = index, last_ticks + (elapsed if elapsed >= 0 else went_on)
        return index, last_ticks + elapsed


def _signal(info: StreamInfo, clock_hz: int) -> Signal:
    return Signal(info.name, info.unit, info.rate_mhz / 1000, info.channels, float(clock_hz))
