"""Ready-made roles: a simulated person, or a recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet import simulate
from pulselet.device.virtual_roles.badge import Badge
from pulselet.device.virtual_roles.board import Board
from pulselet.device.virtual_roles.feed import Feed, of_array
from pulselet.device.virtual_roles.oximeter import Oximeter
from pulselet.device.virtual_roles.role import Role
from pulselet.device.virtual_roles.strap import Strap, acceleration, ecg
from pulselet.errors import DeviceError
from pulselet.packets import polar
from pulselet.packets.profile import StreamInfo
from pulselet.simulate.quantize import quantized
from pulselet.stream.recording import Recording

KEPT_S = 10.0
BOARD_S = 600.0
KINDS = ("strap", "oximeter", "board")


def roles(kind: str, recording: Path | None = None, seed: int = 1) -> list[Role]:
    """Return what a virtual device of a kind plays.

    Parameters
    ----------
    kind
        "strap": ECG at 130 Hz, acceleration at 50 Hz, heart rate and intervals, without an end. "oximeter": a reading
        a second. "board": ten minutes of ECG and acceleration over the Pulselet profile.
    recording
        What to play in place of a simulation. A board plays every signal with a rate, gaps as rests. A strap plays
        `ecg` in mV, `acc` in g and `rr`, an oximeter `spo2` and `pulse_rate`, over and over, gaps closed.

    Raises
    ------
    DeviceError
        If there is no such kind, or the recording has nothing that it plays.
    """
    if kind not in KINDS:
        raise DeviceError(f"a virtual device is one of {KINDS}, got {kind!r}", "bad-kind")
    badge = Badge(100, manufacturer="Pulselet", model=f"virtual {kind}")
    return [{"strap": _strap, "oximeter": _oximeter, "board": _board}[kind](recording, seed), badge]


def simulated(kind: str, *, rate_hz: float, seed: int, lsb: float, **options: Any) -> Feed:
    """Return a feed of a simulated signal without an end, in steps of `lsb`; it can be asked for what comes next."""
    blocks = simulate.stream(kind, rate_hz=rate_hz, seed=seed, block_s=1.0, **options)
    return _Forward(blocks, lsb, round(KEPT_S * rate_hz))


class _Forward:
    """Reads blocks forward and remembers the last of them."""

    def __init__(self, blocks: Iterator[NDArray[np.float64]], lsb: float, keep: int) -> None:
        self._blocks, self._lsb, self._keep = blocks, lsb, keep
        self._first = 0
        self._held: NDArray[np.int32] | None = None

    def __call__(self, first: int, end: int) -> NDArray[np.int32]:
        held = self._held
        while held is None or self._first + len(held) < end:
            block = quantized(next(self._blocks), lsb=self._lsb, bits=24)
            held = block if held is None else np.concatenate([held, block])
            surplus = max(0, len(held) - self._keep - (end - first))
            held, self._first = held[surplus:], self._first + surplus
        self._held = held
        return held[first - self._first : end - self._first]


def _strap(recording: Path | None, seed: int) -> Role:
    if recording is not None:
        return _recorded_strap(recording)
    heart = simulated("ecg", rate_hz=130, seed=seed, lsb=1e-3)  # mV to µV
    walk = simulated("acceleration", rate_hz=50, seed=seed, lsb=1e-3, activity="walking")  # g to milli-g
    rr_s = simulate.rr_intervals(600.0, seed=seed)
    return Strap({polar.ECG: ecg(heart), polar.ACC: acceleration(walk)}, rr_s)


def _recorded_strap(path: Path) -> Role:
    """Return a strap that plays a recording: mV as microvolts, g as milli-g, as a strap sends them."""
    measurements = {}
    with Recording.open(path) as recording:
        for name, kind, unit, build in (("ecg", polar.ECG, "mV", ecg), ("acc", polar.ACC, "g", acceleration)):
            signal = recording.signals.get(name)
            if signal is None or signal.rate_hz is None:
                continue
            if signal.unit != unit or signal.rate_hz != round(signal.rate_hz):
                got = f"{signal.unit} at {signal.rate_hz:g} Hz"
                raise DeviceError(f"a strap plays {name} in {unit} at whole Hz, {path} has {got}", "bad-samples")
            values = quantized(_joined(recording, name), lsb=1e-3, bits=16 if unit == "g" else 24)
            measurements[kind] = build(of_array(values, again=True), round(signal.rate_hz))
        rr_s = _joined(recording, "rr")[:, 0].astype(np.float64) if "rr" in recording.signals else None
    if not measurements and rr_s is None:
        raise DeviceError(f"{path} has no ecg, acc or rr that a strap could play", "bad-samples")
    return Strap(measurements, rr_s)


def _joined(recording: Recording, name: str) -> NDArray[np.float32]:
    """Return all samples of a signal `(n, channels)`, gaps closed."""
    return np.concatenate([values for _, values in recording.segments(name)])


def _oximeter(recording: Path | None, seed: int) -> Role:
    if recording is not None:
        with Recording.open(recording) as played:
            if not {"spo2", "pulse_rate"} <= played.signals.keys():
                raise DeviceError(f"{recording} has no spo2 and pulse_rate that an oximeter could play", "bad-samples")
            return Oximeter(*(_joined(played, name)[:, 0].astype(np.float64) for name in ("spo2", "pulse_rate")))
    draw = np.random.default_rng(seed)
    return Oximeter(np.round(97 + draw.normal(0, 0.6, 600)).clip(90, 100), 60 / simulate.rr_intervals(600.0, seed=seed))


def _board(recording: Path | None, seed: int) -> Role:
    if recording is not None:
        with Recording.open(recording) as played:
            return Board.of_recording(played)
    streams = (
        StreamInfo(1, "ecg", "mV", ("I",), 130_000, 1 / 1024),
        StreamInfo(2, "acc", "g", ("x", "y", "z"), 50_000, 1 / 4096),
    )
    heart = simulate.ecg(BOARD_S, rate_hz=130, seed=seed).values_mv
    walk = simulate.acceleration(BOARD_S, rate_hz=50, seed=seed, activity="walking").values_g
    segment = {
        "ecg": quantized(heart[:, None], lsb=1 / 1024, bits=16).astype(np.int16),
        "acc": quantized(walk, lsb=1 / 4096, bits=16).astype(np.int16),
    }
    return Board.of_segments(streams, [segment])
