"""Verified scores stand in MLflow, on the version that made the forecasts, once each."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from support import NOW, copied, fleet_readings, store_of

from lstm_model.forecasts import (
    ForecastStore,
    issue_forecast,
    record_verified,
    verified_skill,
    verify_forecasts,
)
from lstm_model.registry import MODEL, Verified, find_version, list_versions, open_tracking
from lstm_model.workspace import Workspace

SCORES = ("n", "mae", "rmse", "bias", "crps", "coverage_80", "skill")


@pytest.fixture(scope="module")
def living_home(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Readings of three days to come, and a forecast of the champion every twelve hours of two of them."""
    workspace = copied(trained_home, tmp_path_factory.mktemp("living"))
    store_of(workspace).upsert(fleet_readings(days=3, end=NOW + pd.Timedelta("3D"), seed=3).query("observed_at > @NOW"))
    for now in pd.date_range(NOW, NOW + pd.Timedelta("36h"), freq="12h"):
        issue_forecast(workspace, now, now)
    return workspace.home


@pytest.fixture
def living(living_home: Path, tmp_path: Path) -> Workspace:
    """A copy of it."""
    return copied(living_home, tmp_path / "home")


def scores_of(workspace: Workspace) -> pd.DataFrame:
    return ForecastStore(workspace.forecasts, workspace.scores, workspace.latest).read_scores()


def verify(workspace: Workspace, hours: int) -> tuple[str, ...]:
    verify_forecasts(workspace, NOW + pd.Timedelta(hours=hours))
    return record_verified(workspace)


def told(workspace: Workspace) -> tuple[MlflowClient, str, dict[str, str]]:
    """A client, the champion's run, and its tags."""
    client = open_tracking(workspace)
    champion = client.get_model_version_by_alias(MODEL, "champion")
    return client, champion.run_id, champion.tags


def points(workspace: Workspace) -> dict[str, list[tuple[int, float]]]:
    client, run, _ = told(workspace)
    return {
        name: [(point.step, point.value) for point in client.get_metric_history(run, f"verified_{name}")]
        for name in SCORES
    }


def test_metrics_and_tags_say_what_the_scores_say(living: Workspace) -> None:
    assert verify(living, 48) == ("1",)
    whole = verified_skill(scores_of(living)).iloc[0]
    client, run, tags = told(living)
    metrics = client.get_run(run).data.metrics
    for name in ("n", "mae", "rmse", "bias", "crps", "coverage_80"):
        assert metrics[f"verified_{name}"] == pytest.approx(whole[name]), name
    assert metrics["verified_skill"] == pytest.approx(whole["skill_persistence"])
    assert tags["verified_n"] == str(whole["n"]) == "144"
    assert float(tags["verified_mae"]) == pytest.approx(whole["mae"], abs=1e-6)
    assert float(tags["verified_crps"]) == pytest.approx(whole["crps"], abs=1e-6)
    assert tags["complete"] == "true"  # and the others stand


def test_there_is_one_point_a_day_since_training(living: Workspace) -> None:
    for hours in (24, 48):
        verify(living, hours)
    assert [point for point, _ in points(living)["mae"]] == [1, 2]
    scores = scores_of(living)
    first = scores[scores["valid_at"] <= NOW + pd.Timedelta("1D")]
    assert dict(points(living)["n"]) == {1: len(first), 2: 144}
    assert dict(points(living)["mae"])[1] == pytest.approx(first["error_c"].abs().mean())


def test_verifying_every_hour_draws_the_same_curve(living: Workspace) -> None:
    """Every hour where a day begins and ends; in its middle, one hour is as another."""
    for hours in (1, 2, 3, 12, 13, 22, 23, 24, 25, 26, 36, 37, 46, 47, 48):
        verify(living, hours)
    hourly = points(living)
    assert [day for day, _ in hourly["n"]] == [1, 1, 2]  # at once, when the first day is over, and the second
    assert dict(hourly["n"])[1] == (scores_of(living)["valid_at"] <= NOW + pd.Timedelta("1D")).sum()


def test_verifying_again_logs_nothing(living: Workspace) -> None:
    verify(living, 30)
    before = points(living), told(living)[2]
    assert verify(living, 30) == ()
    assert (points(living), told(living)[2]) == before


def test_tags_are_up_to_date_within_the_day(living: Workspace) -> None:
    verify(living, 3)
    assert told(living)[2]["verified_n"] == "9"
    assert verify(living, 5) == ("1",)
    assert told(living)[2]["verified_n"] == "15"
    assert points(living)["n"] == [(1, 9.0)]


