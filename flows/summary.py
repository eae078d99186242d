"""The end of `nightcast run`: a summary that a person likes to read."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.evidence import EVIDENCE_HEADINGS, evidence_table
from flows.limits import LIMIT_HEADINGS, limits_table
from flows.night import Night
from flows.words import (
    SCORE_HEADINGS,
    STATION_HEADINGS,
    balance_in_words,
    flags_in_words,
    night_in_sentences,
    playback_in_words,
    reasons_of,
    scores_table,
    span_in_words,
    stations_table,
)
from lstm_model.evaluation import Evidence
from lstm_model.forecasts import Issue
from lstm_model.readings import FileCheck
from lstm_model.registry import Promotion
from lstm_model.workspace import Workspace

_MOST_LIMITS = 12


def print_night(screen: Console, night: Night, workspace: Workspace) -> None:
    """Print what the night did, who is champion, tomorrow's forecast, and where to look next."""
    screen.print()
    screen.rule(f"[bold]The night of {night.as_of:%Y-%m-%d %H:%M} UTC[/bold]", align="left")
    if playback := playback_in_words(night):
        screen.print(playback, style="dim")
    screen.print()
    steps = Table(box=None, show_header=False, pad_edge=False)
    steps.add_column(style="bold", no_wrap=True)
    steps.add_column(justify="right", style="dim", no_wrap=True)
    steps.add_column(overflow="fold")
    for step, sentence in night_in_sentences(night).items():
        colour = "red" if step in night.failed else "yellow" if step in night.skipped else "default"
        steps.add_row(step, f"{night.seconds.get(step, 0):.1f} s", Text(sentence, style=colour))
    screen.print(steps, highlight=False)
    if night.promote is not None and night.promote.summary is not None:
        screen.print(scores(night.promote.summary))
    if night.forecast is not None:
        print_forecast(screen, night.forecast)
        for fault in night.forecast.faults:
            screen.print(f"  {fault}", style="dim", highlight=False, markup=False)
    _print_where_to_look(screen, night, workspace)


def scores(summary: object) -> Table:
    """Champion, challenger and baselines on the gate's window."""
    table = Table(
        title="On the gate's window, the newest days, which no model saw", title_justify="left", title_style="bold"
    )
    table.add_column("method")
    for heading in SCORE_HEADINGS.values():
        table.add_column(heading, justify="right")
    for row in scores_table(summary):
        table.add_row(*row, style="bold" if row[0] in ("challenger", "champion") else None)
    return table


def print_judgement(screen: Console, promotion: Promotion) -> None:
    """Print what the gate weighed: scores on its window and, where it got that far, all else."""
    if promotion.summary is not None:
        screen.print(scores(promotion.summary))
        if promotion.evidence is not None:
            screen.print(_evidence(promotion.evidence))


def _evidence(evidence: Evidence) -> Table:
    """What else the gate weighed."""
    table = Table(*EVIDENCE_HEADINGS, title="What else the gate weighed", title_justify="left", title_style="bold")
    for row in evidence_table(evidence):
        table.add_row(*map(Text, row))
    return table


def print_forecast(screen: Console, issue: Issue) -> None:
    """Print the coming day of every station and, where there are limits, how likely they are passed."""
    screen.print(stations(issue))
    if rows := limits_table(issue.forecast):
        title = "Limits, and the highest chance of passing them"
        table = Table(*LIMIT_HEADINGS, title=title, title_justify="left", title_style="bold")
        for row in rows[:_MOST_LIMITS]:
            table.add_row(*map(Text, row))
        if (more := len(rows) - _MOST_LIMITS) > 0:
            table.caption = f"and {more} more limits"
        screen.print(table)


def stations(issue: Issue) -> Table:
    """The coming day of every station, or as far as is forecast where readings are few a day."""
    issued_at = issue.forecast["issued_at"].iloc[0]
    table = Table(
        title=f"The {span_in_words(issue)} from {issued_at:%Y-%m-%d %H:%M} UTC",
        title_justify="left",
        title_style="bold",
    )
    for heading in STATION_HEADINGS:
        table.add_column(heading)
    rows = stations_table(issue)
    for row in rows:
        table.add_row(*map(Text, row))
    more = issue.forecast["station_id"].nunique() - len(rows)
    if more > 0:
        table.caption = f"and {more} more stations"
    return table


def print_check(screen: Console, check: FileCheck) -> None:
    """Print how a file was understood, what would become of its rows, and the settings that say so."""
    screen.print(Text.assemble(("understood as ", "dim"), check.understood_as))
    if check.every is not None:
        screen.print(Text.assemble(("speaks every   ", "dim"), check.every))
    balance = balance_in_words(check.rows_in, check.counts, len(check.quarantined))
    screen.print(Text.assemble(("would become  ", "dim"), balance))
    for reason, count in reasons_of(check.quarantined).items():
        example = check.quarantined[check.quarantined["reason"] == reason].iloc[0]
        screen.print(
            Text(f"  {count:,} × {reason}, for example {example['position']}: {example['raw']}", style="yellow")
        )
    for name, count in check.nulled.items():
        screen.print(Text(f"  {count:,} × {name} left out as implausible", style="yellow"))
    if flags := flags_in_words(check.flags):
        screen.print(Text(f"  {flags}", style="yellow"))
    screen.print()
    table = Table(title="The first rows as they would be kept", title_justify="left", title_style="bold")
    hidden = ("month", "source", "ingested_at")
    columns = [column for column in check.rows.columns if column not in hidden]
    for column in columns:
        table.add_column(column, justify="left" if column in ("station_id", "observed_at") else "right")
    for _, row in check.rows.head(8).iterrows():
        table.add_row(*(Text(_cell(row[column])) for column in columns))
    screen.print(table)
    if not check.toml:
        return
    title = Text.assemble("\n", ("The same, said in nightcast.toml", "bold"), (f" (source {check.source})", "dim"))
    screen.print(title)
    screen.print(Text(check.toml))


def _cell(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%MZ}"
    return "" if value != value else f"{value:.2f}" if isinstance(value, float | np.floating) else str(value)


def _print_where_to_look(screen: Console, night: Night, workspace: Workspace) -> None:
    screen.print("\n[bold]Where to look next[/bold]")
    places = Table(box=None, show_header=False, pad_edge=False)
    if night.forecast is not None:
        places.add_row("every lead and quantile", Text(str(workspace.latest.relative_to(workspace.home))))
    if workspace.report.is_file():
        places.add_row("the report, a page for people", Text(str(workspace.report.relative_to(workspace.home))))
    if night.promote is not None and night.promote.awaits_approval:
        places.add_row(Text(f"version {night.promote.challenger} awaits your yes or no"), "nightcast promote")
    places.add_row("Prefect dashboard and MLflow UI", "nightcast up   (make up)")
    places.add_row("versions and why they were promoted", "nightcast models")
    if night.plays_sample:
        places.add_row("your own readings", Text(f"[source.NAME] in {workspace.home / 'nightcast.toml'}"))
    screen.print(places, highlight=False)
