"""Quality of ECG: does it tell noise from signal, and beats that can be trusted from those that cannot?

PULSELET_DATA=... python benchmarks/ecg_quality.py [--json ecg_quality.json] [--records 500] [--minutes 10]

First the single-lead recordings of the CinC challenge 2017, whose noisy class (~) people heard out of them: a record's
score is the mean over its seconds. The threshold is the one at which sensitivity (noisy records called so) and
specificity (others not called so) are equal on every second record; what is printed is of the other records. They
chose no threshold, but were looked at more than once while the stage was written. The labels are one for a whole
record, and rough.

Then records of MIT-BIH with the baseline wander and the muscle noise of the noise stress test added at stated
signal-to-noise ratios (of the QRS complexes, as its authors define it; Moody, Muldrow and Mark 1984). A window of ten
seconds is good if every beat in it was found, to 150 ms, and nothing else. Ventricular flutter is left out. DS1 and DS2
are those of de Chazal et al. (2004), without paced records, and are reported apart: variants of the quality were
compared on DS1, and the R peaks that it rests on were fitted to DS1 with these noises (their other channel), so its
figures are of training data. Nothing was fitted to DS2, but its figures were seen, within those of all records, more
than once while the stage was written.

Beside it, on the same R peaks: the template rules of Orphanidou et al. (2015), written from the paper (rate from 40 to
180 bpm, no interval over 3 s, the longest at most 2.2 of the shortest, mean correlation with the mean beat), the
kurtosis of the signal (Li et al. 2008), and a constant.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from r_peaks import BEATS, DS1, DS2

from pulselet.signal.ecg_peaks import RPeaks
from pulselet.signal.ecg_quality import EcgQuality, EcgQualityKernel
from pulselet.signal.stage import Format

Floats = NDArray[np.float64]
LENGTH_S, TOLERANCE_S = 10, 0.15
RATIOS_DB = (12, 6, 0, -6)
GATES = (0.5, 0.8)
SETS = {"DS1, training": DS1, "DS2": DS2}
METHODS = ("pulselet", "template rules", "kurtosis", "constant")


def kernel(rate_hz: float) -> EcgQualityKernel:
    """Return the stage with its defaults at a rate."""
    return EcgQuality().design(Format(rate_hz, 1, "mV"))


def peaks_of(x: Floats, rate_hz: float) -> NDArray[np.int64]:
    """Return the R peaks that the stage inside finds."""
    found = RPeaks().design(Format(rate_hz, 1, "mV"))
    events, _ = found.step(found.start(), x.astype(np.float32)[:, None])
    return np.cumsum(events[:, 0]).astype(np.int64)


def ours(x: Floats, rate_hz: float, at: Floats) -> Floats:
    """Return the quality of the ten seconds before each time."""
    found = kernel(rate_hz)
    rows, _ = found.step(found.start(), x.astype(np.float32)[:, None])
    return np.asarray(rows[np.clip(at.astype(int) - 1, 0, len(rows) - 1), 0], np.float64)


def template_rules(x: Floats, rate_hz: float, at: Floats) -> Floats:
    """Return the mean correlation with the mean beat of each window, or 0 where a rule is broken."""
    peaks = peaks_of(x, rate_hz)
    return np.array([_template(x, peaks, rate_hz, int(end * rate_hz)) for end in at])


def _template(x: Floats, peaks: NDArray[np.int64], rate_hz: float, end: int) -> float:
    begin = max(0, end - round(LENGTH_S * rate_hz))
    inside = peaks[(peaks >= begin) & (peaks < end)]
    rr = np.diff(inside) / rate_hz
    if len(rr) < 3 or rr.max() > 3 or rr.max() > 2.2 * rr.min() or not 40 <= 60 / rr.mean() <= 180:
        return 0.0
    half = int(np.median(rr) * rate_hz / 2)
    whole = inside[(inside >= half) & (inside + half < len(x))]
    if len(whole) < 3:
        return 0.0
    beats = x[whole[:, None] + np.arange(-half, half + 1)]
    beats = beats - beats.mean(axis=1, keepdims=True)
    mean = beats.mean(axis=0)
    norms = np.sqrt((beats**2).sum(axis=1) * (mean**2).sum())
    return float(np.mean(beats @ mean / np.maximum(norms, 1e-12)))


def kurtosis(x: Floats, rate_hz: float, at: Floats) -> Floats:
    """Return the kurtosis of each window."""
    found = []
    for end in (at * rate_hz).astype(int):
        part = x[max(0, end - round(LENGTH_S * rate_hz)) : end]
        part = part - part.mean()
        found.append(np.mean(part**4) / max(np.mean(part**2) ** 2, 1e-12))
    return np.array(found)


def constant(x: Floats, rate_hz: float, at: Floats) -> Floats:
    """Return the same for all."""
    return np.full(len(at), 0.5)


SCORES: dict[str, Callable[[Floats, float, Floats], Floats]] = {
    "pulselet": ours,
    "template rules": template_rules,
    "kurtosis": kurtosis,
    "constant": constant,
}


def auc(good: Floats, bad: Floats) -> float:
    """Return the area under the ROC curve: how often a good one has the higher score (Mann and Whitney 1947)."""
    order = np.argsort(np.concatenate([good, bad]), kind="stable")
    ranks = np.empty(len(order))
    values = np.concatenate([good, bad])[order]
    edges = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1, [len(values)]])
    for begin, end in pairwise(edges):
        ranks[order[begin:end]] = (begin + end + 1) / 2
    n, m = len(good), len(bad)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def balanced(good: Floats, bad: Floats) -> float:
    """Return the threshold at which as large a part of the bad is below it as of the good above."""
    candidates = np.unique(np.concatenate([good, bad]))
    differ = [abs(np.mean(bad < one) - np.mean(good >= one)) for one in candidates]
    return float(candidates[int(np.argmin(differ))])


def figures(score: Floats, noisy: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> dict[str, float]:
    """Return figures on what did not choose the threshold, with 95 % intervals over records."""
    threshold = balanced(score[~noisy & chosen], score[noisy & chosen])
    good, bad = score[~noisy & ~chosen], score[noisy & ~chosen]
    rng = np.random.default_rng(0)
    draws = [
        (auc(g, b), float(np.mean(b < threshold)), float(np.mean(g >= threshold)))
        for g, b in ((rng.choice(good, len(good)), rng.choice(bad, len(bad))) for _ in range(300))
    ]
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    values = auc(good, bad), float(np.mean(bad < threshold)), float(np.mean(good >= threshold))
    found = {"threshold": threshold, "chosen_auc": auc(score[~noisy & chosen], score[noisy & chosen])}
    for i, name in enumerate(("auc", "sensitivity", "specificity")):
        found |= {name: values[i], f"{name}_low": float(low[i]), f"{name}_high": float(high[i])}
    return found


def challenge(folder: Path, limit: int | None) -> dict[str, Any]:
    """Return figures on the challenge's records."""
    from scipy.io import loadmat

    with (folder / "REFERENCE.csv").open() as file:
        records = [(name, label) for name, label in csv.reader(file) if (folder / f"{name}.mat").exists()][:limit]
    scores: dict[str, list[float]] = {name: [] for name in METHODS}
    for i, (name, _) in enumerate(records):
        x = loadmat(folder / f"{name}.mat")["val"][0] / 1000.0
        seconds = len(x) // 300
        at = np.arange(min(LENGTH_S, seconds), seconds + 1).astype(float)
        for method, score in SCORES.items():
            scores[method].append(float(np.mean(score(x, 300.0, at))))
        if i % 500 == 0:
            print(f"challenge: {i} of {len(records)} records", file=sys.stderr)
    noisy = np.array([label == "~" for _, label in records])
    chosen = np.arange(len(records)) % 2 == 0
    table = {name: figures(np.array(scores[name]), noisy, chosen) for name in METHODS}
    return {"records": len(records), "noisy": int(noisy.sum()), "methods": table}


