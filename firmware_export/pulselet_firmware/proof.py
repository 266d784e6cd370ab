"""Do several executions of one classifier agree, decision for decision?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pulselet.errors import ParityError
from pulselet.model.decide import Decision


@dataclass(frozen=True)
class Proof:
    """How executions agree with Python and TFLite Micro: start, outputs, class, confidence, all bit for bit."""

    decisions: tuple[Decision, ...]  # of Python and TFLite Micro
    agree: dict[str, int]  # windows that each execution gets exactly so; one too many counts against it
    differences: dict[str, str]  # the first difference of each execution that has one
    instructions_per_window: int  # on the emulated core, everything from raw sample to class included
    stack_bytes: int  # the deepest stack on the emulated core

    @property
    def windows(self) -> int:
        """Windows that Python completed."""
        return len(self.decisions)

    @property
    def share(self) -> float:
        """The share of windows in which the execution that agrees least does; 0 if there are none."""
        return min(self.agree.values(), default=0) / self.windows if self.windows else 0.0

    def require(self) -> None:
        """Raise ParityError with the first difference, unless everything agrees and there is something to agree on."""
        if not self.windows:
            raise ParityError("nothing is proven: the samples complete no window")
        if self.differences:
            raise ParityError("; ".join(f"{name}: {difference}" for name, difference in self.differences.items()))


def compare(
    truth: Sequence[Decision],
    others: Mapping[str, Sequence[Decision]],
    *,
    instructions_per_window: int,
    stack_bytes: int,
) -> Proof:
    """Return how `others` agree with `truth`."""
    agree, differences = {}, {}
    for name, decisions in others.items():
        surplus = max(0, len(decisions) - len(truth))
        agree[name] = max(0, sum(a == b for a, b in zip(truth, decisions, strict=False)) - surplus)
        if agree[name] != len(truth):
            differences[name] = _first_difference(truth, decisions)
    return Proof(tuple(truth), agree, differences, instructions_per_window, stack_bytes)


def _first_difference(truth: Sequence[Decision], decisions: Sequence[Decision]) -> str:
    for i, (a, b) in enumerate(zip(truth, decisions, strict=False)):
        if a != b:
            return f"window {i} differs: wanted {a}, got {b}"
    return f"wanted {len(truth)} windows, got {len(decisions)}"
