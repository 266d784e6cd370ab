"""Stages that work on each sample by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pulselet.signal.stage import CForm, Kernel, Samples, Stage, check


class ScaleKernel(Kernel):
    """`y = (x - offset) * gain` in float32, channel by channel; no state."""

    def __init__(self, offset: Samples, gain: Samples, rate_hz: float) -> None:
        self.offset = offset
        self.gain = gain
        self.rate_hz = rate_hz
        self.channels = len(gain)

    def start(self) -> None:
        return None

    def step(self, state: None, x: Samples) -> tuple[Samples, None]:
        return (x - self.offset) * self.gain, None

    def c_form(self) -> CForm:
        fields = (("channels", self.channels), ("offset", self.offset), ("gain", self.gain))
        return CForm(kind="scale", fields=fields, state_words=0)


@dataclass(frozen=True)
class Scale(Stage):
    """Fixed scaling, `(x - offset) * gain`; one value for all channels, or one each."""

    gain: tuple[float, ...] | float
    offset: tuple[float, ...] | float = (0.0,)

    def __post_init__(self) -> None:
        for name in ("gain", "offset"):
            values = getattr(self, name)
            if isinstance(values, (int, float)):
                object.__setattr__(self, name, (float(values),))

    def design(self, rate_hz: float, channels: int) -> ScaleKernel:
        tables = []
        for name, given in (("offsets", self.offset), ("gains", self.gain)):
            values = np.atleast_1d(given)
            check(len(values) in (1, channels), self, f"1 or {channels} {name}", len(values))
            table = np.broadcast_to(np.asarray(values, np.float32), (channels,)).copy()
            check(bool(np.isfinite(table).all()), self, f"finite {name}", values)
            tables.append(table)
        return ScaleKernel(tables[0], tables[1], rate_hz)
