"""The package wfdb, with its warnings and errors kept in."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pulselet._extras import require
from pulselet.errors import PulseletError, RecordingError


def library() -> Any:
    """Return the package wfdb; MissingExtraError if it is not installed."""
    with _quiet():
        return require("wfdb", "formats")


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn whatever wfdb raises, bare Exception among it, into a RecordingError that names the record."""
    try:
        with _quiet():
            yield
    except PulseletError:
        raise
    except Exception as error:
        raise RecordingError(f"{path}, a WFDB record: {error or type(error).__name__}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide that wfdb 4.3 calls pandas in a way that pandas warns will end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
