"""The search for the smallest tensor arena, in a process of its own: `python -m pulselet.model._arena < net.tflite`.

In an arena that is too small TFLite Micro may not refuse but crash, so each try is a process, too. It exists for Linux
only, where a process can be forked.
"""

from __future__ import annotations

import os
import resource
import sys

import numpy as np

from pulselet.errors import ModelError
from pulselet.model.tflm import ARENA_LIMIT, ARENA_STEP, Net


class Search:
    """Tries arenas; one works if it gives the outputs of a large one."""

    def __init__(self, model: bytes) -> None:
        net = Net(model)
        self._model = model
        self._probe = np.random.default_rng(0).integers(-128, 128, (2, net.input_size)).astype(np.int8)
        self._wanted = net.invoke(self._probe)

    def works(self, arena_bytes: int) -> bool:
        """Return whether an arena does."""
        child = os.fork()
        if child == 0:
            self._try(arena_bytes)
        return os.waitpid(child, 0)[1] == 0

    def _try(self, arena_bytes: int) -> None:
        try:
            found = Net(self._model, arena_bytes=arena_bytes).invoke(self._probe)
            os._exit(0 if np.array_equal(found, self._wanted) else 1)
        except (ModelError, RuntimeError):
            os._exit(1)

    def smallest(self) -> int:
        """Return the smallest to `ARENA_STEP`, or 0 if it is above `ARENA_LIMIT`."""
        low, high = 0, ARENA_STEP * 64
        while not self.works(high):
            low, high = high, 2 * high
            if high > ARENA_LIMIT:
                return 0
        while high - low > ARENA_STEP:
            middle = (low + high) // 2 // ARENA_STEP * ARENA_STEP
            low, high = (low, middle) if self.works(middle) else (middle, high)
        return high


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is an answer here, and leaves no file
    print(Search(sys.stdin.buffer.read()).smallest())
