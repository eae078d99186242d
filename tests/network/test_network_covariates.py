"""Covariates: they help where they tell something, and nobody waits for them where they are missing."""

import numpy as np
import pandas as pd
import pytest

from lstm_model.network import Forecaster
from lstm_model.network.saved import DESCRIPTION_FILE, WEIGHTS_FILE
from lstm_model.panel import Panel, hold_out_blocks
from lstm_model.settings import MEDIAN

LEADS, LATE = 3, 460  # hours


@pytest.fixture(scope="session")
def told(fleet):
    """The fleet with a barometer that, noise aside, knows the temperature of three hours later."""
    chance = np.random.default_rng(1)
    ahead = np.roll(fleet.temperature_c, -LEADS, axis=1) + chance.normal(size=fleet.temperature_c.shape)
    return Panel(fleet.stations, fleet.times, fleet.temperature_c, {"pressure_hpa": np.float32(1000 + 3 * ahead)})


@pytest.fixture(scope="session")
def informed(told, tiny):
    return Forecaster(tiny).fit_panel(told)


@pytest.fixture(scope="session")
def kept_back(fleet, tiny):
    """Origins in the calibration block, which neither weights nor medians have seen."""
    calibration = np.flatnonzero(hold_out_blocks(fleet.times, tiny.horizon).calibration)
    return calibration[calibration >= tiny.context][::5]


def with_covariate(panel, values):
    return Panel(panel.stations, panel.times, panel.temperature_c, {"pressure_hpa": values.astype(np.float32)})


def renamed(panel):
    return Panel(("a", "b", "new"), panel.times, panel.temperature_c, panel.covariates)


def with_gaps(panel):
    """Every third value is missing; one station is silent into the context of LATE, another one around LATE itself."""
    values = panel.covariates["pressure_hpa"].copy()
    values[:, ::3] = np.nan
    values[0, LATE - 60 : LATE - 5] = np.nan
    values[1, LATE - 10 : LATE + 10] = np.nan
    return with_covariate(panel, values)


def readings_of(panel):
    parts = []
    for row, station in enumerate(panel.stations):
        columns = {"temperature_c": panel.temperature_c[row]}
        columns |= {name: values[row] for name, values in panel.covariates.items()}
        parts.append(pd.DataFrame({"station_id": station, "observed_at": panel.times} | columns))
    return pd.concat(parts, ignore_index=True)


def mean_error(forecaster, panel, origins):
    """Mean absolute error of each station, (S,)."""
    truth = panel.temperature_c[:, origins[:, None] + np.arange(1, forecaster.settings.horizon + 1)]
    return np.abs(forecaster.forecast(panel, origins)[..., MEDIAN] - truth).mean(axis=(1, 2))


# ── where they are there ───────────────────────────────────────────────────────────────────────────────────


def test_a_covariate_that_leads_makes_anchor_and_forecast_better(fleet, fitted, told, informed, kept_back):
    assert informed.covariates == ["pressure_hpa"]
    assert mean_error(informed, told, kept_back).mean() < 0.92 * mean_error(fitted, fleet, kept_back).mean()
    with_it = mean_error(informed.ridge(), told, kept_back).mean()
    assert with_it < 0.92 * mean_error(fitted.ridge(), fleet, kept_back).mean()


def test_it_helps_a_station_that_was_not_there(fleet, fitted, told, informed, kept_back):
    new, without = mean_error(informed, renamed(told), kept_back), mean_error(fitted, renamed(fleet), kept_back)
    assert new[2] < 0.92 * without[2]


def test_a_fleet_that_measures_nothing_else_has_no_covariates(fitted):
    assert fitted.covariates == []


def test_a_covariate_that_never_spoke_is_none(told, month, tiny):
    silent = with_covariate(month, np.full_like(month.temperature_c, np.nan))
    assert Forecaster(tiny.model_copy(update={"max_epochs": 0})).fit_panel(silent).covariates == []


def test_readings_and_panel_say_the_same(told, informed):
    some = told.steps(LATE - 99, LATE + 1)
    frame = informed.predict(readings=readings_of(some))
    of_panel = informed.forecast(some, np.array([99]))[:, 0, :, MEDIAN]
    np.testing.assert_array_equal(frame["temperature_c"], of_panel.ravel())


