"""The trials of a champion: it goes only if its predecessor, or a baseline, is truly better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, takewhile

import pandas as pd

from lstm_model.errors import HistoryTooShort
from lstm_model.evaluation.gate import CHALLENGER, CHAMPION, Decision, Evidence, against_baselines, decide, untrusted
from lstm_model.evaluation.trial import Champion, Window, gate_window, hold_trial
from lstm_model.network import Forecaster
from lstm_model.settings import GateSettings, Settings

NO_BETTER = "predecessor_no_better"
"""The rule of a meeting that changes nothing: nothing that a person needs to hear of."""
LADDER = ("damped_anomaly", "climatology", "persistence")
"""What serves where no model does, the best first. A ridge never does, so that losing to its own demotes nobody."""
_BETTER = "significantly_better"
_DAY = pd.Timedelta("1D")
_SAME_NIGHT = pd.Timedelta("12h")
"""A night that is told to begin at two begins some seconds earlier or later."""


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


@dataclass(frozen=True)
class Title:
    """Who is champion, and who may be instead.

    champion: who holds the title. predecessor: who held it before, None where nobody did that can serve.
    came: the night in which the champion came, after which it meets its predecessor; None where nobody knows.
    """

    champion: Champion
    predecessor: Forecaster | None
    came: pd.Timestamp | None

    def meets_on(self, night: pd.Timestamp) -> bool:
        """Whether there is somebody to meet, and the champion has come before that night."""
        return self.predecessor is not None and self.came is not None and night - self.came > _SAME_NIGHT


def try_champion(
    window: Window, readings: pd.DataFrame, title: Title, now: pd.Timestamp, settings: Settings, *, doubtful: bool
) -> tuple[Judgement, Evidence | None]:
    """Let a champion meet its predecessor; one that is doubted stands trial against the baselines, too.

    Args:
        window: the gate's tonight.
        readings: known at `now`.
        title: whose it is.
        now: the night that judges.
        settings: of the workspace.
        doubtful: the champion verified badly.

    Returns:
        The judgement, and tonight's evidence; None where nothing was compared.
    """
    if title.champion.forecaster is None:  # the forecast has stepped down already, and the next fit challenger follows
        return Judgement(False, False, "champion_unusable", f"the champion cannot serve ({title.champion.fault})"), None
    met = _meet_predecessor(window, readings, title, now, settings) if title.meets_on(now) else None
    if not doubtful or (met is not None and met[0].demote):
        early = "it is too early to meet its predecessor"
        why = "there is no predecessor to meet" if title.predecessor is None else early
        return met or (Judgement(False, False, NO_BETTER, why), None)
    tried = _retry_champion(window, title.champion, title.predecessor, now, settings)
    if met is not None and met[0].rule != NO_BETTER and not tried[0].demote:
        return met  # it begins to lose, of which a person is to hear
    return tried


# ── against its predecessor ────────────────────────────────────────────────────────────────────────────────────


def _nights_before(
    readings: pd.DataFrame, settings: Settings, now: pd.Timestamp, came: pd.Timestamp
) -> Iterator[tuple[pd.Timestamp, Window]]:
    """The nights between the one in which a champion came and tonight, the newest first, each with its own window."""
    night = now - _DAY
    while night - came > _SAME_NIGHT:
        try:
            window = gate_window(readings[readings["observed_at"] <= night], settings, night)
        except HistoryTooShort:
            return
        yield night, window
        night -= _DAY


def _meet_predecessor(
    window: Window, readings: pd.DataFrame, title: Title, now: pd.Timestamp, settings: Settings
) -> tuple[Judgement, Evidence]:
    """Hold the gate's trial with the predecessor as challenger, tonight and, while it wins, on the nights before."""
    assert title.predecessor is not None and title.came is not None
    met, needed = [], settings.monitor.predecessor_nights
    nights = chain([(now, window)], _nights_before(readings, settings, now, title.came))
    for night, then in islice(nights, needed):
        evidence, _ = hold_trial(then, title.predecessor, title.champion, night, settings.model.horizon)
        met.append(evidence)
        if decide(evidence, settings.gate).rule != _BETTER:
            break
    return judge_meetings(met, needed, settings.gate), met[0]


