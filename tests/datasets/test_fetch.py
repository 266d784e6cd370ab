"""Fetching against a server of this test: whole, cut, resumed, damaged, absent, stubborn."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pulselet.errors import DatasetError
from pulselet_datasets.card import Card
from pulselet_datasets.checking import check
from pulselet_datasets.fetching import LOCK, Fetched, fetch_card, goal

BEATS = bytes(range(256)) * 1000
FILES = {"beats.dat": BEATS, "deep/a b.txt": b"heart", "empty.txt": b""}


@dataclass
class Server:
    """What is served, how it misbehaves, and what it was asked for: paths and ranges."""

    files: dict[str, bytes]
    asked: list[tuple[str, str]] = field(default_factory=list)
    cut_after: int = 0  # bytes of an answer, as long as `cuts` is above 0
    cuts: int = 0
    errors: list[int] = field(default_factory=list)  # statuses to give before anything else
    ranges: bool = True
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        from urllib.parse import unquote

        path, said = unquote(request.path[1:]), request.headers.get("Range", "")
        self.asked.append((path, said))
        if self.errors:
            request.send_error(self.errors.pop(0))
        elif path not in self.files:
            request.send_error(404)
        else:
            self.give(request, self.files[path], said)

    def give(self, request: BaseHTTPRequestHandler, content: bytes, said: str) -> None:
        begin = int(said.removeprefix("bytes=").rstrip("-")) if said and self.ranges else 0
        if begin and begin >= len(content):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(content)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(206 if begin else 200)
        if begin:
            request.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - begin))
        request.end_headers()
        rest = content[begin:]
        if self.cuts:
            self.cuts -= 1
            rest = rest[: self.cut_after]
        request.wfile.write(rest)
        request.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server(dict(FILES))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served.url = f"http://127.0.0.1:{http.server_address[1]}/"
        yield served
        http.shutdown()
        thread.join()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def card(server: Server) -> Card:
    words = dict.fromkeys(("name", "folder", "title", "what", "who"), "walk")
    return Card(
        **words,
        sensors=(),
        rates={},
        labels={},
        subjects=("1",),
        licence="ODC-By 1.0",
        citation="Somebody, 2026",
        url=server.url,
        files=tuple(FILES),
        checksums={path: sha256(content) for path, content in FILES.items()},
    )


def get(card: Card, folder: Path) -> Fetched:
    return fetch_card(card, folder, True, pause_s=0.0)


def held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_files_come_and_nothing_else_stays(card: Card, tmp_path: Path) -> None:
    done = get(card, tmp_path)
    assert held(tmp_path) == FILES
    assert (done.fetched, done.kept, done.unverified) == (tuple(FILES), (), ())
    assert done.bytes == sum(map(len, FILES.values()))


def test_nothing_comes_before_the_licence_is_accepted(card: Card, server: Server, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"ODC-By 1\.0") as caught:
        fetch_card(card, tmp_path / "new", False)
    assert "Somebody, 2026" in str(caught.value)
    assert server.asked == []
    assert not (tmp_path / "new").exists()


def test_what_is_intact_is_not_asked_for_again(card: Card, server: Server, tmp_path: Path) -> None:
    get(card, tmp_path)
    (tmp_path / "deep/a b.txt").write_bytes(b"hurt!")
    server.asked.clear()
    done = get(card, tmp_path)
    assert server.asked == [("deep/a b.txt", "")]
    assert (done.fetched, done.kept) == (("deep/a b.txt",), ("beats.dat", "empty.txt"))
    assert held(tmp_path) == FILES


def test_cut_connection_goes_on_where_it_was_cut(card: Card, server: Server, tmp_path: Path) -> None:
    server.cuts, server.cut_after = 2, 100_000
    get(card, tmp_path)
    assert server.asked[:3] == [("beats.dat", ""), ("beats.dat", "bytes=100000-"), ("beats.dat", "bytes=200000-")]
    assert held(tmp_path) == FILES


def test_connection_that_is_cut_each_time_is_an_error_and_the_next_run_goes_on(
    card: Card, server: Server, tmp_path: Path
) -> None:
    server.cuts, server.cut_after = 4, 1000
    with pytest.raises(DatasetError, match="cut after 4000 of 256000 bytes"):
        get(card, tmp_path)
    assert held(tmp_path) == {"beats.dat.part": BEATS[:4000]}
    get(card, tmp_path)
    assert server.asked[4] == ("beats.dat", "bytes=4000-")
    assert held(tmp_path) == FILES


def test_partial_file_of_another_version_is_fetched_anew(card: Card, server: Server, tmp_path: Path) -> None:
    (tmp_path / "beats.dat.part").write_bytes(b"x" * 1000)
    get(card, tmp_path)
    assert server.asked[:2] == [("beats.dat", "bytes=1000-"), ("beats.dat", "")]
    assert held(tmp_path) == FILES


@pytest.mark.parametrize("length", [len(BEATS), len(BEATS) + 7])
def test_partial_file_that_is_whole_or_too_long(card: Card, tmp_path: Path, length: int) -> None:
    (tmp_path / "beats.dat.part").write_bytes((BEATS + b"more...")[:length])
    get(card, tmp_path)
    assert held(tmp_path) == FILES


def test_server_without_ranges_sends_it_all_again(card: Card, server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.cuts, server.cut_after = 1, 1000
    get(card, tmp_path)
    assert held(tmp_path) == FILES


def test_wrong_checksum_is_refused_and_nothing_is_kept(card: Card, server: Server, tmp_path: Path) -> None:
    server.files["beats.dat"] = BEATS[:-1] + b"?"
    with pytest.raises(DatasetError, match=sha256(BEATS)) as caught:
        get(card, tmp_path)
    assert sha256(BEATS[:-1] + b"?") in str(caught.value)
    assert held(tmp_path) == {}


def test_absent_file_is_told_with_its_address(card: Card, server: Server, tmp_path: Path) -> None:
    del server.files["beats.dat"]
    with pytest.raises(DatasetError, match=r"/beats\.dat: the server says 404"):
        get(card, tmp_path)
    assert len(server.asked) == 1  # an answer that will not change is not asked for again


def test_busy_server_is_asked_again(card: Card, server: Server, tmp_path: Path) -> None:
    server.errors = [503, 429]
    get(card, tmp_path)
    assert held(tmp_path) == FILES


def test_server_that_is_not_there(card: Card, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="refused"):
        get(replace(card, url="http://127.0.0.1:9/"), tmp_path)


def test_published_list_of_checksums_is_fetched_first_and_used(card: Card, server: Server, tmp_path: Path) -> None:
    sums = "".join(f"{sha256(content)}  {path}\n" for path, content in FILES.items())
    server.files |= {"SHA256SUMS.txt": sums.encode(), "beats.dat": BEATS[::-1]}
    with pytest.raises(DatasetError, match=sha256(BEATS)):
        get(replace(card, checksums={}, sums="SHA256SUMS.txt"), tmp_path)
    server.files["beats.dat"] = BEATS
    done = get(replace(card, checksums={}, sums="SHA256SUMS.txt"), tmp_path)
    assert done.unverified == ()
    assert held(tmp_path) == {**FILES, "SHA256SUMS.txt": sums.encode()}


def test_files_without_a_known_checksum_are_named(card: Card, tmp_path: Path) -> None:
    assert get(replace(card, checksums={}), tmp_path).unverified == tuple(FILES)


def test_set_behind_a_form_says_where_to_get_it(card: Card, tmp_path: Path) -> None:
    by_hand = replace(card, url="", manual="Ask its authors.")
    with pytest.raises(DatasetError, match=r"cannot be fetched: Ask its authors; its licence is ODC-By 1\.0"):
        get(by_hand, tmp_path)


def test_progress_grows_to_the_size_of_each_file(card: Card, server: Server, tmp_path: Path) -> None:
    server.cuts, server.cut_after = 1, 100_000
    told: list[tuple[str, int, int | None]] = []
    fetch_card(card, tmp_path, True, lambda *words: told.append(words), pause_s=0.0)
    of_beats = [done for path, done, _ in told if path == "beats.dat"]
    assert of_beats == sorted(of_beats)
    assert told[-1] == ("deep/a b.txt", 5, 5)
    assert ("beats.dat", len(BEATS), len(BEATS)) in told


def test_two_programs_do_not_fetch_into_one_folder(card: Card, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DatasetError, match="another program is fetching"):
            get(card, tmp_path)
    get(card, tmp_path)
    assert held(tmp_path) == FILES


def test_folder_that_cannot_be_is_told(card: Card, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be made"):
        get(card, tmp_path / "file" / "walk")


def test_too_little_room_is_said_before_anything_comes(card: Card, server: Server, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="make room"):
        get(replace(card, bytes=10**18), tmp_path)
    assert server.asked == []


def test_what_was_fetched_is_verified_as_intact(card: Card, tmp_path: Path) -> None:
    get(card, tmp_path)
    assert check(card, tmp_path).count("intact") == len(FILES)


def zipped(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return memory.getvalue()


def test_archive_gives_the_files_of_the_card_and_no_others(card: Card, server: Server, tmp_path: Path) -> None:
    outer = {f"walk-1.0/{path}": content for path, content in FILES.items()}
    server.files["all.zip"] = zipped({**outer, "../../evil": b"!", "walk-1.0/other.txt": b"?"})
    server.cuts, server.cut_after = 1, 100
    done = get(replace(card, url="", archive=f"{server.url}all.zip"), tmp_path / "walk")
    assert held(tmp_path) == {f"walk/{path}": content for path, content in FILES.items()}
    assert done.fetched == tuple(FILES)


def test_archive_is_verified_by_the_list_of_its_publisher(card: Card, server: Server, tmp_path: Path) -> None:
    good = zipped(FILES)
    sums = f"{sha256(good)}  all.zip\n".encode()
    packed = replace(card, archive=f"{server.url}all.zip", sums="SHA256SUMS.txt", checksums={})
    server.files |= {"SHA256SUMS.txt": sums, "all.zip": zipped({**FILES, "beats.dat": b"?"})}
    with pytest.raises(DatasetError, match=sha256(good)):
        get(packed, tmp_path)
    server.files["all.zip"] = good
    assert get(packed, tmp_path).unverified == ()
    assert held(tmp_path) == {**FILES, "SHA256SUMS.txt": sums}


def test_archive_that_the_list_does_not_name_is_told_as_unverified(card: Card, server: Server, tmp_path: Path) -> None:
    server.files |= {"SHA256SUMS.txt": f"{sha256(b'')}  other.zip\n".encode(), "all.zip": zipped(FILES)}
    packed = replace(card, archive=f"{server.url}all.zip", sums="SHA256SUMS.txt", checksums={})
    assert get(packed, tmp_path).unverified == tuple(FILES)


def test_what_is_there_in_part_is_completed_where_it_is(
    card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSELET_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PULSELET_CACHE", str(tmp_path / "cache"))
    assert goal(card) == tmp_path / "cache" / "walk"
    (tmp_path / "data" / "walk").mkdir(parents=True)
    (tmp_path / "data" / "walk" / "beats.dat").write_bytes(BEATS)
    assert goal(card) == tmp_path / "data" / "walk"
    assert goal(card, tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"beats.dat": BEATS}, r"should hold one deep/a b\.txt, holds none"),
        ({**FILES, "beats.dat": b"?"}, "should have SHA-256"),
    ],
)
def test_archive_that_is_not_as_it_was(
    card: Card, server: Server, tmp_path: Path, files: dict[str, bytes], words: str
) -> None:
    server.files["all.zip"] = zipped(files)
    with pytest.raises(DatasetError, match=words):
        get(replace(card, url="", archive=f"{server.url}all.zip"), tmp_path)


def test_archive_that_is_none(card: Card, server: Server, tmp_path: Path) -> None:
    server.files["all.zip"] = b"<html>moved</html>"
    with pytest.raises(DatasetError, match="cannot be unpacked"):
        get(replace(card, url="", archive=f"{server.url}all.zip"), tmp_path)
