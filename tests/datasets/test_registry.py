"""Sets by name, what is missing of them, and the sides of their splits; on a set that the test makes."""

from __future__ import annotations

import gzip
import itertools
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import pulselet_datasets
from pulselet.errors import DatasetError
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Recording, Run
from pulselet_datasets import places, registry
from pulselet_datasets.card import Card, OfficialSplit
from pulselet_datasets.checking import verify

CARD = Card(
    name="walk",
    folder="walk-1.0",
    title="Walking people",
    what="Walks.",
    who="Three people.",
    sensors=("acceleration",),
    rates={"acc": 50.0},
    labels={},
    subjects=("1", "2", "3"),
    recordings=("1a", "1b", "2a", "3a"),
    licence="CC0",
    citation="Nobody, 2026",
    files=("1a.txt", "1b.txt", "2a.txt", "3a.txt"),
    url="https://example.org/walk/",
    splits={
        "paper": OfficialSplit({"train": ("1",), "test": ("2",)}, left_out={"3": "fell"}),
        "narrow": OfficialSplit({"train": ("1",), "test": ("2",)}),
        "records": OfficialSplit(
            {"train": ("1a", "2a"), "test": ("1b", "3a")}, unit="recording", note="1 is on both sides", shared=("1",)
        ),
    },
)


def one(path: Path) -> Recording:
    text = path.read_text()
    if text == "damaged":
        raise DatasetError(f"{path} is damaged")
    values = np.array([[float(text)]], np.float32)
    signals = {"acc": Signal("acc", "g", 50.0, ("x",))}
    return Recording("walk", path.stem, path.stem[:-1], signals, lambda _: [Run(0, values)], files=(path,))


def each(folder: Path) -> Iterator[Recording]:
    return map(one, sorted(folder.glob("*.txt")))


