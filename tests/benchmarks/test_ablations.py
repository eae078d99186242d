"""Several seeds side by side, and what each cell makes of a rising sequence."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.ablations import beside_ours, standard_error
from benchmarks.cells import CELLS, answer_of_ours, rising, teach


def test_a_difference_is_taken_seed_by_seed() -> None:
    found = pd.DataFrame(
        {
            "row": ["ours", "ours", "ours_rnn", "ours_rnn", "ours_no_lstm"],
            "seed": [0, 1, 0, 1, 0],
            "crps": [1.0, 2.0, 1.1, 2.6, 1.5],
            "mae": 1.0,
            "coverage_80": 0.8,
            "train_seconds": 1.0,
        }
    )
    ours, rnn, no_lstm = beside_ours(found)
    assert (ours["crps"], ours["crps_larger"], ours["crps_larger_error"]) == (1.5, 0.0, 0.0)
    assert rnn["crps_larger"] == pytest.approx((0.1 + 0.3) / 2)
    assert rnn["crps_larger_error"] == pytest.approx(0.1)
    assert no_lstm["seeds"] == 1
    assert no_lstm["crps_larger"] == pytest.approx((0.5 - 0.25) / 2)  # beside ours at every seed


def test_the_standard_error_of_one_value_is_not_known() -> None:
    assert math.isnan(standard_error(np.array([1.0])))
    assert standard_error(np.array([1.0, 3.0])) == pytest.approx(1.0)


def test_sequences_rise_and_the_truth_has_no_noise() -> None:
    noisy, truth = rising(500, 5, 2.0, np.random.default_rng(0))
    assert noisy.shape == (500, 6)
    clean, its_truth = rising(500, 5, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.diff(clean), 1.0)
    np.testing.assert_allclose(clean[:, -1], its_truth)
    np.testing.assert_allclose(truth, its_truth)
    assert (noisy[:, -1] - truth).std() == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("cell", list(CELLS))
def test_a_cell_learns_a_sequence_without_noise(cell: str) -> None:
    chance = np.random.default_rng(0)
    lesson, exam = (torch.from_numpy((rising(50, 5, 0.0, chance)[0] - 37) / 3).float() for _ in range(2))
    network = teach(CELLS[cell], lesson, exam, seed=0)
    assert type(network.cell) is CELLS[cell]
    with torch.no_grad():
        error = (network(exam[:, :-1]) - exam[:, -1]).abs().mean() * 3
    assert error < 0.25


def test_our_answer_to_the_article_is_41() -> None:
    assert answer_of_ours(0) == pytest.approx(41, abs=0.5)
