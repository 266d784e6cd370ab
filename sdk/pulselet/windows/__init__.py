"""Windows with labels and people, splits that never share a person, and the detector of leaks.

Names are loaded when they are first used, so that `import pulselet.windows` stays quick.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = {
    **dict.fromkeys(("cut", "cut_around"), "cutting"),
    **dict.fromkeys(("Split", "k_fold", "leave_one_out", "split"), "splitting"),
    "official": "published",
    **dict.fromkeys(("Leak", "Role", "Seen", "check", "require_clean"), "leaks"),
    **dict.fromkeys(("Counts", "Windows"), "labelled"),
    "LeakError": "errors",
    "Rows": "rows",
    "WindowStore": "store",
}

__all__ = sorted(_MODULES)  # noqa: PLE0605  the table above is the one place


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'pulselet.windows' has no attribute {name!r}")
    module = "pulselet.errors" if name == "LeakError" else f"pulselet.windows.{_MODULES[name]}"
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
