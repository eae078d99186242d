"""What runs leave on the dashboard, as pages of markdown: a sentence, a chart where it helps, tables, links."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flows.evidence import EVIDENCE_HEADINGS, evidence_table
from flows.keeping import pruning_in_words
from flows.limits import LIMIT_HEADINGS, limits_table
from flows.links import run_link, version_link
from flows.markdown import page, table
from flows.night import Night
from flows.pictures import picture
from flows.words import (
    SCORE_HEADINGS,
    STATION_HEADINGS,
    decision_in_words,
    issue_in_words,
    maintenance_in_words,
    night_in_sentences,
    playback_in_words,
    rollback_in_words,
    scores_table,
    span_in_words,
    stations_table,
    training_in_words,
    verification_in_words,
)
from lstm_model.forecasts import Issue, Verification, limit_reliability, verified_skill
from lstm_model.registry import Candidate, Entry, MaintenanceReport, Promotion, charts
from lstm_model.settings import ModelSettings, ServerSettings
from lstm_model.workspace import Workspace

_COLUMN_INCHES = 7.0  # a column of text on the dashboard
_MOST_FANS = 8
_MOST_ROWS = 40
_LEAD_HOURS = 6
_SCORES_IN_WORDS = (
    "MAE and RMSE are the mean and the root mean square error of the median, CRPS is the error of all quantiles: the "
    "less, the better. Skill is 1 − CRPS / persistence's CRPS. The last column says how many readings lay inside the "
    "80 % interval."
)


def training_page(candidate: Candidate, workspace: Workspace) -> str:
    """The version that training brought: links, how it learnt, its scores, and what was set otherwise."""
    server = workspace.settings.server
    parts = [
        f"**{training_in_words(candidate)}**",
        f"{version_link(server, candidate.version)} · {run_link(server, candidate.run_id)}",
    ]
    if candidate.epochs:
        parts.append(picture(charts.learning_curve(candidate.epochs), "Losses by epoch"))
    parts += ["## On the gate's window", _scores(candidate.summary)]
    if changed := _settings_that_differ(workspace):
        parts += ["## Settings that differ from their defaults", changed]
    return page(parts)


def _settings_that_differ(workspace: Workspace) -> str:
    model = workspace.settings.model
    # What nobody set follows the frequency, and differs from nothing.
    usual = ModelSettings(frequency=model.frequency).model_dump() | {"frequency": ModelSettings().frequency}
    rows = [
        (name, str(value), str(usual[name]), workspace.origins.get(f"model.{name}", ""))
        for name, value in model.model_dump().items()
        if value != usual[name]
    ]
    return table(("setting", "value", "default", "said by"), rows, numbers_from=4) if rows else ""


def gate_page(promotion: Promotion, server: ServerSettings) -> str:
    """The gate's decision and its evidence."""
    parts = [f"**{decision_in_words(promotion)}**", f"Rule: `{promotion.decision.rule}`"]
    named = {"challenger": promotion.challenger, "champion": promotion.champion}
    links = [f"{role}: {version_link(server, version)}" for role, version in named.items() if version]
    parts.append(" · ".join(links))
    if promotion.summary is not None:
        parts += ["## On the gate's window, which no model saw", _scores(promotion.summary)]
        if promotion.evidence is not None:
            parts += ["## What else the gate weighed", table(EVIDENCE_HEADINGS, evidence_table(promotion.evidence))]
    return page(parts)


def _scores(summary: pd.DataFrame) -> str:
    return table(["method", *SCORE_HEADINGS.values()], scores_table(summary)) + f"\n\n{_SCORES_IN_WORDS}"


def forecast_page(issue: Issue, recent: pd.DataFrame, server: ServerSettings) -> str:
    """What was issued: the fans of the least certain stations, and the coming day of every one.

    Args:
        issue: what went out.
        recent: readings up to the origin.
        server: where the MLflow UI is.
    """
    rows = issue.forecast
    stations = least_certain(rows)
    parts = [f"**{issue_in_words(issue)}**"]
    if links := [version_link(server, version) for version in sorted(set(rows["model_version"]) - {""}, key=int)]:
        parts.append(f"Issued by {', '.join(links)}.")
    parts += [f"- {fault}" for fault in issue.faults]
    fan = charts.forecast_fan(rows, recent, stations=stations[:_MOST_FANS], width=_COLUMN_INCHES)
    parts.append(picture(fan, "Readings, the median ahead, and its 50, 80 and 90 % intervals"))
    if (more := len(stations) - _MOST_FANS) > 0:
        parts.append(f"These are the {_MOST_FANS} least certain stations; {more} more are in the table.")
    parts += _coming(issue, stations_table(issue, _MOST_ROWS))
    if (left := len(stations) - _MOST_ROWS) > 0:
        parts.append(f"and {left} more stations, in `predictions/latest.csv`")
    if limits := limits_table(rows):
        parts += ["## Limits: the highest chance of passing them", table(LIMIT_HEADINGS, limits[:_MOST_ROWS])]
    return page(parts)


