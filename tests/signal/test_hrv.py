"""Heart rate variability: numpy in float64, hand calculations, and series whose power is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PipelineError, PulseletError
from pulselet.signal.chain import Chain, design
from pulselet.signal.ecg_peaks import RPeaks
from pulselet.signal.ecg_rhythm import Rhythm
from pulselet.signal.heart_rate_variability import NAMES, HeartRateVariability
from pulselet.signal.hrv_metrics import Hrv, hrv, hrv_windows
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import ecg

RATE_HZ = 250


def peaks_of(rr_ms: list[float] | NDArray[np.float64], rate_hz: float = 1000) -> NDArray[np.int64]:
    ends = np.cumsum(np.round(np.asarray(rr_ms) * rate_hz / 1000))
    return np.concatenate([[0], ends]).astype(np.int64)


def random_rr_ms(seed: int, beats: int = 300) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    slow = np.cumsum(rng.normal(0, 2, beats))
    found: NDArray[np.float64] = np.round(850 + slow - slow.mean() + rng.normal(0, 25, beats))
    return found


def wave_peaks(low_ms: float, high_ms: float, *, mean_s: float, seconds: float = 300) -> NDArray[np.int64]:
    """Return beats whose intervals are a mean and two sinusoids at 0.1 and 0.25 Hz; clock 1000 Hz."""
    t = [0.0]
    while t[-1] < seconds:
        waves = low_ms * math.sin(2 * math.pi * 0.1 * t[-1]) + high_ms * math.sin(2 * math.pi * 0.25 * t[-1])
        t.append(t[-1] + mean_s + waves / 1000)
    return np.round(np.array(t) * 1000).astype(np.int64)


@pytest.mark.parametrize("seed", range(5))
def test_time_domain_is_that_of_numpy_in_float64(seed: int) -> None:
    rr = random_rr_ms(seed)
    found = hrv(peaks_of(rr), rate_hz=1000, tolerance=0)
    steps, sums = np.diff(rr), rr[1:] + rr[:-1]
    wanted = {
        "mean_nn_ms": rr.mean(),
        "sdnn_ms": rr.std(ddof=1),
        "rmssd_ms": np.sqrt(np.mean(steps**2)),
        "pnn50": 100 * np.mean(np.abs(steps) > 50),
        "heart_rate_bpm": 60_000 / rr.mean(),
        "sd1_ms": np.std(steps / np.sqrt(2), ddof=1),
        "sd2_ms": np.std(sums / np.sqrt(2), ddof=1),
    }
    assert {name: getattr(found, name) for name in wanted} == pytest.approx(wanted, rel=4e-7)
    assert (found.used, found.ectopic, found.lost) == (len(rr), 0, 0)


def test_metrics_of_a_short_series_are_those_of_a_calculation_by_hand() -> None:
    """Twenty intervals: 1000 and 1100 ms in turn. Every step is 100 ms, the deviations from 1050 are all 50."""
    found = hrv(peaks_of([1000.0, 1100.0] * 10), rate_hz=1000)
    assert found.mean_nn_ms == 1050
    assert found.sdnn_ms == pytest.approx(math.sqrt(20 * 50**2 / 19), rel=4e-7)
    assert found.rmssd_ms == 100
    assert found.pnn50 == 100
    assert found.sd2_ms == 0  # every sum is 2100
    assert found.covered == 1


def test_a_step_of_exactly_50_ms_is_not_above_50_ms() -> None:
    assert hrv(peaks_of([800, 850] * 10), rate_hz=1000).pnn50 == 0
    assert hrv(peaks_of([800, 850, 800, 851] * 5), rate_hz=1000).pnn50 == pytest.approx(100 * 9 / 19, rel=1e-6)


def sample_entropy(x: NDArray[np.float64], r: float) -> float:
    """Return -ln(A / B) as Richman and Moorman define it: N - 2 templates, no one matched with itself."""
    n, a, b = len(x), 0, 0
    for i in range(n - 2):
        for j in range(i + 1, n - 2):
            if abs(x[i] - x[j]) <= r and abs(x[i + 1] - x[j + 1]) <= r:
                b += 1
                a += abs(x[i + 2] - x[j + 2]) <= r
    return -math.log(a / b)


@pytest.mark.parametrize("seed", range(3))
def test_sample_entropy_is_that_of_its_definition(seed: int) -> None:
    rr = random_rr_ms(seed, 150)
    found = hrv(peaks_of(rr), rate_hz=1000, tolerance=0)
    assert found.sample_entropy == pytest.approx(sample_entropy(rr, 0.2 * rr.std(ddof=1)), rel=1e-5)


@pytest.mark.parametrize(("mean_s", "off"), [(0.6, 0.01), (0.8, 0.03), (1.0, 0.07)])
def test_power_of_two_sinusoids_is_half_their_squares(mean_s: float, off: float) -> None:
    """30 ms at 0.1 Hz, 20 ms at 0.25 Hz: 450 and 200 ms^2. A heart of 60/min samples 0.25 Hz four times a cycle."""
    found = hrv(wave_peaks(30, 20, mean_s=mean_s), rate_hz=1000)
    assert found.lf_ms2 == pytest.approx(450, rel=0.02)
    assert found.hf_ms2 == pytest.approx(200, rel=off)
    assert found.lf_hf == pytest.approx(found.lf_ms2 / found.hf_ms2, rel=1e-6)


def test_a_slow_wave_has_no_power_in_the_fast_band_and_the_other_way_round() -> None:
    assert hrv(wave_peaks(30, 0, mean_s=0.8), rate_hz=1000).hf_ms2 < 450 * 0.01
    assert hrv(wave_peaks(0, 20, mean_s=0.8), rate_hz=1000).lf_ms2 < 200 * 0.01


def test_spectrum_obeys_parseval_in_float64() -> None:
    """Both bands together are what numpy's transform of the same resampled series has between 0.04 and 0.4 Hz."""
    peaks = peaks_of(random_rr_ms(3))
    kernel = HeartRateVariability(window_s=(peaks[-1] / 1000), tolerance=0).design(
        Format(None, 2, names=("since", "valid"), clock_hz=1000.0)
    )
    x = kernel._resampled(np.diff(peaks), np.ones(len(peaks) - 1, bool)).astype(np.float64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(x)) / len(x))
    frequency = np.fft.rfftfreq(kernel.fft.n, 1 / 4)
    density = 2 * np.abs(np.fft.rfft(x, kernel.fft.n)) ** 2 / (4 * np.sum(hann**2))
    wanted = density[(frequency >= 0.04) & (frequency < 0.4)].sum() * frequency[1]
    found = hrv(peaks, rate_hz=1000, tolerance=0)
    assert found.lf_ms2 + found.hf_ms2 == pytest.approx(wanted, rel=1e-4)


