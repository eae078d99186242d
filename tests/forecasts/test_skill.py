"""What verified scores say: numbers checked by hand, bands checked on made-up worlds whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from lstm_model.errors import SettingsError
from lstm_model.evaluation import pit_from_quantiles
from lstm_model.forecasts import rank_histogram, revisions, verified_skill, without_truth
from lstm_model.forecasts.skill import GROUPS, skill_by_day
from lstm_model.settings import QUANTILES

START = pd.Timestamp("2024-01-01T00:00Z")
NAN = float("nan")


def made_scores(errors: list[float], **columns: object) -> pd.DataFrame:
    """One score an issue day, two hours ahead; persistence errs by 2 °C, unless columns say otherwise."""
    issued_at = START + pd.to_timedelta(np.arange(len(errors)), unit="D")
    return pd.DataFrame(
        {
            "issue_date": issued_at.strftime("%Y-%m-%d"),
            "station_id": "roof 0",
            "issued_at": issued_at,
            "valid_at": issued_at + pd.Timedelta("2h"),
            "lead_hours": np.float32(2),
            "method": "champion",
            "model_version": "1",
            "observed_c": np.float32(10),
            "error_c": np.float32(errors),
            "crps": np.abs(np.float32(errors)) / 2,
            "pit": np.float32(0.5),
            "covered_80": np.abs(errors) < 1.5,
            "width_80_c": np.float32(3),
            "persistence_error_c": np.float32(2),
            "climatology_error_c": np.float32(-4),
            "damped_anomaly_error_c": np.float32(1),
        }
        | columns
    )


def autocorrelated(chance: np.random.Generator, days: int, memory: float) -> np.ndarray:
    """Values of mean 0 and spread 1, of which each day keeps a share of the day before."""
    values = chance.normal(size=days)
    for day in range(1, days):
        values[day] = memory * values[day - 1] + np.sqrt(1 - memory**2) * values[day]
    return values


def test_a_small_table_by_hand() -> None:
    (row,) = verified_skill(made_scores([1.0, -1.0, 3.0, 1.0])).to_dict(orient="records")
    told = {name: row[name] for name in ("group", "n", "issues", "bias", "mae", "crps", "coverage_80", "width_80")}
    assert told == {
        "group": "all", "n": 4, "issues": 4, "bias": 1.0, "mae": 1.5, "crps": 0.75, "coverage_80": 0.75, "width_80": 3,
    }  # fmt: skip
    assert row["rmse"] == pytest.approx(np.sqrt(12 / 4))
    assert row["skill_persistence"] == pytest.approx(1 - 1.5 / 2)
    assert row["skill_climatology"] == pytest.approx(1 - 1.5 / 4)
    assert row["skill_damped_anomaly"] == pytest.approx(1 - 1.5 / 1)


def test_skill_is_told_on_the_cases_where_the_baseline_is_known() -> None:
    scores = made_scores([1.0, 1.0, 8.0], persistence_error_c=np.float32([2, 4, NAN]), climatology_error_c=NAN)
    (row,) = verified_skill(scores).to_dict(orient="records")
    assert row["skill_persistence"] == pytest.approx(1 - 2 / 6)  # the 8 °C met no baseline
    assert np.isnan(row["skill_climatology"])
    assert row["mae"] == pytest.approx(10 / 3)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        (None, ["all"]),
        ("method", ["champion", "damped_anomaly"]),
        ("version", ["2", "10", "damped_anomaly"]),
        ("station", ["cellar", "roof"]),
        ("lead", [2.0, 24.0]),
        ("season", ["DJF", "MAM", "JJA", "SON"]),
        ("hour", [0, 2]),
    ],
)
def test_groups_are_named_and_ordered(by: str | None, groups: list[object]) -> None:
    starts = pd.to_datetime(["2024-12-31", "2024-02-29", "2024-03-01", "2024-08-31", "2024-11-30"], utc=True)
    lead = np.float32([2, 24, 24, 2, 24])  # valid on 31 December, and on the first of March, August's last, December
    scores = made_scores(
        [1.0] * 5,
        issued_at=starts,
        valid_at=starts + pd.to_timedelta(lead, unit="h"),
        lead_hours=lead,
        method=["champion", "champion", "damped_anomaly", "champion", "champion"],
        model_version=["10", "2", "", "2", "2"],
        station_id=["roof", "cellar", "roof", "roof", "roof"],
    )
    scores.loc[4, "valid_at"] = pd.Timestamp("2024-11-30T00:00Z")
    assert verified_skill(scores, by)["group"].tolist() == groups
    assert verified_skill(scores, by)["n"].sum() == 5


def test_an_unknown_group_is_answered_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=f"grouped by 'weekday'; known: {', '.join(GROUPS)}"):
        verified_skill(made_scores([1.0]), "weekday")


def test_a_day_with_many_cases_weighs_as_many() -> None:
    scores = made_scores([1.0] * 30)
    crowd = pd.concat([made_scores([1.0] * 29 + [4.0]).tail(1)] * 10)
    (row,) = verified_skill(pd.concat([scores.head(29), crowd])).to_dict(orient="records")
    assert row["mae"] == pytest.approx((29 + 40) / 39)
    assert row["mae_low"] < row["mae"] < row["mae_high"]


def test_too_few_days_have_no_band_and_their_number_is_per_statistic() -> None:
    few = verified_skill(made_scores([1.0, 2.0] * 5 + [1.0])).iloc[0]
    assert few[["mae_low", "mae_high", "crps_low", "coverage_80_high", "skill_persistence_low"]].isna().all()
    known_late = np.where(np.arange(20) < 11, np.float32(2), np.float32(NAN))
    enough = verified_skill(made_scores([1.0, 2.0] * 10, persistence_error_c=known_late)).iloc[0]
    assert enough[["mae_low", "mae_high", "skill_climatology_low"]].notna().all()
    assert np.isnan(enough["skill_persistence_low"])


def test_bands_stay_within_what_is_possible() -> None:
    row = verified_skill(made_scores([0.0] * 15 + [9.0])).iloc[0]
    assert row["mae_low"] == 0
    assert row["coverage_80_high"] == 1


def test_the_same_seed_gives_the_same_band_and_leaves_chance_alone() -> None:
    scores = made_scores(list(np.random.default_rng(0).normal(size=40)))
    np.random.seed(5)
    untouched = np.random.random()
    np.random.seed(5)
    first = verified_skill(scores, seed=1)
    assert np.random.random() == untouched
    pd.testing.assert_frame_equal(verified_skill(scores, seed=1), first)
    assert verified_skill(scores, seed=2)["mae_low"].item() != first["mae_low"].item()


@pytest.mark.parametrize("days", [20, 60])
def test_a_90_percent_band_covers_the_truth_about_that_often(days: int) -> None:
    chance = np.random.default_rng(0)
    truth = np.sqrt(2 / np.pi)  # the mean of |z|
    covered = []
    for _ in range(150):
        row = verified_skill(made_scores(list(chance.normal(size=days)))).iloc[0]
        covered.append(row["mae_low"] <= truth <= row["mae_high"])
    assert 0.84 <= np.mean(covered) <= 0.97


def test_bands_are_wider_where_days_go_together() -> None:
    chance = np.random.default_rng(0)

    def width(memory: float) -> float:
        worlds = [3 + autocorrelated(chance, 60, memory) for _ in range(20)]
        rows = [verified_skill(made_scores(list(world))).iloc[0] for world in worlds]
        return float(np.mean([row["mae_high"] - row["mae_low"] for row in rows]))

    assert width(0.6) > 1.4 * width(0.0)


def test_missing_truth_is_counted_by_the_same_groups_and_never_hidden() -> None:
    forecasts = made_scores([1.0] * 6, station_id=["roof", "roof", "roof", "cellar", "cellar", "roof"])
    scores = forecasts[forecasts["station_id"] == "roof"].head(2)
    now = forecasts["valid_at"].iloc[4]  # the last one's time has not come
    missing = without_truth(forecasts, scores, now)
    assert missing.index.tolist() == [2, 3, 4]
    table = verified_skill(scores, "station", missing=missing).set_index("group")
    assert table["missing"].to_dict() == {"roof": 1, "cellar": 2}
    assert table["n"].to_dict() == {"roof": 2, "cellar": 0}  # a station without any truth has its row
    assert np.isnan(table.loc["cellar", "mae"])
    assert without_truth(forecasts, scores, START).empty


def test_nothing_verified_is_an_empty_table() -> None:
    nothing = made_scores([1.0]).iloc[:0]
    assert verified_skill(nothing).empty
    assert rank_histogram(nothing)["observed"].isna().all()


@pytest.fixture
def ranked() -> Callable[[list[float]], list[float]]:
    """Shares of the ranks when these truths meet the quantiles 1, 2, … 7."""

    def rank(truths: list[float], quantiles: tuple[float, ...] = (1, 2, 3, 4, 5, 6, 7)) -> list[float]:
        told = np.tile(np.float64(quantiles), (len(truths), 1))
        pit = pit_from_quantiles(told, np.array(truths)).astype(np.float32)
        return rank_histogram(made_scores([0.0] * len(truths), pit=pit))["observed"].tolist()

    return rank


def test_ranks_by_hand(ranked: Callable[..., list[float]]) -> None:
    assert ranked([0.9, 1.1, 1.9, 6.5]) == [0.25, 0.5, 0, 0, 0, 0, 0.25, 0]
    assert ranked([-50.0, 50.0, 4.5, 3.5]) == [0.25, 0, 0, 0.25, 0.25, 0, 0, 0.25]


def test_a_truth_on_a_quantile_counts_half_to_either_side(ranked: Callable[..., list[float]]) -> None:
    for place, quantile in enumerate(range(1, 8)):
        expected = [0.0] * 8
        expected[place] = expected[place + 1] = 0.5
        assert ranked([float(quantile)]) == expected
    assert ranked([3.0], (1, 2, 3, 3, 3, 6, 7)) == [0, 0, 0, 0.5, 0.5, 0, 0, 0]


def test_an_honest_forecast_has_the_nominal_ranks() -> None:
    levels = np.random.default_rng(0).random(20_000)
    told = np.tile(np.float64(QUANTILES), (len(levels), 1))
    ranks = rank_histogram(made_scores([0.0] * len(levels), pit=pit_from_quantiles(told, levels).astype(np.float32)))
    assert ranks["nominal"].tolist() == pytest.approx([0.05, 0.05, 0.15, 0.25, 0.25, 0.15, 0.05, 0.05])
    assert np.allclose(ranks["observed"], ranks["nominal"], atol=0.01)
    assert ranks["between"].iloc[[0, 1, -1]].tolist() == ["below q05", "q05 … q10", "above q95"]


def said(valid_at: str, *medians: float, station: str = "roof") -> pd.DataFrame:
    """Successive forecasts of one time."""
    issued_at = START + pd.to_timedelta(np.arange(len(medians)) * 6, unit="h")
    values = np.float32(medians)
    return pd.DataFrame(
        {"station_id": station, "valid_at": pd.Timestamp(valid_at), "issued_at": issued_at, "temperature_c": values}
    )


def test_revisions_by_hand() -> None:
    forecasts = pd.concat(
        [
            said("2024-01-03T00:00Z", 5.0, 2.0, 4.0, 8.0),  # changes 3, 2, 4; flip-flop (9 − 6) / 2
            said("2024-01-03T01:00Z", 1.0, 2.0, 3.0),  # one way: 0
            said("2024-01-03T01:00Z", 1.0, 3.0, 1.0, station="cellar"),  # (4 − 2) / 1
            said("2024-01-03T02:00Z", 7.0, 9.0),
            said("2024-01-03T03:00Z", 7.0),
        ]
    )
    change = revisions(forecasts.sample(frac=1, random_state=0))
    assert change.changes == 3 + 2 + 2 + 1
    assert change.mean_change_c == pytest.approx((9 + 2 + 4 + 2) / 8)
    assert change.times == 3
    assert change.flip_flop_c == pytest.approx((1.5 + 0 + 2) / 3)


def test_without_a_second_or_third_issue_revisions_are_unknown() -> None:
    once, twice = revisions(said("2024-01-03T00:00Z", 5.0)), revisions(said("2024-01-03T00:00Z", 5.0, 6.0))
    assert np.isnan(once.mean_change_c)
    assert (twice.mean_change_c, twice.times) == (1.0, 0)
    assert np.isnan(twice.flip_flop_c)


def test_skill_by_day_adds_up_to_the_whole() -> None:
    scores = made_scores([1.0, -1.0, 3.0, 1.0])
    days = skill_by_day(scores, START - pd.Timedelta("1D"))  # valid 26, 50, 74 and 98 hours later
    assert days.index.tolist() == [2, 3, 4, 5]
    assert days["n"].tolist() == [1, 2, 3, 4]
    assert days["mae"].tolist() == pytest.approx([1, 1, 5 / 3, 1.5])
    whole = verified_skill(scores).iloc[0]
    for name in ("mae", "rmse", "bias", "crps", "coverage_80"):
        assert days[name].iloc[-1] == pytest.approx(whole[name])
    assert days["skill"].iloc[-1] == pytest.approx(whole["skill_persistence"])
