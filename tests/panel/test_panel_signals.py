"""Signals: gaps are filled from the past alone, and the calendar says only what it may."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_model.panel import calendar, carry_forward, steps_since_observed
from lstm_model.panel.signals import DAY_WAVES, FILL_DECAY_PER_HOUR, WAVES

HOUR = pd.Timedelta("1h")
NAN = float("nan")
series = st.lists(st.one_of(st.just(NAN), st.integers(-9, 9).map(float)), min_size=2, max_size=30)


def row(*values):
    return np.array([values], np.float32)


def filled(values, step=HOUR):
    return carry_forward(values, steps_since_observed(values), step)


def test_steps_since_observed_counts_from_the_last_value():
    assert steps_since_observed(row(NAN, 1, NAN, NAN, 2)).tolist() == [[5, 0, 1, 2, 0]]


def test_a_gap_fades_towards_the_climatology_by_the_hour():
    decay = FILL_DECAY_PER_HOUR
    np.testing.assert_allclose(filled(row(4, NAN, NAN)), row(4, 4 * decay, 4 * decay**2))
    np.testing.assert_allclose(filled(row(4, NAN), pd.Timedelta("30min")), row(4, 4 * decay**0.5))


def test_before_the_first_value_there_is_no_anomaly():
    assert filled(row(NAN, NAN, 3)).tolist() == [[0, 0, 3]]


@given(values=series, now=st.integers(0, 28))
def test_the_fill_does_not_see_the_future(values, now):
    past = row(*values)
    changed = past.copy()
    changed[:, now + 1 :] = 77
    np.testing.assert_array_equal(filled(past)[:, : now + 1], filled(changed)[:, : now + 1])


@given(values=series)
def test_observed_values_stay_and_none_is_missing(values):
    result = filled(row(*values))
    observed = ~np.isnan(values)
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(result[0, observed], np.float32(values)[observed])


@pytest.mark.parametrize(
    ("hour", "sine", "cosine"), [("00:00", 0, 1), ("06:00", 1, 0), ("12:00", 0, -1), ("18:00", -1, 0)]
)
def test_the_clock_is_a_circle(hour, sine, cosine):
    clock = calendar(pd.DatetimeIndex([f"2024-03-05T{hour}Z"]), knows_seasons=False)
    np.testing.assert_allclose(clock[:, :2], [[sine, cosine]], atol=1e-6)


@pytest.mark.parametrize(
    ("hour", "sine", "cosine"), [("00:00", 0, 1), ("03:00", 1, 0), ("06:00", 0, -1), ("12:00", 0, 1), ("21:00", -1, 0)]
)
def test_a_second_circle_goes_round_twice_a_day(hour, sine, cosine):
    clock = calendar(pd.DatetimeIndex([f"2024-03-05T{hour}Z"]), knows_seasons=True)
    assert clock.shape == (1, WAVES)
    np.testing.assert_allclose(clock[:, 2:DAY_WAVES], [[sine, cosine]], atol=1e-6)


def test_the_day_of_the_year_is_told_only_where_seasons_are_known():
    times = pd.date_range("2024-01-01", periods=366, freq="1D", tz="UTC")
    year = calendar(times, knows_seasons=True)[:, DAY_WAVES:]
    np.testing.assert_allclose((year**2).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(year[0], year[-1], atol=0.02)
    assert np.abs(year[183] - year[0]).max() > 1.5
    assert not calendar(times, knows_seasons=False)[:, DAY_WAVES:].any()
