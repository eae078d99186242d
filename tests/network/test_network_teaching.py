"""What a network is taught by: an earlier one's weights, and readings that count less the older they are."""

import numpy as np
import pandas as pd
import pytest

from lstm_model.network import Forecaster
from lstm_model.network.forecaster import WEIGHTS_FILE
from lstm_model.network.history import scaled_history
from lstm_model.panel import Panel


@pytest.fixture(scope="module")
def parent(month, tiny):
    return Forecaster(tiny.model_copy(update={"max_epochs": 2, "seed": 7})).fit_panel(month)


def networks_of(forecaster):
    return [value for network in forecaster.fitted.networks for value in network.state_dict().values()]


def test_a_warm_start_goes_on_from_its_parent(month, tiny, parent):
    untaught = Forecaster(tiny.model_copy(update={"max_epochs": 0})).fit_panel(month, parent=parent)
    assert all((mine == its).all() for mine, its in zip(networks_of(untaught), networks_of(parent), strict=True))


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