def test_ectopic_beats_are_left_out_and_counted() -> None:
    """An early beat and the pause after it: without these two intervals, and without the steps to and from them."""
    rr = random_rr_ms(1, 200)
    early = rr.copy()
    early[100:102] = 0.6 * rr[100], 1.4 * rr[101]
    found = hrv(peaks_of(early), rate_hz=1000)
    kept = np.delete(rr, [100, 101])
    steps = np.concatenate([np.diff(rr[:100]), np.diff(rr[102:])])
    assert (found.used, found.ectopic, found.lost) == (198, 2, 0)
    assert found.sdnn_ms == pytest.approx(kept.std(ddof=1), rel=4e-7)
    assert found.rmssd_ms == pytest.approx(np.sqrt(np.mean(steps**2)), rel=4e-7)
    whole = hrv(peaks_of(rr), rate_hz=1000)
    assert found.hf_ms2 == pytest.approx(whole.hf_ms2, rel=0.15)


def test_a_beat_that_was_missed_makes_no_interval() -> None:
    peaks = peaks_of(random_rr_ms(2, 200))
    found = hrv(np.delete(peaks, 77), rate_hz=1000)
    assert (found.used, found.ectopic) == (198, 1)


def events(rr_ms: NDArray[np.float64], **columns: NDArray[np.float64]) -> tuple[Format, Samples]:
    table = {"since": rr_ms, "valid": np.ones(len(rr_ms)), **columns}
    x = np.stack(list(table.values()), axis=1).astype(np.float32)
    return Format(None, x.shape[1], names=tuple(table), clock_hz=1000.0), x


def test_no_difference_is_taken_across_a_gap() -> None:
    rr = random_rr_ms(4, 120)
    valid = np.ones(120)
    valid[60] = 0
    source, x = events(rr, valid=valid)
    kernel = HeartRateVariability(window_s=60.0, frequency=False, tolerance=0).design(source)
    rows, _ = kernel.step(kernel.start(), x)
    row = dict(zip(NAMES, rows[0], strict=True))
    last = int(np.searchsorted(np.cumsum(rr), 60_000)) + 1
    first = last - int(np.searchsorted(np.cumsum(rr[:last][::-1]), 60_000, side="right"))
    before, after = rr[first:60], rr[61:last]
    steps = np.concatenate([np.diff(before), np.diff(after)])
    assert row["lost"] == 1
    assert row["rmssd_ms"] == pytest.approx(np.sqrt(np.mean(steps**2)), rel=4e-7)


def test_marks_of_normal_beats_are_believed_instead_of_the_rule_of_a_fifth() -> None:
    rr = random_rr_ms(5, 120)
    normal = np.ones(120)
    normal[[20, 21, 50]] = 0
    source, x = events(rr, normal=normal)
    kernel = HeartRateVariability(window_s=90.0).design(source)
    rows, _ = kernel.step(kernel.start(), x)
    row = dict(zip(NAMES, rows[0], strict=True))
    assert row["ectopic"] == 3


