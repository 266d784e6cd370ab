"""Takes the files of a data set out of the zip that its publisher offers; nothing else of it is written."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pulselet.errors import DatasetError
from pulselet_datasets.checking import CHUNK, sha256
from pulselet_datasets.places import PART


def unpack(archive: Path, folder: Path, paths: Sequence[str], sums: Mapping[str, str]) -> None:
    """Write the files named by `paths` into a folder; in the archive they may stand in any one outer folder.

    Parameters
    ----------
    sums
        SHA-256 by path, as far as it is known.

    Raises
    ------
    DatasetError
        If the archive is damaged, lacks a file, holds two that fit, or one has another checksum.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            tails = _tails(opened.namelist())
            for path in paths:
                _one(opened, _member(archive, tails, path), folder / path, sums.get(path))
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise DatasetError(f"{archive} cannot be unpacked: {error}; remove it and fetch the set again") from error


def _tails(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the names of the files that end in a path, by each path that one ends in.

    >>> _tails(["set/a.txt", "set/"])
    {'set/a.txt': ['set/a.txt'], 'a.txt': ['set/a.txt']}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        parts = () if name.endswith("/") else PurePosixPath(name).parts
        for first in range(len(parts)):
            found.setdefault("/".join(parts[first:]), []).append(name)
    return found


def _member(archive: Path, tails: Mapping[str, list[str]], path: str) -> str:
    fitting = tails.get(path, [])
    if path in fitting:
        return path
    if len(fitting) != 1:
        raise DatasetError(f"{archive} should hold one {path}, holds {fitting or 'none'}: the publisher has changed it")
    return fitting[0]


def _one(opened: zipfile.ZipFile, name: str, target: Path, wanted: str | None) -> None:
    part = target.with_name(f"{target.name}{PART}")
    part.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(name) as packed, part.open("wb") as file:
        while data := packed.read(CHUNK):
            file.write(data)
    if wanted and (got := sha256(part, part.name)) != wanted:
        part.unlink()
        raise DatasetError(f"{target.name} should have SHA-256 {wanted}, came with {got}: it was not kept")
    part.replace(target)
