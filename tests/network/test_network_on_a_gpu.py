"""What a GPU must do as a CPU does; these need one, and are left out where there is none."""

import numpy as np
import pytest
import torch

from lstm_model.network import Forecaster, device_here

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA GPU")


@pytest.fixture(scope="module")
def on_gpu(fleet, tiny):
    return Forecaster(tiny.model_copy(update={"device": "cuda"})).fit_panel(fleet)


def test_training_there_leaves_the_same_bytes_every_time(on_gpu, fleet, tmp_path):
    again = Forecaster(on_gpu.settings).fit_panel(fleet)
    for forecaster, name in ((on_gpu, "once"), (again, "again")):
        forecaster.save(tmp_path / name)
    once, twice = (sorted((tmp_path / name).iterdir()) for name in ("once", "again"))
    assert [file.name for file in once] == [file.name for file in twice]
    assert [file.read_bytes() for file in once] == [file.read_bytes() for file in twice]


def test_it_learns_there_what_it_learns_here(on_gpu, fitted):
    """Drop-out draws other numbers there, so the weights differ; what validation says hardly does."""
    here, there = (min(epoch.validation_loss for epoch in found.epochs) for found in (fitted, on_gpu))
    untaught = fitted.epochs[0].validation_loss
    assert on_gpu.epochs[0].validation_loss == pytest.approx(untaught, rel=1e-5)
    assert there < untaught
    assert there == pytest.approx(here, rel=0.02)


def test_what_was_trained_there_forecasts_here(on_gpu, fleet, tmp_path):
    assert {weights.device.type for network in on_gpu.fitted.networks for weights in network.parameters()} == {"cpu"}
    on_gpu.save(tmp_path)
    origins = np.array([300, 700])
    answer = on_gpu.forecast(fleet, origins)
    assert np.isfinite(answer).all()
    np.testing.assert_array_equal(Forecaster.load(tmp_path).forecast(fleet, origins), answer)


def test_a_model_s_lineage_names_the_make():
    assert torch.cuda.get_device_name() in device_here("cuda")
