"""Beats by EC57: against the wfdb package on real records, against matching by brute force, and counted by hand."""

from __future__ import annotations

import itertools
import json
import math
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pulselet.errors import ModelError
from pulselet.model.beats import (
    BeatComparison,
    beat_figures,
    compare_beats,
    compare_recording,
    match_beats,
    summarise,
)
from pulselet.signal.ecg_peaks import r_peaks
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Labels, Recording
from pulselet.stream.vocabulary import AAMI_CLASSES, AAMI_LITERAL

RATE_HZ = 360.0
WITHIN = 54  # samples, 150 ms
DATA = os.environ.get("PULSELET_DATA", "")

needs_mitdb = pytest.mark.skipif(
    not (Path(DATA) / "mitdb" / "100.atr").is_file(), reason="PULSELET_DATA names no folder with mitdb"
)


def beats(words: str, at: list[int], rate_hz: float = RATE_HZ) -> Labels:
    return Labels.of("beat", list(words), at, rate_hz=rate_hz, vocabulary=AAMI_CLASSES)


def compared(true: Labels, found: Any, **options: Any) -> BeatComparison:
    return compare_beats(true, found, **{"start_s": 0.0, **options})


def test_the_table_is_that_of_a_count_by_hand() -> None:
    true = beats("NNVSFQV", [1000, 1300, 1600, 1900, 2200, 2500, 2800])
    found = beats("NVVNVSN", [1010, 1250, 1654, 1900, 2255, 2500, 2700])
    table = compared(true, found).confusion
    assert table.tolist() == [
        [1, 0, 1, 0, 0, 0, 0],  # n at 1000, v at 1300, 50 samples off
        [1, 0, 0, 0, 0, 0, 0],  # S taken for n
        [0, 0, 1, 0, 0, 1, 0],  # 54 samples still count, 100 do not
        [0, 0, 0, 0, 0, 1, 0],  # 55 samples do not
        [0, 1, 0, 0, 0, 0, 0],  # Q taken for s
        [1, 0, 1, 0, 0, 0, 0],  # the two that were too far off are false
        [0, 0, 0, 0, 0, 0, 0],
    ]


def test_figures_are_those_of_the_standards_formulas() -> None:
    table = np.arange(1, 50).reshape(7, 7)
    table[5:, 5:] = 0  # nothing can be neither there nor found
    names = [f"{row}{column}" for row in "NSVFQOX" for column in "nsvfqox"]
    c = dict(zip(names, table.ravel().tolist(), strict=True))

    def total(rows: str, columns: str) -> int:
        return sum(c[row + column] for row, column in itertools.product(rows, columns))

    qtp, qfn, qfp = total("NSVFQ", "nsvfq"), total("NSVFQ", "ox"), total("OX", "nsvfq")
    vtp, vfn, vfp, vtn = c["Vv"], total("V", "nsfqox"), total("NSOX", "v"), total("NSFQOX", "nsfq")
    stp, sfn, sfp, stn = c["Ss"], total("S", "nvfqox"), total("NVFOX", "s"), total("NVFQOX", "nvfq")
    found = {name: float(value) for name, value in beat_figures(table).items()}
    assert found == pytest.approx(
        {
            "qrs_sensitivity": qtp / (qtp + qfn),
            "qrs_ppv": qtp / (qtp + qfp),
            "veb_sensitivity": vtp / (vtp + vfn),
            "veb_ppv": vtp / (vtp + vfp),
            "veb_fpr": vfp / (vtn + vfp),
            "sveb_sensitivity": stp / (stp + sfn),
            "sveb_ppv": stp / (stp + sfp),
            "sveb_fpr": sfp / (stn + sfp),
            "accuracy": sum(c[word + word.lower()] for word in AAMI_CLASSES) / (qtp + qfn + qfp),
        }
    )


def by_definition(reference: list[int], found: list[int]) -> list[tuple[int, int]]:
    """Return pairs from the rule in words, one event after the other, over all of both lists at every step."""
    left, right = dict(enumerate(reference)), dict(enumerate(found))
    pairs = []
    while left and right:
        i, j = min(left), min(right)
        mine, other, first, second = (left, right, i, j) if left[i] <= right[j] else (right, left, j, i)
        later = [key for key in mine if key != first]
        nearer = bool(later) and abs(mine[later[0]] - other[second]) < abs(mine[first] - other[second])
        rest = [key for key in other if key != second]
        better = nearer and bool(rest) and abs(other[rest[0]] - mine[later[0]]) < abs(mine[later[0]] - other[second])
        if (not nearer or better) and abs(left[i] - right[j]) <= WITHIN:
            pairs.append((i, j))
            del left[i], right[j]
        else:
            del mine[first]
    return pairs


