"""A day of ECG at 250 Hz: filters, R peaks and heart rate variability on one core, ours beside peers, all in one run.

python benchmarks/speed_24h.py [--hours 24] [--methods ...] [--json speed.json]

Every method runs in a process of its own on the same simulated recording (float32, read from a file), after a minute of
it to warm up. CPU time is that of the process, imports left out; memory is its peak beyond what it held with the input
loaded and the packages imported. All clean the signal, find its R peaks and
compute SDNN and RMSSD of the whole; ours runs too with its stage of heart rate variability behind, every five minutes
and with the spectrum, and so in chunks of one second, as a stream would come.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 250.0
Signal = NDArray[np.float32]
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def time_domain(peaks: NDArray[np.int64]) -> tuple[float, float]:
    """Return SDNN and RMSSD in ms."""
    intervals_ms = np.diff(peaks) / RATE_HZ * 1e3
    return float(intervals_ms.std(ddof=1)), float(np.sqrt(np.mean(np.diff(intervals_ms) ** 2)))


def _ours(x: Signal, chunk: int, windows: bool = False) -> tuple[int, float, float]:
    """Clean each chunk, find its R peaks; with `windows` pass them to the stage of heart rate variability."""
    from pulselet.signal.ecg_peaks import RPeaks
    from pulselet.signal.filters import BandPass
    from pulselet.signal.heart_rate_variability import HeartRateVariability
    from pulselet.signal.stage import Format

    source = Format(RATE_HZ, 1, "mV")
    clean = BandPass(0.5, 40.0).design(source)
    peaks = RPeaks().design(source)
    hrv = HeartRateVariability(window_s=300.0, hop_s=300.0).design(peaks.output)
    cleaning, finding, measuring, since = clean.start(), peaks.start(), hrv.start(), []
    for at in range(0, len(x), chunk):
        y, cleaning = clean.step(cleaning, x[at : at + chunk, None])
        beats, finding = peaks.step(finding, y)
        since.append(beats[:, 0])
        if windows and len(beats):
            _, measuring = hrv.step(measuring, beats)
    found = np.cumsum(np.concatenate(since).astype(np.int64))
    return len(found), *time_domain(found)


def pulselet(x: Signal) -> tuple[int, float, float]:
    """Ours, in blocks that stay in the cache."""
    return _ours(x, 65536)


def pulselet_hrv(x: Signal) -> tuple[int, float, float]:
    """Ours, with all metrics of heart rate variability, spectrum among them, every five minutes."""
    return _ours(x, 65536, windows=True)


def pulselet_chunked(x: Signal) -> tuple[int, float, float]:
    """Ours, a second at a time."""
    return _ours(x, int(RATE_HZ), windows=True)


def scipy_sleepecg(x: Signal) -> tuple[int, float, float]:
    """A band-pass of scipy, and sleepecg's detector in C."""
    from scipy.signal import butter, sosfiltfilt
    from sleepecg import detect_heartbeats

    cleaned = sosfiltfilt(butter(2, (0.5, 40.0), "band", fs=RATE_HZ, output="sos"), x)
    peaks = detect_heartbeats(cleaned, RATE_HZ)
    return len(peaks), *time_domain(peaks)


def without_plots(package: str, module: str) -> Any:
    """Return a module, its package's `__init__` passed over: systole's wants bokeh 2, which numpy 2 breaks."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"No module named {package!r}")
    bare = types.ModuleType(package)
    bare.__spec__, bare.__path__ = spec, list(spec.submodule_search_locations)
    sys.modules.setdefault(package, bare)
    return importlib.import_module(module)


def systole(x: Signal) -> tuple[int, float, float]:
    """A band-pass of scipy, and systole's Pan-Tompkins."""
    from scipy.signal import butter, sosfiltfilt

    pan_tompkins = without_plots("systole", "systole.detectors").pan_tompkins

    cleaned = sosfiltfilt(butter(2, (0.5, 40.0), "band", fs=RATE_HZ, output="sos"), x)
    peaks = pan_tompkins(cleaned, int(RATE_HZ))
    return len(peaks), *time_domain(peaks)


