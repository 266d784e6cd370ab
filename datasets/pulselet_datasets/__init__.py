"""Public data sets, one card and one short loader each; a loader is imported when its set is asked for.

`load("mitdb")` returns a `Dataset` of recordings, `folder(path)` one of your own files; `fetch` and `verify` see to the
files. What is where is told by `$PULSELET_DATA`, or by the cache that `fetch` fills.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulselet_datasets.card import Card, OfficialSplit
    from pulselet_datasets.checking import verify
    from pulselet_datasets.dataset import Dataset, load
    from pulselet_datasets.fetching import fetch
    from pulselet_datasets.folder_set import folder
    from pulselet_datasets.registry import names

__all__ = ["Card", "Dataset", "OfficialSplit", "fetch", "folder", "load", "names", "verify"]

_HOMES = {
    "Card": "card",
    "OfficialSplit": "card",
    "Dataset": "dataset",
    "load": "dataset",
    "names": "registry",
    "fetch": "fetching",
    "verify": "checking",
    "folder": "folder_set",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
