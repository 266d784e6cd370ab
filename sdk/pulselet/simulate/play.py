"""Simulated signals without an end, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError
from pulselet.simulate.breath import respiration_pages
from pulselet.simulate.heart import ecg_pages
from pulselet.simulate.motion import acceleration_pages
from pulselet.simulate.noise import baseline_wander_pages, mains_hum_pages, motion_bursts_pages, white_noise_pages
from pulselet.simulate.pages import Pages, Seed, positive, samples_in
from pulselet.simulate.pulse import ppg_pages

KINDS: Mapping[str, Callable[..., Pages]] = {
    "acceleration": acceleration_pages,
    "baseline_wander": baseline_wander_pages,
    "ecg": ecg_pages,
    "mains_hum": mains_hum_pages,
    "motion_bursts": motion_bursts_pages,
    "ppg": ppg_pages,
    "respiration": respiration_pages,
    "white_noise": white_noise_pages,
}


def stream(kind: str, *, rate_hz: float, seed: Seed, block_s: float, **options: Any) -> Iterator[NDArray[np.float64]]:
    """Return blocks `(samples, channels)` of a simulated signal without an end, in bounded memory.

    The values are those of the function of the same name with the same seed and options, whatever the length of a
    block: signals are drawn in pages of a fixed length, and cut into blocks afterwards.

    Parameters
    ----------
    kind
        "acceleration", "baseline_wander", "ecg", "mains_hum", "motion_bursts", "ppg", "respiration" or "white_noise".
    rate_hz, seed
        Samples per second, and what to draw from.
    block_s
        Length of a block, to the nearest sample.
    options
        As that function takes them, except for `rr_s`, which ends.

    Raises
    ------
    PulseletError
        If the kind is unknown, or the rate, the block or an option makes no sense.

    >>> next(stream("acceleration", rate_hz=50, seed=1, block_s=0.5, activity="rest")).shape
    (25, 3)
    """
    if kind not in KINDS:
        raise PulseletError(f"a simulated signal is one of {sorted(KINDS)}, got {kind!r}")
    positive(block_s=block_s)
    return _blocks(KINDS[kind](rate_hz, seed, **options), samples_in(block_s, rate_hz))


def _blocks(pages: Pages, samples: int) -> Iterator[NDArray[np.float64]]:
    waiting: list[NDArray[np.float64]] = []
    held = 0
    for page in pages:
        waiting.append(page.reshape(len(page), -1))
        held += len(page)
        if held < samples:
            continue
        whole = np.concatenate(waiting)
        cut = held - held % samples
        for at in range(0, cut, samples):
            yield whole[at : at + samples]
        waiting, held = [whole[cut:]], held - cut
