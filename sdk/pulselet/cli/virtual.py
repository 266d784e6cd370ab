"""`pulselet virtual`: a wearable without hardware, for another process."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulselet.cli.options import JsonFlag
from pulselet.errors import DeviceError

if TYPE_CHECKING:
    from pulselet.device.virtual import VirtualDevice


class Kind(str, enum.Enum):
    """What the virtual wearable can be."""

    STRAP = "strap"
    OXIMETER = "oximeter"
    BOARD = "board"


NOTIFICATIONS = 1_000_000  # over so many the faults are spread


def virtual(
    kind: Annotated[Kind, typer.Argument(help="A chest strap, an oximeter, or a board of the Pulselet profile.")],
    recording: Annotated[Path | None, typer.Option(help="A .pulse file to play; else a simulation.")] = None,
    name: Annotated[str, typer.Option(help="Its name on the air.")] = "Virtual",
    listen: Annotated[
        str, typer.Option(help="HOST:PORT for the other process; port 0: any that is free.")
    ] = "127.0.0.1:0",
    speed: Annotated[float, typer.Option(min=0.01, help="Times real time.")] = 1.0,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long; until Ctrl-C if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Of the simulation and the faults.")] = 1,
    drop: Annotated[float, typer.Option(min=0, max=0.3, help="Share of notifications that never arrive.")] = 0.0,
    repeat: Annotated[float, typer.Option(min=0, max=0.3, help="Share that arrive twice.")] = 0.0,
    delay: Annotated[float, typer.Option(min=0, max=0.3, help="Share that arrive up to 2 s late.")] = 0.0,
    disconnect: Annotated[float, typer.Option(min=0, max=0.1, help="Share at which the link drops instead.")] = 0.0,
    mtu: Annotated[int, typer.Option(min=23, max=517, help="The largest ATT MTU that it agrees to.")] = 247,
    as_json: JsonFlag = False,
) -> None:
    """Be a wearable without hardware: other commands reach it with --adapter hci:HOST:PORT."""
    from pulselet.device.faults import Faults
    from pulselet.device.virtual import VirtualDevice
    from pulselet.device.virtual_roles.examples import roles

    faults = Faults.drawn(
        seed,
        NOTIFICATIONS if drop or repeat or delay or disconnect else 0,
        drop=drop,
        repeat=repeat,
        delay=delay,
        disconnects=round(disconnect * NOTIFICATIONS),
    )
    device = VirtualDevice(name, roles(kind.value, recording, seed), speed=speed, faults=faults, mtu=mtu)
    host, _, port = listen.rpartition(":")
    if not port.isdigit():
        raise DeviceError(f"--listen wants HOST:PORT, got {listen!r}", "no-adapter")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(device, host or "127.0.0.1", int(port), seconds, as_json))


async def _serve(device: VirtualDevice, host: str, port: int, seconds: float | None, as_json: bool) -> None:
    from pulselet.device.virtual_radio import VirtualRadio

    radio = VirtualRadio()
    taken = await radio.serve(host, port)
    await device.start(radio)
    adapter = f"hci:{host}:{taken}"
    if as_json:
        typer.echo(json.dumps({"name": device.name, "adapter": adapter}))
    else:
        typer.echo(
            f"{device.name} is on the air: pulselet record {shlex.quote(device.name)} out.pulse --adapter {adapter}"
        )
    try:
        await asyncio.sleep(seconds if seconds is not None else float("inf"))
    finally:
        await device.stop()
