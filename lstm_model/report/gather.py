"""Reading a workspace for its report; whatever is missing there is missing on the page, which says so."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pandas as pd
import pyarrow.dataset as ds

from lstm_model.errors import SettingsError, first_line
from lstm_model.forecasts import ForecastStore, limit_reliability
from lstm_model.forecasts.limits import UNWATCHED
from lstm_model.forecasts.store import KEY, SCORES_SCHEMA, micros, of_issues
from lstm_model.readings import Quarantine, ReadingsStore
from lstm_model.readings.stations import Stations
from lstm_model.registry import AWAITING, PromotionLog, has_tracking, list_versions, open_tracking
from lstm_model.registry.lineage import git_commit
from lstm_model.report.data import Finding, Judged, ReportData
from lstm_model.report.findings import own_findings
from lstm_model.report.health import station_health
from lstm_model.report.verified import by_lead, calibration, coverage
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.report")

DAYS = 30
_DAY = pd.Timedelta("1D")
_PAST = pd.Timedelta("3D")
_LATEST_VERSIONS = 7
_SCORES = [name for name in SCORES_SCHEMA.names if name not in ("method", "model_version")]


def gather(
    workspace: Workspace, now: pd.Timestamp, written_at: pd.Timestamp, findings: Sequence[Finding] = ()
) -> ReportData:
    """Everything that a report of this workspace tells.

    Args:
        workspace: which; it is only read.
        now: nothing that was issued or observed later is told.
        written_at: stamped onto the page.
        findings: what others found that needs a person, beside what the tables themselves show.
    """
    settings = workspace.settings
    step, horizon = settings.model.step, settings.model.horizon_time
    forecasts = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)
    readings = ReadingsStore(workspace.readings)
    names, faults = _names(workspace)
    issue = forecasts.newest_issue(until=now)
    scores = forecasts.read_scores(_SCORES, where=_issued(now - pd.Timedelta(days=DAYS), now))
    a_day = min(max(_DAY, 6 * step), horizon)
    late_after = None if settings.plays_sample else pd.Timedelta(hours=settings.notify.late_hours)
    since = (now if issue.empty else issue["issued_at"].iloc[0]) - max(_PAST, 1.5 * horizon)
    data = ReportData(
        fleet=workspace.home.name,
        now=now,
        written_at=written_at,
        zone=settings.schedule.timezone,
        step=step,
        limit_probability=settings.notify.limit_probability,
        plays_sample=settings.plays_sample,
        names=names,
        issue=issue,
        recent=readings.read(now, since=since),
        yesterday=_yesterday(forecasts, scores, now, a_day),
        usual_mae_c=float(scores["error_c"][scores["lead_hours"] <= a_day / pd.Timedelta("1h")].abs().mean()),
        days=DAYS,
        scored=len(scores),
        by_lead=by_lead(scores, horizon),
        calibration=calibration(scores),
        coverage=coverage(scores),
        limit_calibration=_limits(scores),
        changes=tuple(change for change in PromotionLog(workspace).entries() if change.as_of <= now),
        judged=_judged(workspace, now),
        health=station_health(readings, now, step, late_after),
        quarantine=_quarantine(workspace),
        code=git_commit(),
    )
    return own_findings(data, [*findings, *faults])


def _yesterday(store: ForecastStore, scores: pd.DataFrame, now: pd.Timestamp, a_day: pd.Timedelta) -> pd.DataFrame:
    """The first day of the issue that was newest a day ago, as far as its truth has come."""
    then = scores["issued_at"][scores["issued_at"] <= now - a_day].max()
    if pd.isna(then) or then < now - 2 * a_day - _DAY:
        return pd.DataFrame()
    told = scores[(scores["issued_at"] == then) & (scores["lead_hours"] <= a_day / pd.Timedelta("1h"))]
    issue = store.read_forecasts(where=of_issues([then]))
    known = [*KEY, "observed_c", "error_c", "covered_80"]
    return issue.merge(told[known], on=KEY).sort_values(["station_id", "lead_hours"], ignore_index=True)


def _issued(since: pd.Timestamp, until: pd.Timestamp) -> ds.Expression:
    """Rows of issues after one time and not after another, found without opening the files of other days."""
    day = ds.field("issue_date") >= f"{since:%Y-%m-%d}"
    return day & (ds.field("issued_at") > micros(since)) & (ds.field("issued_at") <= micros(until))


def _names(workspace: Workspace) -> tuple[dict[str, str], list[Finding]]:
    try:
        known = Stations.read(workspace.home).known
    except SettingsError as error:
        return {}, [Finding(f"{UNWATCHED.capitalize()}: {error}", urgent=True)]
    return {key: station.name for key, station in known.items() if station.name}, []


def _judged(workspace: Workspace, now: pd.Timestamp) -> tuple[Judged, ...] | None:
    """The newest versions and those that await an answer, as the gate judged them; None where MLflow cannot be read."""
    try:
        if not has_tracking(workspace):
            return ()
        versions = list_versions(open_tracking(workspace))
    except Exception as error:  # a damaged database speaks in many tongues
        log.warning("the report does not tell of versions, the model registry cannot be read: %s", first_line(error))
        return None
    known = [version for version in versions if version.lived_at <= now]
    told = [one for place, one in enumerate(known) if place < _LATEST_VERSIONS or one.decision == AWAITING]
    return tuple(
        Judged(version.version, version.lived_at, version.decision, version.reason, "champion" in version.aliases)
        for version in told
    )


def _limits(scores: pd.DataFrame) -> pd.DataFrame | None:
    """How often limits were passed beside what was forecast; None where no forecast was held against one."""
    told = limit_reliability(scores)
    return None if told.empty else told


def _quarantine(workspace: Workspace) -> dict[str, int]:
    counts = Quarantine(workspace.quarantine).rows()["reason"].value_counts()
    return {str(reason): int(count) for reason, count in counts.items()}
