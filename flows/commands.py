"""The command line: a flow with a terminal around it. Heavy imports wait until a command needs them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lstm_model.errors import NightcastError, SettingsError, SourceError
from lstm_model.workspace import Workspace

DONE, FAILED, WRONG_USAGE, REFUSED = 0, 1, 2, 3

app = typer.Typer(
    name="nightcast",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Every night, a fleet of temperature sensors gets a freshly trained LSTM that has earned its place, "
    "and a forecast that always goes out.",
    pretty_exceptions_enable=False,
)
screen = Console()

AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="Live at this time, such as 2013-12-20T23:00Z; see nothing later."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text.")]


def main() -> None:
    """Run a command; whatever goes wrong on purpose is one line on standard error."""
    try:
        app()
    except NightcastError as error:
        Console(stderr=True, soft_wrap=True).print(f"nightcast: {error}", style="red", markup=False, highlight=False)
        sys.exit(WRONG_USAGE if isinstance(error, SettingsError | SourceError) else FAILED)


@contextmanager
def _flows(
    command: str,
    as_of: str | None = None,
    as_json: bool = False,
    check: Callable[[Workspace], None] = lambda workspace: None,
) -> Iterator[Workspace]:
    """A workspace ready to run flows in, with their progress on the screen; wrong input fails before they start.

    `command` is who we are to those who wait for us; `check` is asked before and while we wait for others.
    """
    from flows.progress import progress
    from flows.runtime import forgetting_after, start_engine

    workspace = Workspace.find()
    os.environ.update(forgetting_after(workspace.settings.server.history_days))
    if as_of is not None:
        from flows.clock import parse_time

        parse_time(as_of)

    def tell(line: str) -> None:
        Console(stderr=True, soft_wrap=True).print(line, style="dim", markup=False, highlight=False)

    with progress(screen, quiet=as_json):
        start_engine(workspace, f"nightcast {command}", tell, lambda: check(workspace))
        yield workspace


def _print_json(data: Any) -> None:
    print(json.dumps(data, indent=2, default=str))


@app.command()
def run(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Live one whole night now: ingest, verify, monitor, train, promote, forecast.

    Needs no server. With no sources configured it plays the embedded sample, one day a night.

    Example: `nightcast run --as-of 2013-12-20T23:00Z`
    """
    from flows.turns import check_no_night
    from lstm_model.errors import NightFailed

    failure: NightFailed | None = None
    with _flows("run", as_of, as_json, check_no_night) as workspace:
        from flows.nightly import nightly_flow

        try:
            night = _done(nightly_flow(as_of))
        except NightFailed as error:
            night, failure = error.night, error
    from flows.summary import print_night
    from flows.words import night_as_data

    if as_json:
        _print_json(night_as_data(night))
    else:
        print_night(screen, night, workspace)
    if failure is not None:
        raise failure


Like = Annotated[
    str | None,
    typer.Option("--as", metavar="SOURCE", help="Read files as this source's settings say, instead of guessing."),
]


