"""Systolic peaks of a fingertip PPG at rest, ours beside its peers: BIDMC, against the R peaks of the same recording.

PULSELET_DATA=... python benchmarks/pulses.py [--subjects test|train|all] [--methods ours elgendi] [--motion 0.5]
    [--json pulses.json]

Reference beats are R peaks of lead II on which at least two of three detectors agree within 150 ms (sleepecg, and
NeuroKit's `neurokit` and `hamilton2002`); nothing else is left out but the first 5 s and the last 3 s of a recording,
for every method. As in Charlton et al., "Detecting beats in the photoplethysmogram: benchmarking open-source
algorithms", Physiological Measurement 43 (2022), the peaks of a method are shifted by one lag for a recording, the one
from 0 to 1 s that matches most beats, and a beat is found if a shifted peak lies within 150 ms, one to one. Unlike
there, beats in poor signal count. A heart beat without a pulse in the finger (an early ventricular beat) counts as
missed for everyone.

The detector was tuned on every third subject that is here, from the first one on ("train"), as it is and with
simulated movement, and on simulated arrhythmia and deep breathing. The others ("test") were not opened once but five
times, by the line that is printed here. F1 there was 98.27 for a first design, whose thresholds hung on the last
intervals (simulated arrhythmia showed that it halved rhythms of strong and weak pulses), 96.28 for a repair of that,
and 98.90, 98.67 and 98.73 for three settings of the present design; the last one is kept because it was best on the
training objective, movement included, and not for its figure here. Strangers' recordings may be a little less kind.

Peers run at their defaults, on the whole recording, both ways in time; `bishop` in windows of 6 s, as in Charlton's
comparison, because its memory grows with the square of the length. With --motion, simulated bursts of movement of 4 s,
six in a minute, are added; the number is their strength over all, as a part of the pulse's standard deviation.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.ppg_pulses import pulse_peaks
from pulselet.simulate import motion_bursts

RATE_HZ = 125  # a whole number: NeuroKit takes it so
WITHIN = 0.15 * RATE_HZ
LONGEST_LAG = RATE_HZ
BEGIN_S, END_S = 5.0, 3.0
WINDOW, HOP = 6 * RATE_HZ, round(4.8 * RATE_HZ)
RESAMPLES = 2000

Places = NDArray[np.float64]
Detector = Callable[[NDArray[np.float64]], Any]


def matched(reference: Places, found: Places) -> list[tuple[int, int]]:
    """Return pairs of indices within 150 ms, one to one, in order of time; the nearer of two neighbours."""
    i = j = 0
    pairs = []
    while i < len(reference) and j < len(found):
        apart = found[j] - reference[i]
        if abs(apart) > WITHIN:
            i, j = (i, j + 1) if apart < 0 else (i + 1, j)
        elif j + 1 < len(found) and abs(found[j + 1] - reference[i]) < abs(apart):
            j += 1
        elif i + 1 < len(reference) and abs(found[j] - reference[i + 1]) < abs(apart):
            i += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return pairs


def reference_beats(ecg: NDArray[np.float64]) -> Places:
    """Return the R peaks on which two of three detectors agree."""
    try:
        import neurokit2
        import sleepecg
    except ImportError as error:
        sys.exit(f"{error}: the reference beats are those of detectors of neurokit2 and sleepecg; install both")

    votes = [np.asarray(sleepecg.detect_heartbeats(ecg, RATE_HZ), float)]
    for method in ("neurokit", "hamilton2002"):
        clean = neurokit2.ecg_clean(ecg, sampling_rate=RATE_HZ, method=method)
        votes.append(
            np.asarray(neurokit2.ecg_peaks(clean, sampling_rate=RATE_HZ, method=method)[1]["ECG_R_Peaks"], float)
        )
    agreed = [votes[a][i] for a, b in ((0, 1), (0, 2), (1, 2)) for i, _ in matched(votes[a], votes[b])]
    beats: list[float] = []
    for place in sorted(agreed):
        if not beats or place - beats[-1] > WITHIN:
            beats.append(place)
    return np.array(beats)


def counts(beats: Places, found: Places, samples: int) -> tuple[int, int, int, int]:
    """Return beats found, false, missed, and the lag in samples, at the lag that finds most."""
    begin, end = BEGIN_S * RATE_HZ, samples - END_S * RATE_HZ
    best = (-1, 0, 0, 0)
    for lag in range(0, LONGEST_LAG + 1, 2):
        shifted = found - lag
        pairs = matched(beats, shifted)
        inside = (beats >= begin) & (beats < end)
        right = sum(bool(inside[i]) for i, _ in pairs)
        if right > best[0]:
            alone = np.delete(shifted, [j for _, j in pairs])
            false = int(((alone >= begin) & (alone < end)).sum())
            best = (right, false, int(inside.sum()) - right, lag)
    return best


def f1(right: float, false: float, missed: float) -> float:
    """Return the F1 score, %."""
    return 200 * right / max(2 * right + false + missed, 1)


def naive(ppg: NDArray[np.float64]) -> Places:
    """Return every local maximum that is the highest within 0.4 s: what a few lines of scipy do."""
    from scipy.signal import find_peaks

    return np.asarray(find_peaks(ppg, distance=round(0.4 * RATE_HZ))[0])


def neurokit(method: str, ppg: NDArray[np.float64]) -> Places:
    """Return the peaks of one of NeuroKit's detectors, after its own cleaning."""
    import neurokit2

    clean = neurokit2.ppg_clean(ppg, sampling_rate=RATE_HZ, method="elgendi")
    return np.asarray(neurokit2.ppg_findpeaks(clean, sampling_rate=RATE_HZ, method=method)["PPG_Peaks"])


