"""Activity counts beside the authors' own package: how many counts differ, on wrist and waist recordings.

PULSELET_DATA=... python benchmarks/activity_counts.py [--json activity_counts.json] [--recordings 10] [--epoch 60]

The package is `agcounts` (pip install agcounts==0.2.6, into an environment of its own: it brings MNE); without it the
run says so and stops. WESAD is read at its own 32 Hz and HAPT at its own 50 Hz; for the other rates HAPT is
interpolated by straight lines. `stream` pushes chunks of odd sizes; `float32` is the same algorithm with its filters in
float32, which is what a microcontroller would do without care. The last epoch of each recording is counted apart.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.activity import COUNTS_PER_G, POWERS, THIRDS, A, ActivityCounts, B, activity_counts
from pulselet.signal.stage import Format

Samples = NDArray[np.float32]
Counts = NDArray[np.int64]
Method = Callable[[Samples, int, int], Counts]
RATES = (30, 40, 60, 64, 70, 80, 90, 100, 128)


def wesad(root: Path) -> Iterator[Samples]:
    """Yield wrist accelerations in g at 32 Hz, (n, 3) each."""
    for file in sorted(root.glob("wesad/*/*/ACC.csv.gz")):
        with gzip.open(file, "rt") as text:
            steps = np.loadtxt(text, delimiter=",", skiprows=2)
        yield (steps / 64).astype(np.float32)


def hapt(root: Path) -> Iterator[Samples]:
    """Yield waist accelerations in g at 50 Hz, (n, 3) each."""
    for file in sorted(root.glob("hapt/RawData/acc_*.txt.gz")):
        with gzip.open(file, "rt") as text:
            yield np.loadtxt(text).astype(np.float32)


def at_rate(x: Samples, rate_hz: int) -> Samples:
    """Return 50 Hz samples interpolated by straight lines."""
    t = np.arange(int(len(x) / 50 * rate_hz)) / rate_hz
    axes = [np.interp(t, np.arange(len(x)) / 50, axis) for axis in x.T]
    return np.stack(axes, axis=1).astype(np.float32)


def ours(x: Samples, rate_hz: int, epoch_s: int) -> Counts:
    """Return our counts of a whole recording."""
    return activity_counts(x, rate_hz=rate_hz, epoch_s=epoch_s)


def stream(x: Samples, rate_hz: int, epoch_s: int) -> Counts:
    """Return our counts of chunks of odd sizes."""
    kernel = ActivityCounts(epoch_s).design(Format(float(rate_hz), 3, "g"))
    state, rows, rng, at = kernel.start(), [], np.random.default_rng(0), 0
    while at < len(x):
        size = int(rng.integers(1, 4000))
        y, state = kernel.step(state, x[at : at + size])
        rows.append(y)
        at += size
    return np.concatenate(rows).astype(np.int64)


def float32(x: Samples, rate_hz: int, epoch_s: int) -> Counts:
    """Return the counts of the same algorithm with its filters in float32; 30 to 100 Hz."""
    from scipy.signal import lfilter, lfilter_zi

    if rate_hz in POWERS:
        return np.empty((0, 3), np.int64)
    f = np.float32
    if rate_hz in THIRDS:
        spread = np.zeros((3 * len(x), 3), f)
        spread[::3] = f(3) * x
        gain, back = f(np.pi / (np.pi + 6)), f((np.pi - 6) / (np.pi + 6))
        x = lfilter(np.array([gain, gain]), np.array([f(1), back]), spread, axis=0)[:: THIRDS[rate_hz]]
    else:
        x = x[:: rate_hz // 30]
    x = (np.rint(x * f(1000)) / f(1000)).astype(f)
    b, a = np.array(B, f), np.array(A, f)
    y, _ = lfilter(b, a, x, axis=0, zi=lfilter_zi(B, A).astype(f)[:, None] * x[0])
    size = np.abs(f(COUNTS_PER_G) * y)
    rows = np.where(size < 4, f(0), np.minimum(np.nan_to_num(size), f(128))).astype(np.int64)
    tenths = rows[: len(rows) // 3 * 3].reshape(-1, 3, 3).sum(axis=1) // 3
    whole = len(tenths) // (10 * epoch_s)
    found: Counts = tenths[: whole * 10 * epoch_s].reshape(whole, 10 * epoch_s, 3).sum(axis=1)
    return found


def agcounts() -> Method | None:
    """Return the authors' package, if it is installed."""
    try:
        from agcounts.extract import get_counts
    except ImportError:
        return None
    return lambda x, rate_hz, epoch_s: np.asarray(get_counts(x.astype(np.float64), rate_hz, epoch_s)).astype(np.int64)


