"""Tiny nets: build, train, quantise, evaluate.

Names are loaded when they are first used, so that `import pulselet.model` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulselet.model.beat_comparison import BeatComparison, compare_beats
    from pulselet.model.beats import BeatReport, compare_recording, summarise
    from pulselet.model.evaluation import Fold, evaluate, figures
    from pulselet.model.events import EventReport, event_figures
    from pulselet.model.heart_rate_figures import RateReport, rate_figures
    from pulselet.model.report import Report
    from pulselet.model.sleep import SleepReport, sleep_figures

_MODULES = {
    **dict.fromkeys(("BeatComparison", "compare_beats"), "beat_comparison"),
    **dict.fromkeys(("BeatReport", "compare_recording", "summarise"), "beats"),
    **dict.fromkeys(("Fold", "evaluate", "figures"), "evaluation"),
    **dict.fromkeys(("EventReport", "event_figures"), "events"),
    **dict.fromkeys(("RateReport", "rate_figures"), "heart_rate_figures"),
    "Report": "report",
    **dict.fromkeys(("SleepReport", "sleep_figures"), "sleep"),
}

__all__ = [
    "BeatComparison",
    "BeatReport",
    "EventReport",
    "Fold",
    "RateReport",
    "Report",
    "SleepReport",
    "compare_beats",
    "compare_recording",
    "evaluate",
    "event_figures",
    "figures",
    "rate_figures",
    "sleep_figures",
    "summarise",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'pulselet.model' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pulselet.model.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
