"""Judging tonight's challenger on fresh evidence, and moving the aliases if it has earned it."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
from mlflow import MlflowClient

from lstm_model.errors import ModelUnavailable
from lstm_model.evaluation import Backtest, Champion, Decision, Evidence, decide, gate_window, hold_trial
from lstm_model.evaluation.gate import CHALLENGER, CHAMPION
from lstm_model.readings import ReadingsStore
from lstm_model.registry.approval import (
    AWAITING_APPROVAL,
    Answer,
    Approval,
    ask_first,
    left_waiting,
    outdated,
    say_yes,
    standing_decision,
)
from lstm_model.registry.card import SCORES_FILE
from lstm_model.registry.promotion_log import PROMOTE, Entry, PromotionLog
from lstm_model.registry.shared import outlasting
from lstm_model.registry.succession import (
    PATIENCE,
    aliases_after,
    champion_since,
    change_champion,
    finish,
    lease,
    settled_later,
    standing_aliases,
    tag_decision,
    unfinished,
)
from lstm_model.registry.tracking import MODEL, has_tracking, open_tracking, takes_notes
from lstm_model.registry.tryout import try_forecast
from lstm_model.registry.versions import Version, as_champion, list_versions, load_forecaster, verified_crps
from lstm_model.settings import ModelSettings
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.promote")


@dataclass(frozen=True)
class Promotion:
    """The decision, what it rests on, and who is champion afterwards."""

    decision: Decision
    challenger: str | None
    champion_before: str | None
    champion: str | None
    summary: pd.DataFrame | None
    evidence: Evidence | None = None

    @property
    def awaits_approval(self) -> bool:
        """The gate would promote it, and a person has to say yes first."""
        return self.decision.rule == AWAITING_APPROVAL


@outlasting
def promote_challenger(
    workspace: Workspace,
    now: pd.Timestamp,
    *,
    at: pd.Timestamp | None = None,
    who: str = "promote",
    answer: Answer | None = None,
) -> Promotion:
    """Judge the challenger against the champion and the baselines; promote it if the gate says so.

    Where a person has to approve, nothing moves without their yes. A yes is judged anew: the gate has to say the same
    by now, of the version that was shown. A no needs no trial.

    Args:
        workspace: where readings and models are.
        now: the night that judges.
        at: the clock on the wall, for the promotion log; the night itself when None.
        who: asked for it, for the promotion log; a yes is its person's.
        answer: what came of asking a person.

    Raises:
        HistoryTooShort: there is too little history to judge on.
        NightcastError: another promotion is under way; an answer waits for it to end.
    """
    client, promotions = open_tracking(workspace), PromotionLog(workspace)
    with lease(workspace, 0.0 if answer is None else PATIENCE):
        finished = finish(client, promotions)
        if answer is not None and answer.no is not None:
            promotion = _refuse(client, answer, answer.no)
        else:
            promotion = _judge(workspace, client, promotions, now)
            if finished is not None and finished.action == PROMOTE and promotion.decision.rule == "no_challenger":
                promotion = _finished(finished)
            else:
                promotion = _with_a_person(workspace, client, promotion, answer)
            if promotion.decision.rule == "already_champion":  # somebody moved `champion` by hand
                client.delete_registered_model_alias(MODEL, CHALLENGER)
            elif promotion.evidence is not None:
                _settle(client, promotions, promotion, now, at or now, who if answer is None else answer.who)
        for version, told in left_waiting(list_versions(client), standing_aliases(client).get(CHALLENGER)):
            tag_decision(client, version, told, None)
    _say(promotion)
    return promotion


def _say(promotion: Promotion) -> None:
    verb = "promoted" if promotion.decision.promote else "not promoted"
    log.info("%s: %s", "awaits approval" if promotion.awaits_approval else verb, promotion.decision.reason)


def _refuse(client: MlflowClient, answer: Answer, refusal: Decision) -> Promotion:
    """Write a person's no, or nobody's yes, onto the version that it is of; no other one is concerned."""
    aliases = standing_aliases(client)
    champion, challenger = aliases.get(CHAMPION), aliases.get(CHALLENGER)
    known = answer.version in {version.version for version in list_versions(client)}
    standing = standing_decision(client, answer.version) if known else None
    waits = standing is not None and standing.rule == AWAITING_APPROVAL
    if waits or (standing is None and answer.version == challenger):
        tag_decision(client, answer.version, refusal, None)
    elif standing is not None and not standing.promote:
        if standing.rule == refusal.rule:  # the same no, and a kill may have come between its tags
            tag_decision(client, answer.version, standing, None)
        refusal = standing  # it was refused before this came
    else:
        refusal = outdated(answer.version, challenger, champion)
    return Promotion(refusal, answer.version, champion, champion, None)


def _with_a_person(
    workspace: Workspace, client: MlflowClient, promotion: Promotion, answer: Answer | None
) -> Promotion:
    """What becomes of the gate's decision where people have a say, or had one."""
    challenger, before = promotion.challenger, promotion.champion_before
    if answer is not None and answer.version != challenger:
        return Promotion(outdated(answer.version, challenger, before), answer.version, before, before, None)
    if challenger is None or promotion.evidence is None:
        return promotion
    standing = standing_decision(client, challenger)
    if isinstance(answer, Approval):
        decision = say_yes(promotion.decision, standing, answer)
    else:
        asked = workspace.settings.gate.approval == "human"
        decision = ask_first(promotion.decision, standing, people_decide=asked)
    return replace(promotion, decision=decision, champion=challenger if decision.promote else before)


