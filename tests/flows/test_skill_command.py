"""`nightcast skill`: bands and counts in text and JSON, and a clear line where there is nothing to tell."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import fleet_readings, store_of
from typer.testing import CliRunner

from flows.clock import mark_lived
from flows.commands import app
from lstm_model.errors import SettingsError
from lstm_model.forecasts import ForecastStore, verify_forecasts
from lstm_model.forecasts.limits import with_limits
from lstm_model.network.forecaster import forecast_frame
from lstm_model.readings.stations import Station
from lstm_model.workspace import Workspace

FIRST = pd.Timestamp("2013-12-01T00:00Z")
NOW = FIRST + pd.Timedelta("20D")


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide_screen: None) -> CliRunner:
    monkeypatch.setenv("NIGHTCAST_HOME", str(tmp_path))
    return CliRunner()


def issue(workspace: Workspace, days: range) -> None:
    """A forecast of two days at the start of each of these days, by two versions one after the other."""
    store = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)
    chance = np.random.default_rng(0)
    for day in days:
        at = FIRST + pd.Timedelta(days=day)
        quantiles = 10 + chance.normal(size=(2, 48, 1)) + np.linspace(-4, 4, 7)
        rows = forecast_frame(("roof 0", "roof 1"), at, pd.Timedelta("1h"), quantiles.astype(np.float32))
        store.keep(
            with_limits(rows, {"roof 1": Station(station_id="roof 1", limit_above_c=14)}).assign(
                issue_date=f"{at:%Y-%m-%d}", method="champion", model_version="9" if day < 14 else "10", run_id="",
                readings_version=1, created_at=at.as_unit("us"),
            )
        )  # fmt: skip


@pytest.fixture(scope="module")
def verified_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty days of issues, verified; `roof 1` said nothing on the last day."""
    home = tmp_path_factory.mktemp("verified")
    workspace = Workspace.find(home, {})
    readings = fleet_readings(days=30, stations=2, end=NOW)
    silent = (readings["station_id"] == "roof 1") & (readings["observed_at"] > NOW - pd.Timedelta("1D"))
    store_of(workspace).upsert(readings[~silent])
    issue(workspace, range(20))
    verify_forecasts(workspace, NOW)
    mark_lived(workspace, NOW, {})
    return home


@pytest.fixture
def verified(verified_home: Path, tmp_path: Path) -> None:
    """A copy of it."""
    shutil.copytree(verified_home, tmp_path, dirs_exist_ok=True)


def answer(terminal: CliRunner, *words: str) -> str:
    told = terminal.invoke(app, ["skill", *words])
    assert told.exit_code == 0, told.output
    return told.output


def test_the_text_tells_values_with_bands_ranks_revisions_and_what_is_missing(
    terminal: CliRunner, verified: None
) -> None:
    (row,) = json.loads(answer(terminal, "--json"))["groups"]
    text = " ".join(answer(terminal).split())
    assert f"{row['mae']:.2f} [{row['mae_low']:.2f}, {row['mae_high']:.2f}]" in text
    assert f"{row['coverage_80']:.0%} [{row['coverage_80_low']:.0%}, {row['coverage_80_high']:.0%}]" in text
    assert f"{row['skill_persistence']:+.0%} [" in text
    assert "truth fell (and should): below q05 " in text
    assert "from one issue to the next a forecast changes by 1." in text
    assert "no time was forecast three times yet" in text
    assert "48 forecasts have no score although their time has passed" in text
    assert "48 wait for their time" in text
    assert re.search(r"above 888 \d+ [\d.]+% 0\.\d{4} \[0\.\d{4}, 0\.\d{4}\] [+-]\d+% \[", text)
    assert re.search(r"10% … 20% 1\d\.\d% [\d.]+% \d+ \d+ 20%", text)


