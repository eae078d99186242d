"""What the policies were worth: every forecast of every night beside its truth, and what chance leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lstm_model.evaluation import BASELINES, crps_from_quantiles, ratio_band
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.panel import Panel
from lstm_model.replay.night import ALWAYS, GATE, NEVER, POLICIES, RIDGE, Lived

BEST = "best_baseline"
_BASELINES = tuple(baseline.name for baseline in BASELINES)
_CASE = ["station_id", "lead_hours"]


@dataclass(frozen=True)
class Outcome:
    """What came of a replay.

    policies: a row each: policy, method (of the best baseline, in hindsight), mae, rmse, crps, coverage_80, n,
        promotions and days_since_promotion where models change, and crps_beyond_gate with its 90 % band
        (…_low, …_high): above zero, the gate was better. All on the same cases.
    waiting: forecasts of the gate that have no truth.
    nights: how each was lived.
    """

    policies: pd.DataFrame
    waiting: int
    nights: tuple[Lived, ...]


def score_night(forecasts: pd.DataFrame, truth: Panel) -> pd.DataFrame:
    """Sums over one night's cases that every policy can be judged on.

    Args:
        forecasts: of one night, with `policy`.
        truth: all that is known by now.

    Returns:
        indexed by policy: n, absolute, square, crps, covered; and waiting, the policy's forecasts without truth.
    """
    row = pd.Index(truth.stations).get_indexer(forecasts["station_id"])
    column = truth.times.as_unit("us").get_indexer(pd.DatetimeIndex(forecasts["valid_at"]))
    observed = np.where((row >= 0) & (column >= 0), truth.temperature_c[row, column], np.nan).astype(np.float64)
    quantiles = forecasts[QUANTILE_COLUMNS].to_numpy(np.float64)
    error = forecasts["temperature_c"].to_numpy(np.float64) - observed
    met = np.isfinite(observed) & np.isfinite(quantiles).all(axis=1)
    policies = forecasts["policy"].nunique()
    common = met & (pd.Series(met).groupby([forecasts[name] for name in _CASE]).transform("sum") == policies)
    cases = pd.DataFrame(
        {
            "n": 1.0,
            "absolute": np.abs(error),
            "square": error**2,
            "crps": crps_from_quantiles(quantiles, observed),
            "covered": ((forecasts["q10"] <= observed) & (observed <= forecasts["q90"])).astype(float),
        }
    ).where(common, 0.0)
    return cases.assign(waiting=~np.isfinite(observed)).groupby(forecasts["policy"]).sum()


def weigh(sums: Mapping[pd.Timestamp, pd.DataFrame], lived: list[Lived]) -> Outcome:
    """Put the policies side by side.

    A night in which one of them had nothing to say counts for none; only the ridge, which needs a model, is put
    beside the gate on its own nights.

    Args:
        sums: of every night, from `score_night`.
        lived: the nights, in order.
    """
    by_night = pd.concat(sums, names=["night", "policy"])
    waiting = int(by_night[by_night.index.get_level_values("policy") == GATE]["waiting"].sum())
    names = [*POLICIES, *(name for name in by_night.index.get_level_values("policy").unique() if name not in POLICIES)]
    judged = [name for name in names if name != RIDGE]
    spoke = by_night["n"].unstack().reindex(columns=judged).notna().all(axis=1)
    night, policy = (by_night.index.get_level_values(level) for level in ("night", "policy"))
    counted = night.isin(spoke.index[spoke])
    of = {name: by_night[counted & (policy == name)].droplevel("policy") for name in names}
    rows = {name: _row(nights, of[GATE].loc[nights.index]) for name, nights in of.items()}
    scored = {name: rows[name]["crps"] for name in _BASELINES if name in rows and rows[name]["n"]}
    if scored:
        best = min(scored, key=lambda name: float(scored[name]))
        rows[BEST] = rows[best] | {"method": best}
    else:
        rows[BEST] = rows[GATE] | {"method": None}
    for policy, (promotions, last) in _promotions(lived).items():
        since = None if last is None else (lived[-1].night - last) / pd.Timedelta("1D")
        rows[policy] |= {"promotions": promotions, "days_since_promotion": since}
    order = [*POLICIES, BEST, *(name for name in rows if name not in (*POLICIES, BEST))]
    table = pd.DataFrame([{"policy": name} | rows[name] for name in order])
    return Outcome(table.astype({"promotions": "Int64"}), waiting, tuple(lived))


def _row(nights: pd.DataFrame, gate: pd.DataFrame) -> dict[str, Any]:
    """A policy's scores, beside the gate's in the same nights; NaN where no truth has come."""
    whole = nights.sum()
    n = whole["n"] or np.nan
    beyond = (nights["crps"] - gate["crps"]).to_numpy()
    low, high = ratio_band(beyond, nights["n"].to_numpy())
    return {
        "method": None,
        "mae": whole["absolute"] / n,
        "rmse": float(np.sqrt(whole["square"] / n)),
        "crps": whole["crps"] / n,
        "coverage_80": whole["covered"] / n,
        "n": int(whole["n"]),
        "crps_beyond_gate": beyond.sum() / n,
        "crps_beyond_gate_low": low,
        "crps_beyond_gate_high": high,
    }


def _promotions(lived: list[Lived]) -> dict[str, tuple[int, pd.Timestamp | None]]:
    """How often each policy changed its model, and when it did so last."""
    by_gate = [night.night for night in lived if night.promoted]
    trained = [night.night for night, before in zip(lived, [None, *lived], strict=False)
               if night.standing.newest is not None
               and (before is None or night.standing.newest != before.standing.newest)]  # fmt: skip
    return {
        policy: (len(changes), changes[-1] if changes else None)
        for policy, changes in ((GATE, by_gate), (ALWAYS, trained), (NEVER, trained[:1]))
    }
