"""How often a fleet speaks."""

import tomllib

import numpy as np
import pandas as pd
import pytest

from lstm_model.readings import as_frequency, cadence, check_file
from lstm_model.settings import Settings
from lstm_model.workspace import Workspace


def spoken(*stations):
    """Readings of stations, each named by the times it spoke at."""
    parts = [pd.DataFrame({"station_id": str(number), "observed_at": times}) for number, times in enumerate(stations)]
    return pd.concat(parts).sample(frac=1, random_state=0)


def every(step, count=100, jitter=0.0):
    times = pd.date_range("2024-01-01", periods=count, freq=step, tz="UTC")
    return times + pd.to_timedelta(np.random.default_rng(0).uniform(-jitter, jitter, count), "min")


@pytest.mark.parametrize("step", ["1min", "10min", "30min", "1h", "3h", "12h", "1D"])
def test_a_steady_fleet_tells_its_step(step):
    assert as_frequency(cadence(spoken(every(step), every(step)))) == step


def test_jitter_gaps_and_one_odd_station_do_not_matter():
    gappy = every("10min", jitter=2).delete(range(20, 50))
    assert as_frequency(cadence(spoken(gappy, every("10min", jitter=3), every("1D")))) == "10min"


def test_where_nobody_spoke_twice_there_is_none():
    assert cadence(spoken(every("1h", 1))) is None
    assert cadence(spoken(every("1h", 1))[:0]) is None


def test_checking_a_file_says_how_often_its_stations_speak_and_the_setting_for_it(tmp_path):
    file = tmp_path / "daily.csv"
    rows = spoken(every("1D", 40)).assign(temperature_c=10.5)
    rows.to_csv(file, index=False)
    check = check_file(Workspace.find(tmp_path, {}), file, pd.Timestamp("2024-06-01T00:00Z"))
    assert check.every == "1D"
    assert Settings.model_validate(tomllib.loads(check.toml)).model.frequency == "1D"
    (tmp_path / "nightcast.toml").write_text('[model]\nfrequency = "1D"\n')
    assert "[model]" not in check_file(Workspace.find(tmp_path, {}), file, pd.Timestamp("2024-06-01T00:00Z")).toml
