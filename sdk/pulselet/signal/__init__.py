"""Causal stages and the pipeline they make: one definition, three executions.

Names are loaded when they are first used, so that `import pulselet.signal` stays quick.
"""

from __future__ import annotations

import importlib
from typing import Any

STAGES = {
    "activity": ("ActivityCounts",),
    "averages": (
        "MovingAverage",
        "MovingMedian",
        "RemoveDrift",
    ),
    "breathing": ("BreathingRate",),
    "ecg_beats": (
        "Beats",
        "Columns",
    ),
    "ecg_peaks": ("RPeaks",),
    "ecg_quality": ("EcgQuality",),
    "ecg_rhythm": ("Rhythm",),
    "electrodermal": ("Electrodermal",),
    "features": ("Features",),
    "filters": (
        "BandPass",
        "Derivative",
        "HighPass",
        "LowPass",
        "Notch",
    ),
    "heart_rate_variability": ("HeartRateVariability",),
    "marking": (
        "MarkFlat",
        "MarkSaturation",
    ),
    "modulations": ("RespiratoryModulations",),
    "motion": (
        "Enmo",
        "Impact",
        "PostureAngles",
    ),
    "oxygen": (
        "OxygenSaturation",
        "Perfusion",
    ),
    "ppg_pulses": ("Pulses",),
    "ppg_quality": ("PpgQuality",),
    "resampling": (
        "Even",
        "Resample",
    ),
    "scaling": (
        "Rectify",
        "Scale",
        "Standardize",
        "WindowScale",
    ),
    "skin_responses": ("SkinResponses",),
    "sleep": (
        "NonWear",
        "SleepWake",
    ),
    "steps": ("Steps",),
    "temperature": ("SkinTemperature",),
    "vectors": (
        "Calibrate",
        "Magnitude",
        "Tilt",
    ),
    "window": ("Window",),
    "wrist_rate": ("PulseRate",),
}
"""Modules of stages, and the stages of each."""

FUNCTIONS: dict[str, str] = {
    "r_peaks": "ecg_peaks",
    "pulse_peaks": "ppg_pulses",
    "pulse_rate": "wrist_rate",
    "breathing_rate": "breathing",
    "quality": "ecg_quality",
    "activity_counts": "activity",
    "hrv": "hrv_metrics",
    "hrv_windows": "hrv_metrics",
}
"""Functions that fold the same stages over an array, and their modules."""

_MODULES = {
    **{name: module for module, names in STAGES.items() for name in names},
    **FUNCTIONS,
    **dict.fromkeys(("Branch", "Pipeline"), "pipeline"),
    "PipelineStream": "run",
}

__all__ = sorted(_MODULES)  # noqa: PLE0605  the table above is the one place


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'pulselet.signal' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pulselet.signal.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]


def load_stages() -> None:
    """Import every module of stages, so that `Stage.registry` is complete."""
    for module in STAGES:
        importlib.import_module(f"pulselet.signal.{module}")
