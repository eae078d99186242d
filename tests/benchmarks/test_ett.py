"""The ETT protocol on an invented transformer: which windows are judged, in what units, and that none sees ahead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer

from benchmarks.ett import (
    FIELD,
    HORIZONS,
    PUBLISHED,
    ROWS,
    TRAIN_END,
    Series,
    ahead,
    origins_of,
    read,
    score,
    verdicts,
)

ROWS_OF_THE_FILE = 17_420


def invented() -> Series:
    times = pd.date_range("2016-07-01", periods=14_400, freq="1h", tz="UTC")
    chance = np.random.default_rng(0)
    walk = 20 + np.cumsum(chance.normal(scale=0.2, size=len(times))) % 15
    return Series("ETTh1", times, walk + 3 * np.sin(2 * np.pi * times.hour.to_numpy() / 24))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    times = pd.date_range("2016-07-01", periods=ROWS_OF_THE_FILE, freq="1h")
    table = pd.DataFrame({"date": times, "HUFL": 0.0, "OT": np.arange(ROWS_OF_THE_FILE, dtype=float)})
    path = tmp_path / "ETT-small" / "ETTh1.csv"
    path.parent.mkdir()
    table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize(("validation", "first", "stop"), [(True, 8640, 11520), (False, 11520, 14400)])
def test_every_window_counts_and_none_crosses_a_border(horizon: int, validation: bool, first: int, stop: int) -> None:
    origins, end = origins_of(horizon, validation)
    judged = ahead(np.arange(14_400.0), origins, horizon)
    assert len(origins) == 2880 - horizon + 1
    assert (judged[0, 0], judged[-1, -1]) == (first, stop - 1)
    assert end == stop
    assert set(np.diff(origins)) == {1}


@pytest.mark.parametrize("in_a_folder", [True, False])
def test_the_scale_is_of_the_training_rows_and_rows_after_the_test_are_left_out(file: Path, in_a_folder: bool) -> None:
    series = read("ETTh1", file.parents[1] if in_a_folder else file.parent)
    assert len(series.celsius) == len(series.times) == 14_400
    assert series.scaled[:TRAIN_END].mean() == pytest.approx(0, abs=1e-9)
    assert series.scaled[:TRAIN_END].std() == pytest.approx(1)
    assert series.mean == (TRAIN_END - 1) / 2
    assert series.panel(TRAIN_END).temperature_c.shape == (1, TRAIN_END)


def test_a_missing_file_says_where_a_stranger_gets_it(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match=r"no ETTh2\.csv in .*github\.com/zhouhaoyi/ETDataset"):
        read("ETTh2", tmp_path)


def test_naive_rows_repeat_what_was_last() -> None:
    series, origins = invented(), np.array([11_519, 12_000])
    last, day = (ROWS[name](series, 96, origins, 14_400) for name in ("repeat_last", "seasonal_naive_24"))
    np.testing.assert_array_equal(last, np.repeat(series.scaled[origins, None], 96, axis=1))
    np.testing.assert_array_equal(day[:, 24:], day[:, :-24])
    np.testing.assert_array_equal(day[1, :24], series.scaled[11_977:12_001])
    mse, mae = score(np.array([[1.0, 3.0]]), np.array([[0.0, 0.0]]))
    assert (mse, mae) == (5.0, 2.0)


@pytest.mark.parametrize("row", ["nlinear_ridge", "ours_as_for_weather", "ours"])
def test_no_row_sees_ahead_of_its_origin_or_learns_after_the_training_rows(row: str) -> None:
    """192 leads: the anchor alone, so that the test is fast."""
    series, origins = invented(), np.array([9_000])
    changed = series.celsius.copy()
    changed[9_001:] += 50
    changed[TRAIN_END:8_650] -= 50  # beyond every context, and after training
    before = ROWS[row](series, 192, origins, 11_520)
    after = ROWS[row](Series(series.name, series.times, changed), 192, origins, 11_520)
    np.testing.assert_array_equal(before, after)
    truth = ahead(series.scaled, origins, 192)
    assert score(before, truth)[0] < score(np.zeros_like(truth) + 5, truth)[0]


def test_cells_are_compared_at_the_digits_that_were_published() -> None:
    place, best = HORIZONS.index(336), min(PUBLISHED[name][1]["ETTh1"][2][0] for name in FIELD)
    assert (best, place) == (0.076, 2)
    result = {"dataset": "ETTh1", "horizon": 336, "row": "ours", "mse": 0.07649, "mae": 0.2206}
    mse, mae, summary = verdicts([result])
    assert "MSE 0.076: at or below" in mse
    assert "PatchTST/64 0.076" in mse
    assert "MAE 0.221: ABOVE" in mae
    assert summary == "at or below the whole field in 1 of 2 cells, below MSDCN in 2"
