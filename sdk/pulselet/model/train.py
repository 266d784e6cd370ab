"""Train a small net, the same way every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ModelError
from pulselet.model._backend import keras
from pulselet.windows import labelled
from pulselet.windows.leaks import Role, Seen, require_clean

Windows = NDArray[np.float32]  # (n, window, channels), or Rows that stay on disk
Augment = Callable[[Windows, np.random.Generator], Windows]
Prepare = Callable[[Windows], Windows]

BATCH = 64
CHUNK_BYTES = 64 << 20
"""So much of the windows is in memory at once, however many there are."""
PREDICTED = 512
LEARNING_RATE = 4e-3
LABEL_SMOOTHING = 0.1
TURN_DEGREES = 20.0
STRETCH = 0.15
SHIFT_SAMPLES = 12.0
# a mirror image of the body: x, across it, changes sign in acceleration; rotation, an axial vector, keeps only that one
OTHER_WRIST = np.array([-1, 1, 1, 1, -1, -1], np.float32)


@dataclass(frozen=True)
class History:
    """What happened in each epoch, and which epoch's weights were kept."""

    loss: tuple[float, ...]  # smoothed, on the augmented training windows
    val_loss: tuple[float, ...]  # cross-entropy without smoothing
    val_accuracy: tuple[float, ...]
    best_epoch: int  # counts from 0


def fit(
    net: Any,
    own: labelled.Windows,
    validation: labelled.Windows,
    *,
    epochs: int,
    seed: int,
    augment: Augment | None,
    prepare: Prepare | None = None,
    progress: Callable[[int], None] | None = None,
    seen: Seen | None = None,
) -> tuple[History, Seen]:
    """Train `net` in place as `train` does; return what happened, and what the fit has looked at.

    Windows on disk stay there. Some 0.4 kB of each are in memory: class, person, time, and the digests by which the
    leak detector knows a copy.

    Parameters
    ----------
    own, validation
        Windows to learn from, and those that choose the epoch.
    seen
        What was looked at before, such as for the constants of a scaling; it grows. `Split.declared` comes with it.

    Raises
    ------
    LeakError
        If the validation side shares people, recordings, samples or values with the training side.
    ModelError
        As `train`.
    """
    seen = Seen() if seen is None else seen
    learnt = Seen(seen.aliases, seen.declared).add(own, Role.TRAINING)
    require_clean(learnt, validation, simulated=True, side="validation")
    seen.merge(learnt).add(validation, Role.EARLY_STOPPING)
    history = train(
        net,
        own.x,
        own.y,
        validation.x,
        validation.y,
        epochs=epochs,
        seed=seed,
        augment=augment,
        prepare=prepare,
        progress=progress,
    )
    return history, seen


def train(
    net: Any,
    x: Windows,
    y: NDArray[np.integer[Any]],
    x_val: Windows,
    y_val: NDArray[np.integer[Any]],
    *,
    epochs: int,
    seed: int,
    augment: Augment | None,
    prepare: Prepare | None = None,
    progress: Callable[[int], None] | None = None,
) -> History:
    """Train `net` in place, leave it with its best weights on the validation set, and return what happened.

    An epoch goes through the windows in a new order, `CHUNK_BYTES` of them at a time: `Rows` are read as they are
    wanted, and give the same net as the same windows in memory.

    Parameters
    ----------
    net
        A Keras net from windows (with any axes of size 1 added) to logits; what `nets.ds_cnn` returns.
    x, x_val
        float32 windows `(n, window, channels)`, arrays or `Rows`.
    y, y_val
        Class numbers `(n,)`.
    augment
        Makes new windows of each epoch's batch, such as `augment_motion`; None trains on the windows as they are.
    prepare
        What is done to windows of both sets before anything else, such as clipping them.
    progress
        Called with the number of each finished epoch, from 1.

    Raises
    ------
    ModelError
        If an array is empty, the lengths differ, or there is no epoch to train.
    """
    _check(x, y, x_val, y_val, epochs, net.output_shape[-1])
    k = keras()
    steps = epochs * -(-len(x) // BATCH)
    net.compile(
        optimizer=k.optimizers.Adam(k.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        loss=k.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=LABEL_SMOOTHING),
    )
    rng = np.random.default_rng(seed)
    classes = net.output_shape[-1]
    losses, val_losses, val_accuracies = [], [], []
    best: list[Any] = net.get_weights()
    for epoch in range(1, epochs + 1):
        total = 0.0
        for chosen in _chunks(x, rng.permutation(len(x))):
            windows = _prepared(x[chosen], prepare)
            windows = windows if augment is None else augment(windows, rng)
            targets = np.eye(classes, dtype=np.float32)[y[chosen]]
            done = net.fit(_shaped(net, windows), targets, batch_size=BATCH, shuffle=False, verbose=0)
            total += float(done.history["loss"][0]) * len(chosen)
        losses.append(total / len(x))
        logits = predict(net, x_val, prepare=prepare)
        val_losses.append(cross_entropy(logits, y_val))
        val_accuracies.append(float(np.mean(logits.argmax(axis=1) == y_val)))
        if val_losses[-1] <= min(val_losses):
            best = net.get_weights()
        if progress is not None:
            progress(epoch)
    net.set_weights(best)
    kept = max(i for i, value in enumerate(val_losses) if value == min(val_losses))
    return History(tuple(losses), tuple(val_losses), tuple(val_accuracies), kept)


def predict(net: Any, x: Windows, *, prepare: Prepare | None = None) -> NDArray[np.float32]:
    """Return the logits `(n, classes)` of `net` for windows `(n, window, channels)`; `Rows` are read in parts."""
    found = [
        net.predict(_shaped(net, _prepared(x[chosen], prepare)), batch_size=PREDICTED, verbose=0)
        for chosen in _chunks(x, np.arange(len(x)))
    ]
    return np.concatenate(found) if found else np.empty((0, net.output_shape[-1]), np.float32)


def _chunks(x: Windows, order: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield stretches of `order`, each of whole batches and of `CHUNK_BYTES` at most, but one batch at least."""
    size = CHUNK_BYTES // max(1, 4 * int(np.prod(x.shape[1:]))) // PREDICTED * PREDICTED
    for first in range(0, len(order), max(PREDICTED, size)):
        yield order[first : first + max(PREDICTED, size)]


def _prepared(x: Windows, prepare: Prepare | None) -> Windows:
    return x if prepare is None else prepare(x)


def cross_entropy(logits: NDArray[np.float32], y: NDArray[np.integer[Any]]) -> float:
    """Return the mean cross-entropy, in nats.

    >>> round(cross_entropy(np.zeros((3, 2), np.float32), np.array([0, 1, 1])), 4)
    0.6931
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]))


