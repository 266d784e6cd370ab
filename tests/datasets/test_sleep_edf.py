"""Sleep-EDF: nights and hypnograms written by edfio; stages in seconds, cut to the samples that are there."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import DatasetError
from pulselet.stream.vocabulary import AASM_FROM_RK
from pulselet_datasets import sleep_edf

edfio = pytest.importorskip("edfio", reason="edfio writes the files")

STAGES = [
    (0, 60, "Sleep stage W"),
    (60, 30, "Sleep stage 1"),
    (90, 60, "Sleep stage 4"),
    (150, 30, "Sleep stage R"),
    (180, 30, "Movement time"),
    (210, 90, "Sleep stage ?"),
]
START = datetime.time(16, 13)


def made(
    folder: Path,
    night: str = "SC4001E",
    scorer: str = "C",
    stages: Sequence[tuple[float, float, str]] = STAGES,
    start: datetime.time = START,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(
            rng.uniform(low, high, round(300 * rate_hz)),
            rate_hz,
            label=label,
            physical_dimension=unit,
            physical_range=(low, high),
        )
        for label, rate_hz, unit, low, high in (
            ("EEG Fpz-Cz", 100, "uV", -192, 192),
            ("EEG Pz-Oz", 100, "uV", -197, 196),
            ("EOG horizontal", 100, "uV", -1009, 1009),
            ("Resp oro-nasal", 1, "", -2048, 2047),
            ("EMG submental", 1, "uV", -5, 5),
            ("Temp rectal", 1, "DegC", 34, 40),
            ("Event marker", 1, "", -2047, 2048),
        )
    ]
    path = folder / f"{night}0-PSG.edf"
    edfio.Edf(signals, starttime=START, data_record_duration=30).write(path)
    said = [edfio.EdfAnnotation(*one) for one in stages]
    edfio.Edf([], starttime=start, annotations=said).write(folder / f"{night}{scorer}-Hypnogram.edf")
    return path


def test_channels_become_signals_with_their_rates(tmp_path: Path) -> None:
    path = made(tmp_path)
    (one,) = sleep_edf.recordings(tmp_path)
    rates = {name: signal.rate_hz for name, signal in one.signals.items()}
    assert rates == dict(sleep_edf.CARD.rates)
    assert one.signal("eeg").channels == ("Fpz-Cz", "Pz-Oz")
    assert one.signal("eeg").unit == "uV"
    written = edfio.read_edf(path)
    for name, numbers in (("eeg", (0, 1)), ("eog", (2,)), ("emg", (4,)), ("temperature", (5,))):
        wanted = np.stack([written.signals[number].data for number in numbers], axis=1)
        assert np.allclose(one.values(name), wanted, rtol=1e-6, atol=1e-6)
        assert one.values(name).shape == wanted.shape


def test_stages_are_intervals_in_seconds(tmp_path: Path) -> None:
    made(tmp_path)
    (one,) = sleep_edf.recordings(tmp_path)
    stage = one.label("stage")
    assert stage.end is not None
    assert stage.words == ["W", "1", "4", "R", "M", "?"]
    assert list(zip(stage.begin_s, stage.end_s, strict=True)) == [(at, at + length) for at, length, _ in STAGES]
    assert stage.mapped(AASM_FROM_RK).words == ["W", "N1", "N3", "R"]
    assert stage.rater == "scorer C"
    assert one.repairs == ()


def test_stages_beyond_the_samples_are_cut_and_counted(tmp_path: Path) -> None:
    made(tmp_path, stages=[(0, 240, "Sleep stage W"), (240, 90, "Sleep stage 2"), (330, 30, "Sleep stage ?")])
    (one,) = sleep_edf.recordings(tmp_path)
    assert one.label("stage").end_s.tolist() == [240, 300]
    assert one.repairs == ("SC4001EC-Hypnogram.edf: 60 s of stages before or after the samples are cut off",)


@pytest.mark.parametrize(("minute", "begin", "cut"), [(14, [60, 120], 0), (12, [0, 60], 60)])
def test_a_hypnogram_with_another_start_is_moved(tmp_path: Path, minute: int, begin: list[int], cut: int) -> None:
    start = datetime.time(16, minute)
    stages = [(0, 60, "Sleep stage W"), (60, 60, "Sleep stage 1"), (120, 60, "Sleep stage R")]
    made(tmp_path, stages=stages, start=start)
    (one,) = sleep_edf.recordings(tmp_path)
    assert one.label("stage").begin_s.tolist()[:2] == begin
    assert len(one.repairs) == (cut > 0)


def test_two_nights_of_one_person_have_one_subject(tmp_path: Path) -> None:
    made(tmp_path / "sleep-cassette", "SC4001E")
    made(tmp_path / "sleep-cassette", "SC4002E", "H")
    made(tmp_path / "sleep-telemetry", "ST7011J", "P")
    found = list(sleep_edf.recordings(tmp_path))
    assert [(one.name, one.subject, one.facts["night"]) for one in found] == [
        ("SC4001E", "SC400", "1"),
        ("SC4002E", "SC400", "2"),
        ("ST7011J", "ST701", "1"),
    ]
    assert {one.subject for one in found} <= set(sleep_edf.CARD.subjects)


def test_a_night_without_a_hypnogram_or_with_two_is_told(tmp_path: Path) -> None:
    made(tmp_path)
    made(tmp_path, scorer="H")
    with pytest.raises(DatasetError, match="should have one hypnogram"):
        list(sleep_edf.recordings(tmp_path))
    for path in tmp_path.glob("*Hypnogram.edf"):
        path.unlink()
    with pytest.raises(DatasetError, match="found none"):
        list(sleep_edf.recordings(tmp_path))


def test_an_unknown_stage_is_told(tmp_path: Path) -> None:
    made(tmp_path, stages=[(0, 30, "Sleep stage 5")])
    with pytest.raises(DatasetError, match="found 'Sleep stage 5'"):
        list(sleep_edf.recordings(tmp_path))


def test_every_truncation_is_told(tmp_path: Path) -> None:
    path = made(tmp_path)
    (one,) = sleep_edf.recordings(tmp_path)
    whole = path.read_bytes()
    for length in (0, 100, 256, 1000, 2048, 3000, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=r"fetch SC4001E0-PSG\.edf again"):
            one.values("eeg")
        with pytest.raises(DatasetError):
            list(sleep_edf.recordings(tmp_path))


def test_there_are_78_and_22_people() -> None:
    studies = [subject[:2] for subject in sleep_edf.CARD.subjects]
    assert (studies.count("SC"), studies.count("ST")) == (78, 22)  # as the documentation says
