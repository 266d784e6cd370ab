"""Windows that know their class and their person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of many people, in the order in which they were recorded.

    Attributes
    ----------
    x
        float32 `(n, length, channels)`.
    y
        Class numbers `(n,)`.
    subject
        Who wore the sensor, `(n,)`.
    labels
        The name of each class.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    subject: NDArray[np.int64]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.x) == len(self.y) == len(self.subject):
            got = f"{len(self.x)}, {len(self.y)}, {len(self.subject)}"
            raise PipelineError(f"wanted equally many windows, classes and people, got {got}")
        if len(self.y) and not 0 <= self.y.min() <= self.y.max() < len(self.labels):
            raise PipelineError(f"classes run from {self.y.min()} to {self.y.max()}, but there are {self.labels}")

    def __len__(self) -> int:
        return len(self.y)

    def of(self, subjects: Iterable[int]) -> Windows:
        """Return the windows of these people.

        Raises
        ------
        PipelineError
            If one of them has no window.
        """
        wanted = set(subjects)
        absent = wanted - set(self.people)
        if absent:
            raise PipelineError(f"no windows of {sorted(absent)}; there are those of {self.people}")
        kept = np.isin(self.subject, list(wanted))
        return Windows(self.x[kept], self.y[kept], self.subject[kept], self.labels)

    @property
    def people(self) -> list[int]:
        """Everyone who has a window, in ascending order."""
        return [int(person) for person in np.unique(self.subject)]

    @classmethod
    def join(cls, parts: Sequence[Windows]) -> Windows:
        """Return all parts in one.

        Raises
        ------
        PipelineError
            If there is no part, or they do not name the same classes.
        """
        if not parts or any(part.labels != parts[0].labels for part in parts):
            raise PipelineError(f"wanted parts with the same classes, got {[part.labels for part in parts]}")
        x, y, subject = (np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "y", "subject"))
        return cls(x, y, subject, parts[0].labels)


@dataclass(frozen=True)
class Split:
    """Who is trained on, who chooses, and who is reported on; nobody is in two of them.

    >>> Split(train=(1, 2), validation=(3,), test=(3,))
    Traceback (most recent call last):
    pulselet.errors.PipelineError: a person may be in one set only, got train (1, 2), validation (3,), test (3,)
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    def __post_init__(self) -> None:
        everyone = self.train + self.validation + self.test
        if len(set(everyone)) != len(everyone):
            raise PipelineError(
                f"a person may be in one set only, "
                f"got train {self.train}, validation {self.validation}, test {self.test}"
            )


def leave_one_out(people: Sequence[int], validation: int) -> Iterator[Split]:
    """Yield a split for each person: tested alone, validated on the `validation` people who follow, in a circle.

    >>> next(leave_one_out([1, 2, 3, 4], validation=1))
    Split(train=(3, 4), validation=(2,), test=(1,))

    Raises
    ------
    PipelineError
        If nobody would be left to train on.
    """
    if validation < 1 or len(people) < validation + 2:
        raise PipelineError(f"wanted 1 or more to validate and 1 to train on, got {validation} of {len(people)} people")
    for i, person in enumerate(people):
        others = (*people[i + 1 :], *people[:i])
        yield Split(train=others[validation:], validation=others[:validation], test=(person,))
