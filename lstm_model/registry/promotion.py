"""Judging tonight's challenger on fresh evidence, and moving the aliases if it has earned it."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass

import pandas as pd
from mlflow import MlflowClient

from lstm_model.errors import ModelUnavailable
from lstm_model.evaluation import Backtest, Champion, Decision, Evidence, decide, gate_window, hold_trial
from lstm_model.evaluation.gate import CHALLENGER, CHAMPION
from lstm_model.readings import ReadingsStore
from lstm_model.registry.tracking import MODEL, open_tracking
from lstm_model.registry.versions import Version, check_same_task, find_version, load_forecaster
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


def promote_challenger(workspace: Workspace, now: pd.Timestamp) -> Promotion:
    """Judge the challenger against the champion and the baselines; promote it if the gate says so.

    Raises:
        HistoryTooShort: there is too little history to judge on.
    """
    client = open_tracking(workspace)
    challenger, champion = find_version(client, CHALLENGER), find_version(client, CHAMPION)
    standing = champion.version if champion else None
    if challenger is None:
        decision = Decision(False, "no_challenger", "there is no challenger to judge; `nightcast train` makes one")
        return Promotion(decision, None, standing, standing, None)
    if champion is not None and champion.version == challenger.version:
        client.delete_registered_model_alias(MODEL, CHALLENGER)  # a kill came between two moves of aliases
        decision = Decision(False, "already_champion", f"version {challenger.version} is the champion already")
        return Promotion(decision, challenger.version, standing, standing, None)
    if champion is not None and champion.lived_at > now:
        decision = Decision(
            False,
            "past_night",
            f"the champion was trained on {champion.lived_at:%Y-%m-%d}, after the night being lived again; "
            "aliases stay as they are",
        )
        return Promotion(decision, challenger.version, standing, standing, None)

    evidence, backtest = _gather(workspace, now, challenger, champion)
    decision = decide(evidence, workspace.settings.gate)
    summary = None if backtest is None else backtest.summary()
    _record(client, challenger, decision, evidence, summary)
    if decision.promote:
        _move_aliases(client, challenger, champion)
    log.info("%s: %s", "promoted" if decision.promote else "not promoted", decision.reason)
    after = challenger.version if decision.promote else standing
    return Promotion(decision, challenger.version, standing, after, summary)


def _gather(
    workspace: Workspace, now: pd.Timestamp, challenger: Version, champion: Version | None
) -> tuple[Evidence, Backtest | None]:
    """Both models and the baselines on the gate's window."""
    settings = workspace.settings
    readings = ReadingsStore(workspace.readings).read(now, covariates=True)
    window = gate_window(readings, settings, now)
    try:
        forecaster = load_forecaster(challenger, now)
    except ModelUnavailable as error:
        log.warning("challenger: %s", error)
        return _blank_evidence(), None
    standing = None if champion is None else _loaded(champion, now, settings.model, window.panel.stations)
    return hold_trial(window, forecaster, standing, now, settings.model.horizon)


def _loaded(version: Version, now: pd.Timestamp, settings: ModelSettings, stations: tuple[str, ...]) -> Champion:
    """The champion, ready to be judged, or why it is not."""
    age = now - version.lived_at
    verified = math.nan if version.verified is None else version.verified.crps
    try:
        forecaster = load_forecaster(version, now)
        check_same_task(forecaster, settings, stations)
    except ModelUnavailable as error:
        return Champion(None, age, str(error))
    return Champion(forecaster, age, verified_crps=verified)


def _blank_evidence() -> Evidence:
    """Nothing is known, so the gate stays closed."""
    return Evidence({}, {}, 0, 0.0, challenger_finite=False, data_age_hours=math.inf)


def _record(
    client: MlflowClient, challenger: Version, decision: Decision, evidence: Evidence, summary: pd.DataFrame | None
) -> None:
    """Write decision, reason and numbers onto the version and into its run, before any alias moves."""
    tags = {
        "decision": "promoted" if decision.promote else "refused",
        "rule": decision.rule,
        "reason": decision.reason,
        "evidence": json.dumps(evidence.as_dict(), default=str)[:5000],
    }
    for name, value in tags.items():
        client.set_model_version_tag(MODEL, challenger.version, name, value)
        client.set_tag(challenger.run_id, name, value)
    client.update_model_version(MODEL, challenger.version, f"**{tags['decision']}**: {decision.reason}.")
    if summary is not None:  # a dict replaces what an earlier judgement left; a table would be appended to
        client.log_dict(challenger.run_id, summary.reset_index().to_dict(orient="split", index=False), "gate.json")


def _move_aliases(client: MlflowClient, challenger: Version, champion: Version | None) -> None:
    """At every instant in between, `champion` points to a model that was judged fit."""
    if champion is not None:
        client.set_registered_model_alias(MODEL, "previous", champion.version)
    client.set_registered_model_alias(MODEL, CHAMPION, challenger.version)
    client.delete_registered_model_alias(MODEL, CHALLENGER)
