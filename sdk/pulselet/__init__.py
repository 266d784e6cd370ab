"""Pulselet: stream a wearable, train a tiny classifier, export it as C with the signal cleaning in front.

Not a medical device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulselet._version import __version__

if TYPE_CHECKING:
    from pulselet.device.blocking import blocking
    from pulselet.device.replay import replay
    from pulselet.device.scan import scan
    from pulselet.device.session import connect
    from pulselet.errors import PulseletError
    from pulselet.signal.pipeline import Pipeline
    from pulselet.stream.block import Block, Gap, Signal
    from pulselet.stream.convert import convert
    from pulselet.stream.recording import Recording

_HOMES = {
    "Block": "pulselet.stream.block",
    "Gap": "pulselet.stream.block",
    "Pipeline": "pulselet.signal.pipeline",
    "PulseletError": "pulselet.errors",
    "Recording": "pulselet.stream.recording",
    "Signal": "pulselet.stream.block",
    "blocking": "pulselet.device.blocking",
    "connect": "pulselet.device.session",
    "convert": "pulselet.stream.convert",
    "replay": "pulselet.device.replay",
    "scan": "pulselet.device.scan",
}

__all__ = [
    "Block",
    "Gap",
    "Pipeline",
    "PulseletError",
    "Recording",
    "Signal",
    "__version__",
    "blocking",
    "connect",
    "convert",
    "replay",
    "scan",
]


_ROOMS = frozenset({"cohort", "model", "packets", "signal", "simulate", "windows"})
"""Rooms that need no import of their own, as in `pulselet.packets.decode`."""


def __getattr__(name: str) -> Any:
    """Import a public name from its room, or one of the rooms, when it is first used."""
    import importlib

    if name in _ROOMS:
        return importlib.import_module(f"pulselet.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'pulselet' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
