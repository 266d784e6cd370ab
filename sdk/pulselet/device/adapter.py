"""Which Bluetooth to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bleak.backends.client import BaseBleakClient
    from bleak.backends.scanner import BaseBleakScanner


@dataclass(frozen=True)
class Adapter:
    """bleak's backends and their arguments; with none, the computer's own radio."""

    scanner: type[BaseBleakScanner] | None = None
    client: type[BaseBleakClient] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scanning(self) -> dict[str, Any]:
        """Arguments of bleak's scanner."""
        return dict(self.options) if self.scanner is None else {"backend": self.scanner, **self.options}
