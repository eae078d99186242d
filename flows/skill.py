"""`nightcast skill`: what the verified scores say, for the terminal and for machines."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lstm_model.forecasts import (
    ForecastStore,
    limit_reliability,
    limit_skill,
    rank_histogram,
    revisions,
    verified_skill,
    without_truth,
)
from lstm_model.forecasts.skill import Revisions
from lstm_model.workspace import Workspace

_HEADINGS = {
    "mae": "MAE °C", "crps": "CRPS °C", "coverage_80": "80 % covers", "skill_persistence": "skill: persistence",
    "skill_climatology": "climatology", "skill_damped_anomaly": "damped anomaly",
}  # fmt: skip
_SHARES = ("coverage_80", "skill_persistence", "skill_climatology", "skill_damped_anomaly", "skill_base_rate")


@dataclass(frozen=True)
class SkillReport:
    """Verified skill by group, ranks, revisions, limits, and what waits.

    limits, reliability: of `limit_skill` and `limit_reliability`, without rows where no limit is verified. why_nothing:
    where no forecast is verified yet.
    """

    as_of: pd.Timestamp
    by: str | None
    days: int | None
    table: pd.DataFrame
    ranks: pd.DataFrame
    revisions: Revisions
    limits: pd.DataFrame
    reliability: pd.DataFrame
    missing: int
    waiting: int
    why_nothing: str | None


def skill_report(workspace: Workspace, now: pd.Timestamp, by: str | None, days: int | None) -> SkillReport:
    """What is verified at `now`, of all issues or of those of the last `days` days.

    Raises:
        SettingsError: forecasts cannot be grouped so.
    """
    store = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)
    columns = ["station_id", "issued_at", "valid_at", "lead_hours", "temperature_c", "method", "model_version"]
    issued = _issued_within(store.read_forecasts(columns), now, days)
    scores = _issued_within(store.read_scores(), now, days)
    missing = without_truth(issued, scores, now)
    return SkillReport(
        as_of=now,
        by=by,
        days=days,
        table=verified_skill(scores, by, missing=missing),
        ranks=rank_histogram(scores),
        revisions=revisions(issued),
        limits=limit_skill(scores, by),
        reliability=limit_reliability(scores),
        missing=len(missing),
        waiting=int((issued["valid_at"] > now).sum()),
        why_nothing=_why_nothing(issued, now, days) if scores.empty else None,
    )


def _issued_within(rows: pd.DataFrame, now: pd.Timestamp, days: int | None) -> pd.DataFrame:
    rows = rows[rows["issued_at"] <= now]
    return rows if days is None else rows[rows["issued_at"] > now - pd.Timedelta(days=days)]


def _why_nothing(issued: pd.DataFrame, now: pd.Timestamp, days: int | None) -> str:
    """Why no forecast is verified yet, and what will change that."""
    span = "" if days is None else f" of the last {days} days"
    if issued.empty:
        return f"no forecast{span} is there to verify; `nightcast run` issues one, and later nights verify it"
    first = issued["valid_at"].min()
    if first > now:
        return (
            f"no forecast{span} is verified yet: the first is for {first:%Y-%m-%d %H:%M} UTC; once the readings of "
            "then are in, `nightcast verify` or the next night scores it"
        )
    return (
        f"no forecast{span} is verified yet: the time of {(issued['valid_at'] <= now).sum():,} has passed; "
        "`nightcast verify` or the next night scores those whose readings are in"
    )


def skill_as_data(report: SkillReport) -> dict[str, Any]:
    """For machines; what is not known is null."""
    return {
        "as_of": report.as_of.isoformat(),
        "by": report.by,
        "days": report.days,
        "groups": [_known(row) for row in report.table.to_dict(orient="records")],
        "ranks": [_known(row) for row in report.ranks.to_dict(orient="records")],
        "revisions": _known(asdict(report.revisions)),
        "limits": [_known(row) for row in report.limits.to_dict(orient="records")],
        "reliability": [_known(row) for row in report.reliability.to_dict(orient="records")],
        "missing": report.missing,
        "waiting": report.waiting,
        "why_nothing": report.why_nothing,
    }


def _known(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def print_skill(screen: Console, report: SkillReport) -> None:
    """Print the table with its bands, then ranks, revisions and missing truth in a few lines."""
    if report.why_nothing is not None:
        screen.print(report.why_nothing, highlight=False, markup=False, soft_wrap=True)
        return
    screen.print(_table(report))
    for line in (_ranks_in_words(report.ranks), _revisions_in_words(report.revisions), _missing_in_words(report)):
        screen.print(line, highlight=False, markup=False)
    if len(report.limits):
        screen.print(_limits(report))
        screen.print(_reliability(report.reliability))


def _limits(report: SkillReport) -> Table:
    """How good the probabilities of passing a limit were."""
    title = "Limits: skill is 1 − Brier / that of always saying each limit's base rate, known in hindsight"
    table = Table(box=None, pad_edge=False, header_style="dim", title=title, title_justify="left", title_style="bold")
    for heading in (report.by or "", "limit", "cases", "passed", "base rate", "Brier", "skill"):
        table.add_column(heading, justify="left" if heading in (report.by or "", "limit") else "right")
    for row in report.limits.to_dict(orient="records"):
        table.add_row(
            Text(_named(row["group"], report.by)), row["side"], f"{row['n']:,}", f"{row['passed']:,}",
            f"{row['base_rate']:.1%}", _with_band(row, "brier"), _with_band(row, "skill_base_rate"),
        )  # fmt: skip
    return table


def _reliability(bins: pd.DataFrame) -> Table:
    """What was forecast beside what came; the two are alike where the probabilities are honest."""
    title = "Limits: passed as often as forecast?"
    table = Table(box=None, pad_edge=False, header_style="dim", title=title, title_justify="left", title_style="bold")
    for heading in ("chance", "mean forecast", "passed", "cases", "issue days"):
        table.add_column(heading, justify="right")
    for row in bins.itertuples():
        table.add_row(
            f"{row.low:.0%} … {row.high:.0%}", f"{row.forecast:.1%}", f"{row.observed:.1%}", f"{row.n:,}",
            f"{row.days:,}",
        )  # fmt: skip
    return table


def _table(report: SkillReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in (report.by or "", "cases", "bias °C", *_HEADINGS.values(), "missing"):
        table.add_column(heading, justify="left" if heading == (report.by or "") else "right", overflow="fold")
    for row in report.table.to_dict(orient="records"):
        table.add_row(
            Text(_named(row["group"], report.by)), f"{row['n']:,}", _number("bias", row["bias"]),
            *(Text(_with_band(row, name)) for name in _HEADINGS), f"{row['missing']:,}",
        )  # fmt: skip
    return table


def _named(group: object, by: str | None) -> str:
    match by:
        case "lead":
            return f"{group:g} h"
        case "hour":
            return f"{group:02d}:00 UTC"
    return str(group).replace("_", " ") if by in ("method", "version") else str(group)


def _with_band(row: dict[Any, Any], name: str) -> str:
    """The value with its band, as 1.52 [1.40, 1.66]; without one where there are too few days."""
    value, low, high = (_number(name, row[column]) for column in (name, f"{name}_low", f"{name}_high"))
    return value if low == "–" else f"{value} [{low}, {high}]"


def _number(name: str, value: float) -> str:
    if math.isnan(value):
        return "–"
    if name in _SHARES:
        return f"{value:.0%}" if name == "coverage_80" else f"{value:+.0%}"
    return f"{value:+.2f}" if name == "bias" else f"{value:.4f}" if name == "brier" else f"{value:.2f}"


def _ranks_in_words(ranks: pd.DataFrame) -> str:
    told = (f"{row.between} {row.observed:.0%} ({row.nominal:.0%})" for row in ranks.itertuples())
    return f"truth fell (and should): {', '.join(told)}"


def _revisions_in_words(change: Revisions) -> str:
    if not change.changes:
        return "no time was forecast twice yet, so nothing was revised"
    sentence = f"from one issue to the next a forecast changes by {change.mean_change_c:.2f} °C"
    if not change.times:
        return f"{sentence}; no time was forecast three times yet"
    return f"{sentence}, of which {change.flip_flop_c:.2f} °C are flip-flop (where a time was forecast three times)"


def _missing_in_words(report: SkillReport) -> str:
    return (
        f"{report.missing:,} forecasts have no score although their time has passed: their readings are missing, or "
        f"`nightcast verify` has not run since; {report.waiting:,} wait for their time"
    )
