"""What windows of light tell of the blood: perfusion index, and oxygen saturation by the device's own curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check

SEGMENT_S = 1.5
"""Long enough for a whole pulse at 40 a minute."""
SHORTEST_S = 2.0
"""A window of oxygen saturation, at the least."""
APART_S = 0.12
"""Between the two samples of a difference: the slope of a systole lasts so long, breathing moves little within it."""
HIGHEST_RATIO = np.float32(4.0)
LEAST_PART = np.float32(1e-4)
LEAST_POWER = np.float32(1e-30)
LEAST_CHANGE = 2.0**-17
"""Of the light, root mean square: a constant leaves up to 1e-6 of itself in float32 filters, a weak pulse 5e-5."""
LARGEST_COEFFICIENT = 1e4
NOT_CALIBRATED = "not calibrated"

F = np.float32


def _sample_hz(stage: Stage, source: Format, least_s: float) -> float:
    """Return the rate of the samples in windows, Hz; PipelineError unless windows of `least_s` or more come in."""
    check(source.length > 1 and source.rate_hz is not None, stage, "windows: put a Window before it", source)
    sample_hz = source.clock_hz or 0.0
    check(10.0 <= sample_hz <= 1000.0, stage, "windows of samples at 10 to 1000 Hz", f"{sample_hz:g} Hz")
    least = round(least_s * sample_hz)
    check(source.length >= least, stage, f"windows of {least_s:g} s, {least} samples, or more", source.length)
    return sample_hz


def _total(x: Samples) -> Samples:
    """Return the sums over the samples of windows `(windows, length, ...)`, one sample after another."""
    return np.asarray(np.add.accumulate(x, axis=1)[:, -1] + F(0))


class PerfusionKernel(Kernel):
    """Windows `(length, channels)` to a row `(channels,)`; no state."""

    def __init__(self, source: Format, segment: int) -> None:
        self.source, self.segment = source, segment
        self.segments = source.length // segment
        self.output = source.but(length=1, unit="%", clock_hz=None)
        self.operations = 3 * source.width

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        length, channels = self.source.length, self.source.channels
        windows = x.reshape(-1, length, channels)
        parts = windows[:, length - self.segments * self.segment :].reshape(-1, self.segments, self.segment, channels)
        heights = np.sort(parts.max(axis=2) - parts.min(axis=2), axis=1)[:, self.segments // 2]
        mean = _total(windows) / F(length)
        part = heights / np.where(mean > heights, mean, F(1))
        return np.where(mean > heights, F(100) * part, np.where(mean > 0, F(100), F(0))), None

    def c_form(self) -> CForm:
        fields = (
            ("length", self.source.length),
            ("channels", self.source.channels),
            ("segment", self.segment),
            ("segments", self.segments),
            ("samples", F(self.source.length)),
        )
        return CForm("perfusion", "pl_oxygen.h", fields, state_words=self.segments)


class OxygenKernel(Kernel):
    """Windows `(length, 2)` to a row of three; no state."""

    def __init__(self, source: Format, apart: int, curve: tuple[float, ...], name: str) -> None:
        self.source, self.apart = source, apart
        self.curve = np.array(curve, np.float32)
        self.least_change = F(LEAST_CHANGE**2 * (source.length - apart))  # of the power, over the mean squared
        self.output = Format(source.rate_hz, 3, names=(name, "ratio", "correlation"))
        self.operations = 10 * source.length

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        windows = x.reshape(-1, self.source.length, 2)
        mean = _total(windows) / F(self.source.length)
        red, infrared = np.moveaxis(windows[:, self.apart :] - windows[:, : -self.apart], 2, 0)
        both, red_power, power = _total(red * infrared), _total(red * red), _total(infrared * infrared)
        known = (power > LEAST_POWER) & (red_power > LEAST_POWER) & (mean[:, 1] > 0)
        known &= mean[:, 0] > LEAST_PART * mean[:, 1]
        known &= (red_power > mean[:, 0] * mean[:, 0] * self.least_change) & (
            power > mean[:, 1] * mean[:, 1] * self.least_change
        )
        one = F(1)
        slope = both / np.where(known, power, one)
        ratio = slope * (np.where(known, mean[:, 1], one) / np.where(known, mean[:, 0], one))
        ratio = np.minimum(np.maximum(ratio, F(0)), HIGHEST_RATIO)
        alike = both / np.where(known, np.sqrt(red_power) * np.sqrt(power), one)
        alike = np.minimum(np.maximum(alike, F(0)), one)
        spo2 = self.curve[0] + ratio * (self.curve[1] + ratio * self.curve[2])
        spo2 = np.minimum(np.maximum(spo2, F(0)), F(100))
        return np.where(known[:, None], np.stack([spo2, ratio, alike], axis=1), F(0)), None

    def c_form(self) -> CForm:
        fields = (
            ("length", self.source.length),
            ("apart", self.apart),
            ("samples", F(self.source.length)),
            ("curve", self.curve),
            ("highest_ratio", HIGHEST_RATIO),
            ("least_part", LEAST_PART),
            ("least_power", LEAST_POWER),
            ("least_change", self.least_change),
        )
        return CForm("oxygen", "pl_oxygen.h", fields, state_words=0)


@dataclass(frozen=True)
class Perfusion(Stage):
    """Perfusion index of each channel, %, from windows of light as it was measured.

    The pulsating part over the steady part: the median, over stretches of 1.5 s from the window's end, of highest minus
    lowest sample, over the mean of the window (Lima and Bakker, Intensive Care Medicine 31, 2005, for the index; the
    stretches are ours: they hold a pulse at 40 a minute or more, and one movement does not move their median). It is 0
    where the mean is not above 0 and at most 100. Keep the offset: no high-pass may come before; a low-pass may, and
    keeps noise from counting as pulse. A gap has no meaning of its own: `Window` drops what it touches.
    """

    def design(self, source: Format) -> PerfusionKernel:
        return PerfusionKernel(source, round(SEGMENT_S * _sample_hz(self, source, SEGMENT_S)))


@dataclass(frozen=True)
class OxygenSaturation(Stage):
    """Saturation of arterial blood with oxygen, %, from windows of red and infrared light and the device's own curve.

    **Not a measurement until the curve is calibrated.** The curve depends on the wavelengths of the diodes, on the
    optics and on the place on the body; it must be fitted against a reference oximeter or arterial blood in people, as
    ISO 80601-2-61 and its annex demand, and its error stated, also by skin tone. A textbook's curve is an
    illustration. So there is no default, and `calibration` must say where the curve comes from; with "not calibrated"
    the column is called `spo2_uncalibrated`, in Python and in C. Simulated light is all that this has been tested on.

    Channels are red, then infrared, as measured: light that comes through or back, dark level taken off, no high-pass
    before it. The ratio of ratios R is the slope of red over infrared changes within 0.12 s (least squares), each over
    its mean (Webster, "Design of Pulse Oximeters", 1997, chapter 9); the saturation is a + b R + c R^2, from 0 to 100.
    White noise in the infrared channel pulls R towards 0: a low-pass of some 5 Hz before the windows keeps it out.

    Columns: `spo2` (or `spo2_uncalibrated`), `ratio`, up to 4, and `correlation` of the two changes, 0 to 1: low
    where movement or noise make the ratio meaningless. All three are 0 where there is no light, or no change:
    of either channel less than 2**-17 of its light, root mean square, so rounding is none.

    Parameters
    ----------
    curve
        a, b and c.
    calibration
        The device, the reference and the study that the curve comes from, or "not calibrated".
    """

    curve: tuple[float, ...]
    calibration: str

    def design(self, source: Format) -> OxygenKernel:
        sample_hz = _sample_hz(self, source, SHORTEST_S)
        check(source.channels == 2, self, "two channels, red and infrared", source)
        small = len(self.curve) == 3 and all(abs(c) <= LARGEST_COEFFICIENT for c in self.curve)
        check(small, self, f"a curve of three coefficients within {LARGEST_COEFFICIENT:g}", self.curve)
        check(bool(self.calibration.strip()), self, "words on how the curve was calibrated", repr(self.calibration))
        name = "spo2_uncalibrated" if self.calibration.strip() == NOT_CALIBRATED else "spo2"
        return OxygenKernel(source, max(1, round(APART_S * sample_hz)), self.curve, name)
