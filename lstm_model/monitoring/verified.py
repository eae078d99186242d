"""Rules over verified scores: whether the champion earns its place, and whether the intervals are honest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.monitoring.finding import CHAMPION, FLEET, Finding, finding, stand
from lstm_model.monitoring.spells import means_by_night
from lstm_model.settings import CalibrationRule, MonitorSettings, SkillRule

COMPARED = ("persistence", "climatology", "damped_anomaly")
COLUMNS = (
    "issued_at", "valid_at", "model_version", "error_c", "covered_80", *(f"{name}_error_c" for name in COMPARED),
)  # fmt: skip
"""What is read of the scores table."""
PROMISED = 0.8
_DAY = pd.Timedelta("1D")

Array = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Reign:
    """A champion: its version, None while there is none; and since when, for only what it issued since then counts."""

    champion: str | None = None
    since: pd.Timestamp | None = None


def days_needed(settings: MonitorSettings) -> int:
    """So many days of scores are looked at, last night's verdict included."""
    skill, calibration = settings.skill, settings.calibration
    return max(2 * skill.days + skill.nights, calibration.days + calibration.nights) + 1


def verified_findings(
    scores: pd.DataFrame, now: pd.Timestamp, reign: Reign, last_reign: Reign, settings: MonitorSettings
) -> list[Finding]:
    """What the scores say.

    Args:
        scores: rows of the scores table, `COLUMNS` of them at least, of the last `days_needed` days.
        now: the night; what was valid later does not count.
        reign: who is champion.
        last_reign: who was when last night was watched.
        settings: limits and hysteresis.
    """
    if scores.empty:
        return []
    day = ((now - scores["valid_at"]) // _DAY).to_numpy(np.int64)  # 0: within the last 24 hours
    span = days_needed(settings)
    within = (day >= 0) & (day < span)
    scores, day = scores[within], day[within]
    return [*_skill(scores, day, reign, last_reign, settings.skill), *_calibration(scores, day, settings.calibration)]


# ── the champion ───────────────────────────────────────────────────────────────────────────────────────────────


def _skill(scores: pd.DataFrame, day: Days, reign: Reign, last_reign: Reign, rule: SkillRule) -> list[Finding]:
    if reign.champion is None and last_reign.champion is None:
        return []
    own = scores["error_c"].abs().to_numpy(np.float64)
    theirs = {name: scores[f"{name}_error_c"].abs().to_numpy(np.float64) for name in COMPARED}
    (tonight, best), (last, _) = (_skills(own, theirs, day, _issued_by(scores, of), rule) for of in (reign, last_reign))
    stood = stand(list(tonight < rule.limit), list((last < rule.limit)[1:]), rule.breached, rule.nights)
    value = float(tonight[0])
    told = (
        f"the champion, version {reign.champion}, has a verified skill of {value:+.0%} against "
        f"{best.replace('_', ' ')}, over the last {rule.days} days of its own forecasts"
    )
    if not math.isfinite(value):
        unknown = "there is no champion" if reign.champion is None else f"of the champion, version {reign.champion}, "
        told = unknown if reign.champion is None else f"{unknown}nothing is verified yet"
    return [
        finding(
            "skill", CHAMPION, value, rule.limit, rule.nights, stood,
            well=told,
            alarm=f"{told}, and {rule.limit:+.0%} is the least: `nightcast skill --by version --days 14` tells more, "
            "`nightcast rollback` puts the version before back",
            version=reign.champion,
        )
    ]  # fmt: skip


def _issued_by(scores: pd.DataFrame, reign: Reign) -> npt.NDArray[np.bool_]:
    """The rows that a champion issued in its reign."""
    mine = (scores["model_version"] == reign.champion).to_numpy(bool)
    return mine if reign.since is None else mine & (scores["issued_at"] >= reign.since).to_numpy(bool)


def _skills(
    own: Array, theirs: dict[str, Array], day: Days, mine: npt.NDArray[np.bool_], rule: SkillRule
) -> tuple[Array, str]:
    """For each night, tonight first, the skill against the baseline that was best then; and tonight's baseline.

    By how much less the champion errs on its own cases, as a share of what the baseline errs on all cases of twice as
    many days: a spell so calm that a baseline hardly errs proves little, and counts little.
    """
    per_baseline = []
    for name in COMPARED:
        both = np.isfinite(own) & np.isfinite(theirs[name])
        lead = _means((theirs[name] - own), day, both & mine, rule.days, rule.nights + 1)
        usual = _means(theirs[name], day, both, 2 * rule.days, rule.nights + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            per_baseline.append(lead / usual)
    skills = np.stack(per_baseline)  # (B, N)
    worst = np.where(np.isfinite(skills), skills, np.inf)
    lowest = worst.min(axis=0)
    return np.where(np.isfinite(lowest), lowest, np.nan), COMPARED[int(worst[:, 0].argmin())]


def _means(values: Array, day: Days, counted: npt.NDArray[np.bool_], days: int, nights: int) -> Array:
    """(N,) for each night, tonight first, the mean of what is counted of the days it looks at; NaN of nothing."""
    sums = np.bincount(day[counted], values[counted], days + nights)
    cases = np.bincount(day[counted], minlength=days + nights)
    return means_by_night(sums, cases, days, nights)


# ── intervals ──────────────────────────────────────────────────────────────────────────────────────────────────


def _calibration(scores: pd.DataFrame, day: Days, rule: CalibrationRule) -> list[Finding]:
    """Of everything that was issued, whoever made it: that is what people act on."""
    covered = scores["covered_80"].to_numpy(np.float64)
    shares = _means(covered, day, np.isfinite(covered), rule.days, rule.nights + 1)
    breaches = list(np.abs(shares - PROMISED) > rule.limit)
    stood, value = stand(breaches, breaches[1:], rule.breached, rule.nights), float(shares[0])
    told = f"{value:.0%} of the truth of the last {rule.days} days fell inside the 80 % interval"
    return [
        finding(
            "calibration", FLEET, value, rule.limit, rule.nights, stood,
            well=told,
            alarm=f"{told}, which is more than {100 * rule.limit:.0f} points off: intervals are too "
            f"{'narrow' if value < PROMISED else 'wide'}; `nightcast skill --by station` tells where, and a challenger "
            "trained on newer readings mends it",
        )
    ]  # fmt: skip
