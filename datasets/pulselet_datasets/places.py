"""Where the files of a data set are: under `$PULSELET_DATA`, or in the cache that `fetch` fills."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from pulselet_datasets.card import Card

DATA, CACHE = "PULSELET_DATA", "PULSELET_CACHE"  # environment variables
PART = ".part"  # at the end of the name of a file that is still being fetched


def cache(card: Card) -> Path:
    """Return the folder that `fetch` writes a set to."""
    base = os.environ.get(CACHE)
    return (Path(base) if base else Path.home() / ".cache" / "pulselet" / "datasets") / card.folder


def candidates(card: Card) -> list[Path]:
    """Return the folders in which a set may be, in the order in which they are looked at; none if it needs none."""
    if card.package:
        found = packaged(card)
        return [] if found is None else [found]
    if not card.folder:
        return []
    base = os.environ.get(DATA)
    return [Path(base) / card.folder, cache(card)] if base else [cache(card)]


def packaged(card: Card) -> Path | None:
    """Return the folder in which an installed package holds a set; None if it is not installed. It is not imported."""
    name, _, inside = card.package.partition("/")
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / inside


def present(card: Card, folder: Path, path: str) -> Path | None:
    """Return where a file of a set is, as it stands or under gzip with `.gz` after its name; None if it is absent."""
    bases = (folder, folder / card.inner) if card.inner else (folder,)
    places = (base / f"{path}{suffix}" for base in bases for suffix in ("", ".gz"))
    return next((place for place in places if place.is_file()), None)


def home(card: Card) -> Path | None:
    """Return the first candidate that holds a file of the set; None if none does."""
    return next((folder for folder in candidates(card) if holds(card, folder)), None)


def holds(card: Card, folder: Path) -> bool:
    """Return whether at least one file of the set is in a folder; of a set whose card names none, any file."""
    if not folder.is_dir():
        return False
    if card.files:
        return any(present(card, folder, path) for path in card.files)
    return any(path.is_file() and path.suffix != PART and path.name[0] != "." for path in folder.rglob("*"))
