"""Nets small enough for a microcontroller."""

from __future__ import annotations

from typing import Any

from pulselet.model._backend import keras

STEM_FILTERS = 24
STEM_KERNEL = 7
BLOCKS = ((32, 5, 2), (32, 5, 2), (40, 5, 1))  # (filters, kernel, stride)


def ds_cnn(window: int, channels: int, classes: int, *, seed: int = 0) -> Any:
    """Return an untrained depthwise separable Keras net of about 5,000 parameters.

    It maps float32 `(n, 1, window, channels)` to logits `(n, classes)`. The height of 1 is there for the converter,
    which wraps every Conv1D in reshapes; softmax is absent because it changes no decision and costs flash.
    The architecture is that of MobileNet (Howard et al., arXiv 1704.04861) along time.

    Parameters
    ----------
    seed
        Fixes the initial weights.

    Raises
    ------
    MissingExtraError
        If Keras is not installed.
    """
    layers = keras().layers
    seeds = iter(range(1000 * seed, 1000 * seed + 1000))
    inputs = layers.Input((1, window, channels))
    stem = layers.Conv2D(
        STEM_FILTERS,
        (1, STEM_KERNEL),
        strides=(1, 2),
        padding="same",
        use_bias=False,
        kernel_initializer=_initial(next(seeds)),
    )
    hidden = _normalised(stem(inputs))
    for filters, kernel, stride in BLOCKS:
        depthwise = layers.DepthwiseConv2D(
            (1, kernel),
            strides=stride,  # TensorFlow wants both strides equal; over a height of 1 that changes nothing
            padding="same",
            use_bias=False,
            depthwise_initializer=_initial(next(seeds)),
        )
        pointwise = layers.Conv2D(filters, 1, use_bias=False, kernel_initializer=_initial(next(seeds)))
        hidden = _normalised(pointwise(_normalised(depthwise(hidden))))
    pooled = layers.GlobalAveragePooling2D()(hidden)
    logits = layers.Dense(classes, kernel_initializer=_initial(next(seeds)))(pooled)
    return keras().Model(inputs, logits)


def _normalised(tensor: Any) -> Any:
    """Return `tensor` after batch norm (which folds into the convolution) and ReLU (which fuses)."""
    layers = keras().layers
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(tensor))


def _initial(seed: int) -> Any:
    return keras().initializers.HeNormal(seed=seed)
