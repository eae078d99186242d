"""What verified scores say of a forecaster: errors, skill, honesty of its intervals, and what chance leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scores.continuous import flip_flop_index

from lstm_model.errors import SettingsError
from lstm_model.evaluation import ratio_band
from lstm_model.forecasts.store import KEY
from lstm_model.settings import QUANTILES

GROUPS = ("method", "version", "station", "lead", "season", "hour")
COMPARED = ("persistence", "climatology", "damped_anomaly")
_SEASONS = ("DJF", "MAM", "JJA", "SON")
_EVERYTHING = "all"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """A statistic as sum of `above` over sum of `below`, or one minus that; a day counts where `cases` has some."""

    above: str
    below: str
    cases: str
    one_minus: bool = False

    def of(self, above: Array, below: Array) -> Array:
        """The statistic from sums; NaN where there is nothing to divide by."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(below > 0, above / below, np.nan)
        return 1.0 - ratio if self.one_minus else ratio


_WITHOUT_BAND = {
    "bias": Ratio("error", "n", "n"),
    "rmse": Ratio("square", "n", "n"),  # and its root
    "width_80": Ratio("width", "n", "n"),
}
_WITH_BAND = {
    "mae": Ratio("absolute", "n", "n"),
    "crps": Ratio("crps", "n", "n"),
    "coverage_80": Ratio("covered", "n", "n"),
    **{f"skill_{name}": Ratio(f"ours_{name}", f"theirs_{name}", f"both_{name}", one_minus=True) for name in COMPARED},
}
_RANGES = {"mae": (0.0, np.inf), "crps": (0.0, np.inf), "coverage_80": (0.0, 1.0)}
_ORDER = ("bias", "mae", "rmse", "crps", "coverage_80", "width_80", *(f"skill_{name}" for name in COMPARED))
BANDED = tuple(_WITH_BAND)


def verified_skill(
    scores: pd.DataFrame, by: str | None = None, *, missing: pd.DataFrame | None = None, seed: int = 0
) -> pd.DataFrame:
    """How issued forecasts did, group by group.

    Skill is 1 − MAE / the baseline's MAE over the cases where both errors are known: of the baselines the scores
    hold only errors, so that no CRPS skill can be told. A band, `…_low` to `…_high`, holds the value with 90 %
    confidence (`ratio_band` over issue days); it is NaN under twelve of them.

    Args:
        scores: rows of the scores table.
        by: what tells groups apart, one of `GROUPS`; everything is one group when None. A version is named by its
            method where no model made the forecast; a season and an hour are those of the valid time, UTC.
        missing: forecasts without truth, from `without_truth`, counted in the column `missing`.
        seed: of the draws.

    Returns:
        group, n (cases), issues (distinct issue times), bias, mae, rmse, crps, width_80 (°C), coverage_80 (0…1),
        skill_persistence, skill_climatology, skill_damped_anomaly; bands of all but bias, rmse and width_80;
        missing where it was asked for. NaN where nothing is known.

    Raises:
        SettingsError: there is no such group.
    """
    groups = group_of(scores, by)
    sums = _sums(scores).groupby([groups, scores["issue_date"]]).sum()
    issues = scores["issued_at"].groupby(groups).nunique()
    absent = pd.Series(dtype=int) if missing is None else group_of(missing, by).value_counts()
    rows = []
    for group in in_order({*issues.index, *absent.index}, by):
        days = sums.loc[group] if group in issues.index else sums.iloc[:0]
        row = {"group": group, "n": int(days["n"].sum()), "issues": int(issues.get(group, 0))}
        row |= _statistics(days, seed)
        rows.append(row if missing is None else row | {"missing": int(absent.get(group, 0))})
    columns = ["group", "n", "issues", *_columns(), *([] if missing is None else ["missing"])]
    return pd.DataFrame(rows, columns=columns)


def skill_by_day(scores: pd.DataFrame, trained_at: pd.Timestamp) -> pd.DataFrame:
    """How a version's forecasts had done by the end of every day since its training.

    Args:
        scores: rows of the scores table, of one version.
        trained_at: the night that trained it.

    Returns:
        indexed by the day, 1 for the first 24 hours; n, mae, rmse, bias, crps, coverage_80 and skill (against
        persistence, as in `verified_skill`) over all cases valid up to its end. Days without a case are left out.
    """
    days = np.ceil((scores["valid_at"] - trained_at) / pd.Timedelta("1D")).clip(lower=1).astype(int)
    sums = _sums(scores).groupby(days).sum().cumsum()
    told = {"n": sums["n"].astype(int), **{name: _value(name, sums) for name in _ORDER if name != "width_80"}}
    table = pd.DataFrame(told, index=sums.index).rename(columns={"skill_persistence": "skill"}).rename_axis("day")
    return table[["n", "mae", "rmse", "bias", "crps", "coverage_80", "skill"]]


