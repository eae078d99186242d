"""Whether limits were passed as often as forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_model.errors import SettingsError
from lstm_model.forecasts import limit_cases, limit_reliability, limit_skill
from lstm_model.forecasts.limits import LIMIT_COLUMNS

FIRST = pd.Timestamp("2024-01-01T00:00Z")


def scores_of(rows: list[tuple[str, float, float | None, float | None]]) -> pd.DataFrame:
    """Of (station, observed, P(above 8), P(below 2)), one a day."""
    table = pd.DataFrame(rows, columns=["station_id", "observed_c", "p_above", "p_below"])
    times = FIRST + pd.to_timedelta(np.arange(len(table)), "D")
    told = table[["p_above", "p_below"]].astype(np.float32)
    return table.assign(
        issue_date=times.strftime("%Y-%m-%d"), issued_at=times, valid_at=times + pd.Timedelta("1h"), lead_hours=1.0,
        method="champion", model_version="9", **told,
        limit_above_c=np.float32(8), limit_below_c=np.float32(2),
    )  # fmt: skip


def honest(days: int, stations: int = 2, seed: int = 0) -> pd.DataFrame:
    """Limits that are passed exactly as often as forecast, but for chance."""
    chance = np.random.default_rng(seed)
    parts = []
    for station in range(stations):
        p = chance.uniform(0, 1, days)
        warm = np.where(chance.uniform(0, 1, days) < p, 9.0, 7.0)
        parts.append(scores_of([(f"s{station}", t, told, None) for t, told in zip(warm, p, strict=True)]))
    return pd.concat(parts, ignore_index=True)


def test_a_case_for_every_limit_and_none_where_there_is_none() -> None:
    cases = limit_cases(scores_of([("a", 9.0, 0.7, 0.1), ("a", 1.0, 0.2, None), ("a", 8.0, None, None)]))
    assert cases[["side", "limit_c", "probability", "passed"]].round(4).to_numpy().tolist() == [
        ["above", 8.0, 0.7, 1.0], ["above", 8.0, 0.2, 0.0], ["below", 2.0, 0.1, 0.0],
    ]  # fmt: skip


def test_on_the_limit_is_not_beyond_it() -> None:
    assert limit_cases(scores_of([("a", 8.0, 0.5, 0.5), ("a", 2.0, 0.5, 0.5)]))["passed"].sum() == 0


def test_brier_and_skill_by_hand() -> None:
    row = limit_skill(scores_of([("a", 9, 0.8, None), ("a", 7, 0.4, None), ("a", 7, 0.0, None), ("a", 9, 0.6, None)]))
    told = row.iloc[0]
    assert (told["group"], told["side"], told["n"], told["passed"], told["base_rate"]) == ("all", "above", 4, 2, 0.5)
    brier = (0.2**2 + 0.4**2 + 0.0 + 0.4**2) / 4
    assert told["brier"] == pytest.approx(brier, rel=1e-6)
    assert told["skill_base_rate"] == pytest.approx(1 - brier / 0.25, rel=1e-6)
    assert np.isnan(told["brier_low"])  # too few days


def test_that_stations_differ_earns_no_skill() -> None:
    always, never = [("warm", 9, 1.0, None)] * 5, [("cold", 7, 0.0, None)] * 5
    (row,) = limit_skill(scores_of(always + never)).to_dict(orient="records")
    assert row["brier"] == pytest.approx(0, abs=1e-6) and np.isnan(row["skill_base_rate"])
    mixed = [("mixed", 9, 0.5, None), ("mixed", 7, 0.5, None)]
    (row,) = limit_skill(scores_of(always + never + mixed)).to_dict(orient="records")
    assert row["skill_base_rate"] == pytest.approx(0, abs=1e-6)


def test_groups_and_sides_have_rows_of_their_own_and_bands_hold_the_value() -> None:
    scores = honest(40)
    scores.loc[scores["station_id"] == "s1", "p_below"] = np.float32(0.01)
    table = limit_skill(scores, "station").set_index(["group", "side"])
    assert list(table.index) == [("s0", "above"), ("s1", "above"), ("s1", "below")]
    for name in ("brier", "skill_base_rate"):
        row = table.loc[("s0", "above")]
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
    with pytest.raises(SettingsError, match="weekday"):
        limit_skill(scores, "weekday")


def test_an_honest_forecaster_is_reliable_and_a_bragging_one_is_not() -> None:
    scores = honest(6000)
    table = limit_reliability(scores)
    assert len(table) == 12 and table["n"].sum() == len(scores)
    assert (table["low"] <= table["forecast"]).all() and (table["forecast"] < table["high"]).all()
    assert np.abs(table["forecast"] - table["observed"]).max() < 0.05
    certain = (scores["p_above"] > 0.5).astype(np.float32) * np.float32(0.98) + np.float32(0.01)
    table = limit_reliability(scores.assign(p_above=certain))
    assert table["n"].tolist() == [(certain < 0.5).sum(), (certain > 0.5).sum()]
    assert table["observed"].between(0.2, 0.8).all()


def test_without_a_limit_there_is_nothing_to_tell() -> None:
    none = scores_of([("a", 9.0, None, None)])
    for scores in (none, none.iloc[:0], none.drop(columns=[*LIMIT_COLUMNS, "observed_c"])):
        assert limit_skill(scores).empty and limit_reliability(scores).empty
        assert {"brier", "skill_base_rate_high"} <= set(limit_skill(scores).columns)
        assert list(limit_reliability(scores).columns) == ["low", "high", "forecast", "observed", "n", "days"]