@app.command()
def ingest(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE|FILE]...", help="Sources or files; all sources if empty.")
    ] = None,
    like: Like = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Take readings in; every row ends as new, corrected, unchanged or quarantined.

    A file is read as the source whose path it lies in, else its columns are guessed; `nightcast check FILE` shows how.

    Example: `nightcast ingest cellar` or `nightcast ingest readings.csv --as cellar`
    """
    from flows.words import rows_as_data, rows_in_words

    configured = Workspace.find().settings.sources
    strange = [name for name in what or [] if name not in configured and not Path(name).is_file()]
    if strange:
        raise SourceError(f"no file and no source is called {strange[0]!r}; configured: {', '.join(configured)}.")
    if like is not None and (not what or set(what) & set(configured)):
        raise SettingsError(f"--as {like} says how to read a file; name the file: nightcast ingest FILE --as {like}")
    with _flows("ingest", as_of, as_json) as workspace:
        from flows.clock import wall_clock
        from flows.ingest import ingest_flow
        from lstm_model.readings import IngestReport, ingest_file

        report = IngestReport()
        everything: list[str | None] = [None]
        for name in [*what] if what else everything:
            if name is not None and name not in configured:
                report += ingest_file(workspace, Path(name), wall_clock(), like)
            else:
                report += ingest_flow(as_of, name)
        if as_json:
            _print_json(rows_as_data(report))
        else:
            screen.print(rows_in_words(report), highlight=False, markup=False)


@app.command()
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
        _print_json(check_as_data(found))
    else:
        from flows.summary import print_check

        print_check(screen, found)


quarantine = typer.Typer()
app.add_typer(quarantine, name="quarantine")


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
        _print_json(rows)
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
        _print_json(rows_as_data(report))
    else:
        screen.print(rows_in_words(report), highlight=False, markup=False)


@app.command()
def maintain(as_json: AsJson = False) -> None:
    """Remove old models as `nightcast prune` does, compact the tables, remove files that nothing names any more.

    A version of the readings that a kept model was trained on stays readable.

    Example: `nightcast maintain`
    """
    from flows.keeping import pruning_as_data, pruning_in_words
    from flows.words import maintenance_in_words

    with _flows("maintain", as_json=as_json):
        from flows.maintenance import maintenance_flow

        report = maintenance_flow()
    if as_json:
        _print_json({"tables": {name: vars(upkeep) for name, upkeep in report.tables.items()},
                     "kept_versions": report.kept_versions, "pruned": pruning_as_data(report.pruned)})  # fmt: skip
    else:
        screen.print(pruning_in_words(report.pruned), highlight=False)
        screen.print(maintenance_in_words(report), highlight=False)


@app.command()
def train(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Train a fresh candidate, backtest it and register it as challenger.

    Example: `nightcast train`
    """
    with _flows("train", as_of, as_json):
        from flows.train import train_flow
        from flows.words import training_as_data, training_in_words

        candidate = _done(train_flow(as_of))
        if as_json:
            _print_json(training_as_data(candidate))
        else:
            screen.print(training_in_words(candidate), highlight=False, markup=False)


