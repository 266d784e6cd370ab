"""Beat comparison by EC57: ours beside the wfdb package's on every record of MIT-BIH; then figures of what finds beats.

PULSELET_DATA=<folder> python benchmarks/beat_comparison.py [--records 100,101] [--json out.json]

Each way of finding beats is compared with the reference annotations by `pulselet.model.beats` and by
`wfdb.processing.compare_annotations` with a window of 55 samples, which it does not reach: so both take what is at most
54 samples, 150 ms, apart. Two conditions: the whole record with nothing left out, and EC57's, from 5 minutes on and
without ventricular flutter, where wfdb's pairs are counted by the same rule. Differences are in beats: of the pairs,
missed and false ones, and in how many pairs the two do not agree; wanted is 0. Ways: `r_peaks`; a fixed threshold; the
reference jittered by 40 samples (one sigma), a tenth missing and 600 added at random; and a metronome at the record's
mean rate, which sees nothing of the signal. Times are CPU time of the matching alone.

Then the figures of EC57 without paced records: of `r_peaks`, of the fixed threshold, of the metronome, and from end to
end of `r_peaks` with a rule that calls an early beat S if it looks like the mean beat, else V. The rule is there to
show how the errors of a detector count, not to be good.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pulselet_datasets
from pulselet.model.beats import BeatComparison, compare_beats, compare_recording, match_beats, summarise
from pulselet.signal.ecg_peaks import r_peaks
from pulselet.stream.corpus import Labels, Recording
from pulselet.stream.vocabulary import AAMI_CLASSES, aami

Array = NDArray[np.float64]
Peaks = NDArray[np.int64]

RATE_HZ = 360.0
WITHIN = 54  # samples: 150 ms
END_TO_END = "r_peaks, early beats"
EARLY, LIKE = 0.85, 0.9  # of the mean RR interval, and correlation with the mean beat


def fixed_threshold(x: Array, beats: Peaks, rng: np.random.Generator) -> Peaks:
    """Return peaks above half of the record's largest values, 250 ms apart: what a tutorial does."""
    from scipy.signal import find_peaks

    centred = x - np.median(x)
    found: Peaks = find_peaks(centred, height=np.percentile(centred, 99.5) / 2, distance=int(RATE_HZ / 4))[0]
    return found


def jittered(x: Array, beats: Peaks, rng: np.random.Generator) -> Peaks:
    """Return the reference shaken, thinned and with beats added."""
    kept = beats[rng.random(len(beats)) > 0.1]
    shaken = kept + np.rint(rng.normal(0, 40, len(kept))).astype(np.int64)
    return np.unique(np.concatenate([shaken, rng.integers(0, len(x), 600)]))


def metronome(x: Array, beats: Peaks, rng: np.random.Generator) -> Peaks:
    """Return as many beats as there are, evenly spaced."""
    return np.linspace(beats[0], beats[-1], len(beats)).astype(np.int64)


WAYS: dict[str, Callable[[Array, Peaks, np.random.Generator], Peaks]] = {
    "r_peaks": lambda x, beats, rng: r_peaks(x, rate_hz=RATE_HZ),
    "fixed threshold": fixed_threshold,
    "jittered reference": jittered,
    "metronome": metronome,
}


def early_beats(x: Array, peaks: Peaks) -> Labels:
    """Return beats with a class: one that comes early is S if it looks like the mean beat, else V; the others are N."""
    half = int(0.1 * RATE_HZ)
    padded = np.pad(x, half, mode="edge")
    shapes = np.stack([padded[p : p + 2 * half + 1] for p in peaks.tolist()])
    shapes -= shapes.mean(axis=1, keepdims=True)
    mean = np.median(shapes, axis=0)
    like = shapes @ mean / (np.linalg.norm(shapes, axis=1) * np.linalg.norm(mean) + 1e-12) > LIKE
    rr = np.diff(peaks, prepend=peaks[:1])
    usual = np.array([np.median(rr[max(0, i - 8) : i]) if i else np.inf for i in range(len(rr))])
    early = rr < EARLY * usual
    words = np.where(early, np.where(like, "S", "V"), "N").tolist()
    return Labels.of("beat", words, peaks, rate_hz=RATE_HZ, vocabulary=AAMI_CLASSES, rater="early beats")


def wfdb_pairs(beats: Peaks, found: Peaks) -> tuple[NDArray[np.int64], float]:
    """Return the pairs of the wfdb package, and its CPU time."""
    from wfdb.processing import compare_annotations

    begin = time.process_time()
    compared = compare_annotations(beats, found, WITHIN + 1)
    spent = time.process_time() - begin
    return np.stack([compared.matched_ref_inds, compared.matched_test_inds], axis=1).astype(np.int64), spent


