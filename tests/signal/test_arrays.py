"""The functions on whole arrays: whatever they are given, an answer or a sentence; gaps keep their places."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pulselet import signal, simulate
from pulselet.errors import PulseletError

ECG = simulate.ecg(30, rate_hz=250, seed=1).values_mv
PPG = simulate.ppg(30, rate_hz=125, seed=1).values
WALK = simulate.acceleration(120, rate_hz=50, seed=1, activity="walking").values_g
PEAKS = signal.r_peaks(ECG, rate_hz=250)

CALLS: dict[str, tuple[Callable[..., Any], Any, float]] = {
    "r_peaks": (signal.r_peaks, ECG, 250),
    "quality of ECG": (lambda x, rate_hz: signal.quality(x, rate_hz=rate_hz, kind="ecg"), ECG, 250),
    "quality of PPG": (lambda x, rate_hz: signal.quality(x, rate_hz=rate_hz, kind="ppg"), PPG, 125),
    "pulse_peaks": (signal.pulse_peaks, PPG, 125),
    "pulse_rate": (signal.pulse_rate, PPG, 125),
    "breathing_rate of PPG": (lambda x, rate_hz: signal.breathing_rate(x, rate_hz=rate_hz, kind="ppg"), PPG, 125),
    "breathing_rate of ECG": (lambda x, rate_hz: signal.breathing_rate(x, rate_hz=rate_hz, kind="ecg"), ECG, 250),
    "activity_counts": (signal.activity_counts, WALK, 50),
    "hrv": (signal.hrv, PEAKS, 250),
    "hrv_windows": (signal.hrv_windows, PEAKS, 250),
}
SAMPLED = [name for name in CALLS if not name.startswith(("hrv", "activity"))]


def with_nan(x: Any, begin: int, end: int | None) -> Any:
    values = np.array(x, float)
    values[begin:end] = np.nan
    return values


def odd_inputs(x: Any) -> Iterator[tuple[str, Any]]:
    yield from {
        "nothing": None,
        "one number": 3.0,
        "words": ["a", "b"],
        "objects": np.array([object()] * 5),
        "complex": np.asarray(x) * 1j,
        "rows of different lengths": [[1.0], [1.0, 2.0]],
        "another number of dimensions": np.stack([x, x], 1) if np.ndim(x) == 1 else np.asarray(x)[:, 0],
        "empty": np.asarray(x)[:0],
        "one sample": np.asarray(x)[:1],
        "ten samples": np.asarray(x)[:10],
        "flat": np.zeros(np.shape(x)),
        "all lost": np.full(np.shape(x), np.nan),
        "lost at the start": with_nan(x, 0, 20),
        "lost at the end": with_nan(x, -20, None),
        "infinite": np.full(np.shape(x), np.inf),
        "beyond float32": np.asarray(x, np.float64) * 1e300,
        "beyond what a pipeline takes": np.asarray(x, np.float64) * 1e13,
    }.items()


@pytest.mark.parametrize("name", CALLS)
def test_odd_input_gets_an_answer_or_a_sentence(name: str) -> None:
    function, x, rate_hz = CALLS[name]
    for what, values in odd_inputs(x):
        try:
            function(values, rate_hz=rate_hz)
        except PulseletError as error:
            said = str(error)
        else:
            said = ""
        assert not said or "wanted" in said, (what, said)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("rate_hz", [0, -5, float("nan"), float("inf"), "x", None, 1e9, 1e-3])
def test_a_rate_that_cannot_be_is_refused(name: str, rate_hz: Any) -> None:
    function, x, _ = CALLS[name]
    if name.startswith("hrv") and rate_hz in (1e9, 1e-3):
        pytest.skip("peaks may be counted at any rate")
    with pytest.raises(PulseletError, match="wanted"):
        function(x, rate_hz=rate_hz)


@pytest.mark.parametrize("name", SAMPLED)
def test_numbers_of_any_type_are_taken_as_float32(name: str) -> None:
    function, x, rate_hz = CALLS[name]
    whole = np.round(np.asarray(x) * 1000).astype(np.int16)
    wanted = function(whole.astype(np.float32), rate_hz=rate_hz)
    for values in (whole, whole.astype(np.int64), whole.astype(np.float64), whole.tolist()):
        np.testing.assert_equal(function(values, rate_hz=rate_hz), wanted)


def test_a_gap_longer_than_a_block_keeps_the_places() -> None:
    """Beats after a gap stand where they stand without it: 10 min at 250 Hz lost, more than two blocks."""
    lost = 600 * 250
    found = signal.r_peaks(np.concatenate([ECG, np.full(lost, np.nan), ECG]), rate_hz=250)
    after = found[found >= len(ECG) + lost] - len(ECG) - lost
    assert len(after) > 20
    assert set(after[5:].tolist()) <= set(signal.r_peaks(ECG, rate_hz=250).tolist())


@pytest.mark.parametrize("kind", ["eeg", None, 3])
def test_an_unknown_kind_is_refused(kind: Any) -> None:
    for function in (signal.quality, signal.breathing_rate):
        with pytest.raises(PulseletError, match="wanted kind"):
            function(ECG, rate_hz=250, kind=kind)
