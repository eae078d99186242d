"""The forecaster: what it answers, what it keeps, and where it says that it cannot."""

import json

import numpy as np
import pandas as pd
import pytest

from lstm_model.errors import HistoryTooShort, ModelUnavailable
from lstm_model.network import Forecaster
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.network.saved import DESCRIPTION_FILE, WEIGHTS_FILE
from lstm_model.panel import Panel
from lstm_model.settings import MEDIAN

ORIGINS = np.arange(200, 2000, 97)


def with_values(panel, values, stations=None):
    return Panel(stations or panel.stations, panel.times, values.astype(np.float32))


def readings_of(panel):
    frame = pd.DataFrame(panel.temperature_c.T, index=panel.times, columns=panel.stations)
    frame = frame.rename_axis(index="observed_at", columns="station_id").stack().rename("temperature_c")
    return frame.reset_index()


# ── the untrained network ──────────────────────────────────────────────────────────────────────────────────


def test_the_untrained_network_leaves_exactly_the_anchor(fleet, tiny):
    untrained = Forecaster(tiny.model_copy(update={"max_epochs": 0})).fit_panel(fleet)
    np.testing.assert_array_equal(untrained.forecast(fleet, ORIGINS), untrained.ridge().forecast(fleet, ORIGINS))


def test_the_trained_network_corrects_the_anchor(fleet, fitted):
    correction = fitted.forecast(fleet, ORIGINS) - fitted.ridge().forecast(fleet, ORIGINS)
    assert np.abs(correction).mean() > 0.01


def test_without_history_the_untrained_network_is_persistence(fleet, tiny):
    short = fleet.until(fleet.times[tiny.context - 2])  # no origin has a whole context
    forecast = Forecaster(tiny).fit_panel(short).predict()
    last = np.repeat(short.temperature_c[:, -1], tiny.horizon)
    np.testing.assert_allclose(forecast["temperature_c"], last, atol=1e-4)


def test_told_that_levels_move_for_good_it_goes_along_with_one_that_has_moved(fleet, tiny):
    moved = with_values(fleet, fleet.temperature_c + 8)
    alone = tiny.model_copy(update={"max_epochs": 0, "neighbours": 0})
    responses = []
    for settings in (alone, alone.model_copy(update={"level_penalty": 1e8, "anchor_steps": 30})):
        forecaster = Forecaster(settings).fit_panel(fleet)
        responses.append((forecaster.forecast(moved, ORIGINS) - forecaster.forecast(fleet, ORIGINS)) / 8)
    assert responses[0].mean() < 0.96
    np.testing.assert_allclose(responses[1], 1, atol=0.01)
    assert len(forecaster.fitted.anchor.lags.own) == 30


# ── forecasts ──────────────────────────────────────────────────────────────────────────────────────────────


def test_quantiles_are_finite_and_never_cross(fleet, fitted):
    quantiles = fitted.forecast(fleet, ORIGINS)
    assert quantiles.shape == (3, len(ORIGINS), fitted.settings.horizon, 7)
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()


def test_it_beats_persistence_on_weather_that_returns_to_normal(fleet, fitted):
    ahead = ORIGINS[:, None] + np.arange(1, fitted.settings.horizon + 1)
    truth = fleet.temperature_c[:, ahead]
    mine = np.abs(fitted.forecast(fleet, ORIGINS)[..., MEDIAN] - truth).mean()
    assert mine < 0.7 * np.abs(fleet.temperature_c[:, ORIGINS, None] - truth).mean()


def test_predict_answers_a_row_a_station_and_lead(fleet, fitted):
    frame = fitted.predict()
    horizon = fitted.settings.horizon
    assert list(frame) == ["station_id", "issued_at", "valid_at", "lead_hours", "temperature_c", *QUANTILE_COLUMNS]
    assert frame["station_id"].tolist() == [name for name in "abc" for _ in range(horizon)]
    assert frame["lead_hours"].tolist() == [*range(1, horizon + 1)] * 3
    assert set(frame["issued_at"]) == {fleet.times[-1]}
    assert (frame["valid_at"] - frame["issued_at"] == pd.to_timedelta(frame["lead_hours"], unit="h")).all()
    assert (frame["temperature_c"] == frame["q50"]).all()


