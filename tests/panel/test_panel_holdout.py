"""Blocks kept away from learning: no origin that is learnt from may have seen one, or be judged by one."""

import numpy as np
import pandas as pd
import pytest

from lstm_model.panel import hold_out_blocks
from lstm_model.panel.holdout import BLOCK_DAYS


def times(days, frequency="1h"):
    return pd.date_range(
        "2024-01-01", end=pd.Timestamp("2024-01-01") + pd.Timedelta(days=days), freq=frequency, tz="UTC"
    )


spans = pytest.mark.parametrize(
    ("grid", "horizon"),
    [(times(90), 6), (times(400), 48), (times(1000), 239), (times(3000, "6h"), 8), (times(900, "1D"), 5)],
    ids=["90 days", "400 days", "long horizon", "six-hourly", "daily"],
)


@spans
def test_no_target_of_a_training_origin_lies_in_a_block(grid, horizon):
    held_out = hold_out_blocks(grid, horizon)
    in_block = ~held_out.fitted
    assert in_block.any()
    assert held_out.training.any()
    for lead in range(horizon + 1):
        origins = np.flatnonzero(held_out.training)
        assert not in_block[np.minimum(origins + lead, len(grid) - 1)].any()


@spans
def test_no_training_origin_stands_within_a_horizon_behind_a_block(grid, horizon):
    held_out = hold_out_blocks(grid, horizon)
    origins = np.flatnonzero(held_out.training)
    for back in range(1, horizon + 1):
        assert held_out.fitted[np.maximum(origins - back, 0)].all()


@spans
def test_training_validation_and_calibration_share_no_origin(grid, horizon):
    held_out = hold_out_blocks(grid, horizon)
    assert held_out.validation.any()
    assert held_out.calibration.any()
    uses = held_out.training.astype(int) + held_out.validation + held_out.calibration
    assert uses.max() == 1


@spans
def test_targets_of_validation_and_calibration_stay_in_their_blocks(grid, horizon):
    held_out = hold_out_blocks(grid, horizon)
    origins = np.flatnonzero(held_out.validation | held_out.calibration)
    for lead in range(horizon + 1):
        assert not held_out.fitted[origins + lead].any()


def test_blocks_take_turns_and_last_ten_days():
    held_out = hold_out_blocks(times(700), 24)
    edges = np.flatnonzero(np.diff(held_out.fitted.astype(int)))
    starts, ends = edges[::2] + 1, edges[1::2] + 1
    assert set(ends - starts) == {BLOCK_DAYS * 24}
    uses = ["validation" if held_out.validation[start] else "calibration" for start in starts]
    assert uses == ["validation", "calibration"] * (len(starts) // 2)


@pytest.mark.parametrize(("frequency", "horizon"), [("1h", 168), ("1D", 7), ("12h", 7)])
def test_blocks_hold_three_horizons_where_these_take_longer(frequency, horizon):
    held_out = hold_out_blocks(times(1500, frequency), horizon)
    edges = np.flatnonzero(np.diff(held_out.fitted.astype(int)))
    assert set(edges[1::2] - edges[::2]) == {
        max(3 * horizon, round(BLOCK_DAYS / (pd.Timedelta(frequency) / pd.Timedelta("1D"))))
    }
    assert held_out.validation.any()
    assert held_out.calibration.any()


@pytest.mark.parametrize(("days", "horizon"), [(30, 6), (400, 480)], ids=["short history", "long horizon"])
def test_where_blocks_do_not_fit_nothing_is_kept_back(days, horizon):
    held_out = hold_out_blocks(times(days), horizon)
    assert held_out.fitted.all()
    assert not (held_out.validation | held_out.calibration).any()
    assert held_out.training[:-1].all()


def test_the_last_step_teaches_nothing():
    assert not hold_out_blocks(times(30), 6).training[-1]
    assert not hold_out_blocks(times(0), 6).training.any()
