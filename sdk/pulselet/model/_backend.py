"""Keras, brought up without TensorFlow's talk of absent GPUs."""

from __future__ import annotations

import functools
from typing import Any

from pulselet._extras import require
from pulselet._quiet import native_output_held


@functools.cache
def keras() -> Any:
    """Return the module; MissingExtraError if it is not installed."""
    with native_output_held():
        module = require("keras", "train")
        module.ops.zeros(1)  # looks for devices now, not in the middle of something
    return module
