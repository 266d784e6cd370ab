"""R peaks: ours beside peers on MIT-BIH, all in one run, clean and with the noises of the MIT-BIH Noise Stress Test.

PULSELET_DATA=<folder> python benchmarks/r_peaks.py [--records ds2] [--noise ma:6,ma:0,bw:6,bw:0] [--json out.json]

The folder holds `mitdb` and `nstdb` in WFDB form. Channel 0, every beat of the annotations counts, nothing is skipped
but ventricular flutter (record 207), which is left out on both sides. Each detection is matched with at most one beat
within 150 ms; one within 50 ms of the one before is dropped (Pan-Tompkins++ often tells a beat twice). DER = (missed +
false) / beats. Peers run at their defaults on the whole record; ours streams. Noise is added to the whole record as the
data base's own tool `nst` does it: the signal's power is an eighth of the squared mean peak-to-peak amplitude of its
normal QRS complexes, the noise's its mean square within seconds, both without the extreme 5 % (Moody, Muldrow and Mark,
Computers in Cardiology 11, 1984). DS1 and DS2 are those of de Chazal et al. 2004 without paced records; ours was fitted
to DS1, with the other channel of the noises, shifted. Records 201 (DS1) and 202 (DS2) are of one person. What peers
were tuned on is not known.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.signal.ecg_peaks import RPeaks, r_peaks
from pulselet.signal.stage import Format
from pulselet.stream.vocabulary import BEATS
from pulselet_datasets import mitdb

Array = NDArray[np.float64]
Peaks = NDArray[np.int64]

RATE_HZ = 360.0
WITHIN = 54  # samples: 150 ms
TWICE = 18  # samples: 50 ms; nearer to the one before, a detection is of the same beat
DS1, DS2, PACED = (tuple(map(int, records)) for records in (mitdb.DS1, mitdb.DS2, mitdb.PACED))
SETS = {"ds1": DS1, "ds2": DS2, "all": sorted(DS1 + DS2 + PACED)}


def _gqrs(x: Array) -> Any:
    from wfdb.processing import gqrs_detect

    return gqrs_detect(x, fs=RATE_HZ)


def _xqrs(x: Array) -> Any:
    from wfdb.processing import xqrs_detect

    return xqrs_detect(x, fs=RATE_HZ, verbose=False)


def _biosppy(x: Array) -> Any:
    from biosppy.signals.ecg import Pan_Tompkins_Plus_Plus_segmenter

    return Pan_Tompkins_Plus_Plus_segmenter(x, RATE_HZ)[0]


def _neurokit(method: str, cleaner: str) -> Callable[[Array], Any]:
    def detect(x: Array) -> Any:
        import neurokit2 as nk

        cleaned = nk.ecg_clean(x, sampling_rate=RATE_HZ, method=cleaner) if cleaner else x
        return nk.ecg_peaks(cleaned, sampling_rate=RATE_HZ, method=method)[1]["ECG_R_Peaks"]

    return detect


def _sleepecg(x: Array) -> Any:
    from sleepecg import detect_heartbeats

    return detect_heartbeats(x, RATE_HZ)


def without_plots(package: str, module: str) -> Any:
    """Return a module, its package's `__init__` passed over: systole's wants bokeh 2, which numpy 2 breaks."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"No module named {package!r}")
    bare = types.ModuleType(package)
    bare.__spec__, bare.__path__ = spec, list(spec.submodule_search_locations)
    sys.modules.setdefault(package, bare)
    return importlib.import_module(module)


def _systole(x: Array) -> Any:
    pan_tompkins = without_plots("systole", "systole.detectors").pan_tompkins

    return pan_tompkins(x, int(RATE_HZ))


def _fast_qrs(x: Array) -> Any:
    from fast_qrs_detector import qrs_detector

    return qrs_detector(x, RATE_HZ)


def fixed_threshold(x: Array) -> Any:
    """Return peaks above half of the record's largest values, 250 ms apart: what a tutorial does."""
    from scipy.signal import find_peaks

    centred = x - np.median(x)
    return find_peaks(centred, height=np.percentile(centred, 99.5) / 2, distance=int(RATE_HZ / 4))[0]


METHODS: dict[str, Callable[[Array], Any]] = {
    "pulselet": lambda x: r_peaks(x, rate_hz=RATE_HZ),
    "wfdb gqrs": _gqrs,
    "wfdb xqrs": _xqrs,
    "BioSPPy Pan-Tompkins++": _biosppy,
    "NeuroKit default": _neurokit("neurokit", "neurokit"),
    "NeuroKit khamis": _neurokit("khamis2016", ""),
    "NeuroKit emrich": _neurokit("emrich2023", "vg"),
    "sleepecg": _sleepecg,
    "systole Pan-Tompkins": _systole,
    "fast-qrs": _fast_qrs,
    "fixed threshold": fixed_threshold,
}


