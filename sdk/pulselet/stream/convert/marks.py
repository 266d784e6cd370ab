"""What formats of samples have no room for, as texts that people can read and that can be read back.

A label is its own text. All else begins with a word in brackets: `[gap] lost`, `[gap ?] restarted` (of unknown size),
`[pad]` (samples that only fill a record up), `[event] connected: H10`, and, with JSON after it, `[sample]`,
`[missing]` and `[sample label]` for signals without a rate. A label that begins with a bracket is written after
`[label]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from pulselet.errors import RecordingError
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.rows import Event, Interval

LABEL, GAP, UNKNOWN_GAP, PAD, EVENT = "label", "gap", "gap ?", "pad", "event"
SAMPLE, MISSING, SAMPLE_LABEL = "sample", "missing", "sample label"
KINDS = (LABEL, GAP, UNKNOWN_GAP, PAD, EVENT, SAMPLE, MISSING, SAMPLE_LABEL)
_TEXT = re.compile(r"\[(" + "|".join(map(re.escape, KINDS)) + r")\] ?(.*)", re.DOTALL)


@dataclass(frozen=True)
class Mark:
    """A text at a time of the file, in s, on a signal with a rate (by its name) or on none."""

    at_s: Fraction
    length_s: Fraction
    text: str
    signal: str | None = None


def compose(kind: str, rest: str = "") -> str:
    """Return the text of a mark."""
    if kind == LABEL and rest and not rest.startswith("["):
        return rest
    return f"[{kind}] {rest}" if rest else f"[{kind}]"


def parse(text: str) -> tuple[str, str]:
    """Return kind and rest of a text; what is not one of ours is a label."""
    found = _TEXT.fullmatch(text)
    return (found[1], found[2]) if found else (LABEL, text)


def gap_mark(gap: Gap, position: int, rate_hz: Fraction) -> Mark:
    """Return the mark of a gap that begins at `position` of its signal's grid."""
    kind = UNKNOWN_GAP if gap.lost is None else GAP
    text = compose(kind, gap.reason)
    return Mark(Fraction(position) / rate_hz, Fraction(gap.lost or 0) / rate_hz, text, gap.signal.name)


def event_marks(item: Block | Gap, at_s: Fraction) -> Iterator[Mark]:
    """Yield the marks of a block or gap of a signal that has no rate."""
    name, unit = item.signal.name, item.signal.unit
    if isinstance(item, Gap):
        yield _json_mark(MISSING, [name, item.lost, item.reason], at_s)
        return
    for row in item.values:
        values = {channel: float(str(value)) for channel, value in zip(item.signal.channels, row, strict=True)}
        yield _json_mark(SAMPLE, [name, unit, values], at_s)


def sample_label_mark(label: Interval) -> Mark:
    """Return the mark of a label on samples that have no rate."""
    return _json_mark(SAMPLE_LABEL, [label.signal, label.first, label.end, label.label], Fraction(0))


def event_mark(event: Event, at_s: Fraction) -> Mark:
    """Return the mark of something that happened."""
    return Mark(at_s, Fraction(0), compose(EVENT, f"{event.kind}: {event.text}" if event.text else event.kind))


def _json_mark(kind: str, content: list[Any], at_s: Fraction) -> Mark:
    return Mark(at_s, Fraction(0), compose(kind, json.dumps(content, ensure_ascii=False)))


@dataclass(frozen=True)
class Loose:
    """What marks that belong to no grid say: events, samples without a rate by signal, and their labels."""

    events: list[Event]
    samples: dict[str, list[Block | Gap]]
    labels: list[Interval]


def gather(marks: Sequence[tuple[int, str]]) -> Loose:
    """Return what texts at times in ns say; texts of other kinds are left alone.

    Raises
    ------
    RecordingError
        If a text of ours has been changed so that it cannot be read.
    """
    found = Loose([], {}, [])
    signals: dict[str, Signal] = {}
    for at_ns, text in sorted(marks, key=lambda mark: mark[0]):
        kind, rest = parse(text)
        try:
            if kind == EVENT:
                word, _, more = rest.partition(": ")
                found.events.append(Event(at_ns, word, more))
            elif kind == SAMPLE_LABEL:
                found.labels.append(Interval(*json.loads(rest)))
            elif kind == SAMPLE:
                name, unit, values = json.loads(rest)
                signal = signals.setdefault(name, Signal(name, unit, None, tuple(values), loss_detectable=False))
                row = np.array([list(values.values())], np.float32)
                found.samples.setdefault(name, []).append(Block(signal, row, 0, None, at_ns))
            elif kind == MISSING:
                name, lost, reason = json.loads(rest)
                lost = None if lost is None else int(lost)
                placeholder = Signal(name, "", None, ("?",))  # its samples come later, or never
                found.samples.setdefault(name, []).append(Gap(signals.get(name, placeholder), 0, lost, reason))
        except (ValueError, TypeError, AttributeError) as error:
            raise RecordingError(f"an annotation that Pulselet wrote cannot be read any more: {text!r}") from error
    for name, items in found.samples.items():
        found.samples[name] = _numbered(items, signals.get(name))
    return found


def _numbered(items: list[Block | Gap], signal: Signal | None) -> list[Block | Gap]:
    """Return the items with their indexes, counted from 0, or nothing where no sample says what the signal is."""
    counted: list[Block | Gap] = []
    index = 0
    for item in items if signal else ():
        assert signal is not None
        if isinstance(item, Gap):
            counted.append(Gap(signal, index, item.lost, item.reason))
        else:
            counted.append(Block(signal, item.values, index, None, item.arrival_ns))
        index = counted[-1].end
    return counted
