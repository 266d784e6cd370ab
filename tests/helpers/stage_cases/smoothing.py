from __future__ import annotations

import numpy as np

from pulselet.model.smoothing import Smoothing
from pulselet.signal.stage import Format, Samples
from stage_cases import Case


def classes(source: Format, rows: int, seed: int) -> Samples:
    """Return confidences of a net that is often right about a class that changes now and then."""
    rng = np.random.default_rng(seed)
    truth = np.cumsum(rng.random(rows) < 0.1) % source.width
    logits = rng.normal(0, 1.2, (rows, source.width))
    logits[np.arange(rows), truth] += 2
    shares = np.exp(logits)
    x = shares / shares.sum(axis=1, keepdims=True)
    x[rng.random(rows) < 0.03] = 0
    return x.astype(np.float32)


CASES = [
    Case(Smoothing(), Format(0.5, 4, names=("N", "A", "O", "~")), classes, rows=150),
    Case(Smoothing(3, "mean", debounce=2, hold=2), Format(1.0, 3), classes, rows=150),
    Case(Smoothing(8, "mean", with_quality=True, least_quality=0.05), Format(1.0, 6), classes, rows=150),
    Case(Smoothing(1, enter=0.5, leave=0.5), Format(0.1, 2), classes, rows=80),
]