def test_json_is_one_object_with_nothing_hidden(terminal: CliRunner, verified: None) -> None:
    told = json.loads(answer(terminal, "--json", "--by", "station"))
    assert list(told) == [
        "as_of", "by", "days", "groups", "ranks", "revisions", "limits", "reliability", "missing",
        "waiting", "why_nothing",
    ]  # fmt: skip
    assert (told["as_of"], told["by"], told["days"]) == (NOW.isoformat(), "station", None)
    rows = {row["group"]: row for row in told["groups"]}
    assert {name: (row["n"], row["issues"], row["missing"]) for name, row in rows.items()} == {
        "roof 0": (20 * 48 - 24, 20, 0), "roof 1": (20 * 48 - 72, 19, 48),
    }  # fmt: skip
    assert (told["missing"], told["waiting"], told["why_nothing"]) == (48, 48, None)
    assert sum(rank["observed"] for rank in told["ranks"]) == pytest.approx(1)
    assert told["revisions"]["flip_flop_c"] is None  # not NaN, which is no JSON
    assert told["revisions"]["changes"] == 19 * 24 * 2
    (limit,) = told["limits"]
    assert (limit["group"], limit["side"], limit["n"]) == ("roof 1", "above", 20 * 48 - 72)
    assert limit["brier_low"] < limit["brier"] < limit["brier_high"]
    assert sum(row["n"] for row in told["reliability"]) == limit["n"]


@pytest.mark.parametrize(
    ("by", "first", "groups"),
    [
        ("version", "9 ", 2),
        ("lead", "1 h ", 48),
        ("season", "DJF ", 1),
        ("hour", "00:00 UTC ", 24),
        ("method", "champion ", 1),
    ],
)
def test_groups_are_rows(terminal: CliRunner, verified: None, by: str, first: str, groups: int) -> None:
    lines = answer(terminal, "--by", by).splitlines()
    assert lines[0].startswith(by)
    assert lines[1].startswith(first)
    assert len(json.loads(answer(terminal, "--json", "--by", by))["groups"]) == groups


def test_days_leaves_older_issues_out(terminal: CliRunner, verified: None) -> None:
    told = json.loads(answer(terminal, "--json", "--days", "5"))
    (row,) = told["groups"]
    assert row["issues"] == 4  # the one five days ago is not within them
    assert row["mae_low"] is None  # too few days for a band
    assert told["days"] == 5
    assert terminal.invoke(app, ["skill", "--days", "0"]).exit_code == 2


def test_an_unknown_group_is_answered_with_those_there_are(terminal: CliRunner) -> None:
    refused = terminal.invoke(app, ["skill", "--by", "weekday"]).exception
    assert isinstance(refused, SettingsError)  # `main` exits with 2
    known = "method, version, station, lead, season, hour"
    assert str(refused) == f"forecasts cannot be grouped by 'weekday'; known: {known}."


def test_with_nothing_verified_it_says_when_there_will_be(terminal: CliRunner, tmp_path: Path) -> None:
    assert answer(terminal) == (
        "no forecast is there to verify; `nightcast run` issues one, and later nights verify it\n"
    )
    assert not list(tmp_path.iterdir())  # looking makes nothing
    workspace = Workspace.find(tmp_path, {})
    issue(workspace, range(1))
    mark_lived(workspace, FIRST, {})
    (line,) = answer(terminal).splitlines()
    assert line.startswith("no forecast is verified yet: the first is for 2013-12-01 01:00 UTC; once the readings")
    mark_lived(workspace, FIRST + pd.Timedelta("3h"), {})
    (line,) = answer(terminal).splitlines()
    assert line.startswith("no forecast is verified yet: the time of 6 has passed; `nightcast verify`")
    told = json.loads(answer(terminal, "--json"))
    assert (told["missing"], told["waiting"], told["why_nothing"]) == (6, 90, line)
    assert [row["n"] for row in told["groups"]] == [0]
    mark_lived(workspace, FIRST + pd.Timedelta("9D"), {})
    assert answer(terminal, "--days", "2").startswith("no forecast of the last 2 days is there to verify")
