"""`pulselet data` as a person or a script uses it: what it prints, and how it ends; on a set that the test makes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pulselet.cli import main
from pulselet.errors import DatasetError
from pulselet.stream.convert.wfdb_library import library
from pulselet_datasets import registry
from pulselet_datasets.card import Card, OfficialSplit

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # wfdb 4.3 with pandas 3
CARD = Card(
    name="walk",
    folder="walk-1.0",
    title="Walking hearts",
    what="ECG on a walk.",
    who="Two people.",
    sensors=("1-lead ECG",),
    rates={"ecg": 360.0},
    labels={"beat": "by two doctors"},
    subjects=("1", "2"),
    splits={"paper": OfficialSplit({"train": ("1",), "test": ("2",)}, note="after Nobody 2026")},
    licence="ODC-By 1.0",
    licence_url="https://opendatacommons.org/licenses/by/1-0/",
    citation="Nobody, 2026",
    url="http://127.0.0.1:9/walk/",
    bytes=3_000_000,
    files=("1.hea", "1.dat", "2.hea", "2.dat"),
    notes=("2 limps.",),
)


@dataclass(frozen=True)
class Said:
    """What a command left."""

    status: int
    out: str
    err: str


class Shell:
    """Runs commands in this process."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._patch, self._capsys = folder, monkeypatch, capsys
        self.module = ModuleType("pulselet_datasets.walk")

    def __call__(self, *words: str) -> Said:
        self._patch.setattr(sys, "argv", ["pulselet", "data", *words])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(int(ended.value.code or 0), *self._capsys.readouterr())

    def json(self, *words: str, status: int = 0) -> Any:
        said = self(*words, "--json")
        assert said.status == status, said
        return json.loads(said.out)

    def without(self, name: str) -> None:
        self._patch.delitem(registry.MODULES, name)

    def card(self, card: Card) -> None:
        self.module.CARD = card  # type: ignore[attr-defined]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return a shell in which there is a set "walk", of which one of two records is here."""
    made = Shell(tmp_path / "data" / CARD.folder, monkeypatch, capsys)
    made.card(CARD)
    made.module.recordings = lambda _: iter(())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pulselet_datasets.walk", made.module)
    monkeypatch.setitem(registry.MODULES, "walk", "walk")
    monkeypatch.setenv("PULSELET_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PULSELET_CACHE", str(tmp_path / "cache"))
    made.folder.mkdir(parents=True)
    digital = np.random.default_rng(5).integers(-900, 900, (720, 1))
    library().wrsamp(
        *("1", 360, ["mV"], ["MLII"]),
        d_signal=digital,
        fmt=["212"],
        adc_gain=[200],
        baseline=[0],
        write_dir=str(made.folder),
    )
    return made


def test_list_names_every_set_and_where_it_is(shell: Shell) -> None:
    rows = {row["name"]: row for row in shell.json("list")}
    assert list(rows) == registry.names()
    assert rows["walk"] == {
        "name": "walk",
        "title": "Walking hearts",
        "subjects": 2,
        "bytes": 3_000_000,
        "licence": "ODC-By 1.0",
        "here": True,
        "folder": str(shell.folder),
    }
    assert (rows["mitdb"]["here"], rows["mitdb"]["folder"]) == (False, None)
    printed = shell("list")
    assert printed.status == 0
    assert all(name in printed.out for name in registry.names())


