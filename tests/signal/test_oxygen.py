"""The truth here is simulated light: what a finger's ratio is, and a saturation, no test without people can say."""

from __future__ import annotations

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.signal.oxygen import NOT_CALIBRATED, OxygenSaturation, Perfusion
from pulselet.signal.pipeline import Branch, Pipeline
from pulselet.signal.resampling import Resample
from pulselet.signal.stage import Format, Samples
from pulselet.signal.window import Window
from pulselet.simulate import baseline_wander, ppg, white_noise

RATE_HZ, SECONDS = 50.0, 8.0
LENGTH = round(SECONDS * RATE_HZ)
SOURCE = Format(0.5, 2, "count", length=LENGTH, clock_hz=RATE_HZ)
CURVE = (110.0, -25.0, 0.0)


def light(ratio: float, seed: int = 0, noise: float = 0.0, wander: float = 0.0) -> Samples:
    """Return red and infrared light by Beer and Lambert, of blood whose absorptions are in this ratio."""
    pulse = ppg(SECONDS, rate_hz=RATE_HZ, seed=seed, heart_rate_bpm=72.0).values
    pulse = pulse + wander * baseline_wander(SECONDS, rate_hz=RATE_HZ, seed=seed)
    red, infrared = 40_000 * np.exp(-0.01 * ratio * pulse), 90_000 * np.exp(-0.01 * pulse)
    window = np.stack([red, infrared], axis=1)
    window += noise * np.stack([white_noise(SECONDS, rate_hz=RATE_HZ, seed=s) for s in (seed + 50, seed + 60)], axis=1)
    return window.astype(np.float32).reshape(1, -1)


def oxygen(x: Samples, curve: tuple[float, ...] = CURVE) -> list[float]:
    kernel = OxygenSaturation(curve, NOT_CALIBRATED).design(SOURCE)
    return kernel.step(None, x)[0][0].tolist()


@pytest.mark.parametrize("ratio", [0.4, 0.7, 1.0, 1.6])
def test_the_ratio_of_simulated_light_is_found_and_the_curve_is_applied(ratio: float) -> None:
    spo2, found, correlation = oxygen(light(ratio))
    assert found == pytest.approx(ratio, rel=0.02)
    assert spo2 == pytest.approx(110 - 25 * found, abs=1e-3)
    assert correlation > 0.999


def test_breathing_in_the_baseline_moves_the_ratio_little() -> None:
    assert oxygen(light(0.7, wander=0.3))[1] == pytest.approx(0.7, rel=0.03)


def test_the_curve_is_a_quadratic_and_the_result_stays_within_0_and_100() -> None:
    _, ratio, _ = oxygen(light(1.0))
    assert oxygen(light(1.0), (100.0, -10.0, -5.0))[0] == pytest.approx(100 - 10 * ratio - 5 * ratio**2, abs=1e-3)
    assert oxygen(light(1.0), (200.0, 0.0, 0.0))[0] == 100.0
    assert oxygen(light(1.0), (-200.0, 0.0, 0.0))[0] == 0.0


def test_noise_that_drowns_the_pulse_shows_in_the_correlation() -> None:
    assert oxygen(light(0.7, noise=2000.0))[2] < 0.5


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0])
def test_no_light_or_no_change_gives_zeros(value: float) -> None:
    assert oxygen(np.full((1, 2 * LENGTH), value, np.float32)) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("rate_hz", "to_hz"), [(64.0, 25.0), (50.0, 32.0), (100.0, 32.0)])
def test_what_resampling_leaves_of_light_that_stands_still_gives_zeros(rate_hz: float, to_hz: float, seed: int) -> None:
    """Rounding changes both channels, now and then alike."""
    still = np.tile(np.random.default_rng(seed).uniform(0.5, 1e5, 2), (int(30 * rate_hz), 1)).astype(np.float32)
    stages = (Window(4.0, 2.0), OxygenSaturation(CURVE, NOT_CALIBRATED))
    pipeline = Pipeline((Branch("light", "", rate_hz, 2, Resample(to_hz)),), stages)
    assert not pipeline.batch({"light": still})[0].any()


