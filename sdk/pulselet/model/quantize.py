"""From a trained float net to a full int8 one, and from float windows to its int8 input."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pulselet._extras import require
from pulselet._quiet import native_output_held
from pulselet.errors import ModelError

T = TypeVar("T")


def to_int8(net: Any, representative: NDArray[np.float32]) -> bytes:
    """Return `net` as an int8 `.tflite` with batch 1, int8 in and int8 out.

    Parameters
    ----------
    net
        A trained Keras net; its input has the size of a window.
    representative
        Windows `(n, window, channels)` on which the ranges of all activations are measured. The extremes of these
        windows set the step of the input: saturate outliers before.

    Raises
    ------
    MissingExtraError
        If TensorFlow is not installed.
    ModelError
        If there is no window, or it does not fit the net.
    """
    shape = tuple(net.input_shape[1:])
    if len(representative) == 0 or int(np.prod(representative.shape[1:])) != int(np.prod(shape)):
        raise ModelError(f"the net wants representative windows that fit {shape}, got {representative.shape}")
    windows = representative.astype(np.float32).reshape(-1, 1, *shape)

    def feed() -> Iterator[list[NDArray[np.float32]]]:
        for window in windows:
            yield [window]

    with native_output_held(), tempfile.TemporaryDirectory() as folder:
        tf = require("tensorflow", "train")
        net.export(folder, verbose=False, input_signature=[tf.TensorSpec((1, *shape), tf.float32)])
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = feed
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        model: bytes = converter.convert()
    return model


def quantise(x: NDArray[np.float32], scale: float, zero_point: int) -> NDArray[np.int8]:
    """Return `x` in int8 steps of `scale`, by the rule of the exported C.

    Every operation is in float32: divide, round half away from zero by adding half and truncating, add the zero point,
    saturate, and only then convert (a float beyond the integer's range is undefined in C). NaN becomes -128.

    >>> quantise(np.array([0.25, -0.25, 99.0], np.float32), 0.5, 3).tolist()
    [4, 2, 127]
    """
    half = np.float32(0.5)
    with np.errstate(over="ignore", invalid="ignore"):
        v = np.asarray(x, np.float32) / np.float32(scale)
        q = np.trunc(v + np.where(v >= 0, half, -half)) + np.float32(zero_point)
        bounded = np.where(q > -128, np.minimum(q, np.float32(127)), np.float32(-128))
    return bounded.astype(np.int8)


def io_parameters(model: bytes) -> tuple[float, int, float, int]:
    """Return `(input scale, input zero point, output scale, output zero point)` of an int8 `.tflite`.

    The scales are float32 values, held exactly.

    Raises
    ------
    MissingExtraError
        If the package `tflite` (the file's schema) is not installed.
    ModelError
        If `model` is not a `.tflite`, or its input or output is not int8.
    """
    return parsed(model, _io_parameters)


def parsed(model: bytes, read: Callable[[Any, Any], T]) -> T:
    """Return what `read` makes of the schema's package and of the file's root.

    Raises
    ------
    MissingExtraError
        If the package `tflite` (the file's schema) is not installed.
    ModelError
        If `model` is not a `.tflite`, or is damaged.
    """
    tflite = require("tflite", "firmware")
    if model[4:8] != b"TFL3":
        raise ModelError(f"these {len(model)} bytes are not a .tflite: the identifier TFL3 is absent")
    try:
        return read(tflite, tflite.Model.GetRootAs(model, 0))
    except ModelError:
        raise
    except Exception as error:  # the schema's own code raises whatever a damaged offset leads it to
        raise ModelError(f"this .tflite is damaged: {error!r}") from error


def _io_parameters(tflite: Any, file: Any) -> tuple[float, int, float, int]:
    graph = file.Subgraphs(0)
    if graph.InputsLength() != 1 or graph.OutputsLength() != 1:
        raise ModelError(f"wanted one input and one output, got {graph.InputsLength()} and {graph.OutputsLength()}")
    tensors = graph.Tensors(graph.Inputs(0)), graph.Tensors(graph.Outputs(0))
    if any(tensor.Type() != tflite.TensorType.INT8 for tensor in tensors):
        raise ModelError("wanted an input and output of int8; convert the net with to_int8")
    (in_scale, in_zero), (out_scale, out_zero) = [
        (float(tensor.Quantization().Scale(0)), int(tensor.Quantization().ZeroPoint(0))) for tensor in tensors
    ]
    return in_scale, in_zero, out_scale, out_zero