def test_list_is_one_line_a_set_however_long_its_title_is(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shell.card(replace(CARD, title="Walking hearts " * 20, licence="Open Data Commons Attribution License v1.0"))
    first, *lines = shell("list").out.splitlines()
    assert first.split() == ["name", "title", "subjects", "MB", "licence", "here"]
    assert [line.split()[0] for line in lines] == registry.names()
    assert max(len(line) for line in (first, *lines)) <= 80
    walk = lines[registry.names().index("walk")]
    assert "…" in walk
    assert walk.split()[-5:] == ["2", "3.0", "ODC-By", "1.0", "yes"]
    wesad = lines[registry.names().index("wesad")]
    assert wesad.split()[-3:] == ["?", "Non-commercial", "no"]  # a size that nobody knows, and what it may be used for


def test_set_of_an_installed_package_is_here_and_in_what_is_verified(shell: Shell) -> None:
    pytest.importorskip("seglearn", reason="seglearn is not installed")
    rows = {row["name"]: row for row in shell.json("list")}
    assert rows["seglearn"]["folder"].replace("\\", "/").endswith("seglearn/data")
    assert [one["name"] for one in shell.json("verify")["sets"]] == ["seglearn", "walk"]


def test_show_tells_licence_citation_splits_and_traps(shell: Shell) -> None:
    shown = shell("show", "walk")
    assert shown.status == 0
    for line in (
        "licence: ODC-By 1.0 (https://opendatacommons.org/licenses/by/1-0/)",
        "cite: Nobody, 2026",
        "split paper: train 1, test 1 (by subject); after Nobody 2026",
        "note: 2 limps.",
        f"here: {shell.folder}",
    ):
        assert line in shown.out.splitlines()
    assert shell.json("show", "walk")["splits"]["paper"]["sides"] == {"train": ["1"], "test": ["2"]}


def test_unknown_set_is_one_line_and_status_1(shell: Shell) -> None:
    said = shell("show", "wolk")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("pulselet: there is no data set 'wolk'; alike are ['walk'")
    assert shell.json("verify", "wolk", status=1)["error"].startswith("there is no data set")


def test_verify_is_content_with_what_is_there_and_lists_the_rest(shell: Shell) -> None:
    told = shell.json("verify", "walk")
    (only,) = told["sets"]
    assert told["intact"] is True
    assert {file["path"]: file["status"] for file in only["files"]} == {
        "1.hea": "unknown",
        "1.dat": "intact",
        "2.hea": "absent",
        "2.dat": "absent",
    }
    assert "absent: 2.dat" in shell("verify", "walk").out


def test_verify_complete_makes_absence_a_failure(shell: Shell) -> None:
    assert shell.json("verify", "walk", "--complete", status=1)["intact"] is False
    shell.card(replace(CARD, files=("1.hea", "1.dat")))
    assert shell.json("verify", "walk", "--complete")["intact"] is True


def test_verify_without_a_name_finds_what_is_here_and_damaged(shell: Shell) -> None:
    os.truncate(shell.folder / "1.dat", 1000)
    shell.without("seglearn")
    told = shell.json("verify", status=1)
    (only,) = told["sets"]
    assert (only["name"], only["counts"]["damaged"]) == ("walk", 1)
    said = shell("verify")
    assert said.status == 1
    assert "damaged: 1.dat: " in said.out


def test_verify_of_a_set_that_is_not_here_lists_all_of_it(shell: Shell) -> None:
    shell.without("seglearn")
    for path in shell.folder.iterdir():
        path.unlink()
    (only,) = shell.json("verify", "walk")["sets"]
    assert (only["folder"], only["counts"]["absent"]) == (None, 4)
    assert "no set is here" in shell("verify").out


def test_fetch_does_nothing_before_the_licence_is_accepted(shell: Shell, tmp_path: Path) -> None:
    said = shell("fetch", "walk")
    assert said.status == 1
    for words in ("ODC-By 1.0", "Nobody, 2026", "3.0 MB", "--accept-licence"):
        assert words in said.err
    assert "--accept-licence" in shell.json("fetch", "walk", status=1)["error"]
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1)])
def test_fetch_asks_a_person(shell: Shell, monkeypatch: pytest.MonkeyPatch, answer: str, status: int) -> None:
    shell.card(replace(CARD, files=("1.hea", "1.dat")))
    asked = io.StringIO(f"{answer}\n")
    monkeypatch.setattr(asked, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", asked)
    said = shell("fetch", "walk", "--folder", str(shell.folder))
    assert said.status == status
    assert said.out.index("licence: ODC-By 1.0") < said.out.index("Do you accept the licence?")


def test_fetch_shows_the_terms_even_when_they_are_accepted(shell: Shell, tmp_path: Path) -> None:
    shell.card(replace(CARD, files=("1.hea", "1.dat")))
    said = shell("fetch", "walk", "--accept-licence", "--folder", str(shell.folder))
    assert said.status == 0
    assert "licence: ODC-By 1.0" in said.out
    assert f"to: {shell.folder}" in said.out
    assert "fetched 0 files (0.0 MB), kept 2" in said.out


def test_fetch_of_what_lies_behind_a_form_says_where_to_go(shell: Shell) -> None:
    shell.card(replace(CARD, url="", manual="Write to Nobody."))
    told = shell.json("fetch", "walk", "--accept-licence", status=1)
    assert "Write to Nobody; its licence is ODC-By 1.0" in told["error"]


def test_loader_that_is_not_whole_is_a_line_of_the_list(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODULES, "gone", "no_such_module")
    with pytest.raises(DatasetError):
        registry.entry("gone")
    rows = {row["name"]: row for row in shell.json("list")}
    assert "is not whole" in rows["gone"]["error"]
    assert shell("list").status == 0


def test_process_ends_with_the_status() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pulselet", "data", "show", "?"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
