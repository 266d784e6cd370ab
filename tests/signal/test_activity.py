"""Activity counts: equal to the authors' package, value by value, and on their grid."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import freqz

from pulselet.errors import PipelineError
from pulselet.signal.activity import A, ActivityCounts, B, Powers, activity_counts
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import acceleration
from pulselet_firmware import toolchain
from pulselet_firmware.kernels import RUNTIME

# What agcounts 0.2.6 (get_counts) gave for swing(rate, 31) in epochs of 10 s
AGCOUNTS = {
    30: [[2811, 295, 292], [2841, 790, 273], [2831, 968, 271]],
    40: [[2820, 294, 307], [2867, 798, 268], [2848, 971, 271]],
    50: [[2815, 294, 301], [2843, 794, 266], [2839, 967, 271]],
    60: [[2791, 295, 295], [2824, 790, 274], [2864, 968, 259]],
    70: [[2826, 297, 303], [2841, 798, 273], [2824, 971, 271]],
    80: [[2816, 298, 301], [2835, 790, 268], [2860, 968, 270]],
    90: [[2802, 295, 291], [2831, 790, 264], [2850, 968, 261]],
    100: [[2827, 296, 296], [2829, 793, 273], [2836, 970, 272]],
    32: [[2817, 299, 313], [2839, 785, 272], [2846, 965, 270]],
    64: [[2806, 299, 298], [2814, 784, 262], [2808, 963, 267]],
    128: [[2796, 299, 295], [2814, 781, 276], [2835, 963, 273]],
}
each_rate = pytest.mark.parametrize("rate_hz", AGCOUNTS)


def swing(rate_hz: int, seconds: int) -> Samples:
    """Return triangles with a scatter, all from whole numbers, so that every computer has the same."""
    i = np.arange(rate_hz * seconds)

    def saw(length: int) -> NDArray[np.float64]:
        return np.asarray(np.abs((i % length) * 2 - length) / length)

    scatter = (i * i * 7919 + i * 104729) % 4001
    forward = 2 * saw(rate_hz) - 1 + scatter / 20000
    left = saw(2 * rate_hz) * (i // (5 * rate_hz) % 3) / 2
    up = 1 + saw(rate_hz // 2) * 0.5 - scatter / 40000
    return np.stack([forward, left, up], axis=1).astype(np.float32)


def plain_counts(x: Samples, epoch_s: int) -> list[int]:
    """Return counts of one axis at 30 Hz by the difference equation of the paper, one number after another."""
    values = [round(1000 * float(v)) / 1000 for v in x]
    seen, given = [values[0]] * 8, [0.0] * 7  # at rest the band-pass gives nothing
    counts, total = [], []
    for value in values:
        seen = [value, *seen[:7]]
        y = sum(b * v for b, v in zip(B, seen, strict=True)) - sum(a * v for a, v in zip(A[1:], given, strict=True))
        given = [y, *given[:6]]
        size = abs(y) * 17.127404
        counts.append(0 if size < 4 else min(128, int(size)))
    for at in range(0, len(counts) - 30 * epoch_s + 1, 30 * epoch_s):
        total.append(sum(sum(counts[i : i + 3]) // 3 for i in range(at, at + 30 * epoch_s, 3)))
    return total


@each_rate
def test_counts_are_those_of_the_authors_package(rate_hz: int) -> None:
    assert activity_counts(swing(rate_hz, 31), rate_hz=rate_hz, epoch_s=10).tolist() == AGCOUNTS[rate_hz]


@each_rate
@pytest.mark.skipif(importlib.util.find_spec("agcounts") is None, reason="agcounts is not installed")
def test_counts_of_a_walk_are_those_of_the_installed_package(rate_hz: int) -> None:
    from agcounts.extract import get_counts

    motion = acceleration(100.5, rate_hz=rate_hz, seed=1, activity="walking", noise_g=0.05).values_g.astype(np.float32)
    wanted = np.asarray(get_counts(motion.astype(np.float64), rate_hz, 20)).astype(int)
    assert np.array_equal(activity_counts(motion, rate_hz=rate_hz, epoch_s=20), wanted)


def test_counts_are_those_of_the_difference_equation_by_hand() -> None:
    x = swing(30, 40)
    found = activity_counts(x, rate_hz=30, epoch_s=10)
    for axis in range(3):
        wanted = plain_counts(x[:, axis] - x[0, axis], 10)  # the band-pass takes no notice of an offset
        assert np.abs(found[:, axis] - wanted).max() <= 1


def test_the_band_is_the_published_one() -> None:
    """No gain at rest, half power at about 0.29 and 1.63 Hz (Brond et al., Med Sci Sports Exerc 49(11), 2017)."""
    f, response = freqz(B, A, worN=np.arange(0, 15, 0.01), fs=30)
    gain = np.abs(response) / np.abs(response).max()
    band = f[gain > np.sqrt(0.5)]
    assert gain[0] < 1e-3
    assert band[0] == pytest.approx(0.29, abs=0.05)
    assert band[-1] == pytest.approx(1.63, abs=0.1)


def test_the_taps_are_a_kaiser_window_in_whole_millionths() -> None:
    taps = Powers(8).taps
    assert len(taps) == 255
    assert np.array_equal(taps, taps[::-1])
    assert taps[127] == 125000
    assert taps[126] == 121780
    assert taps[0] == -1
    assert np.all(taps[127 % 8 :: 8][taps[127 % 8 :: 8] != 125000] == 0)


@pytest.mark.parametrize("rate_hz", [30, 32, 50])
def test_a_gap_loses_the_epochs_that_it_touches_and_the_grid_holds(rate_hz: int) -> None:
    x = swing(rate_hz, 80)
    kernel = ActivityCounts(10).design(Format(float(rate_hz), 3, "g"))
    whole, _ = kernel.step(kernel.start(), x)
    cut = slice(25 * rate_hz, 26 * rate_hz)  # in the third epoch
    first, state = kernel.step(kernel.start(), x[: cut.start])
    dropped, state = kernel.gap(state, cut.stop - cut.start)
    rest, _ = kernel.step(state, x[cut.stop :])
    assert (len(first), dropped, len(rest)) == (2, 1, len(whole) - 3)
    assert np.array_equal(first, whole[:2])
    assert np.abs(rest[0] - whole[3]).max() <= 5  # the filters began within the epoch before
    assert np.array_equal(rest[1:], whole[4:])


def test_a_gap_over_a_boundary_loses_two_epochs() -> None:
    kernel = ActivityCounts(10).design(Format(50.0, 3, "g"))
    _, state = kernel.step(kernel.start(), swing(50, 9))
    dropped, state = kernel.gap(state, 100)
    y, _ = kernel.step(state, swing(50, 19))
    assert (dropped, len(y)) == (2, 1)


@pytest.mark.parametrize(("rate_hz", "late"), [(50, 0), (32, 16), (64, 32), (128, 64)])
def test_an_epoch_comes_out_as_late_as_declared(rate_hz: int, late: int) -> None:
    kernel = ActivityCounts(2).design(Format(float(rate_hz), 3, "g"))
    x, needed = swing(rate_hz, 4), 2 * rate_hz + late
    early, state = kernel.step(kernel.start(), x[: needed - 1])
    then, _ = kernel.step(state, x[needed - 1 : needed])
    assert (len(early), len(then)) == (0, 1)
    assert kernel.latency_s == pytest.approx((needed - 1) / rate_hz, abs=1.01 / rate_hz)


def test_rest_gives_no_counts() -> None:
    x = acceleration(60, rate_hz=50.0, seed=0, activity="rest").values_g
    assert not activity_counts(x, rate_hz=50, epoch_s=20).any()


@pytest.mark.parametrize(
    ("stage", "source", "words"),
    [
        (ActivityCounts(60), Format(25.0, 3, "g"), "a rate of 30, 32, 40"),
        (ActivityCounts(60), Format(50.0, 3, "m/s^2"), "samples in g"),
        (ActivityCounts(60), Format(50.0, 1, "g"), "three axes"),
        (ActivityCounts(0), Format(50.0, 3, "g"), "whole seconds"),
    ],
)
def test_what_does_not_fit_is_refused(stage: ActivityCounts, source: Format, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        stage.design(source)


def test_a_recording_that_is_not_finite_is_refused() -> None:
    x = swing(30, 20)
    x[5, 1] = np.nan
    with pytest.raises(PipelineError, match="finite"):
        activity_counts(x, rate_hz=30, epoch_s=10)


FLOAT64 = """
#include "pl_activity.h"
void add(const uint64_t *a, const uint64_t *b, uint64_t *y, int32_t n);
void multiply(const uint64_t *a, const uint64_t *b, uint64_t *y, int32_t n);
void thousandths(const uint64_t *a, uint64_t *y, int32_t n);
void add(const uint64_t *a, const uint64_t *b, uint64_t *y, int32_t n)
{ for (int32_t i = 0; i < n; i++) y[i] = pl_f64_add(a[i], b[i]); }
void multiply(const uint64_t *a, const uint64_t *b, uint64_t *y, int32_t n)
{ for (int32_t i = 0; i < n; i++) y[i] = pl_f64_mul(a[i], b[i]); }
void thousandths(const uint64_t *a, uint64_t *y, int32_t n)
{ for (int32_t i = 0; i < n; i++) y[i] = pl_f64_thousandths(a[i]); }
"""


def hard_pairs(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pairs of all sizes, of nearly the same size, with few bits, and with zeros: where rounding goes wrong."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, n)) * 2.0 ** rng.integers(-80, 80, (2, n))
    near = rng.random(n) < 0.3
    b[near] = -a[near] * (1 + 2.0 ** -rng.integers(1, 53, near.sum()))
    few = rng.random((2, n)) < 0.2
    a[few[0]], b[few[1]] = np.round(a[few[0]]), rng.integers(-8, 8, few[1].sum())
    return a, b


def test_float64_in_integers_is_that_of_the_processor(tmp_path: Path) -> None:
    (tmp_path / "f64.c").write_text(FLOAT64)
    built = toolchain.compile_host([tmp_path / "f64.c"], tmp_path / "f64.so", include=[RUNTIME])
    library = ctypes.CDLL(str(built))
    a, b = hard_pairs(200_000)
    y = np.empty_like(a)

    def call(name: str, *arrays: NDArray[np.float64]) -> NDArray[np.float64]:
        library[name](*(v.ctypes.data_as(ctypes.c_void_p) for v in (*arrays, y)), len(y))
        return y

    assert np.array_equal(call("add", a, b), a + b)
    assert np.array_equal(call("multiply", a, b), a * b)
    small = np.abs(a) < 2.0**52
    halves = np.where(small, a, np.arange(len(a)) / 2 - 1000)
    assert np.array_equal(call("thousandths", halves), np.rint(halves) / 1000)
