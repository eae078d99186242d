"""Nothing is learnt from the future, and a forecast sees its context and nothing else."""

import numpy as np
import pytest
import torch

from lstm_model.network import Forecaster
from lstm_model.network.history import cut_windows, scaled_history
from lstm_model.network.saved import WEIGHTS_FILE
from lstm_model.network.weather_lstm import to_quantiles
from lstm_model.panel import Panel, hold_out_blocks

EARLY, LATE = 400, 460


def changed(panel, where, by=20.0):
    values = panel.temperature_c.copy()
    values[:, where] += np.float32(by)
    return Panel(panel.stations, panel.times, values)


def after(panel, step):
    return np.arange(len(panel.times)) > step


def with_a_gap(panel):
    """The first station is silent from before the context of LATE until 30 hours before it."""
    values = panel.temperature_c.copy()
    values[0, LATE - 60 : LATE - 30] = np.nan
    return Panel(panel.stations, panel.times, values)


def renamed(panel):
    return Panel(("a", "b", "new"), panel.times, panel.temperature_c)


unknown_station = pytest.param(renamed, id="unknown station")
variants = pytest.mark.parametrize(
    "variant", [pytest.param(lambda panel: panel, id="as it is"), pytest.param(with_a_gap, id="gap"), unknown_station]
)


@variants
def test_changing_the_future_changes_no_forecast(fleet, fitted, variant):
    """The later origin is there so that the panel's future is not simply cut away."""
    origins = np.array([EARLY, LATE])
    panel = variant(fleet)
    before, now = (fitted.forecast(some, origins) for some in (panel, changed(panel, after(panel, EARLY))))
    np.testing.assert_array_equal(before[:, 0], now[:, 0])
    assert (np.abs(now - before)[:, 1] > 1).any()


def test_changing_the_future_changes_no_forecast_of_an_unknown_station(fleet, fitted):
    """As a night asks: one origin, here with a future to peep at."""
    panel, origin = renamed(fleet), np.array([EARLY])
    before, now = (fitted.forecast(some, origin) for some in (panel, changed(panel, after(panel, EARLY))))
    np.testing.assert_array_equal(before, now)


def test_changing_the_future_changes_no_fit(fleet, tiny, tmp_path):
    known_until = fleet.times[24 * 30]
    settings = tiny.model_copy(update={"max_epochs": 1})
    futures = {"as it was": fleet, "another": changed(fleet, after(fleet, 24 * 30))}
    for name, panel in futures.items():
        Forecaster(settings).fit_panel(panel.until(known_until)).save(tmp_path / name)
    weights = [(tmp_path / name / WEIGHTS_FILE).read_bytes() for name in futures]
    assert weights[0] == weights[1]


def test_climatology_and_scale_do_not_see_the_held_out_blocks(fleet, tiny):
    settings = tiny.model_copy(update={"max_epochs": 0})
    blocks = ~hold_out_blocks(fleet.times, tiny.horizon).fitted
    assert blocks.any()
    fits = [Forecaster(settings).fit_panel(panel).fitted for panel in (fleet, changed(fleet, blocks))]
    before, now = (fit.scaling.temperature for fit in fits)
    np.testing.assert_array_equal(before.climatology.coefficients, now.climatology.coefficients)
    np.testing.assert_array_equal(before.scale, now.scale)
    np.testing.assert_array_equal(fits[0].neighbours, fits[1].neighbours)


def test_the_anchor_learns_from_the_held_out_blocks_once_they_have_judged(fleet, tiny):
    """The network does not: it would be calibrated on what it knows."""
    settings = tiny.model_copy(update={"max_epochs": 2})
    held_out = hold_out_blocks(fleet.times, tiny.horizon)
    assert held_out.calibration.any()
    fits = [Forecaster(settings).fit_panel(panel).fitted for panel in (fleet, changed(fleet, held_out.calibration))]
    before, now = (fit.networks[0].state_dict() for fit in fits)
    assert all(torch.equal(before[name], now[name]) for name in before)
    assert np.abs(fits[0].anchor.weights - fits[1].anchor.weights).max() > 0.01
    assert np.abs(fits[0].offsets - fits[1].offsets).max() > 0.01


def test_a_forecast_from_its_context_alone_is_that_from_a_long_panel(fleet, fitted):
    """To a ten-thousandth of a degree: only the order of additions differs."""
    context = fitted.settings.context
    for origin in (EARLY, LATE, 1500):
        rows = slice(origin - context + 1, origin + 1)
        alone = Panel(fleet.stations, fleet.times[rows], fleet.temperature_c[:, rows])
        np.testing.assert_allclose(
            fitted.forecast(alone, np.array([context - 1])), fitted.forecast(fleet, np.array([origin])), atol=1e-4
        )


def test_origins_forecast_together_answer_as_each_alone(fleet, fitted):
    """A backtest asks for many origins at once, a night for one."""
    origins = np.arange(300, 600, 37)
    together = fitted.forecast(fleet, origins)
    alone = np.concatenate([fitted.forecast(fleet, origins[[which]]) for which in range(len(origins))], axis=1)
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_origins_forecast_together_answer_as_each_alone_where_readings_are_missing(fleet, fitted):
    panel = with_a_gap(fleet)
    together = fitted.forecast(panel, np.array([EARLY, LATE]))[:, 1]
    np.testing.assert_allclose(together, fitted.forecast(panel, np.array([LATE]))[:, 0], atol=1e-4)


def test_a_forecast_from_the_context_is_close_to_one_from_a_training_segment(fleet, fitted):
    """The state a network carries into an origin is made of `context` steps when serving and of more when training.

    Some 0.0004 °C here, where its corrections are 0.07 °C at most.
    """
    found, burn_in = fitted.fitted, 500
    history = scaled_history(fleet, found.scaling, found.neighbours)
    stations, starts = np.arange(3), np.full(3, 1000)
    segment = cut_windows(history, found.anchor, stations, starts, burn_in + 100, burn_in)
    with torch.no_grad():
        raw = found.networks[0](segment.inputs, burn_in)
        dense = to_quantiles(raw, segment.anchor, segment.gaps).numpy()
    served = fitted._quantiles(history, found, segment.origins[0])
    difference_c = np.abs(dense - served) * history.scale_c[:, None, None, None]
    assert 0 < difference_c.max() < 0.002
