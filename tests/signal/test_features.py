"""Features against numpy, scipy and hand calculation, in float64."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal, stats

from pulselet.errors import PipelineError
from pulselet.signal.features import NAMES, TIME, Features
from pulselet.signal.stage import Format
from pulselet_firmware.kernels import CoreKernels, footprint

RATE = 50.0
LENGTH = 200


def features(x: NDArray[Any], *names: str, rate_hz: float = RATE, edges: tuple[float, ...] = ()) -> dict[str, float]:
    """Return the features of one window (length, channels), by their output names."""
    x = np.asarray(x, np.float32).reshape(len(x), -1)
    stage = Features(names, sample_hz=rate_hz, band_edges_hz=edges)
    kernel = stage.design(Format(1.0, x.shape[1], "g", length=len(x)))
    y, _ = kernel.step(None, x.reshape(1, -1))
    return dict(zip(kernel.output.names, map(float, y[0]), strict=True))


@pytest.fixture(scope="module")
def window() -> NDArray[np.float64]:
    """Return skewed noise with a trend and gravity."""
    rng = np.random.default_rng(0)
    return 1.0 + rng.gamma(2.0, 0.1, LENGTH) + np.linspace(-0.2, 0.3, LENGTH)


def test_features_of_time_are_those_of_numpy_and_scipy(window: NDArray[np.float64]) -> None:
    t = np.arange(LENGTH) / RATE
    wanted = {
        "mean": window.mean(),
        "std": window.std(),
        "min": window.min(),
        "max": window.max(),
        "range": np.ptp(window),
        "rms": math.sqrt(np.mean(window**2)),
        "mean_absolute_deviation": np.mean(np.abs(window - window.mean())),
        "zero_crossings": 0.0,
        "mean_crossings": np.count_nonzero(np.diff(np.sign(window - window.mean()))),
        "energy": np.mean(window**2),
        "skewness": stats.skew(window),
        "kurtosis": stats.kurtosis(window),
        "median": np.median(window),
        "interquartile_range": stats.iqr(window),
        "slope": np.polyfit(t, window, 1)[0],
        "jerk_rms": math.sqrt(np.mean((np.diff(window) * RATE) ** 2)),
    }
    assert set(wanted) == set(TIME)
    got = features(window, *TIME)
    for name, value in wanted.items():
        assert got[f"ch0_{name}"] == pytest.approx(value, rel=2e-5, abs=1e-6), name


def test_a_large_offset_costs_no_digits() -> None:
    small = np.random.default_rng(1).integers(-8, 8, LENGTH)
    wanted = features(small, "std", "skewness", "kurtosis", "slope")
    assert features(small + 2**20, "std", "skewness", "kurtosis", "slope") == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("tone_hz", [1.3, 4.0, 11.27])
def test_a_tone_is_found_between_the_bins_and_holds_the_power(tone_hz: float) -> None:
    x = 1 + 0.2 * np.sin(2 * np.pi * tone_hz * np.arange(LENGTH) / RATE)
    got = features(x, "dominant_hz", "dominant_share", "centroid_hz", "band_power", "band_share", edges=(0.5, 25.0))
    assert got["ch0_dominant_hz"] == pytest.approx(tone_hz, abs=0.02)
    assert got["ch0_dominant_share"] > 0.99
    assert got["ch0_centroid_hz"] == pytest.approx(tone_hz, abs=0.1)
    assert got["ch0_band_power_0.5_25hz"] == pytest.approx(0.2**2 / 2, rel=0.02)
    assert got["ch0_band_share_0.5_25hz"] == pytest.approx(1, abs=0.01)


def test_band_powers_are_those_of_scipys_periodogram(window: NDArray[np.float64]) -> None:
    edges = (0.5, 3.0, 9.0, 20.0)
    f, density = signal.periodogram(window, RATE, "hann", 256, "constant")
    got = features(window, "band_power", edges=edges)
    for low, high in pairwise(edges):
        wanted = np.sum(density[(f >= low) & (f < high)]) * (f[1] - f[0])
        assert got[f"ch0_band_power_{low:g}_{high:g}hz"] == pytest.approx(wanted, rel=1e-4)


def test_entropy_is_near_0_for_a_tone_and_that_of_scipy_for_noise(window: NDArray[np.float64]) -> None:
    tone = np.sin(2 * np.pi * 5 * np.arange(256) / RATE)
    assert features(tone, "spectral_entropy")["ch0_spectral_entropy"] < 0.3
    _, power = signal.periodogram(window, RATE, "hann", 256, "constant")
    power[-1] *= 2  # one-sided densities count the last bin once
    wanted = stats.entropy(power[1:]) / math.log(128)
    assert features(window, "spectral_entropy")["ch0_spectral_entropy"] == pytest.approx(wanted, rel=1e-3)


def test_correlations_of_pairs_come_last_and_are_those_of_numpy() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, LENGTH))
    x = np.stack([a, 0.5 * a + b, -a], axis=1)
    got = features(x, "correlation", "mean")
    assert list(got)[3:] == ["ch0_ch1_correlation", "ch0_ch2_correlation", "ch1_ch2_correlation"]
    wanted = np.corrcoef(x.T)[[0, 0, 1], [1, 2, 2]]
    np.testing.assert_allclose(list(got.values())[3:], wanted, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.25, -9e11, 1e-42])
def test_a_flat_window_has_0_for_what_is_not_defined(value: float) -> None:
    got = features(np.full((100, 2), value), *NAMES, edges=(0.5, 5.0))
    level = {"mean", "min", "max", "rms", "energy", "median"}
    for name, found in got.items():
        if not any(name == f"ch{c}_{kept}" for c in range(2) for kept in level):
            assert found == 0, name
    assert got["ch0_mean"] == got["ch0_median"] == np.float32(value)


@pytest.mark.parametrize(
    ("stage", "source", "why"),
    [
        (Features(("mean",)), Format(50.0, 1), "windows"),
        (Features(("mean", "mean")), Format(1.0, 1, length=9), "each once"),
        (Features(()), Format(1.0, 1, length=9), "each once"),
        (Features(("jitter",)), Format(1.0, 1, length=9), "names among"),
        (Features(("slope",)), Format(1.0, 1, length=9), "sample_hz above 0 for slope"),
        (Features(("slope",), sample_hz=50.0), Format(1.0, 1, length=9, clock_hz=40.0), "the window's rate"),
        (Features(("correlation",)), Format(1.0, 1, length=9), "two channels"),
        (Features(("band_power",), sample_hz=50.0), Format(1.0, 1, length=9), "edges"),
        (Features(("band_power",), sample_hz=50.0, band_edges_hz=(1.0, 26.0)), Format(1.0, 1, length=9), "25 Hz"),
        (Features(("centroid_hz",), sample_hz=50.0), Format(1.0, 1, length=5000), "at most 4096"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(stage: Features, source: Format, why: str) -> None:
    with pytest.raises(PipelineError, match=why):
        stage.design(source)


def test_output_is_named_and_may_take_its_rate_from_the_window() -> None:
    source = Format(0.5, 2, "g", names=("x", "y"), length=64, clock_hz=32.0)
    output = Features(("mean", "dominant_hz")).design(source).output
    assert output.names == ("x_mean", "x_dominant_hz", "y_mean", "y_dominant_hz")
    assert (output.rate_hz, output.length, output.channels, output.clock_hz) == (0.5, 1, 4, None)


def test_what_features_cost_on_a_cortex_m4() -> None:
    """Three channels of 128 samples: flash, state and instructions for one window, and a stack under 1 KB."""
    source = Format(1.0, 3, "g", length=128)
    x = np.random.default_rng(3).standard_normal((1, 384)).astype(np.float32)
    for names, flash, state, instructions in (
        (("mean", "std", "range", "correlation"), 2600, 600, 50_000),
        (("std", "dominant_hz", "spectral_entropy"), 4500, 600, 100_000),
    ):
        kernel = Features(names, sample_hz=RATE).design(source)
        code, words = footprint(kernel)
        core = CoreKernels({"features": kernel})
        core.count(True)
        core.run("features", [x])
        assert code <= flash
        assert words <= state
        assert core.instructions <= instructions
        assert core.stack_bytes <= 512