@app.command()
def promote(
    as_of: AsOf = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show decision and evidence; change nothing.")] = False,
    approve: Annotated[
        str | None, typer.Option("--approve", metavar="VERSION", help="Say yes to this version, which awaits approval.")
    ] = None,
    reject: Annotated[str | None, typer.Option("--reject", metavar="VERSION", help="Say no to it.")] = None,
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="The reason, for the promotion log.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge the challenger; exits with 3 where it is not promoted.

    With `approval = "human"` a terminal shows the evidence and asks. Without one, and with --json, the challenger
    awaits approval, which --approve or --reject give it.

    Example: `nightcast promote --dry-run`, then `nightcast promote`, or `nightcast promote --approve 12 --why "fit"`
    """
    if dry_run:
        _rehearse(as_of, as_json)
        return
    version, answer, why = _asked_first(as_of, as_json, approve, reject, why)
    with _flows("promote", as_of, as_json):
        from flows.promote import promote_flow
        from flows.words import decision_in_words, promotion_as_data

        promotion = _done(promote_flow(as_of, None, version, answer, why))
        if as_json:
            _print_json(promotion_as_data(promotion))
        else:
            screen.print(decision_in_words(promotion), highlight=False, markup=False)
    if not promotion.decision.promote:
        raise typer.Exit(REFUSED)


def _asked_first(
    as_of: str | None, as_json: bool, approve: str | None, reject: str | None, why: str | None
) -> tuple[str | None, str | None, str | None]:
    """Version, answer and reason, as the options give them or somebody at the terminal does; no run waits for one."""
    if approve is None and reject is None and why is None and Workspace.find().settings.gate.approval == "auto":
        return None, None, None
    from flows.answers import LATER, ask_here, given_answer, somebody_is_there
    from flows.clock import present
    from lstm_model.registry import rehearse_promotion

    version, answer = given_answer(approve, reject, why)
    if answer is None and not as_json and somebody_is_there(screen):
        workspace = Workspace.find()
        asked = rehearse_promotion(workspace, present(workspace, as_of))
        if asked.awaits_approval:
            return (asked.challenger, *ask_here(screen, asked))
    return version, answer or LATER, why


def _rehearse(as_of: str | None, as_json: bool) -> None:
    """`promote --dry-run`: no flow, which would leave a run behind."""
    from flows.clock import present
    from flows.summary import scores
    from flows.words import promotion_as_data, rehearsal_in_words
    from lstm_model.registry import rehearse_promotion

    workspace = Workspace.find()
    promotion = rehearse_promotion(workspace, present(workspace, as_of))
    if as_json:
        _print_json(promotion_as_data(promotion) | {"dry_run": True})
    else:
        screen.print(rehearsal_in_words(promotion), highlight=False, markup=False)
        if promotion.summary is not None:
            screen.print(scores(promotion.summary))
    if not promotion.decision.promote:
        raise typer.Exit(REFUSED)


@app.command()
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
        _print_json(entry.as_dict())
    else:
        screen.print(rollback_in_words(entry), highlight=False, markup=False)


@app.command()
def forecast(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Forecast every station with the best method that can serve it.

    Example: `nightcast forecast`
    """
    with _flows("forecast", as_of, as_json) as workspace:
        from flows.forecast import forecast_flow
        from flows.summary import print_forecast
        from flows.words import issue_as_data

        issue = _done(forecast_flow(as_of))
    if as_json:
        _print_json(issue_as_data(issue))
        return
    print_forecast(screen, issue)
    screen.print(f"[dim]every lead and quantile:[/dim] {workspace.latest.relative_to(workspace.home)}")


@app.command()
def verify(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Score every issued forecast whose truth has come.

    Example: `nightcast verify`, then `nightcast skill`
    """
    with _flows("verify", as_of, as_json):
        from flows.verify import verify_flow
        from flows.words import verification_as_data, verification_in_words

        report = verify_flow(as_of)
        if as_json:
            _print_json(verification_as_data(report))
        else:
            screen.print(verification_in_words(report), highlight=False)


@app.command()
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
        _print_json(skill_as_data(report))
    else:
        print_skill(screen, report)


@app.command()
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
        _print_json(export_as_data(told))
    elif out != STDOUT:
        screen.print(export_in_words(told), highlight=False, markup=False, soft_wrap=True)


@app.command()
def monitor(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """What every rule of `[monitor]` says: skill, calibration, drift, silent stations, late data. Changes nothing.

    A rule is raised once it was breached tonight and on enough of the nights before; every night looks, tells what is
    new, and puts a champion whose skill is too low on trial.

    Example: `nightcast monitor`
    """
    from flows.clock import present
    from flows.findings import findings_as_data, print_findings
    from lstm_model.monitoring import monitor as look

    workspace = Workspace.find()
    findings = look(workspace, present(workspace, as_of))
    if as_json:
        _print_json(findings_as_data(findings))
    else:
        print_findings(screen, findings)


@app.command()
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


@app.command()
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
        _print_json(outcome_as_data(outcome))
    else:
        print_outcome(screen, outcome, str(past.folder.relative_to(workspace.home)))


@app.command()
def status(as_json: AsJson = False) -> None:
    """Where this workspace stands: nights lived, readings, champion, newest forecast, servers.

    Example: `nightcast status`
    """
    from flows.inspection import workspace_status

    facts = workspace_status(Workspace.find())
    if as_json:
        _print_json(facts)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in facts.items():
        table.add_row(f"[dim]{name.replace('_', ' ')}[/dim]", Text(str(value if value is not None else "none yet")))
    screen.print(table)


@app.command()
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
    from flows.inspection import versions_as_data

    rows = versions_as_data(Workspace.find())
    if as_json:
        _print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("version", "aliases", "night", "MAE °C", "CRPS °C", "skill", "verified MAE °C", "decision"):
        table.add_column(heading)
    for row in rows:
        verified = "–" if row["verified_mae"] is None else f"{row['verified_mae']:.2f}"
        decision = f"{row['decision']}: {row['reason']}" if row["reason"] else row["decision"]
        table.add_row(
            row["version"], ", ".join(row["aliases"]), row["night"], f"{row['mae']:.2f}", f"{row['crps']:.2f}",
            f"{row['skill']:+.1%}", verified, Text(decision),
        )  # fmt: skip
    screen.print(table if rows else "no version yet; `nightcast run` lives the first night")


def _list_changes(as_json: bool) -> None:
    """`models --log`: the promotion log, the newest entry first."""
    from flows.inspection import promotions_as_data

    rows = promotions_as_data(Workspace.find())
    if as_json:
        _print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("at", "who", "action", "champion", "rule", "why"):
        table.add_column(heading, overflow="fold", no_wrap=heading not in ("who", "why"))
    for row in rows:
        at, champion = row["at"][:16].replace("T", " "), f"{row['from'] or '–'} ─► {row['to'] or '–'}"
        table.add_row(*map(Text, (f"{at}Z", row["who"], row["action"], champion, row["rule"], row["why"])))
    screen.print(table if rows else "the champion never changed")


@app.command()
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
        _print_json(reproduction_as_data(outcome))
    else:
        screen.print(reproduction_in_words(outcome), highlight=False, markup=False, soft_wrap=True)
    if not outcome.identical:
        raise typer.Exit(FAILED)


@app.command()
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
        _print_json(pruning_as_data(outcome))
    else:
        screen.print(pruning_in_words(outcome, dry_run=dry_run), highlight=False, markup=False, soft_wrap=True)


@app.command()
def config(as_json: AsJson = False) -> None:
    """Print every setting, its value, where that came from, and what it means.

    Example: `nightcast config`
    """
    from flows.inspection import settings_with_origins

    rows = settings_with_origins(Workspace.find())
    if as_json:
        _print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("setting", "value", "from", "meaning"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(row[name])) for name in ("setting", "value", "from", "meaning")))
    screen.print(table, highlight=False)


@app.command()
def notify(as_json: AsJson = False) -> None:
    """Send a trial message to whom `[notify]` names; exits with 1 where it does not arrive.

    Example: `nightcast notify`
    """
    from flows.clock import wall_clock
    from flows.events import trial
    from flows.notices import send

    workspace = Workspace.find()
    settings = workspace.settings.notify
    ways = [name for name, address in (("webhook", settings.webhook), ("mail", settings.smtp)) if address]
    if not ways:
        raise SettingsError("nobody is named; write `webhook`, or `smtp` and `to`, under [notify] in nightcast.toml.")
    faults = send(settings, trial(), wall_clock(), workspace.home.name, os.environ)
    if as_json:
        _print_json({"sent_by": ways, "faults": faults})
    elif not faults:
        screen.print(f"sent by {' and '.join(ways)}", highlight=False, markup=False)
    if faults:
        raise NightcastError("; ".join(faults))


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check the machine and the workspace; every finding comes with a remedy. Exits with 1 if something is broken.

    Example: `nightcast doctor`
    """
    from flows.doctor import examine

    findings = examine()
    if as_json:
        _print_json([finding.__dict__ for finding in findings])
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        marks = {"ok": "[green]ok[/green]", "warning": "[yellow]warning[/yellow]", "broken": "[red]broken[/red]"}
        for finding in findings:
            remedy = f"\n[dim]─► {escape(finding.remedy)}[/dim]" if finding.remedy else ""
            table.add_row(marks[finding.verdict], finding.subject, f"{escape(finding.found)}{remedy}")
        screen.print(table, highlight=False)
    if any(finding.verdict == "broken" for finding in findings):
        raise typer.Exit(FAILED)


@app.command()
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


@app.command()
def down() -> None:
    """Stop what `nightcast up` started here; returns once all of it is gone.

    Example: `nightcast down`
    """
    from flows.switching import go_down

    screen.print(go_down(Workspace.find()), highlight=False, markup=False, soft_wrap=True)


def _done(outcome: Any) -> Any:
    """The outcome, unless the step was skipped: then it was not done, and the command says so."""
    from flows.night import Skipped

    if isinstance(outcome, Skipped):
        raise NightcastError(outcome.reason)
    return outcome
