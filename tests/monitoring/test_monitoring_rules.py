"""Every rule from tables made by hand: when it breaches, when it is raised, and when it is told."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_model.monitoring import Finding, Reign, doubt_of, why_no_trial
from lstm_model.monitoring.finding import stand
from lstm_model.monitoring.inputs import input_findings
from lstm_model.monitoring.verified import COMPARED, verified_findings
from lstm_model.readings.usual import Usual
from lstm_model.settings import MonitorSettings, Settings

NOW = pd.Timestamp("2024-03-20T02:00Z")
DAY, HOUR = pd.Timedelta("1D"), pd.Timedelta("1h")
RULES = MonitorSettings()
SKILL, DRIFT = RULES.skill, RULES.drift


# ── hysteresis ─────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(1, 5), st.integers(1, 5))
def test_raised_is_tonight_and_often_enough(breaches: list[bool], least: int, nights: int) -> None:
    stood = stand(breaches, breaches[1:], least, nights)
    assert stood.raised == (breaches[0] and sum(breaches[:nights]) >= least)
    assert stood.raised_before == stand(breaches[1:], [], least, nights).raised
    assert stood.breached <= nights


@given(st.lists(st.booleans(), min_size=5, max_size=30))
def test_night_after_night_it_is_told_as_often_as_it_changes(history: list[bool]) -> None:
    """Nobody remembers what was told; still, every spell is told once when it begins and once when it ends."""
    raised, told = False, []
    for night in range(1, len(history) + 1):
        seen = history[:night][::-1]
        stood = stand(seen, seen[1:], 3, 4)
        assert stood.raised_before == raised
        told += [stood.raised] if stood.raised != raised else []
        raised = stood.raised
    assert all(one != other for one, other in pairwise(told))


# ── skill ──────────────────────────────────────────────────────────────────────────────────────────────────────


def scores(errors: dict[int, float], version: str = "2", baseline: float = 2.0, covered: float = 0.8) -> pd.DataFrame:
    """A day of hourly scores for every day ago that is named, with the champion's absolute error then."""
    parts = []
    for days_ago, error in errors.items():
        valid = pd.date_range(end=NOW - days_ago * DAY, periods=24, freq="1h")
        parts.append(
            pd.DataFrame(
                {
                    "issued_at": valid[0].floor("1D"), "valid_at": valid, "model_version": version,
                    "error_c": error, "covered_80": np.arange(24) < 24 * covered,
                    **{f"{name}_error_c": -baseline for name in COMPARED},
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def one(found: list[Finding], rule: str) -> Finding:
    (finding,) = [each for each in found if each.rule == rule]
    return finding


def skill(table: pd.DataFrame, reign: Reign | None = None, last: Reign | None = None) -> Finding:
    reign = reign or Reign("2")
    return one(verified_findings(table, NOW, reign, last or reign, RULES), "skill")


def test_skill_is_the_share_of_the_baseline_s_error_that_is_saved() -> None:
    found = skill(scores(dict.fromkeys(range(14), 1.0)))
    assert found.value == pytest.approx(0.5)
    assert not found.raised and not found.newly_cleared
    assert "version 2, has a verified skill of +50%" in found.sentence


def test_the_best_baseline_is_the_one_to_beat() -> None:
    table = scores(dict.fromkeys(range(14), 1.0)).assign(climatology_error_c=0.5)
    found = skill(table)
    assert found.value == pytest.approx(-1.0)
    assert "climatology" in found.sentence


def test_a_champion_that_loses_is_raised_on_the_third_night_and_told_once() -> None:
    lost = {0: 3.0, 1: 3.0, 2: 3.0}
    other = scores(dict.fromkeys(range(3, 14), 1.0), version="1")
    nights = [pd.concat([other, scores({day: lost[day] for day in range(2 - night, 3)})]) for night in range(3)]
    found = [
        one(verified_findings(table, NOW - (2 - night) * DAY, Reign("2"), Reign("2"), RULES), "skill")
        for night, table in enumerate(nights)
    ]
    assert [each.breached for each in found] == [1, 2, 3]
    assert [each.raised for each in found] == [False, False, True]
    assert found[2].newly_raised and found[2].version == "2"
    assert not skill(pd.concat([other, scores({**lost, 3: 3.0})])).newly_raised


def test_one_bad_day_is_no_alarm() -> None:
    assert not skill(scores({**dict.fromkeys(range(1, 14), 1.0), 0: 6.0})).raised


def test_a_calm_spell_in_which_a_baseline_hardly_errs_counts_little() -> None:
    """Twice the error of almost nothing is almost nothing."""
    calm = scores(dict.fromkeys(range(7), 0.2)).assign(**{f"{name}_error_c": 0.1 for name in COMPARED})
    found = skill(pd.concat([calm, scores(dict.fromkeys(range(7, 14), 1.0))]))
    assert found.value == pytest.approx(-0.1 / 1.05, abs=0.01)
    assert not found.raised


def test_what_another_version_or_an_earlier_reign_issued_does_not_count() -> None:
    table = scores(dict.fromkeys(range(14), 5.0))
    assert math.isnan(skill(table, Reign("3")).value)
    back = Reign("2", since=NOW)  # put back by hand just now: it has a fresh start
    assert math.isnan(skill(table, back).value)
    assert skill(table, back, Reign("2")).newly_cleared
    assert skill(table, Reign(), Reign("2")).sentence == "there is no champion"


def test_without_champion_there_is_no_such_rule() -> None:
    found = verified_findings(scores({0: 1.0}), NOW, Reign(), Reign(), RULES)
    assert [each.rule for each in found] == ["calibration"]


# ── calibration ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("covered", "raised", "word"), [(0.8, False, "80"), (0.5, True, "too narrow"), (1.0, True, "too wide")]
)
def test_coverage_far_from_80_percent_is_raised(covered: float, raised: bool, word: str) -> None:
    found = one(
        verified_findings(scores(dict.fromkeys(range(19), 1.0), covered=covered), NOW, Reign(), Reign(), RULES),
        "calibration",
    )
    assert found.raised is raised
    assert not found.newly_raised  # it was so last night
    if raised:
        assert word in found.sentence


# ── what came in ───────────────────────────────────────────────────────────────────────────────────────────────


def readings(days: int = 35, until: pd.Timestamp = NOW, station: str = "roof", value: float = 10.0) -> pd.DataFrame:
    times = pd.date_range(end=until, periods=days * 24, freq="1h")
    return pd.DataFrame(
        {"station_id": station, "observed_at": times, "temperature_c": np.float32(value), "ingested_at": times}
    )


def usual(annual: int = 1) -> Usual:
    """Ten degrees, always, give or take two."""
    return Usual(0, annual, (10.0, *[0.0] * (2 * annual)), spread_c=2.0)


def found_in(table: pd.DataFrame, its: Usual | None = None) -> dict[tuple[str, str], Finding]:
    known = dict.fromkeys(table["station_id"].unique(), its or usual())
    return {(each.rule, each.subject): each for each in input_findings(table, NOW, known, HOUR, RULES)}


def test_a_fleet_fifteen_degrees_off_is_drift_and_says_by_how_much() -> None:
    late = pd.concat([readings(30, NOW - 5 * DAY), readings(5, value=25.0)])
    found = found_in(late)[("drift", "fleet")]
    assert found.value == pytest.approx(7.5)
    assert found.raised
    assert "+7.5 usual spreads" in found.sentence and "nightcast check" in found.sentence


def test_while_the_readings_drift_nobody_is_tried() -> None:
    loses = skill(scores(dict.fromkeys(range(14), 5.0)))
    drifts = found_in(pd.concat([readings(30, NOW - 5 * DAY), readings(5, value=25.0)]))[("drift", "fleet")]
    assert doubt_of([drifts, loses]) is loses
    assert why_no_trial([loses]) is None
    assert why_no_trial([loses, drifts]) == "nobody is demoted while the readings drift: see to them first"
    assert doubt_of([drifts]) is None


def test_before_the_seasons_are_known_spring_is_no_drift() -> None:
    assert ("drift", "fleet") not in found_in(readings(value=25.0), usual(annual=0))


def test_a_usual_fleet_raises_nothing() -> None:
    assert not any(each.raised for each in found_in(readings()).values())


def test_a_silent_station_is_told_apart_from_a_dead_source() -> None:
    both = pd.concat([readings(), readings(31, NOW - 4 * DAY, "cellar")])
    found = found_in(both)
    assert found[("silent", "cellar")].raised
    assert found[("silent", "cellar")].value == pytest.approx(96.0)
    assert "cellar has had no usable reading for 96 h" in found[("silent", "cellar")].sentence
    assert not found[("late", "fleet")].raised
    dead = found_in(both[both["observed_at"] <= NOW - 4 * DAY])
    assert dead[("late", "fleet")].raised
    assert ("silent", "cellar") not in dead


def test_a_station_that_speaks_again_is_told_once() -> None:
    """What came late was not there last night, and is not taken to have been."""
    cellar = readings(31, NOW - 4 * DAY, "cellar")
    belated = readings(4, NOW, "cellar").assign(ingested_at=NOW)
    found = found_in(pd.concat([readings(), cellar, belated]))[("silent", "cellar")]
    assert not found.raised and found.newly_cleared
    assert found.sentence == "cellar speaks again"


def test_a_station_that_is_gone_is_no_news_for_ever() -> None:
    gone = readings(3, NOW - 32 * DAY, "cellar")
    assert ("silent", "cellar") not in found_in(pd.concat([readings(), gone]))


# ── settings ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_late_is_as_late_as_notifications_have_it() -> None:
    told = Settings.model_validate({"notify": {"late_hours": 6}, "monitor": {"silent": {"limit": 3}}})
    assert (told.monitor.silent.limit, told.monitor.late.limit) == (3, 6)
    assert Settings().monitor.late.limit == 24


def test_a_rule_that_can_never_be_raised_is_refused() -> None:
    with pytest.raises(ValueError, match="breached = 5 of nights = 4 is never reached"):
        Settings.model_validate({"monitor": {"skill": {"breached": 5}}})
