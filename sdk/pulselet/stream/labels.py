"""Labels given while a recording runs: an event when one begins, and intervals of samples once it is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pulselet.stream.reader import Reader
from pulselet.stream.rows import Interval
from pulselet.stream.timeline import Place, timeline

LABEL = "label"
"""Kind of the event; an empty text ends the label."""


class Span(NamedTuple):
    """A label, from when to when, in ns of the host's monotonic clock."""

    since_ns: int
    until_ns: int
    text: str


def spans(recording: Reader) -> list[Span]:
    """Return the labels that were given, in the order of time.

    One that nobody ended lasts until the last thing that happened: the last event, or the last arrival.
    """
    events = recording.events()
    given = sorted((event for event in events if event.kind == LABEL), key=lambda event: event.at_ns)
    if not given:
        return []
    ((arrival_ns,),) = recording.query("SELECT coalesce(max(arrival_ns), 0) FROM item")
    ends = [event.at_ns for event in given[1:]] + [max(arrival_ns, *(event.at_ns for event in events))]
    return [Span(event.at_ns, end, event.text) for event, end in zip(given, ends, strict=True) if event.text]


def label_intervals(recording: Reader) -> Iterator[Interval]:
    """Yield, for every signal, which of its samples were taken while a label held."""
    given = spans(recording)
    for name in recording.signals if given else ():
        yield from _intervals(name, timeline(recording, name), given)


def _intervals(name: str, places: Iterator[Place], given: list[Span]) -> Iterator[Interval]:
    """Yield the intervals of one signal: neither places nor spans go back in time, so one pass over both does."""
    at = 0
    found: tuple[int, int] | None = None
    for place in places:
        while at < len(given):
            more = inside(place, given[at])
            if more is not None:
                found = more if found is None else (found[0], more[1])
            if given[at].until_ns > place.last_ns:  # the next block may have more of it
                break
            if found is not None:
                yield Interval(name, *found, given[at].text)
            found = None
            at += 1
    if found is not None:
        yield Interval(name, *found, given[at].text)


def inside(place: Place, span: Span) -> tuple[int, int] | None:
    """Return index of the first sample of a block within a span, and one past the last; None if there is none."""
    first, samples, first_ns, last_ns, _ = place
    step_ns = (last_ns - first_ns) / max(samples - 1, 1) or 1.0  # events of one notification share its time
    skip = max(0, -int((first_ns - span.since_ns) // step_ns))
    keep = min(samples, -int((first_ns - span.until_ns) // step_ns))
    return (first + skip, first + keep) if skip < keep else None
