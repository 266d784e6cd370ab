"""Labels as a `.pulse` file holds them: texts on the samples of one signal.

`[beat] V` is the word "V" of the kind "beat"; a text without a kind is an "annotation"; one that ends where it begins
is an instant.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pulselet.errors import DatasetError
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Labels
from pulselet.stream.label_tables import ANNOTATION
from pulselet.stream.rows import Interval

_KIND = re.compile(r"\[([^\[\]]+)\] (.*)", re.DOTALL)


def to_intervals(labels: Labels, signal: Signal, *, start_s: float = 0.0) -> list[Interval]:
    """Return labels as a `.pulse` file holds them: on the samples of one signal, which is `start_s` after the zero.

    Raises
    ------
    DatasetError
        If the signal has no rate, a label begins before its sample 0, or the kind holds brackets.
    """
    if signal.rate_hz is None:
        raise DatasetError(f"{signal.name!r} has no rate, so that a label has no place on it: name another signal")
    if not labels.kind or set(labels.kind) & set("[]"):
        raise DatasetError(f"wanted a kind without brackets, got {labels.kind!r}")
    ratio = signal.rate_hz / labels.rate_hz
    offset = start_s * signal.rate_hz
    begin = np.rint(labels.begin * ratio - offset).astype(np.int64)
    end = begin if labels.end is None else np.rint(labels.end * ratio - offset).astype(np.int64)
    if len(begin) and begin.min() < 0:
        raise DatasetError(f"{(begin < 0).sum()} labels of {labels.kind!r} begin before sample 0 of {signal.name!r}")
    rows = zip(begin.tolist(), end.tolist(), labels.words, strict=True)
    return [Interval(signal.name, first, until, _text(labels.kind, word)) for first, until, word in rows]


def _text(kind: str, word: str) -> str:
    plain = kind == ANNOTATION and not _KIND.fullmatch(word)
    return word if plain else f"[{kind}] {word}"


def from_intervals(
    intervals: Iterable[Interval], signals: Mapping[str, Signal], start_s: Mapping[str, float], *, rater: str = ""
) -> tuple[dict[str, Labels], tuple[str, ...]]:
    """Return the labels of a `.pulse` file by kind, on the clock of the fastest signal they are on; and repairs.

    A label that is on several signals, as one given while a recording ran is, counts once. A kind is of instants if all
    of it is; among intervals, an instant lasts for no time.
    """
    rates = {name: signal.rate_hz for name, signal in signals.items() if signal.rate_hz}
    by_kind: dict[str, list[Interval]] = {}
    without = 0
    for one in intervals:
        without += one.signal not in rates
        if one.signal in rates:
            kind = found[1] if (found := _KIND.fullmatch(one.label)) else ANNOTATION
            by_kind.setdefault(kind, []).append(one)
    repairs = [f"{without} labels on signals without a rate are left out"] if without else []
    labels = {}
    for kind, rows in by_kind.items():
        labels[kind], twice = _of_intervals(kind, rows, rates, start_s, rater)
        if twice:
            repairs.append(f"{twice} labels of {kind!r} are on another signal, too, and count once")
    return labels, tuple(repairs)


def _of_intervals(
    kind: str, rows: Sequence[Interval], rates: Mapping[str, float], start_s: Mapping[str, float], rater: str
) -> tuple[Labels, int]:
    names = sorted({one.signal for one in rows}, key=lambda name: -rates[name])
    rate_hz = rates[names[0]]
    kept: list[tuple[int, int, str]] = []
    twice = 0
    for name in names:
        slack = rate_hz / rates[name] + 1  # a sample of the slower one, and one for the rounding
        others = sorted(kept)
        for one in (one for one in rows if one.signal == name):
            ends = (start_s.get(name, 0.0) + index / rates[name] for index in (one.first, one.end))
            begin, end = (round(at_s * rate_hz) for at_s in ends)
            found = _KIND.fullmatch(one.label)
            word = found[2] if found else one.label
            near = others[bisect_left(others, (begin - slack,)) : bisect_right(others, (begin + slack, math.inf))]
            if any(word == theirs and abs(end - until) <= slack for _, until, theirs in near):
                twice += 1
            else:
                kept.append((begin, end, word))
    kept.sort(key=lambda row: row[:2])
    instants = all(one.first == one.end for one in rows)
    begins, until, words = ([row[place] for row in kept] for place in range(3))
    said = [str(word) for word in words]
    return Labels.of(kind, said, begins, None if instants else until, rate_hz=rate_hz, rater=rater), twice