def compare(
    recordings: list[Samples], rate_hz: int, epoch_s: int, reference: Method, methods: dict[str, Method]
) -> dict[str, Any]:
    """Return the counts compared and those that differ; the last epoch of a recording is apart."""
    found: dict[str, Any] = {"recordings": len(recordings), "seconds": {}}
    truth = [_timed(found, "agcounts", reference, x, rate_hz, epoch_s) for x in recordings]
    for name, method in methods.items():
        got = [_timed(found, name, method, x, rate_hz, epoch_s) for x in recordings]
        if all(len(g) == 0 for g in got):
            continue
        pairs = [(w[: len(g)], g[: len(w)]) for w, g in zip(truth, got, strict=True)]
        inner = [(w[:-1] != g[:-1]) for w, g in pairs]
        found[name] = {
            "counts": int(sum(d.size for d in inner)),
            "differ": int(sum(d.sum() for d in inner)),
            "worst": int(max((np.abs(w[:-1] - g[:-1]).max(initial=0) for w, g in pairs), default=0)),
            "last_epochs_differ": int(sum((w[-1:] != g[-1:]).any() for w, g in pairs)),
            "epochs_short": int(sum(max(0, len(w) - len(g)) for w, g in zip(truth, got, strict=True))),
        }
    return found


def _timed(found: dict[str, Any], name: str, method: Method, x: Samples, rate_hz: int, epoch_s: int) -> Counts:
    begin = time.process_time()
    counts = method(x, rate_hz, epoch_s)
    found["seconds"][name] = found["seconds"].get(name, 0.0) + time.process_time() - begin
    return counts


def measure(root: Path, reference: Method, count: int, epoch_s: int) -> dict[str, Any]:
    """Return the comparison for every rate."""
    methods: dict[str, Method] = {"ours": ours, "stream": stream, "float32": float32}
    wrist, waist = list(wesad(root))[:count], list(hapt(root))[:count]
    if not wrist or not waist:
        raise SystemExit(f"wanted WESAD and HAPT under {root}")
    sets = {"WESAD wrist, 32 Hz": (wrist, 32), "HAPT waist, 50 Hz": (waist, 50)}
    for rate_hz in RATES:
        sets[f"HAPT at {rate_hz} Hz"] = ([at_rate(x, rate_hz) for x in waist], rate_hz)
    table = {}
    for name, (recordings, rate_hz) in sets.items():
        print(name, file=sys.stderr)
        table[name] = compare(recordings, rate_hz, epoch_s, reference, methods)
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--recordings", type=int, default=1000, help="at most so many of each set")
    parser.add_argument("--epoch", type=int, default=60, help="seconds")
    args = parser.parse_args()
    reference = agcounts()
    if reference is None:
        print("agcounts is not installed: skipped (pip install agcounts==0.2.6)", file=sys.stderr)
        return
    found = measure(Path(os.environ.get("PULSELET_DATA", "data")), reference, args.recordings, args.epoch)
    print(
        f"{'':22} {'':8} {'counts':>8} {'differ':>7} {'worst':>6} {'last':>5} {'short':>6} {'CPU s':>7} {'agcounts':>9}"
    )
    for name, one in found.items():
        for method in ("ours", "stream", "float32"):
            if method in one:
                m, seconds = one[method], one["seconds"]
                print(
                    f"{name:22} {method:8} {m['counts']:8} {m['differ']:7} {m['worst']:6} {m['last_epochs_differ']:5} "
                    f"{m['epochs_short']:6} {seconds[method]:7.2f} {seconds['agcounts']:9.2f}"
                )
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
