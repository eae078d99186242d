"""Forecasts in the hands of people, and how they did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.terminal import AsJson, AsOf, app, print_json, screen
from lstm_model.errors import SettingsError
from lstm_model.workspace import Workspace

PANEL = "Forecasts and how they did"


@app.command(rich_help_panel=PANEL)
def skill(
    by: Annotated[
        str | None, typer.Option("--by", metavar="GROUP", help="method, version, station, lead, season or hour (UTC).")
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, help="Only issues of the last so many days.")] = None,
    as_json: AsJson = False,
) -> None:
    """How issued forecasts did once their truth came, with 90 % bands.

    Skill is 1 − MAE / the baseline's MAE. Bands come from twelve days of issues on. Then: where truths fell among
    the quantiles, how much forecasts are revised, and how many have no truth although their time has passed. JSON
    is one object: groups, ranks, revisions, missing, waiting; what is not known is null.

    Example: `nightcast skill --by lead --days 90`
    """
    from flows.clock import present
    from flows.skill import print_skill, skill_as_data, skill_report

    workspace = Workspace.find()
    report = skill_report(workspace, present(workspace), by, days)
    if as_json:
        print_json(skill_as_data(report))
    else:
        print_skill(screen, report)


@app.command(rich_help_panel=PANEL)
def report(
    as_of: AsOf = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here; predictions/report.html if empty.")
    ] = None,
) -> None:
    """Write one page of HTML that says what comes, how good that is, and what needs a person; print where it is.

    It needs no network and no server: open it from the disk, or send it to somebody.

    Example: `nightcast report`, or `nightcast report --out today.html`
    """
    from flows.clock import present
    from flows.report import write_report

    workspace = Workspace.find()
    print(write_report(workspace, present(workspace, as_of), out))


@app.command(rich_help_panel=PANEL)
def export(
    out: Annotated[
        str, typer.Option("--out", metavar="FILE", help="Where to: .csv, .parquet or .nc; - is standard output.")
    ] = "-",
    kind: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="csv, parquet or netcdf; by FILE's ending if empty."),
    ] = None,
    issue: Annotated[
        str | None, typer.Option("--issue", metavar="TIME", help="Issued at this time, such as 2013-12-20T23:00Z.")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Issued from then on, or that day.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Issued until then, or that day.")] = None,
    stations: Annotated[
        list[str] | None, typer.Option("--station", metavar="STATION", help="Only this one; may be said repeatedly.")
    ] = None,
    quantiles: Annotated[
        list[float] | None,
        typer.Option("--quantile", metavar="LEVEL", help="Of CSV, instead of the median; repeatedly."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write forecasts as a table for spreadsheets, as Parquet, or as NetCDF by the CF conventions.

    The newest issue, unless another one or a period is asked for. CSV has a row a time, a column a station; Parquet
    and NetCDF hold every quantile, and what made it.

    Example: `nightcast export --out tonight.csv`, or `nightcast export --from 2013-12-01 --to 2013-12-07 --out week.nc`
    """
    from flows.clock import wall_clock
    from flows.exporting import STDOUT, export_as_data, export_in_words, export_to, wanted

    if as_json and out == STDOUT:
        raise SettingsError("--json tells what was written to a file; name it with --out FILE.")
    what = wanted(issue, first, last, stations)
    told = export_to(Workspace.find(), out, what, wall_clock(), kind, quantiles)
    if as_json:
        print_json(export_as_data(told))
    elif out != STDOUT:
        screen.print(export_in_words(told), highlight=False, markup=False, soft_wrap=True)
