"""The sample's test split, in the protocol of benchmarks/accuracy.py; the table is printed at the end of the run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.accuracy import compare, distinct, load, rows_of
from benchmarks.peers import Ridge
from lstm_model.panel import Panel, build_panel
from lstm_model.settings import ModelSettings

ROWS = ["persistence", "seasonal_naive", "climatology", "damped_anomaly", "ridge_fleet", "ridge_fleet_cov", "ours_cov"]


def test_ours_beats_the_baselines_on_the_sample(record_property: Callable[[str, str], None]) -> None:
    settings = ModelSettings()
    backtest, timing = compare(build_panel(load("sample", None), settings.step), settings, ROWS)
    day = backtest.summary(1, 24)
    record_property("the sample's last 20 % of days, daily 00Z origins, leads 1-24", day.round(3).to_string())
    for baseline in ("persistence", "seasonal_naive", "climatology", "damped_anomaly", "ridge_fleet"):
        assert day["mae"]["ours_cov"] < day["mae"][baseline]
        assert day["crps"]["ours_cov"] < day["crps"][baseline]
    assert len(backtest.origins) == 70
    rows = rows_of("sample", backtest, timing)
    assert {row["leads"] for row in rows} == {"1-24", "1-48", "25-48"}
    assert {row["row"] for row in rows} == set(ROWS)


def noise(stations: int) -> Panel:
    times = pd.date_range("2024-01-01", periods=2400, freq="1h", tz="UTC")
    values = np.random.default_rng(0).normal(size=(stations, len(times))).astype(np.float32)
    return Panel(tuple("abcdef"[:stations]), times, values)


def test_the_peer_is_told_nothing_of_the_future() -> None:
    panel, origin = noise(3), 1500
    ridge = Ridge(fleet=True).fit(panel.steps(0, 1400), 6)
    values = panel.temperature_c.copy()
    values[:, origin + 1 :] += 9
    changed = Panel(panel.stations, panel.times, values)
    before, after = (ridge.forecast(some, np.array([origin])) for some in (panel, changed))
    np.testing.assert_array_equal(before, after)


def test_the_peer_uses_what_the_fleet_says() -> None:
    panel = noise(2)
    values = panel.temperature_c.copy()
    values[1] = np.roll(values[0], 1)  # the second station repeats the first an hour later
    told = Panel(panel.stations, panel.times, values)
    errors = []
    for fleet in (False, True):
        forecast = Ridge(fleet=fleet).fit(told.steps(0, 1800), 6).forecast(told, np.arange(1900, 2300))
        errors.append(np.abs(forecast[1, :, 0, 3] - values[1, 1901:2301]).mean())
    assert errors[1] < 0.3 * errors[0]


def test_a_series_under_two_names_counts_once() -> None:
    panel = noise(3)
    values = panel.temperature_c.copy()
    values[2] = values[0]
    assert distinct(Panel(panel.stations, panel.times, values)) == [0, 1]
