"""Simulated signals, noise and links: for tests, for teaching, and for a wearable that is not there.

Every function names its model's source, wants the rate and the seed, and gives the same values for the same seed. The
same seed is the same heart: `rr_intervals`, `ecg` and `ppg` agree beat by beat. `stream` gives the same values without
an end.
"""

from __future__ import annotations

from pulselet.simulate.breath import respiration
from pulselet.simulate.heart import ecg
from pulselet.simulate.link import packets_over_link
from pulselet.simulate.motion import acceleration
from pulselet.simulate.noise import baseline_wander, mains_hum, motion_bursts, noisy, white_noise
from pulselet.simulate.play import stream
from pulselet.simulate.pulse import ppg
from pulselet.simulate.quantize import quantized
from pulselet.simulate.rhythm import rr_intervals

__all__ = [
    "acceleration",
    "baseline_wander",
    "ecg",
    "mains_hum",
    "motion_bursts",
    "noisy",
    "packets_over_link",
    "ppg",
    "quantized",
    "respiration",
    "rr_intervals",
    "stream",
    "white_noise",
]
