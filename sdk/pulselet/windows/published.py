"""Published splits: by person or by recording, with what a reader of their figures has to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pulselet.errors import PipelineError
from pulselet.windows.splitting import SIDES, Split, drawn, recording_names, share_of, with_classes

if TYPE_CHECKING:
    from pulselet.windows.labelled import Windows


class Published(Protocol):
    """A split as the card of a data set holds it."""

    @property
    def sides(self) -> Mapping[str, tuple[str, ...]]:
        """Who is on each side."""

    @property
    def note(self) -> str:
        """What a reader of the figures has to know."""

    @property
    def unit(self) -> str:
        """What the sides name: "subject" or "recording"."""

    @property
    def left_out(self) -> Mapping[str, str]:
        """Who is on no side, and why."""

    @property
    def shared(self) -> tuple[str, ...]:
        """People who stand on more than one side."""


def official(
    published: Published | Mapping[str, Sequence[Any]],
    windows: Windows | None = None,
    *,
    by: str = "subject",
    validation: float = 0.2,
    seed: int = 0,
    name: str = "",
    note: str = "",
    strict: bool = False,
    require_classes: bool = True,
) -> Split:
    """Return a published split; who validates is drawn from its train side unless it says so itself.

    Parameters
    ----------
    published
        A split of a data set's card; or who is in "train", "test" and perhaps "validation". If no side is called so,
        the first of two is the train side (de Chazal's DS1) and the second is tested (DS2).
    windows
        Of the set. With them, those in no side are listed, those of a side who have no windows are left out and named,
        and people who stand on two sides of a split by recordings are found and declared.
    by, note
        "subject", or "recording" if the sides name recordings, and what a reader has to know; a card says it itself.
    strict
        Whether recordings of a person who is also tested leave the other sides.

    Raises
    ------
    PipelineError
        If a side is missing or empty, or has no window of a class.
    """
    shared: tuple[str, ...] = ()
    reasons: Mapping[str, str] = {}
    if isinstance(published, Mapping):
        known = _sides(published)
    else:
        known, by, shared = _sides(published.sides), published.unit, published.shared
        reasons = published.left_out
        note = "; ".join(filter(None, (published.note, note)))
    notes = [note] if note else []
    notes += [
        f"left out: {', '.join(who for who, why in reasons.items() if why == reason)}: {reason}"
        for reason in dict.fromkeys(reasons.values())
    ]
    persons = _persons(windows, by)
    if windows is not None:
        notes += _absent(known, set(persons))
    both = _on_both(known, persons) | (set() if windows is not None else set(shared))
    if strict and both:
        notes.append(_taken_out(known, persons, both))
        both = set()
    if not known["validation"] and validation:
        known["train"], known["validation"] = _validators(known["train"], persons, both, validation, seed)
        notes.append(f"who validates was drawn from the train side (seed {seed}), not published")
    if not known["train"] or not known["test"]:
        raise PipelineError("an official split wants somebody to train on and to test; one side has no windows")
    declared = {str(who): f"{who} stands on both sides of {name or 'the published split'}" for who in _sorted(both)}
    assigned = {one for side in SIDES for one in known[side]}
    found = Split(
        tuple(known["train"]),
        tuple(known["validation"]),
        tuple(known["test"]),
        by=by,
        name=name,
        notes=(*notes, *declared.values()),
        unassigned=tuple(one for one in persons if one not in assigned),
        declared=declared,
    )
    return found if windows is None else with_classes(found, windows, require_classes)


def _sides(published: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Return who is on each of our three sides."""
    sides = dict(published)
    if len(sides) == 2 and not set(sides) & set(SIDES):
        sides = dict(zip(("train", "test"), sides.values(), strict=True))
    if set(sides) - set(SIDES) or not sides.get("train") or not sides.get("test"):
        raise PipelineError(f"an official split wants the sides 'train' and 'test', got {sorted(published)}")
    return {side: list(sides.get(side, ())) for side in SIDES}


def _on_both(known: Mapping[str, list[Any]], persons: Mapping[Any, Any]) -> set[Any]:
    """Return the people who are tested and stand on another side too."""
    people = {side: {persons[one] for one in known[side] if one in persons} for side in SIDES}
    return people["test"] & (people["train"] | people["validation"])


def _taken_out(known: dict[str, list[Any]], persons: Mapping[Any, Any], both: set[Any]) -> str:
    """Take recordings of these people out of all sides but the tested one, and say so."""
    out = [one for side in ("train", "validation") for one in known[side] if persons.get(one, one) in both]
    for side in ("train", "validation"):
        known[side] = [one for one in known[side] if one not in out]
    return f"not trained on, because the same person is tested: {', '.join(map(str, out))}"


def _sorted(names: set[Any]) -> list[Any]:
    return sorted(names, key=str)


def _persons(windows: Windows | None, by: str) -> dict[Any, Any]:
    """Return who wore the sensor, by what the split names."""
    if windows is None:
        return {}
    keys = windows.subject if by == "subject" else recording_names(windows)
    pairs = set(zip(keys.tolist(), windows.subject.tolist(), strict=True))
    return dict(sorted(pairs, key=str))


def _absent(known: dict[str, list[Any]], there: set[Any]) -> list[str]:
    """Leave those out who have no windows, and say so."""
    notes = []
    for side in SIDES:
        absent = [one for one in known[side] if one not in there]
        if absent:
            known[side] = [one for one in known[side] if one in there]
            notes.append(f"of the {side} side there are no windows of {', '.join(map(str, absent))}")
    return notes


def _validators(
    train: list[Any], persons: Mapping[Any, Any], both: set[Any], share: float, seed: int
) -> tuple[list[Any], list[Any]]:
    """Return the train side without those who validate, and these; nobody is on both, nor one who is also tested."""
    person = {one: persons.get(one, one) for one in train}
    candidates = [who for who in dict.fromkeys(person.values()) if who not in both]
    count = share_of("validation", share, len(set(person.values())))
    if count >= len(set(person.values())) or count > len(candidates):
        raise PipelineError(f"wanted somebody left to train on, got {count} of {len(candidates)} people to validate")
    chosen = set(drawn(candidates, {}, seed)[:count])
    return [one for one in train if person[one] not in chosen], [one for one in train if person[one] in chosen]
