"""What docs/consumers.md shows works: its commands and its code, on a workspace with a week of nights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import fleet_readings, store_of
from typer.testing import CliRunner

from flows.commands import app
from lstm_model.forecasts import ForecastStore, verify_forecasts
from lstm_model.forecasts.limits import LIMIT_COLUMNS, with_limits
from lstm_model.network.forecaster import forecast_frame
from lstm_model.readings.stations import Station
from lstm_model.workspace import Workspace

PAGE = (Path(__file__).parents[1] / "docs" / "consumers.md").read_text(encoding="utf-8")
STATIONS = ("EWR", "JFK", "LGA")
NIGHTS = pd.date_range("2013-12-01T23:00Z", "2013-12-07T23:00Z", freq="1D")


@pytest.fixture
def week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seven nights of three stations, each forecast by a champion from the readings of its day, and verified."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NIGHTCAST_HOME", str(tmp_path))
    workspace = Workspace.find(tmp_path, {})
    readings = fleet_readings(days=40, end=NIGHTS[-1])
    readings["station_id"] = readings["station_id"].map({f"roof {n}": name for n, name in enumerate(STATIONS)})
    store = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)
    chance = np.random.default_rng(0)
    since = pd.Timestamp(0, tz="UTC")
    for at in NIGHTS:
        store_of(workspace).upsert(readings[readings["observed_at"].between(since, at, inclusive="right")])
        since = at
        middle = 3 + chance.normal(size=(len(STATIONS), 48, 1))
        rows = forecast_frame(STATIONS, at, pd.Timedelta("1h"), np.float32(middle + np.linspace(-4, 4, 7)))
        version = store_of(workspace).version
        origin = {"method": "champion", "model_version": "1", "run_id": "a1", "readings_version": version}
        rows = with_limits(rows, {"JFK": Station(station_id="JFK", limit_above_c=2.0)})
        store.keep(rows.assign(issue_date=f"{at:%Y-%m-%d}", created_at=at.as_unit("us"), **origin))
    verify_forecasts(workspace, NIGHTS[-1])
    return tmp_path


def test_the_page_for_consumers_does_what_it_says(week: Path, wide_screen: None) -> None:
    for console in re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        for command, shown in re.findall(r"^\$ nightcast (.*)\n((?:[^$\n].*\n)*)", console, re.MULTILINE):
            answer = CliRunner().invoke(app, command.split(), catch_exceptions=False)
            assert answer.output == shown

    found: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        exec(block, found)

    rows = len(NIGHTS) * len(STATIONS) * 48
    assert list(found["coldest"]["station_id"]) == list(STATIONS)
    assert set(found["too_warm"]["station_id"]) == {"JFK"}, "the others have no limit"
    assert found["too_warm"]["p_above"].between(0.3, 0.9999).all()
    assert list(found["warmest"].index) == list(STATIONS)
    assert found["tonight"].index[-1] == NIGHTS[-1] + pd.Timedelta("48h")
    assert len(found["by_lead"]) == 48
    assert list(found["frost"]["station_id"].sort_values()) == list(STATIONS)
    assert found["jfk"].shape == (len(NIGHTS), 48)
    assert found["newest"].shape == (len(STATIONS), 48, 7)
    assert int(found["by_champion"].notnull().sum()) == rows * 7
    assert set(found["week"]) & set(LIMIT_COLUMNS) == {"limit_above_c", "p_above"}
    assert list(found["errors"].index) == list(STATIONS)
    assert set(found["pairs"]["issue_date"]) == {"2013-12-05", "2013-12-06"}
    assert found["pairs"]["observed_c"].null_count() == 0
    assert len(found["usable"]) == 40 * 24 * len(STATIONS)
    assert list(found["skill"]["station_id"]) == list(STATIONS)
    assert len(found["met"]) == 48 * len(STATIONS)
    assert found["seen"]["observed_at"].max() == NIGHTS[-1]
    assert len(found["readings"].to_table()) == len(found["usable"])
