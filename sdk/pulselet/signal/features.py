"""Named features of windows: moments, crossings, spectrum and shape, channel by channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check
from pulselet.signal.window_features import FUNCTIONS, Tables, Windows, correlations

TIME = (
    *("mean", "std", "min", "max", "range", "rms", "mean_absolute_deviation", "zero_crossings", "mean_crossings"),
    *("energy", "skewness", "kurtosis", "median", "interquartile_range", "slope", "jerk_rms"),
)
SPECTRAL = ("dominant_hz", "dominant_share", "centroid_hz", "spectral_entropy", "band_power", "band_share")
PAIRS = ("correlation",)
NAMES = (*TIME, *SPECTRAL, *PAIRS)
TIMED = ("slope", "jerk_rms", *SPECTRAL)
"""Those that need the rate of the samples in a window."""

LONGEST = 4096
FASTEST_HZ = 1e6


class FeaturesKernel(Kernel):
    """Rows of windows to rows of features; no state."""

    def __init__(self, stage: Features, source: Format, sample_hz: float) -> None:
        self.tables = Tables(source.length, sample_hz, tuple(stage.band_edges_hz))
        self.each = tuple(name for name in stage.names if name not in PAIRS)
        self.pairs = "correlation" in stage.names
        self.spectral = any(name in SPECTRAL for name in stage.names)
        self.source = source
        names = _output_names(self.each, source, stage.band_edges_hz, self.pairs)
        self.output = source.but(channels=len(names), length=1, unit="", names=names, clock_hz=None)
        self.operations = self._operations()

    def _operations(self) -> float:
        samples = self.source.width
        transform = self.source.channels * self.tables.fft.operations if self.spectral else 0.0
        return samples * (6.0 + 3.0 * len(self.each) + 2.0 * self.pairs * self.source.channels) + transform

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        if len(x) == 0:
            return np.empty((0, self.output.width), np.float32), None
        windows = np.ascontiguousarray(x.reshape(len(x), self.source.length, self.source.channels).transpose(1, 0, 2))
        w = Windows(windows, self.tables)
        columns: list[Samples] = []
        for name in self.each:
            found = FUNCTIONS[name](w)
            columns += found if isinstance(found, list) else [found]
        by_channel = np.stack(columns, axis=2) if columns else np.empty((*windows.shape[1:], 0), np.float32)
        y = by_channel.reshape(len(x), -1)
        if self.pairs:
            y = np.concatenate([y, np.stack(correlations(w), axis=1)], axis=1)
        return y, None

    def _codes(self) -> list[tuple[int, int, int]]:
        """Return (number of the feature, its place, its band), those of time first: the transform takes their room."""
        found: list[tuple[int, int, int]] = []
        for name in self.each:
            bands = len(self.tables.edges_hz) - 1 if name.startswith("band") else 1
            found += [(NAMES.index(name), len(found) + band, band) for band in range(bands)]
        return sorted(found)

    def c_form(self) -> CForm:
        (q1, f1), (q3, f3) = self.tables.quartiles
        codes = self._codes()
        each = CForm(
            kind="window_features",
            header="pl_features.h",
            fields=(
                ("length", self.source.length),
                ("channels", self.source.channels),
                ("count", len(codes)),
                ("pairs", int(self.pairs)),
                ("codes", np.array(codes or [(0, 0, 0)], np.int32)),
                ("sample_hz", np.float32(self.tables.sample_hz)),
                ("slope_gain", self.tables.slope_gain),
                *(("quarter", q1), ("three", q3), ("quarter_part", f1), ("three_part", f3)),
            ),
            state_words=self.source.length + 3 * self.source.channels,
        )
        return self._with_spectrum(each) if self.spectral else each

    def _with_spectrum(self, each: CForm) -> CForm:
        t, channels = self.tables, self.source.channels
        return CForm(
            kind="spectral_features",
            header="pl_features.h",
            fields=(
                ("each", each),
                ("fft", t.fft.c_form()),
                ("hann", t.hann),
                ("lobe", t.lobe),
                ("bins", np.array(t.bins or [0], np.int32)),
                ("bin_hz", np.float32(t.bin_hz)),
                ("power_gain", t.power_gain),
                ("most_entropy", np.float32(math.log(t.fft.n // 2))),
            ),
            state_words=max(self.source.length, t.fft.n + 1) + 3 * channels,
        )


def _output_names(each: tuple[str, ...], source: Format, edges_hz: tuple[float, ...], pairs: bool) -> tuple[str, ...]:
    channels = source.names or tuple(f"ch{i}" for i in range(source.channels))
    found: list[str] = []
    for channel in channels:
        for name in each:
            bands = [f"_{a:g}_{b:g}hz" for a, b in pairwise(edges_hz)] if name.startswith("band") else [""]
            found += [f"{channel}_{name}{band}" for band in bands]
    if pairs:
        found += [f"{a}_{b}_correlation" for a, b in combinations(channels, 2)]
    return tuple(found)


@dataclass(frozen=True)
class Features(Stage):
    """Named features of each window, for a classifier; finite whatever comes in.

    The row holds, channel by channel, the features in the order in which they are named, and last the correlation of
    each pair of channels. Its names are like `acc_x_std`.

    Of time: mean, std, min, max, range, rms, mean_absolute_deviation, energy (mean of the squares), skewness, kurtosis
    (excess; both from population moments), median, interquartile_range (linear between samples), zero_crossings and
    mean_crossings (how many in the window), slope (least squares, unit per s), jerk_rms (of the differences, unit per
    s). Of the spectrum, without its mean and under a Hann window, zero padded to a power of two: dominant_hz (parabola
    through the highest bin), dominant_share (of the power, in that peak), centroid_hz, spectral_entropy (0 to 1), and
    for each band between two edges band_power (unit squared) and band_share (of the power). Of pairs: correlation. A
    flat window has 0 for whatever is not defined.

    Parameters
    ----------
    names
        Which features.
    sample_hz
        Rate of the samples in a window, if a feature needs it and the window does not say it; 0 if not given.
    band_edges_hz
        Edges of neighbouring bands, ascending.

    References
    ----------
    Bao and Intille, "Activity recognition from user-annotated acceleration data", Pervasive 2004, for energy, entropy
    and correlation; Harris, Proc. IEEE 66 (1978), for the window.
    """

    names: tuple[str, ...]
    sample_hz: float = 0.0
    band_edges_hz: tuple[float, ...] = ()

    def design(self, source: Format) -> FeaturesKernel:
        check(source.length > 1 and source.rate_hz is not None, self, "windows: put a Window before it", source)
        check(0 < len(set(self.names)) == len(self.names), self, "names of features, each once", self.names)
        for name in self.names:
            check(name in NAMES, self, f"names among {', '.join(NAMES)}", name)
        check("correlation" not in self.names or source.channels > 1, self, "two channels to correlate", source)
        short = source.length <= LONGEST or not any(name in SPECTRAL for name in self.names)
        check(short, self, f"windows of at most {LONGEST} samples for a spectrum", source.length)
        kernel = FeaturesKernel(self, source, self._rate(source))
        if kernel.spectral:
            self._check_edges(kernel.tables.sample_hz)
        return kernel

    def _rate(self, source: Format) -> float:
        check(
            source.clock_hz in (None, self.sample_hz) or self.sample_hz == 0, self, "the window's rate", self.sample_hz
        )
        rate_hz = self.sample_hz or source.clock_hz or 0.0
        check(rate_hz <= FASTEST_HZ, self, f"a sample_hz up to {FASTEST_HZ:g}", rate_hz)
        known = rate_hz > 0 or not any(name in TIMED for name in self.names)
        check(known, self, f"a sample_hz above 0 for {', '.join(n for n in self.names if n in TIMED)}", rate_hz)
        return rate_hz

    def _check_edges(self, sample_hz: float) -> None:
        edges = self.band_edges_hz
        needed = 2 if {"band_power", "band_share"} & set(self.names) else 0
        ascending = len(edges) >= needed and all(a < b for a, b in pairwise((0.0, *edges)))
        check(
            ascending and max(edges, default=0) <= sample_hz / 2, self, f"edges from 0 to {sample_hz / 2:g} Hz", edges
        )
