"""Ours without one of its ideas: each variant lacks just that, and still forecasts."""

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.variants import GRU, OURS, PlainRNN, Unanchored, Uncalibrated, Windowed, WithoutClimatology
from lstm_model.network import Forecaster
from lstm_model.network.training import ORIGINS_PER_WINDOW
from lstm_model.panel import Panel
from lstm_model.settings import ModelSettings

TINY = ModelSettings(hidden_size=8, max_epochs=2, horizon=6, context=48, neighbours=1, threads=1)


@pytest.fixture(scope="module")
def panel() -> Panel:
    chance = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=24 * 90, freq="1h", tz="UTC")
    cycle = 4 * np.sin(2 * np.pi * times.hour.to_numpy() / 24)
    weather = np.cumsum(chance.normal(0, 0.3, (2, len(times))), axis=1) % 8
    return Panel(("a", "b"), times, (10 + cycle + weather).astype(np.float32))


@pytest.mark.parametrize("row", list(OURS))
def test_every_row_forecasts(panel: Panel, row: str) -> None:
    forecast = OURS[row](panel, TINY).forecast(panel, np.arange(1000, 1010))
    assert forecast.shape == (2, 10, 6, 7)
    assert np.isfinite(forecast).all()
    assert (np.diff(forecast, axis=-1) >= 0).all()


@pytest.mark.parametrize(("kind", "cell"), [(PlainRNN, torch.nn.RNN), (GRU, torch.nn.GRU), (Forecaster, torch.nn.LSTM)])
def test_another_cell_of_the_same_width_is_trained(panel: Panel, kind: type[Forecaster], cell: type) -> None:
    trained = kind(TINY).fit_panel(panel)
    (network,) = trained.fitted.networks
    assert type(network.lstm) is cell
    assert (network.lstm.hidden_size, network.head.in_features) == (8, 8)
    assert len(trained.epochs) == 3  # the anchor, and two passes
    assert trained.epochs[-1].validation_loss != trained.epochs[0].validation_loss


def test_the_usual_loop_has_one_origin_a_window(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    from lstm_model.network import training

    cut, lengths = training.cut_windows, []
    monkeypatch.setattr(training, "cut_windows", lambda *these: lengths.append(these[-2:]) or cut(*these))
    for kind, origins in ((Windowed, 1), (Forecaster, ORIGINS_PER_WINDOW)):
        lengths.clear()
        kind(TINY).fit_panel(panel)
        taught = [length - burn_in for length, burn_in in lengths[1:]]  # the first is the validation blocks'
        assert taught
        assert set(taught) == {origins}


def test_without_its_anchor_an_untrained_network_says_that_the_anomaly_stays(panel: Panel) -> None:
    untrained = Unanchored(TINY.model_copy(update={"max_epochs": 0})).fit_panel(panel)
    median = untrained.forecast(panel, np.array([1000]))[:, 0, :, 3]
    usual = untrained.fitted.scaling.temperature.climatology.values(panel.stations, panel.times)
    now = panel.temperature_c[:, [1000]] - usual[:, [1000]]
    np.testing.assert_allclose(median - usual[:, 1001:1007], np.repeat(now, 6, axis=1), atol=1e-4)


def test_without_calibration_no_quantile_is_moved(panel: Panel) -> None:
    assert not Uncalibrated(TINY).fit_panel(panel).fitted.offsets.any()
    assert Forecaster(TINY).fit_panel(panel).fitted.offsets.any()


def test_without_climatology_only_a_stations_mean_is_usual(panel: Panel) -> None:
    usual = WithoutClimatology(TINY).fit_panel(panel).fitted.scaling.temperature
    values = usual.climatology.values(panel.stations, panel.times)
    np.testing.assert_allclose(values, np.repeat(values[:, :1], values.shape[1], axis=1))
    np.testing.assert_allclose(values[:, 0], panel.temperature_c.mean(axis=1), atol=0.5)
    np.testing.assert_allclose(usual.scale[:2], panel.temperature_c.std(axis=1), rtol=0.1)
