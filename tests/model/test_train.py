"""Training repeats itself, keeps the best epoch, and augments without touching what it is given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pulselet.errors import LeakError, ModelError
from pulselet.model import nets, quantize, tflm
from pulselet.model import train as training
from pulselet.model.train import (
    OTHER_WRIST,
    augment_motion,
    cross_entropy,
    fit,
    predict,
    small_rotations,
    train,
    warped,
)
from pulselet.windows import Role, Windows, WindowStore, require_clean
from pulselet.windows.running import Cut

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


def stored(x: np.ndarray, folder: Path) -> Any:
    """Return windows as they lie in a store, in three files."""
    store = WindowStore(folder)
    parts = [store.put(str(i), Cut(part, np.zeros((len(part), 4)), 0, "")).x for i, part in enumerate(np.split(x, 3))]
    return type(parts[0]).join(parts)


def flat_net() -> Any:
    """Return a net that is quick to build, the same every time."""
    k = nets.keras()
    k.utils.set_random_seed(0)
    return k.Sequential([k.Input((16, 6)), k.layers.Flatten(), k.layers.Dense(2)])


def test_windows_on_disk_and_in_parts_give_the_net_of_those_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "PREDICTED", 64)  # so that these few windows can be several parts
    runs = []
    for x, size in ((X, 1 << 20), (X, 1), (stored(X, tmp_path), 1)):
        monkeypatch.setattr(training, "CHUNK_BYTES", size)
        net = flat_net()
        history = train(net, x, Y, x, Y, epochs=2, seed=3, augment=None, prepare=lambda part: part * 2)
        runs.append((history.val_loss, predict(net, x).tolist()))
    assert runs[0] == runs[1] == runs[2]


def test_a_fit_keeps_what_it_has_looked_at() -> None:
    data = Windows(X, Y, np.repeat(["a", "b", "c"], 40), ("slow", "fast"))
    history, seen = fit(nets.ds_cnn(16, 6, 2), data.of("a"), data.of("b"), epochs=1, seed=0, augment=None)
    assert len(history.val_loss) == 1
    assert (seen.people(Role.TRAINING), seen.people(Role.EARLY_STOPPING)) == (["a"], ["b"])
    assert require_clean(seen, data.of("c")) == []
    with pytest.raises(LeakError, match="subject/early-stopping"):
        require_clean(seen, data.of("b"))


def test_a_fit_refuses_to_validate_on_those_it_learns_from() -> None:
    data = Windows(X, Y, np.repeat(["a", "b", "c"], 40), ("slow", "fast"))
    with pytest.raises(LeakError, match="the validation side is not unseen"):
        fit(nets.ds_cnn(16, 6, 2), data.of("ab"), data.of("bc"), epochs=1, seed=0, augment=None)


MEMORY = """
import json, sys
import numpy as np
from pulselet.model import train as training
from pulselet.windows import Windows, WindowStore, Rows
from pulselet.windows.running import Cut

folder, files, megabytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
training.CHUNK_BYTES = 1 << 20
rng, store = np.random.default_rng(0), WindowStore(folder)
rows = megabytes * (1 << 20) // (4 * 128 * 6)
parts = []
for i in range(files):
    x = rng.normal(size=(rows, 128, 6)).astype(np.float32)
    parts.append(store.put(str(i), Cut(x, np.zeros((rows, 4)), 0, "")).x)
del x

import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)


def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def run(parts):
    x = Rows.join(parts)
    n = len(x)
    data = Windows(x, np.arange(n) % 2, np.arange(n) * 10 // n, ("a", "b"))
    net = tf.keras.Sequential([tf.keras.Input((128, 6)), tf.keras.layers.Flatten(), tf.keras.layers.Dense(2)])
    training.fit(net, data.of(range(8)), data.of([8]), epochs=1, seed=0, augment=None)
    return peak()


small = run(parts[:1])
print(json.dumps({"more": run(parts) - small, "set": files * megabytes, "windows": files * rows}))
"""


def trained_in_a_child(folder: Path, files: int, megabytes: int) -> dict[str, float]:
    """Return by how many MB a child's peak grows from one file to all, how large they are, and how many windows."""
    command = [sys.executable, "-W", "ignore", "-c", MEMORY, str(folder), str(files), str(megabytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_a_larger_set_on_disk_takes_little_more_memory(tmp_path: Path) -> None:
    found = trained_in_a_child(tmp_path, files=8, megabytes=8)
    assert found["more"] < found["set"] / 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_the_values_of_a_large_set_stay_on_disk(tmp_path: Path) -> None:
    """30 MB of noise in the allocators, and at most 0.4 kB of a window's 3 kB at the peak."""
    found = trained_in_a_child(tmp_path, files=32, megabytes=24)
    assert found["set"] == 768
    assert found["more"] < 30 + 0.4e-3 * found["windows"]


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
