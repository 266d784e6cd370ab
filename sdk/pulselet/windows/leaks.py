"""The leak detector: what a fit has looked at, and whether a test side is still unseen.

What of a window may not stand on both sides ("kind"), and what of a fit may not have looked at it ("role"):

=============  ========================================================================================
kind           the test side has ...
=============  ========================================================================================
``subject``    windows of a person whom the fit has looked at
``alias``      the same under another identity: two ids that are declared to be one person
``recording``  windows of the same recording
``file``       the same samples (SHA-256 of the raw ones) under another recording's name
``samples``    windows that share raw samples, such as overlapping ones
``duplicate``  the same values, whatever they are called
``scaled``     the same values but for gain, sign and offset of each channel
``shifted``    a stretch of the same values, shifted by whole samples, gain and offset aside
``simulated``  windows of recordings that a model made
``unknown``    windows of nobody knows whom: an empty subject
=============  ========================================================================================

==========================  ===========================================================================
role                        the fit has ...
==========================  ===========================================================================
``training``                learnt its weights from it
``early-stopping``          chosen the epoch with it
``threshold``               chosen a threshold of a decision with it
``temperature``             calibrated its probabilities with it
``normalisation``           taken the constants of a scaling from it
``features``                chosen features or channels with it
``augmentation``            made training windows out of it
``representative``          measured the ranges of quantisation on it
``hyperparameters``         chosen its architecture, or anything else, by its figures
==========================  ===========================================================================

Each of the first eight kinds is looked for in each of the nine roles; a leak's name is "kind/role". What cannot be
found: copies without a common recording that were resampled, filtered otherwise or given noise; content of windows
that say too little (`digests.DISTINCT`), and shifts of those shorter than 32 samples; the same person under two ids
that nobody has declared; and what was looked at but not added to `Seen`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import LeakError, PipelineError
from pulselet.windows.labelled import Windows
from pulselet.windows.sights import Sight, by_recording, touching, wearers


class Role(str, Enum):
    """What a fit has used windows for."""

    TRAINING = "training"
    EARLY_STOPPING = "early-stopping"
    THRESHOLD = "threshold"
    TEMPERATURE = "temperature"
    NORMALISATION = "normalisation"
    FEATURES = "features"
    AUGMENTATION = "augmentation"
    REPRESENTATIVE = "representative"
    HYPERPARAMETERS = "hyperparameters"


KINDS = {
    "subject": ("people on both sides", "split by person: pulselet.windows.split, k_fold or leave_one_out"),
    "alias": ("one person under two ids on both sides", "give one person one subject, then split by person"),
    "recording": ("recordings on both sides", "split by person: all windows of a recording go to one side"),
    "file": ("one recording under two names on both sides", "take one of the copies out of the data"),
    "samples": ("windows that share raw samples with the other side", "split first, then cut; or split by person"),
    "duplicate": ("windows with the values of windows on the other side", "take the copies out of the data"),
    "scaled": ("copies with another gain, sign or offset of windows on the other side", "take the copies out"),
    "shifted": ("shifted copies of windows on the other side", "take the copies out of the data"),
    "simulated": ("simulated windows to be reported on", "test on recordings of people; simulated ones may train"),
    "unknown": ("windows without a subject", "say who wore the sensor; nothing can be proved without it"),
}
"""What each kind of leak is, and what to do about it."""


@dataclass(frozen=True)
class Leak:
    """One way in which a test side is not unseen.

    Attributes
    ----------
    kind
        One of `KINDS`.
    role
        What the fit has used it for; None for what is wrong with the test side alone.
    who
        People, recordings or files, as far as they are known, in ascending order.
    windows
        How many of the test side's windows are concerned.
    reason
        Why it stands all the same, if it was declared: a published split, say. It is reported, and does not raise.
    """

    kind: str
    role: Role | None
    who: tuple[str, ...]
    windows: int
    reason: str = ""

    @property
    def name(self) -> str:
        """Kind and role in short."""
        return self.kind if self.role is None else f"{self.kind}/{self.role.value}"

    def __str__(self) -> str:
        what, remedy = KINDS[self.kind]
        who = f": {', '.join(self.who[:6])}{', ...' if len(self.who) > 6 else ''}" if self.who else ""
        end = self.reason or remedy
        return f"{self.name}: {what}{who} ({self.windows} windows); {end}"


@dataclass(eq=False)
class Seen:
    """What a fit has looked at, role by role; it grows with `add`.

    Attributes
    ----------
    aliases
        Groups of ids that are one person each; groups that share an id are one group. An id is one in all sets that it
        occurs in, and compared within a set; "set/id" is that of one set, and compared with those of all others.
    declared
        People who stand on both sides of a published split, and why: `Split.declared`.
    """

    aliases: Sequence[Sequence[Any]] = ()
    declared: Mapping[str, str] = field(default_factory=dict)
    sights: dict[Role, Sight] = field(default_factory=dict)

    def add(self, windows: Windows, role: Role | str) -> Seen:
        """Note that these windows were looked at, and return this object.

        Raises
        ------
        PipelineError
            If there is no such role.
        """
        try:
            role = Role(role)
        except ValueError:
            raise PipelineError(f"unknown role {role!r}; there are {[one.value for one in Role]}") from None
        if len(windows):
            self.merge(Seen(sights={role: Sight.of(windows)}))
        return self

    def merge(self, other: Seen) -> Seen:
        """Note what another fit has looked at too, such as the one that chose the features, and return this object."""
        for role, sight in other.sights.items():
            self.sights[role] = self.sights[role] | sight if role in self.sights else sight
        return self

    def counts(self, role: Role = Role.TRAINING) -> dict[str, int]:
        """Return how many windows of each class had this role."""
        return dict(self.sights[role].counts) if role in self.sights else {}

    def people(self, role: Role = Role.TRAINING) -> list[str]:
        """Return who had this role, in ascending order."""
        return sorted({who for _, who in self.sights[role].people}) if role in self.sights else []

    def summary(self) -> dict[str, Any]:
        """Return people, recordings, windows and files of each role, in the types of JSON: what made a figure."""
        return {
            role.value: {
                "people": self.people(role),
                "recordings": sorted(sight.names),
                "windows": sight.windows,
                "classes": dict(sight.counts),
                "files": dict(sorted(sight.files.items())),
            }
            for role, sight in sorted(self.sights.items())
        }


def check(seen: Seen, test: Windows, *, simulated: bool = False) -> list[Leak]:
    """Return every leak between what a fit has looked at and the windows that it is to be judged by.

    Parameters
    ----------
    simulated
        Whether simulated windows may be among the test windows: for teaching, never for a reported figure.
    """
    found = [] if simulated else _of_test("simulated", test, test.simulated)
    found += _of_test("unknown", test, np.array([str(who) == "" for who in test.subject.tolist()], bool))
    for role, sight in sorted(seen.sights.items()):
        found += _whose(seen, test, role, sight)
        found += _where(test, role, sight)
        found += _copies(test, role, sight)
    return found


def require_clean(seen: Seen, test: Windows, *, simulated: bool = False, side: str = "test") -> list[Leak]:
    """Raise LeakError if the test side is not unseen; return the leaks that a published split declares.

    Raises
    ------
    LeakError
        It names each kind, who it is, how many windows, and what to do.
    PipelineError
        If there is nothing to test.
    """
    if not len(test):
        raise PipelineError(f"the {side} side has no windows")
    found = check(seen, test, simulated=simulated)
    bad = [leak for leak in found if not leak.reason]
    if bad:
        lines = "\n".join(f"- {leak}" for leak in bad)
        raise LeakError(f"the {side} side is not unseen:\n{lines}", tuple(leak.name for leak in bad))
    return found


def _of_test(kind: str, test: Windows, which: NDArray[np.bool_]) -> list[Leak]:
    if not which.any():
        return []
    return [Leak(kind, None, _named(test.recording[which].tolist()), int(which.sum()))]


def _whose(seen: Seen, test: Windows, role: Role, sight: Sight) -> list[Leak]:
    """Return the same people, by name and by alias."""
    one = _one_person(seen.aliases)
    sets: dict[str, set[str]] = {}  # in which sets a person was seen
    canonical: dict[str, set[str]] = {}
    for dataset, person in sight.people:
        sets.setdefault(person, set()).add(dataset)
        name, where = _identity(one, dataset, person)
        canonical.setdefault(name, set()).add(where)
    people, number = wearers(test)
    counts = np.bincount(number, minlength=len(people)).tolist()
    whose: dict[tuple[str, str], list[tuple[str, int]]] = {}  # of each kind and reason, people and their windows
    for (dataset, person), windows in zip(people, counts, strict=True):
        kind = "subject" if _meets(dataset, sets.get(person, set())) else "alias"
        name, where = _identity(one, dataset, person)
        if person and (kind == "subject" or _meets(where, canonical.get(name, set()))):
            whose.setdefault((kind, seen.declared.get(person, "")), []).append((person, windows))
    return [
        Leak(kind, role, _named(person for person, _ in found), sum(windows for _, windows in found), reason)
        for (kind, reason), found in sorted(whose.items())
    ]


def _one_person(aliases: Sequence[Sequence[Any]]) -> dict[str, str]:
    """Return the first id of the group that each id belongs to; groups that share an id are one."""
    one: dict[str, str] = {}
    for group in aliases:
        names = [str(name) for name in group]
        former = {one.get(name, name) for name in names}
        for name in [*names, *(name for name, first in one.items() if first in former)]:
            one[name] = min(former)
    return one


def _identity(one: Mapping[str, str], dataset: str, person: str) -> tuple[str, str]:
    """Return under which id a person is known, and in which set: in any, if an alias names the set."""
    full = f"{dataset}/{person}"
    return (one[full], "") if full in one else (one.get(person, person), dataset)


def _meets(dataset: str, others: set[str]) -> bool:
    """Return whether a person of a set may be one of the same name in others; unknown sets may be any."""
    return bool(others) and (not dataset or "" in others or dataset in others)


def _where(test: Windows, role: Role, sight: Sight) -> list[Leak]:
    """Return the same recordings, the same files, and windows that share samples."""
    twin = _twins(test, sight)
    which: dict[str, NDArray[Any]] = {kind: np.zeros(len(test), bool) for kind in ("recording", "file", "samples")}
    for name, here in by_recording(test):
        if name in sight.names:
            which["recording"][here] = True
        elif name in twin:
            which["file"][here] = True
        spans = sight.spans.get(name, sight.spans.get(twin.get(name, "")))
        if spans is not None:
            which["samples"][here] = touching(test.start_s[here], test.end_s[here], spans)
    return [
        Leak(kind, role, _named(test.recording[where].tolist()), int(where.sum()))
        for kind, where in which.items()
        if where.any()
    ]


def _twins(test: Windows, sight: Sight) -> dict[str, str]:
    """Return which test recordings are the same file as a seen one of another name."""
    names = {digest: name for name, digest in sight.files.items()}
    return {name: names[digest] for name, digest in test.files.items() if digest in names}


def _copies(test: Windows, role: Role, sight: Sight) -> list[Leak]:
    """Return copies; a window counts for the closest kind only."""
    marks = test.marks
    exact = np.isin(marks.exact, sight.exact)
    scaled = np.isin(marks.scaled, sight.scaled) & ~exact
    shifted = np.isin(marks.anchors, sight.anchors).any(axis=1) & ~exact & ~scaled
    kinds: dict[str, NDArray[Any]] = {"duplicate": exact, "scaled": scaled, "shifted": shifted}
    return [
        Leak(kind, role, _named(map(str, test.subject[which].tolist())), int(which.sum()))
        for kind, which in kinds.items()
        if which.any()
    ]


def _named(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name}))
