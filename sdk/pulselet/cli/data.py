"""`pulselet data`: which public data sets there are, what is known of them, and whether they are here and intact."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pulselet.cli.options import JsonFlag
from pulselet.errors import DatasetError

if TYPE_CHECKING:
    from pulselet_datasets.card import Card
    from pulselet_datasets.checking import Verdict
    from pulselet_datasets.fetching import Progress

app = typer.Typer(no_args_is_help=True, help="Public data sets: list, show, fetch and verify them.")

SetName = Annotated[str, typer.Argument(help="A name of `pulselet data list`.")]
Folder = Annotated[
    Path | None,
    typer.Option(help="Where the files are; else under $PULSELET_DATA, or in the cache that `fetch` fills."),
]
LICENCES = {"Open Data Commons Attribution License v1.0": "ODC-By 1.0"}  # short names for the list
COLUMNS = ("name", "title", "subjects", "MB", "licence", "here")
LEAST = 20  # characters of a title, however narrow the terminal
LISTED = 20  # files that are named one by one before the rest is only counted


@app.command("list")
def list_sets(as_json: JsonFlag = False) -> None:
    """List the sets: what they are, how large, under which licence, and where they are if they are here."""
    from pulselet_datasets import registry

    rows = [_row(name) for name in registry.names()]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    lines = [_cells(row) for row in rows if "error" not in row]
    table = Table(box=None, pad_edge=False)
    room = console.width
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in ("subjects", "MB") else "left", no_wrap=True)
        room -= 0 if column == "title" else 2 + max(len(cell) for cell in (column, *(line[column] for line in lines)))
    for line in lines:
        title = line["title"]
        line["title"] = title if len(title) <= room else f"{title[: max(room, LEAST) - 1].rstrip()}…"
        table.add_row(*line.values())
    console.print(table, markup=False)
    for row in rows:
        if "error" in row:
            typer.echo(f"{row['name']}: {row['error']}")


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what stands in a line of the list, by column: "?" for a size that is not known."""
    made = row["here"] and not row["folder"]  # by a model, from no file
    licence = LICENCES.get(row["licence"], row["licence"])
    return {
        "name": row["name"],
        "title": row["title"],
        "subjects": str(row["subjects"]),
        "MB": f"{row['bytes'] / 1e6:.1f}" if row["bytes"] else "" if made else "?",
        "licence": re.split(r" \(|[;,] ", licence)[0],
        "here": "yes" if row["here"] else "no",
    }


def _row(name: str) -> dict[str, Any]:
    from pulselet_datasets import places, registry

    try:
        card = registry.entry(name).card
    except DatasetError as error:
        return {"name": name, "error": str(error)}
    place = places.home(card)
    return {
        "name": card.name,
        "title": card.title,
        "subjects": len(card.subjects),
        "bytes": card.bytes,
        "licence": card.licence,
        "here": place is not None or not (card.folder or card.package),
        "folder": None if place is None else str(place),
    }


@app.command()
def show(name: SetName, as_json: JsonFlag = False) -> None:
    """Show the card of a set: sensors, rates, labels, subjects, splits, licence, citation, traps."""
    from pulselet_datasets import places, registry

    card = registry.entry(name).card
    place = places.home(card)
    if as_json:
        typer.echo(json.dumps({**card.to_dict(), "here": None if place is None else str(place)}))
        return
    for line in _lines(card):
        typer.echo(line)
    typer.echo(f"here: {place if place else 'comes without files' if not (card.folder or card.package) else 'no'}")


