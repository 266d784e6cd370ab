"""Simulated recordings: the same for the same arguments, true to their labels, and marked as what they are."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.signal import find_peaks

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Recording
from pulselet_datasets import simulated


@pytest.fixture(scope="module")
def people() -> list[Recording]:
    return list(simulated.recordings(n=6, seed=1, duration_s=60, snr_db=30))


def test_every_recording_says_that_it_is_simulated(people: list[Recording]) -> None:
    assert all(one.simulated for one in people)
    assert len({one.subject for one in people}) == 6


def test_the_same_arguments_give_the_same_values_and_another_seed_others(people: list[Recording]) -> None:
    again = list(simulated.recordings(n=6, seed=1, duration_s=60, snr_db=30))
    other = next(iter(simulated.recordings(n=1, seed=2, duration_s=60, snr_db=30)))
    assert [one.sha256 for one in again] == [one.sha256 for one in people]
    assert other.sha256 != people[0].sha256


def test_a_recording_does_not_depend_on_how_many_there_are(people: list[Recording]) -> None:
    first = next(iter(simulated.recordings(n=1, seed=1, duration_s=60, snr_db=30)))
    assert first.sha256 == people[0].sha256


def test_a_recording_can_be_sent_to_another_process(people: list[Recording]) -> None:
    assert pickle.loads(pickle.dumps(people[2])).sha256 == people[2].sha256


def test_signals_last_as_long_as_asked_for_and_hold_what_they_say(people: list[Recording]) -> None:
    for one in people:
        for name, signal in one.signals.items():
            assert one.values(name).shape == (60 * (signal.rate_hz or 0), len(signal.channels))


def test_r_peaks_stand_where_the_labels_put_them(people: list[Recording]) -> None:
    for one in people:
        ecg, truth_s = one.values("ecg")[:, 0].astype(float), one.label("beat").begin_s
        found, _ = find_peaks(ecg, height=0.6, prominence=0.7, distance=60)
        inner = truth_s[(truth_s > 0.2) & (truth_s < 59.8)]
        nearest = np.abs(inner[:, None] - found / 250).min(axis=1)
        assert (nearest < 0.03).mean() > 0.98, one.name
        assert len(found) == pytest.approx(len(truth_s), abs=3), one.name


def test_people_differ_in_ectopy_and_rhythm_as_stated(people: list[Recording]) -> None:
    words = [set(one.label("beat").words) for one in people]
    assert words[0] == words[3] == {"N"}
    assert any("V" in some for some in words)
    assert any("S" in some for some in words)
    assert ["AFIB" in one.label("rhythm").words for one in people] == [False, False, True] * 2


def test_labels_of_states_cover_the_whole_without_overlap(people: list[Recording]) -> None:
    for one in people:
        for kind in ("rhythm", "activity"):
            labels = one.label(kind)
            assert labels.begin_s[0] == 0
            assert labels.end_s[-1] == 60
            assert labels.begin_s[1:].tolist() == labels.end_s[:-1].tolist()


def test_noise_is_as_far_below_the_signal_as_asked() -> None:
    def ecg(snr_db: float) -> np.ndarray:
        (one,) = simulated.recordings(n=1, seed=5, duration_s=60, snr_db=snr_db)
        return one.values("ecg")[:, 0].astype(float)

    clean = ecg(200.0)
    for snr_db in (0.0, 10.0, 20.0):
        assert 10 * np.log10(clean.var() / (ecg(snr_db) - clean).var()) == pytest.approx(snr_db, abs=0.01)


def test_walking_shakes_and_rest_does_not(people: list[Recording]) -> None:
    for one in people:
        walks = round(one.label("activity").end_s[0] * 32)
        acc = one.values("acc")
        assert acc[:walks].std(axis=0).max() < 0.02
        assert acc[walks:].std(axis=0).max() > 0.1


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"duration_s": 1.0}, {"duration_s": float("nan")}, {"snr_db": float("inf")}]
)
def test_numbers_without_sense_raise(wrong: dict[str, float]) -> None:
    with pytest.raises(DatasetError, match="wanted a recording or more"):
        simulated.recordings(**wrong)  # type: ignore[arg-type]
