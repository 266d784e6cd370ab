"""Files appear at their place when all of them are complete, or not at all."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pulselet.errors import RecordingError


@dataclass
class Stage:
    """A folder to write in, and after the block the `files` that came out of it."""

    folder: Path
    files: tuple[Path, ...] = ()


@contextlib.contextmanager
def staged(target: Path) -> Iterator[Stage]:
    """Yield a stage beside `target`; what is in its folder at the end of the block is moved to where `target` is.

    Raises
    ------
    RecordingError
        If one of the files is there already, or the system refuses; nothing new is left behind then.
    """
    _refuse(target)
    if not target.parent.is_dir():
        raise RecordingError(f"there is no folder {target.parent} to write {target.name} to")
    try:
        with tempfile.TemporaryDirectory(prefix=".converting-", dir=target.parent) as folder:
            stage = Stage(Path(folder))
            yield stage
            stage.files = _publish(sorted(stage.folder.iterdir()), target.parent)
    except OSError as error:
        raise RecordingError(f"no {target.name} was written: {error}") from error


def _refuse(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise RecordingError(f"{path} is there already: name a new file; nothing is ever overwritten")


def _publish(files: list[Path], folder: Path) -> tuple[Path, ...]:
    """Move files, all or none; an empty file reserves each name first, so that nobody's file is replaced."""
    places = tuple(folder / file.name for file in files)
    for place in places:
        _refuse(place)
    taken: list[Path] = []
    try:
        for file, place in zip(files, places, strict=True):
            place.touch(exist_ok=False)
            taken.append(place)
            file.replace(place)
    except BaseException:
        for place in taken:
            place.unlink(missing_ok=True)
        raise
    return places
