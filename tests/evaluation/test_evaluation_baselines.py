"""Baselines: each rule by itself, and where each has too little to say anything."""

import numpy as np
import pandas as pd
import pytest

from lstm_model.evaluation import BASELINES, fit_baselines
from lstm_model.evaluation.baselines import Climatology, DampedAnomaly, Persistence, SeasonalNaive, truth_at
from lstm_model.panel import Panel
from lstm_model.settings import MEDIAN, QUANTILES

HORIZON = 30  # longer than a day
DAYS = 40
NAN = np.float32(np.nan)


@pytest.fixture(scope="module")
def panel():
    """Two stations, hourly: a daily cycle and anomalies that wander."""
    chance = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=24 * DAYS, freq="1h", tz="UTC")
    cycle = 10 + 4 * np.sin(2 * np.pi * times.hour.to_numpy() / 24)
    weather = np.zeros((2, len(times)))
    for step in range(1, len(times)):
        weather[:, step] = 0.95 * weather[:, step - 1] + chance.normal(size=2)
    return Panel(("a", "b"), times, (cycle + weather).astype(np.float32))


def with_values(panel, values):
    return Panel(panel.stations, panel.times, np.asarray(values, np.float32))


def at_the_end(baseline, panel):
    """(S, H, Q) from the panel's last step, fitted on all of it."""
    return baseline().fit(panel, HORIZON).forecast(panel, np.array([len(panel.times) - 1]))[:, 0]


every_baseline = pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)


@every_baseline
def test_quantiles_are_finite_and_never_cross(panel, baseline):
    quantiles = baseline().fit(panel, HORIZON).forecast(panel, np.arange(100, 900, 50))
    assert quantiles.shape == (2, 16, HORIZON, 7)
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()


@every_baseline
def test_changing_the_future_changes_no_forecast(panel, baseline):
    origin = 500
    fitted = baseline().fit(panel.until(panel.times[origin]), HORIZON)
    later = panel.temperature_c.copy()
    later[:, origin + 1 :] += 50
    before, now = (fitted.forecast(some, np.array([origin])) for some in (panel, with_values(panel, later)))
    np.testing.assert_array_equal(before, now)


@every_baseline
def test_its_spread_is_that_of_its_past_errors(panel, baseline):
    fitted = baseline().fit(panel, HORIZON)
    origins = np.arange(100, len(panel.times) - HORIZON)
    quantiles, truth = fitted.forecast(panel, origins), truth_at(panel, origins, HORIZON)
    inside = (quantiles[..., MEDIAN - 2] <= truth) & (truth <= quantiles[..., MEDIAN + 2])
    assert inside.mean() == pytest.approx(0.8, abs=0.08)


def test_its_spread_is_the_quantiles_of_the_errors_that_are_known(panel):
    gaps = panel.temperature_c.copy()
    gaps[0, 200:420] = np.nan
    gaps[1, ::3] = np.nan
    fitted = Persistence().fit(with_values(panel, gaps), HORIZON)
    origins = np.arange(len(panel.times) - 1)
    errors = truth_at(with_values(panel, gaps), origins, HORIZON) - fitted.point(with_values(panel, gaps), origins)
    levels = np.nanquantile(errors, QUANTILES, axis=1).transpose(1, 2, 0)
    spread = fitted.forecast(with_values(panel, gaps), origins[-1:])[:, 0]
    np.testing.assert_allclose(spread - spread[..., [MEDIAN]], levels - levels[..., [MEDIAN]], rtol=0, atol=1e-5)


def test_a_young_station_has_the_spread_of_its_fleet(panel):
    values = panel.temperature_c.copy()
    values[0, :-6] = np.nan
    quantiles = at_the_end(Persistence, with_values(panel, values))
    spreads = quantiles - quantiles[..., [MEDIAN]]
    np.testing.assert_allclose(spreads[0], spreads[1], atol=0.2)  # but for its own five errors


@every_baseline
def test_other_stations_than_fitted_on_are_refused(panel, baseline):
    fitted = baseline().fit(panel, HORIZON)
    other = Panel(("a", "x"), panel.times, panel.temperature_c)
    with pytest.raises(ValueError, match=rf"{baseline.name}: fitted on stations .*'b'.* asked for .*'x'"):
        fitted.forecast(other, np.array([500]))


def test_persistence_repeats_the_last_value(panel):
    median = at_the_end(Persistence, panel)[..., MEDIAN]
    np.testing.assert_array_equal(median, np.repeat(panel.temperature_c[:, -1:], HORIZON, axis=1))


