"""Vectors such as acceleration: calibration and mounting, magnitude, tilt against gravity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.maths import atan2
from pulselet.signal.stage import CForm, Format, Kernel, Samples, Stage, check, check_unit, even_rate

Matrix: TypeAlias = tuple[tuple[float, ...], ...]

AXES = "xyz"
DEGREES = np.float32(180 / np.pi)


class AffineKernel(Kernel):
    """`y = matrix (x - offset)`, summed from the first channel to the last; no state."""

    def __init__(
        self, matrix: NDArray[np.float64], offset: NDArray[np.float64], source: Format, output: Format
    ) -> None:
        self.matrix = matrix.astype(np.float32)
        self.offset = offset.astype(np.float32)
        self.source, self.output = source, output
        self.operations = source.channels * (1 + 2 * output.channels)

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        centred = x - self.offset
        y = centred[:, :1] * self.matrix[:, 0]
        for c in range(1, x.shape[1]):
            y += centred[:, c : c + 1] * self.matrix[:, c]
        return y, None

    def c_form(self) -> CForm:
        fields = (
            ("rows", self.output.channels),
            ("channels", self.source.channels),
            ("matrix", self.matrix),
            ("offset", self.offset),
        )
        return CForm("affine", "pl_vectors.h", fields, state_words=0)


@dataclass(frozen=True)
class Calibrate(Stage):
    """Calibrated samples in the axes of the body: `axes (gain (x - offset))`.

    Parameters
    ----------
    gain
        One for all channels, one each, or a matrix as a tuple of rows, which also undoes skew between the axes.
    offset
        What the sensor shows at zero, in the input's unit: one for all channels, or one each.
    axes
        Of a sensor with three: which of its axes, with "-" if turned round, becomes x, y and z: ("-y", "x", "z").
    unit
        Of the output, if the gain changes it.
    """

    gain: Matrix | tuple[float, ...] | float = 1.0
    offset: tuple[float, ...] | float = 0.0
    axes: tuple[str, ...] = ()
    unit: str = ""

    def design(self, source: Format) -> AffineKernel:
        even_rate(self, source)
        gain = self._gain(source.channels)
        offset = np.atleast_1d(np.asarray(self.offset, np.float64))
        check(offset.shape in ((1,), (source.channels,)), self, f"1 or {source.channels} offsets", offset.shape)
        bounded = bool(np.all(np.abs(gain) < 1e12) and np.all(np.abs(offset) < 1e12))
        check(bounded, self, "gains and offsets below 1e12", (self.gain, self.offset))
        output = source.but(unit=self.unit or source.unit)
        return AffineKernel(self._axes(source) @ gain, np.broadcast_to(offset, (source.channels,)), source, output)

    def _gain(self, channels: int) -> NDArray[np.float64]:
        try:
            gain = np.asarray(self.gain, np.float64)
        except ValueError:  # rows of different lengths
            gain = np.empty((0, 0, 0))
        wanted = f"1 or {channels} gains, or {channels} rows of {channels}"
        check(gain.shape in ((), (1,), (channels,), (channels, channels)), self, wanted, self.gain)
        return gain if gain.ndim == 2 else np.diag(np.broadcast_to(gain, (channels,)))

    def _axes(self, source: Format) -> NDArray[np.float64]:
        if not self.axes:
            return np.eye(source.channels)
        check(source.channels == 3, self, "three channels to have their axes turned", source.channels)
        letters = "".join(sorted(axis.removeprefix("-") for axis in self.axes))
        check(letters == AXES, self, "x, y and z once each, such as ('-y', 'x', 'z')", self.axes)
        turned = np.zeros((3, 3))
        for row, axis in enumerate(self.axes):
            turned[row, AXES.index(axis[-1])] = -1 if axis.startswith("-") else 1
        return turned


class MagnitudeKernel(Kernel):
    """Square root of the sum of squares, from the first channel to the last; no state."""

    def __init__(self, source: Format) -> None:
        self.source = source
        self.output = source.but(channels=1, names=("magnitude",))
        self.operations = 2 * source.channels

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        total = x[:, 0] * x[:, 0]
        for c in range(1, x.shape[1]):
            total += x[:, c] * x[:, c]
        return np.sqrt(total)[:, None], None

    def c_form(self) -> CForm:
        return CForm("magnitude", "pl_vectors.h", (("channels", self.source.channels),), state_words=0)


@dataclass(frozen=True)
class Magnitude(Stage):
    """Length of the vector that the channels make: one channel, whichever way the sensor is turned.

    Examples
    --------
    >>> kernel = Magnitude().design(Format(50.0, 3, "g"))
    >>> kernel.step(kernel.start(), np.array([[3, 4, 12]], np.float32))[0]
    array([[13.]], dtype=float32)
    """

    def design(self, source: Format) -> MagnitudeKernel:
        even_rate(self, source)
        return MagnitudeKernel(source)


class TiltKernel(Kernel):
    """Pitch and roll of each sample; no state."""

    def __init__(self, source: Format) -> None:
        self.source = source
        self.output = source.but(channels=2, unit="deg", names=("pitch", "roll"))
        self.operations = 40

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        across = np.sqrt(x[:, 1] * x[:, 1] + x[:, 2] * x[:, 2])
        angles = np.stack([atan2(-x[:, 0], across), atan2(x[:, 1], x[:, 2])], axis=1)
        return angles * DEGREES, None

    def c_form(self) -> CForm:
        return CForm("tilt", "pl_vectors.h", (("degrees", DEGREES),), state_words=0)


@dataclass(frozen=True)
class Tilt(Stage):
    """Pitch and roll in degrees from acceleration, right while it is gravity alone: put a `LowPass` before it.

    Pitch is `atan2(-x, sqrt(y² + z²))`, -90 to 90; roll `atan2(y, z)`, -180 to 180: turns about z, then y, then x
    (Pedley 2013, Freescale AN3461). Lying flat, z up, both are 0; x downward is a positive pitch, y upward a
    positive roll. Looking straight up or down, roll means nothing.

    Examples
    --------
    >>> kernel = Tilt().design(Format(50.0, 3, "g"))
    >>> kernel.step(kernel.start(), np.array([[0, 1, 1]], np.float32))[0]
    array([[ 0., 45.]], dtype=float32)
    """

    def design(self, source: Format) -> TiltKernel:
        even_rate(self, source)
        check(source.channels == 3, self, "acceleration x, y and z", f"{source.channels} channels")
        check_unit(self, source, "g", "mg", "m/s²")
        return TiltKernel(source)
