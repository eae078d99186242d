"""Issued forecasts meet their truth, once, and again when the truth is corrected."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support import NOW, fleet_readings, store_of

from lstm_model.forecasts import ForecastStore, issue_forecast, verify_forecasts
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
