"""What a report is made of: a workspace's tables as they stand, and nothing later."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd
import pytest
from made_reports import scores_of
from support import NOW, fleet_readings, store_of

from lstm_model.forecasts import issue_forecast, verify_forecasts
from lstm_model.monitoring import Finding as Watched
from lstm_model.report import Finding, from_monitoring, gather, render
from lstm_model.report.health import station_health
from lstm_model.report.verified import by_lead, calibration, coverage
from lstm_model.workspace import Workspace

LATER = NOW + pd.Timedelta("12h")  # the horizon of the tests' models


@pytest.fixture
def verified(trained: Workspace) -> Workspace:
    """An issue whose truth has come."""
    issue_forecast(trained, NOW, NOW)
    store_of(trained).upsert(fleet_readings(days=81, end=LATER).query("observed_at > @NOW"))
    verify_forecasts(trained, LATER)
    return trained


def test_a_report_tells_what_the_tables_hold_and_nothing_later(verified: Workspace) -> None:
    (verified.home / "data" / "stations.csv").write_text("station_id,name\nroof 1,The attic\n")
    told = gather(verified, LATER, LATER)
    assert told.limit_calibration is None
    assert told.issued_at == NOW
    assert told.names == {"roof 1": "The attic"}
    assert len(told.yesterday) == 36
    assert (
        (told.yesterday["temperature_c"] - told.yesterday["observed_c"])
        .round(4)
        .equals(told.yesterday["error_c"].round(4))
    )
    assert told.scored == 36
    assert told.by_lead["to_h"].max() == 12
    assert [(change.before, change.champion) for change in told.changes] == [(None, "1")]
    assert [(version.version, version.champion) for version in told.judged or ()] == [("1", True)]
    assert told.recent["observed_at"].max() == LATER
    assert told.health["late"].tolist() == [False] * 3
    assert "The attic (roof 1)" in render(told)
    before = gather(verified, NOW, LATER)
    assert before.recent["observed_at"].max() == NOW
    assert before.yesterday.empty


def test_limits_are_told_beside_how_often_they_were_passed(trained: Workspace) -> None:
    (trained.home / "data" / "stations.csv").write_text("station_id,limit_above_c\nroof 1,-40\n")
    issue_forecast(trained, NOW, NOW)
    store_of(trained).upsert(fleet_readings(days=81, end=LATER).query("observed_at > @NOW"))
    verify_forecasts(trained, LATER)
    told = gather(trained, LATER, LATER)
    assert told.limit_calibration is not None
    assert told.limit_calibration["n"].tolist() == [12]
    assert told.limit_calibration["observed"].tolist() == [1.0]
    page, before = render(told), render(gather(trained, NOW, LATER))
    assert "how often is it passed?" in page
    assert "roof 1 will probably be above its limit of −40 °C: &gt;99 % for" in before
    assert "probably" not in page  # by then it is past


def test_a_fresh_workspace_has_a_report_and_looking_makes_nothing(make_workspace: Callable[..., Workspace]) -> None:
    workspace = make_workspace()
    told = gather(workspace, NOW, NOW)
    assert told.findings == ()
    assert "There are no readings yet" in render(told)
    assert not workspace.mlruns.exists()


def test_readings_without_a_forecast_need_a_person(make_workspace: Callable[..., Workspace]) -> None:
    workspace = make_workspace()
    store_of(workspace).upsert(fleet_readings(days=2, stations=1))
    told = gather(workspace, NOW + pd.Timedelta("30h"), NOW)
    assert [finding.text.split()[0] for finding in told.findings] == ["No", "No"]  # forecast; usable reading of late
    assert all(finding.urgent for finding in told.findings)
    assert "None of 1 station has a forecast yet" in render(told)


def test_a_damaged_registry_and_a_wrong_stations_file_cost_their_parts_alone(verified: Workspace) -> None:
    (verified.home / "data" / "stations.csv").write_text("station_id,colour\nroof 1,red\n")
    (verified.mlruns / "mlflow.db").write_bytes(b"no database")
    told = gather(verified, LATER, LATER)
    assert told.judged is None
    assert told.scored == 36
    assert told.findings[0].urgent
    assert re.match(r"No limit is watched: .*unknown column 'colour'", told.findings[0].text)
    assert "MLflow's database cannot be read" in render(told)


def test_a_shared_registry_that_is_away_costs_its_part_alone(make_workspace: Callable[..., Workspace]) -> None:
    workspace = make_workspace('[server]\nmlflow = "postgresql://me:${NOBODY_KNOWS_IT}@127.0.0.1:1/nights"\n')
    told = gather(workspace, NOW, NOW)
    assert told.judged is None


def test_health_counts_whole_days_doubts_and_who_is_late(make_workspace: Callable[..., Workspace]) -> None:
    readings = fleet_readings(days=20, stations=2)
    roof, last_day = readings["station_id"] == "roof 1", readings["observed_at"] > NOW - pd.Timedelta("1D")
    readings = readings[~(roof & last_day)].reset_index(drop=True)
    readings.loc[readings.index[readings["station_id"] == "roof 0"][-3:], "flag"] = 3
    workspace = make_workspace()
    store_of(workspace).upsert(readings)
    told = station_health(store_of(workspace), NOW, pd.Timedelta("1h"), pd.Timedelta("12h")).set_index("station_id")
    assert told["late"].to_dict() == {"roof 0": False, "roof 1": True}
    assert (told.loc["roof 1", "days"][-1], told.loc["roof 1", "days"][0]) == (0.0, 1.0)
    assert told["share"].round(4).to_dict() == {"roof 0": round(333 / 336, 4), "roof 1": round(13 / 14, 4)}
    assert told.loc["roof 0", ["suspect", "failed"]].tolist() == [3, 0]


def test_verified_numbers_are_shares_of_their_cases() -> None:
    scores = scores_of(21)
    spans = by_lead(scores, pd.Timedelta("48h"))
    assert spans["to_h"].tolist() == [6, 12, 18, 24, 30, 36, 42, 48]
    first = scores[scores["lead_hours"] <= 6]
    assert spans["mae"].iloc[0] == pytest.approx(first["error_c"].abs().mean())
    assert spans["persistence_mae"].iloc[0] == pytest.approx(1.5 * spans["mae"].iloc[0])
    below = calibration(scores).set_index("level")
    assert below.loc[0.25, "observed"] == pytest.approx((scores["pit"] < 0.25).mean())
    assert (below["low"] <= below["observed"]).all()
    assert (below["observed"] <= below["high"]).all()
    within = coverage(scores).set_index("level")
    assert within.loc[0.8, "observed"] == pytest.approx(scores["pit"].between(0.1, 0.9).mean())
    assert coverage(scores_of(5))["low"].isna().all()


def said(rule: str, subject: str, raised: bool) -> Watched:
    return Watched(rule, subject, 1.0, 1.0, 2, 3, raised, False, False, "look")


def test_what_monitoring_raises_needs_a_person(make_workspace: Callable[..., Workspace]) -> None:
    rules = [said("skill", "champion", True), said("silent", "roof 0", True), said("drift", "fleet", False)]
    told = from_monitoring(rules)
    assert told == [
        Finding("Skill: look."),
        Finding("Silent: look.", urgent=True, stations=("roof 0",), about_absence=True),
    ]
    workspace = make_workspace()
    store_of(workspace).upsert(fleet_readings(days=2, stations=1))
    texts = [finding.text for finding in gather(workspace, NOW + pd.Timedelta("30h"), NOW, told).findings]
    assert texts == [
        "Silent: look.",
        "No forecast has gone out yet.",
        "Skill: look.",
    ]  # and not once more that it is late
