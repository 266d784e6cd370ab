"""Stages that work on each value by itself, or on each window by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PipelineError
from pulselet.signal.maths import fold_sum
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check


class ScaleKernel(Kernel):
    """`y = (x - offset) * gain` in float32, channel by channel; no state."""

    def __init__(self, offset: Samples, gain: Samples, source: Format, output: Format | None = None) -> None:
        self.offset = offset
        self.gain = gain
        self.source = source
        self.output = source if output is None else output
        self.operations = 2 * source.width

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        moments = x.reshape(-1, self.source.channels)
        return ((moments - self.offset) * self.gain).reshape(x.shape), None

    def c_form(self) -> CForm:
        fields = (
            ("moments", self.source.length),
            ("channels", self.source.channels),
            ("offset", self.offset),
            ("gain", self.gain),
        )
        return CForm(kind="scale", header="pl_filters.h", fields=fields, state_words=0)


def _numbers(value: tuple[float, ...] | float) -> tuple[float, ...]:
    return (value,) if isinstance(value, float) else value


def _table(stage: Stage, name: str, given: NDArray[np.float64], channels: int) -> Samples:
    """Return one float32 value for each channel."""
    check(len(given) in (1, channels), stage, f"1 or {channels} {name}", len(given))
    with np.errstate(over="ignore"):
        table = np.broadcast_to(given.astype(np.float32), (channels,)).copy()
    check(bool(np.isfinite(table).all()), stage, f"finite {name}", given)
    return table


def _keep_since(stage: Stage, offset: Samples, gain: Samples, source: Format) -> None:
    """Raise PipelineError if the column of events that counts samples would be scaled."""
    kept = source.rate_hz is not None or (offset[0] == 0 and gain[0] == 1)
    check(
        bool(kept), stage, "offset 0 and gain 1 for the events' first column, since", (float(offset[0]), float(gain[0]))
    )


@dataclass(frozen=True)
class Scale(Stage):
    """Fixed scaling, `(x - offset) * gain`; one value for all channels, or one each.

    For samples, windows and features; of events, the first column, `since`, has to stay as it is.
    """

    gain: tuple[float, ...] | float
    offset: tuple[float, ...] | float = (0.0,)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("gain", "offset"):
            object.__setattr__(self, name, _numbers(getattr(self, name)))

    def design(self, source: Format) -> ScaleKernel:
        offset, gain = (
            _table(self, name, np.asarray(given, np.float64), source.channels)
            for name, given in (("offsets", self.offset), ("gains", self.gain))
        )
        _keep_since(self, offset, gain, source)
        return ScaleKernel(offset, gain, source)


@dataclass(frozen=True)
class Standardize(Stage):
    """Frozen normalisation, `(x - mean) / std`, with constants fitted once, on training subjects only.

    For samples, windows or features; one value for all channels, or one each. The output has no unit. Float32
    multiplies by the reciprocal of `std`, rounded once.
    """

    mean: tuple[float, ...] | float
    std: tuple[float, ...] | float

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mean", "std"):
            object.__setattr__(self, name, _numbers(getattr(self, name)))

    @classmethod
    def fit(cls, arrays: Iterable[ArrayLike]) -> Standardize:
        """Return the stage with mean and standard deviation of each channel over all values of the arrays.

        Parameters
        ----------
        arrays
            Shape (..., channels): recordings `(n, channels)` or windows `(n, length, channels)` of training subjects.

        Raises
        ------
        PipelineError
            If there are no values, they are not finite, or a channel does not vary.

        Examples
        --------
        >>> Standardize.fit([[[1.0, 10.0], [3.0, 30.0]]])
        Standardize(mean=(2.0, 20.0), std=(1.0, 10.0))
        """
        count, mean, squares = 0, np.zeros(0), np.zeros(0)
        for array in arrays:
            rows = np.asarray(array, np.float64).reshape(-1, np.shape(array)[-1])
            if len(rows) == 0:
                continue
            here, spread = rows.mean(axis=0), rows.var(axis=0) * len(rows)
            if count == 0:
                mean, squares = np.zeros_like(here), np.zeros_like(here)
            # joins two sets by their means and sums of squares (Chan, Golub and LeVeque 1979)
            apart, both = here - mean, count + len(rows)
            mean = mean + apart * len(rows) / both
            squares = squares + spread + apart**2 * count * len(rows) / both
            count = both
        if count == 0 or not np.isfinite(squares).all() or not (squares > 0).all():
            got = f"{count} values with variances {(squares / max(count, 1)).tolist()}"
            raise PipelineError(f"Standardize.fit: wanted finite values that vary in every channel, got {got}")
        return cls(tuple(mean.tolist()), tuple(np.sqrt(squares / count).tolist()))

    def design(self, source: Format) -> ScaleKernel:
        std = np.asarray(self.std, np.float64)
        check(bool((std > 0).all()), self, "standard deviations above 0", self.std)
        mean = _table(self, "means", np.asarray(self.mean, np.float64), source.channels)
        gain = _table(self, "standard deviations", 1 / std, source.channels)
        _keep_since(self, mean, gain, source)
        return ScaleKernel(mean, gain, source, source.but(unit=""))


class RectifyKernel(Kernel):
    """Magnitudes; no state."""

    def __init__(self, source: Format) -> None:
        self.source = self.output = source
        self.operations = source.width

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        return np.abs(x), None

    def c_form(self) -> CForm:
        return CForm("rectify", "pl_filters.h", (("width", self.source.width),), state_words=0)


@dataclass(frozen=True)
class Rectify(Stage):
    """The magnitude of each value."""

    def design(self, source: Format) -> RectifyKernel:
        check(source.rate_hz is not None, self, "samples or windows at an even rate", source)
        return RectifyKernel(source)


class WindowScaleKernel(Kernel):
    """Each window less its mean, over its standard deviation; no state between windows.

    In C the state is room for one channel, or for the whole window if the channels share.
    """

    def __init__(self, together: bool, least: float, source: Format) -> None:
        self.together = together
        self.least = np.float32(least)
        self.source = source
        self.output = source.but(unit="")
        self.operations = 6 * source.width

    @property
    def groups(self) -> tuple[int, int]:
        """How many groups of values are scaled by themselves, and the values of each."""
        source = self.source
        return (1, source.width) if self.together else (source.channels, source.length)

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        groups, size = self.groups
        values = x.reshape(len(x), size, groups)
        centred = values - (fold_sum(values, axis=1) / np.float32(size))[:, None]
        std = np.sqrt(fold_sum(centred * centred, axis=1) / np.float32(size))
        over = np.where(std > self.least, std, self.least)[:, None]
        return np.asarray(centred / over, np.float32).reshape(x.shape), None

    def c_form(self) -> CForm:
        groups, size = self.groups
        fields = (("groups", groups), ("size", size), ("least", self.least))
        return CForm("window_scale", "pl_averages.h", fields, state_words=size)


@dataclass(frozen=True)
class WindowScale(Stage):
    """Normalisation of each window by itself: less its mean, over its standard deviation (ddof 0). No unit remains.

    Parameters
    ----------
    least
        The smallest standard deviation that is divided by, in the input's unit, so that a flat window is not blown up:
        the noise of the sensor.
    together
        Whether all channels share one mean and deviation, which keeps their proportions.
    """

    least: float
    together: bool = False

    def design(self, source: Format) -> WindowScaleKernel:
        check(source.length > 1, self, "windows", source)
        check(1e-12 <= self.least <= 1e12, self, "least from 1e-12 to 1e12", self.least)
        return WindowScaleKernel(self.together, self.least, source)
