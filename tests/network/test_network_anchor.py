"""The anchor: the closed-form linear answer, and persistence where there is nothing to learn from."""

import numpy as np
import pytest

from lstm_model.network.anchor import fit_weights
from lstm_model.panel import HeldOut

HORIZON, CONTEXT, STEPS = 3, 4, 3000


def all_of(training, steps=STEPS):
    nothing = np.zeros(steps, bool)
    return HeldOut(np.full(steps, training), nothing, nothing, np.ones(steps, bool))


def autoregressive(weights, noise=1.0, stations=2):
    """x(t) = Σ weights · past + noise."""
    chance = np.random.default_rng(0)
    values = np.zeros((stations, STEPS))
    for step in range(len(weights), STEPS):
        past = values[:, step - len(weights) : step][:, ::-1]
        values[:, step] = past @ weights + chance.normal(scale=noise, size=stations)
    return values.astype(np.float32)


def fit(values, training=True, neighbours=None):
    neighbours = np.zeros((len(values), 0), np.intp) if neighbours is None else neighbours
    held_out = all_of(training, values.shape[1])
    return fit_weights(values, values, neighbours, held_out, HORIZON, CONTEXT)


def test_it_finds_the_weights_of_a_linear_process():
    values = autoregressive([0.6, 0.3])
    weights, _, own_lags, _ = fit(values)
    assert own_lags == CONTEXT
    np.testing.assert_allclose(weights[0, :2, 0], [0.6, 0.3], atol=0.08)
    np.testing.assert_allclose(weights[-1, :2, 0], [0.6, 0.3], atol=0.08)


def test_without_anything_to_learn_from_it_is_persistence():
    weights, bias, _, _ = fit(autoregressive([0.6, 0.3]), training=False)
    np.testing.assert_array_equal(weights[:, 0], 1)
    assert not weights[:, 1:].any()
    assert not bias.any()


def test_a_station_leans_on_the_neighbour_that_leads_it():
    leader = autoregressive([0.9], stations=1)[0]
    values = np.stack([leader, np.roll(leader, 2)])  # the follower shows what the leader was two steps ago
    weights, _, own_lags, _ = fit(values, neighbours=np.array([[1], [0]]))
    assert weights[1, own_lags + 1, 0] > 0.5  # the leader's value a step ago is the follower's next one


def test_the_answer_for_unknown_stations_asks_no_neighbours():
    weights, _, own_lags, _ = fit(autoregressive([0.9]), neighbours=np.array([[1], [0]]))
    assert weights.shape == (3, own_lags + 4, HORIZON)
    assert not weights[-1, own_lags:].any()


def test_missing_truth_is_left_out():
    values = autoregressive([0.6, 0.3])
    truth = values.copy()
    truth[:, ::7] = np.nan
    neighbours = np.zeros((2, 0), np.intp)
    weights, *_ = fit_weights(values, truth, neighbours, all_of(True), HORIZON, CONTEXT)
    assert np.isfinite(weights).all()
    np.testing.assert_allclose(weights[0, :2, 0], [0.6, 0.3], atol=0.08)


@pytest.mark.parametrize("steps", [1, 2, CONTEXT])
def test_a_history_shorter_than_the_context_is_no_error(steps):
    weights, *_ = fit(np.ones((1, steps), np.float32))
    assert np.isfinite(weights).all()
