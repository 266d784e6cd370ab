"""The watch recordings of the seglearn wheel, as recordings."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import DatasetError, MissingExtraError
from pulselet.stream.corpus import Recording
from pulselet_datasets import seglearn_watch as watch


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    try:
        return list(watch.recordings())
    except MissingExtraError:
        pytest.skip("seglearn is not installed")


def test_a_recording_holds_what_its_series_holds(recordings: list[Recording]) -> None:
    assert len(recordings) == 140
    for one, series in zip(recordings, watch.series(), strict=True):
        assert np.array_equal(one.values("acc"), series.acceleration)
        assert np.array_equal(one.values("gyro"), series.rotation)
        assert one.label("exercise").words == [series.exercise]
        assert one.label("exercise").end_s.tolist() == [len(series.acceleration) / 50]
        assert (one.subject, one.facts["side"]) == (str(series.subject), series.side)


def test_names_are_unique_and_subjects_are_those_of_the_card(recordings: list[Recording]) -> None:
    assert len({one.name for one in recordings}) == 140
    assert {one.subject for one in recordings} == set(watch.CARD.subjects)


def test_a_recording_can_be_sent_to_another_process(recordings: list[Recording]) -> None:
    sent = pickle.loads(pickle.dumps(recordings[3]))
    assert np.array_equal(sent.values("acc"), recordings[3].values("acc"))


def test_a_folder_without_the_file_is_a_dataset_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot read"):
        watch.recordings(tmp_path)
