"""The network: where it starts, what it reads, and quantiles that cannot cross."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstm_model.network import WeatherLSTM
from lstm_model.network.weather_lstm import (
    COVARIATE_CHANNELS,
    NEIGHBOUR_CHANNELS,
    OWN_CHANNELS,
    build_inputs,
    pinball_loss,
    to_quantiles,
)
from lstm_model.panel.signals import WAVES
from lstm_model.settings import MEDIAN, QUANTILES

LEVELS = len(QUANTILES)
CHANNELS = OWN_CHANNELS + 2 * NEIGHBOUR_CHANNELS + COVARIATE_CHANNELS  # two neighbours, one covariate
raws = st.lists(st.floats(-50, 50, width=32), min_size=LEVELS, max_size=LEVELS)
gaps = st.lists(st.floats(np.float32(0.01).item(), 10, width=32), min_size=LEVELS, max_size=LEVELS)


@given(raw=raws, gap=gaps, anchor=st.floats(-10, 10, width=32))
def test_quantiles_increase_whatever_the_head_says(raw, gap, anchor):
    quantiles = to_quantiles(torch.tensor([raw]), torch.tensor([anchor]), torch.tensor([gap]))
    assert (torch.diff(quantiles, dim=-1) >= 0).all()
    assert torch.isfinite(quantiles).all()


@given(gap=gaps, anchor=st.floats(-10, 10, width=32))
def test_a_silent_head_gives_the_anchor_and_the_spread_of_its_errors(gap, anchor):
    quantiles = to_quantiles(torch.zeros(1, LEVELS), torch.tensor([anchor]), torch.tensor([gap]))[0].numpy()
    assert quantiles[MEDIAN] == np.float32(anchor)
    spread = [gap[level] for level in range(LEVELS) if level != MEDIAN]
    np.testing.assert_allclose(np.diff(quantiles), spread, atol=1e-4)


def test_pinball_loss_by_hand():
    """Truth 0, quantiles −3…3: 2·(0.05·3 + 0.10·2 + 0.25·1) over seven levels."""
    quantiles = torch.arange(-3.0, 4.0).repeat(2, 1)
    loss = pinball_loss(quantiles.unbind(-1), torch.tensor([0.0, 1e6]), weight=torch.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx(1.2 / 7)


def test_pinball_loss_punishes_the_wrong_side():
    """At the 95 % level, truth above costs 19 times what truth below does."""
    quantiles = torch.zeros(1, LEVELS).unbind(-1)
    above, below = (pinball_loss(quantiles, torch.tensor([truth]), torch.ones(1)).item() for truth in (2.0, -2.0))
    assert (above, below) == (pytest.approx(2 * sum(QUANTILES) / LEVELS), pytest.approx(above))


def test_pinball_loss_without_truth_is_zero():
    assert pinball_loss(torch.ones(4, LEVELS).unbind(-1), torch.zeros(4), torch.zeros(4)).item() == 0


def test_an_untrained_network_says_nothing():
    network = WeatherLSTM(neighbours=2, covariates=1, hidden_size=4, horizon=3, dropout=0.0)
    inputs = torch.randn(5, 10, CHANNELS)
    output = network(inputs, burn_in=6)
    assert output.shape == (5, 4, 3, LEVELS)
    assert not output.any()


def test_a_saved_head_holds_one_lead_after_another_and_in_each_its_quantiles():
    network = WeatherLSTM(neighbours=2, covariates=1, hidden_size=4, horizon=3, dropout=0.0)
    torch.nn.init.normal_(network.head.weight)
    torch.nn.init.normal_(network.head.bias)
    inputs = torch.randn(5, 10, CHANNELS)
    plain = network.head(network.lstm(inputs)[0][:, 6:]).unflatten(-1, (3, LEVELS))
    torch.testing.assert_close(network(inputs, burn_in=6), plain)


def test_the_forget_gate_starts_open():
    lstm = WeatherLSTM(neighbours=0, covariates=0, hidden_size=4, horizon=1, dropout=0.0).lstm
    assert (lstm.bias_ih_l0 + lstm.bias_hh_l0)[4:8].tolist() == [1.0] * 4


def test_inputs_at_a_step_do_not_see_later_ones():
    chance = torch.Generator().manual_seed(0)
    own, since = torch.randn(1, 30, generator=chance), torch.zeros(1, 30)
    clock, others = torch.zeros(1, 30, WAVES), torch.randn(1, 2, 30, generator=chance)
    covariates, observed = torch.randn(1, 1, 30, generator=chance), torch.ones(1, 1, 30)
    before = build_inputs(own, since, clock, others, covariates, observed, day=24)
    for signal in (own, since, others, covariates, observed):
        signal[..., 27:] = 9.0
    now = build_inputs(own, since, clock, others, covariates, observed, day=24)
    assert before.shape == (1, 30, CHANNELS)
    assert torch.equal(before[:, :27], now[:, :27])
    still_the_same = (before[:, 27:] == now[:, 27:]).all(dim=1)[0]
    assert still_the_same.sum() == WAVES  # the clock alone; every other channel reads its signal
