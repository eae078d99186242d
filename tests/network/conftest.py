"""A small fleet with weather of its own, and a small forecaster fitted on it."""

import numpy as np
import pandas as pd
import pytest

from lstm_model.network import Forecaster
from lstm_model.panel import Panel
from lstm_model.settings import ModelSettings

DAYS = 90  # enough for one block to stop the training by and one to calibrate on
TINY = ModelSettings(hidden_size=16, max_epochs=20, horizon=6, context=48, neighbours=1, threads=1)


@pytest.fixture(scope="session")
def fleet():
    """Three stations, hourly: a daily cycle, and anomalies that wander and travel from one to the next."""
    chance = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=24 * DAYS, freq="1h", tz="UTC")
    weather = np.zeros(len(times))
    for step in range(1, len(times)):
        lasts = 0.99 if weather[step - 1] > 0 else 0.85  # warmth stays, cold does not: no linear map knows that
        weather[step] = lasts * weather[step - 1] + chance.normal(scale=0.7)
    cycle = 4 * np.sin(2 * np.pi * (times.hour.to_numpy() - 9) / 24)
    rows = [10 + row + cycle + np.roll(weather, row) + chance.normal(scale=0.3, size=len(times)) for row in range(3)]
    return Panel(("a", "b", "c"), times, np.array(rows, np.float32))


@pytest.fixture(scope="session")
def tiny():
    return TINY


@pytest.fixture(scope="session")
def fitted(fleet):
    """Trained long enough that the network does correct its anchor."""
    return Forecaster(TINY).fit_panel(fleet)


@pytest.fixture(scope="session")
def month(fleet):
    """A history too short for blocks: training runs its course, so that one epoch already leaves its mark."""
    return fleet.until(fleet.times[24 * 30])