def without_truth(forecasts: pd.DataFrame, scores: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """The forecasts whose time has passed at `now` and that no score speaks of."""
    due = forecasts[forecasts["valid_at"] <= now]
    known = due.merge(scores[KEY], on=KEY, how="left", indicator=True)["_merge"] == "both"
    return due[~known.to_numpy()]


def rank_histogram(scores: pd.DataFrame) -> pd.DataFrame:
    """Where truths fell among the seven quantiles, beside where they should.

    A truth on a quantile counts half to either side of it; on several that coincide, at the middle of them.

    Returns:
        eight rows: between (which quantiles), observed and nominal (shares, 0…1); observed is NaN without a score.
    """
    edges = np.array(QUANTILES, np.float32)  # as the table keeps them
    pit = scores["pit"].dropna().to_numpy(np.float32)
    below, above = np.searchsorted(edges, pit, side="left"), np.searchsorted(edges, pit, side="right")
    counts = (np.bincount(below, minlength=8) + np.bincount(above, minlength=8)) / 2
    names = [f"q{round(level * 100):02d}" for level in QUANTILES]
    between = [f"below {names[0]}", *(f"{a} … {b}" for a, b in pairwise(names))]
    observed = counts / len(pit) if len(pit) else np.full(8, np.nan)
    nominal = np.diff([0.0, *QUANTILES, 1.0])
    return pd.DataFrame({"between": [*between, f"above {names[-1]}"], "observed": observed, "nominal": nominal})


@dataclass(frozen=True)
class Revisions:
    """How much successive issues change their mind about the same station and time; NaN where none can.

    mean_change_c: mean absolute change of the median from one issue to the next, over `changes` of them.
    flip_flop_c: what of such changes is taken back again, a step, over `times` with three or more issues; 0 where
        forecasts only ever moved one way.
    """

    mean_change_c: float
    changes: int
    flip_flop_c: float
    times: int


def revisions(forecasts: pd.DataFrame) -> Revisions:
    """How much forecasts of the same time differ from issue to issue.

    Args:
        forecasts: station_id, valid_at, issued_at and temperature_c of several issues.

    Source: flip-flop index: Griffiths et al. 2019, doi:10.1002/met.1732.
    """
    rows = forecasts.sort_values("issued_at").astype({"temperature_c": np.float64})
    said = rows.groupby(["station_id", "valid_at"])["temperature_c"]
    changes = said.diff().abs().dropna()
    often = said.transform("size")
    indices = []
    for issues in sorted(often[often >= 3].unique()):
        told = rows[often == issues].sort_values(["station_id", "valid_at", "issued_at"])["temperature_c"]
        values = xr.DataArray(told.to_numpy().reshape(-1, issues), dims=("time", "issue"))
        indices.append(flip_flop_index(values, "issue").to_numpy())
    flip_flops = np.concatenate(indices) if indices else np.empty(0)
    return Revisions(
        float(changes.mean()) if len(changes) else float("nan"),
        len(changes),
        float(flip_flops.mean()) if len(flip_flops) else float("nan"),
        len(flip_flops),
    )


def group_of(rows: pd.DataFrame, by: str | None) -> pd.Series:
    """The group of every score or forecast.

    Raises:
        SettingsError: there is no such group; names those there are.
    """
    match by:
        case None:
            return pd.Series(_EVERYTHING, rows.index)
        case "method":
            return rows["method"]
        case "version":
            return rows["model_version"].where(rows["model_version"] != "", rows["method"])
        case "station":
            return rows["station_id"]
        case "lead":
            return rows["lead_hours"]
        case "season":
            return rows["valid_at"].dt.month.map(lambda month: _SEASONS[month % 12 // 3])
        case "hour":
            return rows["valid_at"].dt.hour
    raise SettingsError(f"forecasts cannot be grouped by {by!r}; known: {', '.join(GROUPS)}.")


def in_order(groups: set[Any], by: str | None) -> list[Any]:
    """Seasons from winter on, versions by number and before baselines, all else as it sorts."""
    if by == "season":
        return [season for season in _SEASONS if season in groups]
    if by == "version":
        return sorted(groups, key=lambda name: (int(name) if name.isdigit() else np.inf, name))
    return sorted(groups)


def _sums(scores: pd.DataFrame) -> pd.DataFrame:
    """What every case adds to the sums that statistics are ratios of."""
    error = scores["error_c"].astype(np.float64)
    parts = {
        "n": error.notna().astype(np.float64),
        "error": error,
        "absolute": error.abs(),
        "square": error**2,
        "crps": scores["crps"].astype(np.float64),
        "covered": scores["covered_80"].astype(np.float64),
        "width": scores["width_80_c"].astype(np.float64),
    }
    for name in COMPARED:
        theirs = scores[f"{name}_error_c"].astype(np.float64).abs()
        parts[f"both_{name}"] = theirs.notna().astype(np.float64)
        parts[f"ours_{name}"] = error.abs().where(theirs.notna())
        parts[f"theirs_{name}"] = theirs
    return pd.DataFrame(parts)


def _value(name: str, sums: pd.DataFrame) -> Array:
    ratio = (_WITH_BAND | _WITHOUT_BAND)[name]
    value = ratio.of(sums[ratio.above].to_numpy(), sums[ratio.below].to_numpy())
    return np.sqrt(value) if name == "rmse" else value


def _statistics(days: pd.DataFrame, seed: int) -> dict[str, float]:
    """Every statistic of one group, from its sums by issue day, in the order of the columns."""
    whole = days.sum().to_frame().T
    row: dict[str, float] = {}
    for name in _ORDER:
        row[name] = float(_value(name, whole)[0])
        if name in _WITH_BAND:
            row[f"{name}_low"], row[f"{name}_high"] = _band(_WITH_BAND[name], days, seed)
    for name, (least, most) in _RANGES.items():
        for end in ("low", "high"):
            row[f"{name}_{end}"] = float(np.clip(row[f"{name}_{end}"], least, most))
    return row


def _columns() -> list[str]:
    return [column for name in _ORDER for column in (name, f"{name}_low", f"{name}_high")[: 3 if name in BANDED else 1]]


def _band(ratio: Ratio, days: pd.DataFrame, seed: int) -> tuple[float, float]:
    """Ends of the 90 % band; NaN where there are too few days to tell."""
    days = days[days[ratio.cases] > 0].sort_index()
    low, high = ratio_band(days[ratio.above].to_numpy(), days[ratio.below].to_numpy(), seed)
    return (1.0 - high, 1.0 - low) if ratio.one_minus else (low, high)
