"""`nightcast export`: to a file or to standard output, with one line when it cannot be."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from flows.commands import app
from flows.exporting import export_to
from lstm_model.errors import NightcastError, SettingsError
from lstm_model.forecasts import ForecastStore, Wanted
from lstm_model.network.forecaster import forecast_frame
from lstm_model.workspace import Workspace


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide_screen: None) -> CliRunner:
    """At a workspace with an issue at noon and one at 23:30 of the same day."""
    monkeypatch.setenv("NIGHTCAST_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    workspace = Workspace.find(tmp_path, {})
    store = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)
    for at in pd.to_datetime(["2024-03-20T12:00Z", "2024-03-20T23:30Z"]):
        rows = forecast_frame(("roof 0", "roof 1"), at, pd.Timedelta("1h"), np.full((2, 2, 7), 10, np.float32))
        origin = {"method": "persistence", "model_version": "", "run_id": "", "readings_version": 0}
        store.keep(rows.assign(issue_date=f"{at:%Y-%m-%d}", created_at=at.as_unit("us"), **origin))
    return CliRunner()


def answer(terminal: CliRunner, *words: str) -> bytes:
    result = terminal.invoke(app, ["export", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout_bytes


def test_the_newest_issue_goes_to_standard_output_as_csv(terminal: CliRunner) -> None:
    assert answer(terminal).decode().splitlines() == [
        "issued_at,valid_at,roof 0,roof 1",
        "2024-03-20T23:30:00Z,2024-03-21T00:30:00Z,10.000,10.000",
        "2024-03-20T23:30:00Z,2024-03-21T01:30:00Z,10.000,10.000",
    ]
    assert len(pd.read_parquet(io.BytesIO(answer(terminal, "--format", "parquet")))) == 4


def test_a_day_is_a_period_until_its_end(terminal: CliRunner, tmp_path: Path) -> None:
    told = answer(terminal, "--from", "2024-03-20", "--to", "2024-03-20", "--station", "roof 1", "--out", "a/day.nc")
    assert told.decode() == (
        "a/day.nc: 2 issues from 2024-03-20 12:00 UTC to 2024-03-20 23:30 UTC, 1 station, 2 leads\n"
    )
    assert (tmp_path / "a" / "day.nc").is_file()


def test_json_says_what_was_written(terminal: CliRunner) -> None:
    told = json.loads(
        answer(terminal, "--issue", "2024-03-20T12:00Z", "--out", "noon.dat", "--format", "csv", "--json")
    )
    assert told == {
        "file": "noon.dat", "format": "csv", "issues": ["2024-03-20T12:00:00+00:00"], "stations": ["roof 0", "roof 1"],
        "leads": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--issue", "2024-03-20T12:00Z", "--from", "2024-03-20"], "--issue names one issue, --from and --to a period"),
        (["--from", "2024-03-21", "--to", "2024-03-20"], "--from 2024-03-21 lies after --to 2024-03-20"),
        (["--issue", "2024-03-20 12:00"], "names no zone"),
        (["--json"], "name it with --out FILE"),
        (["--out", "forecast"], "'forecast' tells no format"),
        (["--out", "/dev/null", "--format", "csv"], "/dev/null is no file; name one, or - for standard output"),
    ],
)
def test_wrong_usage_is_one_line(terminal: CliRunner, words: list[str], told: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        answer(terminal, *words)
    assert told in str(refusal.value)


def test_a_terminal_is_spared_what_is_no_text(terminal: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    _, screen = os.openpty()
    with os.fdopen(screen, "w") as stdout, pytest.raises(SettingsError, match="nothing to read on a terminal"):
        monkeypatch.setattr(sys, "stdout", stdout)
        export_to(Workspace.find(), "-", Wanted(), pd.Timestamp("2024-03-21T00:00Z"), "netcdf", None)


def test_nothing_to_export_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTCAST_HOME", str(tmp_path))
    with pytest.raises(NightcastError, match="no forecast was issued yet"):
        answer(CliRunner())
