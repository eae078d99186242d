"""The gate: from evidence to a decision, in words. Pure, and closed wherever something is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lstm_model.settings import GateSettings
from lstm_model.words import count

CHALLENGER, CHAMPION = "challenger", "champion"
BEATEN_BY_POINT_ESTIMATE = ("persistence", "climatology")
VETOERS = ("ridge", "damped_anomaly")
_STAND_IN = "damped_anomaly"
_LEAST_TRUTH_SHARE = 0.5
_FARTHEST_JUMP = 4 / 3
_LOST = 3.0
_PROMISED, _COVERAGE_TOLERANCE = 0.8, 0.05


@dataclass(frozen=True)
class Evidence:
    """What both models and the baselines did on the same origins, which neither model was trained on.

    crps: mean CRPS in °C by method, over the common cases; holds the challenger, maybe the champion.
    confidence_worse: confidence, 0…1, that the challenger is truly worse than each other method.
    origins: judged origins; truth_share: share of their truth that is known.
    challenger_finite: every forecast of the challenger is a finite number.
    data_age_hours: from the newest reading to the night that judges.
    has_champion: an alias points to a champion; champion_fault: why it cannot be judged, if it cannot.
    champion_age_days: since the champion was trained or put back.
    coverage_80: share of truth inside the 80 % interval by method; coverage_low, coverage_high: 90 % band of the
        challenger's, NaN where there are too few days to tell.
    level_jump: how far the fleet's level moved of late, 1 as far as ever before; NaN where nobody can tell.
    champion_verified_crps: °C, of the forecasts it issued, once their truth came; NaN while that is not known.
    """

    crps: Mapping[str, float]
    confidence_worse: Mapping[str, float]
    origins: int
    truth_share: float
    challenger_finite: bool
    data_age_hours: float
    has_champion: bool = False
    champion_fault: str | None = None
    champion_age_days: float | None = None
    coverage_80: Mapping[str, float] = field(default_factory=dict)
    coverage_low: float = math.nan
    coverage_high: float = math.nan
    level_jump: float = math.nan
    champion_verified_crps: float = math.nan

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes champion, the rule that decided, and the reason in a sentence."""

    promote: bool
    rule: str
    reason: str


def decide(evidence: Evidence, settings: GateSettings) -> Decision:
    """Judge a challenger. The first rule that applies decides; a missing number refuses."""
    return (
        _unfit(evidence, settings)
        or against_baselines(evidence, settings)
        or _dishonest(evidence)
        or _against_champion(evidence, settings)
    )


def _unfit(evidence: Evidence, settings: GateSettings) -> Decision | None:
    """Reasons to refuse before any comparison."""
    if not evidence.challenger_finite:
        return _refuse("not_finite", "the challenger's forecasts are not all finite numbers")
    return untrusted(evidence, settings)


def untrusted(evidence: Evidence, settings: GateSettings) -> Decision | None:
    """Why nobody can be judged on this window, or None."""
    if evidence.origins < settings.min_origins:
        return _refuse(
            "too_few_origins", f"only {evidence.origins} origins to judge on, {settings.min_origins} are needed"
        )
    if not evidence.truth_share >= _LEAST_TRUTH_SHARE:
        return _refuse(
            "truth_missing",
            f"the window cannot be trusted: only {evidence.truth_share:.0%} of its truth is known, "
            f"{_LEAST_TRUTH_SHARE:.0%} are needed",
        )
    oldest = settings.window_days * 24 / 2
    if not evidence.data_age_hours <= oldest:
        return _refuse(
            "data_too_old",
            f"the newest reading is {evidence.data_age_hours:.0f} h old, at most {oldest:.0f} h are allowed",
        )
    if evidence.level_jump > _FARTHEST_JUMP:
        return _refuse(
            "level_jumped",
            f"the window cannot be trusted: the fleet's level moved {evidence.level_jump:.1f} times as far of late as "
            "ever before; look at the newest readings",
        )
    theirs = evidence.crps.get(CHAMPION, math.nan)
    if theirs > _LOST * evidence.champion_verified_crps:
        return _refuse(
            "champion_lost",
            f"the window cannot be trusted: the champion's CRPS there is {theirs:.3f} °C, "
            f"{theirs / evidence.champion_verified_crps:.1f} times what its forecasts had until now; "
            "look at the newest readings",
        )
    needed = [CHALLENGER, *BEATEN_BY_POINT_ESTIMATE, *VETOERS]
    for method in needed:
        if not math.isfinite(evidence.crps.get(method, math.nan)):
            return _refuse("no_metric", f"there is no score of {method} to judge by")
    return None


