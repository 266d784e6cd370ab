"""Butterworth filters as float32 second-order sections, started in the steady state of the first sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.stage import CForm, Kernel, Samples, Stage, check

TOLERANCE = 1e-3
"""Largest relative error against float64 that a float32 filter may have before it is refused."""


class SosKernel(Kernel):
    """Second-order sections in direct form II transposed, float32 sections, input and state.

    The state is None before the first sample, then float32 `(sections, 2, channels)`. Each channel starts as if its
    first sample had been there for ever (`scipy.signal.sosfilt_zi`), so gravity or an offset makes no start-up step.
    """

    def __init__(self, sos: NDArray[np.float64], rate_hz: float, channels: int) -> None:
        from scipy.signal import sosfilt_zi

        self.sos = sos.astype(np.float32)
        self.zi = sosfilt_zi(sos).astype(np.float32)
        self.rate_hz = rate_hz
        self.channels = channels

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
            fields=(
                ("sections", sections),
                ("channels", self.channels),
                ("coefficients", np.ascontiguousarray(self.sos[:, [0, 1, 2, 4, 5]])),
                ("initial", self.zi),
            ),
            state_words=1 + 2 * sections * self.channels,
        )


def _design(stage: Stage, order: int, cutoff_hz: float, kind: str, rate_hz: float, channels: int) -> SosKernel:
    from scipy.signal import butter

    check(1 <= order <= 8, stage, "an order from 1 to 8", order)
    check(0 < cutoff_hz < rate_hz / 2, stage, f"a cut-off between 0 and {rate_hz / 2:g} Hz (half the rate)", cutoff_hz)
    sos = cast("NDArray[np.float64]", butter(order, cutoff_hz, kind, fs=rate_hz, output="sos"))
    kernel = SosKernel(sos, rate_hz, channels)
    _refuse_if_coarse(stage, sos, kernel, cutoff_hz, rate_hz)
    return kernel


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
        raise PipelineError(
            f"{type(stage).__name__}: {cutoff_hz:g} Hz at {rate_hz:g} Hz is too low for float32 "
            f"(error {error:.1e}, wanted at most {TOLERANCE:.0e}): decimate first, or raise the cut-off"
        )


@dataclass(frozen=True)
class LowPass(Stage):
    """Butterworth low-pass: -3 dB at `cutoff_hz` (Butterworth 1930; design by `scipy.signal.butter`)."""

    cutoff_hz: float
    order: int = 2

    def design(self, rate_hz: float, channels: int) -> SosKernel:
        return _design(self, self.order, self.cutoff_hz, "lowpass", rate_hz, channels)


@dataclass(frozen=True)
class HighPass(Stage):
    """Butterworth high-pass: -3 dB at `cutoff_hz` (Butterworth 1930; design by `scipy.signal.butter`)."""

    cutoff_hz: float
    order: int = 2

    def design(self, rate_hz: float, channels: int) -> SosKernel:
        return _design(self, self.order, self.cutoff_hz, "highpass", rate_hz, channels)
