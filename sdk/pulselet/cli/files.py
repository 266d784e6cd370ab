"""`pulselet info`, `pulselet replay` and `pulselet convert`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulselet.cli.options import JsonFlag, Signals, names_of

if TYPE_CHECKING:
    from pulselet.stream.block import Block, Gap

RecordingPath = Annotated[Path, typer.Argument(help="A .pulse file.")]


def info(
    path: RecordingPath,
    plot: Annotated[Path | None, typer.Option(help="Draw signals, gaps and labels into this .png file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what is in a recording: signals, rates, gaps, loss, clock, labels; also while it is being written."""
    from rich.console import Console

    from pulselet.cli.tables import figures, show
    from pulselet.stream.recording import Recording

    with Recording.open(path) as recording:
        found = figures(recording)
        if plot is not None:
            from pulselet.stream.plot import picture

            plot.write_bytes(picture(recording))
    if as_json:
        typer.echo(json.dumps(found))
    else:
        show(Console(), found)


def replay(
    path: RecordingPath,
    signals: Signals = "",
    speed: Annotated[float, typer.Option(min=0.001, help="Times real time.")] = 1.0,
    as_json: JsonFlag = False,
) -> None:
    """Play a recording as it once arrived, a line for each block or gap; with --json, values too."""
    asyncio.run(_replay(path, names_of(signals), speed, as_json))


async def _replay(path: Path, names: list[str], speed: float, as_json: bool) -> None:
    from pulselet.device.replay import replay as play

    async with play(path, speed=speed) as device:
        async for item in device.stream(*names):
            typer.echo(json.dumps(_to_dict(item)) if as_json else _line(item))


def _line(item: Block | Gap) -> str:
    from pulselet.stream.block import Block

    if isinstance(item, Block):
        last = "  ".join(f"{value:.4g}" for value in item.values[-1])
        return f"{item.signal.name:12} {item.first:8} to {item.end - 1:<8} {last} {item.signal.unit}"
    lost = "an unknown number of" if item.lost is None else str(item.lost)
    return f"{item.signal.name:12} {item.first:8} {lost} samples missing: {item.reason}"


def _to_dict(item: Block | Gap) -> dict[str, object]:
    from pulselet.stream.block import Block

    if isinstance(item, Block):
        times = {"device_ticks": item.device_ticks, "arrival_ns": item.arrival_ns}
        return {"signal": item.signal.name, "first": item.first, **times, "values": item.values.tolist()}
    return {"signal": item.signal.name, "first": item.first, "lost": item.lost, "reason": item.reason}


def convert(
    source: Annotated[Path, typer.Argument(help="What to read.")],
    target: Annotated[Path, typer.Argument(help="What to write; its suffix says the format. Nothing is overwritten.")],
    signals: Annotated[str, typer.Option(help="Names, with commas between; all if not given.")] = "",
    bits: Annotated[int | None, typer.Option(help="WFDB: 16, 24 or 32 bits for a sample.")] = None,
    discontinuous: Annotated[bool, typer.Option(help="EDF: write EDF+D, which leaves gaps out.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Convert a recording to or from EDF+, BDF+, WFDB, Parquet or CSV, and say what the format could not hold."""
    from pulselet.stream.convert import convert as run

    report = run(source, target, signals=names_of(signals) or None, bits=bits, discontinuous=discontinuous)
    typer.echo(json.dumps(report.to_dict()) if as_json else str(report))