def test_a_correction_is_told_and_what_it_replaces_no_longer_counts(living: Workspace) -> None:
    verify(living, 48)
    before = dict(points(living)["mae"])
    corrected = fleet_readings(days=3, stations=1, end=NOW + pd.Timedelta("3D"), seed=3)
    corrected = corrected[corrected["observed_at"] == NOW + pd.Timedelta("2h")]
    store_of(living).upsert(corrected.assign(temperature_c=np.float32(40.0)))
    assert verify(living, 48) == ("1",)
    after, (client, run, _) = points(living)["mae"], told(living)
    assert len(after) == 4
    assert dict(after)[1] > before[1]
    assert client.get_run(run).data.metrics["verified_mae"] == dict(after)[2] > before[2]
    store_of(living).upsert(corrected)
    verify(living, 48)
    assert client.get_run(run).data.metrics["verified_mae"] == pytest.approx(before[2])


def test_what_a_killed_run_left_out_is_told_by_the_next(living: Workspace) -> None:
    verify_forecasts(living, NOW + pd.Timedelta("48h"))
    assert verify_forecasts(living, NOW + pd.Timedelta("48h")).fresh.empty
    assert record_verified(living) == ("1",)


def test_the_last_day_of_a_version_is_told_once_it_is_over(living: Workspace) -> None:
    store = ForecastStore(living.forecasts, living.scores, living.latest)
    last = store.newest_issue()
    store.keep(last.assign(method="damped_anomaly", model_version=""))  # from then on something else served
    verify(living, 36)
    assert dict(points(living)["n"]) == {1: 108 - 36}
    assert verify(living, 48) == ("1",)  # though it has no newer score than at 36 h
    assert dict(points(living)["n"]) == {1: 108 - 36, 2: 108}
    assert verify(living, 48) == ()


def test_baselines_and_deleted_versions_are_skipped(living: Workspace) -> None:
    store = ForecastStore(living.forecasts, living.scores, living.latest)
    first, second, *others = [rows for _, rows in store.read_forecasts().groupby("issued_at")]
    store.keep(first.assign(method="damped_anomaly", model_version=""))
    store.keep(second.assign(model_version="77"))  # there was such a version once
    assert verify(living, 48) == ("1",)
    own = scores_of(living).query("model_version == '1'")
    assert len(own) == 36 * len(others)
    assert told(living)[2]["verified_n"] == str(len(own))


def test_what_another_registry_s_version_of_that_number_issued_is_not_its_own(living: Workspace) -> None:
    store = ForecastStore(living.forecasts, living.scores, living.latest)
    first = next(rows for _, rows in store.read_forecasts().groupby("issued_at"))
    earlier = first.assign(**{name: first[name] - pd.Timedelta("2D") for name in ("issued_at", "valid_at")})
    store.keep(earlier.assign(issue_date=f"{NOW - pd.Timedelta('2D'):%Y-%m-%d}"))
    assert verify(living, 48) == ("1",)
    own = scores_of(living)
    assert (own["issued_at"] < NOW).sum() == len(earlier)
    assert told(living)[2]["verified_n"] == str((own["issued_at"] >= NOW).sum()) == "144"


def test_a_deleted_run_does_not_keep_the_version_from_its_tags(living: Workspace) -> None:
    client, run, _ = told(living)
    client.delete_run(run)
    assert verify(living, 24) == ("1",)
    assert "verified_mae" in told(living)[2]
    assert verify(living, 24) == ()


def test_a_registry_that_cannot_be_read_costs_a_warning_alone(
    living: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    (living.mlruns / "mlflow.db").write_bytes(b"no database at all" * 1000)
    with caplog.at_level(logging.WARNING, "nightcast.verify"):
        assert verify(living, 24) == ()
    (record,) = [record for record in caplog.records if record.name == "nightcast.verify"]
    assert "cannot be read" in record.getMessage()
    assert "\n" not in record.getMessage()
    assert len(scores_of(living)) > 0


def test_without_a_registry_none_is_made(living: Workspace) -> None:
    shutil.rmtree(living.mlruns)
    assert verify(living, 24) == ()
    assert not living.mlruns.exists()


def test_the_version_tells_its_verified_scores(living: Workspace) -> None:
    (version,) = list_versions(open_tracking(living))
    assert version.verified is None
    verify(living, 24)
    champion = find_version(open_tracking(living), "champion")
    assert champion is not None
    assert champion.verified is not None
    assert champion.verified == Verified.from_tags(told(living)[2])
    assert (champion.verified.n, champion.verified.days) == (72, 1)
