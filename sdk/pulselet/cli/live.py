"""`pulselet scan` and `pulselet record`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulselet.cli.options import (
    AdapterName,
    JsonFlag,
    MovesensePaths,
    PolarSettings,
    Signals,
    UartPayload,
    adapter_of,
    names_of,
    sources_of,
)
from pulselet.errors import PulseletError, RecordingError

if TYPE_CHECKING:
    from rich.console import Console

    from pulselet.cli.keys import Labels
    from pulselet.device.session import Device
    from pulselet.stream.recording import Recording


INTERRUPTED = 130  # exit status


def scan(
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to listen.")] = 5.0,
    everything: Annotated[bool, typer.Option("--all", help="Also what Pulselet cannot stream from.")] = False,
    adapter: AdapterName = "",
    as_json: JsonFlag = False,
) -> None:
    """List the devices that are near, the nearest first."""
    from pulselet.device.scan import scan as listen

    found = asyncio.run(listen(seconds, adapter=adapter_of(adapter), everything=everything))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
        return
    for one in found:
        typer.echo(f"{one.rssi_dbm:4} dBm  {one.address}  {one.name or '(no name)'}  {', '.join(one.kinds)}")
    if not found:
        typer.echo("nothing heard: is the device on and worn, and not connected to a phone? --all shows the others too")


def record(
    device: Annotated[str, typer.Argument(help="Name or address, as `pulselet scan` shows it.")],
    out: Annotated[Path, typer.Argument(help="The .pulse file to write; it must not be there yet.")],
    signals: Signals = "",
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long; until Ctrl-C if not given.")] = None,
    subject: Annotated[str, typer.Option(help="Who wears it.")] = "",
    labels: Annotated[str, typer.Option(help="Labels for the keys 1, 2, ...: `rest,walk`; 0 ends one.")] = "",
    protocol: Annotated[str, typer.Option(help="Prompt for labels in turn: `rest:60,walk:120`, in s.")] = "",
    setting: PolarSettings = None,
    uart: UartPayload = "",
    movesense: MovesensePaths = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="How long to look for the device, in s.")] = 10.0,
    give_up: Annotated[float, typer.Option(min=0, help="How long to try to reconnect, in s; 0 not at all.")] = 600.0,
    adapter: AdapterName = "",
    as_json: JsonFlag = False,
) -> None:
    """Record a device until Ctrl-C; nothing that has arrived is lost, whatever happens."""
    from rich.console import Console

    from pulselet.cli.keys import labels_of
    from pulselet.cli.tables import finish, show
    from pulselet.device.session import Reconnect, connect

    if out.exists():
        raise RecordingError(f"{out} is there already: name a new file; a recording is never overwritten")
    console = Console(stderr=True)
    given = labels_of(labels, protocol)
    wanted = connect(
        device,
        adapter=adapter_of(adapter),
        timeout_s=timeout,
        reconnect=Reconnect(give_up_s=give_up) if give_up else None,
        sources=sources_of(setting or [], uart, movesense or []),
    )
    lost: PulseletError | None = None
    try:
        asyncio.run(_record(wanted, out, names_of(signals), seconds, subject, given, console))
    except (KeyboardInterrupt, asyncio.CancelledError):  # how a recording is meant to end
        if not out.exists():
            raise typer.Exit(INTERRUPTED) from None
    except PulseletError as error:
        if not out.exists():
            raise
        lost = error
    if out.exists():
        summary = finish(out)
        if not as_json:
            show(console, summary)
        elif lost is None:
            typer.echo(json.dumps(summary))
    if lost is not None:
        console.print(f"what had arrived is kept in {out}", markup=False, highlight=False, soft_wrap=True)
        raise lost


async def _record(
    wanted: Device,
    out: Path,
    names: list[str],
    seconds: float | None,
    subject: str,
    labels: Labels | None,
    console: Console,
) -> None:
    from pulselet.stream.recording import Recording

    _cancelled_by_signals()
    async with wanted as device:
        device.require(*names)
        with Recording.create(out, **({"subject": subject} if subject else {})) as recording:
            if labels is not None:
                seconds = labels.start(recording, console) or seconds
            try:
                await _follow(device, recording, names, seconds, console)
            finally:
                if labels is not None:
                    labels.stop()


def _cancelled_by_signals() -> None:
    """Have a polite kill, or a terminal that is closed, end the recording as Ctrl-C does."""
    task = asyncio.current_task()
    for name in ("SIGTERM", "SIGHUP"):
        if task is not None and hasattr(signal, name):
            with contextlib.suppress(NotImplementedError):  # on Windows
                asyncio.get_running_loop().add_signal_handler(getattr(signal, name), task.cancel)


async def _follow(
    device: Device, recording: Recording, names: list[str], seconds: float | None, console: Console
) -> None:
    with console.status(f"{device.name}: waiting for data (Ctrl-C ends the recording)") as status:
        async for item in device.stream(*names, record=recording, seconds=seconds):
            counts = "  ".join(
                f"{name} {count.received}" + (f" (lost {count.lost})" if count.lost else "")
                for name, count in device.counts.items()
                if count.expected
            )
            battery = device.information.battery_percent
            tail = "" if battery is None else f"  battery {battery} %"
            status.update(f"{device.name}: {device.state.value}  {counts}{tail}  {item.signal.name}")
