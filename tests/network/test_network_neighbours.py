"""Neighbours: those that together tell most about a station's coming change, the best first."""

import numpy as np
import pytest

from lstm_model.network import neighbours
from lstm_model.network.neighbours import choose_neighbours

STEPS, AHEAD = 2000, 6


@pytest.fixture(scope="module")
def airs():
    """Three independent weathers that last: (3, T)."""
    chance = np.random.default_rng(0)
    values = np.zeros((3, STEPS))
    for step in range(1, STEPS):
        values[:, step] = 0.95 * values[:, step - 1] + chance.normal(size=3)
    return values.astype(np.float32)


def later(values):
    """What the values were AHEAD steps ago."""
    return np.roll(values, AHEAD)


def test_the_leader_is_chosen_first(airs):
    strange, leader, other = airs
    assert choose_neighbours(np.stack([later(leader), strange, leader, other]), 2)[0, 0] == 2
    assert choose_neighbours(np.stack([strange, leader, other, later(leader)]), 2)[3, 0] == 1


def test_one_chosen_is_not_chosen_again_under_another_name(airs):
    """The second leader tells less than the first one's double does, but what it tells is news."""
    first, second, strange = airs
    own = later(first) + np.float32(0.5) * later(second)
    chosen = choose_neighbours(np.stack([own, first, first, second, strange]), 2)[0].tolist()
    assert chosen in ([1, 3], [2, 3])
    assert choose_neighbours(np.stack([own, first, first, second, strange]), 4)[0, 3] == 3 - chosen[0]


def test_the_station_itself_under_another_name_is_chosen_last(airs):
    leader, strange, _ = airs
    own = later(leader)
    assert choose_neighbours(np.stack([own, own, leader, strange]), 3)[0].tolist() == [2, 3, 1]


@pytest.mark.parametrize(("stations", "most", "chosen"), [(1, 3, 0), (3, 0, 0), (3, 1, 1), (3, 2, 2), (3, 9, 2)])
def test_everybody_gets_as_many_as_there_are(airs, stations, most, chosen):
    neighbours = choose_neighbours(airs[:stations], most)
    assert neighbours.shape == (stations, chosen)
    for row, others in enumerate(neighbours.tolist()):
        assert row not in others
        assert len(set(others)) == chosen
        assert set(others) <= set(range(stations))


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_short_history_is_no_error(airs, steps):
    assert sorted(choose_neighbours(airs[:, :steps], 2)[0].tolist()) == [1, 2]


def test_steps_taken_a_few_at_a_time_choose_the_same(airs, monkeypatch):
    first, second, strange = airs
    values = np.stack([later(first) + np.float32(0.5) * later(second), strange, second, first])
    together = choose_neighbours(values, 3)
    monkeypatch.setattr(neighbours, "_AT_ONCE", 100)
    np.testing.assert_array_equal(choose_neighbours(values, 3), together)


def test_gaps_do_not_hide_the_leader(airs):
    strange, leader, other = airs
    values = np.stack([later(leader), strange, leader, other])
    values[np.random.default_rng(1).random(values.shape) < 0.2] = np.nan
    assert choose_neighbours(values, 3)[0, 0] == 2


def test_a_station_never_observed_is_chosen_last_and_still_has_neighbours(airs):
    strange, leader, _ = airs
    silent = np.full(STEPS, np.nan, np.float32)
    neighbours = choose_neighbours(np.stack([later(leader), silent, leader, strange]), 3)
    assert neighbours[0].tolist() == [2, 3, 1]
    assert sorted(neighbours[1].tolist()) == [0, 2, 3]