def judge_meetings(met: Sequence[Evidence], needed: int, settings: GateSettings) -> Judgement:
    """Judge a champion by how it met its predecessor.

    It goes if the gate finds the predecessor significantly better on each of so many nights.

    Args:
        met: evidence of the newest nights, tonight first, in which the predecessor was challenger.
        needed: nights in a row.
        settings: the gate's.
    """
    verdicts, tonight = [decide(evidence, settings) for evidence in met], met[0]
    confidence = 1 - tonight.confidence_worse.get(CHAMPION, math.nan)
    won = sum(1 for _ in takewhile(lambda verdict: verdict.rule == _BETTER, verdicts))
    if not won:
        return Judgement(False, False, NO_BETTER, _no_better(confidence, verdicts[0], settings))
    reason = (
        f"CRPS {tonight.crps[CHAMPION]:.3f} °C against its predecessor's {tonight.crps[CHALLENGER]:.3f}: significantly "
        f"worse (confidence {confidence:.2f}), {won} of {needed} nights in a row"
    )
    return Judgement(won == needed, won == needed, "worse_than_previous", reason)


def _no_better(confidence: float, verdict: Decision, settings: GateSettings) -> str:
    if math.isnan(confidence):
        return f"it cannot be compared with its predecessor: {verdict.reason}"
    if confidence > 1 - settings.significance:
        return f"its predecessor is better, but the gate would not have it: {verdict.reason}"
    return f"its predecessor is not significantly better (confidence {confidence:.2f})"


# ── against the baselines ──────────────────────────────────────────────────────────────────────────────────────


def _retry_champion(
    window: Window, champion: Champion, predecessor: Forecaster | None, now: pd.Timestamp, settings: Settings
) -> tuple[Judgement, Evidence]:
    """Hold the gate's trial with the predecessor as challenger, to see whether it is fit in the champion's place."""
    assert champion.forecaster is not None
    doubted = CHALLENGER if predecessor is None else CHAMPION
    rival, standing = (champion.forecaster, None) if predecessor is None else (predecessor, champion)
    evidence, backtest = hold_trial(window, rival, standing, now, settings.model.horizon)
    if predecessor is not None and not evidence.challenger_finite:  # it could not serve, so it is no rival
        return _retry_champion(window, champion, None, now, settings)
    if doubted not in backtest.forecasts:
        return Judgement(False, False, "champion_unusable", "the champion has no finite forecast to judge"), evidence
    worse = {name: backtest.confidence_worse(doubted, name) for name in LADDER}
    return judge_champion(evidence, doubted, worse, settings.gate, settings.monitor.significance), evidence


def judge_champion(
    evidence: Evidence, doubted: str, worse_than: Mapping[str, float], settings: GateSettings, significance: float
) -> Judgement:
    """Judge a champion that verified badly. It stays unless a baseline that would serve is significantly better.

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
    better = [name for name in LADDER if worse_than.get(name, math.nan) > 1 - significance]
    if not better:
        return Judgement(False, False, "not_proven", _not_proven(worse_than))
    best = min(better, key=lambda name: evidence.crps[name])
    reason = (
        f"CRPS {evidence.crps[doubted]:.3f} °C against {best.replace('_', ' ')}'s {evidence.crps[best]:.3f}: "
        f"significantly worse (confidence {worse_than[best]:.2f})"
    )
    fit = doubted == CHAMPION and against_baselines(evidence, settings) is None
    return Judgement(True, fit, f"worse_than_{best}", reason)


def _not_proven(worse_than: Mapping[str, float]) -> str:
    """Which baseline comes nearest to being better, and by how much."""
    known = {name: value for name, value in worse_than.items() if math.isfinite(value)}
    if not known:
        return "there are too few origins to tell whether a baseline is better"
    nearest = max(known, key=lambda name: known[name])
    return (
        "on the gate's window no baseline that could serve in its place is significantly better: "
        f"{nearest.replace('_', ' ')} with confidence {known[nearest]:.2f}"
    )
