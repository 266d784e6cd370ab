"""Breathing rate from ECG and from PPG on BIDMC, beside NeuroKit and a constant.

python benchmarks/breathing.py [--json breathing.json] [--subjects rest|chosen|all] [--no-peers]

The folder of the recordings is `$PULSELET_DATA/bidmc`, in CSV form: 8 min each of PPG and ECG lead II at 125 Hz,
breaths marked by two people (Pimentel et al., IEEE Transactions on Biomedical Engineering 64, 2017). The truth of a
window of 32 s is 60 over the mean interval of the breaths marked in it, averaged over the two annotators. Windows begin
every 2 s; the first is the first. An error is the absolute difference in breaths/min.

Every third subject in order of number ("chosen") served to choose the parameters, and the confidence from which on an
estimate counts, 0.75. What counts is the rest, in which nothing was chosen. Coverage is the share of windows at or
above that confidence; beside it stands the error of the surest 80 % of all windows. The interval is a bootstrap over
subjects, 95 %. The constant is the median truth of all other subjects. NeuroKit sees the whole recording, past and
future: van Gent's method on the ECG.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.breathing import breathing_rate

RATE_HZ, WINDOW_S, HOP_S = 125, 32.0, 2.0
CONFIDENT = {"ppg": 0.75, "ecg": 0.75, "neurokit": 0.0, "constant": 0.0}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """A recording and its truth."""

    number: int
    ppg: Floats
    ecg: Floats
    truth: Floats  # breaths/min of each window


def truth_of(marks: list[Floats], duration_s: float) -> Floats:
    """Return breaths/min of windows, averaged over annotators; NaN where one has fewer than two breaths in it."""
    ends = np.arange(WINDOW_S, duration_s + 0.01, HOP_S)
    rates = np.full((len(ends), len(marks)), np.nan)
    for who, at_s in enumerate(marks):
        for i, end in enumerate(ends):
            inside = at_s[(at_s >= end - WINDOW_S) & (at_s < end)]
            if len(inside) > 1:
                rates[i, who] = 60 * (len(inside) - 1) / (inside[-1] - inside[0])
    found: Floats = rates.mean(axis=1)
    return found


def load(folder: Path, number: int) -> Subject:
    """Return one recording."""
    with gzip.open(folder / f"bidmc_{number:02d}_Signals.csv.gz", "rt") as file:
        names = [name.strip() for name in next(file).split(",")]
        values = np.loadtxt(file, delimiter=",")
    with (folder / f"bidmc_{number:02d}_Breaths.csv").open() as file:
        rows = [[*row, ""][:2] for row in list(csv.reader(file))[1:] if row]
    marks = [np.array([float(r[i]) for r in rows if r[i].strip().lower() not in ("", "nan")]) for i in (0, 1)]
    signals = dict(zip(names, values.T, strict=True))
    truth = truth_of([m / RATE_HZ for m in marks], len(values) / RATE_HZ)
    return Subject(number, signals["PLETH"], signals["II"], truth)


def ours(signal: Floats, kind: str, count: int) -> tuple[Floats, Floats]:
    """Return breaths/min and confidence of each window; NaN and 0 where there is none."""
    times_s, rate, confidence = breathing_rate(signal, rate_hz=RATE_HZ, kind=kind)
    at = np.round((times_s - WINDOW_S) / HOP_S).astype(int)
    rates, trust = np.full(count, np.nan), np.zeros(count)
    rates[at], trust[at] = rate, confidence
    return rates, trust


def neurokit(signal: Floats, count: int) -> tuple[Floats, Floats]:
    """Return breaths/min of each window by van Gent's method: the mean of NeuroKit's rate over it."""
    import neurokit2

    clean = neurokit2.ecg_clean(signal, sampling_rate=RATE_HZ)
    _, peaks = neurokit2.ecg_peaks(clean, sampling_rate=RATE_HZ)
    heart = neurokit2.ecg_rate(peaks, sampling_rate=RATE_HZ, desired_length=len(signal))
    breath = neurokit2.ecg_rsp(heart, sampling_rate=RATE_HZ, method="vangent2019")
    cleaned = neurokit2.rsp_clean(breath, sampling_rate=RATE_HZ)
    rate = np.asarray(neurokit2.rsp_rate(cleaned, sampling_rate=RATE_HZ))
    begins = (np.arange(count) * HOP_S * RATE_HZ).astype(int)
    return np.array([rate[b : b + int(WINDOW_S * RATE_HZ)].mean() for b in begins]), np.ones(count)


def estimates(subjects: list[Subject], peers: bool) -> dict[str, list[tuple[Floats, Floats]]]:
    """Return for each method what it says of each subject's windows."""
    methods: dict[str, Callable[[Subject], tuple[Floats, Floats]]] = {
        "ppg": lambda s: ours(s.ppg, "ppg", len(s.truth)),
        "ecg": lambda s: ours(s.ecg, "ecg", len(s.truth)),
    }
    if peers:
        methods["neurokit"] = lambda s: neurokit(s.ecg, len(s.truth))
    found: dict[str, list[tuple[Floats, Floats]]] = {}
    for name, method in methods.items():
        begin = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error" if name in ("ppg", "ecg") else "ignore")
                found[name] = [method(s) for s in subjects]
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        print(f"{name}: {time.process_time() - begin:.1f} s of CPU", file=sys.stderr)
    return found