# ── where they are missing ─────────────────────────────────────────────────────────────────────────────────


def test_a_station_whose_covariates_fall_silent_is_served_about_as_well_as_without(
    fleet, fitted, told, informed, kept_back
):
    values = told.covariates["pressure_hpa"].copy()
    values[0] = np.nan
    silent = mean_error(informed, with_covariate(told, values), kept_back)
    assert silent[0] < 1.1 * mean_error(fitted, fleet, kept_back)[0]
    np.testing.assert_array_equal(silent[1:], mean_error(informed, told, kept_back)[1:])


def test_a_fleet_whose_covariates_fall_silent_is_served_about_as_well_as_without(fleet, fitted, informed, kept_back):
    assert (mean_error(informed, fleet, kept_back) < 1.1 * mean_error(fitted, fleet, kept_back)).all()


def test_an_unknown_station_without_them_is_served_about_as_well_as_without(fleet, fitted, informed, kept_back):
    new, without = (mean_error(forecaster, renamed(fleet), kept_back)[2] for forecaster in (informed, fitted))
    assert new < 1.1 * without


def test_readings_without_the_column_are_those_that_leave_it_empty(fleet, told, informed):
    some = readings_of(told.steps(LATE - 99, LATE + 1))
    without, empty = some.drop(columns="pressure_hpa"), some.assign(pressure_hpa=np.float32(np.nan))
    answers = [informed.predict(readings=readings) for readings in (without, empty)]
    assert np.isfinite(answers[0]["temperature_c"]).all()
    pd.testing.assert_frame_equal(*answers)


def test_a_column_it_has_not_learnt_to_use_changes_nothing(told, informed):
    some = readings_of(told.steps(LATE - 99, LATE + 1))
    answers = [informed.predict(readings=readings) for readings in (some, some.assign(humidity_pct=np.float32(50)))]
    pd.testing.assert_frame_equal(*answers)


def test_a_covariate_of_one_station_alone_serves_it_and_harms_nobody(fleet, fitted, told, tiny, kept_back):
    values = told.covariates["pressure_hpa"].copy()
    values[1:] = np.nan
    some = with_covariate(told, values)
    errors = mean_error(Forecaster(tiny).fit_panel(some), some, kept_back) / mean_error(fitted, fleet, kept_back)
    assert errors[0] < 0.92
    assert (errors[1:] < 1.1).all()


def silent_before(steps):
    def of(values):
        values[0, :-steps] = np.nan

    return of


def constant(values):
    values[0] = 1000


def at_another_level_later(values):
    values[0] = np.nan


@pytest.mark.parametrize(
    "as_fitted",
    [constant, silent_before(1), silent_before(3), at_another_level_later],
    ids=["constant", "an hour", "three hours", "never, and lower later"],
)
def test_a_covariate_hardly_known_of_a_station_does_not_ruin_its_forecast(
    fleet, fitted, told, tiny, kept_back, as_fitted
):
    """Constant, or there for some hours, or not at all while fitting; later on it moves as at other stations."""
    values, later = told.covariates["pressure_hpa"].copy(), told.covariates["pressure_hpa"].copy()
    as_fitted(values)
    if as_fitted is at_another_level_later:
        later[0] -= 300
    forecaster = Forecaster(tiny.model_copy(update={"max_epochs": 0})).fit_panel(with_covariate(told, values))
    mine, without = mean_error(forecaster, with_covariate(told, later), kept_back), mean_error(fitted, fleet, kept_back)
    assert mine[0] < 1.2 * without[0]


# ── keeping ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_loaded_forecaster_uses_its_covariates_in_the_same_way(told, informed, tmp_path):
    informed.save(tmp_path / "first")
    loaded, origins = Forecaster.load(tmp_path / "first"), np.array([300, LATE, 1500])
    assert loaded.covariates == informed.covariates
    for panel in (told, with_gaps(told)):
        np.testing.assert_array_equal(loaded.forecast(panel, origins), informed.forecast(panel, origins))
    loaded.save(tmp_path / "second")
    for name in (WEIGHTS_FILE, DESCRIPTION_FILE):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


