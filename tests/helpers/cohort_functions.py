"""Recordings and functions that worker processes can import."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pulselet.stream.block import Signal
from pulselet.stream.corpus import Labels, Recording, Run

RATE_HZ = 100.0
SAMPLES = 1000
WORDS = ("rest", "walk")


def read(seed: int, name: str) -> list[Run]:
    """Return noise that a seed gives."""
    assert name == "acc"
    return [Run(0, np.random.default_rng(seed).normal(size=(SAMPLES, 3)).astype(np.float32))]


def recordings(count: int, words: tuple[str, str] = WORDS) -> list[Recording]:
    """Return recordings of two people; they hold no samples."""
    signal_ = Signal("acc", "g", RATE_HZ, ("x", "y", "z"))
    return [
        Recording(
            dataset="made",
            name=f"r{seed}",
            subject=f"p{seed % 2}",
            signals={"acc": signal_},
            read=partial(read, seed),
            labels={"activity": Labels.of("activity", words, [0, 500], [500, 1000], rate_hz=RATE_HZ)},
            simulated=True,
        )
        for seed in range(count)
    ]


def figures(recording: Recording) -> dict[str, Any]:
    """Return a row of sums that depend on their order."""
    values = recording.values("acc").astype(np.float64)
    return {"mean": values.mean(), "energy": np.float32((values @ values.T).sum()), "samples": len(values)}


def by_label(recording: Recording) -> list[dict[str, Any]]:
    """Return a row for each label."""
    values, labels = recording.values("acc"), recording.label("activity")
    assert labels.end is not None
    spans = zip(labels.words, labels.begin.tolist(), labels.end.tolist(), strict=True)
    return [{"label": word, "spread": values[a:b].std(axis=0)} for word, a, b in spans]


def odd_fails(recording: Recording) -> dict[str, Any]:
    """Fail for every other recording."""
    if recording.subject == "p1":
        raise ValueError(f"nothing to see in {recording.name}")
    return figures(recording)


def counted(folder: Path, recording: Recording) -> dict[str, Any]:
    """Leave a file for each call."""
    number = len(list(folder.glob(f"{recording.name}.*")))
    (folder / f"{recording.name}.{number}").touch()
    return figures(recording)


def second_try(folder: Path, recording: Recording) -> dict[str, Any]:
    """Fail at the first call for a recording."""
    found = counted(folder, recording)
    if len(list(folder.glob(f"{recording.name}.*"))) == 1:
        raise OSError("the disk is away")
    return found


def dies(recording: Recording) -> dict[str, Any]:
    """Take the process along for one recording."""
    if recording.name == "r2":
        os.kill(os.getpid(), signal.SIGKILL)
    return figures(recording)


def interrupts_parent(recording: Recording) -> dict[str, Any]:
    """Do what Ctrl-C does, at the fourth recording."""
    if recording.name == "r3":
        raise KeyboardInterrupt
    return figures(recording)


def slow(folder: Path, recording: Recording) -> dict[str, Any]:
    """Take a while, and leave a file."""
    time.sleep(0.1)
    return counted(folder, recording)


def several_types(recording: Recording) -> dict[str, Any]:
    """Return a column of numbers and texts."""
    return {"what": 1 if recording.subject == "p0" else "one"}
