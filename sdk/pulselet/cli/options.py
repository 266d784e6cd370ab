"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pulselet.device.adapter import Adapter
from pulselet.errors import DeviceError, PulseletError

if TYPE_CHECKING:
    from pulselet.device.sources import Source, UartSource

HCI = "hci:"

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
AdapterName = Annotated[
    str,
    typer.Option(
        "--adapter",
        help="hci1: that one of this computer's radios, on Linux; hci:HOST:PORT: a radio of `pulselet virtual`.",
    ),
]
Signals = Annotated[str, typer.Option("--signals", help="Names, with commas between; the usual ones if not given.")]
PolarSettings = Annotated[
    list[str] | None,
    typer.Option("--setting", help="What to choose of what a Polar device offers: `acc.rate_hz=50`. Repeatable."),
]
UartPayload = Annotated[
    str,
    typer.Option(
        "--uart",
        metavar="'KEY=VALUE ...'",
        help="What a board on a Nordic UART sends: `layout=<Hhhh fields=seq,x,y,z counter=seq rate=50 unit=g "
        "scale=1/4096 name=acc`; without a layout, lines of text: `fields=a,b`, and separator and wraps_at if need be.",
    ),
]
MovesensePaths = Annotated[
    list[str] | None,
    typer.Option("--movesense", metavar="NAME=PATH", help="What to stream: `ecg=/Meas/ECG/125/mV`. Repeatable."),
]


def adapter_of(name: str) -> Adapter:
    """Return the adapter that an option names."""
    if not name:
        return Adapter()
    if re.fullmatch(r"hci\d+", name):
        if sys.platform != "linux":
            raise DeviceError(f"an adapter has a name like {name!r} on Linux only: leave --adapter away", "no-adapter")
        return Adapter(options={"bluez": {"adapter": name}})
    if not name.startswith(HCI):
        raise DeviceError(f"an adapter is hci0, hci1, ..., {HCI}HOST:PORT, or not given, got {name!r}", "no-adapter")
    from pulselet.device.virtual_radio import VirtualRadio

    return VirtualRadio(name.removeprefix(HCI)).adapter


def sources_of(settings: Sequence[str], uart: str = "", movesense: Sequence[str] = ()) -> list[Source]:
    """Return the sources that `--setting`, `--uart` and `--movesense` ask for, and the standard one; none without them.

    Raises
    ------
    DeviceError
        "bad-setting", if an option cannot be read, or asks for what there is not.
    """
    from pulselet.device.sources import MovesenseSource, PolarSource, StandardSource

    wishes, paths = _wishes(settings), _paths(movesense)
    try:
        found: list[Source] = [PolarSource(wishes)] if wishes else []
        found += [uart_of(uart)] if uart else []
        found += [MovesenseSource(paths)] if paths else []
    except PulseletError as error:
        raise DeviceError(str(error), "bad-setting") from error
    return [*found, StandardSource()] if found else []


def _wishes(settings: Sequence[str]) -> dict[str, dict[str, int]]:
    wishes: dict[str, dict[str, int]] = {}
    for text in settings:
        where, _, value = text.partition("=")
        name, _, what = where.partition(".")
        if what not in ("rate_hz", "resolution_bits", "range", "channels") or not value.isdigit():
            raise DeviceError(
                f"a setting is SIGNAL.rate_hz=50, or resolution_bits, range, channels; got {text!r}", "bad-setting"
            )
        wishes.setdefault(name, {})[what] = int(value)
    return wishes


def _paths(movesense: Sequence[str]) -> dict[str, str]:
    paths = {}
    for text in movesense:
        name, _, path = text.partition("=")
        if not name or not path:
            raise DeviceError(f"--movesense wants NAME=PATH, as in ecg=/Meas/ECG/125/mV; got {text!r}", "bad-setting")
        paths[name] = path
    return paths


UART_WORDS = ("fields", "counter", "unit", "scale", "rate", "name")
STRUCT_WORDS, TEXT_WORDS = ("layout",), ("separator", "wraps_at")


def uart_of(text: str) -> UartSource:
    """Return the source that `--uart` declares: records of a struct layout if it names one, else lines of text.

    Raises
    ------
    PulseletError
        If a word is not known, a number is none, or layout and fields do not fit together.
    """
    from pulselet.device.sources import UartSource
    from pulselet.packets.uart import StructFormat, TextLines

    words = dict(word.partition("=")[::2] for word in _split(text))
    known = UART_WORDS + (STRUCT_WORDS if "layout" in words else TEXT_WORDS)
    unknown = sorted(words.keys() - set(known))
    if unknown or not words.get("fields"):
        problem = f"{unknown} is not known" if unknown else "there are no fields"
        raise DeviceError(f"--uart wants fields=a,b and, of {known}, what else is needed: {problem}", "bad-setting")
    options: dict[str, Any] = {
        name: words[name] for name in ("unit", "counter", "layout", "separator") if name in words
    }
    options["fields"] = tuple(names_of(words["fields"]))
    if "scale" in words:
        scales = tuple(_number("scale", one) for one in words["scale"].split(","))
        options["scale"] = scales if len(scales) > 1 else scales[0]
    if "wraps_at" in words:
        options["wraps_at"] = round(_number("wraps_at", words["wraps_at"]))
    rate_hz = _number("rate", words["rate"]) if "rate" in words else None
    declared = StructFormat(**options) if "layout" in words else TextLines(**options)
    return UartSource(declared, name=words.get("name", "uart"), rate_hz=rate_hz)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:  # a quotation that does not end
        raise DeviceError(f"--uart {text!r}: {error}", "bad-setting") from error


def _number(what: str, text: str) -> float:
    """Return a number or a fraction such as 1/4096."""
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise DeviceError(f"--uart: {what} is no number: {text!r}", "bad-setting") from error


def names_of(text: str) -> list[str]:
    """Return the names in a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
