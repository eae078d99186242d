"""Dashboards, settings and upkeep."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from flows.commands.terminal import FAILED, AsJson, app, flows_ready, print_json, screen
from lstm_model.errors import NightcastError, SettingsError
from lstm_model.workspace import Workspace

PANEL = "Operation"


@app.command(rich_help_panel=PANEL)
def up(
    detach: Annotated[bool, typer.Option("--detach", help="Return once all is ready; it goes on without us.")] = False,
) -> None:
    """Start the Prefect dashboard, the MLflow UI and the schedules; Ctrl-C stops all of it.

    Tells the two addresses and what runs next, then how flow runs fare. A part that dies is started again. With
    --detach it goes on in the background, and tells `.nightcast/logs/up.log`.

    Example: `nightcast up`, or `nightcast up --detach` and later `nightcast down`
    """
    from flows.switching import go_up

    raise typer.Exit(go_up(Workspace.find(), detach=detach))


@app.command(rich_help_panel=PANEL)
def down() -> None:
    """Stop what `nightcast up` started here; returns once all of it is gone.

    Example: `nightcast down`
    """
    from flows.switching import go_down

    screen.print(go_down(Workspace.find()), highlight=False, markup=False, soft_wrap=True)


@app.command(rich_help_panel=PANEL)
def status(as_json: AsJson = False) -> None:
    """Where this workspace stands: nights lived, readings, champion, newest forecast, servers.

    Example: `nightcast status`
    """
    from flows.inspection import workspace_status

    facts = workspace_status(Workspace.find())
    if as_json:
        print_json(facts)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in facts.items():
        table.add_row(f"[dim]{name.replace('_', ' ')}[/dim]", Text(str(value if value is not None else "none yet")))
    screen.print(table)


@app.command(rich_help_panel=PANEL)
def config(as_json: AsJson = False) -> None:
    """Print every setting, its value, where that came from, and what it means.

    Example: `nightcast config`
    """
    from flows.inspection import settings_with_origins

    rows = settings_with_origins(Workspace.find())
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("setting", "value", "from", "meaning"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(row[name])) for name in ("setting", "value", "from", "meaning")))
    screen.print(table, highlight=False)


@app.command(rich_help_panel=PANEL)
def notify(as_json: AsJson = False) -> None:
    """Send a trial message to whom `[notify]` names; exits with 1 where it does not arrive.

    Example: `nightcast notify`
    """
    from flows.clock import wall_clock
    from flows.events import trial
    from flows.notices import messages_of, send, ways

    workspace = Workspace.find()
    settings = workspace.settings.notify
    named = ways(settings)
    if not named:
        raise SettingsError("nobody is named; write `webhook`, or `smtp` and `to`, under [notify] in nightcast.toml.")
    now = wall_clock()
    left = send(settings, messages_of(settings, trial(), now), now, workspace.home.name, os.environ)
    faults = [fault for _, fault in left]
    if as_json:
        print_json({"sent_by": named, "faults": faults})
    elif not faults:
        screen.print(f"sent by {' and '.join(named)}", highlight=False, markup=False)
    if faults:
        raise NightcastError("; ".join(faults))


@app.command(rich_help_panel=PANEL)
def doctor(as_json: AsJson = False) -> None:
    """Check the machine and the workspace; every finding comes with a remedy. Exits with 1 if something is broken.

    Example: `nightcast doctor`
    """
    from flows.doctor import examine

    findings = examine()
    if as_json:
        print_json([finding.__dict__ for finding in findings])
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        marks = {"ok": "[green]ok[/green]", "warning": "[yellow]warning[/yellow]", "broken": "[red]broken[/red]"}
        for finding in findings:
            remedy = f"\n[dim]─► {escape(finding.remedy)}[/dim]" if finding.remedy else ""
            table.add_row(marks[finding.verdict], finding.subject, f"{escape(finding.found)}{remedy}")
        screen.print(table, highlight=False)
    if any(finding.verdict == "broken" for finding in findings):
        raise typer.Exit(FAILED)


@app.command(rich_help_panel=PANEL)
def maintain(as_json: AsJson = False) -> None:
    """Remove old models as `nightcast prune` does, compact the tables, remove files that nothing names any more.

    A version of the readings that a kept model was trained on stays readable.

    Example: `nightcast maintain`
    """
    from flows.keeping import pruning_as_data, pruning_in_words
    from flows.words import maintenance_in_words

    with flows_ready("maintain", as_json=as_json):
        from flows.maintenance import maintenance_flow

        report = maintenance_flow()
    if as_json:
        print_json({"tables": {name: vars(upkeep) for name, upkeep in report.tables.items()},
                     "kept_versions": report.kept_versions, "pruned": pruning_as_data(report.pruned)})  # fmt: skip
    else:
        screen.print(pruning_in_words(report.pruned), highlight=False)
        screen.print(maintenance_in_words(report), highlight=False)
