"""Rehabilitation exercises of people the net has never seen: leave one subject out, in int8, through TFLite Micro.

python benchmarks/rehab_loso.py [--json rehab.json] [--html rehab.html] [--subjects 1 2] [--epochs 45] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pulselet.model import Fold, evaluate, quantize
from pulselet.recipes import rehab
from pulselet.windows import Split, Windows, leave_one_out


def fold(data: Windows, split: Split, epochs: int, seed: int) -> tuple[Fold, dict[str, Any]]:
    """Return both nets' outputs for the windows of the person left out, and how training went."""
    trained = rehab.fit(data, split, epochs=epochs, seed=seed)
    test = data.of(split.test)
    kept = trained.history.best_epoch
    step = quantize.io_parameters(trained.model)[2]
    outputs = {"float": trained.logits(test.x), "int8": trained.int8_outputs(test.x)}
    return Fold(test, outputs, trained.seen, {"int8": step}), {
        "subject": split.test[0],
        "validation": split.validation,
        "parameters": trained.net.count_params(),
        "model_bytes": len(trained.model),
        "best_epoch": kept,
        "val_accuracy": trained.history.val_accuracy[kept],
    }


def main() -> None:
    """Run the folds asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--html", type=Path, help="where to write the page")
    parser.add_argument("--subjects", type=int, nargs="+", help="whom to leave out in turn; everyone if not given")
    parser.add_argument("--epochs", type=int, default=rehab.EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    data = rehab.windows()
    splits = leave_one_out(data.people, rehab.VALIDATION_PEOPLE)
    wanted = [split for split in splits if args.subjects is None or split.test[0] in args.subjects]
    print(
        f"{len(data)} windows of {rehab.PIPELINE.window.length_s} s, {len(wanted)} folds", file=sys.stderr, flush=True
    )
    folds, trainings = [], []
    for split in wanted:
        one, training = fold(data, split, args.epochs, args.seed)
        folds.append(one)
        trainings.append(training)
        right = ", ".join(
            f"{kind} {np.mean(outputs.argmax(axis=1) == one.test.y):.3f}" for kind, outputs in one.outputs.items()
        )
        validation = f"validation {training['val_accuracy']:.3f}"
        print(f"without {training['subject']}: {right} ({validation})", file=sys.stderr, flush=True)
    report = evaluate(folds, seed=args.seed)
    print(f"int8 in TFLite Micro, people not seen:\n{report}")
    if args.json:
        args.json.write_text(json.dumps({"folds": trainings, "report": json.loads(report.to_json())}, indent=2))
    if args.html:
        args.html.write_text(report.to_html())


if __name__ == "__main__":
    main()
