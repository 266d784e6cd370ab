"""The command line."""

from __future__ import annotations

import sys

import typer

from pulselet import __version__
from pulselet.errors import PulseletError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Wearable health monitoring with tiny models.")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pulselet {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True)) -> None:
    """Hold the options that stand before every command."""


def main() -> None:
    """Run the command line; one of our own errors becomes one line and exit status 1."""
    try:
        app()
    except PulseletError as error:
        typer.echo(f"pulselet: {error}", err=True)
        sys.exit(1)
