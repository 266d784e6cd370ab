"""Marks of intervals: on series with beats put in or taken out, and on MIT-BIH's own labels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.signal.ecg_rhythm import AFTER_EARLY, EARLY, EXTRA, LATE, MISSED, NORMAL, UNKNOWN, Rhythm
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import rr_intervals

RATE_HZ = 500.0
EVENTS = Format(None, 4, names=("since", "valid", "lag", "amplitude"), clock_hz=RATE_HZ)


def kinds(rr_s: list[float] | np.ndarray, valid: list[int] | None = None) -> list[int]:
    return rows(rr_s, valid)[:, 6].astype(int).tolist()


def rows(rr_s: list[float] | np.ndarray, valid: list[int] | None = None) -> Samples:
    events = np.ones((len(rr_s), 4), np.float32)
    events[:, 0] = np.rint(np.asarray(rr_s) * RATE_HZ)
    if valid is not None:
        events[:, 1] = valid
    kernel = Rhythm().design(EVENTS)
    y, _ = kernel.step(kernel.start(), events)
    assert np.array_equal(y[:, :4], events)
    return y


def test_a_steady_heart_is_normal_and_its_intervals_are_in_seconds() -> None:
    y = rows([0.8] * 20)
    assert (y[:, 5] == 1).all()
    assert y[:, 4] == pytest.approx(0.8)


def test_a_premature_beat_and_the_pause_after_it_are_marked_and_nothing_else() -> None:
    found = kinds([0.8] * 15 + [0.5, 1.1] + [0.8] * 5)
    assert found == [NORMAL] * 15 + [EARLY, AFTER_EARLY] + [NORMAL] * 5


def test_an_interpolated_beat_is_extra() -> None:
    assert kinds([0.8] * 15 + [0.38, 0.43] + [0.8] * 3) == [NORMAL] * 15 + [EARLY, EXTRA] + [NORMAL] * 3


def test_a_beat_that_was_not_seen_is_missed_and_a_pause_is_late() -> None:
    assert kinds([0.8] * 15 + [1.62, 0.8, 1.2, 0.8])[15:] == [MISSED, NORMAL, LATE, NORMAL]


def test_bigeminy_has_no_normal_interval() -> None:
    found = kinds([0.8] * 15 + [0.5, 1.1] * 10)
    assert NORMAL not in found[15:]


def test_an_interval_over_a_gap_is_not_known_and_disturbs_nothing() -> None:
    y = rows([0.8] * 15 + [7.3] + [0.8] * 3, [1] * 15 + [0] + [1] * 3)
    assert y[15, 4:].tolist() == [0, 0, UNKNOWN]
    assert (y[16:, 5] == 1).all()


def test_a_heart_that_speeds_up_stays_normal() -> None:
    """From 50 to 160 bpm in two minutes."""
    rr = []
    while (now := sum(rr)) < 120:
        rr.append(60 / (50 + 110 * now / 120))
    assert set(kinds(rr)) == {NORMAL}


def test_breathing_does_not_look_like_ectopy() -> None:
    """Simulated: respiratory sinus arrhythmia with a standard deviation of 60 ms."""
    rr = rr_intervals(600, seed=3, heart_rate_bpm=65, hf_s=0.06, lf_s=0.03)
    assert np.mean(np.array(kinds(rr)) == NORMAL) > 0.98


def test_ectopic_beats_put_into_a_simulated_heart_are_found() -> None:
    rng = np.random.default_rng(1)
    rr = rr_intervals(1200, seed=2, heart_rate_bpm=70).copy()
    truth = np.zeros(len(rr), bool)
    for at in range(20, len(rr) - 5, 23):
        early = rng.uniform(0.5, 0.75) * rr[at]
        rr[at + 1] += rr[at] - early
        rr[at] = early
        truth[at : at + 2] = True
    found = np.array(kinds(rr)) != NORMAL
    assert np.mean(found[truth]) > 0.99
    assert np.mean(found[~truth]) < 0.01


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # wfdb's own use of pandas
def test_mit_bih_intervals_between_normal_beats_are_kept_and_most_others_are_not() -> None:
    """Records 116, 118, 119 and 223, of the half that others train on; by the labels of their beats."""
    folder = Path(os.environ.get("PULSELET_DATA", "")) / "mitdb"
    if "PULSELET_DATA" not in os.environ:
        pytest.skip("PULSELET_DATA does not say where mitdb is")
    wfdb = pytest.importorskip("wfdb")
    kept, found = [], []
    for record in ("116", "118", "119", "223"):
        notes = wfdb.rdann(str(folder / record), "atr")
        beats = [
            (s, c in "NLRej") for s, c in zip(notes.sample, notes.symbol, strict=True) if c in "NLRBAaJSVrFejnE/fQ?"
        ]
        places, normal = (np.array(some) for some in zip(*beats, strict=True))
        events = np.ones((len(places) - 1, 2), np.float32)
        events[:, 0] = np.diff(places)
        kernel = Rhythm().design(Format(None, 2, names=("since", "valid"), clock_hz=360.0))
        y, _ = kernel.step(kernel.start(), events)
        both = normal[1:] & normal[:-1]
        kept += list(y[both, 3])
        found += list(1 - y[~both, 3])
    assert np.mean(kept) > 0.985
    assert np.mean(found) > 0.85


@pytest.mark.parametrize(
    "source",
    [Format(250.0, 1, "mV"), Format(None, 2, clock_hz=250.0), Format(None, 2, names=("since", "valid"))],
)
def test_what_is_no_beat_event_is_refused_in_words(source: Format) -> None:
    with pytest.raises(PipelineError, match="wanted"):
        Rhythm().design(source)
