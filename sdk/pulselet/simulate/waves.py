"""Random signals as closed forms of time: sums of cosines with drawn frequencies and phases.

This is the spectral representation of a stationary process (Shinozuka and Deodatis, Applied Mechanics Reviews 44,
1991). Such a signal has no state, so that it may be evaluated anywhere, and with frequencies that are drawn it never
repeats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COSINES = 32


@dataclass(frozen=True, eq=False)
class Waves:
    """A drawn signal; its rms over a long time is `rms`, and it never exceeds `rms * PEAK`."""

    rms: float
    hz: NDArray[np.float64]  # (COSINES,)
    phase_rad: NDArray[np.float64]  # (COSINES,)

    @classmethod
    def around(cls, rng: np.random.Generator, hz: float, spread_hz: float, rms: float) -> Waves:
        """Return a signal whose spectrum is a Gaussian around `hz`."""
        return cls(rms, rng.normal(hz, spread_hz, COSINES), rng.uniform(0, 2 * np.pi, COSINES))

    @classmethod
    def within(cls, rng: np.random.Generator, band_hz: tuple[float, float], rms: float) -> Waves:
        """Return a signal whose spectrum is flat within a band."""
        return cls(rms, rng.uniform(*band_hz, COSINES), rng.uniform(0, 2 * np.pi, COSINES))

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values at any times, in the shape of the times."""
        angles = 2 * np.pi * np.asarray(times_s)[..., None] * self.hz + self.phase_rad
        values: NDArray[np.float64] = self.rms * np.sqrt(2 / COSINES) * np.cos(angles).sum(axis=-1)
        return values


PEAK = float(np.sqrt(2 * COSINES))
