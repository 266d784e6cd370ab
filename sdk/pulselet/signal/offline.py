"""For looking at whole recordings afterwards: zero phase, whole-record normalisation. No device can do this.

Each of these uses samples that a live stream does not have yet, so a network trained on what they give meets other
data on a device. They are plain functions on arrays, no stages, and cannot be put in a pipeline.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PulseletError
from pulselet.signal.filters import BandPass, HighPass, LowPass, Notch
from pulselet.signal.stage import Format

Floats: TypeAlias = NDArray[np.float64]


def _record(x: ArrayLike, least: int = 2) -> Floats:
    values = np.asarray(x, np.float64)
    if values.ndim not in (1, 2) or len(values) < least or not np.isfinite(values).all():
        raise PulseletError(f"wanted {least} or more finite samples (n,) or (n, channels), got shape {values.shape}")
    return values


def zero_phase(x: ArrayLike, filter_: LowPass | HighPass | BandPass | Notch, *, rate_hz: float) -> Floats:
    """Return a recording filtered forwards and backwards: no delay, and the filter's gain twice, -6 dB at its corners.

    Parameters
    ----------
    x
        `(n,)` or `(n, channels)`.
    filter_
        What a pipeline would use; here with float64 sections (`scipy.signal.sosfiltfilt`, Gustafsson 1996 discusses the
        ends).

    Raises
    ------
    PulseletError
        If the recording is empty, not finite or shorter than the filter, or the filter does not fit the rate.
    """
    from scipy.signal import sosfiltfilt

    values = _record(x)
    kernel = filter_.design(Format(rate_hz, 1))
    least = 3 * (2 * len(kernel.exact) + 1) + 1
    return cast("Floats", sosfiltfilt(kernel.exact, _record(values, least), axis=0))


def resampled(x: ArrayLike, *, rate_hz: float, to_hz: float) -> Floats:
    """Return a recording at another rate without delay, `ceil(n * to_hz / rate_hz)` samples.

    By `scipy.signal.resample_poly`, which sees as far ahead as back.

    Raises
    ------
    PulseletError
        If the recording is empty or not finite, or a rate is not above 0.
    """
    from scipy.signal import resample_poly

    if not (0 < rate_hz < np.inf and 0 < to_hz < np.inf):
        raise PulseletError(f"wanted rates above 0 Hz, got {rate_hz} and {to_hz}")
    ratio = Fraction(to_hz / rate_hz).limit_denominator(1000)
    return cast("Floats", resample_poly(_record(x), ratio.numerator, ratio.denominator, axis=0, padtype="line"))


def standardized(x: ArrayLike) -> Floats:
    """Return a recording less its own mean, over its own standard deviation (ddof 0); a flat channel becomes 0.

    On a device, use `Standardize` with constants of the training subjects, or `WindowScale`.

    Raises
    ------
    PulseletError
        If the recording is empty or not finite.

    Examples
    --------
    >>> standardized([1.0, 3.0])
    array([-1.,  1.])
    """
    values = _record(x)
    centred = values - values.mean(axis=0)
    std = values.std(axis=0)
    return np.asarray(centred / np.where(std > 0, std, 1), np.float64)


def detrended(x: ArrayLike) -> Floats:
    """Return a recording less the straight line that fits it best; on a device, use `RemoveDrift`.

    Raises
    ------
    PulseletError
        If the recording is empty or not finite.
    """
    from scipy.signal import detrend

    return cast("Floats", detrend(_record(x), axis=0))
