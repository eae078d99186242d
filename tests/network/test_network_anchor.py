"""The anchor: the closed-form linear answer, and persistence where there is nothing to learn from."""

import numpy as np
import pandas as pd
import pytest
import torch

from lstm_model.network import Forecaster, anchor
from lstm_model.network.anchor import Anchor, Lags, Lesson, anchor_features, error_gaps, fit_weights
from lstm_model.panel import HeldOut, Panel, calendar, values_ahead
from lstm_model.panel.signals import DAY_WAVES, WAVES
from lstm_model.settings import MEDIAN, QUANTILES

HORIZON, CONTEXT, STEPS = 3, 4, 3000
LAGS = Lags.within(CONTEXT)


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


def clock_of(steps, knows_seasons=False):
    return calendar(pd.date_range("2024-01-01", periods=steps, freq="1h", tz="UTC"), knows_seasons=knows_seasons)


def features_of(values, neighbours=None, covariate=None, clock=None):
    """What the anchor looks at, as a function of the station and of the origins: all of them when None."""
    neighbours = np.zeros((len(values), 0), np.intp) if neighbours is None else neighbours
    covariates = np.zeros((len(values), 0, values.shape[1]), np.float32) if covariate is None else covariate[:, None]
    clock = np.zeros((values.shape[1], WAVES), np.float32) if clock is None else clock

    def of(station, origins=None):
        first = min(LAGS.reach, values.shape[1])
        parts = values[station], covariates[station], values[neighbours[station]], clock[first:]
        own, its, others, waves = (torch.from_numpy(part)[None] for part in parts)
        features = anchor_features(own, its, others, waves, LAGS, first)[0].numpy()
        return features if origins is None else features[origins - first]

    return of


def fit(values, training=True, truth=None, held_out=None, weight=None, level_penalty=1.0, **looked_at):
    steps = values.shape[1]
    lesson = Lesson(
        features_of(values, **looked_at),
        lambda station, origins: values_ahead((values if truth is None else truth)[station], origins, HORIZON),
        level=values,
        held_out=all_of(training, steps) if held_out is None else held_out,
        weight=np.ones(steps, np.float32) if weight is None else weight,
        lags=LAGS,
        covariates=int("covariate" in looked_at),
        horizon=HORIZON,
        level_penalty=level_penalty,
    )
    return fit_weights(lesson)[0]


def on_own_values(weights, row, lead=0):
    """Weight of each of the station's last values: the features are its level and departures from it."""
    of_level, *of_departures = weights[row, 1 : 1 + len(LAGS.own), lead]
    return [1 + of_level - sum(of_departures), *of_departures]


def points(weights, row, features, values):
    anchor = Anchor(weights, np.zeros((len(weights), HORIZON, len(QUANTILES)), np.float32), LAGS)
    level = torch.from_numpy(values[None, LAGS.reach :])
    return anchor.point(np.array([row]), torch.from_numpy(features)[None], level)[0].numpy()


def test_it_finds_the_weights_of_a_linear_process():
    weights = fit(autoregressive([0.6, 0.3]), clock=clock_of(STEPS))
    for row in (0, -1):
        np.testing.assert_allclose(on_own_values(weights, row), [0.6, 0.3, 0, 0], atol=0.08)


def test_without_anything_to_learn_from_it_is_persistence():
    assert not fit(autoregressive([0.6, 0.3]), training=False, clock=clock_of(STEPS)).any()


def test_a_station_leans_on_the_neighbour_that_leads_it():
    leader = autoregressive([0.9], stations=1)[0]
    values = np.stack([leader, np.roll(leader, 2)])  # the follower shows what the leader was two steps ago
    weights = fit(values, neighbours=np.array([[1], [0]]))
    its_lags = 1 + len(LAGS.own)
    assert weights[1, its_lags + 1, 0] > 0.5  # the leader's value a step ago is the follower's next one


def test_all_stations_lean_on_a_covariate_that_leads_them_and_so_does_an_unknown_one():
    values = autoregressive([0.9])
    covariate = np.roll(values, -1, axis=1) - np.float32(0.9) * values  # the next step's news
    weights = fit(values, covariate=covariate)
    np.testing.assert_allclose(weights[:, 1 + len(LAGS.own), 0], 1, atol=0.15)


