"""Training repeats itself, keeps the best epoch, and augments without touching what it is given."""

from __future__ import annotations

import numpy as np
import pytest

from pulselet.errors import ModelError
from pulselet.model import nets, quantize, tflm
from pulselet.model.train import OTHER_WRIST, augment_motion, cross_entropy, predict, small_rotations, train, warped

RNG = np.random.default_rng(0)
Y = np.arange(120) % 2
TIME = np.arange(16) / 16
X = np.sin(2 * np.pi * (1 + 2 * Y)[:, None, None] * TIME[None, :, None] + RNG.uniform(0, 6, (120, 1, 6))).astype(
    np.float32
)


def test_the_same_seed_trains_the_same_net() -> None:
    runs = []
    for _ in range(2):
        net = nets.ds_cnn(16, 6, 2, seed=3)
        history = train(net, X[:80], Y[:80], X[80:], Y[80:], epochs=2, seed=3, augment=augment_motion)
        runs.append((history, predict(net, X[:5]).tolist()))
    assert runs[0] == runs[1]


def test_the_epoch_that_is_best_on_validation_is_kept() -> None:
    net = nets.ds_cnn(16, 6, 2)
    seen: list[int] = []
    history = train(net, X[:80], Y[:80], X[80:], Y[80:], epochs=5, seed=0, augment=None, progress=seen.append)
    assert seen == [1, 2, 3, 4, 5]
    assert history.val_loss[history.best_epoch] == min(history.val_loss)
    assert cross_entropy(predict(net, X[80:]), Y[80:]) == pytest.approx(min(history.val_loss), abs=1e-6)


def test_validation_is_not_learnt_from() -> None:
    nets_of_two = [nets.ds_cnn(16, 6, 2) for _ in range(2)]
    losses = [
        train(net, X[:80], Y[:80], x, Y[80:], epochs=2, seed=0, augment=None).loss
        for net, x in zip(nets_of_two, (X[80:], -X[80:]), strict=True)
    ]
    assert losses[0] == losses[1]


def test_augmenting_leaves_the_input_alone_and_keeps_its_shape() -> None:
    before = X.copy()
    made = augment_motion(X, np.random.default_rng(1))
    assert np.array_equal(X, before)
    assert (made.shape, made.dtype) == (X.shape, np.float32)
    assert not np.allclose(made, X)


def test_the_other_wrist_is_a_mirror_image() -> None:
    """A rotation of the body, mirrored, is the mirrored rotation: w x a keeps its meaning on the other side."""
    rng = np.random.default_rng(2)
    acceleration, rotation = rng.normal(size=(2, 50, 3))
    mirror_a, mirror_w = OTHER_WRIST[:3], OTHER_WRIST[3:]
    assert np.allclose(
        np.cross(rotation * mirror_w, acceleration * mirror_a), np.cross(rotation, acceleration) * mirror_a
    )


def test_turns_are_rotations_of_at_most_the_angle() -> None:
    turns = small_rotations(500, 20.0, np.random.default_rng(0))
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(turns), 1)
    angles = np.degrees(np.arccos((np.trace(turns, axis1=1, axis2=2) - 1) / 2))
    assert 18 < angles.max() <= 20 + 1e-6


def test_a_straight_line_is_still_straight_after_stretching() -> None:
    line = np.arange(100, dtype=np.float64)[None, :, None] * np.ones((20, 1, 1))
    slopes = np.diff(warped(line, np.random.default_rng(0)), axis=1)[:, 40:60]
    assert np.allclose(slopes, slopes[:, :1], atol=1e-9)
    assert slopes.min() >= 0.85
    assert slopes.max() <= 1.15


@pytest.mark.parametrize(
    ("x", "y", "epochs", "complaint"),
    [
        (X[:0], Y[:0], 1, "training set"),
        (X, Y[:3], 1, "3 for 120"),
        (X, Y, 0, "at least one epoch"),
        (X * np.nan, Y, 1, "not finite"),
        (X, Y + 1, 1, "the net has 2 outputs"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(x: np.ndarray, y: np.ndarray, epochs: int, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        train(nets.ds_cnn(16, 6, 2), x, y, X, Y, epochs=epochs, seed=0, augment=None)


def test_other_sensors_are_not_turned() -> None:
    with pytest.raises(ModelError, match=r"wants windows \(n, window, 6\)"):
        augment_motion(X[:, :, :3], np.random.default_rng(0))


@pytest.fixture(scope="module")
def model() -> bytes:
    return quantize.to_int8(nets.ds_cnn(16, 6, 2), X)


def test_int8_follows_the_float_net(model: bytes) -> None:
    net = nets.ds_cnn(16, 6, 2)
    in_scale, in_zero, out_scale, out_zero = quantize.io_parameters(model)
    outputs = tflm.invoke(model, quantize.quantise(X[:, None], in_scale, in_zero))
    real = (outputs.astype(np.float64) - out_zero) * out_scale
    assert np.abs(real - predict(net, X)).max() < 8 * out_scale


def test_the_smallest_arena_works_and_a_smaller_one_does_not(model: bytes) -> None:
    x = np.zeros((1, 96), np.int8)
    arena = tflm.smallest_arena(model)
    assert np.array_equal(tflm.invoke(model, x, arena_bytes=arena), tflm.invoke(model, x))
    with pytest.raises(ModelError, match="TFLite Micro refuses"):
        tflm.invoke(model, x, arena_bytes=arena // 2)


def test_windows_that_do_not_fit_the_net_are_refused(model: bytes) -> None:
    with pytest.raises(ModelError, match="the net wants int8"):
        tflm.invoke(model, np.zeros((1, 95), np.int8))
    with pytest.raises(ModelError, match="representative windows that fit"):
        quantize.to_int8(nets.ds_cnn(16, 6, 2), X[:, :15])


@pytest.mark.parametrize("bad", [b"", b"not a model at all", b"\x1c\0\0\0TFL3" + bytes(50)])
def test_bytes_that_are_no_model_are_refused(bad: bytes) -> None:
    with pytest.raises(ModelError):
        quantize.io_parameters(bad)