def most_pairs(reference: list[int], found: list[int]) -> int:
    """Return how many pairs within the window any matching can make."""
    best = np.zeros((len(reference) + 1, len(found) + 1), int)
    for i, a in enumerate(reference):
        for j, b in enumerate(found):
            best[i + 1, j + 1] = max(best[i, j + 1], best[i + 1, j], best[i, j] + (abs(a - b) <= WITHIN))
    return int(best[-1, -1])


samples = st.lists(st.integers(0, 1500), max_size=14).map(sorted)


@given(samples, samples)
@settings(max_examples=300, deadline=None)
def test_matching_follows_its_rule_and_uses_each_beat_once(reference: list[int], found: list[int]) -> None:
    pairs = match_beats(reference, found, WITHIN)
    assert [tuple(pair) for pair in pairs.tolist()] == by_definition(reference, found)
    assert (np.diff(pairs, axis=0) > 0).all()
    assert all(abs(reference[i] - found[j]) <= WITHIN for i, j in pairs.tolist())
    assert len(pairs) <= most_pairs(reference, found)


@given(st.lists(st.integers(110, 600), max_size=14), st.lists(st.integers(-27, 27), min_size=14, max_size=14))
@settings(max_examples=100, deadline=None)
def test_beats_apart_are_all_found_again_however_shaken(rr: list[int], shake: list[int]) -> None:
    true = np.cumsum(rr).astype(int)
    found = true + np.array(shake[: len(true)], int)
    assert match_beats(true, found, WITHIN).tolist() == [[i, i] for i in range(len(true))]