def test_a_pulse_of_a_twentieth_of_a_percent_is_enough() -> None:
    weak = light(0.7).reshape(-1, 2).astype(float)
    weak = weak.mean(axis=0) + (weak - weak.mean(axis=0)) * 0.03
    assert np.ptp(weak[:, 1]) < 5e-4 * weak[:, 1].mean()
    assert oxygen(weak.astype(np.float32).reshape(1, -1))[1] == pytest.approx(0.7, rel=0.05)


def test_an_uncalibrated_curve_shows_in_the_name_of_the_column() -> None:
    assert OxygenSaturation(CURVE, NOT_CALIBRATED).design(SOURCE).output.names[0] == "spo2_uncalibrated"
    calibrated = OxygenSaturation(CURVE, "ring rev. B against arterial blood, 12 people, 2026")
    assert calibrated.design(SOURCE).output.names[0] == "spo2"


@pytest.mark.parametrize(
    "stage",
    [
        OxygenSaturation(CURVE, ""),
        OxygenSaturation((110.0, -25.0), NOT_CALIBRATED),
        OxygenSaturation((110.0, 1e13, 0.0), NOT_CALIBRATED),
    ],
)
def test_what_does_not_fit_is_refused_in_words(stage: OxygenSaturation) -> None:
    with pytest.raises(PipelineError, match="wanted"):
        stage.design(SOURCE)


@pytest.mark.parametrize("stage", [OxygenSaturation(CURVE, NOT_CALIBRATED), Perfusion()])
@pytest.mark.parametrize(
    "source",
    [
        Format(0.5, 2, length=LENGTH),  # the rate within the windows is not known
        Format(0.5, 2, length=60, clock_hz=RATE_HZ),
        Format(RATE_HZ, 2),
        Format(None, 2, names=("since", "valid")),
    ],
)
def test_windows_that_do_not_fit_are_refused_in_words(stage: OxygenSaturation | Perfusion, source: Format) -> None:
    with pytest.raises(PipelineError, match="wanted windows"):
        stage.design(source)


def test_there_is_no_curve_by_default() -> None:
    with pytest.raises(TypeError):
        OxygenSaturation(calibration=NOT_CALIBRATED)  # type: ignore[call-arg]


def test_perfusion_of_a_sine_is_twice_its_height_over_its_mean() -> None:
    t = np.arange(LENGTH) / RATE_HZ
    window = np.stack([1000 + 10 * np.sin(2 * np.pi * t), 500 + 1 * np.sin(2 * np.pi * t)], axis=1)
    found, _ = Perfusion().design(SOURCE).step(None, window.astype(np.float32).reshape(1, -1))
    assert found[0].tolist() == pytest.approx([2.0, 0.4], rel=0.005)


def test_one_movement_does_not_move_the_perfusion() -> None:
    t = np.arange(LENGTH) / RATE_HZ
    window = np.stack([1000 + 10 * np.sin(2 * np.pi * t)] * 2, axis=1)
    window[100:120] += 300
    found, _ = Perfusion().design(SOURCE).step(None, window.astype(np.float32).reshape(1, -1))
    assert found[0].tolist() == pytest.approx([2.0, 2.0], rel=0.02)


def test_perfusion_without_light_is_0_and_never_above_100() -> None:
    kernel = Perfusion().design(SOURCE)
    dark = np.zeros((1, 2 * LENGTH), np.float32)
    rails = np.tile(np.array([0.0, 0.0, 1000.0, 1000.0], np.float32), LENGTH // 2)[None]
    assert kernel.step(None, dark)[0].tolist() == [[0.0, 0.0]]
    assert kernel.step(None, rails)[0].tolist() == [[100.0, 100.0]]
