"""What the options of the command line stand for: payloads, paths, radios, keys; and what it shows."""

from __future__ import annotations

import importlib.machinery
import io
import itertools
import re
import shlex
import struct
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from rich.console import Console
from typer.testing import CliRunner

from pulselet.cli import app
from pulselet.cli.keys import Keyed, labels_of
from pulselet.cli.options import adapter_of, sources_of
from pulselet.cli.tables import show
from pulselet.device.sources import MovesenseSource, PolarSource, Source, StandardSource, UartSource
from pulselet.errors import DeviceError
from pulselet.packets import uart
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.recording import Recording
from pulselet.stream.summary import SignalSummary

RECORDS = "layout=<Hhhh fields=seq,x,y,z counter=seq rate=50 unit=g scale=1/4096 name=acc"


def board(text: str) -> UartSource:
    source, standard = sources_of([], text)
    assert isinstance(source, UartSource)
    assert isinstance(standard, StandardSource)
    return source


def test_records_of_a_board_are_declared_in_one_option() -> None:
    source = board(RECORDS)
    assert source.signals == {"acc": Signal("acc", "g", 50.0, ("x", "y", "z"), loss_detectable=True)}
    first, gap, after = source.feed(uart.NOTIFY, struct.pack("<HhhhHhhh", 7, 4096, -2048, 0, 9, 1024, 0, 0), 0)
    assert isinstance(first, Block)
    assert isinstance(gap, Gap)
    assert isinstance(after, Block)
    assert first.values.tolist() == [[1.0, -0.5, 0.0]]
    assert gap.lost == 1
    assert after.values.tolist() == [[0.25, 0.0, 0.0]]


def test_lines_of_text_are_declared_without_a_layout() -> None:
    source = board("fields=t,hr separator=; unit='beats a minute' scale=1,0.5")
    (signal,) = source.signals.values()
    assert (signal.name, signal.unit, signal.rate_hz) == ("uart", "beats a minute", None)
    assert (signal.channels, signal.loss_detectable) == (("t", "hr"), False)
    items = source.feed(uart.NOTIFY, b"1;120\n2;130\n", 0)
    rows = np.concatenate([item.values for item in items if isinstance(item, Block)])
    assert rows[-1].tolist() == [2.0, 65.0]


def test_a_counter_in_text_says_where_it_wraps() -> None:
    source = board("fields=n,x counter=n wraps_at=100")
    items = source.feed(uart.NOTIFY, b"97,0\n98,0\n99,0\n1,0\n", 0)
    assert [item.lost for item in items if isinstance(item, Gap)] == [1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("layout=<Hhhh", "there are no fields"),
        ("fields=a,b baud=9600", r"\['baud'\] is not known"),
        ("layout=<hh fields=a,b separator=;", r"\['separator'\] is not known"),
        ("layout=<hh fields=a,b,c", "2 numbers, for 3 fields"),
        ("layout=hh fields=a,b", "wanted '<' or '>'"),
        ("fields=a,b counter=c", "the counter 'c' is not among the fields"),
        ("fields=a,b rate=fast", "rate is no number: 'fast'"),
        ("fields=a,b rate=0", "wanted a rate above 0 Hz"),
        ("fields=a,b scale=1/0", "scale is no number: '1/0'"),
        ("fields=a,b scale=1,2,3", "3 scales for 2 fields"),
        ("fields=a,b unit='g", "No closing quotation"),
    ],
)
def test_a_payload_that_makes_no_sense_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(DeviceError, match=complaint) as caught:
        sources_of([], text)
    assert caught.value.reason == "bad-setting"


def kinds(sources: list[Source]) -> list[type[Source]]:
    return [type(source) for source in sources]


def test_what_is_not_declared_is_left_to_the_devices_services() -> None:
    assert sources_of([]) == []
    assert kinds(sources_of(["acc.rate_hz=50"])) == [PolarSource, StandardSource]


def test_paths_of_a_movesense_are_named_one_by_one() -> None:
    source, standard = sources_of([], movesense=["ecg=/Meas/ECG/125/mV", "hr=/Meas/HR"])
    assert kinds([source, standard]) == [MovesenseSource, StandardSource]
    assert list(source.signals) == ["ecg", "hr", "hr_rr"]
    assert source.signals["ecg"].rate_hz == 125.0


@pytest.mark.parametrize(("text", "complaint"), [("/Meas/HR", "wants NAME=PATH"), ("x=/Meas/X/1", "known are")])
def test_a_path_that_makes_no_sense_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(DeviceError, match=complaint) as caught:
        sources_of([], movesense=[text])
    assert caught.value.reason == "bad-setting"


@pytest.mark.parametrize("words", [("--uart", "baud=9600"), ("--movesense", "ecg"), ("--setting", "acc.rate=1")])
def test_record_takes_the_declarations_and_looks_at_them_first(words: tuple[str, str]) -> None:
    error = (
        CliRunner().invoke(app, ["record", "Board", "never.pulse", "--adapter", "hci:127.0.0.1:9", *words]).exception
    )
    assert isinstance(error, DeviceError)
    assert error.reason == "bad-setting"


