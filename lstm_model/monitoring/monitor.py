"""Tonight's findings of a workspace."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pandas as pd
import pyarrow.dataset as ds

from lstm_model.errors import first_line
from lstm_model.forecasts import ForecastStore
from lstm_model.forecasts.store import micros
from lstm_model.monitoring import inputs, verified
from lstm_model.monitoring.finding import Finding
from lstm_model.monitoring.verified import Reign
from lstm_model.readings import ReadingsStore
from lstm_model.readings.usual import Usual, UsualFile
from lstm_model.registry import Entry, PromotionLog, find_version, has_tracking, open_tracking
from lstm_model.settings import Settings
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.monitor")

_JITTER = pd.Timedelta("15min")
"""A night that is told to begin at two begins some seconds later; it changed the champion after it had watched."""


def monitor(workspace: Workspace, now: pd.Timestamp) -> tuple[Finding, ...]:
    """What every rule says at `now`: of the fleet and the champion always, of stations where it is raised or was.

    Keeps nothing: what it says of a night follows from scores, readings and the promotion log as they are known then.

    Args:
        workspace: where they are.
        now: the night; nothing observed later is looked at.

    Returns:
        The raised ones first. Empty where there is nothing to look at yet.
    """
    settings = workspace.settings
    readings = ReadingsStore(workspace.readings).read(
        now,
        since=now - pd.Timedelta(days=inputs.days_needed(settings.monitor)),
        columns=inputs.COLUMNS,
        ordered=False,
    )
    usual = UsualFile.read(workspace.usual).usual
    return findings_of(_scores(workspace, now), readings, now, _reigns(workspace, now), usual, settings)


def findings_of(
    scores: pd.DataFrame,
    readings: pd.DataFrame,
    now: pd.Timestamp,
    reigns: tuple[Reign, Reign],
    usual: Mapping[str, Usual],
    settings: Settings,
) -> tuple[Finding, ...]:
    """What every rule says, the raised ones first, then those just cleared.

    Args:
        scores: recent rows of the scores table.
        readings: recent usable readings, with `ingested_at`.
        now: the night.
        reigns: who is champion, and who was when last night was watched.
        usual: what is usual at each station.
        settings: of the workspace.
    """
    found = [
        *verified.verified_findings(scores, now, *reigns, settings.monitor),
        *inputs.input_findings(readings, now, usual, settings.model.step, settings.monitor),
    ]
    return tuple(sorted(found, key=lambda one: (not one.raised, not one.newly_cleared)))


def _scores(workspace: Workspace, now: pd.Timestamp) -> pd.DataFrame:
    """Scores of the days that are looked at; files of other days are not opened."""
    settings = workspace.settings
    since = now - pd.Timedelta(days=verified.days_needed(settings.monitor))
    first = since - settings.model.horizon_time - pd.Timedelta("1D")  # an issue of then is valid until later
    wanted = (ds.field("issue_date") >= f"{first:%Y-%m-%d}") & (ds.field("issue_date") <= f"{now:%Y-%m-%d}")
    wanted &= (ds.field("valid_at") > micros(since)) & (ds.field("valid_at") <= micros(now))
    store = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)
    return store.read_scores(list(verified.COLUMNS), where=wanted)


def _reigns(workspace: Workspace, now: pd.Timestamp) -> tuple[Reign, Reign]:
    """Who is champion tonight, and who was when last night was watched; nobody where the registry cannot be read."""
    entries = [entry for entry in PromotionLog(workspace).entries() if entry.as_of <= now]
    try:
        champion = find_version(open_tracking(workspace), "champion") if has_tracking(workspace) else None
    except Exception as error:  # a damaged database speaks in many tongues
        log.warning("the champion is not watched, the model registry cannot be read: %s", first_line(error))
        return Reign(), Reign()
    step = workspace.settings.model.step
    tonight = _reign_of(None if champion is None else champion.version, entries, step)
    last_night = now - pd.Timedelta("1D") - _JITTER
    earlier = [entry for entry in entries if entry.as_of < last_night]
    changed = [entry for entry in entries if last_night <= entry.as_of < now]
    return tonight, _reign_of(changed[0].before, earlier, step) if changed else tonight


def _reign_of(champion: str | None, entries: list[Entry], step: pd.Timedelta) -> Reign:
    """A champion, and since when it is one by the log's entries; its first forecast is of the step that began then."""
    came = [entry.as_of for entry in entries if entry.champion == champion]
    return Reign(champion, came[-1].floor(step) if came and champion is not None else None)
