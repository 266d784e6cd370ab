"""What is shown of a recording."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulselet.stream.labels import label_intervals
from pulselet.stream.recording import Recording
from pulselet.stream.summary import summarise

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod


def finish(path: Path) -> dict[str, Any]:
    """Turn the labels that were given into intervals, and return what `figures` does."""
    with Recording.open(path, write=True) as recording:
        if not recording.intervals():
            recording.annotate(list(label_intervals(recording)))
        return figures(recording)


def figures(recording: Recording) -> dict[str, Any]:
    """Return what is in a recording, under the names that scripts rely on."""
    return {
        "path": str(recording.path),
        "meta": recording.meta,
        "sessions": [asdict(session) for session in recording.sessions()],
        "signals": [asdict(one) for one in summarise(recording)],
        "labels": [asdict(one) for one in recording.intervals() or label_intervals(recording)],
        "events": [event._asdict() for event in recording.events()],
    }


def show(console: Console, found: dict[str, Any]) -> None:
    """Print the figures as a table."""
    from rich.table import Table

    for session in found["sessions"]:
        facts = session["facts"]
        battery = _battery(found, facts)
        named = [facts[name] for name in ("manufacturer", "model", "firmware") if name in facts]
        line = [session["device"], *named, *battery, session["ended"] or "not ended: killed, or still running"]
        console.print(", ".join(line), markup=False, highlight=False)
    table = Table(box=None, pad_edge=False)
    for column in ("signal", "unit", "Hz", "nominal", "samples", "gaps", "lost", "ppm"):
        words = column in ("unit", "lost")  # which can be read on two lines; a name or a number that is cut cannot
        side: JustifyMethod = "left" if column in ("signal", "unit") else "right"
        table.add_column(column, justify=side, no_wrap=not words, overflow="fold" if words else "ellipsis")
    for one in found["signals"]:
        table.add_row(
            *(one["name"], one["unit"], _number(one["rate_hz"], 2), _number(one["nominal_hz"], 2)),
            *(str(one["samples"]), str(one["gaps"]), _lost(one), _number(one["drift_ppm"], 1)),
        )
    console.print(table)
    for label in sorted({one["label"] for one in found["labels"]}):
        spans = sum(one["label"] == label for one in found["labels"])
        console.print(f"label {label}: {spans} intervals", markup=False, highlight=False)
    console.print(found["path"], markup=False, highlight=False, soft_wrap=True)


def _battery(found: dict[str, Any], facts: dict[str, str]) -> list[str]:
    told = [event["text"] for event in found["events"] if event["kind"] == "battery"]
    first = facts.get("battery_percent")
    last = told[-1] if told else first
    if last is None:
        return []
    return [f"battery {last} %" if first in (None, last) else f"battery {first} to {last} %"]


def _lost(one: dict[str, Any]) -> str:
    if one["lost"] is None:
        return "not detectable"
    return f"{one['lost']} + ?" if one["gaps_of_unknown_size"] else str(one["lost"])


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
