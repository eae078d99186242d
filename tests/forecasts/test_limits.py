"""From quantiles to the probability of passing a limit, and how a forecast on disk tells of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from support import NOW, fleet_readings, store_of

from lstm_model.forecasts import (
    ForecastStore,
    issue_forecast,
    probability_above,
    probability_below,
    verify_forecasts,
)
from lstm_model.forecasts import store as tables
from lstm_model.forecasts.limits import LIMIT_COLUMNS, with_limits
from lstm_model.network.forecaster import QUANTILE_COLUMNS, forecast_frame
from lstm_model.readings.stations import STATIONS_FILE, Station
from lstm_model.settings import QUANTILES
from lstm_model.workspace import Workspace

LEVELS = np.array(QUANTILES)
temperatures = st.floats(-60, 60, width=32)
some_quantiles = st.lists(temperatures, min_size=7, max_size=7).map(lambda values: np.array(sorted(values)))
HOUR = pd.Timedelta("1h")


@given(some_quantiles, st.lists(temperatures, min_size=2, max_size=20))
def test_a_higher_limit_is_never_passed_more_probably(quantiles: np.ndarray, limits: list[float]) -> None:
    above = probability_above(quantiles, np.array(sorted(limits)))
    assert (np.diff(above) <= 0).all()


@given(some_quantiles, temperatures)
def test_what_is_not_above_is_below_and_nothing_is_certain(quantiles: np.ndarray, limit: float) -> None:
    above, below = probability_above(quantiles, np.array(limit)), probability_below(quantiles, np.array(limit))
    assert above + below == pytest.approx(1, abs=1e-12)
    assert 1e-4 - 1e-12 <= above <= 1 - 1e-4 + 1e-12
    for told in (above, below):  # nor does it become certain by being kept
        assert 0 < np.float32(told) < 1


@given(some_quantiles, temperatures)
def test_cold_is_judged_as_warmth_is(quantiles: np.ndarray, limit: float) -> None:
    above = probability_above(quantiles, np.array(limit))
    assert above == pytest.approx(probability_below(-quantiles[::-1], np.array(-limit)), abs=1e-9)


@given(some_quantiles)
def test_a_limit_on_a_quantile_has_its_level(quantiles: np.ndarray) -> None:
    alone = np.array([(quantiles == value).sum() == 1 for value in quantiles])
    assert probability_below(quantiles, quantiles)[alone] == pytest.approx(LEVELS[alone])


def test_beyond_the_outermost_quantile_the_chance_falls_from_the_density_there() -> None:
    quantiles = np.array([-4.0, -3.0, -1.0, 0.0, 2.0, 5.0, 8.0])
    assert probability_above(quantiles, np.array([8.0, 11.0, 14.0])) == pytest.approx(
        [0.05, 0.05 * np.exp(-1), 0.05 * np.exp(-2)]
    )
    assert probability_below(quantiles, np.array([-4.0, -5.0])) == pytest.approx([0.05, 0.05 * np.exp(-1)])
    near = probability_above(quantiles, np.array([7.97, 8.0, 8.03]))
    assert -np.diff(near) / 0.03 == pytest.approx([0.05 / 3, 0.05 / 3], rel=0.01)


def test_of_a_normal_distribution_it_is_nearly_right() -> None:
    limits = np.linspace(-3.5, 3.5, 71)
    error = probability_above(norm.ppf(LEVELS), limits) - norm.sf(limits)
    assert np.abs(error).max() < 0.025


def test_quantiles_that_coincide_leave_a_step() -> None:
    still = np.full(7, 4.0)
    assert probability_above(still, np.array([3.0, 4.0, 5.0])) == pytest.approx([0.9999, 0.5, 0.0001])
    half = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0])
    assert probability_below(half, np.array([1.0, 1.001])) == pytest.approx([(0.05 + 0.5) / 2, 0.50025])


def test_shapes_are_broadcast_and_what_is_missing_stays_missing() -> None:
    quantiles = np.random.default_rng(0).normal(size=(2, 5, 7)).cumsum(axis=-1)
    quantiles[1, 3, 2] = np.nan
    told = probability_below(quantiles, np.array([[0.5], [np.nan]]))
    assert told.shape == (2, 5)
    assert np.isfinite(told[0]).all() and np.isnan(told[1]).all()


def some_forecast(workspace: Workspace, at: pd.Timestamp, stations: dict[str, Station]) -> pd.DataFrame:
    """An issue of the roofs, kept, with the limits of `stations`."""
    quantiles = np.random.default_rng(0).normal(12, 2, (3, 12, 1)) + np.linspace(-4, 4, 7)
    rows = forecast_frame(("roof 0", "roof 1", "roof 2"), at, HOUR, quantiles.astype(np.float32)).assign(
        issue_date=f"{at:%Y-%m-%d}", method="champion", model_version="9", run_id="", readings_version=0,
        created_at=at.as_unit("us"),
    )  # fmt: skip
    rows = with_limits(rows, stations)
    forecasts_of(workspace).keep(rows)
    return rows


def forecasts_of(workspace: Workspace) -> ForecastStore:
    return ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)


def limits_file(workspace: Workspace, *lines: str) -> None:
    file = workspace.home / STATIONS_FILE
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(("station_id,limit_above_c,limit_below_c", *lines)) + "\n")


def test_an_issue_on_disk_says_by_which_limit_and_how_probably(trained: Workspace) -> None:
    limits_file(trained, "roof 0,14.1,", "roof 1,,8", "gone,30,")
    issue = issue_forecast(trained, NOW, NOW)
    assert issue.faults[-1].startswith("gone has a limit and no forecast: no station of that name has a usable reading")
    kept = forecasts_of(trained).read_forecasts()
    rows = dict(list(kept.groupby("station_id")))
    assert set(rows["roof 0"]["limit_above_c"]) == {np.float32(14.1)}
    assert rows["roof 0"][["limit_below_c", "p_below"]].isna().all(axis=None)
    assert rows["roof 2"][list(LIMIT_COLUMNS)].isna().all(axis=None)
    told = probability_above(rows["roof 0"][QUANTILE_COLUMNS].to_numpy(), rows["roof 0"]["limit_above_c"].to_numpy())
    assert np.array_equal(rows["roof 0"]["p_above"], told.astype(np.float32))
    told = probability_below(rows["roof 1"][QUANTILE_COLUMNS].to_numpy(), np.array(8.0))
    assert np.array_equal(rows["roof 1"]["p_below"], told.astype(np.float32))
    latest = pd.read_csv(trained.latest)
    assert list(latest.columns[-4:]) == list(LIMIT_COLUMNS)
    assert latest["p_above"].notna().sum() == latest["p_below"].notna().sum() == 12


def test_the_csv_makes_nothing_certain_and_keeps_the_decimals_of_sensors(make_workspace) -> None:
    workspace = make_workspace()
    limits = Station(station_id="roof 1", limit_above_c=90, limit_below_c=89)
    some_forecast(workspace, NOW, {"roof 1": limits})
    latest = pd.read_csv(workspace.latest, dtype=str).query("station_id == 'roof 1'")
    assert set(latest["p_above"]) == {"0.0001"} and set(latest["p_below"]) == {"0.9999"}
    assert set(latest["limit_above_c"]) == {"90.000"} and latest["q05"].str.fullmatch(r"-?\d+\.\d{3}").all()


def test_a_stations_file_that_makes_no_sense_costs_the_limits_and_not_the_forecast(trained: Workspace) -> None:
    limits_file(trained, "roof 0,warm,")
    issue = issue_forecast(trained, NOW, NOW)
    assert issue.methods == {"champion": 3}
    assert issue.faults[-1].startswith("no limit is watched: ") and "limit_above_c = 'warm'" in issue.faults[-1]
    assert issue.forecast["p_above"].isna().all()


def test_scores_carry_the_limits_so_that_any_row_has_its_brier_score(make_workspace) -> None:
    workspace = make_workspace()
    store_of(workspace).upsert(fleet_readings(days=10, end=NOW + 6 * HOUR))
    some_forecast(workspace, NOW, {"roof 0": Station(station_id="roof 0", limit_above_c=12)})
    verify_forecasts(workspace, NOW + 6 * HOUR)
    scores = forecasts_of(workspace).read_scores()
    issued = forecasts_of(workspace).read_forecasts()
    both = scores.merge(issued, on=tables.KEY, suffixes=("", "_told"))
    assert len(both) == 18 and both["p_above"].notna().sum() == 6
    for name in LIMIT_COLUMNS:
        assert both[name].equals(both[f"{name}_told"])


def test_another_limit_is_another_forecast_and_is_scored_anew(make_workspace) -> None:
    workspace = make_workspace()
    store_of(workspace).upsert(fleet_readings(days=10, end=NOW + 6 * HOUR))
    for limit in (12.0, 13.0):
        some_forecast(workspace, NOW, {"roof 0": Station(station_id="roof 0", limit_above_c=limit)})
        assert forecasts_of(workspace).read_scores().empty
        verify_forecasts(workspace, NOW + 6 * HOUR)
        assert set(forecasts_of(workspace).read_scores()["limit_above_c"].dropna()) == {limit}


@pytest.fixture
def older(make_workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose forecast and scores were kept before there were limits."""
    workspace = make_workspace()
    store_of(workspace).upsert(fleet_readings(days=10, end=NOW + pd.Timedelta("1D")))
    with monkeypatch.context() as before:
        for name in ("FORECASTS_SCHEMA", "SCORES_SCHEMA"):
            schema = getattr(tables, name)
            fields = [field for field in schema if field.name not in LIMIT_COLUMNS]
            before.setattr(tables, name, tables.pa.schema(fields))
        before.setattr("lstm_model.forecasts.verification.SCORES_SCHEMA", tables.SCORES_SCHEMA)
        some_forecast(workspace, NOW, {})
        verify_forecasts(workspace, NOW + 6 * HOUR)
    for table in (workspace.forecasts, workspace.scores):
        assert not set(LIMIT_COLUMNS) & set(tables.DeltaTable(table).to_pyarrow_dataset().schema.names)
    return workspace


