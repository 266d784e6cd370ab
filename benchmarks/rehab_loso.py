"""Rehabilitation exercises of people the net has never seen: leave one subject out, in int8, through TFLite Micro.

python benchmarks/rehab_loso.py [--json rehab.json] [--subjects 1 2] [--epochs 45] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from pulselet.model.evaluate import Report, evaluate
from pulselet.recipes import rehab
from pulselet.windows.labelled import Split, Windows, leave_one_out


def fold(data: Windows, split: Split, epochs: int, seed: int) -> dict[str, Any]:
    """Return both nets' class numbers for the windows of the person left out, and how training went."""
    trained = rehab.fit(data, split, epochs=epochs, seed=seed)
    test = data.of(split.test)
    kept = trained.history.best_epoch
    return {
        "subject": split.test[0],
        "validation": split.validation,
        "parameters": trained.net.count_params(),
        "model_bytes": len(trained.model),
        "best_epoch": kept,
        "val_accuracy": trained.history.val_accuracy[kept],
        "float": trained.logits(test.x).argmax(axis=1),
        "int8": trained.int8_outputs(test.x).argmax(axis=1),
        "y": test.y,
    }


def report(folds: list[dict[str, Any]], kind: str, labels: tuple[str, ...]) -> Report:
    """Return the report of the `kind` of net, "float" or "int8", over all folds."""
    people = np.repeat([one["subject"] for one in folds], [len(one["y"]) for one in folds])
    y, predicted = (np.concatenate([one[name] for one in folds]) for name in ("y", kind))
    return evaluate(y, predicted, people, labels)


def main() -> None:
    """Run the folds asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--subjects", type=int, nargs="+", help="whom to leave out in turn; everyone if not given")
    parser.add_argument("--epochs", type=int, default=rehab.EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    data = rehab.windows()
    splits = leave_one_out(data.people, rehab.VALIDATION_PEOPLE)
    wanted = [split for split in splits if args.subjects is None or split.test[0] in args.subjects]
    print(f"{len(data)} windows of {rehab.PIPELINE.window.length_s} s, {len(wanted)} folds", flush=True)
    folds = []
    for split in wanted:
        folds.append(fold(data, split, args.epochs, args.seed))
        one = folds[-1]
        right = ", ".join(f"{kind} {np.mean(one[kind] == one['y']):.3f}" for kind in ("float", "int8"))
        print(f"without {one['subject']}: {right} (validation {one['val_accuracy']:.3f})", flush=True)
    reports = {kind: report(folds, kind, data.labels) for kind in ("float", "int8")}
    print(f"int8 in TFLite Micro, people not seen:\n{reports['int8']}")
    print(f"float accuracy {reports['float'].accuracy:.3f}; the same class in {agreement(folds):.4f} of the windows")
    if args.json:
        figures = [{key: value for key, value in one.items() if not isinstance(value, np.ndarray)} for one in folds]
        texts = {kind: json.loads(found.to_json()) for kind, found in reports.items()}
        args.json.write_text(json.dumps({"folds": figures, **texts}, indent=2))


def agreement(folds: list[dict[str, Any]]) -> float:
    """Return the share of windows in which float and int8 net name the same class."""
    return float(np.mean(np.concatenate([one["float"] == one["int8"] for one in folds])))


if __name__ == "__main__":
    main()
