"""Whether the files of a data set are what they were when they were published."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from pulselet.errors import DatasetError
from pulselet_datasets import _wfdb, _wfdb_header, places, registry
from pulselet_datasets.card import PUBLISHED, Card, read_checksums
from pulselet_datasets.dataset import how_to_get

Status = Literal["intact", "damaged", "absent", "unknown"]
STATUSES: tuple[Status, ...] = ("intact", "damaged", "absent", "unknown")
CHUNK = 1 << 20


class Checked(NamedTuple):
    """A file of a set and what it is: `note` says by what it was checked, or what is wrong."""

    path: str
    status: Status
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """What `verify` found in a folder; `folder` is None where nothing of the set is."""

    name: str
    folder: Path | None
    files: tuple[Checked, ...]

    def count(self, status: Status) -> int:
        """Return how many files are so."""
        return sum(file.status == status for file in self.files)

    def holds(self, *, complete: bool = False) -> bool:
        """Return whether nothing that is there is damaged; with `complete`, whether nothing is absent either."""
        return not self.count("damaged") and not (complete and self.count("absent"))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        return {
            "name": self.name,
            "folder": None if self.folder is None else str(self.folder),
            "counts": {status: self.count(status) for status in STATUSES},
            "files": [file._asdict() for file in self.files],
        }

    def __str__(self) -> str:
        counts = ", ".join(f"{self.count(status)} {status}" for status in STATUSES if self.count(status))
        return f"{self.name}: {counts or 'its card names no file'}"


def verify(name: str, folder: str | Path | None = None) -> Verdict:
    """Return of each file of a set whether it is intact, damaged, absent, or there and of unknown content.

    A file is checked by its SHA-256, as the card has it or the publisher's own list beside it; the samples of a WFDB
    record by the checksums in its header, too. A file under gzip is checked by what it holds.

    Raises
    ------
    DatasetError
        If there is no such set, or a named folder is not there.
    """
    card = registry.entry(name).card
    if folder is not None and not Path(folder).is_dir():
        raise DatasetError(f"{folder} is no folder; {card.name}: {how_to_get(card)}")
    place = places.home(card) if folder is None else Path(folder)
    return check(card, place)


def check(card: Card, folder: Path | None) -> Verdict:
    """Return what `verify` does, for a card that need not be in the registry."""
    if folder is None:
        return Verdict(card.name, None, tuple(Checked(path, "absent") for path in card.files))
    known = checksums(card, folder)
    checked = [_checked(card, folder, path, known) for path in dict.fromkeys((*card.files, *card.checksums))]
    return Verdict(card.name, folder, tuple(_by_headers(card, folder, checked)))


def checksums(card: Card, folder: Path) -> Mapping[str, tuple[str, str]]:
    """Return SHA-256 and who says so, by path: the card's, and the publisher's list if it was fetched.

    Raises
    ------
    DatasetError
        If that list cannot be read.
    """
    sums = folder / card.sums if card.sums else None
    published: dict[str, str] = {}
    if sums is not None and sums.is_file():
        try:
            published = read_checksums(sums.read_text(encoding="utf-8"), str(sums))
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{sums} cannot be read: {error}; remove it and fetch the set again") from error
    ours = {path: (value, card.checksums_origin) for path, value in card.checksums.items()}
    return {**{path: (value, PUBLISHED) for path, value in published.items()}, **ours}


def sha256(place: Path, path: str) -> str:
    """Return the SHA-256 of a file of a set, where it is; under gzip, unless the set has it so, of what it holds.

    Raises
    ------
    DatasetError
        If it cannot be read or unpacked.
    """
    packed = place.name != Path(path).name
    digest = hashlib.sha256()
    try:
        with gzip.open(place) if packed else place.open("rb") as file:
            for part in iter(lambda: file.read(CHUNK), b""):
                digest.update(part)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{place} cannot be read: {error}") from error
    return digest.hexdigest()


def _checked(card: Card, folder: Path, path: str, known: Mapping[str, tuple[str, str]]) -> Checked:
    place = places.present(card, folder, path)
    if place is None:
        return Checked(path, "absent")
    if path not in known:
        return Checked(path, "unknown", "no checksum is known")
    wanted, origin = known[path]
    try:
        got = sha256(place, path)
    except DatasetError as error:
        return Checked(path, "damaged", str(error))
    if got == wanted:
        return Checked(path, "intact", f"SHA-256, {origin}" if origin else "SHA-256")
    return Checked(path, "damaged", f"SHA-256 should be {wanted}, is {got}")


def _by_headers(card: Card, folder: Path, files: list[Checked]) -> list[Checked]:
    """Return the files, those that headers of WFDB records speak of checked by the sums in these too."""
    found = {file.path: file for file in files}
    for path in [path for path in found if path.endswith(".hea")]:
        place = places.present(card, folder, path)
        if place is not None and place.suffix == ".hea":
            for checked in _record(place, path, found):
                if checked.status == "damaged" or found[checked.path].status == "unknown":
                    found[checked.path] = checked
    return list(found.values())


def _record(place: Path, path: str, found: Mapping[str, Checked]) -> list[Checked]:
    """Return what the header of a record says of the files with its samples, as far as they are there."""
    try:
        header = _wfdb_header.read_header(place)
    except DatasetError as error:
        return [Checked(path, "damaged", str(error))]
    beside = [str(PurePosixPath(path).with_name(file.name)) for file in header.files if file.is_file()]
    named = [one for one in beside if one in found]
    if len(named) < len(header.files):
        return []
    unstated = all(not column.checksum for column in header.columns)  # 0 stands there for none in some sets
    if unstated:
        columns = tuple(replace(column, initial=None, checksum=None) for column in header.columns)
        header = replace(header, columns=columns)
    try:
        _wfdb.samples(header)
    except DatasetError as error:
        bad = [one for one in named if PurePosixPath(one).name in str(error)] or [path]
        return [Checked(one, "damaged", str(error)) for one in bad]
    return [] if unstated else [Checked(one, "intact", f"checksums of {place.name}") for one in named]
