"""maths.py against numpy in float64, and against the C that stands for it."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal import maths
from pulselet_firmware import toolchain
from pulselet_firmware.emulate import Core
from pulselet_firmware.kernels import RUNTIME, constants

Floats = NDArray[np.float32]
LARGEST = np.finfo(np.float32).max
ZERO_AND_TINY = (0.0, -0.0, 1e-45, -1e-45, 3e-41, 1.1754944e-38, -1.1754944e-38)
LARGE = (3.4028235e38, -3.4028235e38, 1e12, -1e12, 12800.0, 12800.001)
ANGLES = (3.1415927, -3.1415927, 1.5707964, 0.7853982, 0.41421357)
EXPONENTS = (88.7228, 88.73, -87.4, -103.9, -104.0, -150.0)
NEAR_1 = (1.0, -1.0, 0.5, 2.0, 0.7071068, 1.0000001, 0.99999994)
SPECIAL = np.array([*ZERO_AND_TINY, *LARGE, *ANGLES, *EXPONENTS, *NEAR_1], np.float32)
SIZE = 256
FUNCTIONS = ("exp", "log", "sin", "cos", "atan2", "sqrt", "soft_sqrt")
DRIVER = """
#include "pl_math.h"
float x[4096], y[4096];
%s
#define EACH(name, value) void name(int32_t n); void name(int32_t n) { for (int32_t i = 0; i < n; i++) x[i] = value; }
EACH(run_exp, pl_expf(x[i]))
EACH(run_log, pl_logf(x[i]))
EACH(run_sin, pl_sinf(x[i]))
EACH(run_cos, pl_cosf(x[i]))
EACH(run_atan2, pl_atan2f(y[i], x[i]))
EACH(run_sqrt, pl_sqrtf(x[i]))
EACH(run_soft_sqrt, pl_soft_sqrtf(x[i]))
void run_fold(int32_t n); void run_fold(int32_t n) { x[0] = pl_fold_sum(x, n); }
void run_spectrum(int32_t n); void run_spectrum(int32_t n) { (void)n; pl_rfft(&fft, x); }
void run_power(int32_t n); void run_power(int32_t n) { (void)n; pl_rfft_power(&fft, x); }
"""
ENTRIES = tuple(f"run_{name}" for name in (*FUNCTIONS, "fold", "spectrum", "power"))
Run = Callable[..., Floats]


def python(name: str, x: Floats, y: Floats) -> Floats:
    if name == "atan2":
        return maths.atan2(y, x)
    if "sqrt" in name:
        return np.sqrt(np.abs(x))
    return getattr(maths, name)(x)  # type: ignore[no-any-return]


def spread(n: int, seed: int) -> Floats:
    """Return numbers of every sign and size, and some of everyday size."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**32, n, dtype=np.uint32).view(np.float32)
    with np.errstate(invalid="ignore"):
        x = np.where(np.isfinite(bits), bits, np.float32(1)).astype(np.float32)
    x[::2] = rng.uniform(-100, 100, len(x[::2]))
    x[: len(SPECIAL)] = SPECIAL[:n]
    return x


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("maths") / "maths.c"
    file.write_text(DRIVER % constants("fft", maths.RealFFT(SIZE).c_form()), encoding="utf-8")
    return file


@pytest.fixture(scope="module", params=["clang -O2", "gcc -O3", "cortex-m4f", "cortex-m0plus"])
def c(request: pytest.FixtureRequest, source: Path) -> Iterator[Run]:
    """Return what runs a function of `pl_math.h` on up to 4096 values."""
    where, _, level = request.param.partition(" ")
    if where.startswith("cortex"):
        core = Core(
            toolchain.compile_core(
                [source], source.with_suffix(".elf"), core=where, include=[RUNTIME], entries=ENTRIES
            ),
            core=where,
        )
        yield lambda name, x, y=None: on_core(core, name, x, y)
        return
    if shutil.which(where) is None and where == "gcc":
        pytest.skip("gcc is not installed")
    command = None if where == "clang" else [where]
    library = ctypes.CDLL(
        str(
            toolchain.compile_host(
                [source], source.with_name(f"{where}.so"), include=[RUNTIME], command=command, optimise=level
            )
        )
    )
    yield lambda name, x, y=None: on_host(library, name, x, y)


def on_host(library: Any, name: str, x: Floats, y: Floats | None) -> Floats:
    buffers = [np.ctypeslib.as_array((ctypes.c_float * 4096).in_dll(library, b)) for b in "xy"]
    parts = []
    for at in range(0, len(x), 4096):
        n = len(x[at : at + 4096])
        buffers[0][:n] = x[at : at + n]
        if y is not None:
            buffers[1][:n] = y[at : at + n]
        library[f"run_{name}"](n)
        parts.append(buffers[0][:n].copy())
    return np.concatenate(parts)


def on_core(core: Core, name: str, x: Floats, y: Floats | None) -> Floats:
    x = x[:4096]
    core.write(core.symbol("x"), x.tobytes())
    if y is not None:
        core.write(core.symbol("y"), y[:4096].tobytes())
    core.call(f"run_{name}", len(x))
    return np.frombuffer(core.read(core.symbol("x"), 4 * len(x)), np.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_c_is_numpy_bit_for_bit(c: Run, name: str) -> None:
    x, y = spread(400_000, 1), np.concatenate([SPECIAL[::-1], spread(400_000, 2)[len(SPECIAL) :]])
    if "sqrt" in name:
        x = np.abs(x)
    got = c(name, x, y)
    np.testing.assert_array_equal(got.view(np.int32), python(name, x, y)[: len(got)].view(np.int32))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 100, 4095])