class Backend:
    """Notes what bleak hands to the backend that would use the radio."""

    given: dict[str, Any]

    def __init__(self, *_: object, bluez: dict[str, str], **__: object) -> None:
        type(self).given = dict(bluez)


class Scanning(Backend): ...


class Connecting(Backend): ...


def test_a_radio_is_chosen_by_name_to_scan_and_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameter `bluez` of bleak 3.0; a deprecated one would warn, and a warning is an error here."""
    monkeypatch.setattr(sys, "platform", "linux")
    scanning: Any = Scanning
    connecting: Any = Connecting
    adapter = replace(adapter_of("hci1"), scanner=scanning, client=connecting)
    BleakScanner(**adapter.scanning)
    heard = BLEDevice("F0:00:00:00:00:10", "Strap", None)
    BleakClient(heard, backend=adapter.client, **adapter.options)
    assert Scanning.given == Connecting.given == {"adapter": "hci1"}


def test_a_radio_has_a_name_on_linux_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(DeviceError, match="on Linux only") as caught:
        adapter_of("hci1")
    assert caught.value.reason == "no-adapter"


@pytest.mark.parametrize("name", ["hci", "hci1x", "usb0"])
def test_a_radio_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(DeviceError, match=r"hci0, hci1, ..., hci:HOST:PORT") as caught:
        adapter_of(name)
    assert caught.value.reason == "no-adapter"


def test_the_hint_of_a_virtual_wearable_is_a_command_that_a_shell_takes() -> None:
    command = [sys.executable, "-m", "pulselet", "virtual", "oximeter", "--name", "Ann's finger", "--seconds", "0.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    words = shlex.split(done.stdout.partition("is on the air: ")[2])
    assert words[:4] == ["pulselet", "record", "Ann's finger", "out.pulse"]


def summary(name: str, unit: str, rate_hz: float | None, lost: int | None) -> dict[str, Any]:
    rated = rate_hz is not None
    gaps, drift_ppm = 1234, -139.1 if rated else None
    return asdict(SignalSummary(name, unit, rate_hz, rate_hz, 3600.0, 46_800_000, lost, 0, gaps, int(rated), drift_ppm))


def test_a_table_of_80_columns_cuts_no_name_and_no_number() -> None:
    signals = [summary("heart_rate_contact", "", None, None), summary("left.ecg", "mV", 130.0, 1560)]
    found = {"sessions": [], "signals": signals, "labels": [], "events": [], "path": "a.pulse"}
    shown = io.StringIO()
    show(Console(file=shown, width=80), found)
    lines = shown.getvalue().splitlines()
    assert "…" not in shown.getvalue()
    assert max(map(len, lines)) <= 80
    assert ["left.ecg", "mV", "130.00", "130.00", "46800000", "1234"] in [line.split()[:6] for line in lines]
    assert any(line.startswith("heart_rate_contact ") for line in lines)
    assert {"-139.1", "1560", "not"} <= set(re.findall(r"\S+", shown.getvalue()))


class WindowsConsole(types.ModuleType):
    """What `msvcrt` says while keys are pressed; the code of a function key comes with the next call."""

    def __init__(self, keys: str) -> None:
        super().__init__("msvcrt")
        self.__spec__ = importlib.machinery.ModuleSpec("msvcrt", None)
        self._keys = list(keys)

    def kbhit(self) -> bool:
        if not self._keys:
            raise EOFError  # the test is over
        return True

    def getwch(self) -> str:
        return self._keys.pop(0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def pressed(keys: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield what is made of keys on a computer that has no `termios`."""
    from pulselet.cli import keys as ours

    monkeypatch.setitem(sys.modules, "termios", None)
    monkeypatch.setitem(sys.modules, "msvcrt", WindowsConsole(keys))
    monkeypatch.setattr(sys, "stdin", Terminal())
    with ours._keys() as found, pytest.raises(EOFError):
        yield from found


def test_a_key_is_taken_without_enter_on_windows_and_a_function_key_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An arrow is two codes, 0xE0 and a letter; Alt+N is 0 and a code that is the digit 1."""
    assert list(pressed("1\xe0H2\x0010", monkeypatch)) == ["1", "2", "0"]


class Recorded(Recording):
    """Notes labels, and writes no file."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def event(self, kind: str, text: str = "", at_ns: int | None = None) -> None:
        self.labels.append(text)


def test_the_terminal_is_left_alone_until_a_recording_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that is not found must not leave a terminal without echo."""

    class Untouchable(Terminal):
        touched = itertools.count()

        def isatty(self) -> bool:
            next(self.touched)
            return False

    monkeypatch.setattr(sys, "stdin", Untouchable())
    given = labels_of("rest,walk", "")
    assert isinstance(given, Keyed)
    assert next(Untouchable.touched) == 0
    recording = Recorded()
    given.start(recording, Console(file=io.StringIO()))
    given.stop()
    assert next(Untouchable.touched) == 2
    assert recording.labels == [""]
