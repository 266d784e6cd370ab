"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pulselet.device.adapter import Adapter
from pulselet.errors import DeviceError

if TYPE_CHECKING:
    from pulselet.device.sources import Source

HCI = "hci:"

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
AdapterName = Annotated[
    str, typer.Option("--adapter", help="hci:HOST:PORT for a radio of `pulselet virtual`; else this computer's own.")
]
Signals = Annotated[str, typer.Option("--signals", help="Names, with commas between; the usual ones if not given.")]


def adapter_of(name: str) -> Adapter:
    """Return the adapter that an option names."""
    if not name:
        return Adapter()
    if not name.startswith(HCI):
        raise DeviceError(f"an adapter is {HCI}HOST:PORT, or not given, got {name!r}", "no-adapter")
    from pulselet.device.virtual_radio import VirtualRadio

    return VirtualRadio(name.removeprefix(HCI)).adapter


def sources_of(settings: list[str]) -> list[Source]:
    """Return the sources that `--setting` asks for: none, or Polar's with these settings and the standard ones."""
    wishes: dict[str, dict[str, int]] = {}
    for text in settings:
        where, _, value = text.partition("=")
        name, _, what = where.partition(".")
        if what not in ("rate_hz", "resolution_bits", "range", "channels") or not value.isdigit():
            raise DeviceError(
                f"a setting is SIGNAL.rate_hz=50, or resolution_bits, range, channels; got {text!r}", "bad-setting"
            )
        wishes.setdefault(name, {})[what] = int(value)
    if not wishes:
        return []
    from pulselet.device.sources import PolarSource, StandardSource

    return [PolarSource(wishes), StandardSource()]


def names_of(text: str) -> list[str]:
    """Return the names in a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
