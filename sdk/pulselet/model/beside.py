"""The host beside the device: the same pipeline and net on the same samples, result by result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pulselet.errors import ParityError
from pulselet.model.classifier import Classifier, event
from pulselet.model.decide import Decision
from pulselet.packets.profile import RESULT_SIGNAL, START_MODULUS, Identity
from pulselet.stream.block import RESTARTED, Block, Gap

KEPT = 256  # results or decisions that wait for each other


@dataclass(frozen=True)
class Said:
    """What the device said of one window."""

    start: int
    label: int
    confidence: float
    abstained: bool


@dataclass(frozen=True)
class Difference:
    """One window on which device and host do not agree."""

    device: Said
    host: Decision


class Beside:
    """Follows the stream of a device that runs a classifier, and runs the same one on the host.

    The window that a result speaks of is told by its start, modulo 2**24. Windows of which the host has lost samples
    are left out; after a loss its filters start anew, while the device's go on, so that until the two have agreed again
    a difference shows nothing. Where the device counts from 0 again, the host starts anew with it. After any other gap
    of unknown size the two no longer count alike, and what differs stays unsettled.

    Parameters
    ----------
    classifier
        What the device should run.
    identity
        What it says that it runs; None if it does not say.

    Attributes
    ----------
    compared, agreed
        Windows that both have spoken of, and on which class, abstention and the bits of the confidence are the same.
    unsettled
        Windows soon after a loss on which they differ, in none of the two.

    Raises
    ------
    ParityError
        If the device runs another pipeline or net, or calls its classes by other names.
    """

    def __init__(self, classifier: Classifier, identity: Identity | None) -> None:
        require_same(classifier.identity, identity)
        self.compared = self.agreed = self.unsettled = 0
        self._settling = False
        self._classifier = classifier
        self._live = classifier.start()
        self._restarted: set[str] = set()  # signals that have said that the device did
        self._said: dict[int, Said] = {}
        self._decided: dict[int, Decision] = {}

    def push(self, item: Block | Gap) -> list[Difference]:
        """Take a block or gap of the device's stream, and return where the two differ now."""
        if item.signal.name == RESULT_SIGNAL:
            if isinstance(item, Block):
                self._said |= {said.start: said for said in map(_said, item.values.tolist())}
        elif isinstance(item, Gap) and item.reason == RESTARTED and item.lost is None:
            self._restart(item.signal.name)
        else:
            self._settling |= isinstance(item, Gap)
            decided = self._live.push(event(item))
            self._decided |= {decision.start % START_MODULUS: decision for decision in decided}
        found = [self._compare(start) for start in sorted(self._said.keys() & self._decided.keys())]
        _forget(self._said)
        _forget(self._decided)
        return [one for one in found if one is not None]

    def _restart(self, name: str) -> None:
        """Start anew at the first signal that says so; the others say it too, each before its first block."""
        self._settling = True
        if self._restarted and name not in self._restarted:
            self._restarted.add(name)
            return
        self._restarted = {name}
        self._live = self._classifier.start()
        self._said.clear()
        self._decided.clear()

    def _compare(self, start: int) -> Difference | None:
        said, decided = self._said.pop(start), self._decided.pop(start)
        same = (said.label, said.abstained) == (decided.label, decided.abstained)
        same = same and np.float32(said.confidence) == np.float32(decided.confidence)
        if self._settling and not same:
            self.unsettled += 1
            return None
        self._settling = False
        self.compared += 1
        self.agreed += same
        return None if same else Difference(said, decided)


def require_same(wanted: Identity, got: Identity | None) -> None:
    """Raise ParityError if a device does not run what it should, naming what differs."""
    if got is None:
        raise ParityError("the device does not say what it runs: it has no identity characteristic")
    for what, one, other in (
        ("pipeline", wanted.pipeline.hex()[:12], got.pipeline.hex()[:12]),
        ("net", wanted.net.hex()[:12], got.net.hex()[:12]),
        ("labels", wanted.labels, got.labels),
    ):
        if one != other:
            raise ParityError(
                f"the device runs another {what}: wanted {one}, it says {other}. Flash it with this bundle"
            )


def _said(row: list[float]) -> Said:
    start, label, confidence, _, abstained = row
    return Said(int(start), int(label), confidence, bool(abstained))


def _forget(waiting: dict[int, Said] | dict[int, Decision]) -> None:
    while len(waiting) > KEPT:
        del waiting[next(iter(waiting))]
