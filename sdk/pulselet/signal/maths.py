"""Float32 functions that numpy and C compute bit for bit alike: exp, log, sin, cos, atan2, sums and the real FFT.

numpy's and libm's own differ from each other in 7 to 40 % of values, so an exported stage may use neither. These are
reductions by exact steps and polynomials in a declared order, the same in `pl_math.h`. They are total: any finite
input gives a finite output, and no warning. `numpy.sqrt` is correctly rounded everywhere and needs no stand-in.

Largest errors, measured against float64 over millions of values: exp 1.01, log 0.9, atan2 2.7, sin
1.5 (|x| < 3) units in the last place; sin and cos 1e-7 up to `ANGLE_LIMIT`.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import PipelineError
from pulselet.signal.stage import CForm

Floats: TypeAlias = NDArray[np.float32]
F = np.float32

EXP_LOWEST, EXP_HIGHEST = F(-104.0), F(88.7228)
"""Beyond these `exp` stays as it is there: 0, and 3.4e38."""
LOG_OF_ZERO = F(-104.0)
"""What `log` returns for x <= 0: less than the logarithm of the smallest float32, -103.28."""
ANGLE_LIMIT = F(12800.0)
"""Beyond this, in radians, `sin` and `cos` take an angle as 0: float32 would keep too little of its turn."""

LOG2_E = F(1.442695)
LN2_HIGH, LN2_LOW = F(0.693359375), F(-2.1219444e-4)  # 9 bits, so that n * LN2_HIGH is exact; the rest
HALF_PI_1, HALF_PI_2, HALF_PI_3 = F(1.5703125), F(4.8351288e-4), F(3.1391647e-7)  # 8 bits, 10 bits, the rest
PI, PI_LOW = F(np.pi), F(-8.742278e-8)  # their sum is pi
TAN_EIGHTH = F(0.41421357)
LEAST_SLOPE = F(2.5e-38)  # some soft-float libraries round denormal quotients wrongly

# Minimax coefficients of the remainders, lowest power first
EXP = tuple(map(F, (0.5, 0.16666518, 0.041666206, 0.008368908, 0.0013950524)))
LOG = tuple(map(F, (2 / 3, 2 / 5, 2 / 7, 2 / 9)))
SIN = tuple(map(F, (-0.16666655, 0.008332178, -0.00019517298)))
COS = tuple(map(F, (0.041666646, -0.0013887368, 2.443845e-05)))
ATAN = tuple(map(F, (-0.33332956, 0.19977926, -0.13879849, 0.080603056)))


def _polynomial(coefficients: tuple[np.float32, ...], z: Floats) -> Floats:
    value = coefficients[-1] * np.ones_like(z)
    for c in coefficients[-2::-1]:
        value = value * z + c
    return value


def _floats(x: ArrayLike) -> Floats:
    return np.asarray(x, np.float32)


def _rounded(x: Floats) -> NDArray[np.int32]:
    """Return the nearest integers, halves away from 0."""
    return np.asarray(x + np.where(x < 0, F(-0.5), F(0.5))).astype(np.int32)


def _power_of_two(n: NDArray[np.int32]) -> Floats:
    return ((n + 127) << 23).view(np.float32)


def exp(x: ArrayLike) -> Floats:
    """Return e to the power x: 0 below `EXP_LOWEST`, no more than 3.4e38 above `EXP_HIGHEST`."""
    v = np.minimum(np.maximum(_floats(x), EXP_LOWEST), EXP_HIGHEST)
    n = _rounded(v * LOG2_E)
    f = n.astype(np.float32)
    r = (v - f * LN2_HIGH) - f * LN2_LOW
    p = (_polynomial(EXP, r) * r * r + r) + F(1)
    half = ((n + 256) >> 1) - 128  # in two steps, for denormal results
    return np.asarray((p * _power_of_two(half)) * _power_of_two(n - half))


def log(x: ArrayLike) -> Floats:
    """Return the natural logarithm, or `LOG_OF_ZERO` for x <= 0."""
    given = _floats(x)
    v = np.where(given > 0, given, F(1))
    small = v < np.finfo(np.float32).tiny
    bits = (v * np.where(small, F(2**23), F(1))).view(np.int32) - 0x3F3504F3  # sqrt(1/2)
    n = (bits >> 23) - np.where(small, np.int32(23), np.int32(0))
    f = ((bits & 0x007FFFFF) + 0x3F3504F3).view(np.float32) - F(1)
    s = f / (F(2) + f)  # log(1 + f) = 2 artanh(s) = f - s (f - R), from the series of artanh
    z = s * s
    half = F(0.5) * f * f
    e = n.astype(np.float32)
    low = s * (half + z * _polynomial(LOG, z)) + e * LN2_LOW
    return np.where(given > 0, e * LN2_HIGH - ((half - low) - f), LOG_OF_ZERO)


def _turn(x: ArrayLike) -> tuple[NDArray[np.int32], Floats, Floats]:
    """Return the quarter turn in which each angle lies, and sine and cosine of the rest."""
    given = _floats(x)
    v = np.where(np.abs(given) <= ANGLE_LIMIT, given, F(0))
    n = _rounded(v * F(2 / np.pi))
    f = n.astype(np.float32)
    r = ((v - f * HALF_PI_1) - f * HALF_PI_2) - f * HALF_PI_3
    z = r * r
    sine = _polynomial(SIN, z) * z * r + r
    cosine = (F(1) - F(0.5) * z) + _polynomial(COS, z) * z * z
    return n, sine, cosine


def sin(x: ArrayLike) -> Floats:
    """Return the sine of angles in radians up to `ANGLE_LIMIT`."""
    n, sine, cosine = _turn(x)
    value = np.where(n & 1, cosine, sine)
    return np.where(n & 2, -value, value)


def cos(x: ArrayLike) -> Floats:
    """Return the cosine of angles in radians up to `ANGLE_LIMIT`."""
    n, sine, cosine = _turn(x)
    value = np.where(n & 1, sine, cosine)
    return np.where((n + 1) & 2, -value, value)


def atan2(y: ArrayLike, x: ArrayLike) -> Floats:
    """Return the angle of the point (x, y), from -pi to pi, in radians.

    0 at the origin; a zero has no sign, and a slope below 2.5e-38 counts as 0.
    """
    y_, x_ = _floats(y), _floats(x)
    a, b = np.abs(y_), np.abs(x_)
    most, least = np.where(a > b, a, b), np.where(a > b, b, a)
    t = least / np.where(most > 0, most, F(1))
    t = np.where(t < LEAST_SLOPE, F(0), t)
    wide = t > TAN_EIGHTH
    t = np.where(wide, (t - F(1)) / (t + F(1)), t)
    z = np.asarray(t * t, np.float32)
    angle = _polynomial(ATAN, z) * z * t + t
    angle = np.where(wide, (angle + F(0.25) * PI_LOW) + F(0.25) * PI, angle)
    angle = np.where(a > b, (F(0.5) * PI_LOW - angle) + F(0.5) * PI, angle)
    angle = np.where(x_ < 0, (PI_LOW - angle) + PI, angle)
    return np.where(y_ < 0, -angle, angle)


def fold_sum(x: ArrayLike, axis: int = -1) -> Floats:
    """Return the sum along an axis, halving: the second half is added to the first until one value is left."""
    v = np.moveaxis(_floats(x), axis, 0)
    if len(v) == 0:
        return np.zeros(v.shape[1:], np.float32)
    while (n := len(v)) > 1:
        h = (n + 1) // 2
        folded = v[:h].copy()
        folded[: n - h] += v[h:]
        v = folded
    return np.asarray(v[0])


class RealFFT:
    """The discrete Fourier transform of `n` real float32 values, n a power of two from 8 to 4096.

    Radix 2 on n / 2 complex values, then the split into the spectrum of the real ones (Cooley and Tukey 1965; Sorensen
    et al. 1987). Its only table is a quarter wave of n / 4 + 1 values. Values below 1e12 do not overflow its power.

    Raises
    ------
    PipelineError
        If `n` is not such a power.
    """

    def __init__(self, n: int) -> None:
        if n not in (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096):
            raise PipelineError(f"RealFFT: wanted a power of two from 8 to 4096, got {n}")
        self.n = n
        quarter = np.cos(2 * np.pi * np.arange(n // 4 + 1) / n)
        quarter[-1] = 0.0
        self.quarter: Floats = quarter.astype(np.float32)
        half, bits = n // 2, n.bit_length() - 2
        self._reversed = np.array([int(f"{i:0{bits}b}"[::-1], 2) for i in range(half)])
        self._cos = np.concatenate([self.quarter, -self.quarter[-2:0:-1]])[:half]  # of 2 pi j / n, j < n / 2
        self._sin = np.concatenate([self.quarter[::-1], self.quarter[1:-1]])[:half]

    @property
    def operations(self) -> float:
        """Float operations of one transform."""
        half = self.n // 2
        return 5.0 * half * (half.bit_length() - 1) + 8 * half

    def _complex(self, x: Floats) -> tuple[Floats, Floats]:
        """Return real and imaginary parts of the transform of x[0] + i x[1], x[2] + i x[3], ...; x is (n, many)."""
        half = self.n // 2
        re, im = x[0::2][self._reversed], x[1::2][self._reversed]
        m = 1
        while m < half:
            shape = (half // (2 * m), 2, m, x.shape[1])
            a_re, b_re = (re.reshape(shape)[:, i] for i in (0, 1))
            a_im, b_im = (im.reshape(shape)[:, i] for i in (0, 1))
            if m > 1:
                c = self._cos[:: half // m, None]
                s = self._sin[:: half // m, None]
                b_re, b_im = c * b_re + s * b_im, c * b_im - s * b_re
            re = np.stack([a_re + b_re, a_re - b_re], axis=1).reshape(half, x.shape[1])
            im = np.stack([a_im + b_im, a_im - b_im], axis=1).reshape(half, x.shape[1])
            m *= 2
        return re, im

    def spectrum(self, x: Floats) -> tuple[Floats, Floats]:
        """Return real and imaginary parts (..., n/2 + 1) of the transform of x (..., n)."""
        half, quarter = self.n // 2, self.n // 4
        lead = x.shape[:-1]
        a, b = self._complex(np.ascontiguousarray(x.reshape(-1, self.n).T, np.float32))
        re, im = np.empty((2, half + 1, a.shape[1]), np.float32)
        re[0], im[0] = a[0] + b[0], 0
        re[half], im[half] = a[0] - b[0], 0
        re[quarter], im[quarter] = a[quarter], -b[quarter]
        low, high = slice(1, quarter), slice(half - 1, quarter, -1)
        even_re, even_im = F(0.5) * (a[low] + a[high]), F(0.5) * (b[low] - b[high])
        odd_re, odd_im = F(0.5) * (b[low] + b[high]), F(0.5) * (a[high] - a[low])
        c, s = self._cos[low, None], self._sin[low, None]
        turned_re, turned_im = c * odd_re + s * odd_im, c * odd_im - s * odd_re
        re[low], im[low] = even_re + turned_re, even_im + turned_im
        re[high], im[high] = even_re - turned_re, turned_im - even_im
        return re.T.reshape(*lead, half + 1), im.T.reshape(*lead, half + 1)

    def power(self, x: Floats) -> Floats:
        """Return the squared magnitudes (..., n/2 + 1) of the transform of x (..., n)."""
        re, im = self.spectrum(x)
        return re * re + im * im

    def c_form(self) -> CForm:
        """Return the constants `pl_rfft_t`, to be put into another form's fields; it has no step of its own."""
        return CForm(kind="rfft", header="pl_math.h", fields=(("n", self.n), ("quarter", self.quarter)), state_words=0)
