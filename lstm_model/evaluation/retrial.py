"""The trial of a champion: its predecessor and the baselines stand ready, and it goes only if one is truly better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from lstm_model.evaluation.gate import CHALLENGER, CHAMPION, Evidence, against_baselines, decide, untrusted
from lstm_model.evaluation.trial import Champion, Window, hold_trial
from lstm_model.network import Forecaster
from lstm_model.settings import GateSettings

LADDER = ("damped_anomaly", "climatology", "persistence")
"""What serves where no model does, the best first. A ridge never does, so that losing to its own demotes nobody."""


@dataclass(frozen=True)
class Judgement:
    """Whether a champion goes, and who serves in its place.

    demote: it goes. to_predecessor: its predecessor is champion again; else the forecast steps down to a baseline.
    rule, reason: what decided, and the reason in a sentence.
    """

    demote: bool
    to_predecessor: bool
    rule: str
    reason: str


def retry_champion(
    window: Window,
    champion: Champion,
    predecessor: Forecaster | None,
    now: pd.Timestamp,
    horizon: int,
    settings: GateSettings,
    significance: float,
) -> tuple[Judgement, Evidence]:
    """Hold the gate's trial with the predecessor as challenger, and judge the champion by it.

    Args:
        window: the newest days, which no model has learnt from.
        champion: who is doubted; must be able to forecast.
        predecessor: who was champion before, None where there is nobody that can serve.
        now: the night that judges.
        horizon: leads.
        settings: the gate's.
        significance: level of the tests that demote.
    """
    assert champion.forecaster is not None
    doubted = CHALLENGER if predecessor is None else CHAMPION
    rival, standing = (champion.forecaster, None) if predecessor is None else (predecessor, champion)
    evidence, backtest = hold_trial(window, rival, standing, now, horizon)
    if predecessor is not None and not evidence.challenger_finite:  # it could not serve, so it is no rival
        return retry_champion(window, champion, None, now, horizon, settings, significance)
    if doubted not in backtest.forecasts:
        return Judgement(False, False, "champion_unusable", "the champion has no finite forecast to judge"), evidence
    worse = {name: backtest.confidence_worse(doubted, name) for name in LADDER}
    return judge_champion(evidence, doubted, worse, settings, significance), evidence


def judge_champion(
    evidence: Evidence, doubted: str, worse_than: Mapping[str, float], settings: GateSettings, significance: float
) -> Judgement:
    """Judge a champion. It stays unless something that would serve in its place is significantly better.

    Args:
        evidence: of a trial in which the predecessor was challenger; or, without one, the champion itself.
        doubted: the champion's name in it.
        worse_than: confidence, 0…1, that the champion is truly worse than each baseline of the ladder.
        settings: the gate's.
        significance: level of the tests that demote. A doubted champion is tried night after night, so that it is
            stricter than the gate's.
    """
    if (fault := untrusted(evidence, settings)) is not None:
        return Judgement(False, False, fault.rule, f"nobody is demoted: {fault.reason}")
    theirs = evidence.crps[doubted]
    has_predecessor = doubted == CHAMPION
    if has_predecessor:
        verdict, confidence = decide(evidence, settings), evidence.confidence_worse.get(CHAMPION, math.nan)
        if verdict.rule == "significantly_better" and confidence < significance:
            pair = f"CRPS {theirs:.3f} °C against its predecessor's {evidence.crps[CHALLENGER]:.3f}"
            return Judgement(
                True, True, "worse_than_previous", f"{pair}: significantly worse (confidence {1 - confidence:.2f})"
            )
    better = [name for name in LADDER if worse_than.get(name, math.nan) > 1 - significance]
    if not better:
        return Judgement(False, False, "not_proven", _not_proven(evidence, doubted, worse_than))
    best = min(better, key=lambda name: evidence.crps[name])
    reason = (
        f"CRPS {theirs:.3f} °C against {best.replace('_', ' ')}'s {evidence.crps[best]:.3f}: significantly worse "
        f"(confidence {worse_than[best]:.2f})"
    )
    fit = has_predecessor and against_baselines(evidence, settings) is None
    return Judgement(True, fit, f"worse_than_{best}", reason)


def _not_proven(evidence: Evidence, doubted: str, worse_than: Mapping[str, float]) -> str:
    """Who comes nearest to being better, and by how much."""
    rivals = dict(worse_than)
    if doubted == CHAMPION:
        rivals["its predecessor"] = 1 - evidence.confidence_worse.get(CHAMPION, math.nan)
    known = {name: value for name, value in rivals.items() if math.isfinite(value)}
    if not known:
        return "there are too few origins to tell whether anything is better"
    nearest = max(known, key=lambda name: known[name])
    return (
        f"on the gate's window nothing that could serve in its place is significantly better: "
        f"{nearest.replace('_', ' ')} with confidence {known[nearest]:.2f}"
    )
