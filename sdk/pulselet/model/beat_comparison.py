"""Beat by beat as ANSI/AAMI EC57 has it: what a detector found, and what a classifier called it, against the reference.

Detector and classifier are judged together: a V that was not found is a missed V, and a false detection that is called
V is a false V. The rules are those of EC57:1998, 4.2, as far as the manual of `bxb` tells them (WFDB Applications
Guide, bxb(1)); where it is silent, ours are said at `match_beats` and `compare_beats`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pulselet.errors import ModelError
from pulselet.model.confusion import ratio
from pulselet.stream.corpus import Labels
from pulselet.stream.vocabulary import AAMI_CLASSES

ROWS = (*AAMI_CLASSES, "O", "X")  # O: no beat is there; X: the reference is unreadable there
COLUMNS = ("n", "s", "v", "f", "q", "o", "x")  # o: not found; x: not found while the analyser was shut down
WINDOW_S = 0.15
LEARNING_S = 300.0

_O, _X = 5, 6
_BY_BEATS = ("qrs_sensitivity", "qrs_ppv", "veb_sensitivity", "veb_ppv", "veb_fpr")
FIGURES = (*_BY_BEATS, "sveb_sensitivity", "sveb_ppv", "sveb_fpr", "accuracy")

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BeatComparison:
    """One record, compared; what was left out is counted.

    Attributes
    ----------
    record
        Its name.
    confusion
        Int64 `(7, 7)`: rows `ROWS`, what the reference says; columns `COLUMNS`, what was found.
    pairs
        Int64 `(n, 2)`: numbers of the reference's beats and of those found that belong together and are counted.
    missed, false
        Numbers of the reference's beats that were not found, and of those found where there is none.
    rr_errors_ms
        Found minus reference RR interval, wherever both beats at both ends follow each other and are paired.
    classified
        Whether what was found has classes; if not, it stands in column n, and there are figures of QRS only.
    window_s, start_s, end_s
        The match window, and from when to when beats count.
    mapping
        Who decided on the classes, in words; empty if nobody says.
    learning, flutter
        Beats of the reference that were left out: before `start_s` or from `end_s` on, and in ventricular flutter.
    found_in_flutter
        Beats that were found in ventricular flutter, and left out.
    """

    record: str
    confusion: Ints
    pairs: Ints
    missed: Ints
    false: Ints
    rr_errors_ms: Floats
    classified: bool
    window_s: float
    start_s: float
    end_s: float | None
    learning: int
    flutter: int
    found_in_flutter: int
    mapping: str = ""

    @property
    def figures(self) -> dict[str, float]:
        """The figures of this record, as fractions; see `beat_figures`."""
        return figures_of(self.confusion, self.classified)

    @property
    def rr_rms_ms(self) -> float:
        """Root mean square of the errors of RR intervals, in ms; NaN without any."""
        return rms(self.rr_errors_ms)


def match_beats(reference: ArrayLike, found: ArrayLike, window: float) -> Ints:
    """Return numbers of reference and found that belong together `(n, 2)`; each is used at most once, in order.

    Both are walked in the order of time. Of two that face each other, the earlier is given up if the next of its own
    side is nearer to the other, unless that next one has a still nearer partner of its own; of two equally near the
    earlier is taken. What then is not more than `window` apart is a pair.

    Parameters
    ----------
    reference, found
        Times `(r,)` and `(f,)` in one unit, ascending.
    window
        The largest difference of a pair, which still counts.

    Examples
    --------
    >>> match_beats([100, 200, 300], [104, 190, 201, 380], window=54).tolist()
    [[0, 0], [1, 2]]
    """
    a, b = np.asarray(reference).tolist(), np.asarray(found).tolist()
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(a) and j < len(b):
        first = a[i] <= b[j]  # the reference comes first
        gives_up = _gives_up(a, i, b, j) if first else _gives_up(b, j, a, i)
        pair = not gives_up and abs(a[i] - b[j]) <= window
        if pair:
            pairs.append((i, j))
        i, j = i + (first or pair), j + (not first or pair)
    return np.array(pairs, np.int64).reshape(-1, 2)


def _gives_up(early: list[float], i: int, late: list[float], j: int) -> bool:
    """Return whether `early[i]` leaves `late[j]` to the one that comes after it."""
    if i + 1 == len(early):
        return False
    away = abs(early[i + 1] - late[j])
    return away < late[j] - early[i] and (j + 1 == len(late) or abs(late[j + 1] - early[i + 1]) >= away)


def compare_beats(
    reference: Labels,
    found: Labels | ArrayLike,
    *,
    record: str = "",
    window_s: float = WINDOW_S,
    start_s: float = LEARNING_S,
    end_s: float | None = None,
    flutter: Labels | ArrayLike = (),
    unreadable: Labels | ArrayLike = (),
    shutdown: Labels | ArrayLike = (),
) -> BeatComparison:
    """Return how beats that were found compare with those of the reference, beat by beat.

    All of the record is matched, then what lies within the test period is counted: a pair and a missed beat where the
    reference has it, a false one where it was found. So no beat at an edge is lost by a few ms.

    Parameters
    ----------
    reference
        Beats in AAMI classes N, S, V, F, Q.
    found
        Beats in the same classes, at any rate; or times alone `(n,)`, in samples at the reference's rate, ascending.
    record
        Name for the report.
    window_s
        Match window; EC57 says 150 ms, which still counts.
    start_s, end_s
        The test period; EC57 leaves 5 minutes for learning, and ends with the record.
    flutter
        Intervals of ventricular flutter or fibrillation in the reference: no beat in them counts, on either side.
    unreadable
        Intervals that the reference calls unreadable: beats found there without a pair stand in row X.
    shutdown
        Intervals in which the analyser says that it did not listen: beats missed there stand in column x.

    Intervals are labels with ends, or `(n, 2)` in samples at the reference's rate; their ends are one past the last.

    Raises
    ------
    ModelError
        If a class is none of AAMI's, times are out of order or no numbers, an interval ends before it begins, or no
        beat is within the test period.
    """
    rate_hz = reference.rate_hz
    if not (math.isfinite(window_s) and window_s >= 0 and (end_s is None or end_s > start_s)):
        raise ModelError(
            f"wanted a window of 0 s or more and an end after the start, got {window_s}, {start_s}, {end_s}"
        )
    true_at, true_class = reference.begin.astype(np.float64), _classes(reference, "reference")
    found_at, found_class, classified = _found(found, rate_hz)
    pairs = match_beats(true_at, found_at, window_s * rate_hz + 1e-6)  # so that rounding never splits 54 of 54 samples

    fluttering = _spans(flutter, rate_hz, "flutter")
    in_time = _within_period(true_at, rate_hz, start_s, end_s)
    if len(true_at) and not in_time.any():
        raise ModelError(
            f"record {record!r}: none of its {len(true_at)} beats, {true_at[0] / rate_hz:.1f} to "
            f"{true_at[-1] / rate_hz:.1f} s, is in the test period, which begins at {start_s:g} s; give another start_s"
        )
    true_counts = in_time & ~_inside(true_at, fluttering)
    found_in_time = _within_period(found_at, rate_hz, start_s, end_s)
    found_counts = found_in_time & ~_inside(found_at, fluttering)
    missed = np.setdiff1d(np.flatnonzero(true_counts), pairs[:, 0])
    false = np.setdiff1d(np.flatnonzero(found_counts), pairs[:, 1])
    pairs = pairs[true_counts[pairs[:, 0]]]

    confusion = np.zeros((len(ROWS), len(COLUMNS)), np.int64)
    deaf = _inside(true_at[missed], _spans(shutdown, rate_hz, "shutdown"))
    dark = _inside(found_at[false], _spans(unreadable, rate_hz, "unreadable"))
    np.add.at(confusion, (true_class[pairs[:, 0]], found_class[pairs[:, 1]]), 1)
    np.add.at(confusion, (true_class[missed], np.where(deaf, _X, _O)), 1)
    np.add.at(confusion, (np.where(dark, _X, _O), found_class[false]), 1)
    return BeatComparison(
        *(record, confusion, pairs, missed, false),
        *(_rr_errors_ms(pairs, true_at, found_at, rate_hz), classified, window_s, start_s, end_s),
        learning=int((~in_time).sum()),
        flutter=int((in_time & ~true_counts).sum()),
        found_in_flutter=int((found_in_time & ~found_counts).sum()),
    )


def _classes(labels: Labels, whose: str) -> Ints:
    """Return for each beat its place in `AAMI_CLASSES`."""
    strange = sorted({labels.vocabulary[code] for code in np.unique(labels.code).tolist()} - set(AAMI_CLASSES))
    if strange:
        raise ModelError(
            f"{whose}: wanted beats in the AAMI classes {AAMI_CLASSES}, got {strange}; "
            "pulselet.stream.vocabulary.aami translates MIT codes"
        )
    place = np.array([AAMI_CLASSES.index(word) if word in AAMI_CLASSES else -1 for word in labels.vocabulary], np.int64)
    return place[labels.code] if len(labels) else np.zeros(0, np.int64)


def _found(found: Labels | ArrayLike, rate_hz: float) -> tuple[Floats, Ints, bool]:
    """Return times in samples of the reference, classes, and whether there are any."""
    if isinstance(found, Labels):
        return (found.begin * (rate_hz / found.rate_hz)).astype(np.float64), _classes(found, "found"), True
    try:
        at = np.asarray(found, np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"found: wanted the samples of beats (n,), got {type(found).__name__}: {error}") from error
    if at.ndim != 1 or not np.isfinite(at).all():
        raise ModelError(f"found: wanted the samples of beats (n,), all finite, got an array of shape {at.shape}")
    if (np.diff(at) < 0).any():
        number = int(np.flatnonzero(np.diff(at) < 0)[0]) + 1
        raise ModelError(f"found: beats are out of order: number {number} comes before the one before it; sort them")
    return at, np.zeros(len(at), np.int64), False


def _spans(intervals: Labels | ArrayLike, rate_hz: float, name: str) -> Floats:
    """Return intervals `(n, 2)` in samples of the reference."""
    if isinstance(intervals, Labels):
        if intervals.end is None:
            raise ModelError(f"{name}: wanted intervals, got labels {intervals.kind!r} without ends")
        return np.stack([intervals.begin, intervals.end], axis=1) * (rate_hz / intervals.rate_hz)
    spans = np.asarray(intervals, np.float64)
    spans = spans.reshape(0, 2) if spans.size == 0 else spans
    if spans.ndim != 2 or spans.shape[1] != 2 or not (spans[:, 0] <= spans[:, 1]).all():
        raise ModelError(f"{name}: wanted intervals (n, 2) with ends after their begins, got shape {spans.shape}")
    return spans


def _inside(at: Floats, spans: Floats) -> NDArray[np.bool_]:
    inside = np.zeros(len(at), bool)
    for begin, end in spans:
        inside |= (at >= begin) & (at < end)
    return inside


def _within_period(at: Floats, rate_hz: float, start_s: float, end_s: float | None) -> NDArray[np.bool_]:
    within: NDArray[np.bool_] = at >= start_s * rate_hz
    return within if end_s is None else within & (at < end_s * rate_hz)


def _rr_errors_ms(pairs: Ints, true_at: Floats, found_at: Floats, rate_hz: float) -> Floats:
    following = (np.diff(pairs, axis=0) == 1).all(axis=1)
    errors = np.diff(found_at[pairs[:, 1]]) - np.diff(true_at[pairs[:, 0]])
    return np.asarray(errors[following] * (1e3 / rate_hz), np.float64)


def rms(errors: Floats) -> float:
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else math.nan


def beat_figures(confusion: NDArray[Any]) -> dict[str, Floats]:
    """Return the figures of EC57 of confusions `(..., 7, 7)`, fractions, NaN where nothing is below the line.

    QRS: any beat found for any beat. VEB and SVEB: EC57 does not call it false to take a fusion or an unknown beat for
    a VEB, or an unknown beat for a SVEB; a VEB that is called a fusion is missed. The false positive rate is false over
    all events that are none. `accuracy` is ours: beats in the right class among all beats, missed and false ones too.

    >>> confusion = np.zeros((7, 7), int)
    >>> confusion[0, 0], confusion[2, 2], confusion[2, 5], confusion[5, 2] = 90, 6, 2, 2  # Nn, Vv, Vo, Ov
    >>> found = beat_figures(confusion)
    >>> float(found["veb_sensitivity"]), float(found["veb_ppv"]), float(found["accuracy"])
    (0.75, 0.75, 0.96)
    """
    c = np.asarray(confusion, np.float64)
    beats, heard = c[..., :_O, :].sum(axis=(-2, -1)), c[..., :_O, :_O].sum(axis=(-2, -1))
    false = c[..., _O:, :_O].sum(axis=(-2, -1))
    found = {"qrs_sensitivity": ratio(heard, beats), "qrs_ppv": ratio(heard, heard + false)}
    for name, k, pardoned in (("veb", 2, (3, 4)), ("sveb", 1, (4,))):
        rows = [row for row in range(len(ROWS)) if row != k]
        wrong = c[..., [row for row in rows if row not in pardoned], k].sum(axis=-1)
        right = c[..., rows, :_O].sum(axis=(-2, -1)) - c[..., rows, k].sum(axis=-1)
        hits = c[..., k, k]
        found[f"{name}_sensitivity"] = ratio(hits, c[..., k, :].sum(axis=-1))
        found[f"{name}_ppv"] = ratio(hits, hits + wrong)
        found[f"{name}_fpr"] = ratio(wrong, wrong + right)
    found["accuracy"] = ratio(np.trace(c[..., :_O, :_O], axis1=-2, axis2=-1), beats + false)
    return found


def figures_of(confusion: Ints, classified: bool) -> dict[str, float]:
    found = {name: float(value) for name, value in beat_figures(confusion).items()}
    return {name: found[name] if classified or name.startswith("qrs") else math.nan for name in FIGURES}
