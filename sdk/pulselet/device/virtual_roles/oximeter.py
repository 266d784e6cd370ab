"""A pulse oximeter: a reading a second."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from pulselet.device.virtual_roles.role import Host, Role, Timed
from pulselet.packets.gatt import full_uuid
from pulselet.packets.medical_float import SFloat
from pulselet.packets.pulse_oximeter import Oximetry, PlxContinuous

SERVICE, CONTINUOUS = full_uuid(0x1822), full_uuid(0x2A5F)


class Oximeter(Role):
    """Says oxygen saturation and pulse rate every second, from arrays `(n,)` that are repeated."""

    advertised = (SERVICE,)

    def __init__(self, spo2_percent: NDArray[np.float64], pulse_bpm: NDArray[np.float64]) -> None:
        self._spo2, self._pulse = spo2_percent, pulse_bpm
        self.services = {SERVICE: {CONTINUOUS: ("notify",)}}

    def subscribed(self, host: Host, uuid: str, on: bool) -> None:
        if on:
            host.play("oximetry", self._readings(host.now_s))
        else:
            host.rest("oximetry")

    def disconnected(self, host: Host) -> None:
        host.rest("oximetry")

    def _readings(self, from_s: float) -> Iterator[Timed]:
        for n in count():
            spo2, pulse = (float(values[n % len(values)]) for values in (self._spo2, self._pulse))
            packet = PlxContinuous(Oximetry(SFloat.from_value(spo2), SFloat.from_value(pulse)))
            yield Timed(from_s + 1.0 + n, CONTINUOUS, bytes(packet))