def least_certain(rows: pd.DataFrame) -> list[str]:
    """Stations by how wide their 80 % interval is over the coming day, the widest first."""
    day = rows[rows["lead_hours"] <= 24]
    width = (day["q90"] - day["q10"]).groupby(day["station_id"]).mean()
    return [str(station) for station in width.sort_values(ascending=False, kind="stable").index]


def verification_page(report: Verification, scores: pd.DataFrame, days: int) -> str:
    """What met its truth just now, station by station, and the skill of the last days by lead time.

    Args:
        report: what was scored just now, at least one forecast.
        scores: rows of the scores table, of issues of the last `days` days.
        days: how many.
    """
    parts = [f"**{verification_in_words(report)}**", "## Scored now, the largest errors first", _errors(report.fresh)]
    parts += [f"## By lead time, issues of the last {days} days"]
    parts.append(picture(charts.verified_by_lead(scores), "Mean absolute error by lead time, beside the baselines"))
    parts.append(_by_lead(scores))
    parts.append("Skill is 1 − MAE / persistence's MAE. `nightcast skill --by lead` tells more, with bands.")
    if len(bins := limit_reliability(scores)):
        parts += [f"## Limits, passed as often as forecast? Issues of the last {days} days", _reliability(bins)]
    return page(parts)


def _reliability(bins: pd.DataFrame) -> str:
    """What was forecast of limits beside what came."""
    rows = [
        (f"{row.low:.0%} … {row.high:.0%}", f"{row.forecast:.1%}", f"{row.observed:.1%}", f"{row.n:,}", f"{row.days:,}")
        for row in bins.itertuples()
    ]
    return table(("chance", "mean forecast", "passed", "cases", "issue days"), rows, numbers_from=0)


def _errors(fresh: pd.DataFrame) -> str:
    """Stations by mean absolute error, each with its worst miss."""
    rows = []
    for station, told in fresh.groupby("station_id"):
        worst = told.loc[told["error_c"].abs().idxmax()]
        rows.append((float(told["error_c"].abs().mean()), str(station), told, worst))
    rows.sort(key=lambda row: (-row[0], row[1]))
    cells = [
        (
            station, f"{len(told):,}", f"{mae:.2f}", f"{told['error_c'].mean():+.2f}",
            f"{worst['error_c']:+.1f} for {worst['valid_at']:%Y-%m-%d %H:%M}", f"{told['covered_80'].mean():.0%}",
        )
        for mae, station, told, worst in rows[:_MOST_ROWS]
    ]  # fmt: skip
    headings = ("station", "forecasts", "MAE °C", "bias °C", "worst miss °C, when (UTC)", "inside 80 %")
    more = f"\n\nand {len(rows) - _MOST_ROWS} more stations" if len(rows) > _MOST_ROWS else ""
    return table(headings, cells) + more


def _by_lead(scores: pd.DataFrame) -> str:
    """Errors and skill in spans of leads."""
    spans = scores.assign(lead_hours=np.ceil(scores["lead_hours"] / _LEAD_HOURS) * _LEAD_HOURS)
    headings = ("up to", "forecasts", "MAE °C", "CRPS °C", "skill", "80 % covers")
    rows = [
        (
            f"{row['group']:g} h", f"{row['n']:,}", f"{row['mae']:.2f}", f"{row['crps']:.2f}",
            f"{row['skill_persistence']:+.0%}", f"{row['coverage_80']:.0%}",
        )
        for row in verified_skill(spans, "lead").to_dict(orient="records")
    ]  # fmt: skip
    return table(headings, rows)


def rollback_page(entry: Entry, server: ServerSettings) -> str:
    """Who serves again, who stands by, who asked for it and why."""
    parts = [rollback_in_words(entry), f"Asked for by {entry.who}: {entry.why}."]
    return page([*parts, *([version_link(server, entry.champion)] if entry.champion else [])])


def maintenance_page(report: MaintenanceReport) -> str:
    """What maintenance removed, table by table."""
    rows = [
        (name, f"{upkeep.files_before:,}", f"{upkeep.files_after:,}", f"{upkeep.removed:,}")
        for name, upkeep in report.tables.items()
    ]
    parts = [pruning_in_words(report.pruned), maintenance_in_words(report)]
    return page([*parts, table(("table", "files before", "files after", "old files removed"), rows)])


def night_page(night: Night, server: ServerSettings) -> str:
    """The whole night."""
    parts = [f"# The night of {night.as_of:%Y-%m-%d %H:%M} UTC"]
    if playback := playback_in_words(night):
        parts.append(playback)
    parts.append("\n".join(f"- **{step}**: {sentence}" for step, sentence in night_in_sentences(night).items()))
    links = []
    if night.train is not None:
        links += [version_link(server, night.train.version), run_link(server, night.train.run_id)]
    if night.promote is not None and night.promote.champion:
        links.append(version_link(server, night.promote.champion, f"the champion, version {night.promote.champion}"))
    if links:
        parts.append(" · ".join(links))
    if night.forecast is not None:
        parts += _coming(night.forecast, stations_table(night.forecast))
    return page(parts)


def _coming(issue: Issue, rows: list[tuple[str, ...]]) -> list[str]:
    """The low and the high to come, of the stations in the rows."""
    return [f"## The next {span_in_words(issue)}, UTC", table(STATION_HEADINGS, rows, numbers_from=4)]
