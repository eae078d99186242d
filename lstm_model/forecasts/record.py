"""Verified scores go back to MLflow, onto the versions whose forecasts they judge."""

from __future__ import annotations

import logging

import pandas as pd

from lstm_model.errors import first_line
from lstm_model.forecasts.skill import skill_by_day
from lstm_model.forecasts.store import ForecastStore
from lstm_model.registry import has_tracking, list_versions, log_verified, open_tracking
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.verify")


def record_verified(workspace: Workspace) -> tuple[str, ...]:
    """Bring every version's verified scores in MLflow up to what the scores table says; repeating it logs nothing.

    Baselines have no version, and a version that was deleted has nothing to be recorded on. A registry that cannot
    be read or written costs a warning, not the scores. What was issued before a version was trained is of another
    registry's version of that number.

    Returns:
        the versions of which anything was new.
    """
    scores = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest).read_scores()
    by_version = dict(list(scores[scores["model_version"] != ""].groupby("model_version")))
    if not by_version:
        return ()
    until = pd.Timestamp(scores["valid_at"].max())
    try:
        if not has_tracking(workspace):
            return ()
        client = open_tracking(workspace)
        versions = [version for version in list_versions(client) if version.version in by_version]
    except Exception as error:  # a damaged database speaks in many tongues
        log.warning("verified scores are not in the model registry, it cannot be read: %s", first_line(error))
        return ()
    recorded = []
    for version in versions:
        try:
            issued = by_version[version.version]
            own = issued[issued["issued_at"] >= version.lived_at.floor(workspace.settings.model.step)]
            days = skill_by_day(own, version.lived_at)
            if not days.empty and log_verified(client, version, days, until):
                recorded.append(version.version)
        except Exception as error:  # what is wrong with one version must not keep the others from being told
            log.warning("verified scores of version %s cannot be recorded: %s", version.version, first_line(error))
    return tuple(recorded)
