"""Fetches the files of a data set: asks for nothing that is there and intact, goes on where it was cut, verifies."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pulselet.errors import DatasetError
from pulselet_datasets import places, registry, unpacking
from pulselet_datasets.card import Card
from pulselet_datasets.checking import checksums, sha256
from pulselet_datasets.dataset import how_to_get

TRIES = 4  # of one file, each of which goes on where the one before was cut
TIMEOUT_S = 30.0
CHUNK = 1 << 16
LOCK = ".fetching"
Progress = Callable[[str, int, "int | None"], None]  # path, bytes that are there, bytes in all if that is known


@dataclass(frozen=True)
class Fetched:
    """What a fetch did: files that came, files that were there and stayed, files no checksum is known of, bytes."""

    name: str
    licence: str
    citation: str
    folder: str
    fetched: tuple[str, ...]
    kept: tuple[str, ...]
    unverified: tuple[str, ...]
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        return asdict(self)

    def __str__(self) -> str:
        no_sum = f", {len(self.unverified)} of them without a known checksum" if self.unverified else ""
        return (
            f"{self.name}: fetched {len(self.fetched)} files ({self.bytes / 1e6:.1f} MB), kept {len(self.kept)}{no_sum}"
            f"; in {self.folder}"
        )


def fetch(
    name: str,
    folder: str | Path | None = None,
    *,
    accept_licence: bool = False,
    progress: Progress | None = None,
) -> Fetched:
    """Download what is absent or damaged of a set, and return what was done; nothing that is intact is replaced.

    A file grows under the name `<file>.part`, and gets its own when it is whole and its checksum is right.

    Parameters
    ----------
    folder
        Where to; if not given, where a part of the set is already, or else the cache of `load`.
    accept_licence
        That the licence, which `pulselet data show` prints, is accepted.

    Raises
    ------
    DatasetError
        If there is no such set, its licence is not accepted, it may not be fetched by a program, there is too little
        room, or a file cannot be had whole.
    """
    card = registry.entry(name).card
    if not card.folder:
        raise DatasetError(f"{card.name} needs no file: {card.manual or 'load it'}")
    return fetch_card(card, goal(card, folder), accept_licence, progress)


def goal(card: Card, folder: str | Path | None = None) -> Path:
    """Return where `fetch` writes to: what is there in part is completed, as `load` would find that first."""
    return Path(folder) if folder is not None else places.home(card) or places.cache(card)


def fetch_card(
    card: Card, folder: Path, accept_licence: bool, progress: Progress | None = None, *, pause_s: float = 1.0
) -> Fetched:
    """Do as `fetch` does, for a card that need not be in the registry; `pause_s` stands before each new try, times two.

    Raises
    ------
    DatasetError
        As `fetch` does.
    """
    may_fetch(card)
    if not accept_licence:
        raise DatasetError(f"{terms(card)}\nnothing was fetched: accept the licence (accept_licence, --accept-licence)")
    _make(folder)
    with _alone(folder):
        download = _Download(card, folder, progress or _silent, pause_s)
        download.sums()
        return download.archive() if card.archive else download.files()


def may_fetch(card: Card) -> None:
    """Raise DatasetError, which says where to get it, if a set may not or cannot be fetched by a program."""
    if not (card.archive or (card.url and card.files)):
        raise DatasetError(f"{card.name} cannot be fetched: {how_to_get(card)}; cite: {card.citation}")


def terms(card: Card) -> str:
    """Return what stands before every download: licence, citation and size."""
    size = f"{card.bytes / 1e6:.1f} MB" if card.bytes else "of a size that its card does not state"
    where = f" ({card.licence_url})" if card.licence_url else ""
    return (
        f"{card.title}\nfrom: {card.archive or card.url}\nsize: {size}, {len(card.files)} files\n"
        f"licence: {card.licence}{where}\ncite: {card.citation}"
    )


def _silent(path: str, done: int, total: int | None) -> None:
    """Show no progress."""


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be made: {error}; name another folder") from error


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other programs from fetching into a folder; on Windows, an open file cannot be replaced anyway."""
    lock = folder / LOCK
    try:
        with lock.open("a") as file:
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield
            finally:
                if sys.platform != "win32":
                    lock.unlink(missing_ok=True)
    except BlockingIOError as error:
        raise DatasetError(f"another program is fetching into {folder}: wait for it, or name another folder") from error
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written to: {error}; name another folder") from error


