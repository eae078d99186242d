"""Whether limits were passed as often as forecast: Brier score, skill against the base rate, reliability."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scores.probability import brier_score

from lstm_model.evaluation import ratio_band
from lstm_model.forecasts.limits import LIMIT_COLUMNS, SIDES
from lstm_model.forecasts.skill import group_of, in_order

RELIABILITY_EDGES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
_BANDED = ("brier", "skill_base_rate")
_FEWEST_DAYS = 5
"""Draws of fewer days on which a limit was passed may hold none of them, and then say nothing of skill."""

Array = npt.NDArray[np.float64]


def limit_cases(scores: pd.DataFrame) -> pd.DataFrame:
    """Every verified probability, a row for each score and each limit its station had.

    Args:
        scores: rows of the scores table; without the columns of limits, there were none.

    Returns:
        the scores' columns, their index, and side (above, below), limit_c, probability, and passed: 1.0 where the
        temperature was beyond the limit, 0.0 where it was not, or just on it.
    """
    columns = dict.fromkeys([*scores.columns, "observed_c", *LIMIT_COLUMNS])
    scores, parts = scores.reindex(columns=list(columns)), []
    for side, sign in zip(SIDES, (1, -1), strict=True):
        rows = scores[scores[f"p_{side}"].notna() & scores["observed_c"].notna()]
        passed = sign * rows["observed_c"] > sign * rows[f"limit_{side}_c"]
        parts.append(
            rows.assign(
                side=side, limit_c=rows[f"limit_{side}_c"], passed=passed.astype(np.float64),
                probability=rows[f"p_{side}"].astype(np.float64),
            )
        )  # fmt: skip
    return pd.concat(parts)


def limit_skill(scores: pd.DataFrame, by: str | None = None, *, seed: int = 0) -> pd.DataFrame:
    """How good the probabilities of passing a limit were, group by group and side by side.

    The Brier score is the mean squared difference between the probability and what came, 1 or 0. Skill is 1 − Brier /
    the base rate's Brier: what somebody would have scored who always said how often that limit of that station was
    passed over all of these scores, which nobody could know in advance. Taken for each limit by itself, it gives no
    credit for knowing that stations differ. Bands as those of `verified_skill`.

    Args:
        scores: rows of the scores table.
        by: as for `verified_skill`.
        seed: of the bands' draws.

    Returns:
        group, side, n (cases), passed (how many), base_rate, brier, skill_base_rate, and the bands `…_low`, `…_high` of
        these two; NaN where nothing is known, as is skill where a limit was always or never passed, and its band where
        that was not both so on five issue days. No row where no limit is verified.

    Raises:
        SettingsError: there is no such group.

    Source: Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2; Hamill and Juras 2006,
    doi:10.1256/qj.06.25, for base rates of each place by itself.
    """
    cases = limit_cases(scores).reset_index(drop=True)
    base_rate = cases.groupby(["station_id", "side", "limit_c"])["passed"].transform("mean")
    sums = pd.DataFrame(
        {"n": 1.0, "passed": cases["passed"], "ours": _brier(cases["probability"], cases["passed"]),
         "base": _brier(base_rate, cases["passed"])}
    )  # fmt: skip
    groups = group_of(cases, by)
    by_day = sums.groupby([groups, cases["side"], cases["issue_date"]]).sum()
    rows = []
    for group in in_order(set(groups), by):
        for side in SIDES:
            if (groups.eq(group) & cases["side"].eq(side)).any():
                rows.append({"group": group, "side": side, **_statistics(by_day.loc[(group, side)], seed)})
    bands = [f"{name}{end}" for name in _BANDED for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["group", "side", "n", "passed", "base_rate", *bands])


def limit_reliability(scores: pd.DataFrame) -> pd.DataFrame:
    """How often limits were passed where that was forecast with about the same probability.

    Of an honest forecaster, forecast and observed are the same in every bin, but for chance: hours of one day go
    together, so that a bin of few days tells little, however many its cases.

    Args:
        scores: rows of the scores table.

    Returns:
        a row for every bin that holds a case: low, high (its edges; the lower one is within), forecast (mean
        probability), observed (share that passed), n (cases), days (of issue).
    """
    cases = limit_cases(scores)
    bins = pd.cut(cases["probability"], list(RELIABILITY_EDGES), right=False, labels=False)  # none reaches 1
    told = cases.groupby(bins).agg(
        forecast=("probability", "mean"), observed=("passed", "mean"), n=("passed", "size"),
        days=("issue_date", "nunique"),
    )  # fmt: skip
    which, edges = told.index.to_numpy(int), np.array(RELIABILITY_EDGES)
    told.insert(0, "low", edges[which])
    told.insert(1, "high", edges[which + 1])
    return told.reset_index(drop=True)


def _brier(probability: pd.Series, passed: pd.Series) -> Array:
    """Every case's Brier score."""
    told, came = (xr.DataArray(values.to_numpy(np.float64), dims="case") for values in (probability, passed))
    return np.asarray(brier_score(told, came, preserve_dims="all")) if len(probability) else np.empty(0)


def _statistics(days: pd.DataFrame, seed: int) -> dict[str, float]:
    """Every figure of a group, from its sums by issue day."""
    n, passed, ours, base = (float(days[name].sum()) for name in ("n", "passed", "ours", "base"))
    brier = ratio_band(days["ours"].to_numpy(), days["n"].to_numpy(), seed)
    skill = float("nan"), float("nan")
    if min((days["passed"] > 0).sum(), (days["passed"] < days["n"]).sum()) >= _FEWEST_DAYS:
        low, high = ratio_band(days["ours"].to_numpy(), days["base"].to_numpy(), seed)
        skill = 1.0 - high, 1.0 - low
    return {
        "n": int(n), "passed": int(passed), "base_rate": passed / n,
        "brier": ours / n, "brier_low": float(np.maximum(brier[0], 0.0)), "brier_high": brier[1],
        "skill_base_rate": 1.0 - ours / base if base > 0 else float("nan"),
        "skill_base_rate_low": skill[0], "skill_base_rate_high": skill[1],
    }  # fmt: skip
