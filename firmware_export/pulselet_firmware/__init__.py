"""Export a pipeline and a net as C that proves itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulselet_firmware.bundle import Bundle, export

__all__ = ["Bundle", "export"]


def __getattr__(name: str) -> Any:
    """Import a public name from its room when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'pulselet_firmware' has no attribute {name!r}")
    from pulselet_firmware import bundle

    return getattr(bundle, name)
