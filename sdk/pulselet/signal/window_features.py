"""Features of windows, each a function of what several of them share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from pulselet.signal import maths
from pulselet.signal.stage import Samples

LEAST_SHARE = np.float32(1e-30)
ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)


def _nonzero(x: Samples) -> Samples:
    """Return x, or 1 where x is not above 0, to divide by."""
    return np.where(x > 0, x, ONE)


@dataclass(frozen=True)
class Tables:
    """What the features of windows of one length need."""

    length: int
    sample_hz: float
    edges_hz: tuple[float, ...]

    @cached_property
    def slope_gain(self) -> np.float32:
        return np.float32(self.sample_hz * 12 / (self.length * (self.length**2 - 1)))

    @cached_property
    def quartiles(self) -> tuple[tuple[int, np.float32], ...]:
        """Position and fraction of the first and third quartile among the sorted samples, interpolated linearly."""
        places = [q * (self.length - 1) for q in (0.25, 0.75)]
        return tuple((min(int(p), self.length - 2), np.float32(p - min(int(p), self.length - 2))) for p in places)

    @cached_property
    def fft(self) -> maths.RealFFT:
        return maths.RealFFT(max(8, 1 << (self.length - 1).bit_length()))

    @cached_property
    def hann(self) -> Samples:
        """The first half of a periodic Hann window, its top included."""
        turn = 2 * np.pi * np.arange(self.length // 2 + 1) / self.length
        return (0.5 - 0.5 * np.cos(turn)).astype(np.float32)

    @property
    def bin_hz(self) -> float:
        return self.sample_hz / self.fft.n

    @property
    def lobe(self) -> int:
        """Bins from the top of the window's main lobe to its foot."""
        return -(-2 * self.fft.n // self.length)

    @property
    def bins(self) -> list[int]:
        """First bin of each band, and the one after the last."""
        top = self.fft.n // 2 + 1
        return [min(top, max(1, math.ceil(edge / self.bin_hz - 1e-9))) for edge in self.edges_hz]

    @cached_property
    def power_gain(self) -> np.float32:
        """From squared magnitudes to mean squares (Parseval), both halves of the spectrum together."""
        squares = self.length * 3 / 8  # of a periodic Hann window
        return np.float32(2 / (self.fft.n * squares))


class Windows:
    """Some windows, and what several features share. Time comes first: (length, windows, channels)."""

    def __init__(self, x: Samples, tables: Tables) -> None:
        self.x, self.t = x, tables
        self.count = np.float32(len(x))
        since_first = x - x[0]  # an offset such as gravity costs no digits
        self.offset = maths.fold_sum(since_first, 0) / self.count
        self.d = since_first - self.offset
        self.scale = np.max(np.abs(self.d), axis=0)
        self.z = self.d / _nonzero(self.scale)
        self.m2 = self.mean_of(self.z * self.z)

    def mean_of(self, values: Samples) -> Samples:
        return maths.fold_sum(values, 0) / self.count

    @cached_property
    def lowest(self) -> Samples:
        found: Samples = np.min(self.x, axis=0) + ZERO  # -0 and 0 are equal, and either may be found: 0 + -0 is 0
        return found

    @cached_property
    def highest(self) -> Samples:
        found: Samples = np.max(self.x, axis=0) + ZERO
        return found

    @cached_property
    def energy(self) -> Samples:
        return self.mean_of(self.x * self.x)

    @cached_property
    def ranked(self) -> Samples:
        return np.sort(self.x, axis=0) + ZERO

    @cached_property
    def power(self) -> Samples:
        """Squared magnitudes of the scaled windows under a Hann window, bins first."""
        n, length = self.t.fft.n, self.t.length
        half = self.t.hann
        hann = np.concatenate([half, half[1 : (length + 1) // 2][::-1]])
        padded = np.zeros((*self.x.shape[1:], n), np.float32)
        padded[..., :length] = np.moveaxis(self.z * hann[:, None, None], 0, -1)
        return np.moveaxis(self.t.fft.power(padded), -1, 0)

    @cached_property
    def total(self) -> Samples:
        return maths.fold_sum(self.power[1:], 0)

    @cached_property
    def peak(self) -> NDArray[np.intp]:
        found: NDArray[np.intp] = 1 + np.argmax(self.power[1:], axis=0)
        return found

    def bin(self, k: NDArray[np.intp]) -> Samples:
        """Return the power in bin k of each window and channel; 0 beyond the ends, and for bin 0."""
        top = len(self.power) - 1
        found = np.take_along_axis(self.power, np.clip(k, 0, top)[None], axis=0)[0]
        return np.where((k >= 1) & (k <= top), found, ZERO)

    def bands(self) -> list[Samples]:
        edges = self.t.bins
        return [maths.fold_sum(self.power[a:b], 0) for a, b in pairwise(edges)]


def _crossings(x: Samples) -> Samples:
    below = x < 0
    found: Samples = np.count_nonzero(below[1:] != below[:-1], axis=0).astype(np.float32)
    return found


def _skewness(w: Windows) -> Samples:
    return w.mean_of((w.z * w.z) * w.z) / _nonzero(w.m2 * np.sqrt(w.m2))


def _kurtosis(w: Windows) -> Samples:
    squares = w.z * w.z
    return np.where(w.m2 > 0, w.mean_of(squares * squares) / _nonzero(w.m2 * w.m2) - np.float32(3), ZERO)


def _median(w: Windows) -> Samples:
    n = len(w.x)
    found: Samples = HALF * (w.ranked[(n - 1) // 2] + w.ranked[n // 2])
    return found


def _interquartile_range(w: Windows) -> Samples:
    low, high = (w.ranked[i] + f * (w.ranked[i + 1] - w.ranked[i]) for i, f in w.t.quartiles)
    found: Samples = high - low
    return found


def _slope(w: Windows) -> Samples:
    at = np.arange(len(w.x), dtype=np.float32) - HALF * (w.count - ONE)
    return maths.fold_sum(at[:, None, None] * w.d, 0) * w.t.slope_gain


def _jerk_rms(w: Windows) -> Samples:
    steps = w.x[1:] - w.x[:-1]
    found: Samples = np.sqrt(maths.fold_sum(steps * steps, 0) / (w.count - ONE)) * np.float32(w.t.sample_hz)
    return found


def _dominant_hz(w: Windows) -> Samples:
    before, top, after = w.bin(w.peak - 1), w.bin(w.peak), w.bin(w.peak + 1)
    bend = (before - top) + (after - top)
    inside = (w.peak > 1) & (w.peak < len(w.power) - 1) & (bend < 0)
    shift = np.where(inside, HALF * (before - after) / np.where(inside, bend, ONE), ZERO)
    return np.where(w.total > 0, (w.peak.astype(np.float32) + shift) * np.float32(w.t.bin_hz), ZERO)


def _dominant_share(w: Windows) -> Samples:
    near = np.zeros_like(w.total)
    for k in range(-w.t.lobe, w.t.lobe + 1):
        near = near + w.bin(w.peak + k)
    return near / _nonzero(w.total)


def _centroid_hz(w: Windows) -> Samples:
    k = np.arange(1, len(w.power), dtype=np.float32)
    return maths.fold_sum(k[:, None, None] * w.power[1:], 0) / _nonzero(w.total) * np.float32(w.t.bin_hz)


def _spectral_entropy(w: Windows) -> Samples:
    share = w.power[1:] / _nonzero(w.total)
    share = np.where(share < LEAST_SHARE, ZERO, share)
    return ZERO - maths.fold_sum(share * maths.log(share), 0) / np.float32(math.log(len(share)))


def _band_power(w: Windows) -> list[Samples]:
    return [band * w.t.power_gain * w.scale * w.scale for band in w.bands()]


def _band_share(w: Windows) -> list[Samples]:
    return [band / _nonzero(w.total) for band in w.bands()]


FUNCTIONS: dict[str, Callable[[Windows], Samples | list[Samples]]] = {
    "mean": lambda w: w.x[0] + w.offset,
    "std": lambda w: w.scale * np.sqrt(w.m2),
    "min": lambda w: w.lowest,
    "max": lambda w: w.highest,
    "range": lambda w: w.highest - w.lowest,
    "rms": lambda w: np.sqrt(w.energy),
    "mean_absolute_deviation": lambda w: w.mean_of(np.abs(w.d)),
    "zero_crossings": lambda w: _crossings(w.x),
    "mean_crossings": lambda w: _crossings(w.d),
    "energy": lambda w: w.energy,
    "skewness": _skewness,
    "kurtosis": _kurtosis,
    "median": _median,
    "interquartile_range": _interquartile_range,
    "slope": _slope,
    "jerk_rms": _jerk_rms,
    "dominant_hz": _dominant_hz,
    "dominant_share": _dominant_share,
    "centroid_hz": _centroid_hz,
    "spectral_entropy": _spectral_entropy,
    "band_power": _band_power,
    "band_share": _band_share,
}


def correlations(w: Windows) -> list[Samples]:
    """Return one (windows,) for each pair of channels; 0 if one of them is flat."""
    found, deviation = [], np.sqrt(w.m2)
    for a, b in combinations(range(w.x.shape[2]), 2):
        r = w.mean_of(w.z[:, :, a] * w.z[:, :, b]) / _nonzero(deviation[:, a] * deviation[:, b])
        found.append(np.minimum(np.maximum(r, -ONE), ONE))
    return found
