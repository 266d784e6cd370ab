"""Causal stages and the pipeline they make: one definition, three executions.

Names are loaded when they are first used, so that `import pulselet.signal` stays quick.
"""

from __future__ import annotations

import importlib
from typing import Any

STAGES = {
    "filters": ("LowPass", "HighPass"),
    "scaling": ("Scale",),
    "window": ("Window",),
}
"""Modules of stages, and the stages of each."""

FUNCTIONS: dict[str, str] = {}
"""Functions that fold the same stages over an array, and their modules."""

_MODULES = {
    **{name: module for module, names in STAGES.items() for name in names},
    **FUNCTIONS,
    **dict.fromkeys(("Branch", "Pipeline"), "pipeline"),
    "PipelineStream": "run",
}

__all__ = sorted(_MODULES)  # noqa: PLE0605  the table above is the one place


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'pulselet.signal' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pulselet.signal.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]


def load_stages() -> None:
    """Import every module of stages, so that `Stage.registry` is complete."""
    for module in STAGES:
        importlib.import_module(f"pulselet.signal.{module}")
