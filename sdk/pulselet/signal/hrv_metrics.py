"""Heart rate variability of beats that are at hand: the stage `HeartRateVariability`, folded over them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PipelineError
from pulselet.signal.arrays import numbers, rate
from pulselet.signal.heart_rate_variability import HeartRateVariability
from pulselet.signal.stage import Format, Samples

LONGEST_SPECTRUM_S = 1023.0
MOST_ENTROPY_BEATS = 4096


@dataclass(frozen=True)
class Hrv:
    """Heart rate variability of one window; each metric is defined at `HeartRateVariability`, NaN is "not defined"."""

    end_s: float  # time of the window's last beat
    duration_s: float
    used: int  # NN intervals
    ectopic: int  # valid, but not NN: left out
    lost: int
    covered: float  # share of the window that NN intervals cover
    mean_nn_ms: float
    sdnn_ms: float
    rmssd_ms: float
    pnn50: float  # %
    heart_rate_bpm: float
    sd1_ms: float
    sd2_ms: float
    sample_entropy: float
    lf_ms2: float
    hf_ms2: float
    lf_hf: float


def hrv(peaks: ArrayLike, *, rate_hz: float, tolerance: float = 0.2) -> Hrv:
    """Return the heart rate variability of a whole series of R peaks.

    Parameters
    ----------
    peaks
        Sample indices `(beats,)`, ascending, as from `r_peaks`; from the first to the last at least 10 s.
    rate_hz
        Of the samples.
    tolerance
        An interval that is further than this part from the median of the five before it, or not from 0.25 to 2.5 s,
        is left out; 0 switches the first rule off.

    Returns
    -------
    Hrv
        Spectrum and sample entropy are for stretches of minutes: NaN if the series is longer than 1023 s or 4096 beats.

    Raises
    ------
    PipelineError
        If the peaks are not ascending whole numbers, or too few.
    PipelineError
        If they last less than 10 s.

    Examples
    --------
    >>> found = hrv(range(0, 60_000, 250), rate_hz=250)
    >>> found.used, found.mean_nn_ms, found.sdnn_ms
    (239, 1000.0, 0.0)
    """
    at, rate_hz = _indices("hrv", peaks), rate("hrv", rate_hz)
    duration_s = float(at[-1] - at[0]) / rate_hz
    found = _rows(
        "hrv",
        at,
        rate_hz,
        window_s=duration_s,
        hop_s=max(1.0, duration_s),
        tolerance=tolerance,
        most_beats=max(4, len(at)),
        frequency=duration_s <= LONGEST_SPECTRUM_S,
        entropy=len(at) <= MOST_ENTROPY_BEATS,
    )
    return found[-1]


def hrv_windows(
    peaks: ArrayLike, *, rate_hz: float, window_s: float = 300.0, hop_s: float = 60.0, tolerance: float = 0.2
) -> list[Hrv]:
    """Return the heart rate variability of each window of a series of R peaks, as the stage gives it on a device.

    Parameters
    ----------
    window_s, hop_s
        The first window begins with the first peak; each goes out with the first beat after `hop_s` more.

    Other parameters and errors are those of `hrv`; a series shorter than a window gives none.
    """
    at, rate_hz = _indices("hrv_windows", peaks), rate("hrv_windows", rate_hz)
    return _rows("hrv_windows", at, rate_hz, window_s=window_s, hop_s=hop_s, tolerance=tolerance)


def _indices(function: str, peaks: ArrayLike) -> NDArray[np.int64]:
    wanted = "sample indices of two R peaks or more, ascending whole numbers in one dimension"
    given = numbers(function, wanted, peaks)
    at: NDArray[np.int64] = np.where(np.abs(given) < 2**53, given, 0).astype(np.int64)
    if len(at) < 2 or not np.array_equal(at, given) or (np.diff(at) <= 0).any():
        raise PipelineError(
            f"{function}: wanted {wanted}, got {given.dtype} {given.shape}: "
            "times in seconds want rounding to samples first"
        )
    return at


def _rows(function: str, at: NDArray[np.int64], rate_hz: float, **parameters: float) -> list[Hrv]:
    try:
        stage = HeartRateVariability(**parameters)  # type: ignore[arg-type]
        if "most_beats" not in parameters:  # room for all that can be normal
            stage = replace(stage, most_beats=max(4, min(len(at), math.ceil(4 * stage.window_s))))
        kernel = stage.design(Format(None, 2, names=("since", "valid"), clock_hz=rate_hz))
    except PipelineError as error:  # of the stage, which the caller has not named
        raise PipelineError(f"{function}: {str(error).partition(': ')[2]}") from error
    events: Samples = np.ones((len(at), 2), np.float32)
    events[0] = 0  # nothing is known before the first beat
    events[1:, 0] = np.diff(at)
    found, _ = kernel.step(kernel.start(), events)
    ends_s = (at[0] + np.cumsum(found[:, 0].astype(np.float64))) / rate_hz
    metrics = found[:, 4:].astype(np.float64)
    metrics[metrics == -1] = np.nan
    return [
        Hrv(end, stage.window_s, *map(int, row[1:4].tolist()), *values.tolist())
        for end, row, values in zip(ends_s.tolist(), found, metrics, strict=True)
    ]
