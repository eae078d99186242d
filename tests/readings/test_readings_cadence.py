"""How often a fleet speaks."""

import numpy as np
import pandas as pd
import pytest

from lstm_model.readings import as_frequency, cadence


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
