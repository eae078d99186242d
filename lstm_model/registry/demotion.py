"""Taking the title from a champion that is doubted, if the gate's own trial proves it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

import pandas as pd

from lstm_model.errors import ModelUnavailable
from lstm_model.evaluation import Champion, Evidence, Judgement, gate_window, retry_champion
from lstm_model.evaluation.gate import CHAMPION
from lstm_model.network import Forecaster
from lstm_model.readings import ReadingsStore
from lstm_model.registry.promotion_log import DEMOTE, Entry, PromotionLog
from lstm_model.registry.shared import outlasting
from lstm_model.registry.succession import PREVIOUS, champion_since, change_champion, finish, lease, settled_later
from lstm_model.registry.tracking import has_tracking, open_tracking
from lstm_model.registry.tryout import try_forecast
from lstm_model.registry.versions import Version, as_champion, list_versions, load_forecaster, verified_crps
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.promote")


@dataclass(frozen=True)
class Demotion:
    """What came of a champion's trial: the judgement, whom it was about, and the log's entry if it was demoted."""

    judgement: Judgement
    champion: str | None
    entry: Entry | None = None


@outlasting
def demote_champion(
    workspace: Workspace, now: pd.Timestamp, *, at: pd.Timestamp, who: str, doubt: str, champion: str
) -> Demotion:
    """Hold the trial of a champion that verified badly; demote it if something else is significantly better.

    Its predecessor is champion again if it is fit; else nobody is, and the forecast steps down to a baseline. The
    predecessor must be able to forecast from tonight's readings. A version that was demoted stands by nowhere: only
    `nightcast rollback` brings it back.

    Args:
        workspace: whose champion.
        now: the night that judges.
        at: the clock on the wall, for the promotion log.
        who: asked for it, for the promotion log.
        doubt: what was verified of it, in a sentence.
        champion: the version that this was verified of; another one has not lost.

    Raises:
        HistoryTooShort: there is too little history to judge on.
        NightcastError: another promotion is under way.
    """
    if not has_tracking(workspace):
        return _stays(None, "no_champion", "no version is registered yet")
    client, promotions = open_tracking(workspace), PromotionLog(workspace)
    with lease(workspace):
        finished = finish(client, promotions)
        if finished is not None and (finished.action, finished.before) == (DEMOTE, champion):
            return _finished(finished)
        standing = {alias: version for version in list_versions(client) for alias in version.aliases}
        doubted, before = standing.get(CHAMPION), standing.get(PREVIOUS)
        if doubted is None or doubted.version != champion:
            return _stays(champion, "not_champion", f"version {champion} is not champion any more")
        if (later := settled_later(promotions, doubted, now)) is not None:
            return _stays(champion, "past_night", later)
        judgement, evidence = _judge(workspace, now, champion_since(promotions, doubted), doubted, before)
        if not judgement.demote or evidence is None:
            log.info("version %s stays champion: %s", champion, judgement.reason)
            return Demotion(judgement, champion)
        to = before.version if judgement.to_predecessor and before is not None else None
        why = f"{doubt}; {judgement.reason}"
        entry = Entry(at, now, who, DEMOTE, champion, to, judgement.rule, why, evidence.as_dict())
        change_champion(client, promotions, entry)
    log.warning("demoted version %s: %s", champion, why)
    return Demotion(judgement, champion, entry)


def _finished(entry: Entry) -> Demotion:
    """A demotion that was interrupted, and came to its end now."""
    return Demotion(Judgement(True, entry.champion is not None, entry.rule, entry.why), entry.before, entry)


def _judge(
    workspace: Workspace,
    now: pd.Timestamp,
    since: pd.Timestamp,
    doubted: Version,
    before: Version | None,
) -> tuple[Judgement, Evidence | None]:
    settings = workspace.settings
    readings = ReadingsStore(workspace.readings).read(now, covariates=True, ordered=False)
    window = gate_window(readings, settings, now)
    stations = window.panel.stations
    champion = as_champion(
        partial(load_forecaster, doubted, now), now - since, settings.model, stations, verified_crps(doubted)
    )
    if champion.forecaster is None:  # the forecast has stepped down already, and the next fit challenger follows
        return Judgement(False, False, "champion_unusable", f"the champion cannot serve ({champion.fault})"), None
    rival = None if before is None else _rival(workspace, before, now, stations)
    level = settings.monitor.significance
    return retry_champion(window, champion, rival, now, settings.model.horizon, settings.gate, level)


def _rival(workspace: Workspace, version: Version, now: pd.Timestamp, stations: tuple[str, ...]) -> Forecaster | None:
    """The predecessor, if it can forecast from tonight's readings."""
    try:
        try_forecast(workspace, version, now)
    except ModelUnavailable as error:
        log.warning("the predecessor is no rival: %s", error)
        return None
    loaded: Champion = as_champion(
        partial(load_forecaster, version, now), pd.Timedelta(0), workspace.settings.model, stations
    )
    return loaded.forecaster


def _stays(champion: str | None, rule: str, reason: str) -> Demotion:
    return Demotion(Judgement(False, False, rule, reason), champion)
