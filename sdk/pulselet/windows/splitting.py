"""Who is trained on, who chooses, and who is reported on: splits by person, never by window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from pulselet.errors import PipelineError

if TYPE_CHECKING:
    from pulselet.windows.labelled import Windows

People: TypeAlias = "Sequence[Any] | Windows"
"""The people there are, or windows of them."""

SIDES = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Who is trained on, who chooses, and who is reported on; nobody is in two of them.

    Attributes
    ----------
    train, validation, test
        People; of an official split by recordings, the recordings' names.
    by
        "subject", or "recording" for the few published splits that are made so.
    name
        Of an official split.
    notes
        What a reader of the figures has to know.
    unassigned
        Those who are in no side.
    declared
        People who stand on both sides of a published split all the same, and why; every report says so.

    >>> Split(train=(1, 2), validation=(3,), test=(3,))
    Traceback (most recent call last):
    pulselet.errors.PipelineError: a person may be in one set only, got train (1, 2), validation (3,), test (3,)
    """

    train: tuple[Any, ...]
    validation: tuple[Any, ...]
    test: tuple[Any, ...]
    by: str = field(default="subject", repr=False)
    name: str = field(default="", repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    unassigned: tuple[Any, ...] = field(default=(), repr=False)
    declared: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        everyone = self.train + self.validation + self.test
        if len(set(everyone)) != len(everyone):
            raise PipelineError(
                f"a person may be in one set only, "
                f"got train {self.train}, validation {self.validation}, test {self.test}"
            )
        if self.by not in ("subject", "recording"):
            raise PipelineError(f"a split is by 'subject' or by 'recording', got {self.by!r}")

    def side(self, windows: Windows, name: str) -> Windows:
        """Return the windows of one side: "train", "validation" or "test".

        Raises
        ------
        PipelineError
            If there is no such side, or somebody in it has no window.
        """
        if name not in SIDES:
            raise PipelineError(f"a split has the sides {SIDES}, got {name!r}")
        wanted = getattr(self, name)
        if self.by == "subject":
            return windows.of(wanted)
        names = recording_names(windows)
        absent = sorted(set(wanted) - set(names.tolist()))
        if absent:
            raise PipelineError(f"no windows of the recordings {absent}, which are in the {name} side")
        return windows.take(np.isin(names, list(wanted)))

    def __str__(self) -> str:
        sides = ", ".join(f"{side} {len(getattr(self, side))}" for side in SIDES)
        what = f"{self.name or 'split'} by {self.by}: {sides}"
        nobody = [f"in no side: {', '.join(map(str, self.unassigned))}"] if self.unassigned else []
        return "\n".join([what, *nobody, *self.notes])


def recording_names(windows: Windows) -> Any:
    """Return each window's recording `(n,)` without the name of its set."""
    names, place = np.unique(windows.recording, return_inverse=True)
    return np.array([str(name).partition("/")[2] or str(name) for name in names])[place]


def split(
    people: People,
    *,
    test: float = 0.2,
    validation: float = 0.2,
    seed: int = 0,
    stratify: Mapping[Any, Hashable] | str | None = None,
    require_classes: bool = True,
) -> Split:
    """Return a split by person, drawn at random.

    Parameters
    ----------
    people
        Windows, or who there is.
    test, validation
        Shares of all people, each from 0 to below 1: rounded, and one person at least unless it is 0; or, as whole
        numbers from 1, how many people.
    stratify
        The group of each person, so that every side has its share of each group; "class" takes the class that a person
        has most windows of.
    require_classes
        Whether every side must have windows of every class, if windows are given; if not, the split's notes say what is
        missing.

    >>> split([1, 2, 3, 4, 5], seed=1)
    Split(train=(2, 3, 4), validation=(1,), test=(5,))

    Raises
    ------
    PipelineError
        If nobody would be left to train on, or a side has no window of a class.
    """
    everyone = _everyone(people)
    sizes = [share_of(name, share, len(everyone)) for name, share in (("test", test), ("validation", validation))]
    if sum(sizes) >= len(everyone):
        raise PipelineError(
            f"wanted somebody left to train on, got {sizes[0]} to test and {sizes[1]} to validate of {len(everyone)}"
        )
    order = drawn(everyone, _groups(people, stratify), seed)
    tested, chosen = order[: sizes[0]], order[sizes[0] : sum(sizes)]
    found = _in_order(everyone, order[sum(sizes) :], chosen, tested)
    return with_classes(found, people, require_classes)


def k_fold(
    people: People,
    folds: int,
    *,
    validation: float = 0.2,
    seed: int = 0,
    stratify: Mapping[Any, Hashable] | str | None = None,
    require_classes: bool = True,
) -> list[Split]:
    """Return `folds` splits in which everyone is tested once; the parameters are those of `split`.

    The people who validate are those who come after the tested ones in the order drawn, in a circle.

    Raises
    ------
    PipelineError
        If there are fewer than 2 folds or more than people, nobody would be left to train on, or a side has no window
        of a class.
    """
    everyone = _everyone(people)
    if not 2 <= folds <= len(everyone):
        raise PipelineError(f"wanted 2 to {len(everyone)} folds, as there are people, got {folds}")
    chosen = share_of("validation", validation, len(everyone))
    order = drawn(everyone, _groups(people, stratify), seed)
    bounds = np.linspace(0, len(order), folds + 1).round().astype(int).tolist()
    found = []
    for low, high in pairwise(bounds):
        others = [*order[high:], *order[:low]]
        if len(others) <= chosen:
            raise PipelineError(f"nobody is left to train on with {folds} folds and {chosen} people to validate")
        one = _in_order(everyone, others[chosen:], others[:chosen], order[low:high])
        found.append(with_classes(one, people, require_classes))
    return found


def leave_one_out(people: People, validation: int) -> Iterator[Split]:
    """Yield a split for each person: tested alone, validated on the `validation` people who follow, in a circle.

    >>> next(leave_one_out([1, 2, 3, 4], validation=1))
    Split(train=(3, 4), validation=(2,), test=(1,))

    Raises
    ------
    PipelineError
        If nobody would be left to train on.
    """
    everyone = _everyone(people)
    if validation < 1 or len(everyone) < validation + 2:
        wanted = "1 or more to validate and 1 to train on"
        raise PipelineError(f"wanted {wanted}, got {validation} of {len(everyone)} people")
    for i, person in enumerate(everyone):
        others = (*everyone[i + 1 :], *everyone[:i])
        yield Split(train=others[validation:], validation=others[:validation], test=(person,))


def _everyone(people: People) -> list[Any]:
    everyone = cast("Windows", people).people if hasattr(people, "people") else list(people)
    twice = [one for one, count in Counter(everyone).items() if count > 1]
    if twice or not everyone:
        raise PipelineError(f"wanted people, each once, got {twice or everyone}")
    return everyone


def share_of(name: str, share: float, people: int) -> int:
    """Return how many people a share, or a whole number, is."""
    if share >= 1 and share == int(share):
        return int(share)
    if not 0 <= share < 1:
        raise PipelineError(f"{name} wants a share from 0 to below 1, or a whole number of people, got {share}")
    return max(1, round(share * people)) if share else 0


def _groups(people: People, stratify: Mapping[Any, Hashable] | str | None) -> Mapping[Any, Hashable]:
    if stratify is None:
        return {}
    if isinstance(stratify, str):
        if stratify != "class" or not hasattr(people, "people"):
            raise PipelineError(f"stratify wants a group for each person, or 'class' with windows, got {stratify!r}")
        windows = cast("Windows", people)
        return {who: int(np.bincount(windows.y[windows.subject == who]).argmax()) for who in windows.people}
    absent = [who for who in _everyone(people) if who not in stratify]
    if absent:
        raise PipelineError(f"stratify names no group of {absent}")
    return stratify


def drawn(everyone: list[Any], group: Mapping[Any, Hashable], seed: int) -> list[Any]:
    """Return people in random order; with groups, so that every stretch of it has its share of each."""
    rng = np.random.default_rng(seed)
    shuffled = [everyone[i] for i in rng.permutation(len(everyone))]
    if not group:
        return shuffled
    sizes, rank = Counter(group[who] for who in everyone), Counter[Hashable]()
    place: dict[Any, float] = {}
    for who in shuffled:
        place[who] = (rank[group[who]] + rng.random()) / sizes[group[who]]
        rank[group[who]] += 1
    return sorted(shuffled, key=place.__getitem__)


def _in_order(everyone: list[Any], train: Sequence[Any], validation: Sequence[Any], test: Sequence[Any]) -> Split:
    own, chosen, tested = (tuple(who for who in everyone if who in set(side)) for side in (train, validation, test))
    return Split(own, chosen, tested)


def with_classes(found: Split, people: People, require: bool) -> Split:
    """Return the split with notes on classes that a side lacks, or refuse them."""
    if not hasattr(people, "people"):
        return found
    windows = cast("Windows", people)
    notes = []
    for side in SIDES:
        if not getattr(found, side):
            continue
        lacking = [label for label, count in found.side(windows, side).counts.items() if not count]
        if lacking:
            notes.append(f"no window of {', '.join(lacking)} on the {side} side")
    if notes and require:
        raise PipelineError(
            f"{'; '.join(notes)}: take another seed, stratify='class' or fewer folds, or require_classes=False"
        )
    return replace(found, notes=(*found.notes, *notes))
