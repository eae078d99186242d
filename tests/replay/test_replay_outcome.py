"""What the policies were worth: sums of a night by hand, and of many nights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from past_nights import NIGHTS, Past
from support import NOW, store_of

from lstm_model.evaluation import BASELINES
from lstm_model.network import Forecaster
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.panel import Panel
from lstm_model.replay.night import ALWAYS, GATE, NEVER, POLICIES, Lived, Standing, key_of
from lstm_model.replay.outcome import BEST, score_night, weigh

HOUR, DAY = pd.Timedelta("1h"), pd.Timedelta("1D")
LONE = [baseline.name for baseline in BASELINES]
SUMS = ["n", "absolute", "square", "crps", "covered", "waiting"]


def forecast(policy: str, station: str, said: dict[int, float], spread: float = 0.0) -> pd.DataFrame:
    """What a policy says at NOW, by lead; 10 % and 90 % lie so far below and above."""
    median = np.array(list(said.values()), np.float32)
    off = dict.fromkeys(("q05", "q10"), -spread) | dict.fromkeys(("q90", "q95"), spread)
    quantiles = {name: median + np.float32(off.get(name, 0.0)) for name in QUANTILE_COLUMNS}
    times = [NOW + lead * HOUR for lead in said]
    rows = {"policy": policy, "station_id": station, "valid_at": times, "lead_hours": np.float32(list(said))}
    return pd.DataFrame(rows | {"temperature_c": median} | quantiles).astype({"valid_at": "datetime64[us, UTC]"})


def truth(**observed: list[float]) -> Panel:
    """From NOW on, hour by hour."""
    values = np.array(list(observed.values()), np.float32)
    return Panel(tuple(observed), pd.date_range(NOW, periods=values.shape[1], freq="1h"), values)


# ── one night ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_sums_of_a_night_by_hand() -> None:
    said = [forecast("gate", "attic", {1: 10, 2: 12}), forecast("never", "attic", {1: 11, 2: 13}, spread=2.5)]
    sums = score_night(pd.concat(said, ignore_index=True), truth(attic=[0, 11, 15]))
    assert list(sums.columns) == SUMS
    assert sums.loc["gate"].tolist() == [2, 1 + 3, 1 + 9, 1 + 3, 0, 0]  # where all quantiles agree, CRPS is the error
    # Pinball losses of q05 … q95, weighted with the share of levels that each stands for, twice.
    shares = np.diff([0, 0.075, 0.175, 0.375, 0.625, 0.825, 0.925, 1])
    below, above = np.array([0.05, 0.10]) * 2.5, np.array([0.10, 0.05]) * 2.5
    first = 2 * (shares[:2] @ below + shares[5:] @ above)
    levels, errors = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]), np.array([4.5, 4.5, 2, 2, 2, -0.5, -0.5])
    second = 2 * shares @ np.maximum(levels * errors, (levels - 1) * errors)
    assert sums.loc["never"].tolist() == pytest.approx([2, 0 + 2, 0 + 4, first + second, 2, 0])


def test_truth_that_is_missing_waits() -> None:
    said = forecast("gate", "attic", {1: 10, 2: 12, 3: 14, 9: 20, 10: 20})
    sums = score_night(said, truth(attic=[0, 11, np.nan, 15]))
    assert sums.loc["gate", ["n", "absolute", "waiting"]].tolist() == [2, 2, 3]


def test_stations_and_times_that_truth_does_not_know_wait() -> None:
    said = pd.concat([forecast("gate", "attic", {1: 10}), forecast("gate", "gone", {1: 9, 2: 9})], ignore_index=True)
    sums = score_night(said, truth(cellar=[3, 3, 3], attic=[0, 11, 11]))
    assert sums.loc["gate", ["n", "absolute", "waiting"]].tolist() == [1, 1, 2]


def test_what_one_policy_cannot_serve_is_judged_for_none() -> None:
    """The lone baseline has nothing for the cellar, and one number of the gate is none."""
    said = [forecast(policy, "attic", {1: 10, 2: 10}) for policy in ("gate", "never", "climatology")]
    said += [forecast(policy, "cellar", {1: 4, 2: 4}) for policy in ("gate", "never")]
    frame = pd.concat(said, ignore_index=True)
    frame.loc[1, "q05"] = np.nan
    sums = score_night(frame, truth(attic=[0, 11, 11], cellar=[0, 9, 9]))
    assert sums["n"].tolist() == [1, 1, 1]
    assert sums["absolute"].tolist() == [1, 1, 1]


def test_truth_on_the_edge_of_the_band_is_covered() -> None:
    said = forecast("gate", "attic", {1: 10, 2: 10, 3: 10}, spread=1.0)
    sums = score_night(said, truth(attic=[0, 9, 11, 11.01]))
    assert sums.loc["gate", "covered"] == 2


# ── many nights ────────────────────────────────────────────────────────────────────────────────────────────


def sums_of(crps: dict[str, float], n: float = 10, waiting: int = 0) -> pd.DataFrame:
    """Sums of a night in which every policy that is not named scores 1 °C a case."""
    rows = {}
    for policy in (*POLICIES, *LONE, "ridge"):
        each = crps.get(policy, 1.0)
        rows[policy] = [n, 2 * each * n, 4 * each**2 * n, each * n, 0.8 * n, waiting]
    return pd.DataFrame(rows, SUMS).T.rename_axis("policy")


def lived(*steps: tuple[bool, str | None]) -> list[Lived]:
    """Nights of (promoted, newest model afterwards)."""
    return [
        Lived(NOW + day * DAY, 1, promoted, "", "", Standing(newest=newest, first=newest and "a"))
        for day, (promoted, newest) in enumerate(steps)
    ]


def weighed(sums: list[pd.DataFrame], nights: list[Lived]) -> pd.DataFrame:
    by_night = {night.night: rows for night, rows in zip(nights, sums, strict=True)}
    return weigh(by_night, nights).policies.set_index("policy")


def test_scores_are_means_over_cases_not_over_nights() -> None:
    table = weighed([sums_of({GATE: 1.0}, n=30), sums_of({GATE: 3.0}, n=10)], lived((True, "a"), (False, "b")))
    assert table.loc[GATE, ["mae", "crps", "coverage_80"]].tolist() == pytest.approx([3.0, 1.5, 0.8])
    assert table.loc[GATE, "rmse"] == pytest.approx(np.sqrt((4 * 30 + 36 * 10) / 40))
    assert set(table["n"]) == {40}


def test_what_lies_beyond_the_gate_is_a_difference_in_crps() -> None:
    nights = [sums_of({GATE: 0.5, NEVER: 0.5 + day / 20}) for day in range(20)]
    table = weighed(nights, lived(*[(False, "a")] * 20))
    assert table.loc[NEVER, "crps_beyond_gate"] == pytest.approx(np.mean(np.arange(20) / 20))
    assert table.loc[NEVER, "crps_beyond_gate_low"] < table.loc[NEVER, "crps_beyond_gate"]
    assert table.loc[NEVER, "crps_beyond_gate_high"] > table.loc[NEVER, "crps_beyond_gate"]
    assert table.loc[ALWAYS, ["crps_beyond_gate_low", "crps_beyond_gate_high"]].tolist() == pytest.approx([0.5, 0.5])
    assert table.loc[GATE, ["crps_beyond_gate", "crps_beyond_gate_low"]].tolist() == [0, 0]


def test_the_best_baseline_has_the_least_crps_over_all_nights() -> None:
    nights = [sums_of({"climatology": 0.1, "persistence": 0.6}), sums_of({"climatology": 1.5, "persistence": 0.6})]
    table = weighed(nights, lived((True, "a"), (False, "b")))
    assert table.loc[BEST, "method"] == "persistence"
    scores = ["mae", "rmse", "crps", "coverage_80", "n", "crps_beyond_gate"]
    assert table.loc[BEST, scores].equals(table.loc["persistence", scores])
    ridge = weighed([sums_of({"ridge": 0.01, "damped_anomaly": 0.9})], lived((True, "a")))
    assert ridge.loc[BEST, "method"] == "damped_anomaly"  # the ridge alone is no baseline of this contest


def test_promotions_are_counted_for_each_policy() -> None:
    nights = lived((False, None), (True, "a"), (False, "b"), (True, "c"), (False, "c"), (False, "d"), (False, "d"))
    table = weighed([sums_of({}) for _ in nights], nights)
    assert table.loc[[GATE, ALWAYS, NEVER], "promotions"].tolist() == [2, 4, 1]
    assert table.loc[[GATE, ALWAYS, NEVER], "days_since_promotion"].tolist() == [3, 1, 5]
    assert table.loc[[BEST, *LONE], "promotions"].isna().all()


def test_nights_without_any_promotion_have_no_last_one() -> None:
    table = weighed([sums_of({})], lived((False, None)))
    assert table.loc[[GATE, ALWAYS, NEVER], "promotions"].tolist() == [0, 0, 0]
    assert table.loc[[GATE, ALWAYS, NEVER], "days_since_promotion"].isna().all()


def test_forecasts_of_the_gate_without_truth_are_counted() -> None:
    nights = lived((True, "a"), (False, "b"))
    sums = {night.night: sums_of({}, waiting=3) for night in nights}
    assert weigh(sums, nights).waiting == 6


def weighed_without(gone: str, nights: int) -> pd.DataFrame:
    """Two nights of two cases each, in the first so many of which a policy said nothing at all."""
    sums = []
    for night in range(2):
        speaking = [name for name in (*POLICIES, *LONE, "ridge") if name != gone or night >= nights]
        said = pd.concat([forecast(name, "attic", {1: 10, 2: 10}) for name in speaking], ignore_index=True)
        sums.append(score_night(said, truth(attic=[0, 11 + night, 11 + night])))
    return weighed(sums, lived((True, "a"), (False, "b")))


def test_a_baseline_that_served_nobody_in_a_night_leaves_that_night_out_for_all() -> None:
    """No station sent anything for a day: the damped anomaly has nothing to damp."""
    table = weighed_without("damped_anomaly", 1)
    assert set(table["n"]) == {2}
    assert table.loc[[*POLICIES, BEST], "crps"].tolist() == pytest.approx([2.0] * 4)


def test_nights_without_a_model_have_no_ridge_and_are_weighed_all_the_same() -> None:
    table = weighed_without("ridge", 1)
    assert table["n"].drop("ridge").nunique() == 1
    assert table.loc[["ridge", BEST], "crps_beyond_gate"].tolist() == pytest.approx([0.0, 0.0])


def test_a_baseline_that_never_served_is_not_the_best() -> None:
    assert weighed_without("persistence", 2).loc[BEST, "method"] != "persistence"


def test_without_any_truth_there_is_no_score() -> None:
    table = weighed([sums_of({}, n=0)], lived((True, "a")))
    assert set(table["n"]) == {0}
    assert table.loc[[*POLICIES, BEST], ["mae", "rmse", "crps", "coverage_80"]].isna().all(axis=None)


# ── a real replay ──────────────────────────────────────────────────────────────────────────────────────────


def test_every_policy_serves_its_model(past: Past) -> None:
    """The newest, the first, and the champion by the decisions that were made; read back and asked once more."""
    champion = None
    for night, told in zip(NIGHTS, past.outcome.nights, strict=True):
        champion = key_of(night) if told.promoted else champion
        serving = {GATE: champion, ALWAYS: key_of(night), NEVER: key_of(NIGHTS[0])}
        assert (told.standing.champion, told.standing.newest, told.standing.first) == tuple(serving.values())
        for policy, model in serving.items():
            forecaster = Forecaster.load(past.folder / "models" / str(model))
            said = forecaster.predict(night.floor("1h"), past.seen(night))
            kept = past.forecasts(night)
            kept = kept[kept["policy"] == policy]
            assert set(kept["method"]) == {"champion"}
            columns = ["station_id", "valid_at", "temperature_c", *QUANTILE_COLUMNS]
            pd.testing.assert_frame_equal(
                kept[columns].reset_index(drop=True), said[columns].reset_index(drop=True), check_exact=True
            )


def test_the_nights_of_the_fixture_tell_the_policies_apart(past: Past) -> None:
    promoted = [night.promoted for night in past.outcome.nights]
    assert promoted[0]
    assert 1 < sum(promoted) < len(promoted)
    table = past.outcome.policies.set_index("policy")
    assert table.loc[[GATE, ALWAYS, NEVER], "promotions"].tolist() == [sum(promoted), 5, 1]
    assert table.loc[[GATE, ALWAYS, NEVER], "crps"].nunique() == 3


def test_the_outcome_is_what_forecasts_and_truth_say(past: Past) -> None:
    """Every case of every night, joined by hand."""
    forecasts = pd.concat([past.forecasts(night) for night in NIGHTS])
    observed = store_of(past.workspace).read(NOW).rename(columns={"temperature_c": "observed_c"})
    cases = forecasts.merge(observed, left_on=["station_id", "valid_at"], right_on=["station_id", "observed_at"])
    error = (cases["temperature_c"].astype(float) - cases["observed_c"]).groupby(cases["policy"])
    covered = cases["observed_c"].between(cases["q10"], cases["q90"]).groupby(cases["policy"]).mean()
    table = past.outcome.policies.set_index("policy").drop(BEST)
    assert past.outcome.waiting == 0
    assert set(table["n"]) == {5 * 3 * 12}
    assert table.index.tolist()[:3] == [GATE, ALWAYS, NEVER]
    for policy, rows in error:
        assert table.loc[policy, "mae"] == pytest.approx(rows.apply(abs).mean())
        assert table.loc[policy, "rmse"] == pytest.approx(np.sqrt((rows.apply(float) ** 2).mean()))
        assert table.loc[policy, "coverage_80"] == pytest.approx(covered[policy])
