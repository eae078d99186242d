"""Fleets that tick at their own pace: a night and the verification of its forecast, at every cadence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import NOW, fleet_readings, store_of

from lstm_model.errors import SettingsError
from lstm_model.forecasts import issue_forecast, verify_forecasts
from lstm_model.registry import promote_challenger, train_candidate
from lstm_model.workspace import Workspace

TOML = """
[source.fleet]
path = "inbox/*.csv"

[model]
frequency = "{frequency}"
hidden_size = 8
max_epochs = 1
{more}
"""


def fleet(frequency: str, days: int, end: pd.Timestamp = NOW) -> pd.DataFrame:
    """Hourly weather as sensors of that cadence tell it; between the hours it changes evenly."""
    parts = []
    for _, station in fleet_readings(days, end=end.ceil("1D")).groupby("station_id"):
        times = pd.date_range(station["observed_at"].iloc[0].ceil("1D"), end, freq=frequency).as_unit("us")
        seen = np.interp(times.asi8, pd.DatetimeIndex(station["observed_at"]).as_unit("us").asi8,
                         station["temperature_c"].to_numpy())  # fmt: skip
        first = station.iloc[:1].drop(columns=["month", "observed_at", "temperature_c"])
        rows = pd.DataFrame({"month": times.strftime("%Y-%m"), "observed_at": times, "temperature_c": seen})
        parts.append(rows.astype({"temperature_c": "float32"}).merge(first, how="cross"))
    return pd.concat(parts, ignore_index=True)


def workspace_of(home: Path, frequency: str, more: str = "") -> Workspace:
    (home / "nightcast.toml").write_text(TOML.format(frequency=frequency, more=more))
    return Workspace.find(home, {})


@pytest.mark.parametrize(
    ("frequency", "days", "leads", "more"),
    [("30min", 50, 24, "horizon = 24\ncontext = 96"), ("12h", 200, 7, ""), ("1D", 400, 7, "")],
    ids=["30min", "12h", "1D"],
)
def test_a_night_and_its_verification(frequency: str, days: int, leads: int, more: str, tmp_path: Path) -> None:
    workspace = workspace_of(tmp_path, frequency, more)
    store_of(workspace).upsert(fleet(frequency, days))
    train_candidate(workspace, NOW)
    promotion = promote_challenger(workspace, NOW, at=NOW, who="test")
    assert promotion.decision is not None
    issue = issue_forecast(workspace, NOW, NOW)
    step = pd.Timedelta(frequency)
    ahead = issue.forecast["valid_at"] - issue.forecast["issued_at"]
    assert sorted(ahead.unique()) == [lead * step for lead in range(1, leads + 1)]
    assert issue.forecast["temperature_c"].notna().all()
    assert issue.forecast["station_id"].nunique() == 3

    later = NOW + leads * step
    store_of(workspace).upsert(fleet(frequency, days + leads, end=later))
    report = verify_forecasts(workspace, later)
    assert report.scored == 3 * leads


def test_a_station_whose_cadence_changed_half_way_is_forecast_all_the_same(tmp_path: Path) -> None:
    """Once a day for half a year, every three hours since, and another one that became slower: on a 3-hourly grid."""
    workspace = workspace_of(tmp_path, "3h")
    changed, whole = NOW - pd.Timedelta("40D"), fleet("3h", 120)
    daily = whole["observed_at"].dt.hour == 12
    faster = (whole["station_id"] == "roof 0") & (whole["observed_at"] < changed) & ~daily
    slower = (whole["station_id"] == "roof 1") & (whole["observed_at"] >= changed) & ~daily
    store_of(workspace).upsert(whole[~faster & ~slower])
    train_candidate(workspace, NOW)
    promote_challenger(workspace, NOW, at=NOW, who="test")
    issue = issue_forecast(workspace, NOW, NOW)
    counts = issue.forecast.dropna(subset="temperature_c").groupby("station_id").size()
    assert counts.to_dict() == {"roof 0": 16, "roof 1": 16, "roof 2": 16}


def test_a_fleet_too_slow_for_the_grid_is_refused_in_words(tmp_path: Path) -> None:
    workspace = workspace_of(tmp_path, "1h")
    store_of(workspace).upsert(fleet("1D", 100))
    with pytest.raises(SettingsError, match=r'speaks every 1D, .* steps of 1h: write frequency = "1D" under'):
        train_candidate(workspace, NOW)
    issue = issue_forecast(workspace, NOW, NOW)  # which goes out all the same
    assert issue.forecast["temperature_c"].notna().all()