def physio(x: Signal) -> tuple[int, float, float]:
    """physio's own chain."""
    from physio import compute_ecg, compute_ecg_metrics

    _, found = compute_ecg(x, RATE_HZ)
    compute_ecg_metrics(found)
    peaks = np.asarray(found["peak_index"])
    return len(peaks), *time_domain(peaks)


def neurokit(x: Signal) -> tuple[int, float, float]:
    """NeuroKit's cleaner, detector and time domain."""
    import neurokit2 as nk

    cleaned = nk.ecg_clean(x, sampling_rate=RATE_HZ)
    peaks = nk.ecg_peaks(cleaned, sampling_rate=RATE_HZ)[1]["ECG_R_Peaks"]
    nk.hrv_time(peaks, sampling_rate=RATE_HZ)
    return len(peaks), *time_domain(peaks)


METHODS: dict[str, Callable[[Signal], tuple[int, float, float]]] = {
    "pulselet": pulselet,
    "pulselet, HRV stage": pulselet_hrv,
    "pulselet, 1 s chunks": pulselet_chunked,
    "physio": physio,
    "scipy + sleepecg": scipy_sleepecg,
    "systole": systole,
    "NeuroKit": neurokit,
}


def peak_mib() -> float:
    """Return the process's largest resident memory since `forget_peak`; NaN where the system does not tell."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return float("nan")
    return float(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def forget_peak() -> None:
    """Begin anew with the largest resident memory."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        print("the peak of memory cannot be reset here: it counts the imports too", file=sys.stderr)


def one(method: str, file: Path) -> dict[str, Any]:
    """Return the figures of a method, in this process."""
    x = np.load(file)
    METHODS[method](x[: int(60 * RATE_HZ)])
    forget_peak()
    held, begin, wall = peak_mib(), time.process_time(), time.perf_counter()
    beats, sdnn_ms, rmssd_ms = METHODS[method](x)
    spent = {"cpu_s": time.process_time() - begin, "wall_s": time.perf_counter() - wall}
    return {**spent, "mib": peak_mib() - held, "beats": beats, "sdnn_ms": sdnn_ms, "rmssd_ms": rmssd_ms}


def recording(hours: float) -> tuple[Signal, int]:
    """Return a simulated day with wander and noise, and how many beats it has."""
    from pulselet.simulate import baseline_wander, ecg, white_noise

    seconds = hours * 3600
    heart = ecg(seconds, rate_hz=RATE_HZ, seed=1, heart_rate_bpm=70.0)
    x = heart.values_mv + white_noise(seconds, rate_hz=RATE_HZ, seed=2, rms=0.03)
    x += baseline_wander(seconds, rate_hz=RATE_HZ, seed=3, rms=0.1)
    return x.astype(np.float32), len(heart.r_times_s)


def measure(hours: float, methods: list[str]) -> dict[str, Any]:
    """Return the figures of each method."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        x, beats = recording(hours)
        file = Path(folder) / "ecg.npy"
        np.save(file, x)
        del x
        for method in methods:
            command = [sys.executable, __file__, "--one", method, "--file", str(file)]
            done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_CORE}, check=False)
            if done.returncode:
                print(f"skipped {method}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                continue
            found[method] = json.loads(done.stdout.splitlines()[-1])
            print(f"{method}: {found[method]['cpu_s']:.2f} s", file=sys.stderr, flush=True)
    return {"hours": hours, "beats": beats, "methods": found}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--methods", default=";".join(METHODS), help="names with semicolons")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.one, args.file)))
        return
    found = measure(args.hours, args.methods.split(";"))
    print(f"{found['hours']:g} h, {found['beats']} beats")
    print(f"{'method':24} {'CPU s':>8} {'wall s':>8} {'MiB':>8} {'beats':>8} {'SDNN ms':>8} {'RMSSD ms':>8}")
    for name, row in found["methods"].items():
        print(
            f"{name:24} {row['cpu_s']:8.2f} {row['wall_s']:8.2f} {row['mib']:8.1f} {row['beats']:8} "
            f"{row['sdnn_ms']:8.1f} {row['rmssd_ms']:8.1f}"
        )
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