def bishop(ppg: NDArray[np.float64]) -> Places:
    """Return NeuroKit's `bishop` in windows of 6 s, the middle 4.8 s of each."""
    import neurokit2

    clean = neurokit2.ppg_clean(ppg, sampling_rate=RATE_HZ, method="elgendi")
    edge, parts = (WINDOW - HOP) // 2, []
    for at in range(0, len(clean) - WINDOW + 1, HOP):
        peaks = neurokit2.ppg_findpeaks(clean[at : at + WINDOW], sampling_rate=RATE_HZ, method="bishop")["PPG_Peaks"]
        peaks = np.asarray(peaks, int)
        parts.append(at + peaks[(peaks >= edge) & (peaks < edge + HOP)])
    return np.concatenate(parts)


def heartpy(ppg: NDArray[np.float64]) -> Places:
    """Return the peaks that HeartPy keeps, after the band-pass that its documents propose."""
    import heartpy as package

    clean = package.scale_data(package.filter_signal(ppg, [0.7, 3.5], RATE_HZ, 3, "bandpass"))
    found, _ = package.process(clean, RATE_HZ)
    return np.asarray(found["peaklist"])[np.asarray(found["binary_peaklist"]) == 1]


def systole(ppg: NDArray[np.float64]) -> Places:
    """Return systole's rolling average."""
    from systole.detection import ppg_peaks

    return np.flatnonzero(ppg_peaks(ppg, sfreq=RATE_HZ, new_sfreq=RATE_HZ)[1])


METHODS: dict[str, Detector] = {
    "ours (causal, float32)": lambda ppg: pulse_peaks(ppg, rate_hz=RATE_HZ),
    "NeuroKit elgendi": partial(neurokit, "elgendi"),
    "NeuroKit charlton (MSPTDfast)": partial(neurokit, "charlton"),
    "NeuroKit bishop (MSPTD)": bishop,
    "HeartPy": heartpy,
    "systole rolling average": systole,
    "naive: maxima 0.4 s apart": naive,
}
OURS = next(iter(METHODS))


def recordings(folder: Path, which: str) -> dict[int, Path]:
    """Return the files of the subjects that are wanted, by number."""
    files = {int(match[1]): file for file in folder.iterdir() if (match := re.match(r"bidmc_(\d+)_Signals", file.name))}
    numbers = sorted(files)
    train = numbers[::3]
    wanted = {"train": train, "test": [n for n in numbers if n not in train], "all": numbers}[which]
    return {n: files[n] for n in wanted}


