"""Parameters are what their annotations say: plain Python numbers, text, truth values, and tuples of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from pulselet.errors import PipelineError

WORDS = {
    float: "a finite number",
    int: "a whole number",
    bool: "True or False",
    str: "text",
    NoneType: "None",
}


class _OtherTypeError(Exception):
    """A value that is not what the annotation says."""


def make_plain(instance: object) -> None:
    """Turn the fields of a frozen dataclass into plain Python values of the annotated types.

    Numbers of numpy become numbers of Python, whole numbers become float where that is wanted, lists become tuples.

    Raises
    ------
    PipelineError
        If a value is of another type, or a number not finite.
    """
    kind: Any = type(instance)
    for name, wanted in _annotations(kind):
        given = getattr(instance, name)
        try:
            object.__setattr__(instance, name, _plain(given, wanted))
        except _OtherTypeError:
            message = f"{kind.__name__}: wanted {name} to be {_words(wanted)}, got {given!r}"
            raise PipelineError(message) from None


@cache
def _annotations(kind: Any) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(kind)
    return tuple((field.name, hints[field.name]) for field in fields(kind))


def _plain(value: Any, wanted: Any) -> object:
    if get_origin(wanted) in (Union, UnionType):
        return _first_that_fits(value, get_args(wanted))
    if get_origin(wanted) is tuple:
        if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
            raise _OtherTypeError
        return tuple(_plain(item, get_args(wanted)[0]) for item in value)
    if wanted is float:
        return _finite(value)
    if wanted is int and isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if wanted is bool and isinstance(value, (bool, np.bool_)):
        return bool(value)
    if wanted is str and isinstance(value, str):
        return str(value)
    if wanted is NoneType and value is None:
        return None
    raise _OtherTypeError


def _first_that_fits(value: object, kinds: tuple[Any, ...]) -> object:
    for kind in kinds:
        try:
            return _plain(value, kind)
        except _OtherTypeError:
            continue
    raise _OtherTypeError


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _OtherTypeError
    try:
        number = float(value)
    except OverflowError:
        raise _OtherTypeError from None
    if not math.isfinite(number):
        raise _OtherTypeError
    return number


def _words(wanted: Any) -> str:
    if get_origin(wanted) in (Union, UnionType):
        simple_first = sorted(get_args(wanted), key=lambda kind: (kind is NoneType, kind not in WORDS))
        return " or ".join(map(_words, simple_first))
    if get_origin(wanted) is tuple:
        return f"a tuple, each of it {_words(get_args(wanted)[0])}"
    return WORDS[wanted]
