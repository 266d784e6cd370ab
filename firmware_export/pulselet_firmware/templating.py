"""Templates that fail on anything undefined, and numbers in lines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from pulselet._extras import require
from pulselet.errors import ExportError

TEMPLATES = Path(__file__).parent / "templates"
C_FLOAT_LIMIT = 1e38


def environment() -> Any:
    """Return the jinja2 environment of the bundle's files."""
    jinja2 = require("jinja2", "firmware")
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def rows(items: Iterable[object], per_row: int) -> list[str]:
    """Return the items in lines of `per_row`, separated by commas.

    >>> rows([1, 2, 3], 2)
    ['1, 2', '3']
    """
    texts = [str(item) for item in items]
    return [", ".join(texts[at : at + per_row]) for at in range(0, len(texts), per_row)]


def c_float(value: float | np.number[Any]) -> str:
    """Return the shortest float32 literal that reads back as `value`.

    >>> c_float(np.float32(0.1)), c_float(3.0), c_float(1e-20)
    ('0.1f', '3.0f', '1e-20f')
    """
    single = np.float32(value)
    if not abs(single) < C_FLOAT_LIMIT:
        raise ExportError(f"a table holds {value}, which is not a finite float32")
    return f"{single!s}f"
