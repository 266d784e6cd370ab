"""Windows that know their class, their person and the samples they were cut from."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.windows.digests import Marks
from pulselet.windows.rows import Rows
from pulselet.windows.splitting import Split, leave_one_out

__all__ = ["Counts", "Split", "Windows", "leave_one_out"]

LARGE = 8
"""A part is large from an eighth of the whole on."""
SHOWN = 5
"""Notes that are printed."""
PER_WINDOW = ("y", "subject", "recording", "start_s", "end_s", "simulated")


@dataclass(frozen=True)
class Counts:
    """Windows that were left out, and why.

    >>> print(Counts(gap=3, label=10) + Counts(gap=1))
    left out: 4 that touch a gap or an end, 10 without a label
    """

    gap: int = 0  # they touch lost samples, or, around an instant, reach over an end of the recording
    label: int = 0  # nobody said what they are, or the word was to be left out
    mixed: int = 0  # below the threshold of the label rule
    missed: int = 0  # annotated events that the detector did not find
    false: int = 0  # detected events where none is annotated

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, one.name) for one in fields(self))

    def __str__(self) -> str:
        words = {
            "gap": "that touch a gap or an end",
            "label": "without a label",
            "mixed": "with a label that is not clear",
            "missed": "events that were not detected",
            "false": "detected events that are not annotated",
        }
        parts = [f"{getattr(self, name)} {text}" for name, text in words.items() if getattr(self, name)]
        return f"left out: {', '.join(parts) or 'nothing'}"


def identities(subject: Any) -> NDArray[Any]:
    """Return who wore the sensor as whole numbers or text, so that one person has one identity."""
    found: NDArray[Any] = np.asarray(subject)
    if found.dtype.kind == "f":
        if not (np.isfinite(found) & (found == np.rint(found))).all():
            raise PipelineError(
                "subjects are whole numbers or text, got fractions or NaN; nobody known is an empty text"
            )
        found = found.astype(np.int64)
    elif found.dtype.kind == "S":
        found = found.astype(np.str_)
    elif found.dtype.kind not in "iuU":
        found = np.array(["" if who is None else str(who) for who in found.tolist()], np.str_)
    return found


def _unknown() -> NDArray[Any]:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of many people, in the order in which they were recorded.

    Attributes
    ----------
    x
        float32 `(n, length, channels)`, or `(n, columns)` of what has no length; an array, or `Rows` that stay on disk.
    y
        Class numbers `(n,)`.
    subject
        Who wore the sensor, `(n,)`: whole numbers or text. Floats, as tables with gaps give them, become whole numbers,
        so that 7.0 is person 7; of objects None becomes "", nobody knows whom.
    labels
        The name of each class.
    recording
        Text `(n,)`, "set/name"; empty where it is not known.
    start_s, end_s
        Float64 `(n,)`: the part of the recording that a window is made of, in seconds from the recording's zero; NaN
        where it is not known. See `cut` for what a filter's memory adds.
    simulated
        Bool `(n,)`: whether a model made the recording.
    dropped
        What was left out while they were cut.
    files
        SHA-256 of the raw samples of each recording, by its name, as far as they are known.
    rule
        In words, what a window's label means.
    notes
        What was mended in the recordings.
    of_recording
        How many windows with a class each recording gave when it was cut, by its name, as far as that is known. A
        report counts by it what was left out afterwards.

    Raises
    ------
    PipelineError
        If the columns differ in length, classes are no whole numbers, have no label or one label twice, or a subject is
        neither a whole number nor text.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    subject: NDArray[Any]
    labels: tuple[str, ...]
    recording: NDArray[np.str_] = field(default_factory=_unknown)
    start_s: NDArray[np.float64] = field(default_factory=_unknown)
    end_s: NDArray[np.float64] = field(default_factory=_unknown)
    simulated: NDArray[np.bool_] = field(default_factory=_unknown)
    dropped: Counts = Counts()
    files: Mapping[str, str] = field(default_factory=dict)
    rule: str = ""
    notes: tuple[str, ...] = ()
    of_recording: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject", identities(self.subject))
        if not len(self.x) == len(self.y) == len(self.subject):
            got = f"{len(self.x)}, {len(self.y)}, {len(self.subject)}"
            raise PipelineError(f"wanted equally many windows, classes and people, got {got}")
        if len(set(self.labels)) < len(self.labels):
            raise PipelineError(f"two classes have the same label: {self.labels}")
        if np.asarray(self.y).dtype.kind not in "iub" and len(self.y):
            raise PipelineError(f"classes are whole numbers, got {np.asarray(self.y).dtype}")
        if len(self.y) and not 0 <= self.y.min() <= self.y.max() < len(self.labels):
            raise PipelineError(f"classes run from {self.y.min()} to {self.y.max()}, but there are {self.labels}")
        for name, unknown in (("recording", ""), ("start_s", np.nan), ("end_s", np.nan), ("simulated", False)):
            values = np.asarray(getattr(self, name))
            if not len(values):
                values = np.full(len(self.y), unknown)
            if len(values) != len(self.y):
                raise PipelineError(f"wanted {len(self.y)} values of {name}, one for each window, got {len(values)}")
            object.__setattr__(self, name, values)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: all but the tie to the windows that these are a part of."""
        return {name: value for name, value in vars(self).items() if name != "_origin"}

    def __len__(self) -> int:
        return len(self.y)

    def __str__(self) -> str:
        kept = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        shape = " x ".join(map(str, self.x.shape[1:]))
        who = f"{len(self.people)} {'person' if len(self.people) == 1 else 'people'}"
        rule = f"label: {self.rule}; " if self.rule else ""
        more = [f"and {len(self.notes) - SHOWN} more repairs: see notes"] if len(self.notes) > SHOWN else []
        first = f"{len(self)} windows of {shape}, {who}: {kept}; {rule}{self.dropped}"
        return "\n".join([first, *self.notes[:SHOWN], *more])

    @property
    def counts(self) -> dict[str, int]:
        """How many windows each class has."""
        found = np.bincount(self.y, minlength=len(self.labels)).tolist()
        return dict(zip(self.labels, found, strict=True))

    @property
    def people(self) -> list[Any]:
        """Everyone who has a window, in ascending order."""
        found: list[Any] = np.unique(self.subject).tolist()
        return found

    @property
    def recordings(self) -> list[str]:
        """Every recording that has a window and a name, in ascending order."""
        return [str(name) for name in np.unique(self.recording) if name]

    def take(self, chosen: NDArray[Any]) -> Windows:
        """Return the windows of a mask `(n,)` or of index numbers; those on disk stay there."""
        x: Any = self.x.take(np.arange(len(self))[chosen]) if isinstance(self.x, Rows) else self.x[chosen]
        part = {name: getattr(self, name)[chosen] for name in PER_WINDOW}
        names = {str(name) for name in np.unique(part["recording"])}
        files = {name: digest for name, digest in self.files.items() if name in names}
        of_recording = {name: count for name, count in self.of_recording.items() if name in names}
        found = replace(self, x=x, files=files, of_recording=of_recording, **part)
        found.__dict__["_origin"] = weakref.ref(self), chosen
        return found

    def of(self, subjects: Iterable[Any]) -> Windows:
        """Return the windows of these people.

        Raises
        ------
        PipelineError
            If one of them has no window.
        """
        wanted = set(subjects)
        absent = wanted - set(self.people)
        if absent:
            raise PipelineError(f"no windows of {sorted(absent, key=str)}; there are those of {self.people}")
        return self.take(np.isin(self.subject, list(wanted)))

    def with_x(self, x: NDArray[np.float32]) -> Windows:
        """Return other values of the same windows, such as scaled or augmented ones: who they are of stays known."""
        return replace(self, x=x)

    def batches(
        self, size: int, *, seed: int | None = None, shuffle: bool = True
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """Yield `(x, y)` of `size` windows at a time, the last perhaps fewer; only these are read from disk.

        Raises
        ------
        PipelineError
            If the size is not positive, or they are to be shuffled and no seed is given.
        """
        if size < 1 or (shuffle and seed is None):
            raise PipelineError(f"batches wants a size of 1 or more, and a seed to shuffle, got {size} and {seed}")
        order = np.random.default_rng(seed).permutation(len(self)) if shuffle else np.arange(len(self))
        for first in range(0, len(self), size):
            chosen = order[first : first + size]
            yield self.x[chosen], self.y[chosen]

    @property
    def marks(self) -> Marks:
        """Digests of each window's content, by which the leak detector knows a copy.

        Parts of the same windows, such as the sides of folds, share the work, unless they are small.
        """
        ref, chosen = self.__dict__.get("_origin", (None, None))
        whole: Windows | None = ref() if ref else None
        if whole is not None and ("_marks" in whole.__dict__ or LARGE * len(self) >= len(whole)):
            return whole.marks.take(chosen)
        if "_marks" not in self.__dict__:
            self.__dict__["_marks"] = Marks.of(self)
        found: Marks = self.__dict__["_marks"]
        return found

    @property
    def sha256(self) -> str:
        """SHA-256 of what they hold: values, classes, people, and where they come from."""
        digest = hashlib.sha256(repr((self.labels, self.x.shape)).encode())
        for first in range(0, len(self), 4096):
            digest.update(np.ascontiguousarray(self.x[first : first + 4096], "<f4").tobytes())
        digest.update(self.y.astype("<i8").tobytes())
        digest.update("\n".join(map(str, self.subject.tolist())).encode())
        digest.update("\n".join(self.recording.tolist()).encode())
        digest.update(self.start_s.astype("<f8").tobytes())
        return digest.hexdigest()

    @classmethod
    def join(cls, parts: Sequence[Windows]) -> Windows:
        """Return all parts in one; what was left out of a cut is counted once, however many of its parts there are.

        Raises
        ------
        PipelineError
            If there is no part, or they do not name the same classes, or differ in shape.
        """
        if not parts or any(part.labels != parts[0].labels for part in parts):
            raise PipelineError(f"wanted parts with the same classes, got {[part.labels for part in parts]}")
        if len({part.x.shape[1:] for part in parts}) > 1:
            raise PipelineError(f"wanted windows of one shape, got {sorted({part.x.shape[1:] for part in parts})}")
        xs: list[Any] = [part.x for part in parts]
        x: Any = Rows.join(xs) if any(isinstance(one, Rows) for one in xs) else np.concatenate(xs)
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in PER_WINDOW}
        rules = {part.rule for part in parts}
        return cls(
            x,
            labels=parts[0].labels,
            dropped=sum({id(part.dropped): part.dropped for part in parts}.values(), Counts()),
            files={name: digest for part in parts for name, digest in part.files.items()},
            rule="; ".join(sorted(rules - {""})),
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
            of_recording=_most(part.of_recording for part in parts),
            **columns,
        )


def _most(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the largest count by name: two parts of a recording both say how many windows it had."""
    found: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            found[name] = max(count, found.get(name, 0))
    return found
