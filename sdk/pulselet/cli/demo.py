"""`pulselet demo`."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from pulselet.cli.options import JsonFlag


def demo(
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to, empty or absent; if not given, the next pulselet-demo/N.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, help="Times real time at which the watch replays.")] = 100.0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of training; the recipe's if not given.")] = None,
    disconnect_after: Annotated[
        int | None, typer.Option(min=0, help="Let the watch drop after so many packets, to see what happens.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train on nine people, stream the tenth over Bluetooth, export C, and prove that it agrees. No hardware needed."""
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from pulselet.device.faults import REMOTE_USER, Faults
    from pulselet.recipes import demo as recipe
    from pulselet.recipes import rehab
    from pulselet.recipes.page import table

    epochs = epochs or rehab.EPOCHS
    console = Console(stderr=as_json)
    folder = out or next_folder(Path("pulselet-demo"))
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("training", total=epochs)
        result = recipe.run(
            folder,
            speed=speed,
            epochs=epochs,
            faults=Faults(disconnect={} if disconnect_after is None else {disconnect_after: REMOTE_USER}),
            say=lambda line: bar.console.print(line, markup=False, highlight=False, soft_wrap=True),
            progress=lambda epoch: bar.update(task, completed=epoch, visible=epoch < epochs),
        )
    figures = result.to_dict()
    if as_json:
        typer.echo(json.dumps(figures))
        return
    shown = Table(show_header=False)
    shown.add_column()
    shown.add_column(justify="right")
    for what, much in table(figures):
        shown.add_row(what, much)
    console.print(shown)
    for what in ("page", "bundle", "recording"):
        console.print(f"{what}: {figures[what]}", markup=False, highlight=False, soft_wrap=True)


def next_folder(parent: Path) -> Path:
    """Return the first numbered folder that is not there: nothing is overwritten."""
    return next(folder for number in count(1) if not (folder := parent / str(number)).exists())
