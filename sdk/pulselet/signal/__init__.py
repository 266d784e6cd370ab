"""Causal stages and the pipeline they make: one definition, three executions.

Names are loaded when they are first used, so that `import pulselet.signal` stays quick; what a type checker reads, and
`__all__`, repeat the tables below, and a test compares them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulselet.signal.activity import ActivityCounts, activity_counts
    from pulselet.signal.averages import MovingAverage, MovingMedian, RemoveDrift
    from pulselet.signal.breathing import BreathingRate, breathing_rate
    from pulselet.signal.ecg_beats import Beats, Columns
    from pulselet.signal.ecg_peaks import RPeaks, r_peaks
    from pulselet.signal.ecg_quality import EcgQuality, quality
    from pulselet.signal.ecg_rhythm import Rhythm
    from pulselet.signal.electrodermal import Electrodermal
    from pulselet.signal.features import Features
    from pulselet.signal.filters import BandPass, Derivative, HighPass, LowPass, Notch
    from pulselet.signal.heart_rate_variability import HeartRateVariability
    from pulselet.signal.hrv_metrics import hrv, hrv_windows
    from pulselet.signal.marking import MarkFlat, MarkSaturation
    from pulselet.signal.modulations import RespiratoryModulations
    from pulselet.signal.motion import Enmo, Impact, PostureAngles
    from pulselet.signal.oxygen import OxygenSaturation, Perfusion
    from pulselet.signal.pipeline import Branch, Pipeline
    from pulselet.signal.ppg_pulses import Pulses, pulse_peaks
    from pulselet.signal.ppg_quality import PpgQuality
    from pulselet.signal.resampling import Even, Resample
    from pulselet.signal.run import PipelineStream
    from pulselet.signal.scaling import Rectify, Scale, Standardize, WindowScale
    from pulselet.signal.skin_responses import SkinResponses
    from pulselet.signal.sleep import NonWear, SleepWake
    from pulselet.signal.steps import Steps
    from pulselet.signal.temperature import SkinTemperature
    from pulselet.signal.vectors import Calibrate, Magnitude, Tilt
    from pulselet.signal.window import Window
    from pulselet.signal.wrist_rate import PulseRate, pulse_rate

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

__all__ = [
    "ActivityCounts",
    "BandPass",
    "Beats",
    "Branch",
    "BreathingRate",
    "Calibrate",
    "Columns",
    "Derivative",
    "EcgQuality",
    "Electrodermal",
    "Enmo",
    "Even",
    "Features",
    "HeartRateVariability",
    "HighPass",
    "Impact",
    "LowPass",
    "Magnitude",
    "MarkFlat",
    "MarkSaturation",
    "MovingAverage",
    "MovingMedian",
    "NonWear",
    "Notch",
    "OxygenSaturation",
    "Perfusion",
    "Pipeline",
    "PipelineStream",
    "PostureAngles",
    "PpgQuality",
    "PulseRate",
    "Pulses",
    "RPeaks",
    "Rectify",
    "RemoveDrift",
    "Resample",
    "RespiratoryModulations",
    "Rhythm",
    "Scale",
    "SkinResponses",
    "SkinTemperature",
    "SleepWake",
    "Standardize",
    "Steps",
    "Tilt",
    "Window",
    "WindowScale",
    "activity_counts",
    "breathing_rate",
    "hrv",
    "hrv_windows",
    "pulse_peaks",
    "pulse_rate",
    "quality",
    "r_peaks",
]


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
