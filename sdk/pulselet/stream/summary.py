"""What became of every signal of a recording: rate, samples, gaps, loss, clock."""

from __future__ import annotations

from dataclasses import dataclass

from pulselet.stream.block import Signal
from pulselet.stream.clock import ClockMap
from pulselet.stream.reader import Reader
from pulselet.stream.rows import Stamp
from pulselet.stream.timeline import timeline


@dataclass(frozen=True)
class SignalSummary:
    """What became of one signal.

    Attributes
    ----------
    nominal_hz, rate_hz
        What the device says, and what the host's clock shows between the first and the last block, gaps included;
        None if the signal has no rate, or too little came to tell.
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
    clock = None if signal.clock_hz is None else ClockMap(signal.clock_hz)
    samples = first_index = last_index = 0
    first_ns = last_ns = None
    for place in timeline(recording, signal.name, clock):
        samples += place.samples
        if first_ns is None:
            first_index, first_ns = place.first + place.samples - 1, place.last_ns
        last_index, last_ns = place.first + place.samples - 1, place.last_ns
    seconds = (last_ns - first_ns) / 1e9 if first_ns is not None and last_ns is not None else 0.0
    gaps = [stamp for stamp in recording.stamps(signal.name) if stamp.reason is not None]
    return SignalSummary(
        name=signal.name,
        unit=signal.unit,
        nominal_hz=signal.rate_hz,
        rate_hz=(last_index - first_index) / seconds if signal.rate_hz is not None and seconds > 0 else None,
        seconds=seconds,
        samples=samples,
        lost=_missing(gaps, paused=False) if signal.loss_detectable else None,
        paused=_missing(gaps, paused=True),
        gaps=len(gaps),
        gaps_of_unknown_size=sum(gap.samples is None for gap in gaps),
        drift_ppm=None if clock is None else clock.drift_ppm,
    )


def _missing(gaps: list[Stamp], *, paused: bool) -> int:
    return sum(gap.samples or 0 for gap in gaps if (gap.reason == "paused") == paused)