def test_the_answer_for_unknown_stations_asks_no_neighbours():
    values, looked_at = autoregressive([0.9]), {"neighbours": np.array([[1], [0]]), "clock": clock_of(STEPS)}
    weights = fit(values, **looked_at)
    others = values[::-1].copy()
    others[0] = values[0]  # the same station beside another neighbour
    before, now = (features_of(some, **looked_at)(0) for some in (values, others))
    assert weights.shape == (3, before.shape[1], HORIZON)
    assert not np.array_equal(before, now)
    np.testing.assert_array_equal(points(weights, -1, before, values[0]), points(weights, -1, now, values[0]))
    assert np.abs(points(weights, 0, before, values[0]) - points(weights, 0, now, values[0])).max() > 1e-3


def test_missing_truth_is_left_out():
    values = autoregressive([0.6, 0.3])
    truth = values.copy()
    truth[:, ::7] = np.nan
    weights = fit(values, truth=truth)
    assert np.isfinite(weights).all()
    np.testing.assert_allclose(on_own_values(weights, 0), [0.6, 0.3, 0, 0], atol=0.08)


def test_an_origin_without_weight_teaches_nothing():
    values, late = autoregressive([0.6, 0.3]), np.arange(STEPS) >= 1000
    nothing = np.zeros(STEPS, bool)
    without = fit(values, held_out=HeldOut(late, nothing, nothing, late))
    np.testing.assert_allclose(fit(values, weight=late.astype(np.float32)), without, atol=1e-5)
    assert np.abs(fit(values) - without).max() > 1e-3


def test_origins_taken_a_few_at_a_time_teach_the_same(monkeypatch):
    values = autoregressive([0.6, 0.3])
    truth = values.copy()
    truth[:, ::7] = np.nan
    together = fit(values, truth=truth, clock=clock_of(STEPS))
    monkeypatch.setattr(anchor, "_AT_ONCE", 100)
    np.testing.assert_allclose(fit(values, truth=truth, clock=clock_of(STEPS)), together, atol=1e-5)


def test_of_a_large_fleet_some_stations_spread_over_it_tell_what_all_have_in_common(monkeypatch):
    values = np.concatenate([autoregressive([0.9], stations=1), autoregressive([0.2], stations=1)])
    of_both = on_own_values(fit(values), -1)[0]
    monkeypatch.setattr(anchor, "_MOST_TEACHERS", 1)
    weights = fit(values)
    assert on_own_values(weights, -1)[0] == pytest.approx(0.9, abs=0.05)
    assert 0.3 < of_both < 0.8
    assert on_own_values(weights, 1)[0] == pytest.approx(0.2, abs=0.1)  # and each still has its own departure


@pytest.mark.parametrize("steps", [1, 2, CONTEXT])
def test_a_history_shorter_than_the_context_is_no_error(steps):
    ones = np.ones((1, steps), np.float32)
    assert np.isfinite(fit(ones, covariate=ones, clock=clock_of(steps))).all()


@pytest.mark.parametrize("context", [1, 2, 48, 1000])
def test_nobody_is_looked_at_beyond_the_context(context):
    lags = Lags.within(context)
    assert lags.reach < context
    assert 0 in lags.own
    assert set(lags.own_coarse) <= set(lags.own)


@pytest.mark.parametrize(("context", "own_steps", "reach"), [(168, 336, 167), (500, 336, 335), (168, 40, 39)])
def test_the_own_past_is_looked_at_so_far_and_no_further_than_the_context(context, own_steps, reach):
    lags = Lags.within(context, own_steps)
    assert lags.own == tuple(range(reach + 1))
    assert set(lags.own_coarse) <= set(lags.own)
    assert lags.reach == reach


# ── the clock ──────────────────────────────────────────────────────────────────────────────────────────────


def lasting_by_day():
    """What was lasts through the day and is soon forgotten at night."""
    chance = np.random.default_rng(0)
    values = np.zeros((2, STEPS))
    for step in range(1, STEPS):
        lasts = 0.5 + 0.45 * np.sin(2 * np.pi * (step % 24) / 24)
        values[:, step] = lasts * values[:, step - 1] + chance.normal(size=2)
    return values.astype(np.float32)