def test_tables_without_limits_are_read_with_empty_ones(older: Workspace) -> None:
    store = forecasts_of(older)
    for rows in (store.read_forecasts(), store.read_scores(), store.newest_issue()):
        assert len(rows) and rows[list(LIMIT_COLUMNS)].isna().all(axis=None)
        assert (rows.dtypes[list(LIMIT_COLUMNS)] == np.float32).all()
    assert list(store.read_scores(["p_above", "station_id"])) == ["p_above", "station_id"]


def test_tables_without_limits_go_on_with_them(older: Workspace) -> None:
    store, before = forecasts_of(older), forecasts_of(older).read_scores()
    some_forecast(older, NOW, {})  # the same again: its scores stand
    pd.testing.assert_frame_equal(store.read_scores(), before)
    roof = Station(station_id="roof 0", limit_above_c=12)
    some_forecast(older, NOW + 6 * HOUR, {"roof 0": roof})
    verify_forecasts(older, NOW + 12 * HOUR)
    for rows in (store.read_forecasts(), store.read_scores()):
        newer = rows["issued_at"] == NOW + 6 * HOUR
        assert newer.any() and rows.loc[newer & (rows["station_id"] == "roof 0"), "p_above"].notna().all()
        assert (~newer).any() and rows.loc[~newer, "p_above"].isna().all()
    old = store.read_scores().query("issued_at == @NOW and lead_hours <= 6")
    pd.testing.assert_frame_equal(
        old.sort_values(tables.KEY, ignore_index=True), before.sort_values(tables.KEY, ignore_index=True)
    )