def against_baselines(evidence: Evidence, settings: GateSettings) -> Decision | None:
    """Why the challenger is no better than what needs no training, or None."""
    mine = evidence.crps[CHALLENGER]
    for baseline in BEATEN_BY_POINT_ESTIMATE:
        theirs = evidence.crps[baseline]
        if not mine < theirs:
            return _refuse(f"worse_than_{baseline}", f"CRPS {mine:.3f} °C does not beat {baseline}'s {theirs:.3f} °C")
    for baseline in VETOERS:
        confidence = evidence.confidence_worse.get(baseline, math.nan)
        if math.isnan(confidence):
            return _refuse("no_metric", f"the comparison with {baseline} gives no number to judge by")
        if confidence > 1 - settings.significance:
            return _refuse(
                f"veto_of_{baseline}",
                f"{baseline} is significantly better (CRPS {evidence.crps[baseline]:.3f} against {mine:.3f} °C, "
                f"confidence {confidence:.2f})",
            )
    return None


def _dishonest(evidence: Evidence) -> Decision | None:
    """An interval that covers neither what it promises nor as well as who would serve in its place."""
    covered = evidence.coverage_80
    mine, theirs = covered.get(CHALLENGER, math.nan), covered.get(CHAMPION, covered.get(_STAND_IN, math.nan))
    low, high = _PROMISED - _COVERAGE_TOLERANCE, _PROMISED + _COVERAGE_TOLERANCE
    outside = evidence.coverage_high < low or evidence.coverage_low > high
    if outside and not abs(mine - _PROMISED) <= abs(theirs - _PROMISED):
        return _refuse(
            "miscalibrated",
            f"its 80 % interval covers {mine:.0%} of the truth, with 90 % confidence between "
            f"{evidence.coverage_low:.0%} and {evidence.coverage_high:.0%}",
        )
    return None


def _against_champion(evidence: Evidence, settings: GateSettings) -> Decision:
    mine = evidence.crps[CHALLENGER]
    baselines = f"CRPS {mine:.3f} °C against persistence's {evidence.crps['persistence']:.3f}"
    if not evidence.has_champion:
        return _promote("no_champion", f"there is no champion yet, and it beats the baselines ({baselines} °C)")
    if evidence.champion_fault is not None:
        return _promote(
            "champion_unusable",
            f"the champion cannot serve ({evidence.champion_fault}), and the challenger beats the baselines "
            f"({baselines} °C)",
        )
    theirs = evidence.crps.get(CHAMPION, math.nan)
    confidence = evidence.confidence_worse.get(CHAMPION, math.nan)
    age = math.nan if evidence.champion_age_days is None else evidence.champion_age_days
    if not all(map(math.isfinite, (theirs, confidence, age))):
        return _refuse("no_metric", "there is no score, comparison or age of the champion to judge by")
    pair = f"CRPS {mine:.3f} °C against the champion's {theirs:.3f}"
    if mine > theirs * (1 + settings.margin):
        return _refuse("worse_by_margin", f"{pair}: worse by {mine / theirs - 1:.1%}, {settings.margin:.0%} is allowed")
    if confidence > 1 - settings.significance:
        return _refuse("significantly_worse", f"{pair}: significantly worse (confidence {confidence:.2f})")
    if confidence < settings.significance:
        return _promote("significantly_better", f"{pair}: significantly better (confidence {1 - confidence:.2f})")
    old = count(int(age), "day")
    if age >= settings.refresh_days:
        return _promote("refresh", f"{pair}: equal, and the champion is {old} old; fresh beats stale")
    return _refuse("equal", f"{pair}: equal, and the champion is only {old} old, so it stays")


def _promote(rule: str, reason: str) -> Decision:
    return Decision(True, rule, reason)


def _refuse(rule: str, reason: str) -> Decision:
    return Decision(False, rule, reason)