def test_it_knows_that_the_past_bears_on_the_future_by_the_hour():
    """A step ahead, perfect knowledge leaves errors of spread 1; a plain regression, on what is held back, more."""
    values, steps, kept_back = lasting_by_day(), np.arange(STEPS), 2000
    training, validation = steps < 1500, (steps >= 1600) & (steps < kept_back - HORIZON)
    held_out = HeldOut(training, validation, np.zeros(STEPS, bool), training)
    weights = fit(values, held_out=held_out, clock=clock_of(STEPS))
    features = features_of(values, clock=clock_of(STEPS))

    lagged = [values[:, LAGS.reach - lag : STEPS - 1 - lag] for lag in LAGS.own]
    past = np.stack([*lagged, np.ones_like(lagged[0])])
    following, origins = values[:, LAGS.reach + 1 :], steps[LAGS.reach : -1]
    design = past[:, :, origins < kept_back].reshape(len(past), -1).T
    plain, *_ = np.linalg.lstsq(design, following[:, origins < kept_back].ravel(), rcond=None)

    judged = origins >= kept_back
    mine = np.stack([points(weights, row, features(row), values[row])[:-1, 0] for row in range(2)])
    errors = [(following - answer)[:, judged].std() for answer in (mine, np.tensordot(plain, past, 1))]
    assert errors[0] < 1.03
    assert errors[0] < 0.95 * errors[1]


@pytest.mark.parametrize("knows_seasons", [False, True])
def test_seasons_have_no_weight_until_they_are_known(knows_seasons):
    weights = fit(lasting_by_day(), clock=clock_of(STEPS, knows_seasons))
    of_wave = np.split(weights[:, 1 + len(LAGS.own) :], WAVES, axis=1)
    assert [bool(part.any()) for part in of_wave] == [True] * DAY_WAVES + [knows_seasons] * (WAVES - DAY_WAVES)


# ── the spread of its errors ───────────────────────────────────────────────────────────────────────────────


def test_every_station_and_lead_has_the_spread_of_its_own_errors():
    chance = np.random.default_rng(0)
    scale = np.array([[0.5, 1.0], [2.0, 4.0]])
    gaps = error_gaps((scale[:, None] * chance.normal(size=(2, 4000, 2))).astype(np.float32))
    normal = np.diff([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645])
    np.testing.assert_allclose(np.delete(gaps[:2], MEDIAN, axis=2), scale[:, :, None] * normal, rtol=0.15)
    inner = [MEDIAN - 1, MEDIAN + 1]  # the fleet's errors are a mixture, broad outside
    assert (gaps[0][:, inner] < gaps[-1][:, inner]).all()
    assert (gaps[-1][:, inner] < gaps[1][:, inner]).all()


def test_a_station_with_too_few_errors_has_the_spread_of_the_fleet():
    errors = np.random.default_rng(0).normal(size=(3, 1000, 2)).astype(np.float32)
    errors[0] *= 5
    errors[2, 100:] = np.nan
    gaps = error_gaps(errors)
    np.testing.assert_array_equal(gaps[2], gaps[-1])
    assert (np.delete(gaps[0] - gaps[1], MEDIAN, axis=1) > 0).all()


def test_without_any_errors_the_spread_is_small_but_there():
    assert (error_gaps(np.full((2, 0, 3), np.nan, np.float32)) > 0).all()
    assert (error_gaps(np.full((2, 5, 3), np.nan, np.float32)) > 0).all()


def test_a_station_nobody_can_foresee_gets_wider_intervals_than_a_calm_one(fleet, tiny):
    """In units of each one's spread."""
    values = fleet.temperature_c.copy()
    values[2] = np.random.default_rng(0).normal(scale=5, size=values.shape[1])  # tomorrow owes nothing to today
    panel = Panel(fleet.stations, fleet.times, values)
    forecaster = Forecaster(tiny.model_copy(update={"max_epochs": 0})).fit_panel(panel)
    quantiles = forecaster.forecast(panel, np.arange(200, 2000, 97))
    spread = forecaster.fitted.scaling.temperature.scale[:3, None]
    widths = (quantiles[..., -1] - quantiles[..., 0]).mean(axis=1) / spread
    assert (widths[2, 0] > 2 * widths[:2, 0]).all()


# ── the level ──────────────────────────────────────────────────────────────────────────────────────────────


def response_to_another_level(weights, values, looked_at):
    """How much of a shift of the whole past the answer, HORIZON steps ahead, goes along with: at every origin."""
    answers = [points(weights, 0, features_of(some, **looked_at)(0), some[0])[..., -1] for some in (values, values + 5)]
    return (answers[1] - answers[0]) / 5


@pytest.mark.parametrize(
    "others", [{}, {"clock": clock_of(STEPS)}, {"covariate": autoregressive([0.5])[:, ::-1].copy()}]
)
def test_a_level_that_moves_for_good_is_expected_back_at_no_hour(others):
    values = lasting_by_day()
    returning = response_to_another_level(fit(values, **others), values, others)
    moving = response_to_another_level(fit(values, level_penalty=1e8, **others), values, others)
    assert returning.mean() < 0.5
    np.testing.assert_allclose(moving, 1, atol=0.01)
