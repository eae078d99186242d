"""A report made up by hand: a few stations, three weeks of verified forecasts, two champions."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from lstm_model.registry import Entry
from lstm_model.report import Judged, ReportData
from lstm_model.report.data import HEALTH
from lstm_model.report.findings import own_findings
from lstm_model.report.verified import by_lead, calibration, coverage
from lstm_model.settings import QUANTILES

NOW = pd.Timestamp("2024-03-20T02:15Z")
_LEVELS = {f"q{round(100 * level):02d}": level for level in QUANTILES}
_DAY = pd.Timedelta("1D")


def issue_of(names: tuple[str, ...], issued_at: pd.Timestamp, leads: int = 48) -> pd.DataFrame:
    """A daily cycle; the further ahead, the wider."""
    parts = []
    for number, name in enumerate(names):
        lead = np.arange(1, leads + 1, dtype=np.float32)
        valid_at = issued_at + pd.to_timedelta(lead, "h")
        middle = 4 + number % 7 + 5 * np.sin(2 * np.pi * (valid_at.hour - 8) / 24)
        rows = pd.DataFrame({"station_id": name, "issued_at": issued_at, "valid_at": valid_at, "lead_hours": lead})
        for column, level in _LEVELS.items():
            rows[column] = middle + (level - 0.5) * (2 + lead / 12)
        parts.append(rows.assign(temperature_c=middle))
    return pd.concat(parts, ignore_index=True).assign(
        issue_date=f"{issued_at:%Y-%m-%d}", method="champion", model_version="8", run_id="a1b2c3", readings_version=41
    )


@cache
def scores_of(days: int, seed: int = 0) -> pd.DataFrame:
    """Verified forecasts of one station, an issue a day."""
    chance = np.random.default_rng(seed)
    issues = [issue_of(("roof",), NOW.floor("D") - (day + 2) * _DAY) for day in range(days)]
    rows = pd.concat(issues, ignore_index=True)
    pit = chance.uniform(0.03, 0.97, len(rows))
    error = chance.normal(0, 0.5 + rows["lead_hours"] / 24)
    return rows[["station_id", "issue_date", "issued_at", "valid_at", "lead_hours"]].assign(
        error_c=error, crps=np.abs(error) / 2, pit=pit, covered_80=(pit > 0.1) & (pit < 0.9), width_80_c=3.0,
        persistence_error_c=1.5 * error, climatology_error_c=error[::-1], damped_anomaly_error_c=1.1 * error,
    )  # fmt: skip


@cache
def verified_of(days: int) -> dict[str, Any]:
    """What so many days of scores come to."""
    scores = scores_of(days) if days else pd.DataFrame()
    return {
        "scored": len(scores),
        "by_lead": by_lead(scores, pd.Timedelta("48h")),
        "calibration": calibration(scores),
        "coverage": coverage(scores),
    }


def report_of(
    stations: tuple[str, ...] = ("roof", "cellar", "walk-in 2"), days: int = 21, **changes: Any
) -> ReportData:
    """A report with something in every section, and what else is asked for."""
    issued_at = NOW.floor("h")
    yesterday = issue_of(stations, issued_at - _DAY, 24)
    hours = pd.date_range(issued_at - 3 * _DAY, issued_at, freq="h")
    past = issue_of(stations, issued_at - 3 * _DAY, 72).rename(columns={"valid_at": "observed_at"})
    health = pd.DataFrame(
        [(name, hours[-1], False, 0.99, 2, 0, [1.0] * 13 + [0.5]) for name in sorted(stations)], columns=HEALTH
    )
    told: dict[str, Any] = {
        "fleet": "cold store",
        "now": NOW,
        "written_at": NOW,
        "zone": "Europe/Berlin",
        "step": pd.Timedelta("1h"),
        "issue": issue_of(stations, issued_at),
        "recent": past[["station_id", "observed_at", "temperature_c"]],
        "yesterday": yesterday.assign(observed_c=yesterday["temperature_c"] - 1.2, error_c=1.2, covered_80=True),
        "usual_mae_c": 2.2,
        **verified_of(days),
        "changes": (
            Entry(NOW - 9 * _DAY, NOW - 9 * _DAY, "nightly", "promote", None, "3", "no_champion", "there is none yet"),
            Entry(NOW - 2 * _DAY, NOW - 2 * _DAY, "ada@attic", "rollback", "3", "8", "by_hand", "too warm all week"),
        ),
        "judged": (Judged("9", NOW, "refused", "equal, so it stays", False), Judged("8", NOW, "promoted", "", True)),
        "health": health,
        "quarantine": {"no time": 3},
        "code": "0123456789abcdef+changes",
    }
    return own_findings(ReportData(**told | changes), changes.get("findings", ()))


def with_limits(issue: pd.DataFrame, station: str, limit: float, chance: float) -> pd.DataFrame:
    """A station that may get warmer than it should."""
    ours = issue["station_id"] == station
    return issue.assign(
        limit_above_c=np.where(ours, limit, np.nan), limit_below_c=np.nan, p_below=np.nan,
        p_above=np.where(ours, chance * issue["lead_hours"] / issue["lead_hours"].max(), np.nan),
    )  # fmt: skip
