"""Scores of single forecasts, against numbers computed by hand."""

import numpy as np
import pytest

from lstm_model.evaluation import crps_from_quantiles, pit_from_quantiles

LADDER = np.arange(7.0) - 3  # −3 … 3 at 5, 10, 25, 50, 75, 90 and 95 %


def test_crps_by_hand():
    """Truth 0: pinball 0.15, 0.2, 0.25, 0, 0.25, 0.2, 0.15, standing for 7.5, 10, 20, 25, 20, 10, 7.5 % of levels."""
    by_hand = 2 * 2 * (0.15 * 0.075 + 0.2 * 0.10 + 0.25 * 0.20)
    assert float(crps_from_quantiles(LADDER, np.array(0.0))) == pytest.approx(by_hand)


@pytest.mark.parametrize(("forecast", "truth"), [(3.0, 5.0), (5.0, 3.0), (4.0, 4.0)])
def test_crps_of_a_certain_forecast_is_its_absolute_error(forecast, truth):
    assert float(crps_from_quantiles(np.full(7, forecast), np.array(truth))) == pytest.approx(abs(truth - forecast))


def test_crps_is_near_that_of_the_distribution_behind_the_quantiles():
    """A standard normal met by 0 has CRPS (√2 − 1)/√π = 0.2337."""
    quantiles = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645])
    assert float(crps_from_quantiles(quantiles, np.array(0.0))) == pytest.approx(0.2337, rel=0.1)


def test_crps_keeps_the_shape_and_what_is_missing():
    quantiles = np.broadcast_to(LADDER, (2, 3, 7)).copy()
    observed = np.zeros((2, 3))
    quantiles[0, 0, 6] = np.nan
    observed[1, 2] = np.nan
    missing = np.isnan(crps_from_quantiles(quantiles, observed))
    assert missing.tolist() == [[True, False, False], [False, False, True]]


@pytest.mark.parametrize(
    ("observed", "pit"),
    [(-9, 0.025), (-3.001, 0.025), (-3, 0.05), (-1.5, 0.175), (0, 0.5), (0.5, 0.625), (3, 0.95), (3.001, 0.975)],
)
def test_pit_is_the_level_of_the_truth(observed, pit):
    assert pit_from_quantiles(LADDER[None], np.array([observed], float)).tolist() == pytest.approx([pit])


def test_pit_of_a_case_with_something_missing_is_missing():
    quantiles = np.stack([LADDER, np.full(7, np.nan), LADDER])
    assert np.isnan(pit_from_quantiles(quantiles, np.array([np.nan, 0.0, 0.0]))).tolist() == [True, True, False]


def test_pit_of_a_certain_forecast_that_is_right_is_a_half():
    assert pit_from_quantiles(np.full((1, 7), 3.0), np.array([3.0])).tolist() == [0.5]
