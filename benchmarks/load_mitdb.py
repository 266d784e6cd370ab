"""Loading and windowing all of the MIT-BIH Arrhythmia Database (24 h, two leads), beside the package wfdb.

    python benchmarks/load_mitdb.py [--json [FILE]] [--folder FOLDER] [--repeats 5]

All ways read each record and its beats, and make the same arrays: windows of 10 s, one after another, and 0.6 s about
each beat with its code, in float32. `pulselet` loads with `pulselet_datasets`, which verifies the checksums of the
headers, and takes windows as views or by index. `cut` loads in the same way and cuts with `pulselet.windows`, which
also runs a pipeline, hashes the files, looks for gaps and counts what it leaves out. `wfdb` is what a user of that
package writes: `rdrecord` and `rdann` record by record, then slices in a loop. Each way runs in a process of its own, a
warm-up record first; the figure is the least CPU time of the repeats, taken in turns, and the largest resident memory.
That the arrays are equal is checked first, in a run that is not timed. Needs the recordings (`PULSELET_DATA`) and wfdb.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW_S, BEAT_S, RATE_HZ = 10, 0.6, 360
WINDOW, BEAT = WINDOW_S * RATE_HZ, round(BEAT_S * RATE_HZ)
KIB_PER_UNIT = 1 if sys.platform == "linux" else 1 / 1024  # of ru_maxrss


class Windows(NamedTuple):
    """What is made of a record."""

    by_time: NDArray[np.float32]  # (n, WINDOW, 2)
    about_beats: NDArray[np.float32]  # (beats, BEAT, 2)
    codes: list[str]  # of the beats


def ours(folder: Path) -> Iterator[Windows]:
    """Yield the windows of each record, through this package."""
    from pulselet_datasets import mitdb

    for recording in mitdb.recordings(folder):
        values = recording.values("ecg")
        whole = len(values) // WINDOW
        beats = recording.label("beat")
        first = beats.begin - BEAT // 2
        kept = (first >= 0) & (first + BEAT <= len(values))
        views = np.lib.stride_tricks.sliding_window_view(values.reshape(-1), 2 * BEAT)[::2]
        about = views[first[kept]].reshape(-1, BEAT, 2)
        words = np.array(beats.vocabulary)[beats.code[kept]].tolist()
        yield Windows(values[: whole * WINDOW].reshape(whole, WINDOW, 2), about, words)


def theirs(folder: Path) -> Iterator[Windows]:
    """Yield the windows of each record, through the package wfdb and slices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb

        symbols = set("NLRBAaJSVrFejnE/fQ?")
        for path in sorted(folder.glob("*.hea")):
            record = str(path.with_suffix(""))
            values = wfdb.rdrecord(record).p_signal.astype(np.float32)
            said = wfdb.rdann(record, "atr")
            by_time = [values[at : at + WINDOW] for at in range(0, len(values) - WINDOW + 1, WINDOW)]
            about, codes = [], []
            for at, symbol in zip(said.sample, said.symbol, strict=True):
                first = at - BEAT // 2
                if symbol in symbols and first >= 0 and first + BEAT <= len(values):
                    about.append(values[first : first + BEAT])
                    codes.append(symbol)
            yield Windows(np.stack(by_time), np.stack(about), codes)


def cutting(folder: Path) -> Iterator[Windows]:
    """Yield the windows of each record, through `pulselet.windows` and a pipeline that leaves the signal as it is."""
    from pulselet.signal.pipeline import Branch, Pipeline
    from pulselet.signal.window import Window
    from pulselet.windows import cut, cut_around
    from pulselet_datasets import mitdb

    ecg = (Branch("ecg", "mV", RATE_HZ, 2),)
    by_time, samples = Pipeline(ecg, (Window(WINDOW_S, WINDOW_S),)), Pipeline(ecg)
    for recording in mitdb.recordings(folder):
        about = cut_around(recording, samples, BEAT // 2 / RATE_HZ, (BEAT // 2 - 1) / RATE_HZ)
        codes = [about.labels[code] for code in about.y.tolist()]
        yield Windows(np.asarray(cut(recording, by_time, label=None).x), np.asarray(about.x), codes)


WAYS: dict[str, Callable[[Path], Iterator[Windows]]] = {"pulselet": ours, "cut": cutting, "wfdb": theirs}


def run(way: str, folder: Path, digest: bool) -> dict[str, Any]:
    """Return what one way costs over the whole set, or what it makes."""
    next(iter(WAYS[way](folder)))
    said = hashlib.sha256()
    windows = beats = 0
    begin_s = time.process_time()
    for one in WAYS[way](folder):
        windows += len(one.by_time)
        beats += len(one.about_beats)
        if digest:
            for part in (one.by_time.tobytes(), one.about_beats.tobytes(), "".join(one.codes).encode()):
                said.update(part)
    cpu_s = time.process_time() - begin_s
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB_PER_UNIT / 1024
    return {"cpu_s": cpu_s, "mib": mib, "windows": windows, "beats": beats, "sha256": said.hexdigest()}


def in_child(way: str, folder: Path, *more: str) -> dict[str, Any]:
    """Return what `run` returns in a process of its own."""
    command = [sys.executable, __file__, "--one", way, "--folder", str(folder), *more]
    found: dict[str, Any] = json.loads(subprocess.check_output(command, text=True))
    return found


def measure(folder: Path, repeats: int) -> dict[str, Any]:
    """Return the figures of all ways, and the ratios of CPU time to that of wfdb."""
    made = {way: in_child(way, folder, "--digest") for way in WAYS}
    if len({(one["sha256"], one["windows"], one["beats"]) for one in made.values()}) != 1:
        raise SystemExit(f"the ways make different arrays: {made}")
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for repeat in range(repeats):
        for way, figures in found.items():
            print(f"{way}, {repeat + 1} of {repeats}", file=sys.stderr)
            figures.append(in_child(way, folder))
    ways = {
        way: {"cpu_s": min(one["cpu_s"] for one in figures), "mib": max(one["mib"] for one in figures)}
        for way, figures in found.items()
    }
    return {
        "windows": made["pulselet"]["windows"],
        "beats": made["pulselet"]["beats"],
        "sha256": made["pulselet"]["sha256"],
        "repeats": repeats,
        "ways": ways,
        "times_as_fast_as_wfdb": {way: ways["wfdb"]["cpu_s"] / figures["cpu_s"] for way, figures in ways.items()},
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", nargs="?", const="-", help="write the figures as JSON, to a file if one is named")
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("PULSELET_DATA", "")) / "mitdb")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--digest", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run(args.one, args.folder, args.digest)))
        return
    if not (args.folder / "100.hea").is_file():
        raise SystemExit(f"{args.folder} holds no MIT-BIH record: set PULSELET_DATA, or name it with --folder")
    found = measure(args.folder, args.repeats)
    if args.json:
        with contextlib.nullcontext(sys.stdout) if args.json == "-" else Path(args.json).open("w") as out:
            print(json.dumps(found, indent=2), file=out)
        return
    print(f"{found['windows']} windows of {WINDOW_S} s, {found['beats']} windows about beats; the same arrays")
    for way, figures in found["ways"].items():
        ratio = found["times_as_fast_as_wfdb"][way]
        print(
            f"{way:10} {figures['cpu_s']:6.2f} s of CPU, {figures['mib']:6.0f} MiB, {ratio:4.1f} times as fast as wfdb"
        )


if __name__ == "__main__":
    main()
