"""From the outputs of several executions on windows of unseen people to one report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ModelError
from pulselet.model import calibration, provenance
from pulselet.model.measure import Answers, Figures, Truth, measure, of_counts
from pulselet.model.report import Report, with_differences
from pulselet.model.resampling import RESAMPLES, draws
from pulselet.windows.labelled import Windows, identities
from pulselet.windows.leaks import Seen, require_clean

MAJORITY, PRIOR = "majority class", "random by prior"
NULLS = (MAJORITY, PRIOR)
FEW = 2  # people of a class; of n, draws without one lack it in (1 - 1/n)^n, about 0.37, without two in 0.14 of them


@dataclass(frozen=True, eq=False)
class Fold:
    """What one fit says of the people it has not seen.

    Attributes
    ----------
    test
        The windows to be judged by.
    outputs
        By execution, such as "float", "int8" and "device": scores `(n, classes)`, which are logits or probabilities, or
        class numbers `(n,)`, -1 where it abstained. Executions that abstain give class numbers.
    seen
        What the fit has looked at.
    scales
        By execution, the step of outputs that are whole numbers, above 0; they are logits then. Without it these name
        classes, but no probabilities.
    """

    test: Windows
    outputs: Mapping[str, NDArray[Any]]
    seen: Seen
    scales: Mapping[str, float] = field(default_factory=dict)


def evaluate(
    folds: Fold | Sequence[Fold],
    *,
    headline: str = "int8",
    baselines: Mapping[str, NDArray[np.integer[Any]]] | None = None,
    notes: Sequence[str] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Report:
    """Return the report of one fit, or of several whose test windows are pooled, such as leave-one-subject-out.

    Parameters
    ----------
    headline
        The execution that the report is about.
    baselines
        Naive methods by name: class numbers `(n,)` of all test windows in the order of the folds. The majority class
        and chance by prior, both of the training side, are always there.
    notes
        What a reader must know, such as `Split.notes`.
    seed, resamples
        Of the bootstrap over people.

    Raises
    ------
    LeakError
        If a fold's test side is not unseen, or holds simulated windows.
    ModelError
        If outputs do not fit the windows, folds differ in classes or executions, a window is in two folds or twice in
        one, or there is no such execution as the headline.
    """
    folds = [folds] if isinstance(folds, Fold) else list(folds)
    declared = [str(leak) for fold in folds for leak in require_clean(fold.seen, fold.test)]
    _check(folds, headline)
    truth = _truth(
        np.concatenate([fold.test.y for fold in folds]),
        _subjects(folds),
        folds[0].test.labels,
        seed,
        resamples,
    )
    said = {name: _answers(folds, name) for name in folds[0].outputs}
    report = Report(
        headline=headline,
        executions={name: measure(truth, answers) for name, answers in said.items()},
        baselines=_nulls(truth, folds) | _naive(truth, baselines or {}),
        agreement={
            f"{one} = {other}": float(np.mean(said[one].predicted == said[other].predicted))
            for one, other in combinations(said, 2)
        },
        differences=(),
        notes=tuple(dict.fromkeys([*notes, *declared, *_said_of(folds, said)])),
        provenance=_provenance(folds, seed, resamples),
    )
    return with_differences(report)


def figures(
    y: NDArray[np.integer[Any]],
    outputs: NDArray[Any],
    subjects: NDArray[Any],
    labels: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Figures:
    """Return the figures of arrays alone: no leak can be found, no baseline stands beside, nothing says what made them.

    Parameters
    ----------
    y
        True class numbers `(n,)`.
    outputs
        Scores `(n, classes)` or class numbers `(n,)`, as in `Fold.outputs`.
    subjects
        Who wore the sensor, `(n,)`.

    Raises
    ------
    ModelError
        If the arrays are empty or differ in length, or a class number has no label.
    PipelineError
        If a subject is neither a whole number nor text.
    """
    y, subjects = np.asarray(y), identities(subjects)
    if len(y) == 0 or len(y) != len(subjects):
        raise ModelError(f"wanted as many people as classes, and at least one, got {len(subjects)} and {len(y)}")
    _require_classes("y", y, len(y), len(labels), lowest=0)
    truth = _truth(y, subjects, tuple(labels), seed, resamples)
    scores = _scores("outputs", outputs, len(y), len(labels), None)
    return measure(truth, _from_scores([scores]))


def _truth(y: Any, subjects: NDArray[Any], labels: tuple[str, ...], seed: int, resamples: int) -> Truth:
    people, person = np.unique(subjects, return_inverse=True)
    drawn = draws(len(people), resamples, seed)
    return Truth(np.asarray(y, np.int64), person.reshape(-1), tuple(map(str, people.tolist())), labels, drawn)


def _subjects(folds: list[Fold]) -> NDArray[Any]:
    """Return who each window is of: numbers, so that they sort as such, or text; of several sets, with the set's name.

    Person 1 of one set is not person 1 of another.
    """
    parts = [fold.test.subject for fold in folds]
    names = [name for fold in folds for name in fold.test.recording.tolist()]
    sets = [name.partition("/")[0] if "/" in name else "" for name in names]
    if len(set(sets)) == 1 and all(np.issubdtype(part.dtype, np.integer) for part in parts):
        return np.concatenate(parts)
    people = [str(who) for part in parts for who in part.tolist()]
    if len(set(sets)) == 1:
        return np.array(people)
    return np.array([f"{one}/{who}" if one else who for one, who in zip(sets, people, strict=True)])


def _check(folds: list[Fold], headline: str) -> None:
    if not folds:
        raise ModelError("wanted at least one fold, got none")
    first = folds[0]
    for fold in folds[1:]:
        if fold.test.labels != first.test.labels:
            raise ModelError(f"folds differ in their classes: {first.test.labels} and {fold.test.labels}")
        if sorted(fold.outputs) != sorted(first.outputs):
            raise ModelError(f"folds differ in their executions: {sorted(first.outputs)} and {sorted(fold.outputs)}")
    if headline not in first.outputs:
        raise ModelError(
            f"the headline is {headline!r}, but the outputs are of {sorted(first.outputs)}: name one, as in headline="
        )
    _require_once(folds)
    _require_scales(folds)


def _require_once(folds: list[Fold]) -> None:
    """Raise ModelError if a window is in two folds, or twice in one: it would count twice."""
    before: set[Any] = set()
    placed = all(_placed(fold.test) for fold in folds)
    for fold in folds:
        keys = _keys(fold.test, placed)
        if placed and len(keys) < len(fold.test):
            raise ModelError(f"{len(fold.test) - len(keys)} windows are in a fold again: each may be tested once")
        if twice := before & keys:
            raise ModelError(
                f"{len(twice)} windows are in two folds, such as {min(map(str, twice))}: each may be tested once"
            )
        before |= keys


def _require_scales(folds: list[Fold]) -> None:
    """Raise ModelError if a step is not above 0: it would turn the order of the scores, or make them all equal."""
    for fold in folds:
        for name, scale in fold.scales.items():
            if not (np.isfinite(scale) and scale > 0):
                raise ModelError(f"the scale of {name!r} must be above 0, got {scale}")


def _placed(test: Windows) -> bool:
    """Return whether it is known of all windows where they were cut."""
    return all(test.recording.tolist()) and bool(np.isfinite(test.start_s).all())


def _keys(test: Windows, placed: bool) -> set[Any]:
    """Return what tells windows apart: where they were cut or, if that is not known, whose they are and what."""
    if placed:
        return set(zip(test.recording.tolist(), test.start_s.tolist(), test.end_s.tolist(), strict=True))
    people = map(str, test.subject.tolist())
    return {key for key in zip(people, test.marks.exact.tolist(), strict=True) if key[1]}


def _answers(folds: list[Fold], name: str) -> Answers:
    return _from_scores(
        [
            _scores(name, fold.outputs[name], len(fold.test), len(fold.test.labels), fold.scales.get(name))
            for fold in folds
        ]
    )


def _from_scores(parts: list[NDArray[Any]]) -> Answers:
    if len({part.ndim for part in parts}) > 1:
        raise ModelError("an execution gives scores in one fold and class numbers in another")
    if parts[0].ndim == 2 and len({calibration.are_probabilities(part) for part in parts}) > 1:
        raise ModelError("an execution gives probabilities in one fold and logits in another: give one kind in all")
    whole = np.concatenate(parts)
    if whole.ndim == 1:
        return Answers(whole.astype(np.int64), None)
    predicted = whole.argmax(axis=1)
    if np.issubdtype(whole.dtype, np.integer):
        return Answers(predicted, None)
    shares = calibration.probabilities(whole)
    return Answers(predicted, shares)


def _scores(name: str, outputs: NDArray[Any], n: int, classes: int, scale: float | None) -> NDArray[Any]:
    """Return class numbers `(n,)`, whole numbers `(n, classes)` of unknown step, or scores `(n, classes)`."""
    outputs = np.asarray(outputs)
    if outputs.ndim == 1:
        _require_classes(name, outputs, n, classes, lowest=-1)
        return outputs
    if outputs.shape != (n, classes):
        raise ModelError(
            f"{name!r} wants scores ({n}, {classes}) or class numbers ({n},), got an array {outputs.shape}"
        )
    if np.issubdtype(outputs.dtype, np.integer):
        return outputs if scale is None else outputs * float(scale)
    if not np.isfinite(outputs).all():
        raise ModelError(f"{name!r} holds outputs that are not finite numbers; an abstention is class number -1")
    return outputs.astype(np.float64)


def _require_classes(name: str, numbers: NDArray[Any], n: int, classes: int, lowest: int) -> None:
    if numbers.shape != (n,) or not np.issubdtype(numbers.dtype, np.integer):
        raise ModelError(f"{name!r} wants {n} whole class numbers, got an array {numbers.shape} of {numbers.dtype}")
    if len(numbers) and (numbers.min() < lowest or numbers.max() >= classes):
        raise ModelError(f"{name!r} holds classes {numbers.min()} to {numbers.max()}, but there are {classes} labels")


def _nulls(truth: Truth, folds: list[Fold]) -> dict[str, Figures]:
    """Return what one gets by naming the most frequent class always, and classes as often as they were trained on."""
    classes = len(truth.labels)
    priors = np.concatenate([np.tile(_prior(fold), (len(fold.test), 1)) for fold in folds])
    expected = np.zeros((len(truth.people), classes, classes + 1))
    np.add.at(expected[..., :-1], (truth.person, truth.y), priors)
    often = measure(truth, Answers(priors.argmax(axis=1), None))
    return {MAJORITY: often, PRIOR: of_counts(truth, expected)}


def _prior(fold: Fold) -> NDArray[np.float64]:
    """Return each class's share of the training windows or, if these are not known, of the test windows."""
    counts = _trained(fold)
    if not counts.sum():
        counts = np.bincount(fold.test.y, minlength=len(fold.test.labels)).astype(np.float64)
    prior: NDArray[np.float64] = counts / counts.sum()
    return prior


