"""Putting an earlier version back as champion, in seconds and by hand."""

from __future__ import annotations

import logging

import pandas as pd
from mlflow import MlflowClient

from lstm_model.errors import NightcastError, SettingsError
from lstm_model.evaluation.gate import CHAMPION
from lstm_model.registry.promotion_log import DEMOTE, ROLLBACK, Entry, PromotionLog
from lstm_model.registry.shared import outlasting
from lstm_model.registry.succession import PREVIOUS, change_champion, finish, lease
from lstm_model.registry.tracking import MODEL, has_tracking, open_tracking
from lstm_model.registry.tryout import try_forecast
from lstm_model.registry.versions import Version, list_versions
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.promote")


@outlasting
def roll_back(
    workspace: Workspace, now: pd.Timestamp, *, at: pd.Timestamp, who: str, to: str | None = None, why: str = ""
) -> Entry:
    """Make an earlier version champion; the one that was champion stands by as `previous`.

    Args:
        workspace: whose champion.
        now: the night; the version must be able to forecast from its readings.
        at: the clock on the wall.
        who: asked for it.
        to: the version; the one `previous` points to, or that was demoted last, when None.
        why: the reason, for the log.

    Returns:
        The entry of the promotion log.

    Raises:
        SettingsError: there is no such version, it is incomplete, or it is champion already.
        ModelUnavailable: it cannot be loaded or has no forecast; nothing was moved.
        NightcastError: nothing to roll back to, or another promotion is under way.
    """
    if not has_tracking(workspace):
        raise NightcastError("no version is registered yet; `nightcast run` lives the first night")
    client, promotions = open_tracking(workspace), PromotionLog(workspace)
    with lease(workspace):
        finished = finish(client, promotions)
        if finished is not None and finished.action == ROLLBACK and to in (None, finished.champion):
            return finished  # the same rollback, asked for again after a kill
        versions = list_versions(client)
        champion = next((version for version in versions if CHAMPION in version.aliases), None)
        chosen = _one_before(promotions, versions) if to is None else _named(client, versions, to)
        if chosen == champion:
            raise SettingsError(
                f"version {chosen.version} is the champion already; `nightcast models` lists the others"
            )
        try_forecast(workspace, chosen, now)
        standing = None if champion is None else champion.version
        entry = Entry(at, now, who, ROLLBACK, standing, chosen.version, "by_hand", why or "put back by hand")
        change_champion(client, promotions, entry)
    log.info("rolled back to version %s", chosen.version)
    return entry


def _one_before(promotions: PromotionLog, versions: list[Version]) -> Version:
    """The version that `previous` points to; after a demotion, which leaves no such alias, the one demoted."""
    last = promotions.last()
    demoted = last.before if last is not None and last.action == DEMOTE else None
    for version in versions:
        if PREVIOUS in version.aliases or version.version == demoted:
            return version
    raise NightcastError("there is no previous champion; name a version: nightcast rollback --to VERSION")


def _named(client: MlflowClient, versions: list[Version], name: str) -> Version:
    for version in versions:
        if version.version == name:
            return version
    known = ", ".join(version.version for version in versions) or "none"
    found = (
        client.search_model_versions(f"name = '{MODEL}' and version_number = {int(name)}") if name.isdecimal() else ()
    )
    if found:
        raise SettingsError(f"version {name} is incomplete, its training was cut off; complete: {known}")
    raise SettingsError(f"there is no version {name!r}; complete: {known}")
