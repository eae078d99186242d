"""The climatology: what the history can support, and no more."""

import numpy as np
import pandas as pd
import pytest

from lstm_model.panel import ClimatologyModel, Panel

NAN = np.float32(np.nan)


def hourly(days, start="2024-01-01"):
    return pd.date_range(start, periods=24 * days, freq="1h", tz="UTC")


def daily_cycle(times, mean, amplitude):
    return mean + amplitude * np.sin(2 * np.pi * (times.hour.to_numpy() - 9) / 24)


def panel_of(times, **stations):
    return Panel(tuple(stations), times, np.array(list(stations.values()), np.float32))


def test_a_daily_cycle_is_recovered_and_goes_on():
    times = hourly(120)
    noise = np.random.default_rng(0).normal(size=len(times))
    model = ClimatologyModel.fit(panel_of(times, roof=daily_cycle(times, 10, 5) + noise))
    ahead = hourly(2, "2024-06-10")
    np.testing.assert_allclose(model.values(("roof",), ahead)[0], daily_cycle(ahead, 10, 5), atol=0.3)


@pytest.mark.parametrize(
    ("days", "diurnal", "annual"), [(1, 0, 0), (3, 2, 0), (100, 2, 0), (280, 2, 1), (700, 2, 1), (740, 2, 2)]
)
def test_only_the_harmonics_that_the_history_supports(days, diurnal, annual):
    times = hourly(days)
    model = ClimatologyModel.fit(panel_of(times, roof=daily_cycle(times, 10, 5)))
    assert (model.diurnal, model.annual) == (diurnal, annual)
    assert model.knows_seasons == (annual == 2)


def test_unobserved_days_are_no_history():
    """A long grid with readings in its last hundred days supports no season."""
    times = hourly(400)
    values = np.where(np.arange(len(times)) < 300 * 24, NAN, daily_cycle(times, 10, 5))
    assert ClimatologyModel.fit(panel_of(times, roof=values)).annual == 0


def test_a_day_of_history_gives_the_mean():
    times = hourly(1)
    model = ClimatologyModel.fit(panel_of(times, roof=daily_cycle(times, 10, 5)))
    np.testing.assert_allclose(model.values(("roof",), hourly(2)), 10, atol=1e-4)


def test_a_daily_step_has_no_daily_cycle():
    times = pd.date_range("2024-01-01", periods=60, freq="1D", tz="UTC")
    assert ClimatologyModel.fit(panel_of(times, roof=np.arange(60))).diurnal == 0


def test_an_unknown_station_gets_the_fleets_mean():
    times = hourly(30)
    model = ClimatologyModel.fit(panel_of(times, a=daily_cycle(times, 10, 2), b=daily_cycle(times, 20, 4)))
    a, b, new = model.values(("a", "b", "new"), times)
    assert (a.mean(), b.mean()) == (pytest.approx(10), pytest.approx(20))
    np.testing.assert_allclose(new, (a + b) / 2, rtol=1e-5)


def test_a_young_station_borrows_the_shape_and_keeps_its_level():
    times = hourly(30)
    young = np.full(len(times), NAN)
    young[-24:] = 30  # a day without any cycle
    model = ClimatologyModel.fit(panel_of(times, a=daily_cycle(times, 10, 5), young=young))
    values = model.values(("young",), hourly(1))[0]
    assert values.mean() == pytest.approx(30, abs=0.1)
    assert np.ptp(values) > 5


def test_a_station_never_observed_gets_the_fleets_mean():
    times = hourly(30)
    model = ClimatologyModel.fit(panel_of(times, a=daily_cycle(times, 10, 5), silent=np.full(len(times), NAN)))
    np.testing.assert_array_equal(model.values(("silent",), times), model.values(("new",), times))


def test_steps_that_may_not_be_looked_at_change_nothing():
    times = hourly(30)
    values = daily_cycle(times, 10, 5)
    usable = np.arange(len(times)) < 20 * 24
    changed = np.where(usable, values, 99)
    fits = [ClimatologyModel.fit(panel_of(times, roof=some), usable) for some in (values, changed)]
    np.testing.assert_array_equal(fits[0].coefficients, fits[1].coefficients)


def test_nothing_to_look_at_gives_a_finite_climatology():
    times = hourly(3)
    model = ClimatologyModel.fit(panel_of(times, roof=np.full(len(times), NAN)))
    assert np.isfinite(model.coefficients).all()