def trimmed(values: Floats) -> float:
    """Return the mean without the lowest and highest 5 %."""
    cut = len(values) // 20
    return float(np.sort(values)[cut : len(values) - cut].mean())


def stressed(x: Floats, beats: NDArray[np.int64], noise: Floats, ratio_db: float) -> Floats:
    """Return the record with noise at a ratio: that of the mean QRS height squared over 8 to the noise's variance."""
    qrs = [float(np.ptp(x[max(0, beat - 18) : beat + 19])) for beat in beats[:300]]
    power = trimmed(np.array(qrs)) ** 2 / 8
    seconds = noise[: len(noise) // 360 * 360].reshape(-1, 360).var(axis=1)
    gain = np.sqrt(power / trimmed(seconds) / 10 ** (ratio_db / 10))
    return np.asarray(x + gain * np.resize(noise, len(x)))


def right(found: NDArray[np.int64], beats: NDArray[np.int64], begin: float, end: float) -> bool:
    """Return whether the beats between two samples were all found once, and nothing else was."""
    wide = TOLERANCE_S * 360
    wanted, got = beats[(beats >= begin) & (beats < end)], found[(found >= begin) & (found < end)]
    near = found[(found >= begin - wide) & (found < end + wide)]
    around = beats[(beats >= begin - wide) & (beats < end + wide)]
    return all(np.sum(np.abs(near - beat) <= wide) == 1 for beat in wanted) and all(
        np.any(np.abs(around - one) <= wide) for one in got
    )


def noises(folder: Path, samples: int) -> Iterator[tuple[str, Floats]]:
    """Yield the noise records, first channel."""
    import wfdb

    for name in ("bw", "ma"):
        yield name, wfdb.rdrecord(str(folder / "nstdb" / name), channels=[0], sampto=samples).p_signal[:, 0]


def arrhythmia(folder: Path, minutes: float, numbers: tuple[int, ...]) -> dict[str, Any]:
    """Return figures on windows of so many records of MIT-BIH with noise."""
    import wfdb

    samples = round(minutes * 60 * 360)
    names = [str(number) for number in numbers]
    at = np.arange(2 * LENGTH_S, minutes * 60, LENGTH_S).astype(float)
    windows: dict[str, list[tuple[bool, dict[str, float]]]] = {}
    for record in names:
        x = wfdb.rdrecord(str(folder / "mitdb" / record), channels=[0], sampto=samples).p_signal[:, 0]
        notes = wfdb.rdann(str(folder / "mitdb" / record), "atr", sampto=samples)
        beats = np.array([s for s, c in zip(notes.sample, notes.symbol, strict=True) if c in BEATS])
        flutter = np.array([s for s, c in zip(notes.sample, notes.symbol, strict=True) if c in "[!]"])
        cases = {"clean": x}
        for kind, noise in noises(folder, samples):
            cases |= {f"{kind} {ratio} dB": stressed(x, beats, noise, ratio) for ratio in RATIOS_DB}
        for case, signal in cases.items():
            peaks = peaks_of(signal, 360.0)
            scores = {name: score(signal, 360.0, at) for name, score in SCORES.items()}
            for i, end in enumerate(at * 360):
                begin = end - LENGTH_S * 360
                if np.any((flutter >= begin - 360) & (flutter <= end + 360)):
                    continue
                one = right(peaks, beats, begin, end), {name: float(scores[name][i]) for name in METHODS}
                windows.setdefault(case, []).append(one)
        print(f"arrhythmia: record {record}", file=sys.stderr)
    return {"records": len(names), "minutes": minutes, "cases": _cases(windows)}


def _cases(windows: dict[str, list[tuple[bool, dict[str, float]]]]) -> dict[str, dict[str, float]]:
    """Return for each noise how many windows are good, the mean quality, and what gates keep and let through."""
    windows = {**windows, "all": [one for some in windows.values() for one in some]}
    found = {}
    for case, some in windows.items():
        good = np.array([one for one, _ in some])
        quality = np.array([scores["pulselet"] for _, scores in some])
        row = {"windows": len(some), "good": float(good.mean()), "quality": float(quality.mean())}
        for gate in GATES:
            kept = quality >= gate
            row[f"kept at {gate}"] = float(kept.mean())
            row[f"of them good at {gate}"] = float(good[kept].mean()) if kept.any() else float("nan")
        if good.any() and not good.all():
            for name in METHODS:
                score = np.array([scores[name] for _, scores in some])
                row[f"auc {name}"] = auc(score[good], score[~good])
        found[case] = row
    return found


def measure(folder: Path, *, minutes: float = 10.0, records: int | None = None) -> dict[str, Any]:
    """Return both tables; at the top, the main figures."""
    first = challenge(folder / "cinc2017", records)
    second = {name: arrhythmia(folder, minutes, numbers[:records]) for name, numbers in SETS.items()}
    best = first["methods"]["pulselet"]
    top = {f"noisy_{name}": best[name] for name in ("auc", "sensitivity", "specificity")}
    return {**top, "challenge": first, "arrhythmia": second}


def report(found: dict[str, Any]) -> None:
    """Print the tables."""
    first = found["challenge"]
    kinds = ("auc", "sensitivity", "specificity")
    print(f"challenge 2017: {first['noisy']} of {first['records']} records are noisy; figures of every second record")
    print(f"{'':16}" + "".join(f"{kind:>23}" for kind in kinds) + "   threshold")
    for name, one in first["methods"].items():
        cells = [f"{one[kind]:.3f} ({one[f'{kind}_low']:.3f}-{one[f'{kind}_high']:.3f})" for kind in kinds]
        print(f"{name:16}" + "".join(f"{cell:>23}" for cell in cells) + f"{one['threshold']:12.3f}")
    for name, second in found["arrhythmia"].items():
        _report_cases(name, second)


def _report_cases(name: str, second: dict[str, Any]) -> None:
    columns = ["windows", "good", "quality", *(f"auc {method}" for method in METHODS)]
    columns += [f"{what} at {gate}" for gate in GATES for what in ("kept", "of them good")]
    print(f"\nMIT-BIH {name}: {second['records']} records, {second['minutes']:g} min each; good: all beats found")
    print(f"{'':10}" + "".join(f"{column:>{len(column) + 2}}" for column in columns))
    for case, one in second["cases"].items():
        cells = [f"{one.get(column, float('nan')):.3f}" for column in columns]
        cells[0] = str(one["windows"])
        print(f"{case:10}" + "".join(f"{cell:>{len(column) + 2}}" for cell, column in zip(cells, columns, strict=True)))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--records", type=int, help="at most so many of each data set")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each MIT-BIH record")
    args = parser.parse_args()
    if "PULSELET_DATA" not in os.environ:
        raise SystemExit("set PULSELET_DATA to the folder that holds cinc2017, mitdb and nstdb")
    found = measure(Path(os.environ["PULSELET_DATA"]), minutes=args.minutes, records=args.records)
    report(found)
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