def rehearse_promotion(workspace: Workspace, now: pd.Timestamp) -> Promotion:
    """What `promote_challenger` would decide, changing nothing.

    Raises:
        HistoryTooShort: there is too little history to judge on.
    """
    if not has_tracking(workspace):
        return _no_challenger(None)
    client = open_tracking(workspace)
    return _with_a_person(workspace, client, _judge(workspace, client, PromotionLog(workspace), now), None)


def _finished(entry: Entry) -> Promotion:
    """A promotion that was interrupted, and came to its end now."""
    decision = Decision(True, entry.rule, entry.why)
    return Promotion(decision, entry.champion, entry.before, entry.champion, None)


def _no_challenger(standing: str | None) -> Promotion:
    decision = Decision(False, "no_challenger", "there is no challenger to judge; `nightcast train` makes one")
    return Promotion(decision, None, standing, standing, None)


def _judge(workspace: Workspace, client: MlflowClient, promotions: PromotionLog, now: pd.Timestamp) -> Promotion:
    """Compare and decide; writes nothing."""
    challenger, champion = _contestants(client, promotions)
    standing = champion.version if champion else None
    if challenger is None:
        return _no_challenger(standing)
    if standing == challenger.version:
        decision = Decision(False, "already_champion", f"version {challenger.version} is the champion already")
        return Promotion(decision, challenger.version, standing, standing, None)
    if (why := settled_later(promotions, champion, now)) is not None:
        return Promotion(Decision(False, "past_night", why), challenger.version, standing, standing, None)

    since = None if champion is None else champion_since(promotions, champion)
    evidence, backtest = _blank_evidence(), None
    try:
        evidence, backtest = _gather(workspace, now, challenger, champion, since)
        decision = decide(evidence, workspace.settings.gate)
        if decision.promote:
            try_forecast(workspace, challenger, now)
    except ModelUnavailable as error:
        decision = Decision(False, "challenger_unusable", f"the challenger cannot serve ({error})")
    after = challenger.version if decision.promote else standing
    summary = None if backtest is None else backtest.summary()
    return Promotion(decision, challenger.version, standing, after, summary, evidence)


def _contestants(client: MlflowClient, promotions: PromotionLog) -> tuple[Version | None, Version | None]:
    """Challenger and champion, as the log's last entry leaves them."""
    aliases = standing_aliases(client)
    if (entry := unfinished(client, promotions)) is not None:
        aliases = aliases_after(entry, aliases)
    versions = {version.version: version for version in list_versions(client)}
    return versions.get(aliases.get(CHALLENGER, "")), versions.get(aliases.get(CHAMPION, ""))


def _settle(
    client: MlflowClient,
    promotions: PromotionLog,
    promotion: Promotion,
    now: pd.Timestamp,
    at: pd.Timestamp,
    who: str,
) -> None:
    """Keep the numbers; a refusal is written onto the version, a promotion into the log, and all else follows."""
    challenger, decision, evidence, summary = (
        promotion.challenger, promotion.decision, promotion.evidence, promotion.summary,
    )  # fmt: skip
    assert challenger is not None and evidence is not None
    if summary is not None:  # a dict replaces what an earlier judgement left; a table would be appended to
        run_id = client.get_model_version(MODEL, challenger).run_id
        if takes_notes(client, run_id):
            client.log_dict(run_id, summary.reset_index().to_dict(orient="split", index=False), SCORES_FILE)
    numbers = evidence.as_dict()
    if not decision.promote:
        tag_decision(client, challenger, decision, numbers)
        return
    before = promotion.champion_before
    entry = Entry(at, now, who, PROMOTE, before, challenger, decision.rule, decision.reason, numbers)
    change_champion(client, promotions, entry)


def _gather(
    workspace: Workspace,
    now: pd.Timestamp,
    challenger: Version,
    champion: Version | None,
    since: pd.Timestamp | None,
) -> tuple[Evidence, Backtest]:
    """Both models and the baselines on the gate's window.

    Raises:
        ModelUnavailable: the challenger cannot be loaded.
    """
    settings = workspace.settings
    readings = ReadingsStore(workspace.readings).read(now, covariates=True, ordered=False)
    window = gate_window(readings, settings, now)
    forecaster = load_forecaster(challenger, now)
    standing = None
    if champion is not None and since is not None:
        standing = _loaded(champion, since, now, settings.model, window.panel.stations)
    return hold_trial(window, forecaster, standing, now, settings.model.horizon)


def _loaded(
    version: Version, since: pd.Timestamp, now: pd.Timestamp, settings: ModelSettings, stations: tuple[str, ...]
) -> Champion:
    """The champion, ready to be judged, or why it is not; its age counts from `since`."""
    return as_champion(partial(load_forecaster, version, now), now - since, settings, stations, verified_crps(version))


def _blank_evidence() -> Evidence:
    """Nothing is known, so the gate stays closed."""
    return Evidence({}, {}, 0, 0.0, challenger_finite=False, data_age_hours=math.inf)
