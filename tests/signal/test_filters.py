"""Filters against scipy in float64, published formulas and calculations by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.averages import RemoveDrift
from pulselet.signal.filters import (
    BandPass,
    Derivative,
    HighPass,
    LowPass,
    Notch,
    SosKernel,
    group_delay_s,
)
from pulselet.signal.stage import Format, Stage

ECG = Format(250.0, 1, "mV")
NOISE = np.random.default_rng(1).standard_normal(5000)


def filtered(stage: Stage, x: NDArray[np.float64], source: Format = ECG) -> NDArray[np.float64]:
    kernel = stage.design(source)
    rows = x.reshape(len(x), -1).astype(np.float32)
    return np.squeeze(kernel.step(kernel.start(), rows)[0].astype(np.float64), axis=1)


def tone(frequency_hz: float, rate_hz: float, seconds: float) -> NDArray[np.float64]:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def gain(stage: Stage, frequency_hz: float, rate_hz: float, cycles: int = 20) -> float:
    """Return the amplitude of a tone after the filter, over its last cycles."""
    seconds = max(3 * cycles / frequency_hz, 20.0)
    x = tone(frequency_hz, rate_hz, seconds)
    last = round(cycles / frequency_hz * rate_hz)
    turn = np.exp(-2j * np.pi * frequency_hz / rate_hz * np.arange(len(x)))[-last:]
    y = filtered(stage, x, Format(rate_hz, 1))
    return float(abs(np.sum(y[-last:] * turn)) / abs(np.sum(x[-last:] * turn)))


@pytest.mark.parametrize(
    ("stage", "corners", "kind"),
    [
        (LowPass(15.0, order=3), 15.0, "lowpass"),
        (HighPass(0.5), 0.5, "highpass"),
        (BandPass(5.0, 15.0), (5.0, 15.0), "bandpass"),
        (BandPass(0.5, 40.0, order=3), (0.5, 40.0), "bandpass"),
    ],
)
def test_a_butterworth_filter_is_scipys_in_float64_within_float32s_rounding(
    stage: LowPass | HighPass | BandPass, corners: float | tuple[float, float], kind: str
) -> None:
    from scipy.signal import butter, sosfilt, sosfilt_zi

    sos = butter(stage.order, corners, kind, fs=250.0, output="sos")
    wanted, _ = sosfilt(sos, NOISE, zi=sosfilt_zi(sos) * NOISE[0])
    assert np.abs(filtered(stage, NOISE) - wanted).max() < 1e-4


@pytest.mark.parametrize("corner_hz", [5.0, 15.0])
def test_a_band_pass_is_3_db_down_at_its_corners(corner_hz: float) -> None:
    assert 20 * np.log10(gain(BandPass(5.0, 15.0), corner_hz, 250.0)) == pytest.approx(-3.01, abs=0.03)


def test_a_band_pass_falls_off_by_its_order() -> None:
    """Two poles at each edge: 12 dB for each octave below, when far away."""
    octave = gain(BandPass(5.0, 15.0), 0.4, 250.0) / gain(BandPass(5.0, 15.0), 0.2, 250.0)
    assert 20 * np.log10(octave) == pytest.approx(12.04, abs=0.2)


def test_a_notch_takes_out_the_mains_and_nothing_else() -> None:
    assert gain(Notch(50.0), 50.0, 250.0, cycles=200) < 0.01
    for heart_hz in (1.0, 10.0, 40.0, 60.0):
        assert gain(Notch(50.0), heart_hz, 250.0) == pytest.approx(1.0, abs=0.01)


def test_a_notch_is_as_wide_as_its_quality_says() -> None:
    """50 Hz at quality 10 is 5 Hz wide at -3 dB; bilinear warping leaves the edges where they are to a few per cent."""
    for edge_hz in (47.56, 52.56):
        assert gain(Notch(50.0, quality=10.0), edge_hz, 500.0) == pytest.approx(np.sqrt(0.5), abs=0.01)


def test_a_notch_with_harmonics_takes_out_each() -> None:
    for mains_hz in (50.0, 100.0):
        assert gain(Notch(50.0, harmonics=2), mains_hz, 250.0, cycles=400) < 0.01


@pytest.mark.parametrize("frequency_hz", [1.0, 3.0, 8.7, 30.0])
def test_the_group_delay_in_closed_form_is_scipys(frequency_hz: float) -> None:
    from scipy.signal import butter, group_delay, sos2tf

    sos = butter(3, (5.0, 15.0), "bandpass", fs=250.0, output="sos")
    _, (wanted,) = group_delay(sos2tf(sos), w=[frequency_hz], fs=250.0)
    assert group_delay_s(sos, frequency_hz, 250.0) == pytest.approx(wanted / 250.0, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("stage", [BandPass(5.0, 15.0), BandPass(8.0, 20.0, order=3), BandPass(0.5, 8.0)])
def test_the_latency_of_a_band_pass_is_the_delay_of_an_envelope(stage: BandPass) -> None:
    """A tone's phase does not tell a band-pass's delay; how late its slow swelling comes out does."""
    rate_hz, centre_hz = 250.0, float(np.sqrt(stage.low_hz * stage.high_hz))
    slow_hz = (stage.high_hz - stage.low_hz) / 100
    t = np.arange(round(6 / slow_hz * rate_hz)) / rate_hz
    y = filtered(stage, (1 + 0.5 * np.cos(2 * np.pi * slow_hz * t)) * np.sin(2 * np.pi * centre_hz * t))
    carrier = y * np.exp(-2j * np.pi * centre_hz * t)
    last = round(4 / slow_hz * rate_hz)
    side = [np.sum(carrier[-last:] * np.exp(-2j * np.pi * k * slow_hz * t[-last:])) for k in (-1, 1)]
    delay_s = -np.angle(side[1] / side[0]) / (2 * 2 * np.pi * slow_hz)
    assert delay_s == pytest.approx(stage.design(ECG).latency_s, rel=0.03)


def test_the_latency_of_a_low_pass_is_its_group_delay_at_dc() -> None:
    """Second-order Butterworth: sqrt(2) / (2 pi f) s (from the analog prototype, far below half the rate)."""
    assert LowPass(2.0).design(Format(500.0, 1)).latency_s == pytest.approx(np.sqrt(2) / (2 * np.pi * 2.0), rel=1e-3)
    assert HighPass(2.0).design(Format(500.0, 1)).latency_s == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("stage", "wanted"),
    [(LowPass(10.0), 300.0), (HighPass(0.5), 0.0), (BandPass(1.0, 10.0), 0.0), (Notch(50.0), 300.0)],
)
def test_an_offset_makes_no_step_at_the_start(stage: Stage, wanted: float) -> None:
    assert filtered(stage, np.full(200, 300.0)) == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("method", ["pan-tompkins", "least-squares", "difference"])
def test_the_derivative_of_a_line_is_its_slope(method: str) -> None:
    line = 3.0 * np.arange(100) / 250.0
    assert filtered(Derivative(method), line)[10:] == pytest.approx(3.0, rel=1e-4)


def test_the_pan_tompkins_derivative_is_the_published_difference_equation() -> None:
    """y(n) = (1 / 8T) [-x(n-2) - 2 x(n-1) + 2 x(n+1) + x(n+2)], Pan and Tompkins 1985, equation 10."""
    x, n = NOISE[:50], np.arange(2, 48)
    wanted = 250.0 / 8 * (-x[n - 2] - 2 * x[n - 1] + 2 * x[n + 1] + x[n + 2])
    assert filtered(Derivative(), x)[n + 2] == pytest.approx(wanted, rel=1e-4, abs=1e-3)
    assert Derivative().design(ECG).latency_s == 2 / 250.0


def test_the_least_squares_derivative_is_savitzky_and_golays() -> None:
    from scipy.signal import savgol_filter

    wanted = savgol_filter(NOISE[:200], 9, polyorder=1, deriv=1, delta=1 / 250.0)
    assert filtered(Derivative("least-squares", points=9), NOISE[:200])[8:] == pytest.approx(
        wanted[4:-4], rel=1e-4, abs=1e-3
    )


def test_a_derivative_says_its_unit() -> None:
    assert Derivative().design(ECG).output.unit == "mV/s"


@pytest.mark.parametrize(("rate_hz", "cutoff_hz"), [(500.0, 0.05), (250.0, 0.5), (50.0, 0.1)])
@pytest.mark.parametrize("ratio", [0.2, 1.0, 3.0, 20.0])
def test_removing_drift_is_a_first_order_high_pass_within_2_per_cent(
    rate_hz: float, cutoff_hz: float, ratio: float
) -> None:
    wanted = ratio / np.sqrt(1 + ratio**2)
    assert gain(RemoveDrift(cutoff_hz), ratio * cutoff_hz, rate_hz, cycles=4) == pytest.approx(wanted, rel=0.02)


def test_removing_drift_stays_true_where_plain_float32_sections_are_refused() -> None:
    """0.05 Hz at 500 Hz, on an electrode offset of 300 mV that shifts by 0.5 mV: gone to within 0.1 uV."""
    source, n = Format(500.0, 1, "mV"), 60_000
    with pytest.raises(PipelineError, match="too low for float32"):
        HighPass(0.05).design(source)
    offset = np.full(n, 300.0)
    offset[100:] += 0.5
    assert abs(filtered(RemoveDrift(0.05), offset, source)[-1]) < 1e-4


def test_a_float32_filter_that_would_be_wrong_is_refused_with_its_error() -> None:
    with pytest.raises(PipelineError, match=r"BandPass: 0.05 Hz at 1000 Hz is too low for float32 \(error .*decimate"):
        BandPass(0.05, 40.0, order=4).design(Format(1000.0, 1))


@pytest.mark.parametrize(
    ("stage", "source", "words"),
    [
        (LowPass(125.0), ECG, "a cut-off between 0 and 125 Hz"),
        (LowPass(10.0, order=9), ECG, "an order from 1 to 8, got 9"),
        (BandPass(15.0, 5.0), ECG, "low_hz below high_hz, got 15.0 and 5.0 Hz"),
        (BandPass(5.0, 130.0), ECG, "half the rate"),
        (BandPass(0.0, 30.0), ECG, "a cut-off between 0"),
        (BandPass(5.0, 15.0), Format(None, 2, clock_hz=250.0), "samples at an even rate"),
        (Notch(60.0), Format(100.0, 1), "between 0 and 50 Hz"),
        (Notch(50.0, harmonics=3), ECG, "half the rate"),
        (Notch(50.0, quality=0.0), ECG, "a quality"),
        (Derivative("central"), ECG, "method 'pan-tompkins'"),
        (Derivative("least-squares", points=4), ECG, "an odd number of points"),
        (RemoveDrift(5.0), ECG, "HighPass"),
        (RemoveDrift(-1.0), ECG, "a cut-off from"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_in_words(stage: Stage, source: Format, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        stage.design(source)


def test_a_chunk_of_many_channels_is_each_channel_by_itself() -> None:
    x = np.random.default_rng(2).standard_normal((300, 3)).astype(np.float32)
    kernel = BandPass(5.0, 15.0).design(Format(250.0, 3))
    assert isinstance(kernel, SosKernel)
    whole, _ = kernel.step(kernel.start(), x)
    one = BandPass(5.0, 15.0).design(ECG)
    for c in range(3):
        assert np.array_equal(one.step(one.start(), x[:, c : c + 1])[0][:, 0], whole[:, c])
