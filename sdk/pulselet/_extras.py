"""Import an optional dependency, or say which extra brings it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from typing import Any

from pulselet.errors import MissingExtraError


def require(module: str, extra: str) -> Any:
    """Return the imported `module`.

    Raises
    ------
    MissingExtraError
        If the package is not installed; it names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingExtraError(package, extra) from error


def require_all(modules: Iterable[str], extra: str) -> None:
    """Raise MissingExtraError if one of `modules` is not installed; none of them is imported."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(module, extra)
