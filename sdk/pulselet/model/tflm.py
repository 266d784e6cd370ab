"""TFLite Micro, the truth for an exported net."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet._extras import require
from pulselet.errors import ModelError

ARENA_STEP = 16
ARENA_LIMIT = 1 << 24


class Net:
    """An int8 `.tflite` with one input and one output, batch 1, in TFLite Micro's interpreter.

    Parameters
    ----------
    arena_bytes
        Size of the tensor arena; 0 leaves it to a generous default. One that is too small is refused, but not always:
        TFLite Micro may crash, and the process with it. `smallest_arena` finds one that works.

    Raises
    ------
    MissingExtraError
        If the `tflite-micro` wheel is absent (it exists for Linux x86-64 only).
    ModelError
        If TFLite Micro refuses the model.
    """

    def __init__(self, model: bytes, *, arena_bytes: int = 0) -> None:
        runtime = require("tflite_micro", "truth").runtime
        try:
            self._interpreter: Any = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes or None)
        except Exception as error:
            raise ModelError(f"TFLite Micro refuses the model: {error}") from error
        self.input_shape = tuple(int(n) for n in self._interpreter.get_input_details(0)["shape"])
        self.input_size = int(np.prod(self.input_shape))
        self.outputs = int(np.prod(self._interpreter.get_output_details(0)["shape"]))

    def invoke(self, windows: NDArray[np.int8]) -> NDArray[np.int8]:
        """Return the outputs `(n, outputs)` for int8 `windows` `(n, …)` of the input's size.

        Raises
        ------
        ModelError
            If the windows do not fit the input.
        """
        if windows.dtype != np.int8 or int(np.prod(windows.shape[1:])) != self.input_size:
            raise ModelError(f"the net wants int8 {self.input_shape}, got {windows.dtype} {windows.shape[1:]}")
        outputs = np.empty((len(windows), self.outputs), np.int8)
        for row, window in zip(outputs, windows, strict=True):
            self._interpreter.set_input(np.ascontiguousarray(window).reshape(self.input_shape), 0)
            self._interpreter.invoke()
            row[:] = np.asarray(self._interpreter.get_output(0)).reshape(-1)
        return outputs


def invoke(model: bytes, windows: NDArray[np.int8], *, arena_bytes: int = 0) -> NDArray[np.int8]:
    """Return the outputs `(n, outputs)` of `model` for int8 `windows`: `Net` for a single use."""
    return Net(model, arena_bytes=arena_bytes).invoke(windows)


def smallest_arena(model: bytes) -> int:
    """Return the bytes of the smallest tensor arena, to 16, with which TFLite Micro works on this computer.

    By bisection: what the interpreter says it used is not enough for every net. To work is to give the same outputs.
    It is tried in other processes, for in an arena that is too small TFLite Micro may crash.

    Raises
    ------
    ModelError
        If TFLite Micro refuses the model, or the net wants more than 16 MiB.
    """
    Net(model)  # refuses in words
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "pulselet.model._arena"]
    done = subprocess.run(command, input=model, env=environment, capture_output=True, check=False)
    if done.returncode != 0:
        raise ModelError(f"the search for the smallest arena failed: {done.stderr.decode(errors='replace')[-500:]}")
    if not (found := int(done.stdout)):
        raise ModelError(f"the net wants a tensor arena of more than {ARENA_LIMIT} bytes")
    return found
