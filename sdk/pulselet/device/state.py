"""What a device is doing."""

from __future__ import annotations

import enum


class State(str, enum.Enum):
    """What a device is doing."""

    IDLE = "idle"
    SCANNING = "scanning"
    CONNECTING = "connecting"
    CONFIGURING = "configuring"
    STREAMING = "streaming"
    WAITING = "waiting to reconnect"
    CLOSED = "closed"
