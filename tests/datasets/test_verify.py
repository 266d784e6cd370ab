"""Each file of a set is intact, damaged, absent or unknown; by SHA-256, and by the checksums that WFDB headers hold."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pulselet_datasets
from pulselet.errors import DatasetError
from pulselet.stream.convert.wfdb_library import library
from pulselet_datasets import places, registry
from pulselet_datasets.card import COMPUTED, PUBLISHED, Card
from pulselet_datasets.checking import Verdict, check, verify

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # wfdb 4.3 with pandas 3
FILES = {"a.txt": b"heart", "deep/b.txt": b"beat"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


CARD = Card(
    name="walk",
    folder="walk",
    title="Walks",
    what="Walks.",
    who="One.",
    sensors=(),
    rates={},
    labels={},
    subjects=("1",),
    licence="CC0",
    citation="-",
    files=tuple(FILES),
    checksums={path: sha256(content) for path, content in FILES.items()},
    checksums_origin=COMPUTED,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for path, content in FILES.items():
        (tmp_path / path).write_bytes(content)
    return tmp_path


def statuses(verdict: Verdict) -> dict[str, str]:
    return {file.path: file.status for file in verdict.files}


def test_what_is_as_it_was_is_intact(folder: Path) -> None:
    verdict = check(CARD, folder)
    assert statuses(verdict) == dict.fromkeys(FILES, "intact")
    assert verdict.files[0].note == "SHA-256, computed from our copy"
    assert verdict.holds(complete=True)


@pytest.mark.parametrize("content", [b"hear", b"heart ", b"", b"heaRt"])
def test_any_change_is_damage(folder: Path, content: bytes) -> None:
    (folder / "a.txt").write_bytes(content)
    verdict = check(CARD, folder)
    assert statuses(verdict) == {"a.txt": "damaged", "deep/b.txt": "intact"}
    assert sha256(b"heart") in verdict.files[0].note
    assert sha256(content) in verdict.files[0].note
    assert not verdict.holds()


def test_absence_is_listed_and_fails_only_if_all_is_wanted(folder: Path) -> None:
    (folder / "a.txt").unlink()
    verdict = check(CARD, folder)
    assert statuses(verdict) == {"a.txt": "absent", "deep/b.txt": "intact"}
    assert verdict.holds()
    assert not verdict.holds(complete=True)


def test_file_under_gzip_is_checked_by_what_it_holds(folder: Path) -> None:
    (folder / "a.txt").unlink()
    (folder / "a.txt.gz").write_bytes(gzip.compress(b"heart"))
    assert statuses(check(CARD, folder))["a.txt"] == "intact"
    (folder / "a.txt.gz").write_bytes(gzip.compress(b"heart")[:-9])
    assert statuses(check(CARD, folder))["a.txt"] == "damaged"


def test_file_that_the_publisher_packed_is_checked_as_it_is(folder: Path) -> None:
    packed = gzip.compress(b"heart")
    (folder / "a.csv.gz").write_bytes(packed)
    card = replace(CARD, files=("a.csv.gz",), checksums={"a.csv.gz": sha256(packed)})
    assert statuses(check(card, folder)) == {"a.csv.gz": "intact"}


def test_file_without_a_checksum_is_unknown_and_no_failure(folder: Path) -> None:
    verdict = check(replace(CARD, checksums={}), folder)
    assert statuses(verdict) == dict.fromkeys(FILES, "unknown")
    assert verdict.holds(complete=True)


def test_list_of_the_publisher_is_used_where_the_card_has_none(folder: Path) -> None:
    (folder / "SHA256SUMS.txt").write_text(f"{sha256(b'heart')} a.txt\n{sha256(b'?')} deep/b.txt\n")
    verdict = check(replace(CARD, checksums={}, sums="SHA256SUMS.txt"), folder)
    assert statuses(verdict) == {"a.txt": "intact", "deep/b.txt": "damaged"}
    assert verdict.files[0].note == f"SHA-256, {PUBLISHED}"
    assert statuses(check(replace(CARD, sums="SHA256SUMS.txt"), folder)) == dict.fromkeys(FILES, "intact")


def test_list_that_cannot_be_read_is_an_error(folder: Path) -> None:
    (folder / "SHA256SUMS.txt").write_text("<html>moved</html>")
    with pytest.raises(DatasetError, match=r"SHA256SUMS\.txt, line 1"):
        check(replace(CARD, sums="SHA256SUMS.txt"), folder)


def test_set_that_is_not_here_is_absent_as_a_whole() -> None:
    verdict = check(CARD, None)
    assert statuses(verdict) == dict.fromkeys(FILES, "absent")
    assert verdict.holds()


@pytest.mark.parametrize("name", ["mitdb", "hapt"])
def test_folder_that_is_none_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="is no folder"):
        pulselet_datasets.verify(name, tmp_path / "nowhere")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Return a folder with a record that the package wfdb wrote."""
    digital = np.random.default_rng(5).integers(-2000, 2000, (500, 2))
    library().wrsamp(
        *("r1", 360, ["mV", "mV"], ["MLII", "V1"]),
        d_signal=digital,
        fmt=["212", "212"],
        adc_gain=[200, 200],
        baseline=[0, 0],
        write_dir=str(tmp_path),
    )
    return tmp_path


