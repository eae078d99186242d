"""What sources would bring, and what lies in quarantine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from flows.commands.terminal import AsJson, Like, app, print_json, screen
from lstm_model.errors import SettingsError, SourceError
from lstm_model.workspace import Workspace

PANEL = "Readings"


@app.command(rich_help_panel=PANEL)
def check(
    what: Annotated[str, typer.Argument(metavar="SOURCE|FILE", help="A source, or a file with readings.")],
    like: Like = None,
    as_json: AsJson = False,
) -> None:
    """Show what ingesting would do, changing nothing: columns, units, zone, counts, reasons, flags.

    Of a source, its first rows are shown that may be new.

    Example: `nightcast check inbox/cellar.csv`
    """
    from flows.clock import wall_clock
    from flows.words import check_as_data
    from lstm_model.readings import check_file, check_source

    workspace, file = Workspace.find(), Path(what)
    if what in workspace.settings.sources and not file.is_file():
        if like is not None:
            raise SettingsError(f"--as {like} says how to read a file, {what} is a source; leave --as out.")
        found = check_source(workspace, what, wall_clock())
    elif file.is_file():
        found = check_file(workspace, file, wall_clock(), like)
    else:
        known = ", ".join(workspace.settings.sources)
        raise SourceError(
            f"{file} is a folder; name a file in it."
            if file.is_dir()
            else f"no file and no source is called {what!r}; configured: {known}."
        )
    if as_json:
        print_json(check_as_data(found))
    else:
        from flows.summary import print_check

        print_check(screen, found)


quarantine = typer.Typer()


app.add_typer(quarantine, name="quarantine", rich_help_panel=PANEL)


@quarantine.callback(invoke_without_command=True)
def list_quarantine(context: typer.Context, as_json: AsJson = False) -> None:
    """List why rows lie in quarantine, with an example of each reason.

    Example: `nightcast quarantine`, and after mending a mapping `nightcast quarantine retry`
    """
    if context.invoked_subcommand is not None:
        return
    from flows.inspection import quarantine_as_data

    rows = quarantine_as_data(Workspace.find())
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("rows", "source", "reason", "for example", "as it came"):
        table.add_column(heading, justify="right" if heading == "rows" else "left", overflow="fold")
    for row in rows:
        table.add_row(f"{row['rows']:,}", *(Text(row[key]) for key in ("source", "reason", "position", "raw")))
    screen.print(table if rows else "no row lies in quarantine")


@quarantine.command()
def retry(
    sources: Annotated[list[str] | None, typer.Argument(metavar="[SOURCE]...", help="All sources if empty.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take quarantined rows in again, once what was wrong with them is mended in nightcast.toml or stations.csv.

    Example: `nightcast quarantine retry cellar`
    """
    from flows.clock import wall_clock
    from flows.progress import progress
    from flows.words import rows_as_data, rows_in_words
    from lstm_model.readings import retry_quarantine

    with progress(screen, quiet=as_json):
        report = retry_quarantine(Workspace.find(), wall_clock(), sources)
    if as_json:
        print_json(rows_as_data(report))
    else:
        screen.print(rows_in_words(report), highlight=False, markup=False)
