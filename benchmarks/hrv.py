"""Heart rate variability beside other libraries, on series whose truth is known.

python benchmarks/hrv.py [--json hrv.json] [--seeds 5]

Beats are simulated for 300 s at 1000 Hz, so that every library gets whole milliseconds. Time domain and Poincare plot:
the worst relative difference from numpy in float64 (n - 1). Spectrum: intervals are a mean and two sinusoids, 30 ms at
0.1 Hz and 20 ms at 0.25 Hz, so LF is 450 and HF 200 ms^2; printed is what each finds. Peers at their defaults, but that
NeuroKit is told not to normalise; one that is not installed is left out, and said so.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.hrv_metrics import hrv
from pulselet.simulate.rhythm import rr_intervals

CLOCK_HZ, SECONDS = 1000, 300.0
LF_MS2, HF_MS2 = 450.0, 200.0
TIME = ("mean", "sdnn", "rmssd", "pnn50", "sd1", "sd2")

Peaks = NDArray[np.int64]
Metrics = dict[str, float]


def ours(peaks: Peaks) -> Metrics:
    """Return the metrics of `pulselet.signal.hrv`."""
    found = hrv(peaks, rate_hz=CLOCK_HZ, tolerance=0)  # the others leave nothing out
    names = ("mean_nn_ms", "sdnn_ms", "rmssd_ms", "pnn50", "sd1_ms", "sd2_ms", "lf_ms2", "hf_ms2")
    return dict(zip((*TIME, "lf", "hf"), (getattr(found, name) for name in names), strict=True))


def neurokit(peaks: Peaks) -> Metrics:
    """Return those of NeuroKit: Welch's spectrum of cubically interpolated intervals."""
    import neurokit2

    at = neurokit2.hrv_time(peaks, sampling_rate=CLOCK_HZ).iloc[0]
    spectrum = neurokit2.hrv_frequency(peaks, sampling_rate=CLOCK_HZ, normalize=False).iloc[0]
    plot = neurokit2.hrv_nonlinear(peaks, sampling_rate=CLOCK_HZ).iloc[0]
    values = (*at[["HRV_MeanNN", "HRV_SDNN", "HRV_RMSSD", "HRV_pNN50"]], *plot[["HRV_SD1", "HRV_SD2"]])
    return dict(zip((*TIME, "lf", "hf"), map(float, (*values, *spectrum[["HRV_LF", "HRV_HF"]])), strict=True))


def heartpy(peaks: Peaks) -> Metrics:
    """Return those of HeartPy: Welch's spectrum of intervals interpolated by a spline."""
    import heartpy as hp

    _, found = hp.process_rr(np.diff(peaks).astype(float), calc_freq=True)
    names = ("ibi", "sdnn", "rmssd", "pnn50", "sd1", "sd2", "lf", "hf")
    values = {name: float(found[name]) for name in names}
    return {"mean": values.pop("ibi"), **values, "pnn50": 100 * values["pnn50"]}


def systole(peaks: Peaks) -> Metrics:
    """Return those of systole."""
    from systole import hrv as peer

    rr = np.diff(peaks).astype(float)
    tables = [peer.time_domain(rr, input_type="rr_ms"), peer.frequency_domain(rr, input_type="rr_ms")]
    tables.append(peer.nonlinear_domain(rr, input_type="rr_ms"))
    found = {row.Metric: float(row.Values) for table in tables for row in table.itertuples()}
    names = ("MeanRR", "SDNN", "RMSSD", "pnn50", "SD1", "SD2", "lf_power", "hf_power")
    return {ours: found.get(name, math.nan) for ours, name in zip((*TIME, "lf", "hf"), names, strict=True)}


METHODS: dict[str, Callable[[Peaks], Metrics]] = {
    "pulselet": ours,
    "neurokit": neurokit,
    "heartpy": heartpy,
    "systole": systole,
}


def truth(peaks: Peaks) -> Metrics:
    """Return the time domain by numpy in float64."""
    rr = np.diff(peaks).astype(np.float64)
    steps, sums = np.diff(rr), rr[1:] + rr[:-1]
    half = math.sqrt(0.5)
    values = (rr.mean(), rr.std(ddof=1), np.sqrt(np.mean(steps**2)), 100 * np.mean(np.abs(steps) > 50))
    return dict(zip(TIME, map(float, (*values, half * steps.std(ddof=1), half * sums.std(ddof=1))), strict=True))


def series(seed: int) -> Peaks:
    """Return simulated beats of a resting heart."""
    rr_s = rr_intervals(SECONDS, seed=seed, heart_rate_bpm=65 + 5 * seed, lf_s=0.03, hf_s=0.025)
    return np.concatenate([[0], np.cumsum(np.round(1000 * rr_s))]).astype(np.int64)


def waves(mean_s: float) -> Peaks:
    """Return beats whose intervals are a mean and two sinusoids of known power."""
    t = [0.0]
    while t[-1] < SECONDS:
        low, high = (part * math.sin(2 * math.pi * hz * t[-1]) for part, hz in ((0.03, 0.1), (0.02, 0.25)))
        t.append(t[-1] + mean_s + low + high)
    return np.round(np.array(t) * CLOCK_HZ).astype(np.int64)


def run(method: Callable[[Peaks], Metrics], seeds: int) -> dict[str, Any]:
    """Return the worst relative differences, LF and HF of the two waves by mean interval, and the time it took."""
    found: dict[str, Any] = {"worst": dict.fromkeys(TIME, 0.0), "lf_ms2": {}, "hf_ms2": {}}
    begin = time.process_time()
    for seed in range(seeds):
        peaks = series(seed)
        wanted, got = truth(peaks), method(peaks)
        for name in TIME:
            off = abs(got[name] - wanted[name]) / max(abs(wanted[name]), 1e-9)
            found["worst"][name] = max(found["worst"][name], off)
    for mean_s in (0.6, 0.8, 1.0):
        got = method(waves(mean_s))
        found["lf_ms2"][f"{mean_s:g}"], found["hf_ms2"][f"{mean_s:g}"] = got["lf"], got["hf"]
    found["seconds"] = time.process_time() - begin
    return found


def measure(seeds: int = 5) -> dict[str, Any]:
    """Return what each installed method finds."""
    table: dict[str, Any] = {}
    for name, method in METHODS.items():
        print(f"{name} ...", file=sys.stderr)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore" if name != "pulselet" else "error")
                table[name] = run(method, seeds)
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return {"truth": {"lf_ms2": LF_MS2, "hf_ms2": HF_MS2}, "methods": table}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    found = measure(args.seeds)
    print("worst relative difference from numpy; LF / HF in ms^2 (450 / 200) at intervals of 0.6, 0.8, 1.0 s")
    print(f"{'':10}" + "".join(f"{name:>9}" for name in TIME) + "   LF / HF")
    for name, one in found["methods"].items():
        spectrum = "   ".join(f"{one['lf_ms2'][m]:.4g} / {one['hf_ms2'][m]:.4g}" for m in one["lf_ms2"])
        print(f"{name:10}" + "".join(f"{one['worst'][metric]:9.1e}" for metric in TIME) + f"   {spectrum}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