def read(file: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return PPG and ECG lead II."""
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        names = [name.strip() for name in lines.readline().split(",")]
        columns = np.loadtxt(lines, delimiter=",", usecols=(names.index("PLETH"), names.index("II")))
    return columns[:, 0], columns[:, 1]


def moved(ppg: NDArray[np.float64], strength: float, seed: int) -> NDArray[np.float64]:
    """Return the PPG with simulated movement."""
    if strength == 0:
        return ppg
    pulse = np.median(ppg[: len(ppg) // 500 * 500].reshape(-1, 500).std(axis=1))
    bursts = motion_bursts(len(ppg) / RATE_HZ, rate_hz=RATE_HZ, seed=seed, bursts_per_min=6.0, burst_s=4.0)
    return ppg + strength * pulse * bursts[: len(ppg)]


def measure(which: str, methods: list[str], motion: float) -> dict[str, Any]:
    """Return for each method and subject beats found, false and missed; for each method also its CPU time."""
    folder = Path(os.environ["PULSELET_DATA"]) / "bidmc"
    found: dict[str, Any] = {name: {"subjects": {}, "cpu_s": 0.0} for name in methods}
    for number, file in recordings(folder, which).items():
        ppg, ecg = read(file)
        beats, ppg = reference_beats(ecg), moved(ppg, motion, number)
        for name in list(found):
            begun = time.process_time()
            try:
                peaks = np.asarray(METHODS[name](ppg), float)
            except ImportError as missing:
                print(f"{name}: not installed ({missing.name}), left out", file=sys.stderr)
                del found[name]
                continue
            except Exception as error:  # a peer that gives up has found nothing
                print(f"{name} on subject {number}: {error!r}", file=sys.stderr)
                peaks = np.empty(0)
            found[name]["cpu_s"] += time.process_time() - begun
            found[name]["subjects"][number] = counts(beats, peaks, len(ppg))
        print(f"subject {number}: {len(beats)} beats", file=sys.stderr)
    for one in found.values():
        summarise(one)
    return found


def summarise(one: dict[str, Any]) -> None:
    """Add the scores of a method to its counts."""
    table = np.array(list(one["subjects"].values()), float)[:, :3]
    right, false, missed = table.sum(axis=0)
    by_subject = [f1(*row) for row in table]
    one |= {
        "f1": f1(right, false, missed),
        "sensitivity": 100 * right / (right + missed),
        "ppv": 100 * right / max(right + false, 1),
        "mean_f1": float(np.mean(by_subject)),
        "worst_f1": min(by_subject),
    }


def difference(ours: dict[str, Any], peer: dict[str, Any]) -> tuple[float, float, float]:
    """Return ours minus the peer's F1, and its 95 % interval: a bootstrap over subjects, paired."""
    a, b = (np.array(list(one["subjects"].values()), float)[:, :3] for one in (ours, peer))
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(a), len(a)) for _ in range(RESAMPLES)]
    apart = [f1(*a[draw].sum(axis=0)) - f1(*b[draw].sum(axis=0)) for draw in draws]
    low, high = np.percentile(apart, [2.5, 97.5])
    return ours["f1"] - peer["f1"], float(low), float(high)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--subjects", choices=("test", "train", "all"), default="test")
    parser.add_argument("--methods", nargs="*", help="words of the methods' names; all without")
    parser.add_argument("--motion", type=float, default=0.0, help="strength of simulated movement")
    args = parser.parse_args()
    chosen = [name for name in METHODS if not args.methods or any(word in name for word in args.methods)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peers'
        found = measure(args.subjects, chosen, args.motion)
    print(
        f"{'method':30} {'F1':>6} {'Se':>6} {'PPV':>6} {'mean':>6} {'worst':>6} {'CPU s/h':>8}"
        "   F1 of ours minus its (95 %)"
    )
    for name, one in found.items():
        line = f"{name:30} {one['f1']:6.2f} {one['sensitivity']:6.2f} {one['ppv']:6.2f} {one['mean_f1']:6.2f} "
        line += f"{one['worst_f1']:6.2f} {one['cpu_s'] * 7.5 / len(one['subjects']):8.2f}"
        if name != OURS and OURS in found:
            one["ours_minus_f1"] = difference(found[OURS], one)
            line += "   {:+.2f} ({:+.2f} to {:+.2f})".format(*one["ours_minus_f1"])
        print(line)
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
