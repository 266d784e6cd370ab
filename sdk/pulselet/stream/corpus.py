"""A recording of a data set, whatever its format: signals read when asked for, labels, and who wore the sensor."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError
from pulselet.stream.block import Signal


class Run(NamedTuple):
    """Consecutive samples: index of the first, and values float32 `(n, channels)` in the signal's unit."""

    first: int
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Labels:
    """What somebody says of a recording: intervals or instants, in ascending order of their begin.

    Attributes
    ----------
    kind
        What they speak of, such as "beat", "rhythm", "activity", "breath", "stress", "stage" or "class".
    vocabulary
        The words in use, in a fixed order.
    begin
        Int64 `(n,)`, in samples at `rate_hz` from the recording's zero.
    end
        One past the last sample, `(n,)`; None for instants.
    code
        Int64 `(n,)`: index into the vocabulary.
    rate_hz
        Of the samples that `begin` and `end` count.
    rater
        Who or what said so, if that is known.
    """

    kind: str
    vocabulary: tuple[str, ...]
    begin: NDArray[np.int64]
    end: NDArray[np.int64] | None
    code: NDArray[np.int64]
    rate_hz: float
    rater: str = ""

    def __post_init__(self) -> None:
        lengths = {len(self.begin), len(self.code), len(self.begin if self.end is None else self.end)}
        if len(lengths) != 1:
            raise DatasetError(f"labels {self.kind!r}: wanted as many begins, ends and codes, got {sorted(lengths)}")
        if not len(self.begin):
            return
        if (np.diff(self.begin) < 0).any():
            at = int(np.flatnonzero(np.diff(self.begin) < 0)[0]) + 1
            raise DatasetError(f"labels {self.kind!r} are out of order: number {at} begins before the one before it")
        if self.end is not None and (self.end < self.begin).any():
            raise DatasetError(f"labels {self.kind!r}: one ends before it begins")
        if self.code.min() < 0 or self.code.max() >= len(self.vocabulary):
            raise DatasetError(f"labels {self.kind!r}: codes run to {self.code.max()} of {len(self.vocabulary)} words")

    def __len__(self) -> int:
        return len(self.begin)

    @property
    def words(self) -> list[str]:
        """The word of each label."""
        return [self.vocabulary[code] for code in self.code.tolist()]

    @property
    def begin_s(self) -> NDArray[np.float64]:
        """Begins in seconds."""
        return self.begin / self.rate_hz

    @property
    def end_s(self) -> NDArray[np.float64]:
        """Ends in seconds; of instants, their begins."""
        return (self.begin if self.end is None else self.end) / self.rate_hz

    @classmethod
    def of(
        cls,
        kind: str,
        words: Sequence[str],
        begin: Any,
        end: Any = None,
        *,
        rate_hz: float,
        vocabulary: tuple[str, ...] | None = None,
        rater: str = "",
    ) -> Labels:
        """Return labels from their words; without a vocabulary, the words there are, in the order of the alphabet.

        Raises
        ------
        DatasetError
            If a word is not in the vocabulary, labels are out of order, or the lengths differ.
        """
        known = tuple(sorted(set(words))) if vocabulary is None else vocabulary
        numbers = {word: i for i, word in enumerate(known)}
        strange = sorted(set(words) - set(known))
        if strange:
            raise DatasetError(f"labels {kind!r}: {strange} are not in the vocabulary {known}")
        code = np.array([numbers[word] for word in words], np.int64)
        ends = None if end is None else np.asarray(end, np.int64)
        return cls(kind, known, np.asarray(begin, np.int64), ends, code, rate_hz, rater)

    def mapped(self, mapping: Mapping[str, str | None], vocabulary: tuple[str, ...] | None = None) -> Labels:
        """Return labels in other words; those mapped to None are left out.

        Raises
        ------
        DatasetError
            If a word in use is not in the mapping.
        """
        used = {self.vocabulary[code] for code in np.unique(self.code).tolist()}
        absent = sorted(used - set(mapping))
        if absent:
            raise DatasetError(f"labels {self.kind!r}: no other word is given for {absent}")
        if vocabulary is None:
            vocabulary = tuple(sorted({word for word in mapping.values() if word is not None}))
        to = np.array([_index(mapping.get(word), vocabulary, self.kind) for word in self.vocabulary], np.int64)
        code: NDArray[np.int64] = to[self.code] if len(self.code) else self.code
        kept = code >= 0
        end = None if self.end is None else self.end[kept]
        return replace(self, vocabulary=vocabulary, begin=self.begin[kept], end=end, code=code[kept])


