"""What devices speak: one file per protocol."""

from __future__ import annotations

from pulselet.device.sources.movesense import MovesenseSource
from pulselet.device.sources.polar import PolarSource
from pulselet.device.sources.profile import ProfileSource
from pulselet.device.sources.source import Source
from pulselet.device.sources.standard import StandardSource
from pulselet.device.sources.uart import UartSource

__all__ = [
    "MovesenseSource",
    "PolarSource",
    "ProfileSource",
    "Source",
    "StandardSource",
    "UartSource",
    "source_types",
]


def source_types() -> tuple[type[Source], ...]:
    """Return the sources that can be told by what a device offers; what a UART sends, only its user knows."""
    return (ProfileSource, PolarSource, MovesenseSource, StandardSource)
