"""Templates that fail on anything undefined, and numbers in lines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pulselet._extras import require

TEMPLATES = Path(__file__).parent / "templates"


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
