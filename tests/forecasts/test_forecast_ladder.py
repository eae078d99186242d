"""The forecast always goes out: take the rungs away one by one."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import mlflow
import numpy as np
import pandas as pd
import pytest
from support import NOW, fleet_readings, store_of

from lstm_model.errors import HistoryTooShort
from lstm_model.forecasts import Issue, issue_forecast
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.registry import MODEL, find_version, open_tracking
from lstm_model.workspace import Workspace


def issue(workspace: Workspace, now: pd.Timestamp = NOW) -> Issue:
    return issue_forecast(workspace, now, created_at=NOW)


def take_files_away(workspace: Workspace, alias: str) -> None:
    version = find_version(open_tracking(workspace), alias)
    assert version is not None
    shutil.rmtree(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{MODEL}/{version.version}"))


def with_previous(workspace: Workspace) -> None:
    """The challenger is made champion, so that the first one stands by."""
    client = open_tracking(workspace)
    client.set_registered_model_alias(MODEL, "previous", "1")
    client.set_registered_model_alias(MODEL, "champion", "2")


def assert_whole(issued: Issue, stations: int = 3, horizon: int = 12) -> None:
    quantiles = issued.forecast[QUANTILE_COLUMNS].to_numpy()
    assert len(issued.forecast) == stations * horizon
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_rungs_are_taken_away_one_by_one(equal: Workspace) -> None:
    with_previous(equal)
    assert issue(equal).methods == {"champion": 3}
    take_files_away(equal, "champion")
    second = issue(equal)
    assert second.methods == {"previous": 3}
    assert "champion (version 2) cannot serve" in second.faults[0]
    take_files_away(equal, "previous")
    third = issue(equal)
    assert third.methods == {"damped_anomaly": 3}
    assert_whole(third)


def test_a_garbled_champion_does_not_serve(trained: Workspace) -> None:
    weights = next(trained.mlruns.rglob("weights.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1000])
    assert issue(trained).methods == {"damped_anomaly": 3}


def test_a_damaged_registry_does_not_stop_the_forecast(trained: Workspace) -> None:
    (trained.mlruns / "mlflow.db").write_bytes(b"no database at all" * 1000)
    issued = issue(trained)
    assert issued.methods == {"damped_anomaly": 3}
    assert "registry cannot be read" in issued.faults[0]
    assert_whole(issued)


def test_a_champion_that_explodes_does_not_stop_the_forecast(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("lstm_model.network.Forecaster.forecast", explode)
    assert issue(trained).methods == {"damped_anomaly": 3}


def test_a_champion_of_another_fleet_does_not_serve(trained: Workspace) -> None:
    later = NOW + pd.Timedelta("40D")  # the old fleet fell silent, another one speaks
    store_of(trained).upsert(fleet_readings(days=10, stations=1, end=later).assign(station_id="cellar"))
    issued = issue(trained, later)
    assert issued.methods == {"damped_anomaly": 1}
    assert "knows none of these stations" in issued.faults[0]


def test_a_champion_from_the_future_does_not_serve(trained: Workspace) -> None:
    yesterday = issue(trained, NOW - pd.Timedelta("1D"))
    assert yesterday.methods == {"damped_anomaly": 3}
    assert "trained later" in yesterday.faults[0]


def test_a_new_station_with_six_readings_gets_persistence_beside_the_champion(trained: Workspace) -> None:
    new = fleet_readings(days=1, stations=1, seed=9).tail(6).assign(station_id="just unpacked")
    store_of(trained).upsert(new)
    issued = issue(trained)
    assert issued.methods == {"champion": 3, "persistence": 1}
    assert_whole(issued, stations=4)
    rows = issued.forecast[issued.forecast["station_id"] == "just unpacked"]
    assert np.allclose(rows["temperature_c"], new["temperature_c"].iloc[-1])


def test_a_station_silent_for_two_days_gets_the_climatology_without_a_champion(
    make_workspace: Callable[..., Workspace],
) -> None:
    workspace = make_workspace()
    readings = fleet_readings(days=30)
    silent = (readings["station_id"] == "roof 1") & (readings["observed_at"] > NOW - pd.Timedelta("2D"))
    store_of(workspace).upsert(readings[~silent])
    issued = issue(workspace)
    assert issued.methods == {"climatology": 1, "damped_anomaly": 2}
    assert_whole(issued)


def test_six_readings_alone_are_enough_for_a_forecast(make_workspace: Callable[..., Workspace]) -> None:
    workspace = make_workspace()
    store_of(workspace).upsert(fleet_readings(days=1, stations=1).tail(6))
    issued = issue(workspace)
    assert issued.methods == {"persistence": 1}
    assert_whole(issued, stations=1)


def test_without_any_reading_it_says_so(make_workspace: Callable[..., Workspace]) -> None:
    with pytest.raises(HistoryTooShort, match="no station has a reading of the last 30 days"):
        issue(make_workspace())


def test_issuing_again_replaces(trained: Workspace) -> None:
    from lstm_model.forecasts import ForecastStore

    first, second = issue(trained), issue(trained)
    kept = ForecastStore(trained.forecasts, trained.scores, trained.latest).read_forecasts()
    assert len(kept) == len(first.forecast)
    pd.testing.assert_frame_equal(first.forecast, second.forecast)


def test_latest_is_the_newest_issue_even_after_an_older_one(trained: Workspace) -> None:
    issue(trained)
    issue(trained, NOW - pd.Timedelta("1D"))
    latest = pd.read_csv(trained.latest, parse_dates=["issued_at"])
    assert set(latest["issued_at"]) == {NOW}
    assert list(latest.columns[:6]) == [
        "issue_date", "station_id", "issued_at", "valid_at", "lead_hours", "temperature_c",
    ]  # fmt: skip