class _Download:
    """One fetch of one set into one folder."""

    def __init__(self, card: Card, folder: Path, progress: Progress, pause_s: float) -> None:
        self.card, self.folder, self.progress, self.pause_s = card, folder, progress, pause_s
        self.bytes = 0
        self.covered: set[str] = set()  # files out of an archive whose own checksum was right
        self.known: Mapping[str, tuple[str, str]] = {}

    def sums(self) -> None:
        """Fetch the publisher's list of checksums, if there is one, and learn what is known."""
        if self.card.sums and not (self.folder / self.card.sums).is_file():
            self.one(self.card.url, self.card.sums, None)
        self.known = checksums(self.card, self.folder)

    def files(self) -> Fetched:
        """Fetch the files that are absent or damaged, one by one."""
        wanted = [path for path in self.card.files if not self.intact(path)]
        self.room(self.card.bytes * len(wanted) // max(1, len(self.card.files)))
        for path in wanted:
            self.one(self.card.url, path, self.known.get(path, ("", ""))[0])
        return self.told(wanted)

    def archive(self) -> Fetched:
        """Fetch the archive, if a file is absent or damaged, and unpack those."""
        wanted = [path for path in self.card.files if not self.intact(path)]
        if wanted:
            self.room(2 * self.card.bytes)
            base, _, name = self.card.archive.rpartition("/")
            in_list = self.card.archive.removeprefix(self.card.url) if self.card.url else ""
            wanted_sum = self.known.get(urllib.parse.unquote(in_list), ("", ""))[0]
            zipped = self.one(f"{base}/", urllib.parse.unquote(name), wanted_sum)
            unpacking.unpack(zipped, self.folder, wanted, {path: value for path, (value, _) in self.known.items()})
            zipped.unlink()
            self.covered.update(wanted if wanted_sum else ())
        return self.told(wanted)

    def told(self, wanted: list[str]) -> Fetched:
        """Return what was done."""
        came = set(wanted)
        kept = tuple(path for path in self.card.files if path not in came)
        unverified = tuple(path for path in self.card.files if path not in self.known and path not in self.covered)
        card = self.card
        terms = card.name, card.licence, card.citation
        return Fetched(*terms, str(self.folder), tuple(wanted), kept, unverified, self.bytes)

    def intact(self, path: str) -> bool:
        """Return whether a file is there and has its checksum, if one is known."""
        place = places.present(self.card, self.folder, path)
        if place is None or path not in self.known:
            return place is not None
        try:
            return sha256(place, path) == self.known[path][0]
        except DatasetError:
            return False

    def room(self, wanted: int) -> None:
        """Raise DatasetError if the disk has less room than `wanted` bytes."""
        free = shutil.disk_usage(self.folder).free
        if wanted > free:
            raise DatasetError(
                f"{self.card.name} wants {wanted / 1e6:.0f} MB, {self.folder} has room for {free / 1e6:.0f}: "
                "make room, or name another folder"
            )

    def one(self, base: str, path: str, wanted: str | None) -> Path:
        """Fetch a file, verify it and put it at its place."""
        target = self.folder / path
        part = target.with_name(f"{target.name}{places.PART}")
        _make(target.parent)
        resumed = part.is_file()
        self.whole(base + urllib.parse.quote(path), path, part)
        got = sha256(part, part.name) if wanted else ""
        if wanted and got != wanted and resumed:  # what was there already may be of another version
            part.unlink()
            self.whole(base + urllib.parse.quote(path), path, part)
            got = sha256(part, part.name)
        if wanted and got != wanted:
            part.unlink()
            raise DatasetError(
                f"{base}{path} should have SHA-256 {wanted}, came with {got}: it was not kept; fetch it again, and if "
                "that does not help, the publisher has changed it"
            )
        part.replace(target)
        return target

    def whole(self, url: str, path: str, part: Path) -> None:
        """Fetch until the file is whole, as often as may be."""
        problem = ""
        for number in range(TRIES):
            if number:
                time.sleep(self.pause_s * 2 ** (number - 1))
            try:
                have, total = self.go_on(url, path, part)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code < 500 and error.code != 429:
                    raise DatasetError(f"{url}: the server says {error.code} {error.reason}") from error
                problem = f"the server says {error.code} {error.reason}"
            except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
                problem = str(getattr(error, "reason", error))
            else:
                if total is None or have == total:
                    return
                problem = f"the connection was cut after {have} of {total} bytes"
        raise DatasetError(f"{url}: {problem}, {TRIES} times; fetch again, and it goes on from there")

    def go_on(self, url: str, path: str, part: Path) -> tuple[int, int | None]:
        """Ask for what is not there yet and write it down; return bytes that are there, and in all if that is known."""
        have = part.stat().st_size if part.is_file() else 0
        request = urllib.request.Request(url, headers={"User-Agent": "pulselet", "Accept-Encoding": "identity"})
        if have:
            request.add_header("Range", f"bytes={have}-")
        try:
            answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
            error.close()
            return self.beyond(error.headers.get("Content-Range", ""), have, part)
        with answer:
            begins = have if answer.status == 206 and _begin(answer.headers.get("Content-Range", "")) == have else 0
            if answer.status == 206 and begins != have:
                raise http.client.HTTPException(f"the server sent another part than that from byte {have} on")
            length = answer.headers.get("Content-Length")
            total = begins + int(length) if length and length.isdigit() else None
            with part.open("ab" if begins else "wb") as file:
                while data := answer.read(CHUNK):
                    file.write(data)
                    begins += len(data)
                    self.bytes += len(data)
                    self.progress(path, begins, total)
        return begins, total

    def beyond(self, said: str, have: int, part: Path) -> tuple[int, int | None]:
        """Return what is there if the server has no more; what is longer than the file is thrown away."""
        total = said.rpartition("/")[2]
        if total.isdigit() and int(total) == have:
            return have, have
        part.unlink()
        return 0, int(total) if total.isdigit() else 1


def _begin(content_range: str) -> int:
    """Return the first byte that an answer holds (RFC 9110, 14.4); -1 if it does not say.

    >>> _begin("bytes 500-999/1000")
    500
    """
    first = content_range.removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else -1
