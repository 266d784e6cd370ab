"""Which data sets there are, and the module of each; a module is imported when its set is asked for.

A module holds `CARD` and `recordings(folder)`. What `recordings` returns should go on after a recording whose files are
damaged, so that the others can still be read: `map(read, names)` does, a generator ends with its first error. A set
whose card names no folder is asked for its `recordings()` without one.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pulselet.errors import DatasetError
from pulselet.stream.corpus import Recording
from pulselet_datasets.card import Card

MODULES = {
    "mitdb": "mitdb",
    "nstdb": "nstdb",
    "afdb": "afdb",
    "cinc2017": "cinc2017",
    "ludb": "ludb",
    "bidmc": "bidmc",
    "sleep-edf": "sleep_edf",
    "troika": "troika",
    "ppg-dalia": "ppg_dalia",
    "wesad": "wesad",
    "hapt": "hapt",
    "geotec-har": "geotec",
    "seglearn": "seglearn_watch",
    "wisdm": "wisdm",
    "simulated": "simulated",
}


class Entry(NamedTuple):
    """What a module gives: the card, and a function that yields the recordings that a folder holds."""

    card: Card
    recordings: Callable[..., Iterable[Recording]]


def names() -> list[str]:
    """Return the names of all sets of the registry."""
    return list(MODULES)


def entry(name: str) -> Entry:
    """Return card and loader of a set.

    Raises
    ------
    DatasetError
        If there is no set of this name; it names those that are spelt alike.
    """
    module_name = MODULES.get(name.lower().replace("_", "-"))
    if module_name is None:
        alike = difflib.get_close_matches(name.lower(), MODULES, n=3, cutoff=0.4)
        raise DatasetError(f"there is no data set {name!r}; {'alike' if alike else 'there'} are {alike or names()}")
    try:
        module = importlib.import_module(f"pulselet_datasets.{module_name}")
        return Entry(module.CARD, module.recordings)
    except (ModuleNotFoundError, AttributeError) as error:
        raise DatasetError(f"the loader of {name!r} is not whole: {error}; reinstall pulselet") from error
