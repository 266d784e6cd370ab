"""A data set: its card, and the recordings of it that are here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from inspect import isgenerator
from pathlib import Path
from typing import Literal, NamedTuple

from pulselet.errors import DatasetError, RecordingError
from pulselet.stream.corpus import Recording
from pulselet_datasets import places, registry
from pulselet_datasets.card import Card, OfficialSplit

OnError = Literal["raise", "skip"]


class Missing(NamedTuple):
    """What the card names and the folder does not hold."""

    subjects: tuple[str, ...]
    files: tuple[str, ...]

    def __str__(self) -> str:
        if not any(self):
            return "nothing is missing"
        return f"missing: {len(self.subjects)} subjects{_some(self.subjects)}, {len(self.files)} files"


class Dataset:
    """The recordings of a set that are here, and what is not: an iterable that reads headers and labels only.

    A damaged recording raises when the iteration comes to it. With `on_error="skip"` the others are given, and what
    was wrong stands in `failures`: never in silence, as `str` counts them and `missing` names the subjects.

    Attributes
    ----------
    card, folder
        What is known of the set, and where its files are; None if it has none.
    failures
        What was wrong with the recordings that the latest pass left out, one message each.
    unlisted
        Files of a folder of your own that its table does not name: they are no part of the set.
    """

    def __init__(
        self,
        card: Card,
        read: Callable[[], Iterable[Recording]],
        *,
        folder: Path | None = None,
        on_error: OnError = "raise",
        unlisted: tuple[str, ...] = (),
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise DatasetError(f"on_error is 'raise' or 'skip', got {on_error!r}")
        self.card, self.folder = card, folder
        self.failures: tuple[str, ...] = ()
        self.unlisted = unlisted
        self._read, self._skips = read, on_error == "skip"

    def __iter__(self) -> Iterator[Recording]:
        if "_all" in self.__dict__:  # they have been read already
            yield from self._all.values()
            return
        failures: list[str] = []
        names: set[str] = set()
        try:
            for one in self._each(failures):
                if one.name in names:
                    raise DatasetError(f"{self.card.name} holds two recordings {one.name!r}")
                names.add(one.name)
                yield one
        finally:
            self.failures = tuple(failures)

    def _each(self, failures: list[str]) -> Iterator[Recording]:
        """Yield the recordings; the message of an error goes into `failures` if errors are skipped."""
        reading = iter(self._read())
        while True:
            try:
                one = next(reading)
            except StopIteration:
                return
            except (DatasetError, RecordingError) as error:
                if not self._skips:
                    raise error if isinstance(error, DatasetError) else DatasetError(str(error)) from error
                failures.append(str(error))
                if isgenerator(reading):  # which has ended with its first error
                    failures.append(f"the recordings of {self.card.name} after this one were not read")
                    return
            else:
                yield one

    @cached_property
    def _all(self) -> Mapping[str, Recording]:
        return {one.name: one for one in self}

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, name: str) -> Recording:
        if name not in self._all:
            known = list(self._all)
            raise DatasetError(f"{self.card.name} has no recording {name!r} here; it has {len(known)}{_some(known)}")
        return self._all[name]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who is here, in the order of their first recordings; noise without a person is nobody."""
        return tuple(dict.fromkeys(one.subject for one in self._all.values() if one.subject))

    @property
    def splits(self) -> Mapping[str, OfficialSplit]:
        """The official splits by name, as the card has them."""
        return self.card.splits

    @property
    def missing(self) -> Missing:
        """Subjects and files of the card that are not here."""
        files = () if self.folder is None else absent(self.card, self.folder)
        here = set(self.subjects)
        return Missing(tuple(subject for subject in self.card.subjects if subject not in here), files)

    def sides(self, split: str) -> dict[str, list[Recording]]:
        """Return the recordings that are here by side of an official split; of those left out, none.

        Raises
        ------
        DatasetError
            If there is no such split, or somebody who is here stands in it nowhere.
        """
        official = self.card.split(split)
        side_of = {name: side for side, names in official.sides.items() for name in names}
        sides: dict[str, list[Recording]] = {side: [] for side in official.sides}
        nowhere: list[str] = []
        for one in self:
            key = one.subject if official.unit == "subject" else one.name
            if key in side_of:
                sides[side_of[key]].append(one)
            elif key not in official.left_out:
                nowhere.append(key)
        if nowhere:
            unknown = list(dict.fromkeys(nowhere))
            raise DatasetError(
                f"{self.card.name}: {len(unknown)} {official.unit}s are nowhere in the split {split!r}{_some(unknown)}:"
                " put each on a side, or leave it out and say why"
            )
        return sides

    def __str__(self) -> str:
        lines = [f"{self.card.title} ({self.card.name}): {len(self)} recordings of {len(self.subjects)} subjects"]
        lines += [str(self.missing)] if any(self.missing) else []
        lines += [f"left out, {len(self.failures)}: {'; '.join(self.failures)}"] if self.failures else []
        lines += [f"without a line in the table, {len(self.unlisted)}{_some(self.unlisted)}"] if self.unlisted else []
        lines += [f"split {name}: {split}" for name, split in self.splits.items()]
        lines += [f"note: {note}" for note in self.card.notes]
        return "\n".join([*lines, f"licence: {self.card.licence}"])


def load(name: str, folder: str | Path | None = None, *, on_error: OnError = "raise") -> Dataset:
    """Return a set of the registry; no file of it is opened yet.

    Parameters
    ----------
    folder
        Where its files are; if not given, the folder of the card under `$PULSELET_DATA`, or else in the cache that
        `fetch` fills (`$PULSELET_CACHE`, or `~/.cache/pulselet/datasets`).
    on_error
        Whether a damaged recording raises or is left out and told in `failures`.

    Raises
    ------
    DatasetError
        If there is no such set, or none of its files is there.
    """
    card, recordings = registry.entry(name)
    if folder is None and not card.folder:
        return Dataset(card, recordings, on_error=on_error)
    looked = places.candidates(card) if folder is None else [Path(folder)]
    there = next((place for place in looked if places.holds(card, place)), None)
    if there is None:
        raise DatasetError(f"{card.name} is not in {' nor in '.join(map(str, looked))}: {how_to_get(card)}")
    return Dataset(card, lambda: recordings(there), folder=there, on_error=on_error)


def how_to_get(card: Card) -> str:
    """Return in words how a set comes here, and under which licence."""
    if card.manual:
        way = card.manual.rstrip(".")
    elif card.url or card.archive:
        way = f"fetch it with `pulselet data fetch {card.name}`, or name its folder"
    else:
        way = "name its folder"
    return f"{way}; its licence is {card.licence}"


def absent(card: Card, folder: Path) -> tuple[str, ...]:
    """Return the files of the card that a folder does not hold."""
    return tuple(path for path in card.files if not places.present(card, folder, path))


def _some(names: Iterable[str], most: int = 12) -> str:
    """Return the first of some names in brackets, or nothing if there are none."""
    listed = list(names)
    return f" ({', '.join(listed[:most])}{', ...' if len(listed) > most else ''})" if listed else ""