@given(st.lists(st.integers(72, 400), min_size=1, max_size=14), st.sets(st.integers(0, 3000), min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_counts_are_those_of_wfdb_wherever_it_uses_each_beat_once(rr: list[int], at: set[int]) -> None:
    compare_annotations = pytest.importorskip("wfdb.processing").compare_annotations
    reference, found = np.cumsum(rr), np.array(sorted(at))  # beats 200 ms apart at least, detections anywhere
    theirs = compare_annotations(reference, found, WITHIN + 1)  # it does not reach its window
    if len(set(theirs.matched_test_inds.tolist())) == theirs.tp:  # it can give one detection to two beats
        assert len(match_beats(reference, found, WITHIN)) == theirs.tp


def test_two_beats_do_not_share_a_detection_as_they_can_in_wfdb() -> None:
    pairs = match_beats([100, 110, 120], [108], WITHIN)
    assert pairs.tolist() == [[1, 0]]


def test_the_learning_period_is_left_out_and_an_edge_costs_no_beat() -> None:
    true = beats("NNN", [1000, 108_002, 200_000])
    result = compare_beats(true, [1000, 107_998, 200_000])
    assert result.learning == 1
    assert result.confusion[0, 0] == 2
    assert result.confusion.sum() == 2
    assert compare_beats(true, [107_995]).confusion.sum() == 2
    assert compare_beats(true, [], end_s=400.0).confusion.sum() == 1


def test_flutter_counts_on_neither_side() -> None:
    true = beats("NVN", [1000, 2000, 3000])
    result = compared(true, [1000, 1900, 2300, 3000], flutter=[(1500, 2500)])
    assert (result.flutter, result.found_in_flutter) == (1, 2)
    assert (result.confusion.sum(), result.confusion[0, 0]) == (2, 2)


def test_unreadable_and_shut_down_times_have_their_own_row_and_column() -> None:
    true = beats("NVN", [1000, 2000, 3000])
    result = compared(true, [1000, 3000, 3500], unreadable=[(3400, 3600)], shutdown=[(1900, 2100)])
    assert result.confusion[6, 0] == 1
    assert result.confusion[2, 6] == 1
    assert result.figures["qrs_ppv"] == 2 / 3
    assert result.figures["qrs_sensitivity"] == 2 / 3


def test_a_detector_feeding_a_classifier_answers_for_its_misses() -> None:
    true = beats("VVVVN", [1000, 2000, 3000, 4000, 5000])
    result = compared(true, beats("VVVN", [1000, 2000, 4500, 5000]))
    assert result.figures["veb_sensitivity"] == 2 / 4
    assert result.figures["veb_ppv"] == 2 / 3


def test_beats_at_another_rate_are_brought_to_the_references() -> None:
    result = compared(beats("NV", [3600, 7200]), beats("NV", [2500, 5000], rate_hz=250.0))
    assert result.confusion[0, 0] == result.confusion[2, 2] == 1
    assert result.rr_rms_ms == 0


def test_rr_errors_are_of_beats_that_follow_each_other() -> None:
    true = beats("NNNN", [1000, 1360, 1720, 2080])
    assert compared(true, [1000, 1378, 1720, 2080]).rr_errors_ms.tolist() == [50.0, -50.0, 0.0]
    assert compared(true, [1000, 1720, 2080]).rr_errors_ms.tolist() == [0.0]
    assert math.isnan(compared(true, [1000]).rr_rms_ms)


def test_positions_alone_have_no_class_figures() -> None:
    figures = compared(beats("NV", [1000, 2000]), [1000, 2000]).figures
    assert figures["qrs_sensitivity"] == 1.0
    assert math.isnan(figures["veb_sensitivity"])


def test_nothing_found_and_nothing_there_are_results_too() -> None:
    assert compared(beats("N", [1000]), []).figures["qrs_sensitivity"] == 0.0
    assert math.isnan(compared(beats("", []), []).figures["qrs_sensitivity"])


def two_records() -> list[BeatComparison]:
    many = compared(beats("NNNV", [1000, 2000, 3000, 4000]), beats("NNNV", [1000, 2000, 3000, 4000]), record="a")
    few = compared(beats("NV", [1000, 2000]), beats("NN", [1000, 2000]), record="b")
    paced = compared(beats("QQ", [1000, 2000]), beats("NN", [1000, 2000]), record="102")
    return [many, few, paced]


def test_gross_pools_beats_and_average_pools_records() -> None:
    report = summarise(two_records())
    assert report.gross["veb_sensitivity"] == 1 / 2
    assert report.average["veb_sensitivity"] == (1 + 0) / 2
    assert report.gross["accuracy"] == 5 / 6
    assert report.average["accuracy"] == (1 + 1 / 2) / 2
    assert (report.average["veb_ppv"], report.averaged["veb_ppv"]) == (1.0, 1)  # b calls nothing V: undefined


def test_paced_records_are_left_out_and_that_is_said() -> None:
    report = summarise(two_records())
    assert report.left_out == ("102",)
    assert "without records with a pacemaker (102)" in str(report)
    everything = summarise(two_records(), paced=())
    assert everything.confusion[4, 0] == 2
    assert "none left out" in everything.conventions


def test_a_report_holds_the_baseline_and_figures_without_the_largest_record() -> None:
    report = summarise(two_records())
    assert report.baseline["accuracy"] == 4 / 6
    assert report.baseline["veb_sensitivity"] == 0.0
    assert report.without_largest["V"]["record"] == "a"
    assert report.without_largest["V"]["share"] == 0.5
    assert report.without_largest["V"]["gross"]["veb_sensitivity"] == 0.0


def test_the_json_is_strict_and_the_same_every_time() -> None:
    text = summarise(two_records()).to_json()
    assert text == summarise(two_records()).to_json()
    content = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert content["confusion"][2] == [1, 0, 1, 0, 0, 0, 0]
    assert content["gross"]["sveb_sensitivity"] is None
    assert content["records"]["b"]["veb_sensitivity"] == 0.0


@pytest.mark.parametrize(
    ("true", "found", "options", "message"),
    [
        (beats("N", [5]), [9, 3], {}, "out of order: number 1"),
        (beats("N", [5]), [[9]], {}, "shape"),
        (beats("N", [5]), [math.nan], {}, "finite"),
        (beats("N", [5]), ["x"], {}, "wanted the samples"),
        (beats("N", [5]), [5], {"window_s": -1.0}, "window of 0 s or more"),
        (beats("N", [5]), [5], {"start_s": 9.0, "end_s": 3.0}, "end after the start"),
        (beats("N", [5]), [5], {"start_s": 300.0}, "none of its 1 beats"),
        (beats("N", [5]), [5], {"flutter": [(9, 3)]}, "flutter"),
        (beats("N", [5]), [5], {"unreadable": beats("N", [5])}, "without ends"),
        (Labels.of("beat", ["L"], [5], rate_hz=RATE_HZ), [5], {}, r"\['L'\].*vocabulary\.aami"),
    ],
)
def test_what_cannot_be_compared_is_refused(true: Labels, found: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        compared(true, found, **options)


def test_what_cannot_be_summarised_is_refused() -> None:
    many, _, paced = two_records()
    with pytest.raises(ModelError, match="no record is left"):
        summarise([paced])
    with pytest.raises(ModelError, match="more than once"):
        summarise([many, many])
    with pytest.raises(ModelError, match="different windows"):
        summarise([many, compared(beats("N", [5]), beats("N", [5]), record="c", window_s=0.1)])


def test_a_recordings_own_labels_say_what_does_not_count() -> None:
    marks = Labels.of("mark", ["[", "!", "]", "["], [120_000, 121_000, 122_000, 190_000], rate_hz=RATE_HZ)
    quality = Labels.of("quality", ["clean", "unreadable"], [0, 150_000], [150_000, 160_000], rate_hz=RATE_HZ)
    true = Labels.of("beat", ["N", "L", "V"], [119_000, 123_000, 191_000], rate_hz=RATE_HZ)
    recording = Recording(
        dataset="made",
        name="r",
        subject="p",
        signals={"ecg": Signal("ecg", "mV", RATE_HZ, ("MLII",))},
        read=lambda name: [],
        labels={"beat": true, "mark": marks, "quality": quality},
    )
    result = compare_recording(recording, [119_000, 121_500, 123_000, 155_000])
    assert result.flutter == 1  # the V, in flutter that does not end
    assert result.confusion[0, 0] == 2
    assert result.confusion[6, 0] == 1
    assert result.confusion.sum() == 3
    assert "e and j in N" in summarise([result]).conventions
    literal = compare_recording(recording, [119_000], mapping=AAMI_LITERAL)
    assert "e and j in S" in summarise([literal]).conventions


def read(record: str) -> tuple[NDArray[np.float64], Any]:
    wfdb = pytest.importorskip("wfdb")
    path = str(Path(DATA) / "mitdb" / record)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb 4.3 uses what pandas 3 warns of
        return wfdb.rdrecord(path, channels=[0]).p_signal[:, 0], wfdb.rdann(path, "atr")


def agree_on(record: str) -> None:
    from wfdb.processing import compare_annotations

    x, notes = read(record)
    true = notes.sample[np.isin(notes.symbol, list("NLRBAaJSVrFejnE/fQ?"))].astype(np.int64)
    rng = np.random.default_rng(int(record))
    shaken = true[rng.random(len(true)) > 0.1]
    shaken = shaken + np.rint(rng.normal(0, 40, len(shaken))).astype(np.int64)
    threshold = np.flatnonzero((x[1:-1] > 0.4) & (x[1:-1] >= x[:-2]) & (x[1:-1] > x[2:])) + 1  # tells beats often twice
    for found in (
        r_peaks(x, rate_hz=RATE_HZ),
        threshold,
        np.unique(np.concatenate([shaken, rng.integers(0, len(x), 600)])),
    ):
        theirs = compare_annotations(true, found, WITHIN + 1)
        ours = compare_beats(beats("N" * len(true), true.tolist()), found, start_s=0.0)
        assert (len(ours.pairs), len(ours.missed), len(ours.false)) == (theirs.tp, theirs.fn, theirs.fp)
        assert ours.pairs.tolist() == list(
            map(list, zip(theirs.matched_ref_inds.tolist(), theirs.matched_test_inds.tolist(), strict=True))
        )


@needs_mitdb
@pytest.mark.parametrize("record", ["100", "105", "203", "207", "222"])
def test_real_records_compare_as_in_wfdb_to_the_last_beat(record: str) -> None:
    agree_on(record)


@needs_mitdb
@pytest.mark.slow
def test_all_records_compare_as_in_wfdb_to_the_last_beat() -> None:
    records = sorted(path.stem for path in (Path(DATA) / "mitdb").glob("*.atr"))
    assert len(records) == 48
    for record in records:
        agree_on(record)