def constant(subjects: list[Subject], everyone: list[Subject]) -> list[tuple[Floats, Floats]]:
    """Return the median truth of all other subjects."""
    found = []
    for s in subjects:
        others = np.concatenate([o.truth for o in everyone if o.number != s.number])
        found.append((np.full(len(s.truth), np.nanmedian(others)), np.ones(len(s.truth))))
    return found


def score(subjects: list[Subject], found: list[tuple[Floats, Floats]], confident: float) -> dict[str, Any]:
    """Return errors over all windows and over those that count, by subject, with an interval over subjects."""
    each: list[dict[str, Any]] = []
    kept, every, ranks = [], [], []
    for s, (rate, trust) in zip(subjects, found, strict=True):
        off = np.abs(rate - s.truth)
        known = np.isfinite(off)
        counts = known & (trust >= confident)
        kept.append(off[counts])
        every.append(off[known])
        ranks.append(trust[known])
        covered = float(counts.sum() / np.isfinite(s.truth).sum())
        error = float(off[counts].mean()) if counts.any() else None
        each.append({"subject": s.number, "all": float(off[known].mean()), "error": error, "coverage": covered})
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(subjects), (2000, len(subjects)))
    sums, sizes = np.array([k.sum() for k in kept]), np.array([len(k) for k in kept])
    means = sums[drawn].sum(axis=1) / np.maximum(sizes[drawn].sum(axis=1), 1)
    windows = sum(int(np.isfinite(s.truth).sum()) for s in subjects)
    rank = np.concatenate(ranks)
    order = np.argsort(-rank, kind="stable")[: round(0.8 * windows) if np.ptp(rank) > 0 else None]
    return {
        "error_all": float(np.concatenate(every).mean()),
        "error_80": float(np.concatenate(every)[order].mean()),
        "error": float(np.concatenate(kept).mean()),
        "interval": [float(v) for v in np.percentile(means, [2.5, 97.5])],
        "coverage": len(np.concatenate(kept)) / windows,
        "subjects": each,
    }


def measure(folder: Path, which: str = "rest", peers: bool = True) -> dict[str, Any]:
    """Return the scores of every method on the chosen third of the subjects, on the rest, or on all."""
    numbers = sorted(int(path.name[6:8]) for path in folder.glob("bidmc_*_Signals.csv.gz"))
    everyone = []
    for number in numbers:
        everyone.append(load(folder, number))
        print(f"subject {number}", file=sys.stderr)
    third = numbers[::3]
    subjects = [s for s in everyone if which == "all" or (s.number in third) == (which == "chosen")]
    found = estimates(subjects, peers)
    found["constant"] = constant(subjects, everyone)
    return {name: score(subjects, one, CONFIDENT[name]) for name, one in found.items()}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--subjects", choices=("rest", "chosen", "all"), default="rest")
    parser.add_argument("--no-peers", action="store_true")
    args = parser.parse_args()
    folder = Path(os.environ.get("PULSELET_DATA", "")) / "bidmc"
    if not any(folder.glob("bidmc_*_Signals.csv.gz")):
        sys.exit("PULSELET_DATA names no folder with BIDMC in it")
    found = measure(folder, args.subjects, not args.no_peers)
    print("mean absolute error in breaths/min: all windows; surest 80 %; confident ones, their interval and coverage")
    for name, one in found.items():
        low, high = one["interval"]
        share = f"{100 * one['coverage']:.0f} %"
        errors = f"{one['error_all']:6.2f} {one['error_80']:6.2f} {one['error']:6.2f}"
        print(f"{name:10} {errors} ({low:.2f} to {high:.2f}) {share}")
    print("subject: error of all windows / of confident ones / coverage")
    for i, row in enumerate(next(iter(found.values()))["subjects"]):
        cells = []
        for one in found.values():
            s = one["subjects"][i]
            error = "   -" if s["error"] is None else f"{s['error']:4.1f}"
            cells.append(f"{s['all']:5.1f} /{error} /{s['coverage']:5.2f}")
        print(f"{row['subject']:3} " + "   ".join(cells))
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