def _trained(fold: Fold) -> NDArray[np.float64]:
    """Return how many windows of each class that is tested were trained on."""
    trained = fold.seen.counts()
    return np.array([trained.get(label, 0) for label in fold.test.labels], np.float64)


def _naive(truth: Truth, baselines: Mapping[str, NDArray[Any]]) -> dict[str, Figures]:
    found = {}
    for name, predicted in baselines.items():
        if name in NULLS:
            raise ModelError(f"the baseline {name!r} is always there: call yours otherwise")
        predicted = np.asarray(predicted)
        _require_classes(name, predicted, len(truth.y), len(truth.labels), lowest=-1)
        found[name] = measure(truth, Answers(predicted.astype(np.int64), None))
    return found


def _said_of(folds: list[Fold], said: Mapping[str, Answers]) -> list[str]:
    """Return what a reader must know of what was evaluated."""
    test = Windows.join([_light(fold.test) for fold in folds])
    found = [f"when the set was cut, {fold.test.dropped}" for fold in folds if fold.test.dropped.total]
    if test.notes:
        found.append(f"repairs of what was tested: {len(test.notes)}, see provenance")
    if test.rule:
        found.append(f"label of a window: {test.rule}")
    empty = [label for label, windows in test.counts.items() if not windows]
    if empty:
        found.append(f"no test window of {', '.join(empty)}")
    found += _chosen(folds)
    found += _rare(test, _subjects(folds))
    if any(sum(fold.seen.counts().values()) and not _trained(fold).any() for fold in folds):
        found.append("no class that is tested was trained on: priors are of the test side")
    if not all(sum(fold.seen.counts().values()) for fold in folds):
        found.append("what a fit was trained on is not known: no leak could be found, and priors are of the test side")
    unknown = [name for name, one in said.items() if one.shares is None and folds[0].outputs[name].ndim == 2]
    if unknown:
        found.append(f"the step of the outputs is not known, so no probabilities, of {', '.join(unknown)}: give scales")
    return found


