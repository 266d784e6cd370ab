"""The three rules of labels, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.stream.corpus import Labels
from pulselet.windows.label_rules import MIXED, NONE, LabelRule

# one window from 0 to 10 s; a: 0-4, b: 4-7, nothing after
LABELS = Labels.of("activity", ["a", "b"], [0, 4], [4, 7], rate_hz=1.0)
BEGIN, END = np.array([0.0]), np.array([10.0])


@pytest.mark.parametrize(
    ("by", "threshold", "found"),
    [
        ("majority", 0.5, 0),  # 7 of 10 s are labelled, most of them a
        ("majority", 0.7, 0),
        ("majority", 0.71, MIXED),
        ("purity", 0.57, 0),  # a has 4 of 7 s
        ("purity", 0.58, MIXED),
        ("coverage", 0.4, 0),  # a has 4 of 10 s
        ("coverage", 0.41, MIXED),
    ],
)
def test_each_rule_means_what_it_says(by: str, threshold: float, found: int) -> None:
    assert LabelRule("activity", by, threshold).of_windows(LABELS, BEGIN, END).tolist() == [found]


def test_purity_wants_half_of_the_window_labelled() -> None:
    rule = LabelRule("activity", "purity")
    one = Labels.of("activity", ["a"], [0], [4], rate_hz=1.0)
    assert rule.of_windows(one, np.array([0.0, 0.0]), np.array([8.0, 8.1])).tolist() == [0, MIXED]


def test_a_tie_is_no_class() -> None:
    tie = Labels.of("activity", ["a", "b"], [0, 5], [5, 10], rate_hz=1.0)
    assert LabelRule("activity").of_windows(tie, BEGIN, END).tolist() == [MIXED]


def test_time_outside_of_all_labels_has_none() -> None:
    rule = LabelRule("activity")
    assert rule.of_windows(LABELS, np.array([7.0, 20.0, -9.0]), np.array([9.0, 30.0, -1.0])).tolist() == [NONE] * 3
    nothing = Labels.of("activity", [], [], [], rate_hz=1.0, vocabulary=("a",))
    assert rule.of_windows(nothing, BEGIN, END).tolist() == [NONE]


def test_labels_that_overlap_count_once() -> None:
    twice = Labels.of("activity", ["a", "a", "b"], [0, 1, 4], [4, 3, 10], rate_hz=1.0)
    assert LabelRule("activity").of_windows(twice, BEGIN, END).tolist() == [1]


def test_windows_against_counting_sample_by_sample() -> None:
    rng = np.random.default_rng(0)
    edges = np.sort(rng.choice(1000, 60, replace=False))
    labels = Labels.of("activity", rng.choice(list("abc"), 30).tolist(), edges[::2], edges[1::2], rate_hz=1.0)
    each = np.full(1000, -1)
    assert labels.end is not None
    for begin, end, code in zip(labels.begin, labels.end, labels.code, strict=True):
        each[begin:end] = code
    starts = rng.integers(0, 900, 200)
    found = LabelRule("activity", "majority", 0.3).of_windows(labels, starts * 1.0, starts + 70.0)
    for start, got in zip(starts, found, strict=True):
        counts = np.bincount(each[start : start + 70] + 1, minlength=4)[1:]
        wanted = NONE if counts.sum() == 0 else MIXED
        if counts.sum() >= 21 and (counts == counts.max()).sum() == 1:
            wanted = int(counts.argmax())
        assert got == wanted


def test_instants_count_one_each() -> None:
    instants = Labels.of("beat", ["N", "V", "V"], [1, 2, 3], rate_hz=1.0)
    assert LabelRule("beat").of_windows(instants, BEGIN, END).tolist() == [1]
    assert LabelRule("beat", "purity").of_windows(instants, BEGIN, END).tolist() == [MIXED]
    with pytest.raises(PipelineError, match="instants, which cover nothing"):
        LabelRule("beat", "coverage").of_windows(instants, BEGIN, END)


def test_an_event_takes_the_nearest_label_and_each_label_only_one_event() -> None:
    labels = Labels.of("beat", ["N", "V", "N"], [1000, 2000, 3000], rate_hz=1000.0)
    at = np.array([0.9, 1.1, 1.05, 1.84, 2.15, 5.0])
    found, missed = LabelRule("beat").of_events(labels, at)
    assert found.tolist() == [MIXED, MIXED, 0, MIXED, 1, MIXED]  # 150 ms is in, 160 ms is not
    assert missed == 1


def test_events_whose_word_is_left_out_are_not_missed() -> None:
    labels = Labels.of("beat", ["N", "Q"], [1, 2], rate_hz=1.0)
    found, missed = LabelRule("beat", classes={"Q": None, "N": "normal"}).of_events(labels, np.array([2.0]))
    assert (found.tolist(), missed) == ([NONE], 1)


def test_no_events_or_no_labels() -> None:
    none = Labels.of("beat", [], [], rate_hz=1.0, vocabulary=("N",))
    found, missed = LabelRule("beat").of_events(none, np.array([1.0]))
    assert (found.tolist(), missed) == ([MIXED], 0)
    one = Labels.of("beat", ["N"], [3], rate_hz=1.0)
    found, missed = LabelRule("beat").of_events(one, np.empty(0))
    assert (found.tolist(), missed) == ([], 1)


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({"by": "luck"}, "majority, purity, coverage, got 'luck'"),
        ({"threshold": 1.5}, "share from 0 to 1"),
        ({"match_s": 0.0}, "more than 0 s"),
    ],
)
def test_rules_that_say_nothing_are_refused(rule: dict[str, object], complaint: str) -> None:
    with pytest.raises(PipelineError, match=complaint):
        LabelRule("activity", **rule)  # type: ignore[arg-type]


def test_a_rule_says_itself_in_words() -> None:
    assert str(LabelRule("activity")) == "activity that most of the labelled time has, 50 % of the window labelled"
    assert str(LabelRule("stage", "coverage")) == "stage over 100 % of the window"


@pytest.mark.parametrize("by", ["majority", "purity"])
def test_time_with_two_labels_is_labelled_once(by: str) -> None:
    # 3 of 10 s are labelled; with b's 2 s on the same time they are still not half of the window.
    both = Labels.of("activity", ["a", "b"], [0, 0], [3, 2], rate_hz=1.0)
    assert LabelRule("activity", by, 0.5).of_windows(both, BEGIN, END).tolist() == [MIXED]


def test_an_event_in_nested_intervals_takes_the_last_to_begin() -> None:
    # a from 0 to 100, in it b from 40 to 50 and an interval of no length at 60
    nested = Labels.of("rhythm", ["a", "b", "b"], [0, 40, 60], [100, 50, 60], rate_hz=1.0)
    found, missed = LabelRule("rhythm").of_events(nested, np.array([-1.0, 0, 39.9, 40, 50, 60, 99, 100]))
    assert found.tolist() == [NONE, 0, 0, 1, 0, 0, 0, NONE]
    assert missed == 0