def test_predict_from_readings_is_forecast_from_their_panel(fleet, fitted):
    origin = 300
    expected = fitted.forecast(fleet, np.array([origin]))[:, 0].reshape(-1, 7)
    frame = fitted.predict(fleet.times[origin], readings_of(fleet))
    np.testing.assert_allclose(frame[QUANTILE_COLUMNS], expected, atol=1e-4)


def test_a_reading_at_the_very_origin_is_known(fleet, fitted):
    origin, values = 300, fleet.temperature_c.copy()
    values[0, origin] += 10
    before, after = (fitted.forecast(panel, np.array([origin])) for panel in (fleet, with_values(fleet, values)))
    assert (np.abs(after - before)[0] > 0.1).all()


def test_an_origin_after_the_newest_reading_is_forecast_from_there(fleet, fitted):
    issued_at = fleet.times[-1] + pd.Timedelta("3h")
    frame = fitted.predict(issued_at)
    assert set(frame["issued_at"]) == {issued_at}
    assert np.isfinite(frame["q50"]).all()


def test_a_station_with_six_readings_gets_no_number_and_harms_no_other(fleet, fitted):
    values = fleet.temperature_c.copy()
    values[1, : len(fleet.times) - 6] = np.nan
    quantiles = fitted.forecast(with_values(fleet, values, ("a", "new", "c")), np.array([len(fleet.times) - 1]))
    assert np.isnan(quantiles[1]).all()
    assert np.isfinite(quantiles[[0, 2]]).all()


def test_an_unknown_station_is_served_at_its_own_level(fleet, fitted):
    warm = Panel(("new",), fleet.times, fleet.temperature_c[:1] + 30)
    known = fitted.forecast(fleet, ORIGINS)[0, ..., MEDIAN]
    new = fitted.forecast(warm, ORIGINS)[0, ..., MEDIAN]
    assert np.abs(new - known - 30).mean() < 1


def test_an_ensemble_averages_the_quantiles_of_its_members(month, tiny):
    settings = tiny.model_copy(update={"max_epochs": 2})
    members = [
        Forecaster(settings.model_copy(update={"seed": seed})).fit_panel(month).forecast(month, ORIGINS[:3])
        for seed in (0, 1)
    ]
    together = Forecaster(settings.model_copy(update={"ensemble": 2})).fit_panel(month).forecast(month, ORIGINS[:3])
    assert np.abs(members[0] - members[1]).max() > 1e-3
    np.testing.assert_allclose(together, np.mean(members, axis=0), atol=1e-4)


def test_every_epoch_is_told(month, tiny):
    told = []
    Forecaster(tiny.model_copy(update={"max_epochs": 3})).fit_panel(month, told.append)
    assert [epoch.epoch for epoch in told] == [1, 2, 3]
    assert all(np.isfinite(epoch.training_loss) for epoch in told)


# ── the same in, the same out ──────────────────────────────────────────────────────────────────────────────


def saved(forecaster, folder):
    forecaster.save(folder)
    return (folder / WEIGHTS_FILE).read_bytes(), (folder / DESCRIPTION_FILE).read_bytes()


def test_the_same_panel_settings_and_seed_give_the_same_bytes(month, tiny, tmp_path):
    settings = tiny.model_copy(update={"max_epochs": 2})
    first, second = (saved(Forecaster(settings).fit_panel(month), tmp_path / name) for name in ("first", "second"))
    assert first == second


def test_another_seed_gives_another_network(month, tiny, tmp_path):
    settings = [tiny.model_copy(update={"max_epochs": 1, "seed": seed}) for seed in (0, 1)]
    first, second = (saved(Forecaster(some).fit_panel(month), tmp_path / str(some.seed)) for some in settings)
    assert first[0] != second[0]


