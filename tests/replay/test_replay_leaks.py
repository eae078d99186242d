"""The leak proof: a night lived again is the night as it was, whatever came after it."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest
from past_nights import BELATED, MIDDLE, NIGHTS, Past, arrived, assert_same_night, lived_again, workspace_with
from support import NOW, SMALL, fleet_readings, store_of

from lstm_model.errors import HistoryTooShort
from lstm_model.forecasts import ForecastStore, issue_forecast
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.readings import ingest_from
from lstm_model.registry import MODEL, open_tracking, promote_challenger, train_candidate
from lstm_model.replay.arrivals import Arrivals
from lstm_model.workspace import Workspace

FORECAST = ["station_id", "issued_at", "valid_at", "lead_hours", "temperature_c", *QUANTILE_COLUMNS, "method"]


def observed_by(night: pd.Timestamp) -> list[pd.DataFrame]:
    """What a workspace would hold whose sensors stopped at the night."""
    return [batch[batch["observed_at"] <= night] for batch in arrived()]


# ── the future changes nothing ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """The nights up to the middle one, on readings that end there."""
    workspace = workspace_with(tmp_path_factory.mktemp("ended"), observed_by(MIDDLE))
    return lived_again(workspace, NIGHTS[:3])


@pytest.fixture(scope="module")
def stormy(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """One night more, in weather that stands on its head once the middle night is over."""
    batches = [
        batch.assign(
            temperature_c=batch["temperature_c"].where(batch["observed_at"] <= MIDDLE, 30 - batch["temperature_c"])
        )
        for batch in arrived()
    ]
    return lived_again(workspace_with(tmp_path_factory.mktemp("stormy"), batches), NIGHTS[:4])


@pytest.mark.parametrize("night", NIGHTS[:3], ids=str)
def test_a_night_is_the_same_bit_for_bit_where_the_readings_end_with_the_middle_night(
    past: Past, ended: Past, night: pd.Timestamp
) -> None:
    assert store_of(ended.workspace).newest() <= MIDDLE < NIGHTS[-1] < store_of(past.workspace).newest()
    assert_same_night(past, ended, night)


@pytest.mark.parametrize("night", NIGHTS[:3], ids=str)
def test_a_night_is_the_same_bit_for_bit_whatever_is_read_after_the_middle_night(
    past: Past, stormy: Past, night: pd.Timestamp
) -> None:
    assert_same_night(past, stormy, night)


def test_what_was_read_after_the_middle_night_matters_to_the_next(past: Past, stormy: Past) -> None:
    assert not past.forecasts(NIGHTS[3]).equals(stormy.forecasts(NIGHTS[3]))


@pytest.mark.parametrize("night", NIGHTS, ids=str)
def test_a_night_sees_readings_up_to_its_last_hour_and_none_after(past: Past, night: pd.Timestamp) -> None:
    assert past.seen(night)["observed_at"].max() == night.floor("1h")
    assert set(past.forecasts(night)["issued_at"]) == {night.floor("1h")}


def test_readings_are_not_seen_before_they_arrived(past: Past) -> None:
    for night in NIGHTS:
        seen, came = past.seen(night), arrived()[1]
        belated = seen.merge(came, on=["station_id", "observed_at"])
        known = came[came["observed_at"] <= night] if night > BELATED else came.iloc[:0]
        assert sorted(belated["temperature_c_x"]) == sorted(known["temperature_c"])


def test_a_night_before_anything_arrived_sees_nothing_of_what_came_later(tmp_path: Path) -> None:
    arrival = NOW + pd.Timedelta("10h")
    batch = fleet_readings(days=10).assign(ingested_at=arrival.as_unit("us"))
    workspace = workspace_with(tmp_path, [batch], SMALL)
    nights = [NOW + pd.Timedelta("2h"), arrival + pd.Timedelta("1h")]
    try:
        early = lived_again(workspace, nights)
    except HistoryTooShort:
        return  # nothing can be forecast from nothing
    assert "0 days of readings are too few" in early.record(nights[0])["reason"]
    assert early.forecasts(nights[0]).empty


# ── a real night is no other ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, list[tuple[bool, str, str]]]:
    """Two real nights on readings that ended with each, taken in as they arrived: trained, judged, forecast."""
    workspace, decisions = workspace_with(tmp_path_factory.mktemp("real"), []), []
    for before, night in zip([None, *NIGHTS], NIGHTS[:2], strict=False):
        sensors = workspace_with(tmp_path_factory.mktemp("sensors"), observed_by(night))
        ingest_from(workspace, Arrivals.of(store_of(sensors)).sources(before, night), night)
        assert store_of(workspace).newest() <= night
        train_candidate(workspace, night)
        decision = promote_challenger(workspace, night).decision
        issue_forecast(workspace, night, night)
        decisions.append((decision.promote, decision.rule, decision.reason))
    return workspace, decisions


def test_a_night_lived_again_trains_the_model_that_the_real_night_trained(
    past: Past, real: tuple[Workspace, list[tuple[bool, str, str]]]
) -> None:
    open_tracking(real[0])
    for version, night in enumerate(NIGHTS[:2], start=1):
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{MODEL}/{version}"))
        weights = folder / "artifacts" / "forecaster" / "weights.safetensors"
        assert weights.read_bytes() == past.weights(night)


def test_a_night_lived_again_decides_as_the_real_night_decided(
    past: Past, real: tuple[Workspace, list[tuple[bool, str, str]]]
) -> None:
    again = [(night.promoted, night.rule, night.reason) for night in past.outcome.nights]
    assert again[:2] == real[1]
    assert real[1][0][:2] == (True, "no_champion")


def test_a_night_lived_again_forecasts_what_the_real_night_forecast(
    past: Past, real: tuple[Workspace, list[tuple[bool, str, str]]]
) -> None:
    store = ForecastStore(real[0].forecasts, real[0].scores, real[0].latest)
    for night in NIGHTS[:2]:
        issued = store.read_forecasts(FORECAST, ds.field("issued_at") == night.floor("1h").to_pydatetime())
        again = past.forecasts(night).query("policy == 'gate'")[FORECAST]
        order = ["station_id", "lead_hours"]
        issued, again = (rows.sort_values(order, ignore_index=True) for rows in (issued, again))
        assert set(again["method"]) == {"champion"}
        assert np.array_equal(issued[QUANTILE_COLUMNS], again[QUANTILE_COLUMNS])
        pd.testing.assert_frame_equal(issued, again.astype(issued.dtypes), check_exact=True)
