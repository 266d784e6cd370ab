"""Rehabilitation exercises of people the net has never seen: leave one subject out, in int8, through TFLite Micro.

    python benchmarks/rehab_loso.py --json rehab.json [--subjects 1 2] [--epochs 30] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from pulselet.model import nets, quantize, tflm
from pulselet.model.evaluate import evaluate
from pulselet.model.train import augment_motion, predict, train
from pulselet_datasets.seglearn_watch import EXERCISES, RATE_HZ, WatchSeries, series

WINDOW = 128  # samples, 2.56 s
HOP = 32  # samples, 0.64 s
UNITS = np.array([1, 1, 1, 2, 2, 2], np.float32)  # g and rad/s that become 1
LIMIT = 3.0  # of these units; what exceeds it is saturated
PEOPLE = tuple(range(1, 11))
REPRESENTATIVE = 500  # training windows on which the ranges are measured


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of all people, with their class numbers and people."""

    x: NDArray[np.float32]  # (n, WINDOW, 6)
    y: NDArray[np.int64]
    subject: NDArray[np.int64]

    def of(self, *subjects: int) -> NDArray[np.bool_]:
        """Return which windows are of these people."""
        return np.isin(self.subject, subjects)


def clean(signal: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """Return the signal after a causal low-pass at 10 Hz (to be replaced by the project's pipeline)."""
    filtered: NDArray[np.float32] = sosfilt(butter(2, 10.0, fs=rate_hz, output="sos"), signal, axis=0).astype(np.float32)
    return filtered


def prepare(one: WatchSeries) -> NDArray[np.float32]:
    """Return the cleaned, scaled and saturated windows `(n, WINDOW, 6)` of one series."""
    signal = clean(np.hstack([one.acceleration, one.rotation]), one.rate_hz) / UNITS
    starts = range(0, len(signal) - WINDOW + 1, HOP)
    return np.stack([np.clip(signal[s : s + WINDOW], -LIMIT, LIMIT) for s in starts])


def load() -> Windows:
    """Return the windows of all ten people."""
    recordings = series()
    parts = [prepare(one) for one in recordings]
    counts = [len(part) for part in parts]
    return Windows(
        np.concatenate(parts),
        np.repeat([EXERCISES.index(one.exercise) for one in recordings], counts),
        np.repeat([one.subject for one in recordings], counts),
    )


def fold(data: Windows, subject: int, epochs: int, seed: int) -> dict[str, Any]:
    """Return the predictions for one person by a net trained on seven others and validated on two."""
    validation = [PEOPLE[(PEOPLE.index(subject) + step) % len(PEOPLE)] for step in (1, 2)]
    test, val = data.of(subject), data.of(*validation)
    rest = ~(test | val)
    started = time.perf_counter()
    net = nets.ds_cnn(WINDOW, data.x.shape[2], len(EXERCISES), seed=seed)
    x, y = data.x[rest], data.y[rest]
    history = train(net, x, y, data.x[val], data.y[val], epochs=epochs, seed=seed, augment=augment_motion)
    trained = time.perf_counter()
    chosen = np.random.default_rng(seed).choice(len(x), min(REPRESENTATIVE, len(x)), replace=False)
    model = quantize.to_int8(net, x[chosen])
    scale, zero_point, _, _ = quantize.io_parameters(model)
    outputs = tflm.invoke(model, quantize.quantise(data.x[test][:, None], scale, zero_point))
    return {
        "subject": subject,
        "validation": validation,
        "parameters": net.count_params(),
        "model_bytes": len(model),
        "best_epoch": history.best_epoch,
        "val_accuracy": history.val_accuracy[history.best_epoch],
        "train_s": trained - started,
        "convert_and_test_s": time.perf_counter() - trained,
        "float": predict(net, data.x[test]).argmax(axis=1),
        "int8": outputs.argmax(axis=1),
        "y": data.y[test],
    }


def summary(folds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the reports over all folds, and each fold's own figures."""
    y = np.concatenate([one["y"] for one in folds])
    people = np.repeat([one["subject"] for one in folds], [len(one["y"]) for one in folds])
    reports = {kind: evaluate(y, np.concatenate([one[kind] for one in folds]), people, EXERCISES) for kind in KINDS}
    agreement = float(np.mean(np.concatenate([one["float"] == one["int8"] for one in folds])))
    print(f"int8 in TFLite Micro, {len(y)} windows of people not seen:\n{reports['int8']}")
    print(f"float accuracy {reports['float'].accuracy:.3f}; the two agree on {agreement:.4f} of the windows")
    figures = [{key: value for key, value in one.items() if key not in (*KINDS, "y")} for one in folds]
    return {"folds": figures, "agreement": agreement} | {k: json.loads(r.to_json()) for k, r in reports.items()}


KINDS = ("float", "int8")


def main() -> None:
    """Run the folds asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--subjects", type=int, nargs="+", choices=PEOPLE, default=list(PEOPLE))
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    data, folds = load(), []
    print(f"{len(data.y)} windows of {WINDOW / RATE_HZ:.2f} s")
    for subject in args.subjects:
        one = fold(data, subject, args.epochs, args.seed)
        folds.append(one)
        accuracies = [f"{kind} {np.mean(one[kind] == one['y']):.3f}" for kind in KINDS]
        print(f"without {subject}: {', '.join(accuracies)}, trained in {one['train_s']:.1f} s", flush=True)
    result = vars(args) | {"json": None} | summary(folds)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
