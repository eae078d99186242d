"""Trust in the gate's window: a level that jumps as it never did is no ground to judge on."""

import numpy as np
import pandas as pd
import pytest

from lstm_model.evaluation.trust import level_jump
from lstm_model.panel import Panel

DAYS = 300


def fleet(stations=3, seed=0, days=DAYS):
    """A year's wave, weather that lasts for days, and each station's own noise."""
    chance = np.random.default_rng(seed)
    times = pd.date_range("2024-01-01", periods=days * 24, freq="1h", tz="UTC")
    weather = np.zeros(len(times))
    for step, shock in enumerate(chance.normal(0, 0.3, len(times) - 1), start=1):
        weather[step] = 0.99 * weather[step - 1] + shock
    year = 10 * np.sin(2 * np.pi * np.arange(len(times)) / (365 * 24))
    noise = chance.normal(0, 1, (stations, len(times)))
    names = tuple(f"roof {number}" for number in range(stations))
    return Panel(names, times, (year + weather + noise + np.arange(stations)[:, None]).astype(np.float32))


def changed(panel, change, last_days=35):
    values = panel.temperature_c.copy()
    values[:, -last_days * 24 :] = change(values[:, -last_days * 24 :])
    return Panel(panel.stations, panel.times, values)


@pytest.mark.parametrize("seed", range(5))
def test_honest_seasons_and_weather_are_no_jump(seed):
    assert level_jump(fleet(seed=seed), 14) < 4 / 3


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("by", [15, -15])
def test_a_fleet_that_reads_15_degrees_more_has_jumped(seed, by):
    assert level_jump(changed(fleet(seed=seed), lambda values: values + by), 14) > 4 / 3


def test_a_jump_before_the_window_is_seen_as_well():
    """It was learnt from by then: the window alone looks calm."""
    assert level_jump(changed(fleet(), lambda values: values + 15, last_days=41), 14) > 4 / 3


def test_a_long_ago_jump_is_history():
    assert level_jump(changed(fleet(), lambda values: values + 15, last_days=120), 14) < 4 / 3


def test_stations_that_come_and_go_are_no_jump():
    panel = fleet()
    values = panel.temperature_c + 30 * np.arange(3, dtype=np.float32)[:, None]
    values[2, -20 * 24 :] = np.nan
    values[0, : 100 * 24] = np.nan
    assert level_jump(Panel(panel.stations, panel.times, values), 14) < 4 / 3


def test_a_short_history_says_nothing():
    assert np.isnan(level_jump(fleet(days=90), 14))
    assert np.isnan(level_jump(fleet(days=3), 14))


def test_readings_that_never_move_say_nothing():
    panel = fleet()
    assert np.isnan(level_jump(Panel(panel.stations, panel.times, np.full_like(panel.temperature_c, 7.0)), 14))
