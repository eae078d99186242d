"""A night, and its steps one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.terminal import REFUSED, AsJson, AsOf, Like, app, done, flows_ready, print_json, screen
from lstm_model.errors import SettingsError, SourceError
from lstm_model.workspace import Workspace

PANEL = "A night and its steps"


@app.command(rich_help_panel=PANEL)
def run(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Live one whole night now: ingest, verify, monitor, train, promote, forecast.

    Needs no server. With no sources configured it plays the embedded sample, one day a night.

    Example: `nightcast run --as-of 2013-12-20T23:00Z`
    """
    from flows.turns import check_no_night
    from lstm_model.errors import NightFailed

    failure: NightFailed | None = None
    with flows_ready("run", as_of, as_json, check_no_night) as workspace:
        from flows.nightly import nightly_flow

        try:
            night = done(nightly_flow(as_of))
        except NightFailed as error:
            night, failure = error.night, error
    from flows.summary import print_night
    from flows.words import night_as_data

    if as_json:
        print_json(night_as_data(night))
    else:
        print_night(screen, night, workspace)
    if failure is not None:
        raise failure


@app.command(rich_help_panel=PANEL)
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
    with flows_ready("ingest", as_of, as_json) as workspace:
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
            print_json(rows_as_data(report))
        else:
            screen.print(rows_in_words(report), highlight=False, markup=False)


@app.command(rich_help_panel=PANEL)
def verify(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Score every issued forecast whose truth has come.

    Example: `nightcast verify`, then `nightcast skill`
    """
    with flows_ready("verify", as_of, as_json):
        from flows.verify import verify_flow
        from flows.words import verification_as_data, verification_in_words

        report = verify_flow(as_of)
        if as_json:
            print_json(verification_as_data(report))
        else:
            screen.print(verification_in_words(report), highlight=False)


@app.command(rich_help_panel=PANEL)
def monitor(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """What every rule of `[monitor]` says: skill, calibration, drift, silent stations, late data. Changes nothing.

    A rule is raised once it was breached tonight and on enough of the nights before. Every night looks and tells what
    is new; it also lets the champion meet its predecessor, and puts one whose skill is too low on trial.

    Example: `nightcast monitor`
    """
    from flows.clock import present
    from flows.findings import findings_as_data, print_findings
    from lstm_model.monitoring import monitor as look

    workspace = Workspace.find()
    findings = look(workspace, present(workspace, as_of))
    if as_json:
        print_json(findings_as_data(findings))
    else:
        print_findings(screen, findings)


@app.command(rich_help_panel=PANEL)
def train(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Train a fresh candidate, backtest it and register it as challenger.

    Example: `nightcast train`
    """
    with flows_ready("train", as_of, as_json):
        from flows.train import train_flow
        from flows.words import training_as_data, training_in_words

        candidate = done(train_flow(as_of))
        if as_json:
            print_json(training_as_data(candidate))
        else:
            screen.print(training_in_words(candidate), highlight=False, markup=False)


@app.command(rich_help_panel=PANEL)
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
    with flows_ready("promote", as_of, as_json):
        from flows.promote import promote_flow
        from flows.words import decision_in_words, promotion_as_data

        promotion = done(promote_flow(as_of, None, version, answer, why))
        if as_json:
            print_json(promotion_as_data(promotion))
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
    from flows.summary import print_judgement
    from flows.words import promotion_as_data, rehearsal_in_words
    from lstm_model.registry import rehearse_promotion

    workspace = Workspace.find()
    promotion = rehearse_promotion(workspace, present(workspace, as_of))
    if as_json:
        print_json(promotion_as_data(promotion) | {"dry_run": True})
    else:
        screen.print(rehearsal_in_words(promotion), highlight=False, markup=False)
        print_judgement(screen, promotion)
    if not promotion.decision.promote:
        raise typer.Exit(REFUSED)


@app.command(rich_help_panel=PANEL)
def forecast(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Forecast every station with the best method that can serve it.

    Example: `nightcast forecast`
    """
    with flows_ready("forecast", as_of, as_json) as workspace:
        from flows.forecast import forecast_flow
        from flows.summary import print_forecast
        from flows.words import issue_as_data

        issue = done(forecast_flow(as_of))
    if as_json:
        print_json(issue_as_data(issue))
        return
    print_forecast(screen, issue)
    screen.print(f"[dim]every lead and quantile:[/dim] {workspace.latest.relative_to(workspace.home)}")