def _chosen(folds: list[Fold]) -> list[str]:
    """Return in words how many windows of the tested recordings were left out after the cut, and copies."""
    cut: dict[str, int] = {}
    tested: Counter[str] = Counter()
    copies = 0
    for fold in folds:
        cut |= {name: max(count, cut.get(name, 0)) for name, count in fold.test.of_recording.items()}
        tested.update(fold.test.recording.tolist())
        if not _placed(fold.test):
            keys = list(zip(fold.test.subject.tolist(), fold.test.marks.exact.tolist(), strict=True))
            copies += sum(count - 1 for key, count in Counter(keys).items() if key[1])
    lost = sum(max(0, count - tested[name]) for name, count in cut.items())
    found = [f"{lost} of {sum(cut.values())} windows of the tested recordings were left out after the cut"] * bool(lost)
    return found + [f"{copies} test windows have the values of another one of the same person"] * bool(copies)


def _rare(test: Windows, subjects: NDArray[Any]) -> list[str]:
    """Return in words which classes so few people have that the bootstrap often draws none of them."""
    everyone = len(np.unique(subjects))
    whose = [len(np.unique(subjects[test.y == i])) for i in range(len(test.labels))]
    return [
        f"{label} is of {count} of {everyone} people: draws without them average the other classes only, "
        "so intervals of macro figures and of balanced accuracy say little of it"
        for label, count in zip(test.labels, whose, strict=True)
        if 0 < count <= FEW and count < everyone
    ]


def _light(test: Windows) -> Windows:
    """Return the windows without their values."""
    return replace(test, x=np.zeros((len(test), 0), np.float32))


def _provenance(folds: list[Fold], seed: int, resamples: int) -> dict[str, Any]:
    return {
        "command": provenance.command(),
        "versions": provenance.versions(),
        "seed": seed,
        "resamples": resamples,
        "folds": [
            {
                "test": {
                    "people": [str(who) for who in fold.test.people],
                    "recordings": fold.test.recordings,
                    "windows": len(fold.test),
                    "repairs": list(fold.test.notes),
                    "sha256": fold.test.sha256,
                    "files": dict(sorted(fold.test.files.items())),
                },
                "seen": fold.seen.summary(),
            }
            for fold in folds
        ],
    }
