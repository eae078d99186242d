"""The embedded sample, played back night after night. These tests run in order: each lives on after the last."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from mlflow import MlflowClient
from support import Person
from typer.testing import CliRunner

from flows.commands import app
from lstm_model.network.forecaster import QUANTILE_COLUMNS

COLUMNS = [
    "issue_date", "station_id", "issued_at", "valid_at", "lead_hours", "temperature_c",
    *QUANTILE_COLUMNS, "method", "model_version", "run_id", "readings_version", "created_at",
    "limit_above_c", "p_above", "limit_below_c", "p_below",
]  # fmt: skip

QUICK = {"NIGHTCAST_MODEL__MAX_EPOCHS": "1"}


def latest(person: Person) -> pd.DataFrame:
    return pd.read_csv(person.workspace / "predictions" / "latest.csv", parse_dates=["issued_at", "valid_at"])


def readings(person: Person) -> pd.DataFrame:
    return DeltaTable(person.workspace / "data" / "readings").to_pandas()


@pytest.fixture(scope="module")
def first_night(newcomer: Person) -> dict:
    return newcomer.lives_a_night()


def test_the_first_night_forecasts_every_station(newcomer: Person, first_night: dict) -> None:
    assert first_night["as_of"] == "2013-11-30T23:00:00+00:00"
    assert first_night["rows"] == {
        "rows_in": 23956, "new": 23955, "corrected": 0, "unchanged": 0, "quarantined": 1,
        "reasons": {"temperature missing or not a number": 1},
        "nulled": {"wind_east_ms": 1, "wind_north_ms": 1},
        "flagged": {"by_station": {"JFK": {"suspect": 0, "failed": 1}}, "by_check": {"spike": 1}},
        "readings_version": 1,
    }  # fmt: skip
    assert first_night["forecasts"] == {"champion": 3}
    rows = latest(newcomer)
    assert list(rows.columns) == COLUMNS
    assert rows.groupby("station_id").size().to_dict() == {"EWR": 48, "JFK": 48, "LGA": 48}
    quantiles = rows[QUANTILE_COLUMNS].to_numpy()
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert rows["temperature_c"].between(-20, 22).all()  # New York at the turn to December
    assert (rows["valid_at"] - rows["issued_at"] == pd.to_timedelta(rows["lead_hours"], unit="h")).all()


def test_mlflow_finds_experiment_model_and_champion(newcomer: Person, first_night: dict) -> None:
    uri = f"sqlite:///{newcomer.workspace}/mlruns/mlflow.db"
    client = MlflowClient(uri, uri)
    experiment = client.get_experiment_by_name("nightcast")
    (run,) = client.search_runs([experiment.experiment_id])
    champion = client.get_model_version_by_alias("nightcast", "champion")
    assert champion.run_id == run.info.run_id
    assert latest(newcomer)["run_id"].unique().tolist() == [run.info.run_id]


def test_nothing_is_written_to_the_home_folder(newcomer: Person, first_night: dict) -> None:
    written = {path.name for path in newcomer.home.rglob("*")} - {".cache", ".config", "matplotlib"}
    assert not {name for name in written if not name.startswith("fontlist")}


def test_the_moved_folder_lives_the_next_night(newcomer: Person, first_night: dict) -> None:
    moved = newcomer.workspace.with_name("moved, and with spaces")
    shutil.move(newcomer.workspace, moved)
    newcomer.workspace = moved
    night = newcomer.lives_a_night(**QUICK)
    assert night["as_of"] == "2013-12-01T23:00:00+00:00"
    assert (night["rows"]["rows_in"], night["rows"]["new"]) == (72, 72)
    assert not readings(newcomer).duplicated(["station_id", "observed_at"]).any()
    assert night["verified"] == 72
    scores = DeltaTable(newcomer.workspace / "predictions" / "scores").to_pandas()
    assert scores.groupby("station_id")["lead_hours"].apply(sorted).tolist() == [list(range(1, 25))] * 3
    assert (night["trained_version"], night["promotion"]["champion_before"]) == ("2", "1")
    assert "champion" in night["promotion"]["scores"]


def test_the_same_night_lived_again_changes_nothing(newcomer: Person, first_night: dict) -> None:
    rows, kept = latest(newcomer), readings(newcomer)
    night = newcomer.lives_a_night("--as-of", "2013-12-01T23:00Z", **QUICK)
    assert night["rows"]["rows_in"] == night["rows"]["new"] + night["rows"]["unchanged"] == night["rows"]["unchanged"]
    pd.testing.assert_frame_equal(readings(newcomer), kept)
    pd.testing.assert_frame_equal(
        latest(newcomer).drop(columns="created_at"), rows.drop(columns="created_at"), check_exact=True
    )


def test_a_killed_night_is_lived_again_as_if_it_had_not_begun(newcomer: Person, first_night: dict) -> None:
    command = [str(Path(sys.executable).with_name("nightcast")), "run"]
    with subprocess.Popen(
        command, env=newcomer.environment(), cwd=newcomer.workspace, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "registered version" in line:
                process.send_signal(signal.SIGKILL)
                break
    told = json.loads((newcomer.workspace / ".nightcast" / "server.json").read_text())
    server = told["parts"]["Prefect server"]
    night = newcomer.lives_a_night(**QUICK)
    assert subprocess.run(["ps", "-p", str(server)], capture_output=True).returncode == 1  # the orphan is gone
    assert night["as_of"] == "2013-12-02T23:00:00+00:00"
    assert night["rows"]["new"] == 0  # the killed one had taken them in
    assert night["failed"] == {}
    assert not readings(newcomer).duplicated(["station_id", "observed_at"]).any()
    assert set(latest(newcomer)["issued_at"]) == {pd.Timestamp("2013-12-02T23:00Z")}


def test_a_person_sees_where_the_workspace_stands(
    newcomer: Person, first_night: dict, monkeypatch: pytest.MonkeyPatch, wide_screen: None
) -> None:
    monkeypatch.setenv("NIGHTCAST_HOME", str(newcomer.workspace))
    status, models = (CliRunner().invoke(app, [word]) for word in ("status", "models"))
    assert (status.exit_code, models.exit_code) == (0, 0)
    assert "2013-12-02T23:00:00+00:00" in status.output
    assert "champion" in models.output
    assert "version 1: there is no champion yet" in " ".join(models.output.split())
    mlflow.set_tracking_uri(None)  # leave no trace for the next module
