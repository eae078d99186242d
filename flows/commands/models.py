"""Versions: which there are, which serves, and what others would have done."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from flows.commands.terminal import FAILED, AsJson, app, print_json, screen
from lstm_model.workspace import Workspace

PANEL = "Models"


@app.command(rich_help_panel=PANEL)
def models(
    changes: Annotated[bool, typer.Option("--log", help="List every change of champion instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the registered versions: aliases, scores, age and why each was or was not promoted.

    Example: `nightcast models --json`, or `nightcast models --log`
    """
    if changes:
        _list_changes(as_json)
        return
    from flows.clock import present
    from flows.inspection import days_since, versions_as_data

    workspace = Workspace.find()
    rows, now = versions_as_data(workspace), present(workspace)
    if as_json:
        print_json(rows)
        return
    if not rows:
        screen.print("no version yet; `nightcast run` lives the first night")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("version", "aliases", "night", "age", "MAE", "CRPS", "skill", "verified", "decision"):
        table.add_column(heading, no_wrap=heading != "decision")
    for row in rows:
        verified = "–" if row["verified_mae"] is None else f"{row['verified_mae']:.2f}"
        table.add_row(
            row["version"], ", ".join(row["aliases"]), row["night"], days_since(row["night"], now),
            f"{row['mae']:.2f}", f"{row['crps']:.2f}", f"{row['skill']:+.1%}", verified, Text(row["decision"]),
        )  # fmt: skip
    screen.print(table)
    screen.print("\nMAE and CRPS on the gate's window, and the MAE verified since, in °C.", style="dim")
    for row in rows:
        if row["reason"]:  # under the table: a column of its own would be a few letters wide
            screen.print(f"version {row['version']}: {row['reason']}", highlight=False, markup=False)


def _list_changes(as_json: bool) -> None:
    """`models --log`: the promotion log, the newest entry first."""
    from flows.inspection import promotions_as_data

    rows = promotions_as_data(Workspace.find())
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("at", "who", "action", "champion", "rule", "why"):
        table.add_column(heading, overflow="fold", no_wrap=heading not in ("who", "why"))
    for row in rows:
        at, champion = row["at"][:16].replace("T", " "), f"{row['from'] or '–'} ─► {row['to'] or '–'}"
        table.add_row(*map(Text, (f"{at}Z", row["who"], row["action"], champion, row["rule"], row["why"])))
    screen.print(table if rows else "the champion never changed")


@app.command(rich_help_panel=PANEL)
def rollback(
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="This version; the previous champion if empty.")
    ] = None,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the promotion log.")] = "",
    as_json: AsJson = False,
) -> None:
    """Put an earlier version back as champion, in seconds; the next forecast uses it. Needs no server.

    The version is loaded and asked for a forecast first. The one that was champion becomes `previous`, so that a
    second rollback undoes the first.

    Example: `nightcast rollback`, or `nightcast rollback --to 12`
    """
    from flows.account import account
    from flows.clock import present, wall_clock
    from flows.events import of_rollback
    from flows.telling import announce
    from flows.words import rollback_in_words
    from lstm_model.registry import roll_back

    workspace = Workspace.find()
    entry = roll_back(workspace, present(workspace), at=wall_clock(), who=account(), to=to, why=why)
    announce(workspace, *of_rollback(entry), in_flow=False)
    if as_json:
        print_json(entry.as_dict())
    else:
        screen.print(rollback_in_words(entry), highlight=False, markup=False)


@app.command(rich_help_panel=PANEL)
def reproduce(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Number of a version, or an alias.")],
    as_json: AsJson = False,
) -> None:
    """Train a version again from its lineage and compare every byte; exits with 1 unless all are the same.

    Tells what is not as it was: code, packages, processor, readings. Registers nothing.

    Example: `nightcast reproduce champion`
    """
    from flows.keeping import reproduction_as_data, reproduction_in_words
    from flows.progress import progress
    from lstm_model.registry import reproduce as train_again

    with progress(screen, quiet=as_json):
        outcome = train_again(Workspace.find(), version)
    if as_json:
        print_json(reproduction_as_data(outcome))
    else:
        screen.print(reproduction_in_words(outcome), highlight=False, markup=False, soft_wrap=True)
    if not outcome.identical:
        raise typer.Exit(FAILED)


@app.command(rich_help_panel=PANEL)
def replay(
    first: Annotated[str, typer.Option("--from", metavar="TIME", help="The first night, or its day.")],
    last: Annotated[str, typer.Option("--to", metavar="TIME", help="The last night, or its day.")],
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Nights in training at once; one a processor by default.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew instead of going on where it was cut off.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Live past nights again under four policies, and score them side by side.

    Every night sees only what had arrived by then; where readings came with a load of history, what had been
    observed. Policies: the gate's, always promote, never retrain, and the best baseline in hindsight. The workspace
    is only read; the replay lives in `replays/` inside it, and goes on where it was cut off.

    Example: `nightcast replay --from 2013-10-01 --to 2013-12-30`
    """
    from flows.clock import parse_day
    from flows.replay import outcome_as_data, print_outcome, replay_progress
    from lstm_model.replay import Replay, nights_between

    workspace = Workspace.find()
    nights = nights_between(parse_day(first), parse_day(last, end=True), workspace.settings)
    model = workspace.settings.model
    at_once = max(1, (os.cpu_count() or 1) // model.threads) if model.device == "cpu" else 1
    past = Replay(workspace, nights, jobs or at_once)
    if fresh:
        past.remove()
    with replay_progress(screen, len(nights), quiet=as_json) as tell:
        outcome = past.live(tell)
    if as_json:
        print_json(outcome_as_data(outcome))
    else:
        print_outcome(screen, outcome, str(past.folder.relative_to(workspace.home)))


@app.command(rich_help_panel=PANEL)
def prune(
    keep: Annotated[int, typer.Option("--keep", min=0, help="So many of the newest versions stay.")] = 30,
    days: Annotated[int, typer.Option("--days", min=1, help="What is younger stays.")] = 90,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would go, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove old versions with their runs and files; a version goes only if it is old by both count and age.

    Champion, previous, challenger and what was promoted within these days stay. What killed trainings left goes
    after a day.

    Example: `nightcast prune --dry-run`
    """
    from flows.clock import wall_clock
    from flows.keeping import pruning_as_data, pruning_in_words
    from lstm_model.registry import prune as remove_old

    outcome = remove_old(Workspace.find(), wall_clock(), keep=keep, days=days, dry_run=dry_run)
    if as_json:
        print_json(pruning_as_data(outcome))
    else:
        screen.print(pruning_in_words(outcome, dry_run=dry_run), highlight=False, markup=False, soft_wrap=True)
