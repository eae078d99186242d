"""The cell written out gate by gate is the one that torch computes."""

import pytest
import torch
from support import fleet_readings
from torch import nn

from lstm_model.network import Forecaster
from lstm_model.network.cell import walk_through
from lstm_model.panel import build_panel
from lstm_model.settings import ModelSettings


@pytest.fixture
def lstm():
    torch.manual_seed(0)
    return nn.LSTM(5, 16, batch_first=True).double()


@pytest.fixture
def inputs():
    return torch.randn(3, 40, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_forward_is_torch_s(lstm, inputs):
    expected, (_, last_cell) = lstm(inputs)
    gates = walk_through(lstm, inputs)
    torch.testing.assert_close(gates.hidden, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(gates.cell_state[:, -1], last_cell[0], atol=1e-6, rtol=0)


def test_backward_is_torch_s(lstm, inputs):
    def gradients(run):
        lstm.zero_grad()
        given = inputs.clone().requires_grad_()
        run(given).square().sum().backward()
        return [given.grad, *(parameter.grad.clone() for parameter in lstm.parameters())]

    theirs, ours = gradients(lambda x: lstm(x)[0]), gradients(lambda x: walk_through(lstm, x).hidden)
    for one, other in zip(theirs, ours, strict=True):
        torch.testing.assert_close(other, one, atol=1e-6, rtol=1e-6)


def test_the_memory_is_what_was_kept_and_what_was_let_in(lstm, inputs):
    gates = walk_through(lstm, inputs)
    before = torch.cat([torch.zeros_like(gates.cell_state[:, :1]), gates.cell_state[:, :-1]], dim=1)
    torch.testing.assert_close(gates.cell_state, gates.forget * before + gates.input * gates.candidate)
    for gate in (gates.forget, gates.input, gates.output):
        assert ((gate > 0) & (gate < 1)).all()


def test_an_open_forget_gate_keeps_and_a_closed_one_forgets():
    lstm = nn.LSTM(1, 1, batch_first=True)
    kept = {}
    for bias in (10.0, -10.0):
        with torch.no_grad():
            for parameter in lstm.parameters():
                parameter.zero_()
            parts = dict(lstm.named_parameters())
            parts["weight_ih_l0"][0], parts["weight_ih_l0"][2] = 20.0, 5.0  # lets news in, and takes it as it is
            parts["bias_ih_l0"][0], parts["bias_ih_l0"][1] = -10.0, bias
        pulse = torch.zeros(1, 50, 1)
        pulse[0, 0] = 1.0
        kept[bias] = walk_through(lstm, pulse).cell_state[0, -1, 0].item()
    assert kept[10.0] > 0.99
    assert abs(kept[-10.0]) < 1e-3


@pytest.mark.parametrize("other", [{"num_layers": 2}, {"bidirectional": True}, {"bias": False}])
def test_another_kind_of_lstm_is_refused(other):
    with pytest.raises(ValueError, match="one layer in one direction"):
        walk_through(nn.LSTM(2, 3, batch_first=True, **other), torch.zeros(1, 4, 2))


def test_the_gates_of_a_real_forecast_say_what_the_network_says():
    settings = ModelSettings(horizon=12, context=48, hidden_size=8, max_epochs=1)
    panel = build_panel(fleet_readings(days=60), settings.step)
    forecaster = Forecaster(settings).fit_panel(panel)
    gates = forecaster.gates(panel, "roof 1")
    assert gates.hidden.shape == (1, 48, 8)
    changed = panel.temperature_c.copy()
    changed[:, : -settings.context] += 50.0  # before the context: nothing the network may see
    other = forecaster.gates(type(panel)(panel.stations, panel.times, changed), "roof 1")
    assert torch.equal(gates.hidden, other.hidden)
    changed[1, -1] += 5.0
    later = forecaster.gates(type(panel)(panel.stations, panel.times, changed), "roof 1")
    assert torch.equal(gates.hidden[:, :-1], later.hidden[:, :-1])
    assert not torch.equal(gates.hidden[:, -1], later.hidden[:, -1])


def test_a_short_past_and_no_network_have_gates_to_match():
    settings = ModelSettings(horizon=12, context=48, hidden_size=8, max_epochs=0)
    panel = build_panel(fleet_readings(days=60), settings.step)
    forecaster = Forecaster(settings).fit_panel(panel)
    assert forecaster.ridge().gates(panel, "roof 0") is None
    assert forecaster.gates(panel.until(panel.times[9]), "roof 0").forget.shape == (1, 48, 8)