RECORD = replace(CARD, files=("r1.hea", "r1.dat"), checksums={})


def test_samples_are_checked_by_their_header(record: Path) -> None:
    verdict = check(RECORD, record)
    assert statuses(verdict) == {"r1.hea": "unknown", "r1.dat": "intact"}
    assert verdict.files[1].note == "checksums of r1.hea"


@pytest.mark.parametrize("length", [1499, 0])
def test_truncated_samples_are_damage(record: Path, length: int) -> None:
    os.truncate(record / "r1.dat", length)
    assert statuses(check(RECORD, record)) == {"r1.hea": "unknown", "r1.dat": "damaged"}


def test_one_bit_is_damage(record: Path) -> None:
    content = bytearray((record / "r1.dat").read_bytes())
    content[700] ^= 1
    (record / "r1.dat").write_bytes(content)
    assert statuses(check(RECORD, record))["r1.dat"] == "damaged"


def test_header_without_checksums_tells_only_of_the_length(record: Path) -> None:
    """As the headers of CinC 2017: they state 0, and not always the first sample."""
    lines = (record / "r1.hea").read_text().splitlines()
    said = [line.split() for line in lines[1:3]]
    bare = [" ".join([*line[:5], "7", "0", *line[7:]]) for line in said]
    (record / "r1.hea").write_text("\n".join([lines[0], *bare]) + "\n")
    assert statuses(check(RECORD, record)) == dict.fromkeys(RECORD.files, "unknown")
    os.truncate(record / "r1.dat", 1499)
    assert statuses(check(RECORD, record))["r1.dat"] == "damaged"


def test_header_that_is_none_is_damage(record: Path) -> None:
    (record / "r1.hea").write_text("no header\n")
    assert statuses(check(RECORD, record)) == {"r1.hea": "damaged", "r1.dat": "unknown"}


def test_samples_that_are_absent_are_absent(record: Path) -> None:
    (record / "r1.dat").unlink()
    assert statuses(check(RECORD, record)) == {"r1.hea": "unknown", "r1.dat": "absent"}


def test_sha256_does_not_hide_a_header_that_disagrees(record: Path) -> None:
    header = (record / "r1.hea").read_text().replace(" 500", " 501", 1)
    (record / "r1.hea").write_text(header)
    sums: Mapping[str, str] = {path: sha256((record / path).read_bytes()) for path in RECORD.files}
    assert statuses(check(replace(RECORD, checksums=sums), record))["r1.dat"] == "damaged"


def test_set_that_comes_with_a_package_is_checked_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of the test's own stands in for the real one, whose checksum its file has not."""
    name = "package_of_this_test"
    data = tmp_path / name / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    card = replace(registry.entry("seglearn").card, package=f"{name}/data")
    assert places.home(card) is None
    (data / "watch_dataset.npy").write_bytes(b"?")
    assert places.home(card) == data
    (only,) = check(card, data).files
    assert (only.path, only.status) == ("watch_dataset.npy", "damaged")
    assert places.candidates(replace(card, package="no_such_package/data")) == []
    assert check(card, None).files == (("watch_dataset.npy", "absent", ""),)


def test_the_installed_watch_set_is_intact() -> None:
    pytest.importorskip("seglearn", reason="seglearn is not installed")
    verdict = verify("seglearn")
    assert (verdict.count("intact"), verdict.holds(complete=True)) == (1, True)


@pytest.mark.skipif("PULSELET_DATA" not in os.environ, reason="PULSELET_DATA names no folder of real recordings")
def test_our_copy_of_mit_bih_is_intact() -> None:
    verdict = pulselet_datasets.verify("mitdb")
    assert verdict.folder is not None
    assert verdict.count("damaged") == 0
    assert sum(file.status == "intact" for file in verdict.files if file.path.endswith(".dat")) == 48
