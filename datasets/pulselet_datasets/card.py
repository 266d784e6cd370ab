"""The card of a data set: what it is, who wore what, how it is split, under which licence, and where it comes from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Literal

from pulselet.errors import DatasetError

COMPUTED = "computed from our copy"
PUBLISHED = "published with the set"
SHA256 = re.compile(r"[0-9a-f]{64}")
CHECKSUMS = Path(__file__).with_name("checksums")


@dataclass(frozen=True)
class OfficialSplit:
    """A division of a set that a paper or its makers gave, and what a reader of its figures must know.

    Attributes
    ----------
    sides
        Who stands on which side, such as `{"train": (...), "test": (...)}`.
    note
        Where it comes from, and its traps; it goes into every report.
    unit
        Whether the sides name subjects or recordings.
    left_out
        Who stands on no side, and why.
    shared
        Subjects that stand on more than one side, known and stated; a leak detector names them still.
    """

    sides: Mapping[str, tuple[str, ...]]
    note: str = ""
    unit: Literal["subject", "recording"] = "subject"
    left_out: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.sides) < 2:
            raise DatasetError(f"a split wants two sides or more, got {sorted(self.sides)}")
        twice = repeated(self.names)
        if twice:
            raise DatasetError(f"a split names {twice} on more than one side, or twice on one")
        both = sorted(set(self.names) & set(self.left_out))
        if both:
            raise DatasetError(f"a split leaves out {both} and names them on a side too")

    @property
    def names(self) -> tuple[str, ...]:
        """All that stand on a side, in order."""
        return tuple(name for side in self.sides.values() for name in side)

    def __str__(self) -> str:
        sides = ", ".join(f"{side} {len(names)}" for side, names in self.sides.items())
        out = f", left out {len(self.left_out)}" if self.left_out else ""
        return f"{sides}{out} (by {self.unit}){'; ' + self.note if self.note else ''}"


@dataclass(frozen=True)
class Card:
    """What is known of a data set without opening any of its files.

    Attributes
    ----------
    name, folder, title
        The name that `load` takes, the folder under `$PULSELET_DATA` or the cache, and the set's own title. The folder
        is empty if the set needs none, because it comes with a package or is made by a model.
    package
        The folder of an installed package that holds the files, such as "seglearn/data".
    what, who
        One sentence each: what was recorded, and whom it was recorded from.
    sensors
        In the field's words: "2-lead ECG", "wrist PPG", "3-axis acceleration", ...
    rates
        Sampling rate in Hz by signal name; of those sampled unevenly, the nominal one.
    labels
        By kind, what they say and by whom.
    subjects
        The ids of all subjects of the complete set.
    recordings
        The names of all its recordings, if they are few enough to be named; a split by recording is checked with them.
    splits
        The official ones by name.
    licence, licence_url
        Its name, and where its text is.
    citation
        What a paper that uses the set must cite.
    url
        Where the files are, ending in "/": a file's address is this and its path. Empty: it cannot be fetched.
    bytes
        Size of the download, or of the files where they are not fetched by a program; 0 if it is not known.
    files
        Paths of the complete set's files that the loader reads, relative to the folder.
    checksums, checksums_origin
        SHA-256 by path, in lower case hexadecimal; who computed them: `COMPUTED` or `PUBLISHED`.
    sums
        Path, below `url`, of a list of SHA-256 that the publisher keeps; `fetch` verifies with it, the archive too.
    inner
        A folder, made when the download is unpacked, in which the files may stand instead.
    archive
        Address of a zip that holds all files, if they are not to be had one by one.
    manual
        Where to get the set and what to do there, if it may not be fetched by a program.
    notes
        Traps, each in one sentence.

    Raises
    ------
    DatasetError
        If a split names an unknown subject, a checksum is none, or a path leaves the folder.
    """

    name: str
    folder: str
    title: str
    what: str
    who: str
    sensors: tuple[str, ...]
    rates: Mapping[str, float]
    labels: Mapping[str, str]
    subjects: tuple[str, ...]
    licence: str
    citation: str
    splits: Mapping[str, OfficialSplit] = field(default_factory=dict)
    recordings: tuple[str, ...] = ()
    licence_url: str = ""
    url: str = ""
    bytes: int = 0
    files: tuple[str, ...] = ()
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksums_origin: str = ""
    sums: str = ""
    inner: str = ""
    archive: str = ""
    manual: str = ""
    package: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("rates", "labels", "splits", "checksums"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        for what, named in (("subjects", self.subjects), ("recordings", self.recordings), ("files", self.files)):
            if repeated(named):
                raise DatasetError(f"card {self.name!r}: the {what} {repeated(named)} are named twice")
        self._check_files()
        for name, split in self.splits.items():
            known = self.subjects if split.unit == "subject" else self.recordings
            unknown = sorted({*split.names, *split.left_out} - set(known))
            if known and unknown:
                raise DatasetError(f"card {self.name!r}: its split {name!r} names an unknown {split.unit}: {unknown}")

    def _check_files(self) -> None:
        for path in (*self.files, *self.checksums):
            if not inside(path):
                raise DatasetError(f"card {self.name!r}: {path!r} should be a path inside the set's folder")
        for path, value in self.checksums.items():
            if not SHA256.fullmatch(value):
                raise DatasetError(f"card {self.name!r}: {value!r} of {path} is no SHA-256 in 64 small hex digits")

    def unsplit(self, name: str) -> tuple[str, ...]:
        """Return who an official split neither puts on a side nor leaves out: subjects, or recordings.

        Raises
        ------
        DatasetError
            If there is no such split.
        """
        split = self.split(name)
        placed = {*split.names, *split.left_out}
        known = self.subjects if split.unit == "subject" else self.recordings
        return tuple(sorted(set(known) - placed))

    def split(self, name: str) -> OfficialSplit:
        """Return an official split by its name; DatasetError, which lists the names, if there is no such one."""
        if name not in self.splits:
            raise DatasetError(f"{self.name!r} has no split {name!r}; it has {sorted(self.splits) or 'none'}")
        return self.splits[name]

    def to_dict(self) -> dict[str, Any]:
        """Return the card as what JSON can hold; of files and checksums, how many there are."""
        return {
            "name": self.name,
            "folder": self.folder,
            "title": self.title,
            "what": self.what,
            "who": self.who,
            "sensors": list(self.sensors),
            "rates_hz": dict(self.rates),
            "labels": dict(self.labels),
            "subjects": list(self.subjects),
            "splits": {name: split_dict(split) for name, split in self.splits.items()},
            "licence": self.licence,
            "licence_url": self.licence_url,
            "citation": self.citation,
            "url": self.url or self.archive,
            "bytes": self.bytes,
            "files": len(self.files),
            "checksums": len(self.checksums),
            "checksums_origin": self.checksums_origin,
            "manual": self.manual,
            "notes": list(self.notes),
        }


def split_dict(split: OfficialSplit) -> dict[str, Any]:
    """Return a split as what JSON can hold."""
    return {
        "unit": split.unit,
        "sides": {side: list(names) for side, names in split.sides.items()},
        "left_out": dict(split.left_out),
        "shared": list(split.shared),
        "note": split.note,
    }


def repeated(names: tuple[str, ...]) -> list[str]:
    """Return the names that stand there more than once.

    >>> repeated(("a", "b", "a"))
    ['a']
    """
    return sorted(name for name, times in Counter(names).items() if times > 1)


def inside(path: str) -> bool:
    """Return whether a path is relative and stays in its folder.

    >>> inside("RawData/acc_exp01_user01.txt"), inside("../x"), inside("/etc/x")
    (True, False, False)
    """
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts and "\\" not in path


def listed_checksums(name: str) -> dict[str, str]:
    """Return the checksums kept with this package for a set: the lines "sha256  path" of `checksums/<name>.sha256`.

    Raises
    ------
    DatasetError
        If there is no such list, or a line is none.
    """
    path = CHECKSUMS / f"{name}.sha256"
    if not path.is_file():
        raise DatasetError(f"no checksums are kept for {name!r}: {path} is not there; reinstall pulselet")
    return read_checksums(path.read_text(encoding="utf-8"), path.name)


def read_checksums(text: str, source: str) -> dict[str, str]:
    """Return SHA-256 by path from the text that `sha256sum` writes.

    >>> read_checksums("0" * 64 + "  a.txt", "sums")["a.txt"][:4]
    '0000'

    Raises
    ------
    DatasetError
        If a line is not a SHA-256 and a path.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        value, _, path = line.partition(" ")
        path = path.strip().removeprefix("*").removeprefix("./")
        if not SHA256.fullmatch(value.lower()) or not path:
            raise DatasetError(f"{source}, line {number}: wanted a SHA-256 and a path, got {line[:80]!r}")
        found[path] = value.lower()
    return found
