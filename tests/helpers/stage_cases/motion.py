from __future__ import annotations

import numpy as np

from pulselet.signal.activity import ActivityCounts
from pulselet.signal.motion import Enmo, Impact, PostureAngles
from pulselet.signal.sleep import NonWear, SleepWake
from pulselet.signal.stage import Format, Samples
from pulselet.signal.steps import Steps
from pulselet.simulate import acceleration
from stage_cases import Case


def acc(rate_hz: float) -> Format:
    return Format(rate_hz, 3, "g")


def walk(source: Format, rows: int, seed: int) -> Samples:
    assert source.rate_hz is not None
    return acceleration(rows / source.rate_hz, rate_hz=source.rate_hz, seed=seed, activity="walking").values_g.astype(
        np.float32
    )


def turn(source: Format, rows: int, seed: int) -> Samples:
    assert source.rate_hz is not None
    motion = acceleration(rows / source.rate_hz, rate_hz=source.rate_hz, seed=seed, activity="turning", turn_s=5.0)
    return motion.values_g.astype(np.float32)


def falls(source: Format, rows: int, seed: int) -> Samples:
    """Rest; every few seconds a free fall, an impact, and now and then movement after it."""
    assert source.rate_hz is not None
    x = acceleration(rows / source.rate_hz, rate_hz=source.rate_hz, seed=seed, activity="rest").values_g.astype(
        np.float32
    )
    rng = np.random.default_rng(seed)
    at = 20
    while at + 60 < rows:
        length = int(rng.integers(2, 16))
        x[at : at + length] *= np.float32(rng.uniform(0.0, 0.7))
        hit = at + length + int(rng.integers(0, 8))
        x[hit : hit + 3] *= np.float32(rng.uniform(2.0, 5.0))
        x[hit + 5 : hit + 5 + int(rng.integers(1, 30)), 2] += np.float32(0.4)
        at = hit + int(rng.integers(5, 90))
    return x


def taken_off(source: Format, rows: int, seed: int) -> Samples:
    """Worn for a third, lying still for a third, worn again."""
    x = walk(source, rows, seed)
    still = (
        np.array([0.0, 0.0, 1.0], np.float32) + np.float32(0.003) * np.sin(np.arange(rows), dtype=np.float32)[:, None]
    )
    x[rows // 3 : 2 * rows // 3] = still[rows // 3 : 2 * rows // 3]
    return x


def night(source: Format, rows: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    awake = np.sin(np.arange(rows) / 20) > 0
    return np.where(awake[:, None], rng.integers(0, 3000, (rows, 3)), rng.integers(0, 60, (rows, 3))).astype(np.float32)


MINUTES = Format(1 / 60, 3, "counts", names=("x", "y", "z"))

CASES = [
    Case(Enmo(), acc(50.0), walk),
    Case(Enmo(epoch_s=1.0), acc(50.0), walk),
    Case(PostureAngles(), acc(50.0), turn),
    Case(Impact(settle_s=0.6), acc(50.0), falls, rows=900),
    Case(ActivityCounts(epoch_s=2), acc(30.0), walk),
    Case(ActivityCounts(epoch_s=2), acc(50.0), walk),
    Case(ActivityCounts(epoch_s=1), acc(32.0), walk),
    Case(ActivityCounts(epoch_s=1), acc(128.0), walk),
    Case(Steps(), acc(25.0), walk),
    Case(Steps(), acc(50.0), walk),
    Case(NonWear(window_s=3.0, hop_s=1.0), acc(25.0), taken_off),
    Case(SleepWake(), MINUTES, night),
    Case(SleepWake(column="z"), MINUTES, night),
]
