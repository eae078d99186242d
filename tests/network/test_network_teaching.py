"""What a network is taught by: an earlier one's weights, and readings that count less the older they are."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from lstm_model.errors import SettingsError
from lstm_model.network import Forecaster, training
from lstm_model.network.anchor import Lags
from lstm_model.network.history import cut_windows, fit_anchor, scaled_history
from lstm_model.network.saved import DESCRIPTION_FILE, WEIGHTS_FILE
from lstm_model.network.scaling import Scaling
from lstm_model.network.training import _Lesson, burn_in_of
from lstm_model.network.weather_lstm import WeatherLSTM
from lstm_model.panel import Panel, hold_out_blocks
from lstm_model.settings import ModelSettings


@pytest.fixture(scope="module")
def parent(month, tiny):
    return Forecaster(tiny.model_copy(update={"max_epochs": 2, "seed": 7})).fit_panel(month)


def networks_of(forecaster):
    return [value for network in forecaster.fitted.networks for value in network.state_dict().values()]


def test_a_warm_start_goes_on_from_its_parent(month, tiny, parent):
    settings = tiny.model_copy(update={"max_epochs": 1})
    warm, fresh = (Forecaster(settings).fit_panel(month, parent=start) for start in (parent, None))
    distance = [
        sum(
            float((mine - its).square().sum()) for mine, its in zip(networks_of(some), networks_of(parent), strict=True)
        )
        for some in (warm, fresh)
    ]
    assert distance[0] < 0.1 * distance[1]


def test_without_epochs_there_is_only_the_anchor_parent_or_not(month, tiny, parent):
    untaught = Forecaster(tiny.model_copy(update={"max_epochs": 0})).fit_panel(month, parent=parent)
    origins = np.array([300])
    np.testing.assert_array_equal(untaught.forecast(month, origins), untaught.ridge().forecast(month, origins))


def test_a_warm_start_learns_on_and_is_repeatable(month, tiny, parent, tmp_path):
    settings = tiny.model_copy(update={"max_epochs": 1})
    for name, start in (("first", parent), ("second", parent), ("fresh", None)):
        Forecaster(settings).fit_panel(month, parent=start).save(tmp_path / name)
    first, second, fresh = ((tmp_path / name / WEIGHTS_FILE).read_bytes() for name in ("first", "second", "fresh"))
    assert first == second != fresh


def test_a_parent_of_another_shape_is_no_parent(month, tiny, parent, tmp_path):
    settings = tiny.model_copy(update={"max_epochs": 1, "hidden_size": 8})
    Forecaster(settings).fit_panel(month, parent=parent).save(tmp_path / "other shape")
    Forecaster(settings).fit_panel(month).save(tmp_path / "fresh")
    assert (tmp_path / "other shape" / WEIGHTS_FILE).read_bytes() == (tmp_path / "fresh" / WEIGHTS_FILE).read_bytes()


def test_weights_halve_with_every_half_life(fleet, fitted):
    history = scaled_history(fleet, fitted.fitted.scaling, fitted.fitted.neighbours, half_life_days=10)
    assert history.weight[-1] == 1
    np.testing.assert_allclose(history.weight[-1 - 240], 0.5, rtol=1e-5)
    np.testing.assert_allclose(history.weight[-1 - 480], 0.25, rtol=1e-5)


def test_with_a_half_life_the_newest_habit_counts(tiny):
    """For two months warmth stays, then for two weeks every hour turns it round."""
    chance = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=24 * 70, freq="1h", tz="UTC")
    values = np.zeros(len(times))
    for step in range(1, len(times)):
        values[step] = (0.9 if step < 24 * 56 else -0.9) * values[step - 1] + chance.normal()
    panel = Panel(("a",), times, values[None].astype(np.float32))
    origins = np.arange(len(times) - 200, len(times) - 1)
    errors = {}
    for half_life in (0.0, 3.0):
        settings = tiny.model_copy(update={"max_epochs": 0, "half_life_days": half_life})
        median = Forecaster(settings).fit_panel(panel).forecast(panel, origins)[0, :, 0, 3]
        errors[half_life] = np.abs(median - values[origins + 1]).mean()
    assert errors[3.0] < 0.8 * errors[0.0]


# ── stations that say little ───────────────────────────────────────────────────────────────────────────────


def test_a_station_first_heard_after_fitting_is_met_at_its_own_level(fleet, tiny):
    """It stands in the panel already while there is nothing of it, as at night beside the gate's window."""
    values = np.vstack([fleet.temperature_c, fleet.temperature_c[:1] - 15])
    whole = Panel((*fleet.stations, "new"), fleet.times, values)
    silent = values.copy()
    silent[3] = np.nan
    past = Panel(whole.stations, fleet.times, silent).until(fleet.times[1800])
    forecaster = Forecaster(tiny.model_copy(update={"max_epochs": 0})).fit_panel(past)
    origins = np.arange(1850, 2100, 60)
    truth = values[:, origins[:, None] + np.arange(1, tiny.horizon + 1)]
    errors = np.abs(forecaster.forecast(whole, origins)[..., 3] - truth).mean(axis=(1, 2))
    assert errors[3] < 1.5 * errors[0]


