"""The paired test keeps its word: equal methods are seldom called different, and a real difference is seen."""

import math

import numpy as np
import pytest

from benchmarks.gate import OVERLAP, windows
from lstm_model.evaluation.paired import confidence_above_zero

SERIES = 3000


def called_worse(some):
    return np.mean([confidence_above_zero(one, OVERLAP) > 0.95 for one in some])


@pytest.mark.parametrize(("memory", "at_most"), [(0.0, 0.08), (0.5, 0.13)])
def test_equals_are_seldom_called_different(memory, at_most):
    assert 0.03 < called_worse(windows(memory, SERIES)) < at_most


def test_a_difference_of_three_standard_errors_is_mostly_seen():
    some = windows(0.3, SERIES)
    assert called_worse(some + 3 * some.mean(axis=1).std()) > 0.8


def test_longer_windows_are_believed_more():
    longer = windows(0.3, SERIES, origins=200)
    assert called_worse(longer) < 0.09
    assert called_worse(longer + 3 * longer.mean(axis=1).std()) > 0.85


def test_what_is_always_better_is_certain():
    assert confidence_above_zero(np.full(48, 0.3), 8) > 0.999
    assert confidence_above_zero(np.full(48, -0.3), 8) < 0.001


def test_nothing_is_said_where_all_overlap_or_nothing_differs():
    assert math.isnan(confidence_above_zero(np.ones(8), 8))
    assert confidence_above_zero(np.zeros(48), 8) == 0.5
