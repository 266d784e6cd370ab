"""Whole-record analysis against scipy and calculations by hand; and that it stays out of pipelines."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from pulselet.errors import PulseletError
from pulselet.signal import offline
from pulselet.signal.filters import BandPass, HighPass, LowPass, Notch
from pulselet.signal.offline import detrended, resampled, standardized, zero_phase
from pulselet.signal.stage import Kernel, Stage

T = np.arange(5000) / 250.0
OURS = [value for value in vars(offline).values() if getattr(value, "__module__", "") == offline.__name__]


def test_nothing_here_is_a_stage_so_none_can_be_put_in_a_pipeline() -> None:
    assert OURS
    assert all(inspect.isfunction(value) and not hasattr(value, "design") for value in OURS)
    assert not any(stage.__module__ == offline.__name__ for stage in Stage.registry.values())
    assert not any(kind.__module__ == offline.__name__ for kind in Kernel.__subclasses__())


def test_zero_phase_filtering_does_not_move_a_wave() -> None:
    wave = np.sin(2 * np.pi * 8.66 * T)
    y = zero_phase(wave + 5, BandPass(5.0, 15.0), rate_hz=250.0)
    assert y[1000:-1000] == pytest.approx(wave[1000:-1000], abs=2e-3)


@pytest.mark.parametrize("corner_hz", [5.0, 15.0])
def test_zero_phase_filtering_is_6_db_down_at_its_corners(corner_hz: float) -> None:
    y = zero_phase(np.sin(2 * np.pi * corner_hz * T), BandPass(5.0, 15.0), rate_hz=250.0)
    assert 20 * np.log10(np.sqrt(2) * y[1000:-1000].std()) == pytest.approx(-6.02, abs=0.05)


@pytest.mark.parametrize("filter_", [LowPass(10.0), HighPass(1.0), Notch(50.0)])
def test_zero_phase_filtering_backwards_is_the_same_backwards(filter_: LowPass | HighPass | Notch) -> None:
    x = np.random.default_rng(0).standard_normal((5000, 2))
    forwards = zero_phase(x, filter_, rate_hz=250.0)
    backwards = zero_phase(x[::-1], filter_, rate_hz=250.0)[::-1]
    assert forwards[1000:-1000] == pytest.approx(backwards[1000:-1000], abs=1e-3)


def test_resampling_does_not_move_a_wave() -> None:
    wave = np.sin(2 * np.pi * 3.0 * T)
    y = resampled(wave, rate_hz=250.0, to_hz=100.0)
    assert len(y) == 2000
    assert y[100:-100] == pytest.approx(np.sin(2 * np.pi * 3.0 * np.arange(2000) / 100.0)[100:-100], abs=2e-3)


def test_standardizing_uses_the_whole_record_and_leaves_a_flat_channel_at_0() -> None:
    x = np.stack([3 + 2 * np.random.default_rng(0).standard_normal(500), np.full(500, 7.0)], axis=1)
    y = standardized(x)
    assert y[:, 0].mean() == pytest.approx(0)
    assert y[:, 0].std() == pytest.approx(1)
    assert not y[:, 1].any()


def test_detrending_takes_a_line_away() -> None:
    wave = np.sin(2 * np.pi * T)  # whole periods
    assert detrended(4 + 0.3 * T) == pytest.approx(0, abs=1e-9)
    assert np.abs(detrended(wave + 4 + 0.3 * T) - wave).max() < 0.1


@pytest.mark.parametrize("bad", [[], [1.0], [1.0, np.nan, 2.0], np.zeros((2, 2, 2))])
def test_what_is_no_recording_is_refused_in_words(bad: list[float]) -> None:
    for call in (
        lambda: zero_phase(bad, LowPass(10.0), rate_hz=250.0),
        lambda: resampled(bad, rate_hz=250.0, to_hz=100.0),
        lambda: standardized(bad),
        lambda: detrended(bad),
    ):
        with pytest.raises(PulseletError, match="finite samples"):
            call()


def test_a_recording_shorter_than_the_filter_and_rates_of_nothing_are_refused() -> None:
    with pytest.raises(PulseletError, match="wanted 16 or more"):
        zero_phase(np.ones(10), BandPass(5.0, 15.0), rate_hz=250.0)
    with pytest.raises(PulseletError, match="rates above 0 Hz"):
        resampled(np.ones(10), rate_hz=0.0, to_hz=100.0)
