"""Digital steps of EDF: physical limits have only eight characters, and whole multiples of a step should stay whole."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from pulselet.errors import RecordingError
from pulselet.stream.convert.steps import Span

CHARACTERS = 8
COARSEST = 256  # steps over the range of the values that are too few to be of use


class Scale(NamedTuple):
    """Physical limits as printed, digital limits, and whether values come back as they were.

    The lowest digital value is kept free: it stands for no sample.
    """

    low: str
    high: str
    digital_low: int
    digital_high: int
    exact: bool

    @property
    def step(self) -> float:
        """Value of one digital step."""
        return (float(self.high) - float(self.low)) / (self.digital_high - self.digital_low)


def fit(name: str, span: Span, bits: int) -> Scale:
    """Return the scale for a channel: by the step that the values are multiples of, or by their range.

    Raises
    ------
    RecordingError
        If eight characters cannot say the range.
    """
    return _by_step(span, 2 ** (bits - 1) - 1) or _by_range(name, span, 2 ** (bits - 1))


def _by_step(span: Span, most: int) -> Scale | None:
    step = span.step
    if step is None:
        return None
    largest = max(abs(bound) for bound in span.bounds) / step
    for decimals in range(6):
        limit = int(most * step * 10**decimals) / 10**decimals
        steps = round(limit / step)
        text = printed(limit, ROUND_CEILING)
        if text and largest < steps <= most and float(text) == limit and abs(steps * step - limit) < 1e-9 * step:
            low = printed(-limit, ROUND_FLOOR)
            if low and float(low) == -limit:
                return Scale(low, text, -steps, steps, exact=True)
    return None


def _by_range(name: str, span: Span, half: int) -> Scale:
    low, high = span.bounds
    margin = (high - low) / (half - 1)  # keeps the lowest digital value free
    texts = printed(low - margin, ROUND_FLOOR), printed(high + margin, ROUND_CEILING)
    if not (texts[0] and texts[1]):
        raise RecordingError(
            f"{name} goes from {low:g} to {high:g}, and EDF has {CHARACTERS} characters for a limit: "
            "scale it, or write WFDB, Parquet or CSV"
        )
    scale = Scale(*texts, -half, half - 1, exact=False)
    if scale.step > (high - low) / COARSEST:
        raise RecordingError(
            f"{name} goes from {low:g} to {high:g}; with {CHARACTERS} characters for a limit EDF would have steps of "
            f"{scale.step:g}: scale it, or write WFDB, Parquet or CSV"
        )
    return scale


def printed(value: float, rounding: str) -> str:
    """Return a number in at most eight characters, rounded in the direction asked for; empty if it does not fit.

    >>> printed(-1.23456789, ROUND_FLOOR), printed(123456789.0, ROUND_CEILING)
    ('-1.23457', '')
    """
    for decimals in range(CHARACTERS - 2, -1, -1):
        text = f"{Decimal(value).quantize(Decimal(1).scaleb(-decimals), rounding=rounding):f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        if len(text) <= CHARACTERS:
            return "0" if text == "-0" else text
    return ""
