"""A card refuses what cannot be true; a list of checksums is what `sha256sum` writes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pulselet.errors import DatasetError
from pulselet_datasets.card import Card, OfficialSplit, inside, read_checksums


def card(**given: Any) -> Card:
    usual: dict[str, Any] = {
        **dict.fromkeys(("name", "folder", "title", "what", "who", "licence", "citation"), "walk"),
        "sensors": ("ecg",),
        "rates": {"ecg": 250.0},
        "labels": {},
        "subjects": ("1", "2", "3"),
    }
    return Card(**{**usual, **given})


def test_split_with_an_unknown_subject_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"unknown subject: \['9'\]"):
        card(splits={"paper": OfficialSplit({"train": ("1", "9"), "test": ("2",)})})


def test_split_by_recording_is_checked_with_the_recordings() -> None:
    by_recording = OfficialSplit({"train": ("a",), "test": ("x",)}, unit="recording")
    with pytest.raises(DatasetError, match=r"unknown recording: \['x'\]"):
        card(recordings=("a", "b"), splits={"paper": by_recording})


def test_name_on_two_sides_is_refused() -> None:
    with pytest.raises(DatasetError, match="more than one side"):
        OfficialSplit({"train": ("1", "2"), "test": ("2",)})


def test_name_that_is_left_out_stands_on_no_side() -> None:
    with pytest.raises(DatasetError, match="leaves out"):
        OfficialSplit({"train": ("1",), "test": ("2",)}, left_out={"1": "paced"})


def test_subject_in_no_split_is_listed() -> None:
    split = OfficialSplit({"train": ("1",), "test": ("2",)})
    assert card(splits={"paper": split}).unsplit("paper") == ("3",)
    paced = OfficialSplit({"train": ("1",), "test": ("2",)}, left_out={"3": "paced"})
    assert card(splits={"paper": paced}).unsplit("paper") == ()


def test_unknown_split_is_answered_with_the_names() -> None:
    with pytest.raises(DatasetError, match=r"no split 'papr'; it has \['paper'\]"):
        card(splits={"paper": OfficialSplit({"train": ("1",), "test": ("2",)})}).split("papr")


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../b", "a\\b", ""])
def test_path_out_of_the_folder_is_refused(path: str) -> None:
    assert not inside(path)
    with pytest.raises(DatasetError, match="inside the set's folder"):
        card(files=(path,))


@pytest.mark.parametrize("given", [{"subjects": ("1", "1")}, {"files": ("a", "a")}, {"recordings": ("x", "x")}])
def test_name_that_stands_twice_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(DatasetError, match="named twice"):
        card(**given)


def test_checksum_that_is_none_is_refused() -> None:
    with pytest.raises(DatasetError, match="no SHA-256"):
        card(checksums={"a": "A" * 64})


def test_card_goes_into_json() -> None:
    split = OfficialSplit({"train": ("1",), "test": ("2",)}, note="of the paper")
    told = json.loads(json.dumps(card(splits={"paper": split}).to_dict()))
    assert told["splits"]["paper"]["sides"] == {"train": ["1"], "test": ["2"]}
    assert told["rates_hz"] == {"ecg": 250.0}


def test_checksums_are_read_as_sha256sum_writes_them(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a b.txt").write_bytes(b"heart")
    done = subprocess.run(["sha256sum", "./deep/a b.txt"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert read_checksums(done.stdout, "sums") == {"deep/a b.txt": hashlib.sha256(b"heart").hexdigest()}


@pytest.mark.parametrize("line", ["not a sum  a.txt", "0" * 63 + "  a.txt", "0" * 64])
def test_line_that_is_no_checksum_is_named(line: str) -> None:
    with pytest.raises(DatasetError, match="sums, line 2"):
        read_checksums("0" * 64 + "  good\n" + line, "sums")
