"""The recipe knows what it has looked at, and refuses to look at the test side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pulselet.errors import LeakError
from pulselet.recipes import rehab
from pulselet.windows import Role, Split, Windows, require_clean
from pulselet_datasets.seglearn_watch import series

SPLIT = Split((1, 2), (3,), (4,))


@pytest.fixture(scope="module")
def data() -> Windows:
    return rehab.windows([one for one in series() if one.subject <= 4 and one.exercise in ("ABD", "ROW")])


@pytest.fixture(scope="module")
def trained(data: Windows) -> rehab.Trained:
    return rehab.fit(data, SPLIT, epochs=1)


def test_windows_know_their_series_and_their_time(data: Windows) -> None:
    assert len(data.recordings) == 4 * 2 * 2
    assert data.recordings[0] == "seglearn/1-left-ABD"
    one = data.take(data.recording == "seglearn/1-left-ABD")
    assert one.start_s.tolist() == list(range(len(one)))
    assert set((one.end_s - one.start_s).tolist()) == {4.0}


def test_a_fit_has_looked_at_who_trains_and_who_validates(data: Windows, trained: rehab.Trained) -> None:
    seen = trained.seen
    assert seen.people(Role.TRAINING) == seen.people(Role.REPRESENTATIVE) == ["1", "2"]
    assert seen.people(Role.EARLY_STOPPING) == ["3"]
    assert require_clean(seen, SPLIT.side(data, "test")) == []
    for who in (1, 3):
        with pytest.raises(LeakError):
            require_clean(seen, data.of([who]))


def test_a_copy_among_those_who_validate_is_refused(data: Windows) -> None:
    copy = replace(data.of([1]), subject=np.full(len(data.of([1])), 3))
    with pytest.raises(LeakError, match="duplicate/training"):
        rehab.fit(Windows.join([data.of([1, 2]), copy]), SPLIT, epochs=1)
