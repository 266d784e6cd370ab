"""What devices speak: one file per protocol."""

from __future__ import annotations

from pulselet.device.sources.polar import PolarSource
from pulselet.device.sources.profile import ProfileSource
from pulselet.device.sources.source import Source
from pulselet.device.sources.standard import StandardSource

__all__ = ["PolarSource", "ProfileSource", "Source", "StandardSource", "source_types"]


def source_types() -> tuple[type[Source], ...]:
    """Return all sources that can be told by what a device offers."""
    return (ProfileSource, PolarSource, StandardSource)
