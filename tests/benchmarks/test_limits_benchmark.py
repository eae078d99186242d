"""The benchmark of limits on made-up forecasts whose worth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from benchmarks.limits import TAILS, judge, limits_of, scores_of, tails_of
from lstm_model.evaluation import Backtest
from lstm_model.forecasts import probability_above
from lstm_model.panel import Panel
from lstm_model.settings import QUANTILES

ORIGINS = pd.date_range("2024-01-01", periods=200, freq="1D", tz="UTC")


@pytest.fixture(scope="module")
def past() -> Panel:
    times = pd.date_range("2023-01-01", periods=2000, freq="1h", tz="UTC")
    return Panel(("a", "b"), times, np.random.default_rng(1).normal(0, np.sqrt(2), (2, 2000)).astype(np.float32))


@pytest.fixture(scope="module")
def backtest() -> Backtest:
    """Half of the variance is known to `sharp`, none of it to `climatology`; both are honest."""
    chance = np.random.default_rng(0)
    known = chance.normal(size=(2, 200, 8))
    truth = (known + chance.normal(size=known.shape)).astype(np.float32)
    truth[0, 3, 1] = np.nan
    levels = norm.ppf(QUANTILES)
    forecasts = {
        "sharp": known[..., None] + levels,
        "climatology": np.broadcast_to(np.sqrt(2) * levels, (*known.shape, 7)),
    }
    return Backtest(("a", "b"), ORIGINS, np.arange(1.0, 9.0), truth, forecasts)


def test_honest_forecasts_are_reliable_and_worth_what_they_know(backtest: Backtest, past: Panel) -> None:
    told = judge(backtest, past, ["sharp", "climatology"])
    skill = {(one["row"], one["side"], one["share"]): one for one in told["skill"]}
    assert skill["sharp", "above", 0.25]["skill_climatology"] > 0.2
    assert skill["climatology", "below", 0.25]["skill_climatology"] == 0
    assert skill["climatology", "above", 0.10]["skill_base_rate"] == pytest.approx(0, abs=0.03)
    for one in told["reliability"]["sharp"]:
        assert one["observed"] == pytest.approx(one["forecast"], abs=0.1)


def test_cases_without_truth_are_left_out(backtest: Backtest, past: Panel) -> None:
    scores = scores_of(backtest, "sharp", *limits_of(past, 0.1))
    assert len(scores) == 2 * 200 * 8 - 1
    assert scores["observed_c"].notna().all()


def test_the_first_tail_is_ours_and_warmth_and_cold_are_judged_alike(backtest: Backtest, past: Panel) -> None:
    beyond = np.array([0.0, 0.5, 3.0, 50.0])
    quantiles = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
    ours = next(iter(TAILS.values()))
    assert ours(beyond, np.ones(4), np.full(4, 2.0)) == pytest.approx(probability_above(quantiles, 3.0 + beyond))
    turned = Backtest(
        backtest.stations, ORIGINS, backtest.lead_hours, -backtest.truth,
        {name: -values[..., ::-1] for name, values in backtest.forecasts.items()},
    )  # fmt: skip
    there, back = (
        tails_of(backtest, "sharp", past),
        tails_of(turned, "sharp", Panel(past.stations, past.times, -past.temperature_c)),
    )
    for one, other in zip(there, back, strict=True):
        assert one["n"] == other["n"] > 1000
        assert one["brier"] == pytest.approx(other["brier"], rel=1e-6)
