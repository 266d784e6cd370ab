"""Pulse rate beside other packages and a constant: wrist under motion (TROIKA), wrist (WESAD), fingertip (BIDMC).

PULSELET_DATA=... python benchmarks/pulse_rate.py [--json pulse_rate.json] [--choose] [--no-peers]

TROIKA (Zhang, Pi and Liu 2015): light and acceleration of a wrist on a treadmill, 125 Hz; the reference is the rate of
a chest electrocardiogram in windows of 8 s every 2 s. BIDMC (Pimentel et al. 2017): intensive care, fingertip, 125 Hz;
the reference is the monitor's own heart rate, once a second, averaged over the same 8 s. It smooths by itself, and
where beats do not reach the finger it is not the pulse rate: the monitor's own pulse rate is one of the rows. WESAD
(Schmidt et al. 2018), wristband: light at 64 Hz, acceleration at 32 Hz; the reference are the wristband's own intervals
between beats, in those windows that they fill, so clean ones; the wristband's own heart rate is one of the rows.

At the end of each reference window counts what a method has said by then, the last value held between estimates: a
method that is late is charged for it. Windows without reference are left out, no others. Peers are beat detectors at
their defaults, not causal, on whole recordings: the rate of a window is 60 over the median interval of its beats, or
the last one if it has fewer than two intervals; one that gives up on a recording gets the constant. Each peer has the
better of the light channels. The constant is the median reference of the other recordings.

What `PulseRate` has by default was looked at on these six recordings of TROIKA, so `--choose` says what choosing costs:
of a small grid of parameters it takes those that are best on the other five, then measures on the sixth. The form of
the method was found on all six. Nothing was fitted to BIDMC or WESAD.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib
import itertools
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.pipeline import Branch, Pipeline
from pulselet.signal.resampling import Resample
from pulselet.signal.window import Window
from pulselet.signal.wrist_rate import CROSSINGS, WORKING_HZ, PulseRate, pulse_rate

Array = NDArray[np.float64]
LENGTH_S, HOP_S = 8.0, 2.0
FILLED_S = 6.5  # so much of a window must be intervals between beats
SHIFTS = (-2, -1, 0, 1, 2)
GRID: dict[str, tuple[float, ...]] = {
    "suppression": (10.0, 20.0, 40.0, 80.0),
    "harmonic": (0.2, 0.4, 0.6),
    "drift_bpm_per_s": (0.75, 1.25, 2.0),
    "evidence": (0.44, 0.88, 1.3),
}
GATES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording and its reference."""

    name: str
    ppg: Array  # (n, channels)
    rate_hz: float
    acceleration: Array | None  # (m, 3), g
    acceleration_hz: float
    bpm: Array  # (windows,), NaN where there is none
    device_bpm: Array | None = None  # (windows,), what the device itself says

    @property
    def ends_s(self) -> Array:
        """Where each window of the reference ends."""
        return LENGTH_S + HOP_S * np.arange(len(self.bpm), dtype=np.float64)


Estimate = tuple[Array, Array, Array | None]
"""When each rate is known, s; the rates, bpm; how sure they are, or None."""


def troika(folder: Path) -> list[Recording]:
    """Return the recordings of the folder."""
    from scipy.io import loadmat

    found = []
    for path in sorted(folder.glob("DATA_*.mat")):
        name = path.stem.removeprefix("DATA_")
        signals = np.asarray(loadmat(path)["sig"], np.float64)
        bpm = np.asarray(loadmat(folder / f"REF_{name}.mat")["BPM0"], np.float64).ravel()
        found.append(Recording(name, signals[1:3].T, 125.0, signals[3:6].T, 125.0, bpm))
    return found


def bidmc(folder: Path) -> list[Recording]:
    """Return the recordings of the folder."""
    found = []
    for path in sorted(folder.glob("bidmc_*_Numerics.csv")):
        number = path.name[6:8]
        with gzip.open(folder / f"bidmc_{number}_Signals.csv.gz", "rt") as file:
            ppg = _column(file, "PLETH")
        heart, pulse = (_means(_column(path.open(), name)) for name in ("HR", "PULSE"))
        found.append(Recording(number, ppg[:, None], 125.0, None, 0.0, heart, pulse))
    return found


