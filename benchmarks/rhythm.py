"""Normal intervals: does `Rhythm` keep those between normal beats, and mark the others?

PULSELET_DATA=<folder> python benchmarks/rhythm.py [--json rhythm.json]

The folder holds `mitdb` in WFDB form. The beats are those that people annotated, so that no error of a detector is
counted. An interval is normal if both its beats are of sinus origin or conducted by a bundle branch block or escape
(N, L, R, e, j); all others ought to be marked. Ventricular flutter is left out. Beside it Malik's rule (Task Force
1996): an interval within 20 % of the one before is normal. DS1 and DS2 are those of de Chazal et al. 2004 without paced
records; the limits of ours were chosen on DS1. Intervals of atrial fibrillation whose beats are annotated N count as
normal here, although marking them is right; so the figures are given without the records in which it occurs, too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from r_peaks import BEATS, DS1, DS2, RATE_HZ

from pulselet.signal.ecg_rhythm import Rhythm
from pulselet.signal.stage import Format

Marks = NDArray[np.bool_]

NORMAL = ("N", "L", "R", "e", "j")
FIBRILLATION = (201, 202, 203, 210, 219, 221, 222)  # records in which the rhythm is annotated
SETS = {"DS1": DS1, "DS2": DS2}


def read(root: Path, record: int) -> tuple[NDArray[np.float64], Marks, Marks]:
    """Return the intervals between beats in samples, whether each is normal, and whether it is free of flutter."""
    import wfdb

    notes = wfdb.rdann(str(root / "mitdb" / str(record)), "atr")
    symbols = np.array(notes.symbol)
    is_beat = np.isin(symbols, sorted(BEATS))
    beats, normal = notes.sample[is_beat], np.isin(symbols[is_beat], NORMAL)
    free = np.ones(len(beats) - 1, np.bool_)
    for begin, end in zip(notes.sample[symbols == "["], notes.sample[symbols == "]"], strict=True):
        free &= (beats[1:] < begin) | (beats[:-1] > end)
    return np.diff(beats).astype(np.float64), normal[1:] & normal[:-1], free


def ours(samples: NDArray[np.float64]) -> Marks:
    """Return which intervals `Rhythm` calls normal."""
    kernel = Rhythm().design(Format(None, 2, names=("since", "valid"), clock_hz=RATE_HZ))
    events = np.ones((len(samples), 2), np.float32)
    events[:, 0] = samples
    rows, _ = kernel.step(kernel.start(), events)
    return np.asarray(rows[:, 3] > 0)


def malik(samples: NDArray[np.float64]) -> Marks:
    """Return which intervals are within 20 % of the one before."""
    return np.concatenate([[False], np.abs(np.diff(samples)) < 0.2 * samples[:-1]])


METHODS = {"pulselet": ours, "Malik 20 %": malik}


def figures(counts: list[tuple[int, ...]]) -> dict[str, float]:
    """Return the parts of normal intervals kept and of others marked, in per cent."""
    kept, normal, marked, other = (int(n) for n in np.sum(counts, axis=0))
    shares = {"kept": 100 * kept / normal, "marked": 100 * marked / other}
    return {"normal": normal, "other": other, **shares}


def measure(root: Path) -> dict[str, Any]:
    """Return the figures of each method for DS1 and DS2, with and without records with atrial fibrillation."""
    found: dict[str, Any] = {}
    for name, records in SETS.items():
        counts: dict[str, dict[int, tuple[int, ...]]] = {method: {} for method in METHODS}
        for record in records:
            samples, normal, used = read(root, record)
            for method, rule in METHODS.items():
                kept = rule(samples)
                parts = (kept & normal, normal, ~kept & ~normal, ~normal)
                counts[method][record] = tuple(int(np.sum(part & used)) for part in parts)
        print(f"{name}: {len(records)} records", file=sys.stderr)
        for method, by in counts.items():
            regular = [one for record, one in by.items() if record not in FIBRILLATION]
            found.setdefault(name, {})[method] = figures(list(by.values()))
            found.setdefault(f"{name} without AF", {})[method] = figures(regular)
    return found


def report(found: dict[str, Any]) -> None:
    """Print the table."""
    print(f"{'':16}{'':12}{'normal':>9}{'kept %':>9}{'others':>9}{'marked %':>10}")
    for name, methods in found.items():
        for method, one in methods.items():
            line = f"{one['normal']:9d}{one['kept']:9.2f}{one['other']:9d}{one['marked']:10.2f}"
            print(f"{name:16}{method:12}{line}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    args = parser.parse_args()
    if "PULSELET_DATA" not in os.environ:
        sys.exit("PULSELET_DATA is not set: it names the folder with mitdb")
    found = measure(Path(os.environ["PULSELET_DATA"]))
    report(found)
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