def test_a_pipeline_from_ecg_to_metrics_finds_the_variability_that_was_simulated() -> None:
    """R peaks, marked by `Rhythm`, against numpy on the simulator's true beats: a sample of 4 ms is what is lost."""
    made = ecg(130, rate_hz=250, seed=2, heart_rate_bpm=70)
    kernels = design((RPeaks(), Rhythm(), HeartRateVariability(window_s=120.0, hop_s=10.0)), Format(250.0, 1, "mV"))
    rows = Chain(kernels).step(made.values_mv.astype(np.float32)[:, None])
    row = dict(zip(NAMES, rows[0], strict=True))
    end_s = rows[0, 0] / 250
    true_s = made.r_times_s[made.r_times_s < end_s + 0.1]
    rr_ms = 1000 * np.diff(true_s)
    rr_ms = rr_ms[np.cumsum(rr_ms[::-1])[::-1] <= 120_100]
    assert row["used"] >= len(rr_ms) - 2
    assert row["mean_nn_ms"] == pytest.approx(rr_ms.mean(), rel=0.002)
    assert row["sdnn_ms"] == pytest.approx(rr_ms.std(ddof=1), rel=0.05)
    assert row["rmssd_ms"] == pytest.approx(np.sqrt(np.mean(np.diff(rr_ms) ** 2)), rel=0.08)


def test_windows_are_those_of_their_stretches() -> None:
    peaks = peaks_of(random_rr_ms(6, 700), RATE_HZ)
    rows = hrv_windows(peaks, rate_hz=RATE_HZ, window_s=120, hop_s=60)
    assert len(rows) == 1 + (peaks[-1] // RATE_HZ - 120) // 60
    for row in rows:
        end = round(row.end_s * RATE_HZ)
        stretch = peaks[(peaks >= end - 120 * RATE_HZ) & (peaks <= end)]
        alone = hrv(stretch, rate_hz=RATE_HZ)
        assert row.sdnn_ms == pytest.approx(alone.sdnn_ms, rel=1e-6)
        assert row.sample_entropy == pytest.approx(alone.sample_entropy, rel=1e-6)
        assert row.hf_ms2 == pytest.approx(alone.hf_ms2, rel=0.02)  # the window is up to a beat longer


def test_a_metric_that_is_not_defined_is_nan() -> None:
    found = hrv([0, 12_000], rate_hz=1000)
    assert found.used == 0
    assert all(math.isnan(getattr(found, name)) for name in Hrv.__dataclass_fields__ if name.endswith(("_ms", "_ms2")))


def test_a_day_has_a_time_domain_and_no_spectrum() -> None:
    peaks = np.cumsum(np.full(100_000, 216))
    found = hrv(peaks, rate_hz=RATE_HZ)
    assert found.mean_nn_ms == 864
    assert math.isnan(found.lf_ms2)


@pytest.mark.parametrize(
    "peaks", [[], [5], [1, 2, 2], [3, 2, 1], [0.5, 1000.5], [0, np.nan], [[1, 2], [3, 4]], ["a", "b"]]
)
def test_peaks_that_make_no_sense_are_refused(peaks: ArrayLike) -> None:
    with pytest.raises(PulseletError, match="wanted sample indices"):
        hrv(peaks, rate_hz=RATE_HZ)


@pytest.mark.parametrize(
    "stage",
    [
        HeartRateVariability(window_s=5.0),
        HeartRateVariability(window_s=2000.0),
        HeartRateVariability(hop_s=0.0),
        HeartRateVariability(tolerance=1.0),
        HeartRateVariability(most_beats=1),
        HeartRateVariability(resampled_hz=0.5),
        HeartRateVariability(window_s=-1.0),
    ],
)
def test_parameters_that_make_no_sense_are_refused(stage: HeartRateVariability) -> None:
    with pytest.raises(PipelineError, match="wanted"):
        stage.design(Format(None, 2, names=("since", "valid"), clock_hz=250.0))


@pytest.mark.parametrize(
    "source",
    [
        Format(250.0, 1, "mV"),
        Format(None, 2, names=("rate", "confidence"), clock_hz=250.0),
        Format(None, 2, names=("since", "valid")),
        Format(None, 2, names=("since", "valid"), clock_hz=20_000.0),
    ],
)
def test_what_is_not_beats_is_refused(source: Format) -> None:
    with pytest.raises(PipelineError, match="wanted"):
        HeartRateVariability().design(source)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"window_s": 5.0}, "hrv_windows: wanted a window of 10 to"),
        ({"window_s": "x"}, "hrv_windows: wanted window_s to be a finite number, got 'x'"),
        ({"window_s": float("nan")}, "hrv_windows: wanted window_s to be a finite number, got nan"),
        ({"window_s": 1e300}, "hrv_windows: wanted a window of 10 to"),
        ({"hop_s": 0.0}, "hrv_windows: wanted a hop"),
        ({"tolerance": 2.0}, "hrv_windows: wanted a tolerance"),
    ],
)
def test_errors_of_a_function_name_the_function(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        hrv_windows(np.arange(400) * 250, rate_hz=250, **parameters)
    with pytest.raises(PipelineError, match=r"^hrv: wanted a window of 10 to"):
        hrv([0, 250, 500], rate_hz=250)
    with pytest.raises(PipelineError, match=r"^hrv_windows: wanted a rate above 0"):
        hrv_windows([0, 250, 500], rate_hz=0)
    with pytest.raises(PipelineError, match=r"^hrv_windows: wanted sample indices"):
        hrv_windows([0.5, 250, 500], rate_hz=250)
