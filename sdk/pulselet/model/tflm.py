"""TFLite Micro, the truth for an exported net."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pulselet._extras import require
from pulselet.errors import ModelError


def invoke(model: bytes, windows: NDArray[np.int8], *, arena_bytes: int = 0) -> NDArray[np.int8]:
    """Return TFLite Micro's int8 outputs `(n, outputs)` for int8 `windows` `(n, *input shape)`.

    Parameters
    ----------
    model
        An int8 `.tflite` with one input and one output, batch 1.
    arena_bytes
        Size of the tensor arena; 0 leaves it to a generous default.

    Raises
    ------
    MissingExtraError
        If the `tflite-micro` wheel is absent (it exists for Linux x86-64 only).
    ModelError
        If TFLite Micro refuses the model, or the windows do not fit its input.
    """
    runtime = require("tflite_micro", "truth").runtime
    try:
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes or None)
    except Exception as error:
        raise ModelError(f"TFLite Micro refuses the model: {error}") from error
    shape = tuple(interpreter.get_input_details(0)["shape"])
    if windows.dtype != np.int8 or windows.shape[1:] not in (shape[1:], shape):
        raise ModelError(f"the net wants int8 windows of shape {shape[1:]}, got {windows.dtype} {windows.shape[1:]}")
    outputs = []
    for window in windows:
        interpreter.set_input(np.ascontiguousarray(window).reshape(shape), 0)
        interpreter.invoke()
        outputs.append(np.array(interpreter.get_output(0), np.int8).reshape(-1))
    return np.stack(outputs) if outputs else np.empty((0, 0), np.int8)
