"""The example that began it: three counting sequences, and the number that comes next."""

import pandas as pd
import pytest
import torch

from lstm_model.network import Forecaster
from lstm_model.settings import ModelSettings


def sequence(station, values):
    times = pd.date_range("2024-01-01", periods=len(values), freq="1h", tz="UTC")
    return pd.DataFrame({"station_id": station, "observed_at": times, "temperature_c": [float(v) for v in values]})


ON_A_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA GPU")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=ON_A_GPU)])
@pytest.mark.parametrize("seed", range(5))
def test_after_36_to_40_comes_41(seed, device):
    readings = pd.concat([sequence(f"from {start}", range(start, start + 6)) for start in (30, 32, 35)])
    # One thread: on so small a task two spend their time waiting for each other. The answer is the same.
    forecaster = Forecaster(ModelSettings(context=5, horizon=1, seed=seed, threads=1, device=device)).fit(readings)
    forecast = forecaster.predict(readings=sequence("new", range(36, 41)))
    assert forecast["station_id"].tolist() == ["new"]
    assert forecast["temperature_c"].item() == pytest.approx(41, abs=0.5)
