"""Backtests: scores on common cases, by hand, and how sure one may be of a difference."""

import math

import numpy as np
import pandas as pd
import pytest

from lstm_model.evaluation import Backtest, fit_baselines, run_backtest
from lstm_model.panel import Panel

TRUTH = 10.0
SPREAD = np.arange(7.0) - 3


def backtest(truth, lead_hours=(1.0, 2.0), spacing="6h", **forecasts):
    truth = np.asarray(truth, np.float32)
    origins = pd.date_range("2024-01-01", periods=truth.shape[1], freq=spacing, tz="UTC")
    stations = tuple("abcdef"[: truth.shape[0]])
    forecasts = {name: np.asarray(values, np.float32) for name, values in forecasts.items()}
    return Backtest(stations, origins, np.array(lead_hours), truth, forecasts)


@pytest.fixture
def by_hand():
    """Two stations, two origins, two leads; the last case has no truth. Errors of the median: 1 −1 2 0 3 −3 0."""
    truth = np.full((2, 2, 2), TRUTH)
    truth[1, 1, 1] = np.nan
    errors = np.array([[[1, -1], [2, 0]], [[3, -3], [0, 7]]], float)
    wide, certain = TRUTH + errors[..., None] + SPREAD, TRUTH + errors[..., None] + np.zeros(7)
    persistence = np.full((2, 2, 2, 7), TRUTH + 4)
    return backtest(truth, wide=wide, certain=certain, persistence=persistence)


def test_summary_by_hand(by_hand):
    wide = by_hand.summary().loc["wide"]
    assert wide["n"] == 7
    assert wide["mae"] == pytest.approx(10 / 7)
    assert wide["rmse"] == pytest.approx(math.sqrt(24 / 7))
    assert wide["bias"] == pytest.approx(2 / 7)
    assert wide["coverage_80"] == pytest.approx(5 / 7)  # between q10 = −2 and q90 = 2
    assert wide["width_80"] == pytest.approx(4)


def test_skill_is_one_less_the_ratio_of_crps_to_persistence(by_hand):
    summary = by_hand.summary()
    assert summary.loc["certain", "crps"] == pytest.approx(10 / 7)  # of a certain forecast, the absolute error
    assert summary.loc["persistence", "crps"] == pytest.approx(4)
    assert summary.loc["certain", "skill"] == pytest.approx(1 - (10 / 7) / 4)
    assert summary.loc["persistence", "skill"] == 0


def test_summary_of_a_group_of_leads(by_hand):
    assert by_hand.summary(1, 1).loc["wide", ["mae", "n"]].tolist() == pytest.approx([6 / 4, 4])
    assert by_hand.summary(2, 2).loc["wide", ["mae", "n"]].tolist() == pytest.approx([4 / 3, 3])


def test_per_lead_is_the_summary_of_each(by_hand):
    table = by_hand.per_lead().set_index(["lead_hours", "method"])
    assert table.loc[(2.0, "wide"), "mae"] == pytest.approx(4 / 3)
    assert len(table) == 2 * 3


def test_every_method_is_judged_on_the_cases_that_all_can_be(by_hand):
    gappy = by_hand.forecasts["wide"].copy()
    gappy[0, 0, 0, 3] = np.nan  # where the other one's error is 1
    narrowed = Backtest(
        by_hand.stations, by_hand.origins, by_hand.lead_hours, by_hand.truth, {**by_hand.forecasts, "gappy": gappy}
    )
    assert narrowed.summary()["n"].tolist() == [6] * 4
    assert narrowed.summary().loc["wide", "mae"] == pytest.approx(9 / 6)
    assert narrowed.without("gappy").summary().loc["wide", "mae"] == pytest.approx(10 / 7)


def test_truth_share_counts_what_is_known(by_hand):
    assert by_hand.truth_share == 7 / 8


def pair(good, bad, origins=60, leads=2, spacing="6h"):
    """Two methods whose errors have the standard deviations `good` and `bad`."""
    chance = np.random.default_rng(0)
    truth = chance.normal(size=(2, origins, leads))
    forecasts = [truth + chance.normal(scale=scale, size=truth.shape) for scale in (good, bad)]
    good_one, bad_one = (some[..., None] + SPREAD / 2 for some in forecasts)
    return backtest(truth, np.arange(1.0, leads + 1), spacing, good=good_one, bad=bad_one)


def test_clearly_worse_is_near_one_and_clearly_better_near_zero():
    judged = pair(0.5, 3.0)
    assert judged.confidence_worse("bad", "good") > 0.999
    assert judged.confidence_worse("good", "bad") < 0.001


def test_of_the_same_forecasts_nothing_is_said():
    judged = pair(1.0, 1.0)
    same = {"one": judged.forecasts["good"], "other": judged.forecasts["good"].copy()}
    judged = Backtest(judged.stations, judged.origins, judged.lead_hours, judged.truth, same)
    assert judged.confidence_worse("one", "other") == 0.5


def test_of_equally_good_forecasts_little_is_said():
    assert 0.05 < pair(1.0, 1.0).confidence_worse("bad", "good") < 0.95


def test_both_directions_add_up():
    judged = pair(1.0, 1.1)
    assert judged.confidence_worse("bad", "good") + judged.confidence_worse("good", "bad") == pytest.approx(1)


def test_losses_that_go_together_count_for_less():
    """The same losses are less sure evidence where one origin's is much like the next one's."""
    losses = 0.3 + np.random.default_rng(0).normal(size=60)
    confidence = {}
    for name, some in {"as they come": losses, "together": np.sort(losses)}.items():
        bad, good = (np.full((1, 60, 1, 7), 9.0) + extra for extra in (some[None, :, None, None], 0.0))
        confidence[name] = backtest(np.zeros((1, 60, 1)), (1.0,), bad=bad, good=good).confidence_worse("bad", "good")
    assert 0.5 < confidence["together"] < confidence["as they come"] - 0.1


@pytest.mark.parametrize("origins", [1, 8])
def test_too_few_origins_tell_nothing(origins):
    """48 hours ahead every six hours: eight origins in a row share some of their truth."""
    assert math.isnan(pair(0.5, 3.0, origins, leads=48).confidence_worse("bad", "good"))


def test_origins_without_a_common_case_are_left_out():
    judged = pair(0.5, 3.0)
    judged.truth[:, :10] = np.nan
    assert judged.confidence_worse("bad", "good") > 0.999


def test_without_any_truth_there_is_no_confidence():
    judged = pair(0.5, 3.0)
    judged.truth[:] = np.nan
    assert math.isnan(judged.confidence_worse("bad", "good"))


def test_without_any_truth_the_summary_has_no_scores():
    judged = pair(0.5, 3.0)
    judged.truth[:] = np.nan
    assert judged.summary()["crps"].isna().all()


def test_run_backtest_asks_all_from_the_same_origins():
    times = pd.date_range("2024-01-01", periods=24 * 10, freq="30min", tz="UTC")
    values = 10 + np.sin(np.arange(len(times)) / 7)
    panel = Panel(("a",), times, values[None].astype(np.float32))
    methods = fit_baselines(panel.until(times[150]), 4)
    judged = run_backtest(methods, panel, np.array([160, 170]), 4)
    assert judged.origins.tolist() == [times[160], times[170]]
    assert judged.lead_hours.tolist() == [0.5, 1.0, 1.5, 2.0]
    np.testing.assert_array_equal(judged.truth[0, 1], panel.temperature_c[0, 171:175])
    assert {name: values.shape for name, values in judged.forecasts.items()} == dict.fromkeys(methods, (1, 2, 4, 7))