def test_a_station_that_reports_every_other_hour_still_leans_on_its_neighbour(fleet, tiny):
    chance = np.random.default_rng(1)
    leader = np.zeros(len(fleet.times))
    for step in range(1, len(leader)):
        leader[step] = 0.95 * leader[step - 1] + chance.normal()
    truth = np.stack([leader, np.roll(leader, 6)]).astype(np.float32)
    values = truth.copy()
    values[1, np.arange(len(leader)) % 2 != 0] = np.nan
    panel = Panel(("leader", "follower"), fleet.times, values)
    origins = np.arange(1800, 2100)
    errors = []
    for neighbours in (0, 1):
        settings = tiny.model_copy(update={"max_epochs": 0, "neighbours": neighbours})
        median = Forecaster(settings).fit_panel(panel.until(fleet.times[1700])).forecast(panel, origins)[1, :, :, 3]
        ahead = origins[:, None] + np.arange(1, tiny.horizon + 1)
        errors.append(np.nanmean(np.abs(median - truth[1, ahead])))
    assert errors[1] < 0.5 * errors[0]


def test_a_block_at_the_very_beginning_does_not_end_the_exam():
    """Daily readings: before the first validation block there is no room for a burn-in, before a later one there is."""
    times = pd.date_range("2024-01-01", periods=500, freq="1D", tz="UTC")
    values = np.random.default_rng(0).normal(size=(2, 500)).astype(np.float32)
    settings = ModelSettings(frequency="1D", horizon=5, context=60, hidden_size=8, max_epochs=2, neighbours=1)
    forecaster = Forecaster(settings).fit_panel(Panel(("a", "b"), times, values))
    assert forecaster.epochs
    assert all(np.isfinite(epoch.validation_loss) for epoch in forecaster.epochs)


def test_an_exam_in_parts_has_the_loss_of_one_over_all(fleet, tiny, monkeypatch):
    """Stations that were observed less count less."""
    values = fleet.temperature_c.copy()
    values[2, np.random.default_rng(0).random(values.shape[1]) < 0.8] = np.nan
    panel = Panel(fleet.stations, fleet.times, values)
    held_out = hold_out_blocks(panel.times, tiny.horizon)
    history = scaled_history(panel, Scaling.fit(panel, held_out.fitted), np.zeros((3, 0), np.intp))
    anchor, _ = fit_anchor(history, held_out, tiny.horizon, Lags.within(tiny.context))
    network = WeatherLSTM(0, 0, tiny.hidden_size, tiny.horizon, 0.5)
    losses = []
    for batch in (1, 1000):
        monkeypatch.setattr(training, "BATCH", batch)
        lesson = _Lesson(network, history, anchor, held_out, burn_in_of(anchor, tiny.context), torch.device("cpu"))
        losses.append(lesson.validate()[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


# ── the device ─────────────────────────────────────────────────────────────────────────────────────────────


def test_whatever_a_lesson_computes_is_computed_on_its_device(month, tiny):
    """The device that computes shapes alone stands for a GPU: it refuses tensors that were left on the CPU."""
    shapes_alone = torch.device("meta")
    held_out = hold_out_blocks(month.times, tiny.horizon)
    scaling = Scaling.fit(month, held_out.fitted)
    history = scaled_history(month, scaling, np.zeros((3, 0), np.intp))
    anchor, _ = fit_anchor(history, held_out, tiny.horizon, Lags.within(tiny.context))
    network = WeatherLSTM(0, 0, tiny.hidden_size, tiny.horizon, 0.5).to(shapes_alone)
    burn_in = burn_in_of(anchor, tiny.context)
    lesson = _Lesson(network, history, anchor, held_out, burn_in, shapes_alone)
    windows = cut_windows(history, anchor, np.arange(3), np.full(3, 50), burn_in + 10, burn_in)
    (loss,) = lesson._losses(windows, held_out.training.astype(np.float32), (1.0,))
    loss.backward()
    assert loss.device == shapes_alone
    assert all(weights.grad.device == shapes_alone for weights in network.parameters())


def test_a_device_that_is_not_there_is_refused_in_words(month, tiny):
    if torch.backends.mps.is_available():
        pytest.skip("this machine has that device")
    with pytest.raises(SettingsError, match=r"model.device = 'mps', but torch finds none here: set it to cpu, or"):
        Forecaster(tiny.model_copy(update={"device": "mps"})).fit_panel(month)


def test_a_model_trained_elsewhere_forecasts_without_that_device(month, tiny, parent, tmp_path):
    parent.save(tmp_path)
    description = tmp_path / DESCRIPTION_FILE
    told = json.loads(description.read_text())
    told["settings"]["device"] = "cuda"
    description.write_text(json.dumps(told))
    origins = np.array([300])
    loaded = Forecaster.load(tmp_path)
    assert loaded.settings.device == "cuda"
    np.testing.assert_array_equal(loaded.forecast(month, origins), parent.forecast(month, origins))