def test_a_second_fit_tells_its_own_epochs(month, tiny):
    forecaster = Forecaster(tiny.model_copy(update={"max_epochs": 1})).fit_panel(month)
    first = forecaster.epochs
    assert forecaster.fit_panel(month.until(month.times[400])).epochs != first


# ── keeping ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_loaded_forecaster_forecasts_the_same(fleet, fitted, tmp_path):
    fitted.save(tmp_path)
    loaded = Forecaster.load(tmp_path)
    assert loaded.settings == fitted.settings
    assert loaded.fitted.trained_until == fleet.times[-1]
    np.testing.assert_array_equal(loaded.forecast(fleet, ORIGINS), fitted.forecast(fleet, ORIGINS))
    np.testing.assert_array_equal(loaded.ridge().forecast(fleet, ORIGINS), fitted.ridge().forecast(fleet, ORIGINS))


def test_saving_what_was_loaded_writes_the_same_bytes(fitted, tmp_path):
    first = saved(fitted, tmp_path / "first")
    assert saved(Forecaster.load(tmp_path / "first"), tmp_path / "second") == first


def edited(**changes):
    def edit(folder):
        file = folder / DESCRIPTION_FILE
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return edit


def cut_short(folder):
    file = folder / WEIGHTS_FILE
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / WEIGHTS_FILE).unlink(),
        lambda folder: (folder / DESCRIPTION_FILE).unlink(),
        lambda folder: (folder / WEIGHTS_FILE).write_bytes(b"garbled"),
        lambda folder: (folder / WEIGHTS_FILE).write_bytes(b""),
        cut_short,
        lambda folder: (folder / DESCRIPTION_FILE).write_text("{"),
        lambda folder: (folder / DESCRIPTION_FILE).write_text("[]"),
        lambda folder: (folder / DESCRIPTION_FILE).write_bytes(b"\xff\xfe"),
        edited(format=999),
        edited(settings={"horizon": 0}),
        edited(settings={"hidden_size": 99}),
    ],
    ids=[
        "no weights", "no description", "garbled weights", "empty weights", "weights cut short", "garbled description",
        "another description", "binary description", "later format", "impossible settings", "other settings",
    ],
)  # fmt: skip
def test_a_damaged_model_is_unavailable_and_says_where(fitted, tmp_path, damage):
    fitted.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(ModelUnavailable, match=str(tmp_path)):
        Forecaster.load(tmp_path)


def test_a_later_format_names_both_formats(fitted, tmp_path):
    fitted.save(tmp_path)
    edited(format=999)(tmp_path)
    with pytest.raises(ModelUnavailable, match="model format 999, this version reads 2; train a new model"):
        Forecaster.load(tmp_path)


# ── what it cannot do ──────────────────────────────────────────────────────────────────────────────────────


def test_before_fit_there_is_no_forecast(fleet):
    with pytest.raises(ModelUnavailable, match=r"call fit\(readings\) or load\(folder\) first"):
        Forecaster().forecast(fleet, ORIGINS)


def test_nothing_observed_is_too_short_a_history(fleet, tiny):
    with pytest.raises(HistoryTooShort, match="nothing was observed"):
        Forecaster(tiny).fit_panel(with_values(fleet, np.full_like(fleet.temperature_c, np.nan)))


def test_a_loaded_forecaster_asks_for_readings(fitted, tmp_path):
    fitted.save(tmp_path)
    with pytest.raises(ValueError, match="pass the recent readings"):
        Forecaster.load(tmp_path).predict()


def test_inputs_known_ahead_are_refused(fitted, fleet):
    with pytest.raises(ValueError, match="known_ahead"):
        fitted.predict(known_ahead=readings_of(fleet))


def test_a_single_reading_gets_no_number(fleet, fitted):
    frame = fitted.predict(readings=readings_of(fleet.until(fleet.times[0])))
    assert frame["q50"].isna().all()


def test_an_origin_before_every_reading_is_an_error_in_words(fleet, fitted):
    with pytest.raises(ValueError, match="reading"):
        fitted.predict(fleet.times[0] - pd.Timedelta("1D"))
