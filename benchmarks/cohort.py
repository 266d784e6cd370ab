"""Throughput and memory of `cohort.run` against the number of recordings and of workers, and whether results are equal.

python benchmarks/cohort.py [--recordings 10,100,500,2000] [--workers 1,2,4] [--dask] [--json cohort.json]

Recordings are a minute of simulated ECG each, made from a seed when a worker asks for it; the function finds R peaks
and returns a row, which goes to Parquet. Each setting runs in a fresh process, so that peak memory is its own; that of
the workers is of the largest one. Results are equal if the Parquet files have the same bytes whatever ran them; "again"
is the time of a second run, for which everything is done. More workers than cores are no faster: the number of cores is
told.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pulselet import cohort
from pulselet.signal.ecg_peaks import r_peaks
from pulselet.simulate import ecg
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Recording, Run

RATE_HZ, SECONDS = 250.0, 60.0
ECG = Signal("ecg", "mV", RATE_HZ, ("lead",))
DASK = 0  # as a number of workers: a Dask cluster of two


def read(seed: int, name: str) -> list[Run]:
    """Return a minute of ECG of this seed."""
    values = ecg(SECONDS, rate_hz=RATE_HZ, seed=seed).values_mv
    return [Run(0, np.asarray(values, np.float32).reshape(-1, 1))]


def recordings(count: int) -> Iterator[Recording]:
    """Yield recordings of as many people."""
    for seed in range(count):
        yield Recording("simulated", f"r{seed:04}", f"p{seed:04}", {"ecg": ECG}, partial(read, seed), simulated=True)


def figures(recording: Recording) -> dict[str, Any]:
    """Return what a study would tabulate."""
    values = recording.values("ecg")[:, 0].astype(np.float64)
    rr_ms = np.diff(r_peaks(values, rate_hz=RATE_HZ)) * (1e3 / RATE_HZ)
    rmssd_ms = float(np.sqrt(np.mean(np.diff(rr_ms) ** 2)))
    return {"beats": len(rr_ms) + 1, "mean_rr_ms": rr_ms.mean(), "rmssd_ms": rmssd_ms, "energy": float(values @ values)}


def peak_mb(recording: Recording | None = None) -> float:
    """Return the largest resident memory of this process, in MB; of a worker, after it has done a recording.

    Linux keeps `ru_maxrss` through fork and exec, so a small child seems as large as its parent; VmHWM starts anew.
    """
    if recording:
        figures(recording)
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) / 1024  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def timed(count: int, workers: int, out: Path) -> tuple[cohort.CohortResult, float]:
    """Return a result and how long it took."""
    begin = time.perf_counter()
    if workers == DASK:
        from distributed import Client, LocalCluster

        options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            begin = time.perf_counter()
            return cohort.run(figures, recordings(count), client, out=out), time.perf_counter() - begin
    return cohort.run(figures, recordings(count), workers=workers, out=out), time.perf_counter() - begin


def one(count: int, workers: int) -> dict[str, Any]:
    """Return the figures of a setting; in a process of its own."""
    before = peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.parquet"
        result, seconds = timed(count, workers, out)
        result.check()
        after = peak_mb()
        digest = hashlib.sha256(out.read_bytes()).hexdigest()
        again, again_s = timed(count, workers, out)
        worker_mb = max(cohort.run(peak_mb, recordings(min(count, 50)), workers=max(1, workers)).values)
        same = again.reused == count and hashlib.sha256(out.read_bytes()).hexdigest() == digest
    return {
        "recordings": count,
        "workers": "dask" if workers == DASK else workers,
        "seconds": seconds,
        "recordings_per_s": count / seconds,
        "again_s": again_s,
        "again_is_equal": same,
        "parent_mb": after,
        "parent_before_mb": before,
        "worker_mb": worker_mb,
        "sha256": digest,
    }


def measure(counts: list[int], workers: list[int]) -> dict[str, Any]:
    """Return the figures of all settings, and whether results are equal whatever ran them."""
    rows = []
    for count in counts:
        for number in workers:
            command = [sys.executable, __file__, "--one", f"{count},{number}"]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows.append(json.loads(done.stdout))
            print(f"{count} recordings, {rows[-1]['workers']} workers: {rows[-1]['seconds']:.1f} s", file=sys.stderr)
    digests = {count: {row["sha256"] for row in rows if row["recordings"] == count} for count in counts}
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "identical": all(len(found) == 1 for found in digests.values()) and all(row["again_is_equal"] for row in rows),
        "settings": rows,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", default="10,100,500,2000", help="numbers with commas")
    parser.add_argument("--workers", default="1,2,4", help="numbers with commas")
    parser.add_argument("--dask", action="store_true", help="a Dask cluster of two workers too")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(*map(int, args.one.split(",")))))
        return
    workers = [int(number) for number in args.workers.split(",")] + [DASK] * args.dask
    found = measure([int(number) for number in args.recordings.split(",")], workers)
    print(f"{found['cores']} cores; results are {'equal' if found['identical'] else 'NOT EQUAL'} whatever ran them")
    print(f"{'recordings':>10} {'workers':>8} {'s':>8} {'per s':>8} {'again s':>8} {'parent MB':>10} {'worker MB':>10}")
    for row in found["settings"]:
        print(
            f"{row['recordings']:>10} {row['workers']:>8} {row['seconds']:8.1f} {row['recordings_per_s']:8.1f} "
            f"{row['again_s']:8.1f} {row['parent_mb']:10.1f} {row['worker_mb']:10.1f}"
        )
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
