"""Linear filters: Butterworth and notch as float32 second-order sections, derivatives.

All start as if their first sample had been there for ever, so gravity or an offset makes no start-up step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, even_rate

TOLERANCE = 1e-3
"""Largest relative error against float64 that a float32 filter may have before it is refused."""
LOWEST_PART = 1e-6
"""Of the rate: the lowest corner that is tried; further down, even float64 cannot tell the coefficients apart."""


class SosKernel(Kernel):
    """Second-order sections in direct form II transposed, float32 sections, input and state.

    The state is None before the first sample, then float32 `(sections, 2, channels)`, at first the steady state of the
    first sample (`scipy.signal.sosfilt_zi`). A gap starts it anew.
    """

    def __init__(self, sos: NDArray[np.float64], source: Format, latency_s: float = 0.0) -> None:
        from scipy.signal import sosfilt_zi

        self.exact = sos
        self.sos = sos.astype(np.float32)
        self.zi = sosfilt_zi(sos).astype(np.float32)
        self.source = self.output = source
        self.latency_s = latency_s
        self.operations = 9 * len(sos) * source.channels

    def start(self) -> Samples | None:
        return None

    def step(self, state: Samples | None, x: Samples) -> tuple[Samples, Samples | None]:
        from scipy.signal import sosfilt

        if len(x) == 0:
            return x, state
        if state is None:
            state = self.zi[:, :, None] * x[0]
        y, state = sosfilt(self.sos, x, axis=0, zi=state)
        return y, state

    def c_form(self) -> CForm:
        # scipy's sections carry a0 = 1; C keeps b0 b1 b2 a1 a2
        sections = len(self.sos)
        return CForm(
            kind="sos",
            header="pl_filters.h",
            fields=(
                ("sections", sections),
                ("channels", self.source.channels),
                ("coefficients", np.ascontiguousarray(self.sos[:, [0, 1, 2, 4, 5]])),
                ("initial", self.zi),
            ),
            state_words=1 + 2 * sections * self.source.channels,
        )


def group_delay_s(sos: NDArray[np.float64], frequency_hz: float, rate_hz: float) -> float:
    """Return the group delay of second-order sections at a frequency, s (minus the slope of their phase)."""
    powers = np.exp(-2j * np.pi * frequency_hz / rate_hz * np.arange(3))
    delay = 0.0
    for section in sos:
        for sign, polynomial in ((1, section[:3]), (-1, section[3:])):
            terms = polynomial * powers
            delay += sign * float(np.real(np.sum(np.arange(3) * terms) / np.sum(terms)))
    return delay / rate_hz


def sections(
    stage: Stage, sos: NDArray[np.float64], source: Format, *, lowest_hz: float, middle_hz: float
) -> SosKernel:
    """Return the kernel of designed sections.

    Parameters
    ----------
    lowest_hz
        The filter's slowest corner, or the width of its band, which decides how long it is compared with float64.
    middle_hz
        The middle of the pass band, where the latency is declared.

    Raises
    ------
    PipelineError
        If float32 is too coarse for them.
    """
    rate_hz = even_rate(stage, source)
    if not lowest_hz >= LOWEST_PART * rate_hz:
        raise _too_low(stage, lowest_hz, rate_hz, f"wanted at least {LOWEST_PART:.0e} of the rate")
    kernel = SosKernel(sos, source, max(0.0, group_delay_s(sos, middle_hz, rate_hz)))
    _refuse_if_coarse(stage, sos, kernel, lowest_hz, rate_hz)
    return kernel


def _butterworth(stage: Stage, order: int, corners_hz: tuple[float, ...], kind: str, source: Format) -> SosKernel:
    from scipy.signal import butter

    rate_hz = even_rate(stage, source)
    check(order in range(1, 9), stage, "an order from 1 to 8", order)
    for corner in corners_hz:
        check(0 < corner < rate_hz / 2, stage, f"a cut-off between 0 and {rate_hz / 2:g} Hz (half the rate)", corner)
    corners = corners_hz if len(corners_hz) > 1 else corners_hz[0]
    sos = cast("NDArray[np.float64]", butter(order, corners, kind, fs=rate_hz, output="sos"))
    # a low-pass passes DC, a high-pass half the rate, a band-pass the geometric mean of its corners
    middle_hz = {"lowpass": 0.0, "highpass": rate_hz / 2 - 1e-9}.get(kind, float(np.sqrt(np.prod(corners_hz))))
    lowest_hz = min(corners_hz[0], corners_hz[-1] - corners_hz[0] or math.inf)
    return sections(stage, sos, source, lowest_hz=lowest_hz, middle_hz=middle_hz)


def _refuse_if_coarse(
    stage: Stage, sos: NDArray[np.float64], kernel: SosKernel, cutoff_hz: float, rate_hz: float
) -> None:
    """Run the float32 filter beside float64 on noise with an offset, over several time constants."""
    from scipy.signal import sosfilt, sosfilt_zi

    n = int(min(200_000, max(1_000, 20 * rate_hz / cutoff_hz)))
    x = (1 + np.random.default_rng(0).standard_normal(n)).astype(np.float32)
    exact, _ = sosfilt(sos, x.astype(np.float64), zi=sosfilt_zi(sos) * float(x[0]))
    single, _ = sosfilt(kernel.sos, x, zi=kernel.zi * x[0])
    error = float(np.max(np.abs(exact - single)) / np.max(np.abs(exact)))
    if not error <= TOLERANCE:
        raise _too_low(stage, cutoff_hz, rate_hz, f"error {error:.1e}, wanted at most {TOLERANCE:.0e}")


def _too_low(stage: Stage, cutoff_hz: float, rate_hz: float, why: str) -> PipelineError:
    what = f"{type(stage).__name__}: {cutoff_hz:g} Hz at {rate_hz:g} Hz is too low for float32"
    return PipelineError(f"{what} ({why}): decimate first, RemoveDrift, or raise the cut-off")


@dataclass(frozen=True)
class LowPass(Stage):
    """Butterworth low-pass: -3 dB at `cutoff_hz` (Butterworth 1930; design by `scipy.signal.butter`).

    A gap starts it anew, in the steady state of the first sample after it.
    """

    cutoff_hz: float
    order: int = 2

    def design(self, source: Format) -> SosKernel:
        return _butterworth(self, self.order, (self.cutoff_hz,), "lowpass", source)


@dataclass(frozen=True)
class HighPass(Stage):
    """Butterworth high-pass: -3 dB at `cutoff_hz` (Butterworth 1930; design by `scipy.signal.butter`).

    Refused where float32 is too coarse (order 2: about a 5000th of the rate): `RemoveDrift` reaches further down.
    A gap starts it anew, in the steady state of the first sample after it.
    """

    cutoff_hz: float
    order: int = 2

    def design(self, source: Format) -> SosKernel:
        return _butterworth(self, self.order, (self.cutoff_hz,), "highpass", source)


@dataclass(frozen=True)
class BandPass(Stage):
    """Butterworth band-pass: -3 dB at `low_hz` and `high_hz`, `order` poles at each (design by `scipy.signal.butter`).

    Its latency is the group delay at the geometric mean of the two. A gap starts it anew, in the steady state of the
    first sample after it.
    """

    low_hz: float
    high_hz: float
    order: int = 2

    def design(self, source: Format) -> SosKernel:
        check(self.low_hz < self.high_hz, self, "low_hz below high_hz", f"{self.low_hz} and {self.high_hz} Hz")
        return _butterworth(self, self.order, (self.low_hz, self.high_hz), "bandpass", source)


@dataclass(frozen=True)
class Notch(Stage):
    """Second-order notch at `frequency_hz` and, if wanted, its harmonics, for the hum of the mains.

    Each is `frequency / quality` wide at -3 dB (Orfanidis 1996; design by `scipy.signal.iirnotch`). It delays what is
    away from the notch by nearly nothing: the latency is the group delay at DC. A gap starts it anew.
    """

    frequency_hz: float
    quality: float = 30.0
    harmonics: int = 1

    def design(self, source: Format) -> SosKernel:
        from scipy.signal import iirnotch

        rate_hz = even_rate(self, source)
        check(self.harmonics in range(1, 9), self, "1 to 8 harmonics", self.harmonics)
        check(0.5 <= self.quality <= 1000, self, "a quality from 0.5 to 1000", self.quality)
        highest_hz = self.frequency_hz * self.harmonics
        wanted = f"a frequency between 0 and {rate_hz / 2:g} Hz (half the rate)"
        check(self.frequency_hz > 0 and highest_hz < rate_hz / 2, self, wanted, highest_hz)
        rows = [np.concatenate(iirnotch(k * self.frequency_hz, self.quality, rate_hz)) for k in self._numbers()]
        return sections(self, np.array(rows), source, lowest_hz=self.frequency_hz / self.quality, middle_hz=0.0)

    def _numbers(self) -> range:
        return range(1, self.harmonics + 1)


class FirKernel(Kernel):
    """A short filter `y[n] = taps[0] x[n] + taps[1] x[n-1] + ...`, summed in that order.

    The state is None before the first sample, then the last `taps - 1` samples, oldest first. A gap starts it anew.
    """

    def __init__(self, taps: NDArray[np.float64], source: Format, output: Format, latency_s: float) -> None:
        self.taps = taps.astype(np.float32)
        self.source, self.output = source, output
        self.latency_s = latency_s
        self.operations = (2 * len(taps) - 1) * source.channels

    def start(self) -> Samples | None:
        return None

    def step(self, state: Samples | None, x: Samples) -> tuple[Samples, Samples | None]:
        if len(x) == 0:
            return x, state
        past = len(self.taps) - 1
        kept = np.repeat(x[:1], past, axis=0) if state is None else state
        rows = np.concatenate([kept, x])
        y = self.taps[0] * x
        for k, tap in enumerate(self.taps[1:], start=1):
            y += tap * rows[past - k : len(rows) - k]
        return y, rows[len(rows) - past :].copy()

    def c_form(self) -> CForm:
        fields = (("length", len(self.taps)), ("channels", self.source.channels), ("taps", self.taps))
        return CForm("fir", "pl_filters.h", fields, state_words=1 + (len(self.taps) - 1) * self.source.channels)


@dataclass(frozen=True)
class Derivative(Stage):
    """Slope per second, exact for a straight line; the unit gets a "/s".

    Parameters
    ----------
    method
        "pan-tompkins": `(-x[n-2] - 2 x[n-1] + 2 x[n+1] + x[n+2]) / 8` (Pan and Tompkins 1985), five points.
        "least-squares": slope of the line fitted to `points` samples (Savitzky and Golay 1964), smoother the longer.
        "difference": `x[n] - x[n-1]`.
    points
        Of "least-squares": an odd number from 3 to 101.

    A gap starts it anew.
    """

    method: str = "pan-tompkins"
    points: int = 5

    def design(self, source: Format) -> FirKernel:
        rate_hz = even_rate(self, source)
        taps = self._taps() * rate_hz
        output = source.but(unit=f"{source.unit}/s" if source.unit else "")
        return FirKernel(taps, source, output, (len(taps) - 1) / 2 / rate_hz)

    def _taps(self) -> NDArray[np.float64]:
        wanted = "method 'pan-tompkins', 'least-squares' or 'difference'"
        check(self.method in ("pan-tompkins", "least-squares", "difference"), self, wanted, repr(self.method))
        if self.method == "difference":
            return np.array([1.0, -1.0])
        if self.method == "pan-tompkins":
            return np.array([1.0, 2.0, 0.0, -2.0, -1.0]) / 8
        check(self.points % 2 == 1 and 3 <= self.points <= 101, self, "an odd number of points, 3 to 101", self.points)
        away = np.arange(self.points // 2, -self.points // 2, -1.0)
        return away / float(np.sum(away**2))
