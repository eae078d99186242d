"""Issued forecasts meet their truth, once, and again when the truth is corrected."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from support import NOW, fleet_readings, store_of

from lstm_model.evaluation import fit_baselines
from lstm_model.forecasts import ForecastStore, issue_forecast, verify_forecasts
from lstm_model.panel import build_panel
from lstm_model.settings import MEDIAN
from lstm_model.workspace import Workspace

LATER = NOW + pd.Timedelta("6h")


@pytest.fixture
def verified(trained: Workspace) -> Workspace:
    """A workspace with a forecast issued at NOW, and readings until six hours later."""
    issue_forecast(trained, NOW, NOW)
    store_of(trained).upsert(fleet_readings(days=1, end=LATER, seed=3).query("observed_at > @NOW"))
    return trained


def scores_of(workspace: Workspace) -> pd.DataFrame:
    scores = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest).read_scores()
    return scores.sort_values(["station_id", "lead_hours"], ignore_index=True)


@pytest.fixture
def lived(make_workspace: Callable[..., Workspace]) -> Workspace:
    """Two days of issues every twelve hours, verified as they went, with all that readings do to a history."""
    workspace = make_workspace()
    readings = fleet_readings(days=25, end=NOW + pd.Timedelta("2D"))
    late = readings["station_id"].eq("roof 1") & readings["observed_at"].between(NOW - pd.Timedelta("5h"), NOW)
    store, taken = store_of(workspace), pd.Series(False, readings.index)
    for now in pd.date_range(NOW, NOW + pd.Timedelta("2D"), freq="12h"):
        come = (readings["observed_at"] <= now) & ~(late & (now < NOW + pd.Timedelta("1D")))
        store.upsert(readings[come & ~taken])
        taken |= come
        verify_forecasts(workspace, now)
        issue_forecast(workspace, now, now)
    corrected = readings[readings["observed_at"].eq(NOW + pd.Timedelta("3h"))]
    store.upsert(corrected.head(1).assign(temperature_c=np.float32(30.0)))  # old by now
    store.upsert(corrected.tail(1).assign(temperature_c=np.float32(55.0), flag=np.int8(4)))
    long_ago = readings["observed_at"].eq(NOW - pd.Timedelta("10D"))
    store.upsert(readings[long_ago].assign(temperature_c=np.float32(-20.0)))  # no truth, but the baselines' past
    verify_forecasts(workspace, now)
    return workspace


def test_scores_from_scratch_are_those_that_were_gathered_night_by_night(lived: Workspace) -> None:
    gathered = every_score(lived)
    shutil.rmtree(lived.scores)
    verify_forecasts(lived, NOW + pd.Timedelta("2D"))
    assert len(gathered) > 80
    assert (gathered["observed_c"] == 30.0).any()
    pd.testing.assert_frame_equal(every_score(lived), gathered, check_exact=True)


def every_score(workspace: Workspace) -> pd.DataFrame:
    scores = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest).read_scores()
    return scores.sort_values(["issued_at", "station_id", "lead_hours"], ignore_index=True)


def test_only_forecasts_with_truth_are_scored_and_the_others_counted(verified: Workspace) -> None:
    report = verify_forecasts(verified, LATER)
    assert (len(report.fresh), report.scored, report.waiting) == (18, 18, 18)
    assert sorted(report.fresh["lead_hours"].unique()) == [1, 2, 3, 4, 5, 6]


def test_truth_after_the_night_is_not_looked_at(verified: Workspace) -> None:
    assert verify_forecasts(verified, LATER - pd.Timedelta("2h")).scored == 12


def test_verifying_twice_changes_nothing(verified: Workspace) -> None:
    verify_forecasts(verified, LATER)
    before = scores_of(verified)
    assert verify_forecasts(verified, LATER).fresh.empty
    pd.testing.assert_frame_equal(scores_of(verified), before)


def test_a_corrected_reading_corrects_its_scores_alone(verified: Workspace) -> None:
    verify_forecasts(verified, LATER)
    before = scores_of(verified)
    corrected = fleet_readings(days=1, stations=1, end=LATER, seed=3).tail(1)
    store_of(verified).upsert(corrected.assign(temperature_c=np.float32(35.0)))
    report = verify_forecasts(verified, LATER)
    assert len(report.fresh) == 1
    after = scores_of(verified)
    changed = after["observed_c"] != before["observed_c"]
    assert changed.sum() == 1
    assert after.loc[changed, "observed_c"].item() == 35.0
    pd.testing.assert_frame_equal(after[~changed], before[~changed])


def test_scores_are_what_they_say(verified: Workspace) -> None:
    verify_forecasts(verified, LATER)
    scores = scores_of(verified)
    forecasts = ForecastStore(verified.forecasts, verified.scores, verified.latest).read_forecasts()
    rows = scores.merge(forecasts, on=["station_id", "issued_at", "lead_hours"])
    assert np.allclose(rows["error_c"], rows["temperature_c"] - rows["observed_c"], atol=1e-5)
    inside = (rows["q10"] <= rows["observed_c"]) & (rows["observed_c"] <= rows["q90"])
    assert (rows["covered_80"] == inside).all()
    assert np.allclose(rows["width_80_c"], rows["q90"] - rows["q10"], atol=1e-5)
    last = store_of(verified).read(NOW).groupby("station_id")["temperature_c"].last()
    persistence = last[rows["station_id"]].to_numpy() - rows["observed_c"]
    assert np.allclose(rows["persistence_error_c"], persistence, atol=1e-5)


def test_a_reading_that_is_doubted_later_takes_its_scores_away(verified: Workspace) -> None:
    verify_forecasts(verified, LATER)
    before = scores_of(verified)
    doubted = store_of(verified).read(LATER, columns=["month", "flag", "source", "ingested_at"]).tail(1)
    store_of(verified).upsert(doubted.assign(temperature_c=np.float32(55.0), flag=np.int8(4)))
    report = verify_forecasts(verified, LATER)
    assert (len(report.fresh), report.scored, report.waiting) == (0, 17, 19)
    gone = (before["station_id"] == "roof 2") & (before["lead_hours"] == 6)
    pd.testing.assert_frame_equal(scores_of(verified), before[~gone].reset_index(drop=True), check_exact=True)


def test_an_issue_that_loses_its_last_truth_has_no_score(verified: Workspace) -> None:
    now = NOW + pd.Timedelta("1h")
    verify_forecasts(verified, now)
    truth = store_of(verified).read(now, columns=["month", "flag", "source", "ingested_at"]).query("observed_at > @NOW")
    store_of(verified).upsert(truth.assign(temperature_c=np.float32(55.0), flag=np.int8(4)))
    verify_forecasts(verified, now)
    assert scores_of(verified).empty


def test_what_another_forecast_replaces_is_no_longer_scored(verified: Workspace) -> None:
    verify_forecasts(verified, LATER)
    before = scores_of(verified)
    store = ForecastStore(verified.forecasts, verified.scores, verified.latest)
    forecast = store.read_forecasts()
    store.keep(forecast.assign(created_at=LATER.as_unit("us")))  # the same again
    pd.testing.assert_frame_equal(scores_of(verified), before)
    store.keep(forecast.assign(temperature_c=forecast["temperature_c"] + np.float32(1)))
    assert scores_of(verified).empty
    verify_forecasts(verified, LATER)
    assert np.allclose(scores_of(verified)["error_c"], before["error_c"] + 1, atol=1e-5)


def test_baselines_see_what_the_issue_saw(verified: Workspace) -> None:
    seen = store_of(verified).read(NOW)
    corrected = fleet_readings().query("observed_at == @NOW")
    store_of(verified).upsert(corrected.assign(temperature_c=np.float32(25.0)))  # the forecast did not know
    verify_forecasts(verified, LATER)
    scores = scores_of(verified)
    panel = build_panel(seen, pd.Timedelta("1h"), end=NOW)
    row = scores["station_id"].str[-1].astype(int)
    lead = scores["lead_hours"].astype(int) - 1
    fitted = fit_baselines(panel, 12)
    for name in ("persistence", "climatology", "damped_anomaly"):
        told = fitted[name].forecast(panel, np.array([len(panel.times) - 1]))[row, 0, lead, MEDIAN]
        assert np.allclose(scores[f"{name}_error_c"], told - scores["observed_c"], atol=1e-5)


def test_where_that_version_is_gone_baselines_see_what_is_known_now(verified: Workspace) -> None:
    store = ForecastStore(verified.forecasts, verified.scores, verified.latest)
    store.keep(store.read_forecasts().assign(readings_version=4711))
    verify_forecasts(verified, LATER)
    scores = scores_of(verified)
    last = store_of(verified).read(NOW).groupby("station_id")["temperature_c"].last()
    persistence = last[scores["station_id"]].to_numpy() - scores["observed_c"]
    assert np.allclose(scores["persistence_error_c"], persistence, atol=1e-5)


def test_a_correction_that_comes_a_year_late_corrects_the_score(lived: Workspace) -> None:
    assert (every_score(lived)["observed_c"] == 30.0).sum() == 1
    much_later = NOW + pd.Timedelta("400D")
    store_of(lived).upsert(fleet_readings(days=1, end=much_later, seed=8))
    readings = fleet_readings(days=25, end=NOW + pd.Timedelta("2D"))
    right = readings[readings["observed_at"] == NOW + pd.Timedelta("3h")].head(1)
    store_of(lived).upsert(right)
    report = verify_forecasts(lived, much_later)
    assert report.fresh["lead_hours"].tolist() == [3.0]
    assert report.fresh["observed_c"].tolist() == right["temperature_c"].tolist()
    assert not (every_score(lived)["observed_c"] == 30.0).any()


def test_another_frequency_leaves_verified_scores_alone(verified: Workspace) -> None:
    """What was said hour by hour is judged hour by hour."""
    verify_forecasts(verified, LATER)
    before = scores_of(verified)
    text = (verified.home / "nightcast.toml").read_text()
    (verified.home / "nightcast.toml").write_text(text.replace("[model]", '[model]\nfrequency = "30min"'))
    changed = Workspace.find(verified.home, {})
    assert verify_forecasts(changed, LATER).fresh.empty
    shutil.rmtree(verified.scores)
    verify_forecasts(changed, LATER)
    pd.testing.assert_frame_equal(scores_of(changed), before)


def test_verifying_an_earlier_night_again_keeps_later_scores(verified: Workspace) -> None:
    verify_forecasts(verified, LATER)
    before = scores_of(verified)
    one = store_of(verified).read(LATER, since=NOW).head(1)
    rows = fleet_readings(days=1, end=LATER, seed=3).merge(one[["station_id", "observed_at"]])
    store_of(verified).upsert(rows.assign(temperature_c=rows["temperature_c"] + np.float32(1)))
    assert len(verify_forecasts(verified, NOW + pd.Timedelta("2h")).fresh) == 1
    assert len(scores_of(verified)) == len(before)