def test_fold_sum_is_the_same_in_c(c: Run, n: int) -> None:
    x = np.random.default_rng(3).standard_normal(max(n, 1)).astype(np.float32)
    if n == 0:
        assert maths.fold_sum(x[:0]) == 0
    else:
        np.testing.assert_array_equal(c("fold", x)[:1], maths.fold_sum(x))


def test_the_spectrum_is_the_same_in_c(c: Run) -> None:
    fft = maths.RealFFT(SIZE)
    for x in (np.random.default_rng(4).standard_normal(SIZE).astype(np.float32), np.zeros(SIZE, np.float32)):
        re, im = fft.spectrum(x)
        got = c("spectrum", x)
        np.testing.assert_array_equal(got[0::2][1:], re[1:-1])
        np.testing.assert_array_equal(got[1::2][1:], im[1:-1])
        assert (got[0], got[1]) == (re[0], re[-1])
        np.testing.assert_array_equal(c("power", x)[: SIZE // 2 + 1], fft.power(x))


@cache
def grid(low: float, high: float) -> Floats:
    return np.linspace(low, high, 1_000_001).astype(np.float32)


def units(got: Floats, exact: NDArray[np.float64]) -> float:
    """Return the largest error in units in the last place."""
    return float(np.max(np.abs(got - exact) / np.spacing(np.abs(exact).astype(np.float32))))


def test_exp_is_within_one_unit_and_saturates() -> None:
    x = grid(-103.5, 88.72)
    assert units(maths.exp(x), np.exp(x.astype(float))) <= 1.01
    np.testing.assert_array_equal(maths.exp(np.array([-1e30, -200, 0], np.float32)), [0, 0, 1])
    assert 3.4e38 < maths.exp(1e30) <= LARGEST


def test_log_is_within_one_unit_over_the_whole_range() -> None:
    for x in (grid(0.3, 3.0), np.abs(spread(1_000_000, 5)), np.arange(1, 100_000, dtype=np.int32).view(np.float32)):
        x = x[x > 0]
        x = x[x != 1]
        assert units(maths.log(x), np.log(x.astype(float))) <= 1.0
    np.testing.assert_array_equal(maths.log(np.array([0, -1, -1e30, 1], np.float32)), [-104, -104, -104, 0])


def test_sine_and_cosine_are_good_to_a_unit_of_1_everywhere() -> None:
    for low, high in ((-np.pi, np.pi), (-12800, 12800)):
        x = grid(low, high)
        assert np.max(np.abs(maths.sin(x) - np.sin(x.astype(float)))) <= 1e-7
        assert np.max(np.abs(maths.cos(x) - np.cos(x.astype(float)))) <= 1e-7
    assert units(maths.sin(grid(-3, 3)), np.sin(grid(-3, 3).astype(float))) <= 1.5
    np.testing.assert_array_equal(maths.cos(np.array([0, 1e12, -1e30], np.float32)), 1)


def test_atan2_is_within_three_units_in_every_quadrant() -> None:
    angle = np.linspace(-np.pi, np.pi, 1_000_003)[1:-1]
    radius = 10 ** np.random.default_rng(6).uniform(-30, 30, len(angle))
    y, x = (radius * np.sin(angle)).astype(np.float32), (radius * np.cos(angle)).astype(np.float32)
    assert units(maths.atan2(y, x), np.arctan2(y.astype(float), x.astype(float))) <= 2.7
    found = maths.atan2(np.array([0, 0, 1, -1, -0.0], np.float32), np.array([0, -1, 0, 0, -1], np.float32))
    np.testing.assert_allclose(found, [0, np.pi, np.pi / 2, -np.pi / 2, np.pi], rtol=1e-7)


@pytest.mark.parametrize("n", [8, 16, 64, 512, 4096])
def test_the_transform_is_that_of_numpy(n: int) -> None:
    x = np.random.default_rng(n).standard_normal((2, 3, n)).astype(np.float32)
    wanted = np.fft.rfft(x.astype(float))
    re, im = maths.RealFFT(n).spectrum(x)
    assert re.dtype == im.dtype == np.float32
    assert re.shape == wanted.shape
    assert np.max(np.abs(re + 1j * im - wanted)) < 3e-7 * np.max(np.abs(wanted)) * np.log2(n)
    assert maths.RealFFT(n).power(x[:0]).shape == (0, 3, n // 2 + 1)
    np.testing.assert_allclose(maths.RealFFT(n).power(x), np.abs(wanted) ** 2, rtol=1e-4, atol=1e-5 * n)


def test_a_transform_of_an_odd_length_is_refused() -> None:
    with pytest.raises(PipelineError, match="power of two"):
        maths.RealFFT(100)


def test_fold_sum_halves() -> None:
    x = np.arange(10, dtype=np.float32)
    assert maths.fold_sum(x) == 45
    np.testing.assert_array_equal(maths.fold_sum(np.ones((3, 5), np.float32), axis=0), np.full(5, 3))
    large = np.array([2**24, 1, -(2**24), 1], np.float32)  # (2^24 - 2^24) + (1 + 1), where from left to right gives 1
    assert maths.fold_sum(large) == 2
