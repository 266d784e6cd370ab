"""Polar's straps and watches: ECG, PPG, acceleration and more, in frames that bear the time of their last sample."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from pulselet.device.link import Link
from pulselet.device.sources.source import Source, usual_interval_s
from pulselet.errors import DeviceError, PacketError
from pulselet.packets import polar, polar_control
from pulselet.packets.polar import Frame
from pulselet.packets.polar_control import Features, Message, Response, Stopped
from pulselet.packets.polar_layout import Layout
from pulselet.packets.polar_settings import Settings
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.readings import ReadingAssembler
from pulselet.stream.timed import TimedAssembler

CLOCK_HZ = 1e9
STREAMED = (polar.ECG, polar.PPG, polar.ACC, polar.GYRO, polar.MAG, polar.SKIN_TEMPERATURE, polar.PPI)
USUAL = ("ecg", "ppg", "acc")
GUESS = {polar.ACC: (1, False)}
"""Frame type and compression from which channels and unit are told before the first frame has come."""
FRAME_SAMPLES = 80  # about the most that a frame holds


@dataclass
class _Stream:
    """One measurement: what was chosen for it, and what the device said of it."""

    kind: int
    settings: Settings
    signal: Signal
    assembler: TimedAssembler | ReadingAssembler
    factor: float = 1.0


class PolarSource(Source):
    """Polar Measurement Data.

    Parameters
    ----------
    settings
        By name of the signal, what to choose of what the device offers: `{"acc": {"rate_hz": 50, "range": 8}}`.
        The largest of everything that is not named.
    sdk_mode
        Switch on the device's SDK mode, which offers more rates. Heart rate and PP intervals fall silent in it: the
        algorithms that make them want the usual rates. So ask for the signals of this source alone, and none of
        `heart_rate` or `rr`: a heart rate that is wanted and never comes is taken for a device that is quiet.

    What runs and is not wanted, such as what a program that was killed has left on, is stopped at the start; what the
    device records in its memory goes on, except that SDK mode cannot be changed while it does.
    """

    title = "Polar Measurement Data"

    def __init__(self, settings: Mapping[str, Mapping[str, int]] | None = None, *, sdk_mode: bool = False) -> None:
        super().__init__()
        self._wishes = dict(settings or {})
        self._sdk_mode = sdk_mode
        self._streams: dict[str, _Stream] = {}
        self._wanted: list[str] = []
        self._device = ""

    @classmethod
    def fits(cls, link: Link) -> bool:
        return polar.SERVICE in link.services

    @property
    def characteristics(self) -> Collection[str]:
        return (polar.CONTROL, polar.DATA)

    @property
    def default(self) -> tuple[str, ...]:
        return tuple(name for name in self.signals if name in USUAL)

    @property
    def facts(self) -> dict[str, str]:
        return {
            f"{name} settings": bytes(one.settings).hex() for name, one in self._streams.items() if bytes(one.settings)
        }

    @property
    def interval_s(self) -> float | None:
        return usual_interval_s((self.signals[name] for name in self._wanted), FRAME_SAMPLES)

    async def prepare(self, link: Link) -> None:
        self._device = link.name
        if self._sdk_mode:
            await _enter_sdk_mode(link)
        features = Features.from_bytes(await link.read(polar.CONTROL))
        for kind in (kind for kind in STREAMED if kind in features.types):
            name = polar.NAMES[kind]
            settings = Settings()
            if kind != polar.PPI:
                offered = (await _ask(link, polar_control.get_settings(kind))).settings
                settings = offered.choose(**self._wishes.get(name, {}))
            signal = _signal(name, kind, settings)
            self._streams[name] = _Stream(kind, settings, signal, _assembler(signal))
            self.signals[name] = signal
            self._count_anew(name)
        unknown = set(self._wishes) - set(self.signals)
        if unknown:
            raise DeviceError(f"settings for {sorted(unknown)}; {link.name} has {sorted(self.signals)}", "no-signal")

    async def start(self, link: Link, names: Collection[str]) -> None:
        self._wanted = list(names)
        for name in names:
            self._count_anew(name)
        await self._begin(link)

    async def _begin(self, link: Link) -> None:
        await _quieten(link, but=[self._streams[name].kind for name in self._wanted])
        await link.subscribe(polar.DATA)
        for name in self._wanted:
            one = self._streams[name]
            command = polar_control.start(one.kind, one.settings)
            answer = await _ask(link, command, may_fail=True)
            if answer.error == polar_control.ALREADY_IN_STATE:  # somebody has left it on
                await _ask(link, polar_control.stop(one.kind), may_fail=True)
                answer = await _ask(link, command, may_fail=True)
            _require_success(link, answer)
            one.factor = answer.settings.single_factor

    async def resume(self, link: Link) -> None:
        for name in self._wanted:
            self._streams[name].assembler.resume()
        if self._sdk_mode:
            await _enter_sdk_mode(link)
        await self._begin(link)

    async def stop(self, link: Link) -> None:
        for name in self._wanted:
            with contextlib.suppress(DeviceError):
                await _ask(link, polar_control.stop(self._streams[name].kind), may_fail=True)
        if self._sdk_mode:
            with contextlib.suppress(DeviceError):
                await _ask(link, polar_control.STOP_SDK_MODE, may_fail=True)
        await super().stop(link)

    def feed(self, uuid: str, data: bytes, arrival_ns: int) -> list[Block | Gap]:
        """Return what one notification adds; frames of what is not wanted add nothing.

        Raises
        ------
        PacketError
            If the bytes make no sense; the state is as before.
        DeviceError
            "stopped", if the device says that it has stopped something that is wanted.
        """
        if uuid == polar.CONTROL:
            self._hear(polar_control.parse(data))
            return []
        frame = Frame.from_bytes(data)
        name = polar.NAMES.get(frame.type)
        if name is None:
            raise PacketError(f"a frame of measurement {frame.type}; the device has {sorted(self.signals)}", data)
        return self._items(self._streams[name], frame, data, arrival_ns) if name in self._wanted else []

    def _hear(self, message: Message) -> None:
        stopped = message.types if isinstance(message, Stopped) else ()
        names = [name for name in self._wanted if self._streams[name].kind in stopped]
        if names:
            raise DeviceError(
                f"{self._device} has stopped {', '.join(names)} by itself: is it worn and charged, and not in its "
                "charger?",
                "stopped",
            )

    def _items(self, one: _Stream, frame: Frame, data: bytes, arrival_ns: int) -> list[Block | Gap]:
        said = _first(one.settings.channels), _first(one.settings.resolution_bits)
        values = frame.values(one.factor, *said)
        layout = frame.layout(*said)
        if layout.names != one.signal.channels:
            self._redraw(one, layout, data)
        if isinstance(one.assembler, TimedAssembler):
            return one.assembler.feed(values, frame.timestamp_ns, arrival_ns)
        return one.assembler.feed(values, arrival_ns)  # PP intervals bear no time

    def _redraw(self, one: _Stream, layout: Layout, data: bytes) -> None:
        """Take the channels from the first frame: before it has come they are a guess."""
        name = one.signal.name
        if self.counts[name].expected:
            raise PacketError(f"{name} had channels {one.signal.channels}, now a frame has {layout.names}", data)
        one.signal = self.signals[name] = replace(one.signal, channels=layout.names, unit=layout.units[0])
        self._count_anew(name)

    def _count_anew(self, name: str) -> None:
        one = self._streams[name]
        one.assembler = _assembler(one.signal)
        self.counts[name] = one.assembler.count


def _assembler(signal: Signal) -> TimedAssembler | ReadingAssembler:
    return ReadingAssembler(signal) if signal.rate_hz is None else TimedAssembler(signal)


def _signal(name: str, kind: int, settings: Settings) -> Signal:
    """Return what a measurement will be, as far as it can be told before its first frame."""
    if kind == polar.PPI:
        layout = Layout.of(kind, 0, compressed=False)
        return Signal(name, "", None, layout.names, loss_detectable=False)
    rate_hz = _first(settings.rate_hz)
    if rate_hz is None:
        raise PacketError(f"the device names no sampling rate for {name}", bytes(settings))
    layout = Layout.of(kind, *GUESS.get(kind, (0, False)))
    return Signal(name, layout.units[0], float(rate_hz), layout.names, CLOCK_HZ)


def _first(values: tuple[int, ...]) -> int | None:
    return values[0] if values else None


async def _quieten(link: Link, but: Collection[int] = ()) -> None:
    """Stop whatever streams, but for some types; a device too old to say what runs is left as it is."""
    answer = await _ask(link, polar_control.STATUS, may_fail=True)
    if answer.error:
        return
    for kind, active in answer.active.items():
        if active & polar_control.ONLINE and kind != polar.SDK_MODE and kind not in but:
            await _ask(link, polar_control.stop(kind), may_fail=True)


async def _enter_sdk_mode(link: Link) -> None:
    """Switch SDK mode on, in which it may be already; a Verity Sense refuses to while anything streams."""
    await _quieten(link)
    answer = await _ask(link, polar_control.START_SDK_MODE, may_fail=True)
    if answer.error != polar_control.ALREADY_IN_STATE:
        _require_success(link, answer)


async def _ask(link: Link, command: bytes, *, may_fail: bool = False) -> Response:
    """Return what the control point answers; DeviceError if it is an error, unless that may be."""

    parts: list[bytes] = []

    def ends(data: bytes) -> bool:
        """Gather the parts of the answer; other things may come between, and its fifth byte says if more follow."""
        if data[:2] == bytes([polar_control.RESPONSE, command[0]]):
            parts.append(data)
        return bool(parts) and data == parts[-1] and not any(data[4:5])

    await link.ask(polar.CONTROL, command, fits=ends)
    answer = polar_control.joined([Response.from_bytes(part) for part in parts])
    if not may_fail:
        _require_success(link, answer)
    return answer


def _require_success(link: Link, answer: Response) -> None:
    if answer.error == polar_control.IN_CHARGER:
        raise DeviceError(f"{link.name} is in its charger: take it out", "refused")
    if answer.error:
        name = polar.NAMES.get(answer.type, str(answer.type))
        raise DeviceError(f"{link.name} refuses {name}: {answer.error_name}", "refused")