def differences(
    ours: BeatComparison, theirs: NDArray[np.int64], true_counts: NDArray[np.bool_], found_counts: NDArray[np.bool_]
) -> dict[str, int]:
    """Return by how much counts differ, and how many pairs stand on one side only; masks tell which beats count."""
    counted = theirs[true_counts[theirs[:, 0]]]
    missed = int(np.delete(true_counts, theirs[:, 0]).sum())
    false = int(np.delete(found_counts, theirs[:, 1]).sum())
    mine = {tuple(pair) for pair in ours.pairs.tolist()}
    return {
        "matched": abs(len(ours.pairs) - len(counted)),
        "missed": abs(len(ours.missed) - missed),
        "false": abs(len(ours.false) - false),
        "pairs": len(mine ^ {tuple(pair) for pair in counted.tolist()}),
    }


def counts(recording: Recording, samples: Peaks) -> NDArray[np.bool_]:
    """Return which samples EC57 counts: from 5 minutes on, outside flutter. Its own code, as a check of the other."""
    marks = recording.label("mark")
    at = {word: [b for b, w in zip(marks.begin.tolist(), marks.words, strict=True) if w == word] for word in "[]"}
    counted: NDArray[np.bool_] = samples >= 300 * RATE_HZ
    for begin, end in zip(at["["], at["]"], strict=True):
        counted &= (samples < begin) | (samples >= end)
    return counted


def measure(recordings: list[Recording]) -> dict[str, Any]:
    """Return differences by condition, way and record, times, and the reports."""
    table: dict[str, dict[str, dict[str, dict[str, int]]]] = {c: {way: {} for way in WAYS} for c in ("whole", "EC57")}
    compared: dict[str, list[BeatComparison]] = {way: [] for way in WAYS if way != "jittered reference"}
    compared[END_TO_END] = []
    ours_s = theirs_s = 0.0
    for recording in recordings:
        x = recording.values("ecg")[:, 0].astype(np.float64)
        reference = recording.label("beat")
        rng = np.random.default_rng(int(recording.name))
        for way, find in WAYS.items():
            beats, found = reference.begin, find(x, reference.begin, rng)
            begin = time.process_time()
            match_beats(beats, found, WITHIN)
            ours_s += time.process_time() - begin
            theirs, spent = wfdb_pairs(beats, found)
            theirs_s += spent
            every = np.ones(len(beats), bool), np.ones(len(found), bool)
            whole = compare_beats(aami(reference), found, start_s=0.0)
            standard = compare_recording(recording, found)
            some = counts(recording, beats), counts(recording, found)
            table["whole"][way][recording.name] = differences(whole, theirs, *every)
            table["EC57"][way][recording.name] = differences(standard, theirs, *some)
            if way in compared:
                compared[way].append(standard)
            if way == "r_peaks":
                compared[END_TO_END].append(compare_recording(recording, early_beats(x, found)))
        print(f"record {recording.name}", file=sys.stderr, flush=True)
    return {
        "records": len(recordings),
        "largest_difference": max(max(one.values()) for c in table.values() for w in c.values() for one in w.values()),
        "ours_cpu_s": ours_s,
        "wfdb_cpu_s": theirs_s,
        "times_faster": theirs_s / ours_s,
        "differences": table,
        "reports": {way: summarise(of) for way, of in compared.items()},
    }


def main() -> None:
    """Print differences and reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", default="", help="names with commas; all 48 if not given")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    args = parser.parse_args()
    if "PULSELET_DATA" not in os.environ:
        sys.exit("PULSELET_DATA is not set: it names the folder with mitdb")
    wanted = set(args.records.split(",")) - {""}
    found = measure([one for one in pulselet_datasets.load("mitdb") if not wanted or one.name in wanted])
    print(f"{'differences from wfdb, sums':28} {'matched':>8} {'missed':>8} {'false':>8} {'pairs':>8}")
    for condition, ways in found["differences"].items():
        for way, by_record in ways.items():
            sums = [sum(one[key] for one in by_record.values()) for key in ("matched", "missed", "false", "pairs")]
            print(f"{condition + ', ' + way:28} " + " ".join(f"{one:8}" for one in sums))
    print(f"{found['records']} records, matching {found['ours_cpu_s']:.2f} s, wfdb {found['wfdb_cpu_s']:.2f} s of CPU")
    for way, report in found["reports"].items():
        print(f"\n{way}\n{report}")
    if args.json:
        reports = {way: json.loads(report.to_json()) for way, report in found["reports"].items()}
        args.json.write_text(json.dumps({**found, "reports": reports}, indent=2))


if __name__ == "__main__":
    main()
