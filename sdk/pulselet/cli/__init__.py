"""The command line.

Exit status: 0 it went well; 1 it did not; 2 the words were wrong; 3 this computer has no usable Bluetooth; 4 the device
is not there, busy or wants to be paired; 5 the device was lost while it streamed; 130 interrupted.
"""

from __future__ import annotations

import json
import sys

import typer

from pulselet import __version__
from pulselet.cli import data, demo, files, live, virtual
from pulselet.errors import DeviceError, PulseletError

STATUS = {
    **dict.fromkeys(("no-adapter", "off", "permission"), 3),
    **dict.fromkeys(("not-found", "busy", "pairing"), 4),
    **dict.fromkeys(("disconnected", "silent", "stopped"), 5),
}

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Wearable health monitoring with tiny models.")
for command in (
    live.scan,
    live.record,
    files.info,
    files.replay,
    files.convert,
    virtual.virtual,
    demo.demo,
):
    app.command()(command)
app.add_typer(data.app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pulselet {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True)) -> None:
    """Hold the options that stand before every command."""


def main() -> None:
    """Run the command line; an error of ours, or of the file system, becomes one line and an exit status."""
    try:
        app()
    except (PulseletError, OSError) as error:
        reason = error.reason if isinstance(error, DeviceError) else ""
        if "--json" in sys.argv:
            typer.echo(json.dumps({"error": str(error), "reason": reason}))
        else:
            typer.echo(f"pulselet: {error}", err=True)
        sys.exit(STATUS.get(reason, 1))
