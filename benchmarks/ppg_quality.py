"""Does `PpgQuality` know where a pulse rate can be had? On BIDMC, BIDMC with simulated motion, and TROIKA's treadmill.

PULSELET_DATA=... python benchmarks/ppg_quality.py [--json ppg_quality.json]

A window of 8 s, every 2 s, is good if the median interval of our `Pulses` in it tells the heart rate within 5 beats per
minute: that of the R peaks (BIDMC, two of three detectors, see pulses.py), or the given reference (TROIKA, both
channels). "BIDMC, motion" adds simulated bursts of movement as strong as the pulse, 8 s long, three a minute. There
are no labels by people here, so the figures of Orphanidou et al. (IEEE JBHI 19, 2015: 91 and 95 % on PPG) are of
another question, and not to be compared. The threshold is the one with the best Youden index on every third subject of
BIDMC and every other recording of TROIKA; AUC, sensitivity (good windows kept) and specificity (bad ones left out) are
of the others. TROIKA's two recordings of subject 04 fall on both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pulses import RATE_HZ, read, recordings, reference_beats

from pulselet.signal.arrays import fold
from pulselet.signal.ppg_pulses import Pulses
from pulselet.signal.ppg_quality import ppg_quality
from pulselet.signal.stage import Format
from pulselet.simulate import motion_bursts

LENGTH_S, HOP_S, WITHIN_BPM = 8.0, 2.0, 5.0
SETS = ("BIDMC", "BIDMC, motion", "TROIKA")

Floats = NDArray[np.float64]


def rates_bpm(places: NDArray[Any], intervals: NDArray[Any], ends_s: Floats) -> Floats:
    """Return the rate by the median interval in each window, 0 where there is none."""
    rates = np.zeros(len(ends_s))
    for i, end_s in enumerate(ends_s):
        inside = intervals[(places >= (end_s - LENGTH_S) * RATE_HZ) & (places < end_s * RATE_HZ)]
        rates[i] = 60 * RATE_HZ / np.median(inside) if len(inside) else 0.0
    return rates


def ours(ppg: Floats) -> tuple[Floats, Floats, Floats]:
    """Return ends of windows, quality and rate."""
    ends_s, quality = ppg_quality(ppg, RATE_HZ, length_s=LENGTH_S, hop_s=HOP_S)
    events, _ = fold([Pulses().design(Format(RATE_HZ, 1))], ppg[:, None])
    places, valid = np.cumsum(events[:, 0].astype(np.int64)), events[:, 1] > 0
    return ends_s, quality.astype(np.float64), rates_bpm(places[valid], events[valid, 0], ends_s)


def windows(folder: Path) -> Iterator[tuple[str, bool, Floats, NDArray[np.bool_]]]:
    """Yield for each recording its set, whether it is for training, quality, and which windows are good."""
    train = set(recordings(folder / "bidmc", "train"))
    for number, file in recordings(folder / "bidmc", "all").items():
        ppg, ecg = read(file)
        beats = reference_beats(ecg)
        motion = motion_bursts(len(ppg) / RATE_HZ, rate_hz=RATE_HZ, seed=number, bursts_per_min=3.0, burst_s=8.0)
        strength = np.median(ppg[: len(ppg) // 500 * 500].reshape(-1, 500).std(axis=1))
        for name, signal in (("BIDMC", ppg), ("BIDMC, motion", ppg + strength * motion[: len(ppg)])):
            ends_s, quality, rate = ours(signal)
            truth = rates_bpm(beats[1:], np.diff(beats), ends_s)
            settled = (ends_s >= LENGTH_S + HOP_S) & (truth > 0)
            yield name, number in train, quality[settled], (np.abs(rate - truth) <= WITHIN_BPM)[settled]
        print(f"BIDMC {number}", file=sys.stderr)
    yield from treadmill(folder / "troika")


def treadmill(folder: Path) -> Iterator[tuple[str, bool, Floats, NDArray[np.bool_]]]:
    """Yield the same of TROIKA, whose reference begins with the window that ends at 8 s."""
    from scipy.io import loadmat

    for i, file in enumerate(sorted(folder.glob("DATA_*.mat"))):
        truth = loadmat(file.with_name(file.name.replace("DATA", "REF")))["BPM0"].ravel()
        for ppg in loadmat(file)["sig"][1:3]:
            _, quality, rate = ours(ppg)
            first = round(LENGTH_S / HOP_S) - 1
            count = min(len(truth), len(rate) - first)
            part = slice(first + 1, first + count)
            yield "TROIKA", i % 2 == 0, quality[part], np.abs(rate[part] - truth[1:count]) <= WITHIN_BPM


def auc(quality: Floats, good: NDArray[np.bool_]) -> float:
    """Return the probability that a good window has the higher quality, ties as half."""
    from scipy.stats import mannwhitneyu

    if good.all() or not good.any():
        return float("nan")
    return float(mannwhitneyu(quality[good], quality[~good]).statistic / (good.sum() * (~good).sum()))


def measure(folder: Path) -> dict[str, Any]:
    """Return the threshold, and the figures of each set."""
    found = list(windows(folder))

    def together(train: bool, *names: str) -> tuple[Floats, NDArray[np.bool_]]:
        parts = [(quality, good) for name, for_train, quality, good in found if for_train == train and name in names]
        return np.concatenate([q for q, _ in parts]), np.concatenate([g for _, g in parts])

    quality, good = together(True, *SETS)
    candidates = np.linspace(0, 1, 101)
    youden = [(quality[good] >= c).mean() - (quality[~good] >= c).mean() for c in candidates]
    threshold = float(candidates[int(np.argmax(youden))])
    table = {}
    for name in SETS:
        quality, good = together(False, name)
        table[name] = {
            "windows": len(good),
            "good": float(good.mean()),
            "auc": auc(quality, good),
            "sensitivity": float((quality[good] >= threshold).mean()),
            "specificity": float((quality[~good] < threshold).mean()),
            "good_of_kept": float(good[quality >= threshold].mean()),
        }
    return {"threshold": threshold, "sets": table}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    args = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reference detectors'
        found = measure(Path(os.environ["PULSELET_DATA"]))
    print(f"threshold {found['threshold']:.2f}")
    print(f"{'':16} {'windows':>8} {'good %':>7} {'AUC':>6} {'Se %':>6} {'Sp %':>6} {'good % of kept':>15}")
    for name, one in found["sets"].items():
        print(
            f"{name:16} {one['windows']:8} {100 * one['good']:7.1f} {one['auc']:6.3f} {100 * one['sensitivity']:6.1f} "
            f"{100 * one['specificity']:6.1f} {100 * one['good_of_kept']:15.1f}"
        )
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