def _means(each_s: Array) -> Array:
    begins = np.arange(0, len(each_s) - int(LENGTH_S), int(HOP_S))
    inside = np.stack([each_s[begins + k] for k in range(int(LENGTH_S) + 1)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a window without any reference
        return np.asarray(np.nanmean(inside, axis=0), np.float64)


def _column(file: Any, name: str) -> Array:
    with file:
        rows = csv.DictReader(file, skipinitialspace=True)
        return np.array([float(row[name] or "nan") for row in rows])


def wesad(folder: Path) -> list[Recording]:
    """Return the wristbands of the folder."""
    found = []
    for path in sorted(folder.glob("S*/S*_E4_Data")):
        light, moved, heart, beats = (_lines(path, name) for name in ("BVP", "ACC", "HR", "IBI"))
        ends_s = np.arange(LENGTH_S, len(light[2:]) / light[1, 0], HOP_S)
        begun_s = heart[0, 0] - light[0, 0]
        device = np.interp(ends_s, begun_s + np.arange(len(heart) - 2), heart[2:, 0])
        name = path.parent.name
        found.append(Recording(name, light[2:], 64.0, moved[2:] / 64, 32.0, _rates(beats, ends_s), device))
    return found


def _lines(path: Path, name: str) -> Array:
    packed = path / f"{name}.csv.gz"
    with gzip.open(packed, "rt") if packed.exists() else (path / f"{name}.csv").open() as file:
        skipped = 1 if name == "IBI" else 0  # its first line has one value
        return np.asarray(np.loadtxt(file, delimiter=",", skiprows=skipped, ndmin=2), np.float64)


def _rates(beats: Array, ends_s: Array) -> Array:
    """Return 60 over the mean interval of those windows that intervals fill; beats: end and length of each, s."""
    found = np.full(len(ends_s), np.nan)
    for i, end_s in enumerate(ends_s):
        inside = beats[(beats[:, 0] > end_s - LENGTH_S) & (beats[:, 0] <= end_s), 1]
        if inside.sum() > FILLED_S:
            found[i] = 60 / inside.mean()
    return found


def ours(one: Recording) -> Estimate:
    """Return what `pulse_rate` says."""
    moved_hz = one.acceleration_hz or None
    times_s, bpm, confidence = pulse_rate(
        one.ppg, rate_hz=one.rate_hz, acceleration=one.acceleration, acceleration_rate_hz=moved_hz
    )
    return times_s, bpm.astype(np.float64), confidence.astype(np.float64)


def without_acceleration(one: Recording) -> Estimate:
    """Return what `pulse_rate` says of the light alone."""
    return ours(replace(one, acceleration=None, acceleration_hz=0.0))


def one_channel(one: Recording) -> Estimate:
    """Return what `pulse_rate` says of the first channel of light, and the acceleration."""
    return ours(replace(one, ppg=one.ppg[:, :1]))


Beats = Callable[[Array, float], Array]
"""From light `(n,)` and its rate to samples of beats."""


def _neurokit(method: str) -> Beats:
    ppg = importlib.import_module("neurokit2")

    def beats(x: Array, rate_hz: float) -> Array:
        clean = ppg.ppg_clean(x, sampling_rate=int(rate_hz))
        return np.asarray(ppg.ppg_findpeaks(clean, sampling_rate=int(rate_hz), method=method)["PPG_Peaks"])

    return beats


def _heartpy() -> Beats:
    heartpy = importlib.import_module("heartpy")

    def beats(x: Array, rate_hz: float) -> Array:
        clean = heartpy.filter_signal(x, cutoff=[0.7, 3.5], sample_rate=rate_hz, order=3, filtertype="bandpass")
        found, _ = heartpy.process(clean, rate_hz)
        kept = np.asarray(found["binary_peaklist"], bool)
        return np.asarray(np.asarray(found["peaklist"])[kept], np.float64)

    return beats


def _systole() -> Beats:
    detection = importlib.import_module("systole.detection")

    def beats(x: Array, rate_hz: float) -> Array:
        _, peaks = detection.ppg_peaks(signal=x, sfreq=int(rate_hz))  # at 1000 Hz
        return np.asarray(np.flatnonzero(peaks) * (rate_hz / 1000), np.float64)

    return beats


def _biosppy() -> Beats:
    ppg = importlib.import_module("biosppy.signals.ppg")

    def beats(x: Array, rate_hz: float) -> Array:
        return np.asarray(ppg.ppg(signal=x, sampling_rate=rate_hz, show=False)["peaks"])

    return beats


PEERS: dict[str, Callable[[], Beats]] = {
    "NeuroKit MSPTD": lambda: _neurokit("charlton"),
    "NeuroKit Elgendi": lambda: _neurokit("elgendi"),
    "HeartPy": _heartpy,
    "systole": _systole,
    "BioSPPy": _biosppy,
}


def from_beats(beats_s: Array, ends_s: Array) -> Array:
    """Return the rate of each window, from the median interval of the beats in it, or the last."""
    at_s, last, found = np.sort(beats_s), np.nan, []
    for end_s in ends_s:
        inside = at_s[(at_s > end_s - LENGTH_S) & (at_s <= end_s)]
        if len(inside) > 2:
            last = 60 / float(np.median(np.diff(inside)))
        found.append(last)
    rates = np.array(found)
    known = np.flatnonzero(np.isfinite(rates))
    rates[: known[0] if len(known) else 0] = rates[known[0]] if len(known) else np.nan
    return np.where(np.isfinite(rates), rates, 0.0)


def held(estimate: Estimate, ends_s: Array) -> Array:
    """Return the last rate known at each time; before the first there is none, which counts as 0."""
    times_s, bpm, _ = estimate
    last = np.searchsorted(times_s, ends_s + 1e-6, side="right") - 1
    return np.where(last >= 0, bpm[np.maximum(last, 0)], 0.0)


def error(found: Array, one: Recording) -> float:
    """Return the mean absolute error, bpm."""
    return float(np.nanmean(np.abs(found - one.bpm)))


def peer_error(beats: Beats, one: Recording) -> float:
    """Return the error with the better of the channels; NaN if a peer gives up on one."""
    found = []
    for channel in one.ppg.T:
        known = np.interp(np.arange(len(channel)), np.flatnonzero(np.isfinite(channel)), channel[np.isfinite(channel)])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(error(from_beats(beats(known, one.rate_hz) / one.rate_hz, one.ends_s), one))
        except Exception as why:
            # whatever a peer raises, it has no answer
            print(f"    no answer for {one.name}: {why!r}", file=sys.stderr)
            found.append(np.nan)
    return min(found)


def interval(errors: Array, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean over recordings."""
    drawn = np.random.default_rng(seed).integers(0, len(errors), (10_000, len(errors)))
    low, high = np.quantile(errors[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def constant(recordings: list[Recording]) -> Array:
    """Return the error on each recording of the median reference of the others."""
    found = []
    for one in recordings:
        others = np.concatenate([other.bpm for other in recordings if other is not one])
        found.append(error(np.full(len(one.bpm), np.nanmedian(others)), one))
    return np.array(found)


def coverage(recordings: list[Recording], estimates: list[Estimate]) -> list[dict[str, float]]:
    """Return for each gate on confidence the part of windows that pass, and the mean absolute error of those."""
    errors = np.concatenate([np.abs(held(e, r.ends_s) - r.bpm) for e, r in zip(estimates, recordings, strict=True)])
    sure = []
    for (times_s, _, confidence), one in zip(estimates, recordings, strict=True):
        assert confidence is not None
        sure.append(held((times_s, confidence, None), one.ends_s))
    known = np.isfinite(errors)
    passed = [known & (np.concatenate(sure) >= gate) for gate in GATES]
    return [
        {
            "confidence": gate,
            "coverage": float(one.sum() / known.sum()),
            "error_bpm": float(errors[one].mean()),
            "within_5_bpm": float(np.mean(errors[one] <= 5)),
        }
        for gate, one in zip(GATES, passed, strict=True)
        if one.any()
    ]


def measure(recordings: list[Recording], peers: dict[str, Callable[[], Beats]]) -> dict[str, Any]:
    """Return the errors of every method on every recording, and coverage against error of ours."""
    pulse_rate(np.zeros(1000), rate_hz=recordings[0].rate_hz)  # imports what it needs
    begun = time.process_time()
    estimates = [ours(one) for one in recordings]
    seconds = time.process_time() - begun
    hours = sum(len(one.ppg) / one.rate_hz for one in recordings) / 3600
    errors = [error(held(e, one.ends_s), one) for e, one in zip(estimates, recordings, strict=True)]
    methods = {"Pulselet": np.array(errors), "a constant": constant(recordings)}
    if recordings[0].ppg.shape[1] > 1:
        methods["one channel"] = _errors(recordings, one_channel)
    if recordings[0].acceleration is not None:
        methods["no acceleration"] = _errors(recordings, without_acceleration)
    if recordings[0].device_bpm is not None:
        methods["the device itself"] = np.array([error(np.asarray(one.device_bpm), one) for one in recordings])
    gave_up: dict[str, int] = {}
    for name, make in peers.items():
        print(f"  {name}", file=sys.stderr)
        try:
            beats = make()
        except ImportError as why:
            print(f"    left out: {why}", file=sys.stderr)
            continue
        found = np.array([peer_error(beats, one) for one in recordings])
        gave_up[name] = int(np.isnan(found).sum())
        methods[name] = np.where(np.isnan(found), methods["a constant"], found)
    return {
        "recordings": [one.name for one in recordings],
        "cpu_s_per_hour": seconds / hours,
        "methods": {
            name: {
                "mean_bpm": float(each.mean()),
                "interval_bpm": interval(each),
                "worst_bpm": float(each.max()),
                "each_bpm": each.tolist(),
                "gave_up": gave_up.get(name, 0),
            }
            for name, each in methods.items()
        },
        "coverage": coverage(recordings, estimates),
        "shifted": {f"{HOP_S * k:+g} s": shifted(recordings, estimates, k) for k in SHIFTS},
    }


def _errors(recordings: list[Recording], method: Callable[[Recording], Estimate]) -> Array:
    return np.array([error(held(method(one), one.ends_s), one) for one in recordings])


def shifted(recordings: list[Recording], estimates: list[Estimate], windows: int) -> float:
    """Return the mean error against the reference of so many windows later; the least shows how late the rates are."""
    found = []
    for estimate, one in zip(estimates, recordings, strict=True):
        said = held(estimate, one.ends_s)
        n = len(said)
        first, last = max(0, -windows), min(n, n - windows)
        found.append(float(np.nanmean(np.abs(said[first:last] - one.bpm[first + windows : last + windows]))))
    return float(np.mean(found))


def choose(recordings: list[Recording]) -> dict[str, Any]:
    """Return the error on each recording with the parameters of the grid that are best on the others."""
    windows = [_windows(one) for one in recordings]
    options = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    errors = np.empty((len(options), len(recordings)))
    for i, option in enumerate(options):
        if i % 20 == 0:
            print(f"  {i} of {len(options)} choices", file=sys.stderr)
        for j, (one, (pipeline, rows)) in enumerate(zip(recordings, windows, strict=True)):
            kernel = PulseRate(WORKING_HZ, one.ppg.shape[1], **option).design(pipeline.output)
            y, _ = kernel.step(kernel.start(), rows)
            times_s = LENGTH_S + HOP_S * np.arange(len(y), dtype=np.float64)
            errors[i, j] = error(held((times_s, y[:, 0].astype(np.float64), None), one.ends_s), one)
    picks = [int(np.argmin(np.delete(errors, j, axis=1).mean(axis=1))) for j in range(len(recordings))]
    left_out = np.array([errors[pick, j] for j, pick in enumerate(picks)])
    return {
        "recordings": [one.name for one in recordings],
        "chosen": [options[pick] for pick in picks],
        "each_bpm": left_out.tolist(),
        "mean_bpm": float(left_out.mean()),
        "interval_bpm": interval(left_out),
        "worst_bpm": float(left_out.max()),
        "grid_mean_bpm": [float(q) for q in np.quantile(errors.mean(axis=1), [0.0, 0.25, 0.5, 0.75, 1.0])],
    }


def _windows(one: Recording) -> tuple[Pipeline, NDArray[np.float32]]:
    stages = (Resample(WORKING_HZ, CROSSINGS),)
    branches = [Branch("ppg", "", one.rate_hz, one.ppg.shape[1], stages)]
    signals = {"ppg": one.ppg.astype(np.float32)}
    if one.acceleration is not None:
        branches.append(Branch("acceleration", "g", one.acceleration_hz, 3, stages))
        signals["acceleration"] = one.acceleration.astype(np.float32)
    pipeline = Pipeline(tuple(branches), Window(LENGTH_S, HOP_S))
    rows, _ = pipeline.batch(signals)
    return pipeline, rows.reshape(len(rows), -1)


def show(title: str, found: dict[str, Any]) -> None:
    """Print the tables of one set."""
    print(f"\n{title}: mean absolute error in bpm, {found['cpu_s_per_hour']:.2f} s CPU for an hour")
    few = len(found["recordings"]) <= 8
    names = "".join(f"{name:>10}" for name in found["recordings"]) if few else ""
    print(f"{'':18}{'mean':>7}{'95 % interval':>17}{'worst':>7}{names}")
    for name, one in found["methods"].items():
        low, high = one["interval_bpm"]
        each = "".join(f"{e:10.2f}" for e in one["each_bpm"]) if few else ""
        gave_up = f"  gave up on {one['gave_up']}" if one["gave_up"] else ""
        print(f"{name:18}{one['mean_bpm']:7.2f}{f'{low:.2f} to {high:.2f}':>17}{one['worst_bpm']:7.2f}{each}{gave_up}")
    print(f"{'confidence':>12}{'coverage':>10}{'error':>8}{'within 5 bpm':>14}")
    for row in found["coverage"]:
        near = f"{100 * row['within_5_bpm']:12.1f} %"
        print(f"{row['confidence']:12.2f}{row['coverage']:10.3f}{row['error_bpm']:8.2f}{near}")
    print("against the reference of earlier and later windows:", end=" ")
    print(*(f"{shift} {e:.2f}" for shift, e in found["shifted"].items()), sep=", ")


def show_choice(found: dict[str, Any]) -> None:
    """Print what was chosen without each recording, and how it does on it."""
    low, high = found["interval_bpm"]
    print(f"\nChosen on the other recordings: {found['mean_bpm']:.2f} ({low:.2f} to {high:.2f})")
    for name, e, option in zip(found["recordings"], found["each_bpm"], found["chosen"], strict=True):
        print(f"{name:>12}{e:8.2f}  {option}")
    print("Means over the grid, least, quartiles, most:", *(f"{q:.2f}" for q in found["grid_mean_bpm"]))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--no-peers", action="store_true", help="leave the other packages out")
    parser.add_argument("--choose", action="store_true", help="choose parameters on the other recordings as well")
    args = parser.parse_args()
    root = Path(os.environ.get("PULSELET_DATA", ""))
    found: dict[str, Any] = {}
    for title, load in (("troika", troika), ("wesad", wesad), ("bidmc", bidmc)):
        print(title, file=sys.stderr)
        recordings = load(root / title)
        if not recordings:
            print(f"  left out: PULSELET_DATA names no folder with {title}", file=sys.stderr)
            continue
        found[title] = measure(recordings, {} if args.no_peers else PEERS)
        show(title, found[title])
        if args.choose and title == "troika":
            found["chosen"] = choose(recordings)
            show_choice(found["chosen"])
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
