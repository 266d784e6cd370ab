"""Labels given while a recording runs: an event when one begins, and intervals of samples once it is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pulselet.stream.reader import Reader
from pulselet.stream.rows import Interval
from pulselet.stream.timeline import timeline

LABEL = "label"
"""Kind of the event; an empty text ends the label."""


class Span(NamedTuple):
    """A label, from when to when, in ns of the host's monotonic clock."""

    since_ns: int
    until_ns: int
    text: str


def spans(recording: Reader) -> list[Span]:
    """Return the labels that were given; one that nobody ended lasts until the last thing that happened."""
    events = recording.events()
    given = [event for event in events if event.kind == LABEL]
    ends = [event.at_ns for event in given[1:]] + [events[-1].at_ns if events else 0]
    return [Span(event.at_ns, end, event.text) for event, end in zip(given, ends, strict=False) if event.text]


def label_intervals(recording: Reader) -> Iterator[Interval]:
    """Yield, for every signal, which of its samples were taken while a label held."""
    given = spans(recording)
    for name in recording.signals if given else ():
        found: dict[Span, tuple[int, int]] = {}
        for place in timeline(recording, name):
            for span in given:
                inside = _inside(place.first, place.samples, place.first_ns, place.last_ns, span)
                if inside is not None:
                    first, _ = found.get(span, inside)
                    found[span] = first, inside[1]
        yield from (Interval(name, first, end, span.text) for span, (first, end) in found.items())


def _inside(first: int, samples: int, first_ns: int, last_ns: int, span: Span) -> tuple[int, int] | None:
    """Return index of the first sample of a block within a span, and one past the last; None if there is none."""
    step_ns = (last_ns - first_ns) / max(samples - 1, 1) or 1.0  # events of one notification share its time
    skip = max(0, -int((first_ns - span.since_ns) // step_ns))
    keep = min(samples, -int((first_ns - span.until_ns) // step_ns))
    return (first + skip, first + keep) if skip < keep else None