def augment_motion(x: Windows, rng: np.random.Generator) -> Windows:
    """Return windows `(n, window, 6)` as another wearer might have made them; the input is left alone.

    Channels are three of acceleration, then three of rotation. Half of the windows move to the other wrist; each is
    turned (the strap sits differently: up to 20 degrees, the same turn for both sensors), made up to 15 % slower or
    faster and stronger or weaker, shifted in time and given noise.
    """
    if x.ndim != 3 or x.shape[2] != 6:
        raise ModelError(f"augment_motion wants windows (n, window, 6), got {x.shape}")
    mirrored = np.where(rng.random((len(x), 1, 1)) < 0.5, x * OTHER_WRIST, x)
    turn = small_rotations(len(x), TURN_DEGREES, rng)
    turned = np.einsum("nij,nwsj->nwsi", turn, mirrored.reshape(*x.shape[:2], 2, 3)).reshape(x.shape)
    gain = rng.uniform(1 - STRETCH, 1 + STRETCH, (len(x), 1, 1))
    noise = rng.normal(0.0, 0.02, x.shape)
    return (warped(turned, rng) * gain + noise).astype(np.float32)


def warped(x: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return windows `(n, window, channels)` stretched about their middle and shifted; the edge sample is held."""
    length = x.shape[1]
    pace = rng.uniform(1 - STRETCH, 1 + STRETCH, (len(x), 1))
    shift = rng.uniform(-SHIFT_SAMPLES, SHIFT_SAMPLES, (len(x), 1))
    times = np.clip((np.arange(length) - length / 2) * pace + length / 2 + shift, 0, length - 1)
    before = np.minimum(times.astype(int), length - 2)
    share = (times - before)[:, :, None]
    left, right = (np.take_along_axis(x, at[:, :, None], axis=1) for at in (before, before + 1))
    warped: NDArray[np.float64] = left * (1 - share) + right * share
    return warped


def small_rotations(n: int, degrees: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return `n` rotation matrices `(n, 3, 3)` about random axes, by at most `degrees` (Rodrigues' formula)."""
    axis = rng.normal(size=(n, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.deg2rad(rng.uniform(-degrees, degrees, n))[:, None, None]
    cross = np.zeros((n, 3, 3))
    for row, column, part, sign in ((0, 1, 2, -1), (0, 2, 1, 1), (1, 2, 0, -1)):
        cross[:, row, column] = sign * axis[:, part]
        cross[:, column, row] = -sign * axis[:, part]
    rotations: NDArray[np.float64] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return rotations


def _check(x: Windows, y: NDArray[Any], x_val: Windows, y_val: NDArray[Any], epochs: int, classes: int) -> None:
    if epochs < 1:
        raise ModelError(f"training wants at least one epoch, got {epochs}")
    for name, windows, labels in (("training", x, y), ("validation", x_val, y_val)):
        if len(windows) == 0 or len(windows) != len(labels):
            raise ModelError(f"the {name} set wants as many labels as windows, got {len(labels)} for {len(windows)}")
        if not all(np.isfinite(windows[part]).all() for part in _chunks(windows, np.arange(len(windows)))):
            raise ModelError(f"the {name} set holds values that are not finite numbers: clean them first")
        if labels.min() < 0 or labels.max() >= classes:
            raise ModelError(
                f"the {name} set has classes {labels.min()} to {labels.max()}, the net has {classes} outputs"
            )


def _shaped(net: Any, x: Windows) -> Windows:
    return x.reshape(len(x), *net.input_shape[1:])
