"""Cut windows on disk: one file per recording, found again by what made it.

`KEY.npy` holds the values, `KEY.spans.npy` when they were, `KEY.json` the rest; the JSON is written last, each file
under another name first, so that a cut that was broken off leaves nothing that would be believed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pulselet._replacing import replacing
from pulselet._version import __version__
from pulselet.errors import DatasetError
from pulselet.stream.corpus import Recording
from pulselet.windows.rows import Rows
from pulselet.windows.running import Cut

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Stored:
    """A recording's windows on disk; attributes as in `Cut`."""

    x: Rows
    spans: Any
    gap: int
    content: str


class WindowStore:
    """A folder of cut windows.

    Parameters
    ----------
    folder
        Made if it is not there.

    Raises
    ------
    DatasetError
        If it cannot be made.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.damaged: list[str] = []
        """Keys of files that were found damaged; they are cut anew."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatasetError(f"windows cannot be kept in {self.folder}: {error}") from error

    @staticmethod
    def key(recording: Recording, made: str) -> str:
        """Return the name of a recording's windows: a SHA-256 of its files, its name and times, and what made them."""
        zero = sorted((name, float(seconds)) for name, seconds in recording.start_s.items())
        what = json.dumps([FORMAT, __version__, recording.sha256, recording.dataset, recording.name, zero, made])
        return hashlib.sha256(what.encode()).hexdigest()

    def get(self, key: str) -> Stored | None:
        """Return windows that were put under this key; None if there are none, or they are not what was written."""
        try:
            index = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            self.damaged.append(key)
            return None
        found = self._read(key, index)
        if found is None:
            self.damaged.append(key)
        return found

    def _read(self, key: str, index: Any) -> Stored | None:
        path = self.folder / f"{key}.npy"
        try:
            spans = np.load(self.folder / f"{key}.spans.npy", allow_pickle=False)
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
            whole = path.stat().st_size == index["bytes"] and _digest(spans) == index["spans_sha256"]
            if not whole or list(shape) != index["shape"]:
                return None
            x = Rows([path], [shape[0]], tuple(shape[1:]))
            return Stored(x, spans, int(index["gap"]), str(index["content"]))
        except (OSError, ValueError, KeyError, TypeError, EOFError):
            return None

    def put(self, key: str, cut: Cut) -> Stored:
        """Write windows; return them as they are read again.

        Raises
        ------
        DatasetError
            If they cannot be written, or are not read as they were written.
        """
        try:
            self._write(f"{key}.npy", cut.x)
            self._write(f"{key}.spans.npy", cut.spans)
            index = {
                "bytes": (self.folder / f"{key}.npy").stat().st_size,
                "shape": list(cut.x.shape),
                "gap": cut.gap,
                "content": cut.content,
                "sha256": _digest(cut.x),
                "spans_sha256": _digest(cut.spans),
            }
            self._write(f"{key}.json", json.dumps(index, indent=1))
        except OSError as error:
            raise DatasetError(f"windows cannot be written to {self.folder}: {error}") from error
        found = self.get(key)
        if found is None:
            raise DatasetError(f"windows in {self.folder} are not read as they were written: is the disk all right?")
        return found

    def verify(self) -> list[str]:
        """Return the keys whose values are not those that were written: every byte is read."""
        bad = []
        for path in sorted(self.folder.glob("*.json")):
            found = self.get(path.stem)
            wanted = json.loads(path.read_text(encoding="utf-8")).get("sha256") if found else None
            if found is None or _digest(found.x[:]) != wanted:
                bad.append(path.stem)
        return bad

    def _write(self, name: str, content: Any) -> None:
        with replacing(self.folder / name) as file:
            if isinstance(content, str):
                file.write(content.encode())
            else:
                np.save(file, np.ascontiguousarray(content), allow_pickle=False)


def _digest(values: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()