def read(root: Path, record: str) -> tuple[Array, Peaks, NDArray[np.str_], list[tuple[int, int]]]:
    """Return channel 0 in mV, the beats and their symbols, and where there is flutter."""
    import wfdb

    x = wfdb.rdrecord(str(root / "mitdb" / record), channels=[0]).p_signal[:, 0]
    notes = wfdb.rdann(str(root / "mitdb" / record), "atr")
    symbols = np.array(notes.symbol)
    is_beat = np.array([s in BEATS for s in symbols])
    starts, ends = notes.sample[symbols == "["], notes.sample[symbols == "]"]
    flutter = [(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]
    return x, notes.sample[is_beat].astype(np.int64), symbols[is_beat], flutter


def trimmed_mean(values: Array) -> float:
    """Return the mean without the lowest and highest 5 %."""
    cut = int(0.05 * len(values))
    return float(np.sort(values)[cut : len(values) - cut].mean())


def with_noise(root: Path, x: Array, beats: Peaks, symbols: NDArray[np.str_], kind: str, snr_db: float) -> Array:
    """Return the record with noise of a kind at a signal to noise ratio, as `nst` defines it."""
    import wfdb

    noise = wfdb.rdrecord(str(root / "nstdb" / kind), channels=[0]).p_signal[: len(x), 0]
    normal = beats[np.isin(symbols, ["N", "L", "R"])][:300]
    normal = normal if len(normal) >= 50 else beats[:300]
    heights = np.array([np.ptp(x[max(0, b - 18) : b + 19]) for b in normal])
    seconds = noise[: 300 * int(RATE_HZ)].reshape(300, -1)
    power = trimmed_mean(heights) ** 2 / 8 / trimmed_mean(seconds.var(axis=1))
    noisy: Array = x + np.sqrt(power / 10 ** (snr_db / 10)) * noise
    return noisy


def matched(beats: Peaks, found: Peaks) -> list[tuple[int, int]]:
    """Return pairs of a beat and a detection within 150 ms, each used once, as many as can be."""
    pairs, i, j = [], 0, 0
    while i < len(beats) and j < len(found):
        away = found[j] - beats[i]
        if abs(away) <= WITHIN:
            pairs.append((int(beats[i]), int(found[j])))
            i, j = i + 1, j + 1
        elif away < 0:
            j += 1
        else:
            i += 1
    return pairs


def outside(peaks: Peaks, flutter: list[tuple[int, int]]) -> Peaks:
    """Return the peaks that are not within flutter."""
    keep = np.ones(len(peaks), bool)
    for start, end in flutter:
        keep &= (peaks < start) | (peaks > end)
    return peaks[keep]


def score(found: Peaks, beats: Peaks, flutter: list[tuple[int, int]]) -> dict[str, Any]:
    """Return beats, missed and false detections, and the errors of the matched ones in ms."""
    found, beats = outside(found, flutter), outside(beats, flutter)
    pairs = matched(beats, found)
    errors = [abs(b - f) / RATE_HZ * 1e3 for b, f in pairs]
    return {"beats": len(beats), "missed": len(beats) - len(pairs), "false": len(found) - len(pairs), "errors": errors}


def run(method: str, x: Array) -> tuple[Peaks, float]:
    """Return the peaks that a method finds, and the CPU time in s; none, and a word, if it fails."""
    begin = time.process_time()
    try:
        found = np.asarray(METHODS[method](x), np.float64)
    except ImportError:
        raise
    except Exception as error:  # a peer's own failure counts as beats missed
        print(f"  {method}: {type(error).__name__}: {error}", file=sys.stderr)
        found = np.empty(0)
    spent = time.process_time() - begin
    peaks = np.unique(found[np.isfinite(found)].astype(np.int64))
    return peaks[np.diff(peaks, prepend=-WITHIN) > TWICE], spent


def f1(one: dict[str, Any]) -> float:
    """Return F1 in per cent."""
    hits = one["beats"] - one["missed"]
    return float(200 * hits / max(1, 2 * hits + one["missed"] + one["false"]))


def summary(records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of a method over its records."""
    total = {key: sum(one[key] for one in records.values()) for key in ("beats", "missed", "false")}
    hits = total["beats"] - total["missed"]
    errors = np.concatenate([one["errors"] for one in records.values()])
    return {
        "se": 100 * hits / total["beats"],
        "ppv": 100 * hits / max(1, hits + total["false"]),
        "f1": f1(total),
        "der": 100 * (total["missed"] + total["false"]) / total["beats"],
        "worst_f1": min(f1(one) for one in records.values()),
        "worst_record": min(records, key=lambda name: f1(records[name])),
        "median_error_ms": float(np.median(errors)) if len(errors) else float("nan"),
        "cpu_s_per_h": sum(one["cpu_s"] for one in records.values()) / sum(one["hours"] for one in records.values()),
    }


def difference(ours: dict[str, Any], peer: dict[str, Any], draws: int = 10_000) -> tuple[float, float, float]:
    """Return our DER minus a peer's, in points, and the ends of its 95 % interval: records are drawn, paired."""
    counts = np.array(
        [
            [one["missed"] + one["false"] - other["missed"] - other["false"], one["beats"]]
            for one, other in ((ours[name], peer[name]) for name in ours)
        ]
    )
    drawn = counts[np.random.default_rng(0).integers(0, len(counts), (draws, len(counts)))].sum(axis=1)
    low, high = np.percentile(100 * drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    return float(100 * counts[:, 0].sum() / counts[:, 1].sum()), float(low), float(high)


def latencies_ms(x: Array) -> Array:
    """Return how long after each R peak its row goes out."""
    kernel = RPeaks().design(Format(RATE_HZ, 1, "mV"))
    rows, _ = kernel.step(kernel.start(), x[:, None].astype(np.float32))
    lags: Array = rows[:, 2].astype(np.float64) / RATE_HZ * 1e3
    return lags


def measure(root: Path, records: list[str], conditions: list[str], methods: list[str]) -> dict[str, Any]:
    """Return the figures of every method under every condition."""
    found: dict[str, dict[str, dict[str, Any]]] = {c: {m: {} for m in methods} for c in conditions}
    lags = []
    for record in records:
        clean, beats, symbols, flutter = read(root, record)
        for condition in conditions:
            kind, _, snr = condition.partition(":")
            x = clean if kind == "clean" else with_noise(root, clean, beats, symbols, kind, float(snr))
            if kind == "clean":
                lags.append(latencies_ms(x))
            for method in methods:
                peaks, spent = run(method, x)
                hours = len(x) / RATE_HZ / 3600
                found[condition][method][record] = {**score(peaks, beats, flutter), "cpu_s": spent, "hours": hours}
        print(f"record {record}", file=sys.stderr, flush=True)
    table = {c: {m: summary(of) for m, of in by.items()} for c, by in found.items()}
    return {"table": table, "against": _against(found), "latency_ms": _latency(lags)}


def _against(found: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, tuple[float, float, float]]]:
    return {
        c: {m: difference(by["pulselet"], of) for m, of in by.items() if m != "pulselet"}
        for c, by in found.items()
        if "pulselet" in by
    }


def _latency(lags: list[Array]) -> dict[str, float]:
    if not lags:
        return {}
    every = np.concatenate(lags)
    return {f"p{p:g}": float(np.percentile(every, p)) for p in (50, 95, 98, 99, 99.9, 100)}


def installed(names: list[str]) -> list[str]:
    """Return the methods whose packages are there; the others are named."""
    there = []
    for name in names:
        try:
            run(name, np.sin(np.arange(3600) / 50.0) + np.random.default_rng(0).normal(0, 0.1, 3600))
            there.append(name)
        except ImportError as error:
            print(f"skipped {name}: {error}", file=sys.stderr)
    return there


def print_table(found: dict[str, Any]) -> None:
    """Print the figures, one table for each condition."""
    for condition, methods in found["table"].items():
        print(
            f"\n{condition:24} {'Se':>7} {'PPV':>7} {'F1':>7} {'DER':>7} {'worst':>12} {'error ms':>9} {'CPU s/h':>8}"
            "  DER, ours minus"
        )
        for name, one in methods.items():
            gap = found["against"].get(condition, {}).get(name)
            versus = f"{gap[0]:+.2f} ({gap[1]:+.2f} to {gap[2]:+.2f})" if gap else ""
            print(
                f"{name:24} {one['se']:7.2f} {one['ppv']:7.2f} {one['f1']:7.2f} {one['der']:7.3f} "
                f"{one['worst_f1']:6.1f} {'@' + one['worst_record']:>5} {one['median_error_ms']:9.1f} "
                f"{one['cpu_s_per_h']:8.2f}  {versus}"
            )
    print("\nlatency of ours, clean, ms:", {k: round(v) for k, v in found["latency_ms"].items()})


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", default="ds2", help="ds1, ds2, all, or names with commas")
    parser.add_argument("--noise", default="", help="kind:SNR in dB, with commas, such as ma:6,ma:0,bw:6,bw:0")
    parser.add_argument("--no-clean", action="store_true", help="leave out the records as they are")
    parser.add_argument("--methods", default=",".join(METHODS), help="names with commas")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    args = parser.parse_args()
    if "PULSELET_DATA" not in os.environ:
        sys.exit("PULSELET_DATA is not set: it names the folder with mitdb and nstdb")
    records = [str(r) for r in SETS.get(args.records) or args.records.split(",")]
    conditions = ["clean"] * (not args.no_clean) + [c for c in args.noise.split(",") if c]
    methods = installed(args.methods.split(","))
    found = measure(Path(os.environ["PULSELET_DATA"]), records, conditions, methods)
    print_table(found)
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