def in_a_row(folder: Path) -> Iterator[Recording]:
    for path in sorted(folder.glob("*.txt")):
        yield one(path)


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Return what puts the set into the registry, and its files into a folder."""
    module = ModuleType("pulselet_datasets.walk")
    module.CARD, module.recordings = CARD, each  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pulselet_datasets.walk", module)
    monkeypatch.setitem(registry.MODULES, "walk", "walk")
    monkeypatch.setenv("PULSELET_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PULSELET_CACHE", str(tmp_path / "cache"))

    def fill(*names: str, damaged: str = "", base: str = "data", recordings: object = each) -> Path:
        module.recordings = recordings  # type: ignore[attr-defined]
        folder = tmp_path / base / "walk-1.0"
        folder.mkdir(parents=True)
        for number, name in enumerate(names):
            (folder / f"{name}.txt").write_text("damaged" if name == damaged else str(number))
        return folder

    return fill


def test_unknown_name_is_answered_with_one_that_is_alike() -> None:
    with pytest.raises(DatasetError, match=r"no data set 'mitbd'; alike are \['mitdb'"):
        pulselet_datasets.load("mitbd")


def test_loader_that_is_not_whole_does_not_break_the_others(
    walk: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.MODULES, "gone", "no_such_module")
    walk("1a")
    with pytest.raises(DatasetError, match="the loader of 'gone' is not whole"):
        pulselet_datasets.load("gone")
    assert len(pulselet_datasets.load("walk")) == 1


def test_set_that_is_not_here_says_how_to_get_it_and_its_licence(walk: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"`pulselet data fetch walk`.*licence is CC0") as caught:
        pulselet_datasets.load("walk")
    assert str(tmp_path / "data" / "walk-1.0") in str(caught.value)
    assert str(tmp_path / "cache" / "walk-1.0") in str(caught.value)


def test_cache_is_looked_at_where_the_data_folder_has_nothing(walk: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "data" / "walk-1.0").mkdir(parents=True)
    folder = walk("1a", base="cache")
    assert pulselet_datasets.load("walk").folder == folder


def test_named_folder_wins(walk: Callable[..., Path], tmp_path: Path) -> None:
    walk("1a", "2a")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "3a.txt").write_text("3")
    assert [one.name for one in pulselet_datasets.load("walk", elsewhere)] == ["3a"]
    with pytest.raises(DatasetError, match="is not in"):
        pulselet_datasets.load("walk", tmp_path / "nowhere")


def test_what_is_missing_is_said(walk: Callable[..., Path]) -> None:
    walk("1a", "1b")
    dataset = pulselet_datasets.load("walk")
    assert len(dataset) == 2
    assert dataset.subjects == ("1",)
    assert dataset.missing.subjects == ("2", "3")
    assert dataset.missing.files == ("2a.txt", "3a.txt")
    assert "missing: 2 subjects (2, 3), 2 files" in str(dataset)


def test_recording_by_name(walk: Callable[..., Path]) -> None:
    walk("1a", "1b")
    dataset = pulselet_datasets.load("walk")
    assert dataset["1b"].values("acc").tolist() == [[1.0]]
    with pytest.raises(DatasetError, match=r"no recording '9' here; it has 2 \(1a, 1b\)"):
        dataset["9"]


def test_damaged_recording_raises_when_its_turn_comes(walk: Callable[..., Path]) -> None:
    walk("1a", "1b", "2a", damaged="1b")
    reading = iter(pulselet_datasets.load("walk"))
    assert next(reading).name == "1a"
    with pytest.raises(DatasetError, match=r"1b\.txt is damaged"):
        next(reading)


def test_damaged_recording_is_skipped_if_asked_and_told(walk: Callable[..., Path]) -> None:
    folder = walk("1a", "1b", "2a", damaged="1b")
    dataset = pulselet_datasets.load("walk", on_error="skip")
    assert [one.name for one in dataset] == ["1a", "2a"]
    assert dataset.failures == (f"{folder / '1b.txt'} is damaged",)
    assert "left out, 1: " in str(dataset)


def test_loader_that_cannot_go_on_says_so(walk: Callable[..., Path]) -> None:
    walk("1a", "1b", "2a", damaged="1b", recordings=in_a_row)
    dataset = pulselet_datasets.load("walk", on_error="skip")
    assert [one.name for one in dataset] == ["1a"]
    assert dataset.failures[1:] == ("the recordings of walk after this one were not read",)


def test_sides_hold_the_recordings_of_their_subjects(walk: Callable[..., Path]) -> None:
    walk("1a", "1b", "2a", "3a")
    dataset = pulselet_datasets.load("walk")
    assert {side: [one.name for one in found] for side, found in dataset.sides("paper").items()} == {
        "train": ["1a", "1b"],
        "test": ["2a"],
    }


def test_subject_in_no_split_is_an_error(walk: Callable[..., Path]) -> None:
    walk("1a", "3a")
    with pytest.raises(DatasetError, match=r"1 subjects are nowhere in the split 'narrow' \(3\)"):
        pulselet_datasets.load("walk").sides("narrow")


def test_person_on_both_sides_of_a_split_by_recording_is_said(walk: Callable[..., Path]) -> None:
    walk("1a", "1b")
    dataset = pulselet_datasets.load("walk")
    assert [len(found) for found in dataset.sides("records").values()] == [1, 1]
    assert "1 is on both sides" in str(dataset)


def test_every_card_of_the_registry_is_sound() -> None:
    """What is there is whole: licence and citation for each, and every folder its own."""
    cards = [registry.entry(name).card for name in registry.names()]
    assert [card.name for card in cards] == registry.names()
    for card in cards:
        assert all((card.licence, card.citation, card.what, card.who)), card.name
        assert card.url.endswith("/") or not card.url, card.name
        for split in card.splits:
            assert card.unsplit(split) == (), f"{card.name}, {split}"
    folders = [card.folder for card in cards if card.folder]
    assert len(set(folders)) == len(folders)


@pytest.mark.skipif("PULSELET_DATA" not in os.environ, reason="PULSELET_DATA names no folder of real recordings")
@pytest.mark.parametrize("name", registry.names())
def test_what_is_here_is_what_its_card_says(name: str) -> None:
    card = registry.entry(name).card
    if card.folder and places.home(card) is None:
        pytest.skip(f"{name} is not here")
    for one in itertools.islice(pulselet_datasets.load(name), 20):
        assert one.dataset == name
        assert one.subject in (*card.subjects, ""), one.name
        assert not card.recordings or one.name in card.recordings
        assert set(one.labels) <= set(card.labels), one.name
        assert {key: signal.rate_hz for key, signal in one.signals.items() if signal.rate_hz} == pytest.approx(
            {key: card.rates[key] for key, signal in one.signals.items() if signal.rate_hz}
        )
        assert one.files or one.simulated or not card.folder
        assert pickle.loads(pickle.dumps(one)).name == one.name  # so that it can go to another process


@pytest.mark.skipif("PULSELET_DATA" not in os.environ, reason="PULSELET_DATA names no folder of real recordings")
@pytest.mark.parametrize("name", ["hapt", "geotec-har", "wesad"])
def test_sizes_and_checksums_are_those_of_our_copy(name: str) -> None:
    card = registry.entry(name).card
    place = places.home(card)
    if place is None:
        pytest.skip(f"{name} is not here")
    there = {path: found for path in card.files if (found := places.present(card, place, path))}
    assert set(there) <= set(card.checksums)
    if card.bytes:
        raw = ((found, found.read_bytes()) for found in there.values())
        sizes = [len(gzip.decompress(content) if found.suffix == ".gz" else content) for found, content in raw]
        assert (len(sizes), sum(sizes)) == (len(card.files), card.bytes)
    verdict = verify(name)
    assert (verdict.count("damaged"), verdict.count("unknown")) == (0, 0)


def test_importing_the_package_loads_no_loader() -> None:
    code = (
        "import sys, pulselet_datasets as d; d.load; d.names(); print([m for m in sys.modules if m.endswith('mitdb')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
