"""Decisions over windows: by hand, and on a simulated classifier whose truth is known."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.model.decide import Rule, softmax_factors
from pulselet.model.smoothing import Smoothing, confidences
from pulselet.signal.stage import Format, Samples
from pulselet_firmware import toolchain
from pulselet_firmware.kernels import RUNTIME

TWO = Format(1.0, 2, names=("rest", "walk"))


def run(stage: Smoothing, rows: list[tuple[float, ...]], source: Format = TWO) -> Samples:
    kernel = stage.design(source)
    y, _ = kernel.step(kernel.start(), np.array(rows, np.float32))
    return y


def test_the_exponential_mean_is_that_by_hand() -> None:
    """Weight 2 / (3 + 1): 1, then 1/2 of it and 1/2 of 0, then 1/4 + 1/2 * 0.4."""
    y = run(Smoothing(3, enter=0.6, leave=0.4), [(1, 0), (0, 1), (0.4, 0.6)])
    assert y.tolist() == [[0, 1.0, 0], [0, 0.5, 0], [0, pytest.approx(0.45), 0]]


def test_the_mean_is_that_of_the_last_windows() -> None:
    y = run(Smoothing(3, "mean", enter=0.5, leave=0.0), [(1, 0), (1, 0), (1, 0), (0, 1), (0, 1)])
    assert y[:, 1] == pytest.approx([1, 1, 1, 2 / 3, 2 / 3])
    assert y[:, 0].tolist() == [0, 0, 0, 0, 1]


def test_confidences_are_divided_by_their_sum() -> None:
    assert run(Smoothing(1), [(0.9, 0.3)])[0].tolist() == [0, pytest.approx(0.75), 0]


def test_one_odd_window_changes_nothing() -> None:
    rows = [(0.9, 0.1)] * 6 + [(0.1, 0.9)] + [(0.9, 0.1)] * 6
    y = run(Smoothing(5, "mean", enter=0.6), rows)
    assert (y[:, 0] == 0).all()
    assert not y[:, 2].any()


def test_a_change_waits_for_as_many_windows_as_debounce_says() -> None:
    y = run(Smoothing(1, enter=0.6, leave=0.0, debounce=3), [(0.9, 0.1)] * 4 + [(0.1, 0.9)] * 4)
    assert y[:, 2].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert y[:, 0].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]


def test_a_decision_is_easier_to_keep_than_to_make() -> None:
    three = Format(1.0, 3)
    rows = [(0.55, 0.25, 0.2), (0.7, 0.2, 0.1), (0.45, 0.3, 0.25), (0.38, 0.31, 0.31), (0.45, 0.3, 0.25)]
    assert run(Smoothing(1, enter=0.6, leave=0.4), rows, three)[:, 2].tolist() == [1, 0, 0, 1, 1]


def test_a_window_of_low_quality_is_no_evidence() -> None:
    source = Format(1.0, 3, names=("rest", "walk", "quality"))
    rows = [(0.9, 0.1, 1.0), (0.1, 0.9, 0.2), (0.1, 0.9, 0.2), (0.9, 0.1, 1.0)]
    y = run(Smoothing(1, with_quality=True, least_quality=0.5), rows, source)
    assert y[:, 2].tolist() == [0, 1, 1, 0]
    assert (y[:, 0] == 0).all()
    assert y[1, 1] == y[0, 1]


@pytest.mark.parametrize(("lost", "known"), [(3, True), (4, False)])
def test_a_gap_is_held_as_long_as_declared(lost: int, known: bool) -> None:
    kernel = Smoothing(5, hold=3).design(TWO)
    _, state = kernel.step(kernel.start(), np.array([(1, 0)] * 5, np.float32))
    told, state = kernel.gap(state, lost)
    assert told == lost
    y, _ = kernel.step(state, np.array([(0, 1)], np.float32))
    assert y[0].tolist() == pytest.approx([0, 2 / 3, 0] if known else [1, 1, 0])


def test_nothing_but_silence_is_an_abstention() -> None:
    assert run(Smoothing(), [(0, 0), (-1, -2)]).tolist() == [[0, 0, 1], [0, 0, 1]]


def test_it_flickers_less_and_errs_less_than_single_windows() -> None:
    """Simulated truth: three classes that last for 60 windows each, logits with noise as large as their difference."""
    rng = np.random.default_rng(5)
    truth = np.repeat(np.arange(15) % 3, 60)
    logits = rng.normal(0, 1, (len(truth), 3))
    logits[np.arange(len(truth)), truth] += 1.5
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = run(Smoothing(7, debounce=2, enter=0.45, leave=0.3), [tuple(row) for row in shares], Format(1.0, 3))
    single = shares.argmax(axis=1)
    assert np.mean(single == truth) < 0.8
    assert np.mean(y[:, 0] == truth) > 0.87
    assert np.sum(np.diff(single) != 0) > 5 * np.sum(np.diff(y[:, 0]) != 0)


def test_confidences_are_the_softmax() -> None:
    scores = np.random.default_rng(0).integers(-128, 128, (500, 5)).astype(np.int8)
    found = confidences(scores, 0.05)
    powers = np.exp(0.05 * scores.astype(np.float64))
    assert np.abs(found - powers / powers.sum(axis=1, keepdims=True)).max() < 1e-6
    best, confidence = Rule(0.05).confidence(scores)
    assert np.array_equal(found[np.arange(500), best], confidence)


def test_confidences_in_c_are_those_in_python(tmp_path: Path) -> None:
    source = tmp_path / "c.c"
    source.write_text(
        '#include "pl_smoothing.h"\nvoid softmax(const int8_t *s, int32_t n, const float *f, float *y);\n'
        "void softmax(const int8_t *s, int32_t n, const float *f, float *y) { pl_confidences(s, n, f, y); }\n"
    )
    library = ctypes.CDLL(str(toolchain.compile_host([source], tmp_path / "c.so", include=[RUNTIME])))
    factors = softmax_factors(0.11).tobytes()
    out = (ctypes.c_float * 6)()
    for row in np.random.default_rng(1).integers(-128, 128, (200, 6)).astype(np.int8):
        library.softmax(row.tobytes(), 6, factors, out)
        assert np.array_equal(np.array(out, np.float32), confidences(row[None], 0.11)[0])


@pytest.mark.parametrize(
    "stage",
    [Smoothing(0), Smoothing(method="median"), Smoothing(enter=0.3), Smoothing(debounce=0), Smoothing(hold=0)],
)
def test_parameters_that_make_no_sense_are_refused_in_words(stage: Smoothing) -> None:
    with pytest.raises(PipelineError, match="wanted"):
        stage.design(TWO)


def test_events_are_refused() -> None:
    with pytest.raises(PipelineError, match="even rate"):
        Smoothing().design(Format(None, 3, clock_hz=250.0))
