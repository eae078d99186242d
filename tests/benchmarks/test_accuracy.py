"""The sample's test split, in the protocol of benchmarks/accuracy.py; the table is printed at the end of the run."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.accuracy import compare, load, rows_of
from lstm_model.settings import ModelSettings


def test_ours_beats_the_baselines_on_the_sample(record_property: Callable[[str, str], None]) -> None:
    backtest, timing = compare(load("sample", None), ModelSettings())
    day = backtest.summary(1, 24)
    record_property("the sample's last 20 % of days, daily 00Z origins, leads 1-24", day.round(3).to_string())
    for baseline in ("persistence", "seasonal_naive", "climatology"):
        assert day["mae"]["ours"] < day["mae"][baseline]
        assert day["crps"]["ours"] < day["crps"][baseline]
    assert day["crps"]["ours"] < day["crps"]["damped_anomaly"]
    assert day["crps"]["ours"] <= day["crps"]["ridge_fleet"]  # it starts there, and may only leave for the better
    assert len(backtest.origins) == 70
    assert {row["leads"] for row in rows_of("sample", backtest, timing)} == {"1-24", "1-48", "25-48"}
