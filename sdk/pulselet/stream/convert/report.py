"""What a conversion did, and what the other format could not hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Carried:
    """What became of one signal.

    Attributes
    ----------
    samples
        Samples written; what only fills a gap or pads a record is not counted.
    gaps
        Gaps, those of unknown size included.
    lost
        Samples in the gaps whose size is known.
    steps
        Quantisation step of each channel, in the signal's unit; None where the format holds float32.
    exact
        Whether every value can be read back as the float32 that it was.
    """

    name: str
    samples: int
    gaps: int
    lost: int
    steps: tuple[float, ...] | None = None
    exact: bool = True

    def __str__(self) -> str:
        gaps = f", gaps: {self.gaps}, lost: {self.lost}" if self.gaps else ""
        steps = f" in steps of {max(self.steps):g}" if self.steps and not self.exact else ""
        return f"{self.name}: {self.samples} samples{gaps}, {'exact' if self.exact else 'rounded'}{steps}"


@dataclass(frozen=True)
class Conversion:
    """What a conversion wrote.

    Attributes
    ----------
    files
        Everything that was written; `target` is the one to give to `convert` to come back.
    labels
        How many labels were carried.
    notes
        What was changed, left out or assumed, one sentence each; empty if nothing was lost in translation.
    """

    source: Path
    target: Path
    files: tuple[Path, ...]
    signals: tuple[Carried, ...]
    labels: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        paths = {"source": str(self.source), "target": str(self.target), "files": [str(file) for file in self.files]}
        return {
            **paths,
            "signals": [asdict(signal) for signal in self.signals],
            "labels": self.labels,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [f"wrote {', '.join(file.name for file in self.files)}"]
        lines += [str(signal) for signal in self.signals]
        lines += [f"{self.labels} labels"] if self.labels else []
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


@dataclass(frozen=True)
class Written:
    """What the writer or reader of one format hands back to `convert`."""

    signals: tuple[Carried, ...]
    labels: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Options:
    """How to write; see `convert`."""

    signals: tuple[str, ...] | None = None
    discontinuous: bool = False
    bits: int | None = None
