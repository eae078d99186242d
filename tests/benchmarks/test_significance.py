"""Holm's adjustment, and which row is compared with which."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.significance import comparisons, holm
from lstm_model.evaluation import Backtest


def test_holm_by_hand() -> None:
    # 4·0.005, 3·0.01, then 2·0.03 and, not below it, 1·0.04.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_comparison_that_cannot_tell_does_not_count() -> None:
    adjusted = holm([0.02, math.nan, 0.03])
    assert adjusted[0] == pytest.approx(0.04)
    assert math.isnan(adjusted[1])
    assert adjusted[2] == pytest.approx(0.04)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_makes_nothing_smaller(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= larger <= 1 for p, larger in zip(p_values, adjusted, strict=True))
    by_p = [adjusted[place] for place in np.argsort(p_values, kind="stable")]
    assert by_p == sorted(by_p)


def test_each_row_meets_ours_with_the_same_inputs() -> None:
    chance = np.random.default_rng(0)
    truth = chance.normal(size=(2, 60, 4)).astype(np.float32)
    origins = pd.date_range("2024-01-01", periods=60, freq="1D", tz="UTC")
    noise = {"ours": 0.1, "ours_cov": 0.1, "ridge": 0.12, "ridge_cov": 2.0, "bad": 2.0}
    spread = np.linspace(-1, 1, 7)
    forecasts = {
        name: (truth + chance.normal(scale=scale, size=truth.shape))[..., None] + spread
        for name, scale in noise.items()
    }
    backtest = Backtest(("a", "b"), origins, np.arange(1.0, 5.0), truth, forecasts)
    found = {one.row: one for one in comparisons(backtest)}
    references = {"ours_cov": "ours", "ridge": "ours", "ridge_cov": "ours_cov", "bad": "ours"}
    assert {row: one.against for row, one in found.items()} == references
    assert found["bad"].crps_larger > 0.5
    assert found["bad"].p_holm < 0.001
    assert found["bad"].p < found["bad"].p_holm
    assert found["ours_cov"].p_holm > 0.05
