from __future__ import annotations

import numpy as np

from pulselet.signal.electrodermal import Electrodermal, response
from pulselet.signal.skin_responses import SkinResponses
from pulselet.signal.stage import Format, Samples
from pulselet.signal.temperature import SkinTemperature
from stage_cases import Case


def conductance(source: Format, rows: int, seed: int) -> Samples:
    """Return a level that drifts, responses on it, noise, and twice a contact that is lost."""
    rng = np.random.default_rng(seed)
    assert source.rate_hz is not None
    t = np.arange(rows) / source.rate_hz
    x = 3 + np.sin(t / 40) + 0.005 * rng.standard_normal(rows)
    for onset in np.cumsum(rng.exponential(6.0, 1 + int(t[-1] / 6))):
        x += rng.uniform(0.03, 1.0) * response(t - onset)
    x[rows // 2 : rows // 2 + 3] = 0.01
    x[3 * rows // 4] += 1.0
    return x[:, None].astype(np.float32)


def decomposed(source: Format, rows: int, seed: int) -> Samples:
    """Return the rows of Electrodermal."""
    kernel = Electrodermal(settle_s=2.0).design(Format(source.rate_hz, 1, "uS"))
    y, _ = kernel.step(kernel.start(), conductance(kernel.source, rows, seed))
    return y


def temperature(source: Format, rows: int, seed: int) -> Samples:
    """Return a skin that warms and cools, in steps of a sensor, that is twice not worn."""
    assert source.rate_hz is not None
    rng = np.random.default_rng(seed)
    t = np.arange(rows) / source.rate_hz
    x = 33 + np.sin(t / 50) + 0.02 * rng.standard_normal(rows)
    x[:2] = 382.0
    x[rows // 2 : rows // 2 + 5] = 19.0
    x[3 * rows // 4] += 2.0
    return np.round(x[:, None], 2).astype(np.float32)


SKIN = Format(4.0, 1, "uS")
CASES = [
    Case(Electrodermal(), SKIN, conductance, rows=500),
    Case(Electrodermal(settle_s=0.0, rise_us_per_s=0.05), Format(25.0, 1, "uS"), conductance, rows=1500),
    Case(SkinResponses(), Electrodermal().design(SKIN).output, decomposed, rows=600),
    Case(
        SkinResponses(0.01, longest_s=1.0), Electrodermal().design(Format(16.0, 1, "uS")).output, decomposed, rows=1000
    ),
    Case(SkinTemperature(), Format(4.0, 1, "degC"), temperature, rows=500),
    Case(SkinTemperature(smoothing_s=1.0, slope_s=1.0, settle_s=0.0), Format(1.0, 1, "degC"), temperature, rows=300),
]