# ── nothing from the future ────────────────────────────────────────────────────────────────────────────────


def changed(panel, where):
    """Another temperature and another pressure at these steps."""
    temperature, pressure = panel.temperature_c.copy(), panel.covariates["pressure_hpa"].copy()
    temperature[:, where] += np.float32(20)
    pressure[:, where] += np.float32(30)
    return with_covariate(Panel(panel.stations, panel.times, temperature), pressure)


variants = pytest.mark.parametrize(
    "variant", [lambda panel: panel, with_gaps, renamed], ids=["whole", "gaps", "unknown"]
)


@variants
def test_changing_every_reading_after_the_origin_changes_no_forecast(told, informed, variant):
    origins, panel = np.array([LATE, LATE + 60]), variant(told)
    other = changed(panel, np.arange(len(panel.times)) > LATE)
    before, now = (informed.forecast(some, origins) for some in (panel, other))
    np.testing.assert_array_equal(before[:, 0], now[:, 0])
    assert np.abs(before - now)[:, 1].max() > 1


def test_changing_a_covariate_up_to_the_origin_does_change_the_forecast(told, informed):
    values = told.covariates["pressure_hpa"].copy()
    values[:, LATE] += 3
    before, now = (informed.forecast(some, np.array([LATE])) for some in (told, with_covariate(told, values)))
    assert (np.abs(before - now).max(axis=(1, 2, 3)) > 0.1).all()


def test_what_is_usual_of_a_covariate_does_not_see_the_held_out_blocks(told, tiny):
    settings = tiny.model_copy(update={"max_epochs": 0})
    blocks = ~hold_out_blocks(told.times, tiny.horizon).fitted
    assert blocks.any()
    fits = [Forecaster(settings).fit_panel(panel).fitted for panel in (told, changed(told, blocks))]
    (before,), (now,) = (fit.scaling.covariates for fit in fits)
    np.testing.assert_array_equal(before.usual.climatology.coefficients, now.usual.climatology.coefficients)
    np.testing.assert_array_equal(before.usual.scale, now.usual.scale)
    np.testing.assert_array_equal(before.slope, now.slope)
    np.testing.assert_array_equal(fits[0].neighbours, fits[1].neighbours)


@variants
def test_a_forecast_from_its_context_alone_is_that_from_a_long_panel(told, informed, variant):
    """To a ten-thousandth of a degree: only the order of additions differs."""
    panel, context, origins = variant(told), informed.settings.context, np.array([LATE - 60, LATE, 1500])
    long = informed.forecast(panel, origins)
    for which, origin in enumerate(origins):
        alone = panel.steps(origin - context + 1, origin + 1)
        np.testing.assert_allclose(informed.forecast(alone, np.array([context - 1]))[:, 0], long[:, which], atol=1e-4)


# ── a broken sensor ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("said", [1e6, np.inf, -np.inf], ids=["a million", "inf", "-inf"])
def test_one_wild_value_of_a_covariate_does_not_carry_the_forecast_away(told, informed, said):
    values = told.covariates["pressure_hpa"].copy()
    values[0, LATE - 2] = said
    before, now = (informed.forecast(some, np.array([LATE])) for some in (told, with_covariate(told, values)))
    assert np.abs(now - before).max() < 15
    np.testing.assert_array_equal(now[2], before[2])


def test_infinity_in_a_covariate_is_learnt_from_as_nothing(told, tiny):
    values = told.covariates["pressure_hpa"].copy()
    values[0, 100] = np.inf
    wild = Forecaster(tiny.model_copy(update={"max_epochs": 0})).fit_panel(with_covariate(told, values))
    assert np.isfinite(wild.forecast(told, np.array([LATE]))).all()


def test_a_covariate_may_be_called_like_a_part_of_the_model(told, tiny, tmp_path):
    odd = Panel(told.stations, told.times, told.temperature_c, {"network.0.x": told.covariates["pressure_hpa"]})
    Forecaster(tiny.model_copy(update={"max_epochs": 0})).fit_panel(odd).save(tmp_path)
    assert Forecaster.load(tmp_path).covariates == ["network.0.x"]