def test_persistence_repeats_the_last_value_that_there_was(panel):
    values = panel.temperature_c.copy()
    values[0, -10:] = np.nan
    median = at_the_end(Persistence, with_values(panel, values))[..., MEDIAN]
    assert set(median[0]) == {panel.temperature_c[0, -11]}


def test_seasonal_naive_repeats_the_last_day(panel):
    median = at_the_end(SeasonalNaive, panel)[..., MEDIAN]
    np.testing.assert_array_equal(median[:, :24], panel.temperature_c[:, -24:])
    np.testing.assert_array_equal(median[:, 24:], panel.temperature_c[:, -24:][:, : HORIZON - 24])


def test_climatology_knows_the_daily_cycle(panel):
    median = at_the_end(Climatology, panel)[..., MEDIAN]
    hours = (panel.times[-1] + pd.to_timedelta(np.arange(1, HORIZON + 1), unit="h")).hour.to_numpy()
    usual = np.array([panel.temperature_c[:, panel.times.hour == hour].mean(axis=1) for hour in hours]).T
    assert np.abs(median - usual).max() < 1


def test_damped_anomaly_lies_between_the_anomaly_and_the_climatology(panel):
    values = panel.temperature_c.copy()
    values[:, -1] += 10
    warm = with_values(panel, values)
    climatology, damped = (at_the_end(baseline, warm)[..., MEDIAN] for baseline in (Climatology, DampedAnomaly))
    anomaly = damped - climatology
    now = (warm.temperature_c - Climatology().fit(warm, 1)._usual(warm)[:, :-1])[:, -1]
    assert (0.8 * now < anomaly[:, 0]).all()
    assert (anomaly[:, 0] < now).all()
    assert (anomaly[:, -1] < 0.5 * anomaly[:, 0]).all()


@pytest.mark.parametrize(("silent_hours", "served"), [(23, True), (24, False)])
def test_damped_anomaly_needs_a_reading_in_the_last_day(panel, silent_hours, served):
    values = panel.temperature_c.copy()
    values[0, -silent_hours:] = np.nan
    forecast = at_the_end(DampedAnomaly, with_values(panel, values))
    assert np.isfinite(forecast[0]).all() == served
    assert np.isfinite(forecast[1]).all()


@pytest.mark.parametrize(("readings", "served"), [(47, False), (48, True)])
def test_climatology_needs_two_days_of_the_stations_own_readings(panel, readings, served):
    values = panel.temperature_c.copy()
    values[0, :-readings] = np.nan
    forecast = at_the_end(Climatology, with_values(panel, values))
    assert np.isfinite(forecast[0]).all() == served
    assert np.isfinite(forecast[1]).all()


def test_persistence_alone_serves_a_station_with_six_readings(panel):
    values = panel.temperature_c.copy()
    values[0, :-6] = np.nan
    young = with_values(panel, values)
    served = {baseline.name: np.isfinite(at_the_end(baseline, young)[0]).all() for baseline in BASELINES}
    assert served == {"persistence": True, "seasonal_naive": False, "climatology": False, "damped_anomaly": False}
    quantiles = at_the_end(Persistence, young)[0]
    assert (np.diff(quantiles, axis=-1) > 0).all()
    assert set(quantiles[:, MEDIAN]) == {panel.temperature_c[0, -1]}


def test_persistence_serves_a_fleet_that_has_a_single_reading(panel):
    quantiles = at_the_end(Persistence, panel.until(panel.times[0]))
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) > 0).all()
    assert (np.diff(quantiles[..., -1], axis=-1) > 0).all()  # the farther ahead, the less certain


def test_truth_is_what_was_observed_at_each_lead(panel):
    last = len(panel.times) - 1
    truth = truth_at(panel, np.array([10, last - 1]), 3)
    np.testing.assert_array_equal(truth[:, 0], panel.temperature_c[:, 11:14])
    np.testing.assert_array_equal(truth[0, 1], [panel.temperature_c[0, last], NAN, NAN])


def test_fit_baselines_goes_by_name(panel):
    assert list(fit_baselines(panel, 2)) == ["persistence", "seasonal_naive", "climatology", "damped_anomaly"]


def test_a_fleet_without_any_reading_gets_no_number(panel):
    nothing = with_values(panel, np.full_like(panel.temperature_c, NAN))
    assert all(np.isnan(at_the_end(baseline, nothing)).all() for baseline in BASELINES)


@every_baseline
def test_the_rule_alone_is_enough_for_the_medians(baseline, panel):
    origin = np.array([len(panel.times) - 1])
    whole = baseline().fit(panel, HORIZON).forecast(panel, origin)
    assert np.array_equal(baseline().fit_rule(panel, HORIZON).point(panel, origin), whole[..., MEDIAN])
