"""Windows with labels and people, splits that never share a person, and the detector of leaks.

Names are loaded when they are first used, so that `import pulselet.windows` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulselet.errors import LeakError
    from pulselet.windows.cutting import cut, cut_around
    from pulselet.windows.labelled import Counts, Windows
    from pulselet.windows.leaks import Leak, Role, Seen, check, require_clean
    from pulselet.windows.published import official
    from pulselet.windows.rows import Rows
    from pulselet.windows.splitting import Split, k_fold, leave_one_out, split
    from pulselet.windows.store import WindowStore

_MODULES = {
    **dict.fromkeys(("cut", "cut_around"), "cutting"),
    **dict.fromkeys(("Split", "k_fold", "leave_one_out", "split"), "splitting"),
    "official": "published",
    **dict.fromkeys(("Leak", "Role", "Seen", "check", "require_clean"), "leaks"),
    **dict.fromkeys(("Counts", "Windows"), "labelled"),
    "LeakError": "leaks",
    "Rows": "rows",
    "WindowStore": "store",
}

__all__ = [
    "Counts",
    "Leak",
    "LeakError",
    "Role",
    "Rows",
    "Seen",
    "Split",
    "WindowStore",
    "Windows",
    "check",
    "cut",
    "cut_around",
    "k_fold",
    "leave_one_out",
    "official",
    "require_clean",
    "split",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'pulselet.windows' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pulselet.windows.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
