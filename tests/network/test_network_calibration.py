"""Calibration: intervals cover what they promise, on data they were not made from."""

import numpy as np
import pytest

from lstm_model.network.calibration import apply_offsets, conformal_offsets
from lstm_model.settings import MEDIAN, QUANTILES

NORMAL = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645], np.float32)
PAIRS = [(level, len(QUANTILES) - 1 - level) for level in range(MEDIAN)]


def made(spread, seed, origins=4000):
    """Quantiles of a standard normal stretched by `spread`, beside its truth: two stations, two leads."""
    truth = np.random.default_rng(seed).normal(size=(2, origins, 2)).astype(np.float32)
    return np.broadcast_to(spread * NORMAL, (*truth.shape, 7)).copy(), truth


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0], ids=["too narrow", "right", "too wide"])
@pytest.mark.parametrize(("lower", "upper"), PAIRS)
def test_intervals_reach_the_promised_coverage(spread, lower, upper):
    offsets = conformal_offsets(*made(spread, seed=0))
    quantiles, truth = made(spread, seed=1)
    moved = apply_offsets(quantiles, offsets)
    covered = (moved[..., lower] <= truth) & (truth <= moved[..., upper])
    assert covered.mean() == pytest.approx(QUANTILES[upper] - QUANTILES[lower], abs=0.02)


def test_a_lead_is_calibrated_on_its_own():
    quantiles, truth = made(1.0, seed=0)
    truth[..., 1] *= 3
    offsets = conformal_offsets(quantiles, truth)
    assert np.abs(offsets[0]).max() < 0.1
    assert (offsets[1, MEDIAN + 1 :] > 0.5).all()


def test_the_median_stays_and_offsets_mirror():
    offsets = conformal_offsets(*made(0.5, seed=0))
    assert not offsets[:, MEDIAN].any()
    np.testing.assert_array_equal(offsets, -offsets[:, ::-1])


def test_few_spells_of_weather_are_believed_in_part():
    whole = conformal_offsets(*made(0.5, seed=0))
    believed = [conformal_offsets(*made(0.5, seed=0), spells=spells)[0, -1] / whole[0, -1] for spells in (1, 2, 12)]
    np.testing.assert_allclose(believed, [1 / 3, 1 / 2, 6 / 7], rtol=1e-6)


def test_a_lead_without_truth_stays():
    quantiles, truth = made(0.5, seed=0)
    truth[..., 0] = np.nan
    offsets = conformal_offsets(quantiles, truth)
    assert not offsets[0].any()
    assert offsets[1].any()


def test_missing_truth_is_left_out():
    quantiles, truth = made(0.5, seed=0)
    expected = conformal_offsets(quantiles[:, :2000], truth[:, :2000])
    truth[:, 2000:] = np.nan
    np.testing.assert_array_equal(conformal_offsets(quantiles, truth), expected)


def test_a_few_cases_are_not_stretched_beyond_the_worst_of_them():
    quantiles, truth = made(0.5, seed=0, origins=1)
    worst = np.abs(truth).max()
    moved = apply_offsets(quantiles, conformal_offsets(quantiles, truth))
    assert np.abs(moved).max() <= max(worst, np.abs(quantiles).max()) + 1e-5


def test_offsets_that_would_cross_are_stopped_at_the_median():
    offsets = np.array([2, 1, 0.5, 0, -0.5, -1, -2], np.float32)
    moved = apply_offsets(np.array([[-1, -0.9, -0.1, 0, 0.1, 0.9, 1]], np.float32), offsets)
    assert (np.diff(moved) >= 0).all()
    assert moved[0, MEDIAN] == 0