def _lines(card: Card) -> Iterator[str]:
    yield f"{card.name}: {card.title}"
    yield f"what: {card.what}"
    yield f"who: {card.who}"
    yield f"sensors: {', '.join(card.sensors)}"
    yield f"rates: {', '.join(f'{signal} {rate:g} Hz' for signal, rate in card.rates.items())}"
    yield from (f"labels {kind}: {what}" for kind, what in card.labels.items())
    yield f"subjects: {len(card.subjects)}"
    yield from (f"split {name}: {split}" for name, split in card.splits.items())
    yield f"licence: {card.licence}{f' ({card.licence_url})' if card.licence_url else ''}"
    yield f"cite: {card.citation}"
    if card.archive or card.url:
        yield f"from: {card.archive or card.url}"
    sums = f", SHA-256 of {len(card.checksums)} {card.checksums_origin}".rstrip() if card.checksums else ""
    size = f"{card.bytes / 1e6:.1f} MB, " if card.bytes else "size not known, " if card.files else ""
    yield f"files: {size}{len(card.files)} files{sums}"
    if card.manual:
        yield f"how to get it: {card.manual}"
    yield from (f"note: {note}" for note in card.notes)


@app.command()
def fetch(
    name: SetName,
    folder: Folder = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence that `data show` prints; else it is asked.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Download what is absent or damaged of a set, after its licence is accepted; a cut download goes on."""
    from pulselet_datasets import fetching, registry

    card = registry.entry(name).card
    if card.folder:
        fetching.may_fetch(card)
    if not accept_licence and card.folder:
        accept_licence = _accepted(card, folder, as_json)
    elif not as_json and card.folder:
        typer.echo(_terms(card, folder))
    with _progress() as progress:
        done = fetching.fetch(name, folder, accept_licence=accept_licence, progress=progress)
    typer.echo(json.dumps(done.to_dict()) if as_json else str(done))


def _terms(card: Card, folder: Path | None) -> str:
    from pulselet_datasets import fetching

    return f"{fetching.terms(card)}\nto: {fetching.goal(card, folder)}"


def _accepted(card: Card, folder: Path | None, as_json: bool) -> bool:
    """Show the terms and ask, if there is somebody to ask."""
    if as_json or not sys.stdin.isatty():
        return False
    typer.echo(_terms(card, folder))
    return typer.confirm("Do you accept the licence?")


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Yield what shows how far each file is, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("waiting", total=None)

        def tell(path: str, done: int, total: int | None) -> None:
            shown.update(task, description=path, completed=done, total=total)

        yield tell


@app.command()
def verify(
    name: Annotated[str, typer.Argument(help="A name of `pulselet data list`; all that are here if not given.")] = "",
    folder: Folder = None,
    complete: Annotated[bool, typer.Option("--complete", help="Absent files are a failure, too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say of each file whether it is intact, damaged, absent, or of a kind that nobody gave a checksum for.

    Exit status 0 if what is there is intact.
    """
    if folder is not None and not name:
        raise typer.BadParameter("--folder wants the name of a set")
    found = _verdicts(name, folder)
    holds = all(one.holds(complete=complete) for one in found)
    if as_json:
        typer.echo(json.dumps({"intact": holds, "sets": [one.to_dict() for one in found]}))
    else:
        for one in found:
            _tell(one)
        if not found:
            typer.echo("no set is here: name one, set PULSELET_DATA, or fetch one")
    if not holds:
        raise typer.Exit(1)


def _verdicts(name: str, folder: Path | None) -> list[Verdict]:
    """Return what is found of the named set, or of all that are here and can be loaded."""
    from pulselet_datasets import checking, registry

    if name:
        return [checking.verify(name, folder)]
    here = [row["name"] for row in map(_row, registry.names()) if row.get("folder")]
    return [checking.verify(one) for one in here]


def _tell(verdict: Verdict) -> None:
    typer.echo(f"{verdict}{f'; in {verdict.folder}' if verdict.folder else ''}")
    for status in ("damaged", "absent", "unknown"):
        files = [file for file in verdict.files if file.status == status]
        for file in files[:LISTED]:
            typer.echo(f"  {status}: {file.path}{f': {file.note}' if file.note else ''}")
        if len(files) > LISTED:
            typer.echo(f"  {status}: {len(files) - LISTED} more; --json lists all")
