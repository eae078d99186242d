"""Taking the title from a champion that loses to its predecessor or a baseline, as the gate's own trial proves it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

import pandas as pd

from lstm_model.errors import HistoryTooShort, ModelUnavailable, SettingsError
from lstm_model.evaluation import (
    NO_BETTER,
    Champion,
    Evidence,
    Judgement,
    Title,
    gate_window,
    try_champion,
)
from lstm_model.evaluation.gate import CHAMPION
from lstm_model.network import Forecaster
from lstm_model.readings import ReadingsStore
from lstm_model.registry.promotion_log import DEMOTE, ROLLBACK, Entry, PromotionLog
from lstm_model.registry.shared import outlasting
from lstm_model.registry.succession import (
    PATIENCE,
    PREVIOUS,
    champion_since,
    change_champion,
    finish,
    lease,
    settled_later,
)
from lstm_model.registry.tracking import has_tracking, open_tracking
from lstm_model.registry.tryout import try_forecast
from lstm_model.registry.versions import Version, as_champion, list_versions, load_forecaster, verified_crps
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.promote")


@dataclass(frozen=True)
class Doubt:
    """A version whose forecasts verified badly, and what was verified of them, in a sentence."""

    version: str
    verified: str


@dataclass(frozen=True)
class Demotion:
    """What came of a champion's trial: the judgement, whom it was about, and the log's entry if it was demoted."""

    judgement: Judgement
    champion: str | None
    entry: Entry | None = None


@outlasting
def demote_champion(
    workspace: Workspace, now: pd.Timestamp, *, at: pd.Timestamp, who: str, doubt: Doubt | None = None
) -> Demotion:
    """Let the champion meet its predecessor; one that verified badly stands trial against the baselines, too.

    If it loses, and `[monitor] demote` allows it, its predecessor is champion again if it is fit; else nobody is, and
    the forecast steps down to a baseline. The predecessor must be able to forecast from tonight's readings. A version
    that was demoted stands by nowhere: only `nightcast rollback` brings it back.

    Args:
        workspace: whose champion.
        now: the night that judges.
        at: the clock on the wall, for the promotion log.
        who: asked for it, for the promotion log.
        doubt: what was verified of the champion; another one has not lost. None where it verified well enough.

    Raises:
        NightcastError: another promotion is under way.
    """
    if not has_tracking(workspace):
        return _stays(None, "no_champion", "no version is registered yet")
    client, promotions = open_tracking(workspace), PromotionLog(workspace)
    with lease(workspace, PATIENCE):
        finished = finish(client, promotions)
        if finished is not None and finished.action == DEMOTE:
            return _finished(finished)
        standing = {alias: version for version in list_versions(client) for alias in version.aliases}
        champion, before = standing.get(CHAMPION), standing.get(PREVIOUS)
        if doubt is not None and (champion is None or champion.version != doubt.version):
            return _stays(doubt.version, "not_champion", f"version {doubt.version} is not champion any more")
        if champion is None:
            return _stays(None, "no_champion", "there is no champion")
        if (later := settled_later(promotions, champion, now)) is not None:
            return _stays(champion.version, "past_night", later)
        try:
            judgement, evidence = _judge(workspace, now, promotions, champion, before, doubtful=doubt is not None)
        except (HistoryTooShort, SettingsError) as fault:
            return _stays(champion.version, "no_window", f"nobody can be judged: {fault}")
        if not judgement.demote or evidence is None or not workspace.settings.monitor.demote:
            log.info("version %s stays champion: %s", champion.version, judgement.reason)
            return Demotion(judgement, champion.version)
        to = before.version if judgement.to_predecessor and before is not None else None
        why = judgement.reason if doubt is None else f"{doubt.verified}; {judgement.reason}"
        entry = Entry(at, now, who, DEMOTE, champion.version, to, judgement.rule, why, evidence.as_dict())
        change_champion(client, promotions, entry)
    log.warning("demoted version %s: %s", champion.version, why)
    return Demotion(judgement, champion.version, entry)


def _finished(entry: Entry) -> Demotion:
    """A demotion that was interrupted, and came to its end now."""
    return Demotion(Judgement(True, entry.champion is not None, entry.rule, entry.why), entry.before, entry)


def _judge(
    workspace: Workspace,
    now: pd.Timestamp,
    promotions: PromotionLog,
    champion: Version,
    before: Version | None,
    *,
    doubtful: bool,
) -> tuple[Judgement, Evidence | None]:
    if before is None and not doubtful:
        return Judgement(False, False, NO_BETTER, "it has no predecessor to meet"), None
    settings = workspace.settings
    readings = ReadingsStore(workspace.readings).read(now, covariates=True, ordered=False)
    window = gate_window(readings, settings, now)
    age, stations = now - champion_since(promotions, champion), window.panel.stations
    load = partial(load_forecaster, champion, now)
    holder = as_champion(load, age, settings.model, stations, verified_crps(champion))
    rival = None if before is None else _rival(workspace, before, now, stations)
    title = Title(holder, rival, _came(promotions, champion, settings.gate.window_days))
    return try_champion(window, readings, title, now, settings, doubtful=doubtful)


def _came(promotions: PromotionLog, champion: Version, window_days: int) -> pd.Timestamp | None:
    """The night in which a champion came; None where the log does not tell, as when somebody moved the alias.

    Who put it back by hand knew what the days before had shown, so that one comes once the gate's window lies behind.
    """
    last = promotions.last()
    if last is None or last.champion != champion.version:
        return None
    return last.as_of + pd.Timedelta(days=window_days if last.action == ROLLBACK else 0)


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
