"""What the verified scores of the last weeks say, as the report draws it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_model.evaluation import ratio_band
from lstm_model.forecasts import verified_skill
from lstm_model.forecasts.skill import COMPARED
from lstm_model.settings import QUANTILES

SPANS = 8
INTERVALS = {0.5: (0.25, 0.75), 0.8: (0.10, 0.90), 0.9: (0.05, 0.95)}

CALIBRATION = ["level", "observed", "low", "high"]


def by_lead(scores: pd.DataFrame, horizon: pd.Timedelta) -> pd.DataFrame:
    """How forecasts did by how far ahead they looked, in eight spans or fewer.

    Args:
        scores: rows of the scores table.
        horizon: the longest lead.

    Returns:
        `verified_skill` of every span, with from_h and to_h, its first and last lead, and persistence_mae,
        climatology_mae, damped_anomaly_mae, °C. No row without scores.
    """
    if scores.empty:
        return pd.DataFrame()
    width = max(horizon / pd.Timedelta("1h") / SPANS, float(scores["lead_hours"].min()))
    spans = np.ceil(scores["lead_hours"] / width).astype(int)
    told = verified_skill(scores.assign(lead_hours=spans), "lead").set_index("group")
    leads = scores["lead_hours"].groupby(spans)
    told["from_h"], told["to_h"] = leads.min(), leads.max()
    for name in COMPARED:
        told[f"{name}_mae"] = scores[f"{name}_error_c"].astype(np.float64).abs().groupby(spans).mean()
    return told.reset_index(drop=True)


def calibration(scores: pd.DataFrame) -> pd.DataFrame:
    """How often truth lay below each quantile.

    Returns:
        level, observed, and low and high, its 90 % band from a bootstrap of issue days (NaN under twelve); no row
        without scores. A truth on a quantile counts half to either side.
    """
    days, pit = _known(scores)
    shares = {level: (pit < level - 1e-6) + 0.5 * (np.abs(pit - level) <= 1e-6) for level in QUANTILES}
    return _shares(days, shares)


def coverage(scores: pd.DataFrame) -> pd.DataFrame:
    """How often truth lay within the 50, 80 and 90 % intervals, with bands; columns as of `calibration`.

    >>> midnight = "2024-03-01"
    >>> coverage(pd.DataFrame({"issue_date": [midnight] * 4, "pit": [0.02, 0.2, 0.5, 0.9]}))["observed"].tolist()
    [0.25, 0.75, 0.75]
    """
    days, pit = _known(scores)
    within = {share: (pit >= low - 1e-6) & (pit <= high + 1e-6) for share, (low, high) in INTERVALS.items()}
    return _shares(days, within)


def _known(scores: pd.DataFrame) -> tuple[pd.Series, np.ndarray]:
    if scores.empty:
        return pd.Series(dtype=object), np.empty(0)
    known = scores[scores["pit"].notna()]
    return known["issue_date"], known["pit"].to_numpy(np.float64)


def _shares(days: pd.Series, happened: dict[float, np.ndarray]) -> pd.DataFrame:
    """The mean of every column of what happened, with its band over days."""
    if days.empty:
        return pd.DataFrame(columns=CALIBRATION)
    table = pd.DataFrame({level: counts.astype(np.float64) for level, counts in happened.items()}, index=days.index)
    by_day = table.groupby(days)
    sums, cases = by_day.sum(), by_day.size().to_numpy(np.float64)
    rows = []
    for level in happened:
        low, high = ratio_band(sums[level].to_numpy(), cases)
        rows.append((level, float(table[level].mean()), *np.clip((low, high), 0.0, 1.0)))
    return pd.DataFrame(rows, columns=CALIBRATION)
