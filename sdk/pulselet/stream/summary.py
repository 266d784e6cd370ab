"""What became of every signal of a recording: rate, samples, gaps, loss, clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pulselet.stream.block import PAUSED, Signal
from pulselet.stream.reader import Reader
from pulselet.stream.rows import Stamp
from pulselet.stream.timeline import Place, clock_map, timeline


@dataclass(frozen=True)
class SignalSummary:
    """What became of one signal.

    Attributes
    ----------
    nominal_hz, rate_hz
        What the device says, and what the host's clock shows, gaps of known size included, those of unknown size and
        reconnections left out; None if the signal has no rate, or too little came to tell.
    seconds
        From the first to the last arrival.
    samples, lost, paused
        How many came, did not come, and were not taken; `lost` is None where the protocol cannot tell.
    gaps, gaps_of_unknown_size
        How many gaps there are, and of how many of them nobody can tell what is missing.
    drift_ppm
        How much faster the device's clock runs than the host's; None if it has none, or was not heard for long enough.
    """

    name: str
    unit: str
    nominal_hz: float | None
    rate_hz: float | None
    seconds: float
    samples: int
    lost: int | None
    paused: int
    gaps: int
    gaps_of_unknown_size: int
    drift_ppm: float | None


def summarise(recording: Reader) -> list[SignalSummary]:
    """Return a summary of every signal, in the order in which they first came."""
    return [_summary(recording, signal) for signal in recording.signals.values()]


def _summary(recording: Reader, signal: Signal) -> SignalSummary:
    clock = clock_map(signal)
    rate_hz = _rate_hz(timeline(recording, signal.name, clock))  # shows the clock all that there is, too
    came = _Came()
    for stamp in recording.stamps(signal.name):
        came.add(stamp)
    return SignalSummary(
        name=signal.name,
        unit=signal.unit,
        nominal_hz=signal.rate_hz,
        rate_hz=None if signal.rate_hz is None else rate_hz,
        seconds=(came.last_ns - came.first_ns) / 1e9,
        samples=came.samples,
        lost=came.lost if signal.loss_detectable else None,
        paused=came.paused,
        gaps=came.gaps,
        gaps_of_unknown_size=came.gaps_of_unknown_size,
        drift_ppm=None if clock is None else clock.drift_ppm,
    )


def _rate_hz(places: Iterator[Place]) -> float | None:
    """Return samples per second, from the last sample of a segment's first block to that of its last one."""
    samples = time_ns = 0
    before: Place | None = None
    for place in places:
        if before is not None and place.segment == before.segment:
            samples += place.first + place.samples - before.first - before.samples
            time_ns += place.last_ns - before.last_ns
        before = place
    return samples / time_ns * 1e9 if time_ns > 0 else None


@dataclass
class _Came:
    """What came of one signal, and what did not."""

    samples: int = 0
    lost: int = 0
    paused: int = 0
    gaps: int = 0
    gaps_of_unknown_size: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def add(self, stamp: Stamp) -> None:
        """Count a block or a gap."""
        count = stamp.samples or 0
        if stamp.reason is None:
            self.first_ns = self.first_ns if self.samples else stamp.arrival_ns or 0
            self.last_ns = stamp.arrival_ns or 0
            self.samples += count
            return
        self.gaps += 1
        self.gaps_of_unknown_size += stamp.samples is None
        if stamp.reason == PAUSED:
            self.paused += count
        else:
            self.lost += count