def _index(word: str | None, vocabulary: tuple[str, ...], kind: str) -> int:
    if word is None:
        return -1
    if word not in vocabulary:
        raise DatasetError(f"labels {kind!r}: {word!r} is not in the vocabulary {vocabulary}")
    return vocabulary.index(word)


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording of a data set; it reads like a `.pulse` file, and holds no samples until it is asked for them.

    Attributes
    ----------
    dataset, name
        The set's name, and the recording's within it.
    subject
        Who wore the sensor: the same text for all recordings of one person, in this set and in no other way split.
    signals
        What there is, by name.
    read
        Returns the runs of a signal by its name; use `segments`.
    labels
        By kind.
    start_s
        Seconds from the recording's zero to sample 0 of a signal, where that is not 0.
    facts
        What else is known: "age", "sex", "lead", "note", ...
    repairs
        What was mended while it was read, counted, in words.
    files
        The files that it is made of.
    simulated
        Whether a model made it. Such recordings teach and test; they never enter a reported figure.
    """

    dataset: str
    name: str
    subject: str
    signals: Mapping[str, Signal]
    read: Callable[[str], Sequence[Run]]
    labels: Mapping[str, Labels] = field(default_factory=dict)
    start_s: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    simulated: bool = False

    def __str__(self) -> str:
        return f"{self.dataset}/{self.name}, subject {self.subject}: {', '.join(self.signals)}"

    def signal(self, name: str) -> Signal:
        """Return what a signal is; DatasetError if there is none of this name."""
        if name not in self.signals:
            raise DatasetError(f"{self.dataset}/{self.name} has no signal {name!r}; it has {sorted(self.signals)}")
        return self.signals[name]

    def segments(self, name: str) -> list[Run]:
        """Return the runs of consecutive samples of a signal, in order; what lies between them is lost.

        Raises
        ------
        DatasetError
            If there is no such signal, or its file is not what its header says.
        """
        self.signal(name)
        return list(self.read(name))

    def values(self, name: str) -> NDArray[np.float32]:
        """Return all samples of a signal from its index 0 on, `(n, channels)`, NaN where samples are lost."""
        runs = self.segments(name)
        channels = len(self.signal(name).channels)
        if len(runs) == 1 and runs[0].first == 0:
            return runs[0].values
        end = max((run.first + len(run.values) for run in runs), default=0)
        whole = np.full((end, channels), np.nan, np.float32)
        for run in runs:
            whole[run.first : run.first + len(run.values)] = run.values
        return whole

    def label(self, kind: str) -> Labels:
        """Return the labels of a kind; DatasetError if there are none."""
        if kind not in self.labels:
            raise DatasetError(f"{self.dataset}/{self.name} has no labels {kind!r}; it has {sorted(self.labels)}")
        return self.labels[kind]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over the bytes of its files, in order; of one without files, over its samples."""
        digest = hashlib.sha256()
        for path in self.files:
            with path.open("rb") as file:
                for part in iter(lambda: file.read(1 << 20), b""):
                    digest.update(part)
        if not self.files:
            for name in self.signals:
                for run in self.segments(name):
                    digest.update(run.first.to_bytes(8, "little", signed=True))
                    digest.update(np.ascontiguousarray(run.values, "<f4").tobytes())
        return digest.hexdigest()
