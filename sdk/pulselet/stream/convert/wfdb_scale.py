"""Digital steps of WFDB: whole multiples of a step stay whole, and other values are spread over the format's range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pulselet.stream.convert.steps import Span

FORMATS = (16, 24, 32)  # bits of a sample, and the names of the formats
INT32 = 2**31 - 1  # a baseline is no larger


class Scale(NamedTuple):
    """`value = (digital - baseline) / gain`, and whether values come back as they were."""

    gain: float
    baseline: int
    exact: bool


def fit(span: Span, bits: int) -> Scale:
    """Return the scale for a channel; the lowest digital value is kept free, as it says that a sample is invalid."""
    low, high = span.bounds
    most = 2 ** (bits - 1) - 2
    if span.step is not None and max(-low, high) / span.step <= most:
        return Scale(float(round(1 / span.step)), 0, exact=True)
    middle = (low + high) / 2
    gain = min(2 * most / (high - low), INT32 / max(1e-30, abs(middle)))
    return Scale(gain, -round(middle * gain), exact=False)


def narrowest(spans: Sequence[Span]) -> int:
    """Return the first format that holds all channels exactly; 16 if none does."""
    for bits in FORMATS:
        if all(fit(span, bits).exact for span in spans):
            return bits
    return FORMATS[0]
