"""The band around a ratio of sums: it holds the truth about as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_model.evaluation.bands import BAND, ratio_band

RATIO = 0.3


def series(chance: np.random.Generator, days: int, memory: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Daily sums whose true ratio is 0.3; neighbouring days go together as `memory` says."""
    noise = chance.normal(0, 1, days)
    for day in range(1, days):
        noise[day] = memory * noise[day - 1] + np.sqrt(1 - memory**2) * noise[day]
    cases = chance.integers(80, 120, days).astype(float)
    return cases * (RATIO + noise), cases


def held(days: int, memory: float, runs: int = 200) -> float:
    """How often the band holds the true ratio."""
    chance = np.random.default_rng(1)
    bands = [ratio_band(*series(chance, days, memory)) for _ in range(runs)]
    return float(np.mean([low <= RATIO <= high for low, high in bands]))


@pytest.mark.parametrize("days", [15, 30, 90])
def test_the_band_holds_the_truth_about_as_often_as_it_says(days: int) -> None:
    assert BAND == 0.90
    assert 0.83 <= held(days, 0.0) <= 0.97


def test_the_band_holds_the_truth_of_days_that_go_together() -> None:
    assert 0.78 <= held(90, 0.5) <= 0.97


def naive_width(above: np.ndarray, below: np.ndarray) -> float:
    """The width of the band that takes every day for a fresh one."""
    rest = above - below * above.sum() / below.sum()
    return float(2 * 1.645 * rest.std() * np.sqrt(len(rest)) / below.sum())


def test_the_band_is_wider_than_a_naive_one_where_days_go_together() -> None:
    chance, wider = np.random.default_rng(2), {}
    for memory in (0.0, 0.7):
        widths = []
        for _ in range(50):
            above, below = series(chance, 90, memory)
            low, high = ratio_band(above, below)
            widths.append((high - low) / naive_width(above, below))
        wider[memory] = float(np.mean(widths))
    assert 0.9 < wider[0.0] < 1.25
    assert wider[0.7] > 1.5


def test_the_band_lies_around_the_ratio_and_narrows_with_the_days() -> None:
    above, below = series(np.random.default_rng(3), 200, 0.3)
    low, high = ratio_band(above, below)
    assert low < above.sum() / below.sum() < high
    short = ratio_band(above[:20], below[:20])
    assert short[1] - short[0] > high - low


def test_days_count_by_their_cases() -> None:
    """Days without any case change nothing but how many days there are."""
    above, below = np.full(40, 2.0), np.full(40, 4.0)
    above[::4] = below[::4] = 0.0
    assert ratio_band(above, below) == pytest.approx((0.5, 0.5))


def test_the_same_days_have_the_same_band_and_other_draws_another() -> None:
    above, below = series(np.random.default_rng(4), 30)
    assert ratio_band(above, below) == ratio_band(above.copy(), below.copy())
    assert ratio_band(above, below) != ratio_band(above, below, seed=1)


def test_numpys_own_chance_goes_on_as_if_no_band_had_been_drawn() -> None:
    above, below = series(np.random.default_rng(5), 33)  # a length that no other test has drawn
    np.random.seed(6)
    expected = np.random.normal(size=3).tolist()
    np.random.seed(6)
    ratio_band(above, below)
    assert np.random.normal(size=3).tolist() == expected
    np.random.seed(7)
    band = ratio_band(above, below, seed=9)
    np.random.seed(8)
    assert ratio_band(above, below, seed=9) == band


@pytest.mark.parametrize("days", [0, 1, 11])
def test_under_twelve_days_there_is_no_band(days: int) -> None:
    above, below = series(np.random.default_rng(10), days)
    assert np.isnan(ratio_band(above, below)).all()


def test_twelve_days_have_a_band() -> None:
    assert np.isfinite(ratio_band(*series(np.random.default_rng(11), 12))).all()
