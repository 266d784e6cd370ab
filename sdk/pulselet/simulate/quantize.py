"""From values to what a converter gives."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PulseletError


def quantized(values: ArrayLike, *, lsb: float, bits: Literal[16, 24]) -> NDArray[np.int32]:
    """Return values as signed integers, in the shape of the values, as a converter of so many bits gives them.

    Parameters
    ----------
    values
        In any unit.
    lsb
        The step of the converter, in that unit.
    bits
        16 or 24. What lies out of range is held at its end, as a converter holds it.

    Raises
    ------
    PulseletError
        If the step is not above 0, the bits are others, or a value is not a number.

    >>> quantized([0.0, 1.24, -1.26, 1e9], lsb=0.5, bits=16).tolist()
    [0, 2, -3, 32767]
    """
    if not lsb > 0 or bits not in (16, 24):
        raise PulseletError(f"wanted a step above 0 and 16 or 24 bits, got {lsb} and {bits}")
    steps = np.rint(np.asarray(values, np.float64) / lsb)
    if np.isnan(steps).any():
        raise PulseletError(f"{np.isnan(steps).sum()} values are not numbers: there is no integer for them")
    limit = 1 << (bits - 1)
    return np.clip(steps, -limit, limit - 1).astype(np.int32)
